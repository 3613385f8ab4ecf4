"""Find every face of a picture: Haar proposals, confirmed and placed by the landmark network."""

from dataclasses import dataclass, field, replace

import numpy as np

from likeness.faces.face import Face
from likeness.faces.landmarks import LandmarkModel, Located, crop_around, crop_of_square
from likeness.faces.pose import pose_of
from likeness.faces.proposals import Proposal, ProposalSettings, propose
from likeness.faces.quality import quality_of

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FinderSettings:
    """``threshold`` is on the network's presence; the shipped value was chosen on validation pictures.

    Where the first search finds nothing, it is repeated with every single Haar hit, then for faces that lean by
    ±``retry_turn_deg``.
    """

    threshold: float = 0.97
    smallest_px: float = 22.0  # width of the landmarks; below it texture cannot be told from faces
    glance: float = 0.05  # presence on the first, badly placed crop below which a proposal is dropped
    same_face_overlap: float = 0.3  # intersection over union
    search: ProposalSettings = field(default_factory=ProposalSettings)
    retry_turn_deg: float = 35.0
    retry: bool = True


class FaceFinder:
    """Finds faces in single pictures. Loads the network once; ``find`` may be called as often as one likes."""

    def __init__(self, settings: FinderSettings | None = None, model: LandmarkModel | None = None) -> None:
        self.settings = settings or FinderSettings()
        self.model = model or LandmarkModel()

    def find(self, image: np.ndarray, frame: int = 0, time_s: float = 0.0) -> list[Face]:
        """The faces of ``image`` (uint8 RGB), surest first. ``frame`` and ``time_s`` are only noted on them."""
        search = self.settings.search
        faces = self.confirm(image, propose(image, search), frame, time_s)
        if faces or not self.settings.retry:
            return faces
        eager = replace(search, neighbours=0)
        turn = self.settings.retry_turn_deg
        turned = [replace(search, turn_deg=side * turn, profile=False) for side in (-1, 1)]
        for again in (eager, *turned):
            faces += self.confirm(image, propose(image, again), frame, time_s)
        return merged(faces, self.settings.same_face_overlap)

    def confirm(self, image: np.ndarray, proposals: list[Proposal], frame: int, time_s: float) -> list[Face]:
        """Those of ``proposals`` that are faces: looked at as proposed, then again where the landmarks are."""
        squares = [crop_of_square(proposal.centre, proposal.side, proposal.turn_deg) for proposal in proposals]
        glanced = [seen for seen in self.model(image, squares, careful=False) if seen.presence >= self.settings.glance]
        looked = self.model(image, [crop_around(seen.landmarks) for seen in glanced])
        sure = [seen for seen in looked if seen.presence >= self.settings.threshold]
        large = [seen for seen in sure if np.ptp(seen.landmarks[:, 0]) >= self.settings.smallest_px]
        faces = [self.face(image, seen, frame, time_s) for seen in large]
        return merged(faces, self.settings.same_face_overlap)

    def face(self, image: np.ndarray, seen: Located, frame: int, time_s: float) -> Face:
        """The network's answer as a Face, with box, pose and quality."""
        yaw, pitch, roll = pose_of(seen.landmarks)
        return Face(
            frame=frame,
            time_s=time_s,
            box=box_of(seen.landmarks),
            landmarks=seen.landmarks,
            confidence=seen.presence,
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            quality=quality_of(image, seen.landmarks, seen.visibility),
        )


def box_of(landmarks: np.ndarray) -> Box:
    """(x0, y0, x1, y1) around ``landmarks`` (n, 2)."""
    low, high = landmarks.min(0), landmarks.max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def merged(faces: list[Face], same: float) -> list[Face]:
    """``faces`` without those that overlap a surer one by ``same`` or more, surest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.confidence):
        if all(overlap(face.box, other.box) < same for other in kept):
            kept.append(face)
    return kept
