"""The part of a picture that a face covers, from its landmarks."""

import cv2
import numpy as np

from likeness.faces.face import LEFT_BROW, RIGHT_BROW

_SUBPIXEL_BITS = 4


def face_outline(landmarks: np.ndarray, forehead: float = 0.0) -> np.ndarray:
    """Convex hull (n, 2) of ``landmarks`` (68, 2), with the brows raised by ``forehead`` times the face's height."""
    landmarks = np.asarray(landmarks, np.float32)
    brows = landmarks[RIGHT_BROW.start : LEFT_BROW.stop]
    raised = brows + forehead * (brows.mean(0) - landmarks[8])
    return cv2.convexHull(np.concatenate([landmarks, raised]).astype(np.float32))[:, 0]


def hull_mask(landmarks: np.ndarray, shape: tuple[int, int], forehead: float = 0.0) -> np.ndarray:
    """float32 (height, width) mask in [0, 1] of the landmarks' convex hull, anti-aliased; 1 is face.

    ``landmarks`` (68, 2) are pixels of a picture of ``shape`` (height, width) and may lie outside it.
    """
    mask = np.zeros(shape, np.uint8)
    outline = np.round(face_outline(landmarks, forehead) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillConvexPoly(mask, outline, 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return mask.astype(np.float32) / 255
