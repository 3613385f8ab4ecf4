"""Show where in the face a network finds what speaks for "synthetic", and say it in words."""

import cv2
import numpy as np

from likeness.detect.networks.inputs import COVERAGE, CROP
from likeness.examiner import Picture
from likeness.faces.align import apply, square_in_crop

_QUALITY = 82
_STRENGTH = 0.45  # of the colour where a place speaks loudest
# Rectangles (x0, y0, x1, y1) of TEMPLATE's square; the first of the regions that holds a place names it.
_FACE = (-0.05, -0.2, 1.05, 1.08)
_REGIONS = (
    ("the eyes", (0.10, -0.02, 0.90, 0.26)),
    ("the nose", (0.34, 0.26, 0.66, 0.52)),
    ("the mouth", (0.24, 0.52, 0.76, 0.80)),
    ("the forehead", (0.05, -0.35, 0.95, -0.02)),
    ("a cheek", (0.02, 0.26, 0.98, 0.70)),
    ("the chin and jaw", (0.00, 0.70, 1.00, 1.10)),
)


def strongest_region(where: np.ndarray) -> str:
    """The part of the face in which ``where`` (h, w), parts of a logit over a network's crop, is highest.

    A network's answers far from the face differ in how they are spread from those on it, and say less.
    """
    row, column = np.unravel_index(int(np.where(on_face(where.shape), where, -np.inf).argmax()), where.shape)
    cell = CROP / np.array(where.shape[::-1])
    x, y = (np.array([column, row]) + 0.5) * cell
    to_crop = square_in_crop(CROP, COVERAGE)
    for name, rectangle in _REGIONS:
        (x0, y0), (x1, y1) = apply(to_crop, np.array(rectangle).reshape(2, 2))
        if x0 <= x < x1 and y0 <= y < y1:
            return name
    return "the edge of the face"


def on_face(shape: tuple[int, ...]) -> np.ndarray:
    """Which cells of a map of ``shape`` (h, w) over a network's crop lie on the face or its edge: bool (h, w)."""
    (x0, y0), (x1, y1) = apply(square_in_crop(CROP, COVERAGE), np.array(_FACE).reshape(2, 2)) / CROP
    rows, columns = ((np.arange(count) + 0.5) / count for count in shape)
    inside: np.ndarray = ((rows >= y0) & (rows < y1))[:, None] & ((columns >= x0) & (columns < x1))[None]
    return inside


def heat_map(crop: np.ndarray, where: np.ndarray, caption: str) -> Picture:
    """``crop`` uint8 (CROP, CROP, 3) beside itself with the positive parts of ``where`` (h, w) on the face laid over it
    in yellow and red, and lines around what is stronger, so that it can be read without colour."""
    face = np.where(on_face(where.shape), where, np.minimum(where, 0)).astype(np.float32)
    spread = cv2.resize(face, (CROP, CROP), interpolation=cv2.INTER_CUBIC)
    strength = np.clip(spread / max(float(np.abs(face).max()), 1e-3), 0, 1)
    colour = cv2.applyColorMap((255 * strength).astype(np.uint8), cv2.COLORMAP_HOT)[:, :, ::-1]
    alpha = (_STRENGTH * strength)[:, :, None]
    shown = (crop * (1 - alpha) + colour * alpha).astype(np.uint8)
    for level in (0.35, 0.7):
        lines, _ = cv2.findContours((strength >= level).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(shown, lines, -1, (255, 255, 255), 1, cv2.LINE_AA)
    both = np.hstack([crop, shown])
    jpeg = cv2.imencode(".jpg", np.ascontiguousarray(both[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return Picture(jpeg=jpeg.tobytes(), width=both.shape[1], height=both.shape[0], caption=caption)
