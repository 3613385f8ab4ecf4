"""How useful a face is for training and for looking at: sharp, large and in full view."""

import cv2
import numpy as np

from likeness.faces.align import aligned_crop

_CROP_SIZE = 64  # pixels; sharpness is judged at one size, so that a small face counts as the blurred one it is
_FULL_SHARPNESS = 0.22  # detail against contrast of a well-focused portrait
_FULL_SIZE_PX = 60.0  # outer-eye distance at which more pixels no longer help


def sharpness_of(image: np.ndarray, landmarks: np.ndarray) -> float:
    """Detail finer than about 1/50 of the face against its overall contrast, in [0, 1]; independent of exposure."""
    grey = cv2.cvtColor(aligned_crop(image, landmarks, _CROP_SIZE, coverage=0.9), cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 1.0)
    contrast = float(grey.std())
    return float(np.clip(detail.std() / max(contrast, 2.0) / _FULL_SHARPNESS, 0, 1))


def quality_of(image: np.ndarray, landmarks: np.ndarray, visibility: float) -> float:
    """Geometric mean, in [0, 1], of sharpness, size and ``visibility`` (the share of landmarks that are seen well).

    ``image`` uint8 RGB, ``landmarks`` (68, 2) in its pixels. Size counts in full from 60 px between the outer eye
    corners.
    """
    right, left = landmarks[36], landmarks[45]
    size = min(1.0, float(np.linalg.norm(left - right)) / _FULL_SIZE_PX)
    return float(np.cbrt(sharpness_of(image, landmarks) * size * np.clip(visibility, 0, 1)))
