"""Whether the pixels of the eyes change: a second witness beside the landmarks of the lids.

Landmarks that hardly know closed eyes keep a face's eyes open through a blink; its pixels do not. The eyes are cut out
where the aligned face has them, so the landmarks need only be right about the face.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from likeness.detect.sightings import Sighting
from likeness.faces.align import apply, square_in_crop

_CROP, _COVERAGE = 224, 0.5  # the aligned crop that all cues share
_PLACES = ((0.16, 0.09, 0.41, 0.235), (0.59, 0.09, 0.84, 0.235))  # x0, y0, x1, y1 of the eyes in the TEMPLATE's square
_SLACK = 2  # pixels by which a patch may be misplaced
_SMOOTHING = 1.0  # pixels: takes the noise of the footage out
_REFERENCE_S = 1.0  # half the time over which the usual look of an eye is taken
_BLOCK_S = 0.4  # how often that look is taken anew


@dataclass(frozen=True, eq=False)
class EyePatches:
    """Both eyes of one face: ``patches`` uint8 grey (2, h, w), the person's right eye first."""

    time_s: float
    patches: np.ndarray


def eye_patches(sighting: Sighting) -> EyePatches:
    """Cut both eyes out of the aligned face, smoothed."""
    crop = sighting.crop(_CROP, _COVERAGE)
    eyes = [cv2.cvtColor(crop[_place(*place)], cv2.COLOR_RGB2GRAY) for place in _PLACES]
    return EyePatches(sighting.face.time_s, np.stack([cv2.GaussianBlur(eye, (0, 0), _SMOOTHING) for eye in eyes]))


def eye_change(seen: Sequence[EyePatches], interval_s: float) -> np.ndarray:
    """How far both eyes differ from their own usual look: float64 (n,) in [0, 2].

    ``seen`` are the eyes in order of time, ``interval_s`` apart. 1 − the normalised cross-correlation of the patch with
    the median patch of the second before and after, at the best of a few displacements; of the two eyes the one that
    changed less, since a blink closes both.
    """
    if not seen:
        return np.zeros(0)
    interval = max(interval_s, 1e-3)
    reach, block = max(1, round(_REFERENCE_S / interval)), max(1, round(_BLOCK_S / interval))
    eyes = np.stack([one.patches for one in seen]).astype(np.float32)
    change = np.zeros(len(eyes))
    for start in range(0, len(eyes), block):
        usual = np.median(eyes[max(0, start - reach) : start + block + reach], axis=0)
        for row in range(start, min(start + block, len(eyes))):
            change[row] = min(_difference(eyes[row, side], usual[side]) for side in (0, 1))
    return change


def _place(x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
    corners = apply(square_in_crop(_CROP, _COVERAGE), np.array([[x0, y0], [x1, y1]])).round().astype(int)
    return slice(corners[0, 1], corners[1, 1]), slice(corners[0, 0], corners[1, 0])


def _difference(patch: np.ndarray, usual: np.ndarray) -> float:
    middle = np.ascontiguousarray(usual[_SLACK:-_SLACK, _SLACK:-_SLACK])
    if middle.std() < 1e-3 or patch.std() < 1e-3:
        return 0.0
    return 1 - float(cv2.matchTemplate(patch, middle.astype(np.float32), cv2.TM_CCOEFF_NORMED).max())
