"""All cues, in the order in which reports list them."""

from typing import Any

from likeness.detect.cue import Cue
from likeness.detect.cues.seam import Seam

CUES: tuple[type[Cue[Any]], ...] = (Seam,)
