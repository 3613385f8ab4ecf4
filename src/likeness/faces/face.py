"""The nouns of this room: one face in one frame, and one person's faces over time."""

from dataclasses import dataclass, field

import numpy as np

# iBUG 68-point order, image coordinates; "right" and "left" are the subject's own.
JAW = slice(0, 17)
RIGHT_BROW = slice(17, 22)
LEFT_BROW = slice(22, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
OUTER_EYE_CORNERS = (36, 45)


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    ``frame`` counts from 0 and ``time_s`` is that frame's true time in seconds. ``box`` is (x0, y0, x1, y1) around the
    landmarks and ``landmarks`` float32 (68, 2) in iBUG order, both in pixels of the upright frame. ``confidence`` and
    ``quality`` (sharpness, size, visibility) lie in [0, 1]. Angles are degrees: ``yaw`` > 0 turns to the image's right,
    ``pitch`` > 0 looks up, ``roll`` > 0 leans clockwise in the image.
    """

    frame: int
    time_s: float
    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    confidence: float
    yaw: float
    pitch: float
    roll: float
    quality: float

    @property
    def eye_distance(self) -> float:
        """Distance between the outer eye corners in pixels: the usual unit for landmark errors."""
        right, left = OUTER_EYE_CORNERS
        return float(np.linalg.norm(self.landmarks[left] - self.landmarks[right]))

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return self.box[2] - self.box[0]


@dataclass(frozen=True, eq=False)
class Track:
    """One person's faces over time, in order of frames; frames where the face was lost are simply missing."""

    id: int
    faces: list[Face] = field(default_factory=list)

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last time in seconds."""
        return self.faces[0].time_s, self.faces[-1].time_s
