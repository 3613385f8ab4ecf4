"""Two networks that read the features of a frame network over time: a recurrent one, and convolutions."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from likeness.detect.cues.frames import frame_network_on
from likeness.detect.network_cue import Moment, NetworkCue, NetworkNote
from likeness.detect.networks.inputs import SEQUENCE
from likeness.detect.sightings import Sighting


class _Sequences(NetworkCue):
    """Reads five consecutive frames at once; abstains where there are none, and where `Frames` does."""

    least_frames = SEQUENCE
    reading: ClassVar[str]

    def seen(self, sighting: Sighting) -> tuple[np.ndarray | None, np.ndarray | None]:
        return frame_network_on(sighting, self.networks)

    def answers(self, run: Sequence[NetworkNote]) -> Moment:
        maps = np.stack([note.maps for note in run if note.maps is not None])
        middle = run[len(run) // 2]
        return Moment(middle.time_s, self.networks.read(self.reading, maps), None, middle.crop)


class Recurrent(_Sequences):
    """A recurrent network over the frame network's features (compare Güera & Delp 2018): features of a face that is
    drawn anew in every frame wander otherwise than those of one that moves."""

    name = "recurrent"
    looks_at = "sequences of frames, one after the other"
    reading = "recurrent"


class Temporal(_Sequences):
    """Convolutions over time and place on the frame network's features (compare the 3-D networks of the Deepfake
    Detection Challenge): how each part of the face goes on from frame to frame."""

    name = "temporal"
    looks_at = "sequences of frames, place by place"
    reading = "temporal"
