"""One picture of a clip."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip and when it is shown.

    ``image`` is uint8 RGB (height, width, 3), upright. ``time_s`` is its true presentation time in seconds from the
    clip's start; ``index`` counts the clip's frames from 0.
    """

    image: np.ndarray
    time_s: float
    index: int
