"""Whether the pixels of the eyes change: a second witness beside the landmarks of the lids.

Landmarks that hardly know closed eyes keep a face's eyes open through a blink; its pixels do not. The eyes are cut out
where the aligned face has them, so the landmarks need only be right about the face.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from likeness.detect.sightings import frame_interval, sightings
from likeness.faces.align import alignment, apply, square_in_crop, warp
from likeness.faces.face import Face
from likeness.media.clip import Clip

_CROP = 128  # pixels a side
_COVERAGE = 0.8
_PLACES = ((0.16, 0.09, 0.41, 0.235), (0.59, 0.09, 0.84, 0.235))  # x0, y0, x1, y1 of the eyes in the TEMPLATE's square
_SLACK = 2  # pixels by which a patch may be misplaced
_SMOOTHING = 1.0  # pixels: takes the noise of the footage out
_REFERENCE_S = 1.0  # half the time over which the usual look of an eye is taken
_BLOCK_S = 0.4  # how often that look is taken anew


def eye_change(clip: Clip, faces: Sequence[Face]) -> np.ndarray:
    """How far both eyes differ from their own usual look: float64 (n,) in [0, 2], NaN where a frame could not be read.

    1 − the normalised cross-correlation of the patch with the median patch of the second before and after, at the best
    of a few displacements; of the two eyes the one that changed less, since a blink closes both.
    """
    patches = _patches(clip, faces)
    interval = max(frame_interval(faces), 1e-3)
    reach, block = max(1, round(_REFERENCE_S / interval)), max(1, round(_BLOCK_S / interval))
    known = np.array([i for i, pair in enumerate(patches) if pair is not None], dtype=int)
    change = np.full(len(faces), np.nan)
    if len(known) == 0:
        return change
    eyes = np.array([patches[i] for i in known])
    for start in range(0, len(known), block):
        usual = np.median(eyes[max(0, start - reach) : start + block + reach], axis=0)
        for row in range(start, min(start + block, len(known))):
            change[known[row]] = min(_difference(eyes[row, side], usual[side]) for side in (0, 1))
    return change


def _patches(clip: Clip, faces: Sequence[Face]) -> list[np.ndarray | None]:
    """Both eyes of every face, float32 (2, h, w) grey."""
    places = [_place(*place) for place in _PLACES]
    rows = {face.time_s: i for i, face in enumerate(faces)}
    patches: list[np.ndarray | None] = [None] * len(faces)
    for sighting in sightings(clip, [(0, face) for face in faces]):
        crop = warp(sighting.frame.image, alignment(sighting.face.landmarks, _CROP, _COVERAGE), _CROP)
        grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (0, 0), _SMOOTHING)
        patches[rows[sighting.face.time_s]] = np.stack([grey[place] for place in places]).astype(np.float32)
    return patches


def _place(x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
    corners = apply(square_in_crop(_CROP, _COVERAGE), np.array([[x0, y0], [x1, y1]])).round().astype(int)
    return slice(corners[0, 1], corners[1, 1]), slice(corners[0, 0], corners[1, 0])


def _difference(patch: np.ndarray, usual: np.ndarray) -> float:
    middle = np.ascontiguousarray(usual[_SLACK:-_SLACK, _SLACK:-_SLACK])
    if middle.std() < 1e-3 or patch.std() < 1e-3:
        return 0.0
    return 1 - float(cv2.matchTemplate(patch, middle.astype(np.float32), cv2.TM_CCOEFF_NORMED).max())
