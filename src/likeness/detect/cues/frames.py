"""A network that looks at single frames."""

from collections.abc import Sequence

import numpy as np

from likeness.detect.network_cue import Moment, NetworkCue, NetworkNote
from likeness.detect.networks.inputs import COVERAGE, CROP
from likeness.detect.networks.shipped import ShippedNetworks
from likeness.detect.sightings import Sighting


class Frames(NetworkCue):
    """MobileNetV2 on aligned faces and their high-pass, trained on self-blended faces (Shiohara & Yamasaki 2022),
    pastes, and swaps by autoencoders and by appearance flow: what blending, decoders and lost noise leave in a frame.

    Abstains on faces narrower than 64 px or turned beyond 50°.
    """

    name = "frames"
    looks_at = "single frames"
    works_on_pictures = True

    def seen(self, sighting: Sighting) -> tuple[np.ndarray | None, np.ndarray | None]:
        return frame_network_on(sighting, self.networks)

    def answers(self, run: Sequence[NetworkNote]) -> Moment:
        where = np.mean([note.where for note in run if note.where is not None], axis=0)
        middle = run[len(run) // 2]
        return Moment(middle.time_s, float(where.mean()), where, middle.crop)


def frame_network_on(sighting: Sighting, networks: ShippedNetworks) -> tuple[np.ndarray, np.ndarray]:
    """The parts of the frame network's logit, float32 (h, w), and its features float16 (c, h, w); reckoned once."""

    def see() -> tuple[np.ndarray, np.ndarray]:
        where, maps = networks.see_frame(sighting.crop(CROP, COVERAGE))
        return where, maps.astype(np.float16)

    return sighting.once("frame network", see)
