"""What is known of a file once it has been opened and its first frame decoded."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Kind = Literal["video", "picture", "sound"]


@dataclass(frozen=True)
class Probe:
    """Sizes in pixels of the upright picture, times in seconds, ``rotation`` in degrees clockwise that were applied.

    ``origin`` is the file's own time stamp, in seconds, of what is called time 0.
    """

    kind: Kind
    width: int = 0
    height: int = 0
    frame_rate: Fraction | None = None
    frame_count: int | None = None
    duration_s: float = 0.0
    sample_rate: int | None = None
    channels: int | None = None
    rotation: int = 0
    origin: Fraction = Fraction(0)
