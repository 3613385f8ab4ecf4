"""All cues, in the order in which reports list them."""

from typing import Any

from likeness.detect.cue import Cue
from likeness.detect.cues.blinking import Blinking
from likeness.detect.cues.expression import Expression
from likeness.detect.cues.eyes_and_teeth import EyesAndTeeth
from likeness.detect.cues.frames import Frames
from likeness.detect.cues.handmade import Handmade
from likeness.detect.cues.head_pose import HeadPose
from likeness.detect.cues.identity import Identity
from likeness.detect.cues.identity_drift import IdentityDrift
from likeness.detect.cues.light import Light
from likeness.detect.cues.lips import Lips
from likeness.detect.cues.motion import Motion
from likeness.detect.cues.noise import Noise
from likeness.detect.cues.pairs import Pairs
from likeness.detect.cues.pulse import Pulse
from likeness.detect.cues.seam import Seam
from likeness.detect.cues.sequences import Recurrent, Temporal
from likeness.detect.cues.spectrum import Spectrum

CUES: tuple[type[Cue[Any]], ...] = (
    Frames,
    Pairs,
    Recurrent,
    Temporal,
    Handmade,
    Seam,
    Noise,
    Spectrum,
    Light,
    EyesAndTeeth,
    Motion,
    HeadPose,
    Blinking,
    Expression,
    Pulse,
    Lips,
    IdentityDrift,
    Identity,
)
