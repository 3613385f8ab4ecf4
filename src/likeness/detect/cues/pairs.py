"""A network that looks at what changes between two frames."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from likeness.detect.network_cue import Moment, NetworkCue, NetworkNote


class Pairs(NetworkCue):
    """MobileNetV2 on a frame and its difference from the one before: a swap is drawn anew in every frame, so that its
    noise, texture and place do not move on as those of skin before a camera do (compare Sabir et al. 2019).

    Abstains on single pictures and on faces narrower than 64 px or turned beyond 50°.
    """

    name = "pairs"
    looks_at = "changes from frame to frame"
    least_frames = 2

    def answers(self, run: Sequence[NetworkNote]) -> Moment:
        where = np.mean([self.networks.see_pair(one.crop, other.crop) for one, other in pairwise(run)], axis=0)
        middle = run[len(run) // 2]
        return Moment(middle.time_s, float(where.mean()), where, middle.crop)
