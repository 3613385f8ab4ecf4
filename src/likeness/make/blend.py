"""Lay a made face over the frame it goes into, without a visible edge.

Everything but the last step happens in the aligned crop, where a face always has the same size: the mask's feathering,
and Poisson blending (Pérez, Gangnet and Blake 2003) in its membrane form (Farbman et al. 2009): keeping the made face's
gradients and the frame's colours at the edge means adding the harmonic function that is (frame − face) along the edge.
Multi-band blending is in `multiband`.
"""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

Blend = Literal["feather", "poisson", "multiband"]
Grain = Callable[[tuple[int, int]], np.ndarray | None]

_BORDER = 6.0  # pixels within which alpha falls to 0 at the crop's border
_MEMBRANE_SIZE = 64  # the membrane is smooth, so this grid (px) is enough for any crop


def soft_mask(mask: np.ndarray, grow: float, feather: float) -> np.ndarray:
    """Alpha float32 (h, w): 0 at ``grow`` pixels outside the mask's edge, 1 from ``feather`` pixels further in.

    ``mask`` is float (h, w) in [0, 1], its edge where it crosses one half; a negative ``grow`` lies inside it. Alpha
    falls to 0 towards the border of the crop too, where the made face ends.
    """
    inside = (mask >= 0.5).astype(np.uint8)
    if not inside.any():
        return np.zeros(mask.shape, np.float32)
    depth = _distance(inside) - _distance(1 - inside) - (inside - 0.5)  # the edge runs between pixels
    rise = (depth + grow) / max(feather, 1e-3)
    whole = np.pad(np.ones(mask.shape, np.uint8), 1)
    border = (_distance(whole)[1:-1, 1:-1] - 1) / max(min(feather, _BORDER), 1e-3)
    rise = np.clip(np.minimum(rise, border), 0, 1)
    return (rise * rise * (3 - 2 * rise)).astype(np.float32)


def _distance(region: np.ndarray) -> np.ndarray:
    """Distance in pixels of each pixel of ``region`` (uint8, 0 or 1) from the nearest that is 0."""
    return cv2.distanceTransform(region, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def raised(mask: np.ndarray, pixels: float) -> np.ndarray:
    """``mask`` (h, w) drawn upwards by ``pixels``: over the brows of an upright face, which end at its hull."""
    kernel = np.ones((max(round(pixels), 0) + 1, 1), np.uint8)
    return cv2.dilate(mask, kernel, anchor=(0, 0))


def membrane(image: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What to add to ``image`` for its Poisson blend with ``target`` within ``mask``, float32 (h, w, 3).

    ``image`` and ``target`` float32 (h, w, 3), ``mask`` (h, w). The result solves Laplace's equation where mask ≥ ½
    and is ``target − image`` elsewhere; a mask that reaches the border is cut there: the solution needs an edge around.
    """
    height, width = mask.shape
    grid = (min(width, _MEMBRANE_SIZE), min(height, _MEMBRANE_SIZE))
    difference = cv2.resize(target - image, grid, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask.astype(np.float32), grid, interpolation=cv2.INTER_AREA) >= 0.5
    inside[[0, -1]] = inside[:, [0, -1]] = False
    solved = _solve_laplace(difference, inside)
    return cv2.resize(solved, (width, height), interpolation=cv2.INTER_LINEAR)


def _solve_laplace(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Replace ``values`` (h, w, c) where ``inside`` by the harmonic function with the same values around it."""
    if not inside.any():
        return values
    count = int(inside.sum())
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    rows, columns = np.nonzero(inside)
    constant = np.zeros((count, values.shape[2]))
    links = []
    for step_y, step_x in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        neighbour = number[rows + step_y, columns + step_x]
        fixed = neighbour < 0
        constant[fixed] += values[rows[fixed] + step_y, columns[fixed] + step_x]
        links.append(np.column_stack([np.arange(count)[~fixed], neighbour[~fixed]]))
    pairs = np.concatenate(links)
    adjacency = sparse.csc_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    solved = values.copy()
    solved[inside] = splu(4 * sparse.eye(count, format="csc") - adjacency).solve(constant)
    return solved


def paste(
    frame: np.ndarray,
    image: np.ndarray,
    alpha: np.ndarray,
    matrix: np.ndarray,
    added: np.ndarray | None = None,
    grain: Grain | None = None,
) -> None:
    """Lay the crop ``image`` over ``frame`` in place.

    ``frame`` uint8 (H, W, 3); ``image`` float32 (s, s, 3) in [0, 1]; ``alpha`` float32 (s, s), 0 along its border;
    ``matrix`` (2, 3) takes frame pixels to crop pixels. A crop larger than its place is averaged down first, so that
    nothing aliases. ``added`` float32 (s, s, 3), 0 along the border, is added whatever alpha is; ``grain`` gives the
    noise (h, w, 3) that is added to the face at the frame's own pixels.
    """
    x0, y0, x1, y1 = _place(matrix, len(image), frame.shape)
    if x0 >= x1 or y0 >= y1:
        return
    offset = matrix.copy()
    offset[:, 2] += matrix[:, :2] @ (x0, y0)
    size = (x1 - x0, y1 - y0)
    placed = _drawn(np.dstack([image, alpha]), offset, size)
    inside = _drawn(np.ones(image.shape[:2], np.float32), offset, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    cover = (np.clip(placed[:, :, 3], 0, 1) * inside)[:, :, None]
    face = np.clip(placed[:, :, :3], 0, 1)
    noise = grain(size[::-1]) if grain is not None else None
    if noise is not None:
        face = face + noise
    under = frame[y0:y1, x0:x1].astype(np.float32)
    mixed = under + cover * (face * 255 - under)
    if added is not None:
        mixed += 255 * _drawn(added, offset, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    frame[y0:y1, x0:x1] = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def _drawn(
    crop: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    interpolation: int = cv2.INTER_CUBIC,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """``crop`` (s, s, …) in a picture of ``size`` (width, height), from whose pixels ``matrix`` leads to the crop's."""
    shrink = min(1.0, 1.0 / float(np.hypot(matrix[0, 0], matrix[1, 0])))
    side = max(2, round(len(crop) * shrink))
    if side < len(crop):
        matrix = scaled(matrix, side / len(crop))
        crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.warpAffine(crop, matrix, size, flags=interpolation | cv2.WARP_INVERSE_MAP, borderMode=border)


def scaled(matrix: np.ndarray, factor: float) -> np.ndarray:
    """``matrix`` (2, 3) for a crop ``factor`` times as large, with pixel centres at whole numbers."""
    result = matrix * factor
    result[:, 2] += (factor - 1) / 2
    return result


def _place(matrix: np.ndarray, side: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1) of the frame that the crop can touch."""
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]], np.float64) - (0.5, 0.5, 0)
    spots = corners @ cv2.invertAffineTransform(matrix).T
    x0, y0 = np.floor(spots.min(axis=0)).astype(int)
    x1, y1 = np.ceil(spots.max(axis=0)).astype(int) + 1
    return max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])
