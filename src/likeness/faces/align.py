"""Bring a face upright, to one size and place: the similarity between its landmarks and a mean face.

A matrix here is float64 (2, 3) and maps pixels (x, y) to pixels: p' = M[:, :2] p + M[:, 2].
"""

import cv2
import numpy as np

# The mean of 376 official portraits (public domain), made symmetric and scaled so that the jaw spans the unit square.
# fmt: off
TEMPLATE = np.array([
    (0.000, 0.176), (0.003, 0.277), (0.007, 0.383), (0.051, 0.618), (0.098, 0.715), (0.152, 0.788),
    (0.277, 0.900), (0.409, 0.970), (0.500, 0.980), (0.591, 0.970), (0.723, 0.900), (0.848, 0.788),
    (0.902, 0.715), (0.949, 0.618), (0.993, 0.383), (0.997, 0.277), (1.000, 0.176), (0.101, 0.067),
    (0.147, 0.036), (0.216, 0.020), (0.304, 0.027), (0.402, 0.041), (0.598, 0.041), (0.696, 0.027),
    (0.784, 0.020), (0.853, 0.036), (0.899, 0.067), (0.500, 0.146), (0.500, 0.251), (0.500, 0.354),
    (0.500, 0.416), (0.397, 0.464), (0.438, 0.490), (0.500, 0.495), (0.562, 0.490), (0.603, 0.464),
    (0.189, 0.160), (0.233, 0.140), (0.304, 0.136), (0.378, 0.174), (0.315, 0.183), (0.246, 0.183),
    (0.622, 0.174), (0.696, 0.136), (0.767, 0.140), (0.811, 0.160), (0.754, 0.183), (0.685, 0.183),
    (0.283, 0.609), (0.375, 0.589), (0.435, 0.583), (0.500, 0.593), (0.565, 0.583), (0.625, 0.589),
    (0.717, 0.609), (0.620, 0.709), (0.565, 0.730), (0.500, 0.736), (0.435, 0.730), (0.380, 0.709),
    (0.301, 0.612), (0.444, 0.618), (0.500, 0.622), (0.556, 0.618), (0.699, 0.612), (0.555, 0.671),
    (0.500, 0.676), (0.445, 0.671),
], dtype=np.float32)

# Landmark i of a mirrored face is landmark MIRROR[i] of the face.
MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])
# fmt: on

COVERAGE = 0.625  # part of a crop's side that the TEMPLATE's unit square takes

_MAX_SUPERSAMPLING = 4


def umeyama(src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """The similarity (2, 3) that brings ``src`` (n, 2) to ``dst`` (n, 2) with the least squared error.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", eqs. 40–42. In the
    plane the rotation R and scale c of its singular value decomposition are one complex number, c e^iθ = Σ s̄ d / Σ |s|²
    over the centred points s and d. Mirroring is never part of it.
    Raises ValueError where the shapes differ or all points of ``src`` coincide.
    """
    src, dst = np.asarray(src, np.float64), np.asarray(dst, np.float64)
    if src.shape != dst.shape or src.ndim != 2 or src.shape[1] != 2 or len(src) == 0:
        raise ValueError(f"umeyama needs two (n, 2) arrays of one shape, not {src.shape} and {dst.shape}")
    mean_src, mean_dst = src.sum(0) / len(src), dst.sum(0) / len(dst)
    centred_src, centred_dst = src - mean_src, dst - mean_dst
    power = np.vdot(centred_src, centred_src)
    if power <= 1e-12 * max(1.0, np.vdot(src, src)):
        raise ValueError("umeyama needs at least two different points")
    cosine = np.vdot(centred_src, centred_dst) / power
    sine = (centred_src[:, 0] @ centred_dst[:, 1] - centred_src[:, 1] @ centred_dst[:, 0]) / power
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, mean_dst - linear @ mean_src])


def square_in_crop(size: int, coverage: float = COVERAGE) -> np.ndarray:
    """The matrix (2, 3) from TEMPLATE's unit square to the middle ``coverage`` of a ``size``² crop."""
    margin = size * (1 - coverage) / 2
    return np.array([[size * coverage, 0, margin], [0, size * coverage, margin]])


def alignment(landmarks: np.ndarray, size: int, coverage: float = COVERAGE) -> np.ndarray:
    """The matrix (2, 3) from the pixels of ``landmarks`` (68, 2) to those of a ``size``² crop with the face upright."""
    return umeyama(landmarks, apply(square_in_crop(size, coverage), TEMPLATE))


def aligned_crop(image: np.ndarray, landmarks: np.ndarray, size: int, coverage: float = COVERAGE) -> np.ndarray:
    """The face of ``image`` (uint8 RGB) upright in a crop (size, size, 3); edge pixels repeat outside the image."""
    return warp(image, alignment(landmarks, size, coverage), size)


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """``image`` seen through ``matrix`` (2, 3) in a ``size``² picture of the same dtype.

    Where it shrinks, it is sampled more finely and averaged, so that large faces do not alias.
    """
    shrinking = 1 / max(scale_of(matrix), 1e-6)
    times = int(np.clip(round(shrinking), 1, _MAX_SUPERSAMPLING))
    # pixel centres: a fine sample i lies at (i + 0.5) / times - 0.5 of the coarse grid
    fine = times * matrix
    fine[:, 2] += (times - 1) / 2
    drawn = cv2.warpAffine(image, fine, (times * size, times * size), borderMode=cv2.BORDER_REPLICATE)
    return drawn if times == 1 else cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``points`` (..., 2) moved by ``matrix`` (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) that undoes ``matrix``; raises numpy.linalg.LinAlgError where it is flat."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def scale_of(matrix: np.ndarray) -> float:
    """How many times longer ``matrix`` makes lengths (geometric mean over directions)."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
