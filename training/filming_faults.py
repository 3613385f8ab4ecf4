"""What spoils faces in footage: light from one side, and motion while the shutter is open."""

import cv2
import numpy as np


def light_from_side(crop: np.ndarray, angle: float, depth: float, least: float, most: float) -> np.ndarray:
    """``crop`` uint8 (size, size, 3) under light that falls off towards ``angle``, in radians, by about ``depth``.

    ``least`` and ``most`` bound what is left of the light anywhere.
    """
    axis = np.linspace(-0.7, 0.7, len(crop), dtype=np.float32)
    ramp = np.clip(1 - depth * (0.5 + np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]), least, most)
    return np.clip(crop * ramp[..., None], 0, 255).astype(np.uint8)


def motion_blurred(crop: np.ndarray, length: int, angle: float) -> np.ndarray:
    """``crop`` uint8 (size, size, 3) as if it had moved by ``length`` pixels at ``angle``, in radians."""
    kernel = np.zeros((length, length), np.float32)
    half = (length - 1) / 2
    reach = half * np.array([np.cos(angle), np.sin(angle)])
    start, end = ((half + sign * reach).round().astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(crop, -1, kernel / kernel.sum())
