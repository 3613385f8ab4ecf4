"""Read what `film.py` filmed: every group's crops in memory, split by group."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from likeness.errors import MissingDataError
from likeness.progress import tracked

Split = Literal["train", "validation"]
_EVERY = 25  # one group in so many is for validation


@dataclass(frozen=True, eq=False)
class People:
    """``images`` uint8 (groups, people, scenes, poses, 168, 168, 3), ``landmarks`` float32 (groups, people, scenes,
    poses, 68, 2) in pixels of the crops, ``head`` float32 (groups, poses, 3) in degrees; all poses of a group are
    given by all its people."""

    images: np.ndarray
    landmarks: np.ndarray
    head: np.ndarray


def split_of(path: Path) -> Split:
    """A group's split, by its number."""
    return "validation" if int(path.stem.removeprefix("group_")) % _EVERY == _EVERY - 1 else "train"


def group_paths(folder: Path, split: Split) -> list[Path]:
    """The files of one split, by number. Raises MissingDataError where there are none."""
    paths = [path for path in sorted(folder.glob("group_*.npz")) if split_of(path) == split]
    if not paths:
        raise MissingDataError(f"{folder} holds no groups for {split}. Run `python -m training.people.film` first.")
    return paths


def load_people(folder: Path, split: Split) -> People:
    """All groups of one split."""
    paths = group_paths(folder, split)
    stored = [np.load(path) for path in tracked(paths, f"Reading {split}", total=len(paths), unit="groups")]
    columns = ([file[name] for file in stored] for name in ("images", "landmarks", "head"))
    return People(*(np.stack(column) for column in columns))
