"""Traits of a made face that can be measured: from its landmarks, and from the colours around them."""

import numpy as np

from likeness.faces.align import COVERAGE
from likeness.faces.landmarks import CROP_COVERAGE, CROP_SIZE, LandmarkModel
from likeness.faces.pose import pose_of
from likeness.progress import tracked

TRAITS = ("skin", "hair", "yaw", "pitch", "mouth")
"""Lightness of the skin and of the hair, the head's turn to the image's right and up, how far the mouth is open."""

_LEAST_PRESENCE = 0.5
_LUMA = np.array([0.299, 0.587, 0.114])
_CHEEKS = ((1, 31, 48, 4), (15, 35, 54, 12))  # landmarks around each cheek
_PATCH = 0.04  # of the crop's side: half the side of the squares whose colour is taken
_ABOVE_BROWS = 0.62  # of the distance from chin to brows: where the hair is looked at, above the brows


def measure(pictures: np.ndarray) -> np.ndarray:
    """Traits float64 (n, 5) in the order of TRAITS of faces uint8 RGB (n, side, side, 3) aligned as in a face set.

    Lightness in grey levels, angles in degrees, openness of the mouth in units of the distance between the outer
    corners of the eyes. NaN for pictures in which no face is found.
    """
    model = LandmarkModel(threads=1)
    view = _landmark_view(pictures.shape[1])
    rows = []
    for picture in tracked(pictures, "Measuring faces", len(pictures), "faces"):
        [located] = model(picture, [view], careful=False)
        rows.append(_traits(picture, located.landmarks) if located.presence >= _LEAST_PRESENCE else _UNSEEN)
    return np.array(rows, np.float64).reshape(-1, len(TRAITS))


_UNSEEN = [np.nan] * len(TRAITS)


def _traits(picture: np.ndarray, landmarks: np.ndarray) -> list[float]:
    eyes = float(np.linalg.norm(landmarks[45] - landmarks[36]))
    skin = np.mean([_lightness(picture, landmarks[list(cheek)].mean(0)) for cheek in _CHEEKS])
    brows, chin = landmarks[17:27].mean(0), landmarks[8]
    hair = _lightness(picture, brows + _ABOVE_BROWS * (brows - chin))
    yaw, pitch, _ = pose_of(landmarks)
    opened = np.linalg.norm(landmarks[61:64] - landmarks[[67, 66, 65]], axis=1).mean() / eyes
    return [float(skin), hair, yaw, pitch, float(opened)]


def _lightness(picture: np.ndarray, place: np.ndarray) -> float:
    """Mean luma of a small square around ``place`` (x, y), as far as it lies in the picture."""
    side = picture.shape[0]
    half = max(1.0, _PATCH * side)
    (left, top), (right, bottom) = (np.clip(np.rint(place + sign * half), 0, side - 1) for sign in (-1, 1))
    patch = picture[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    return float((patch.reshape(-1, 3) @ _LUMA).mean())


def _landmark_view(side: int) -> np.ndarray:
    """The matrix (2, 3) from a face set's crop of ``side`` pixels to the crop that the landmark network wants."""
    scale = CROP_SIZE * CROP_COVERAGE / (side * COVERAGE)
    shift = (CROP_SIZE - 1) / 2 - scale * (side - 1) / 2  # the middle of one is the middle of the other
    return np.array([[scale, 0, shift], [0, scale, shift]])
