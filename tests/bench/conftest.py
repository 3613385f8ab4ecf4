"""One short pair, cut from the shipped footage and laid out as the swap benchmark lays out what it films."""

from pathlib import Path

import pytest
from short_clips import cut_short

from likeness.actors.take import truth_path
from likeness.bench.takes import clips_of, pairs
from likeness.footage import footage

FRAMES = {"actor_a": 12, "actor_b": 12, "heldout": 4, "answer": 4}


@pytest.fixture(scope="session")
def short_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips/ as of the first pair; do not write into it."""
    folder, shipped = tmp_path_factory.mktemp("pair"), footage()
    places = clips_of(pairs(1)[0], folder / "clips").all
    (folder / "clips").mkdir()
    for (name, count), place in zip(FRAMES.items(), places, strict=True):
        cut = cut_short(getattr(shipped, name), folder, count)
        truth_path(cut).rename(truth_path(place))
        cut.rename(place)
    return folder
