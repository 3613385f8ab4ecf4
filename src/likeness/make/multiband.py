"""Multi-band blending (Burt and Adelson 1983, "A multiresolution spline with application to image mosaics").

Each band of spatial frequencies is mixed over a width of its own: fine detail changes over at once, shades gradually.
The frame is sharper than the crop in which this happens, so the finest band is mixed in the frame, by alpha as always,
and what the coarser bands do differently is a smooth correction that is added to it.
"""

import cv2
import numpy as np

_COARSEST = 24  # pixels a side of the lowest band at least: below, shades of the face would reach the background
_FADE = 0.08  # part of the crop's side over which the correction falls to 0 at the border


def band_correction(image: np.ndarray, target: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What multi-band blending adds to ``target + alpha * (image - target)``: float32 (h, w, 3), 0 along the border.

    ``image`` (the made face) and ``target`` (the frame) are float32 (h, w, 3), ``alpha`` float32 (h, w) in [0, 1].
    """
    bands = _blended(image - target, alpha[:, :, None])
    return (bands - alpha[:, :, None] * (image - target)) * _window(alpha.shape)[:, :, None]


def _blended(difference: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The sum over bands of that band of ``difference`` times ``alpha`` at the band's own resolution."""
    height, width = difference.shape[:2]
    if min(height, width) < 2 * _COARSEST:
        return difference * alpha
    smaller = cv2.pyrDown(difference)
    band = difference - cv2.pyrUp(smaller, dstsize=(width, height))
    below = _blended(smaller, cv2.pyrDown(alpha)[:, :, None])
    return band * alpha + cv2.pyrUp(below, dstsize=(width, height))


def _window(shape: tuple[int, ...]) -> np.ndarray:
    """float32 (h, w): 1 in the middle, falling to 0 along the border."""
    falls = []
    for length in shape:
        edge = np.minimum(np.arange(length), np.arange(length)[::-1]) / max(_FADE * length, 1.0)
        rise = np.clip(edge, 0, 1)
        falls.append(rise * rise * (3 - 2 * rise))
    return np.outer(*falls).astype(np.float32)
