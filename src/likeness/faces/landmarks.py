"""Where the 68 landmarks of a face are, and whether there is a face at all: one small network on an upright crop."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from likeness.faces.align import MIRROR, alignment, apply, invert, umeyama, warp
from likeness.faces.onnx_session import onnx_session

CROP_SIZE = 112  # pixels, side of the network's input
CROP_COVERAGE = 0.6  # part of that side which TEMPLATE's unit square takes

_LIKELY_SPREAD = 0.03  # of the outer-eye distance: what the network claims of a landmark it sees well


@dataclass(frozen=True, eq=False)
class Located:
    """What the network says of one crop.

    ``landmarks`` float32 (68, 2) in pixels of the picture, ``presence`` in [0, 1], ``spread`` float32 (68,): expected
    error of each landmark in units of the outer-eye distance.
    """

    landmarks: np.ndarray
    presence: float
    spread: np.ndarray

    @property
    def visibility(self) -> float:
        """Share of the landmarks, in [0, 1], that the network sees well; hands, rims and the dark take from it."""
        return float(np.mean(np.clip(_LIKELY_SPREAD * 2 / self.spread, 0, 1)))


class LandmarkModel:
    """The shipped network, run by ONNX Runtime. ``threads`` are its own; calls may come from several threads."""

    def __init__(self, weights: Path | None = None, threads: int = 2) -> None:
        self._session = onnx_session(weights or shipped_weights(), threads)

    def __call__(self, image: np.ndarray, matrices: list[np.ndarray], careful: bool = True) -> list[Located]:
        """Look at ``image`` (uint8 RGB) through ``matrices`` (2, 3), each from its pixels to a crop of CROP_SIZE².

        A ``careful`` look averages the answers for the crop and its mirror image: 6 % less error for twice the time.
        """
        if not matrices:
            return []
        crops = np.stack([warp(image, matrix, CROP_SIZE) for matrix in matrices])
        if careful:
            crops = np.concatenate([crops, crops[:, :, ::-1]])
        answers = self._session.run(None, {"crops": crops})
        if careful:
            plain, mirrored = zip(*(np.split(answer, 2) for answer in answers), strict=True)
            answers = [(one + other) / 2 for one, other in zip(plain, _mirrored_back(*mirrored), strict=True)]
        return [
            Located(apply(invert(matrix), places * CROP_SIZE).astype(np.float32), float(probability), spreads)
            for matrix, probability, places, spreads in zip(matrices, *answers, strict=True)
        ]


def _mirrored_back(presence: np.ndarray, landmarks: np.ndarray, spread: np.ndarray) -> list[np.ndarray]:
    """Answers for mirrored crops as answers for the crops themselves: pixel x was pixel size − 1 − x."""
    unmirrored = landmarks[:, MIRROR] * [-1, 1] + [(CROP_SIZE - 1) / CROP_SIZE, 0]
    return [presence, unmirrored, spread[:, MIRROR]]


def shipped_weights() -> Path:
    """The network in the package: weights/face_landmarks.onnx, described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "face_landmarks.onnx"))


def crop_around(landmarks: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) to the crop in which the network sees best a face with these ``landmarks`` (68, 2)."""
    return alignment(landmarks, CROP_SIZE, CROP_COVERAGE)


def crop_of_square(centre: tuple[float, float], side: float, turn_deg: float = 0.0) -> np.ndarray:
    """The matrix (2, 3) to the crop in which a square of the picture takes the middle CROP_COVERAGE.

    The square has its ``centre`` and ``side`` in pixels; a face that leans clockwise by ``turn_deg`` becomes upright.
    """
    half = side / 2
    angle = np.radians(turn_deg)
    across = half * np.array([np.cos(angle), np.sin(angle)])
    down = half * np.array([-np.sin(angle), np.cos(angle)])
    middle = np.asarray(centre, np.float64)
    corners = np.array([middle - across - down, middle + across - down, middle + across + down, middle - across + down])
    low, high = CROP_SIZE * (1 - CROP_COVERAGE) / 2, CROP_SIZE * (1 + CROP_COVERAGE) / 2
    return umeyama(corners, np.array([[low, low], [high, low], [high, high], [low, high]]))
