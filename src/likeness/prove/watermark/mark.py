"""Marking: both patterns of one message, laid over the luminance of pictures and frames of any size."""

from functools import lru_cache

import cv2
import numpy as np

from likeness.prove.watermark import networks
from likeness.prove.watermark.carrier import chips, second_chips
from likeness.prove.watermark.message import MarkId, Message, checked_id
from likeness.prove.watermark.strength import WORKING_SIZE, StrengthSettings, allowed, luminance, mask

SMALLEST = 16  # px of either side: below, nothing is marked


class Marker:
    """Lays the mark of ``mark_id`` over pictures. Raises SettingsError where that is no identifier."""

    def __init__(self, mark_id: MarkId, settings: StrengthSettings | None = None) -> None:
        self.mark_id = checked_id(mark_id)
        self._settings = settings or StrengthSettings()
        self._chips, self._second = _patterns(self.mark_id)

    def mark(self, image: np.ndarray) -> np.ndarray:
        """``image`` uint8 RGB (H, W, 3), marked, as a new array. Pictures under 16 pixels a side come back unmarked."""
        height, width = image.shape[:2]
        if min(height, width) < SMALLEST:
            return image.copy()
        seen = luminance(image)
        residual = networks.residual(seen, mask(seen), self._chips, self._second)
        how = cv2.INTER_AREA if height * width < WORKING_SIZE**2 else cv2.INTER_CUBIC
        scaled = cv2.resize(residual, (width, height), interpolation=how)
        power = float(cv2.norm(scaled, cv2.NORM_L2SQR)) / scaled.size
        steps = np.rint(scaled * allowed(residual, power, seen, self._settings)).astype(np.int16)
        return cv2.add(image, cv2.merge([steps, steps, steps]), dtype=cv2.CV_8U)


@lru_cache(maxsize=8)
def _patterns(mark_id: MarkId) -> tuple[np.ndarray, np.ndarray]:
    return chips(Message(mark_id)), second_chips(mark_id)
