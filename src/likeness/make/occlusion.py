"""What is in front of a face in the frame stays in front: fringe, glasses' rims, hands and whatever they hold.

The part segmenter says what each pixel of a crop shows. What counts as in front is kept out of the made face, pixel by
pixel; over time the median of the neighbouring frames takes out what shows in one frame alone, and leaves the edge of
a hand that moves where it is.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from likeness.faces.parts import HAIR, OCCLUDER
from likeness.make.fit import CROP, compose

_SURE = (0.35, 0.75)  # probabilities below which nothing and above which all is taken to be in front


def in_front(parts: np.ndarray) -> np.ndarray:
    """How much of each pixel is in front of the face, float32 (n, s, s) in [0, 1], by the segmenter's ``parts``
    (n, 4, s, s)."""
    probability = parts[:, OCCLUDER] + parts[:, HAIR]
    return np.clip((probability - _SURE[0]) / (_SURE[1] - _SURE[0]), 0, 1).astype(np.float32)


def placed(front: np.ndarray, to_made: np.ndarray, size: int) -> np.ndarray:
    """``front`` (s, s), over a whole crop, as the made face of ``size``² sees it; ``to_made`` takes pixels of the CROP²
    crop there."""
    grow = CROP / len(front)
    to_crop = np.array([[grow, 0, (grow - 1) / 2], [0, grow, (grow - 1) / 2]])
    return cv2.warpAffine(front, compose(to_made, to_crop), (size, size), borderMode=cv2.BORDER_REPLICATE)


def steadied(fronts: Sequence[np.ndarray]) -> np.ndarray:
    """The median over neighbouring frames, each float32 (s, s)."""
    return fronts[0] if len(fronts) == 1 else np.median(np.stack(fronts), axis=0).astype(np.float32)
