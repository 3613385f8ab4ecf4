"""The shipped clips, cut short, so that tests need not look at hundreds of frames."""

from dataclasses import fields
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from likeness.actors.take import ComputerGraphicsNote, truth_path
from likeness.actors.truth import Truth
from likeness.footage import ShippedClip
from likeness.media.clip import open_clip
from likeness.media.writer import write_clip


def cut_short(clip: ShippedClip, folder: Path, count: int) -> Path:
    """The first ``count`` frames of ``clip`` in ``folder``, with their ground truth beside them."""
    path = folder / clip.path.name
    frames = islice(open_clip(clip.path).frames(), count)
    write_clip(path, frames, frame_rate=Fraction(25), sound=None, labelling=ComputerGraphicsNote())
    whole = Truth.load(clip.truth)
    stored = {field.name: getattr(whole, field.name) for field in fields(whole)}
    cut = {
        name: value[:count] if isinstance(value, np.ndarray) and len(value) == len(whole) else value
        for name, value in stored.items()
    }
    Truth(**cut).save(truth_path(path))
    return path
