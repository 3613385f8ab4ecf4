"""What goes into the studio and what comes out: a pose, a shot, and the names of the parts in its mask."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

EXPRESSIONS = 57


class Part(IntEnum):
    """What a pixel of `Shot.parts` shows."""

    BACKGROUND = 0
    FACE = 1
    SKIN = 2  # neck, ears and scalp
    HAIR = 3  # with the beard
    BROWS = 4
    EYES = 5
    MOUTH = 6  # lips and the inside of the mouth
    TEETH = 7  # with gums and tongue
    CLOTHES = 8


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


@dataclass(frozen=True, eq=False)
class Pose:
    """What an actor does at one moment.

    ``expression`` float32 (57,): weights, mostly in [0, 1], in the order of `FaceModel.expression_names`. ``gaze``
    (2,): yaw and pitch of the eyes against the head, degrees; the lids follow by themselves. ``head`` (3,): yaw, pitch
    and roll in degrees: yaw > 0 turns to the image's right, pitch > 0 looks up, roll > 0 leans clockwise in the image.
    ``shift`` (3,): cm to the image's right, up and towards the camera.
    """

    expression: np.ndarray = field(default_factory=lambda: _zeros(EXPRESSIONS))
    gaze: np.ndarray = field(default_factory=lambda: _zeros(2))
    head: np.ndarray = field(default_factory=lambda: _zeros(3))
    shift: np.ndarray = field(default_factory=lambda: _zeros(3))


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of an actor with its exact truth.

    ``image`` uint8 (size, size, 3) RGB; ``landmarks`` float32 (68, 2) pixels in iBUG order (the first pixel's centre is
    0, 0); ``landmark_visible`` bool (68,): in the picture and not behind another part of the head; ``parts`` uint8
    (size, size) of `Part`; ``depth_cm`` float32 (size, size), distance to the camera's plane, inf in the background;
    ``head`` yaw, pitch, roll in degrees.
    """

    image: np.ndarray
    landmarks: np.ndarray
    landmark_visible: np.ndarray
    parts: np.ndarray
    depth_cm: np.ndarray
    head: np.ndarray
