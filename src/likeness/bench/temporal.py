"""How steady a made face is from frame to frame, beside the true answer: flicker of its pixels, jitter of its
landmarks."""

import numpy as np

from likeness.bench.metrics import LUMA
from likeness.bench.nearest_frame import piecewise_affine
from likeness.faces.align import alignment, apply, warp
from likeness.faces.face import OUTER_EYE_CORNERS
from likeness.faces.hull import hull_mask

_CROP = 128  # pixels, side of the upright crop in which frames are compared
_COVERAGE = 0.8


def flicker(images: np.ndarray, truth: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """How differently the face changes from frame to frame than the true answer's: float64 (T,), grey levels.

    ``images`` and ``truth`` are uint8 (T, h, w, 3), ``landmarks`` (T, 68, 2) the exact ones of ``truth``. With W the
    motion of these landmarks from frame t − 1 to t, a face changes by D(t) = I(t) − W I(t − 1); the figure is the mean
    of |D(t) − D*(t)| inside the face, * being the truth. W is linear, so this is |E(t) − W E(t − 1)| for the error
    E = I − I*: what is wrong in the same way in every frame does not flicker. The first frame has no figure: nan.
    """
    figures = np.full(len(images), np.nan)
    errors = [_upright_error(*frame) for frame in zip(images, truth, landmarks, strict=True)]
    places = [apply(alignment(points, _CROP, _COVERAGE), points) for points in landmarks]
    for now in range(1, len(images)):
        moved = piecewise_affine(errors[now - 1], places[now - 1], places[now], (_CROP, _CROP))
        mask = hull_mask(places[now], (_CROP, _CROP))
        figures[now] = float((np.abs(errors[now] - moved) * mask).sum() / mask.sum())
    return figures


def jitter(landmarks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean length of the landmarks' second difference in time less the truth's: float64 (T,), % of the true outer-eye
    distance.

    ``landmarks`` (T, 68, 2) pixels, nan where no face was found; ``truth`` the exact ones. What moves evenly does not
    jitter, wherever it is. Nan at both ends and beside frames without a face.
    """
    figures = np.full(len(landmarks), np.nan)
    if len(landmarks) < 3:
        return figures
    error = np.asarray(landmarks, np.float64) - truth
    shaking = np.linalg.norm(error[2:] - 2 * error[1:-1] + error[:-2], axis=2).mean(axis=1)
    right, left = OUTER_EYE_CORNERS
    unit = np.linalg.norm(truth[1:-1, left] - truth[1:-1, right], axis=1)
    figures[1:-1] = 100 * shaking / unit
    return figures


def _upright_error(image: np.ndarray, truth: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """I − I* in grey levels, float32 (crop, crop), in the crop in which the true face stands upright."""
    error = (image.astype(np.float32) - truth) @ LUMA.astype(np.float32)
    return warp(error, alignment(landmarks, _CROP, _COVERAGE), _CROP)
