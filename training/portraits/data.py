"""The faces behind the shipped portrait model: random synthetic people, each before the plain backdrop of a studio.

`training.people.film` films them. Faces that turn away further than ``yaw`` are left out, and the filmed background
gives way to an even one, so that all of a small network goes into people. Groups are told apart by number: of 25, the
25th is for choosing among the states of a training, the 13th for the figures on the card; the rest is learnt.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from likeness.actors.shot import Part
from likeness.errors import MissingDataError
from likeness.files import sha256_of
from likeness.progress import tracked

_CYCLE, _CHOOSE, _REPORT = 25, 24, 12
_SOFTEN = 1.0  # pixels of the 168 px crop by which the edge between person and backdrop is blurred
_BACKDROPS = np.array([(186, 190, 196), (160, 170, 182), (200, 192, 182), (140, 150, 148), (210, 212, 214)], np.float32)


@dataclass(frozen=True, eq=False)
class People:
    """``crops`` uint8 (n, size, size, 3), ``people`` int64 (n,) their seeds, ``sources`` SHA-256 of the files by
    name."""

    crops: np.ndarray
    people: np.ndarray
    sources: dict[str, str]


def learnt(folder: Path, size: int, yaw: float, known: set[str] | None = None) -> People:
    """The people that the model learns from; ``known``: only files with these SHA-256, which a finished model names."""
    return _people(folder, size, yaw, lambda number: number % _CYCLE not in (_CHOOSE, _REPORT), known)


def for_choosing(folder: Path, size: int, yaw: float) -> People:
    """Held out: for choosing the state of a training that is kept."""
    return _people(folder, size, yaw, lambda number: number % _CYCLE == _CHOOSE)


def for_figures(folder: Path, size: int, yaw: float) -> People:
    """Held out for the figures on the card; nothing is chosen by them."""
    return _people(folder, size, yaw, lambda number: number % _CYCLE == _REPORT)


def _people(
    folder: Path, size: int, yaw: float, wanted: Callable[[int], bool], known: set[str] | None = None
) -> People:
    paths = [path for path in sorted(folder.glob("group_*.npz")) if wanted(int(path.stem.removeprefix("group_")))]
    if not paths:
        raise MissingDataError(f"{folder} holds no filmed groups. Make them with: python -m training.people.film")
    crops, people, sources = [], [], {}
    for path in tracked(paths, "Reading people", len(paths), "groups"):
        digest = sha256_of(path)
        if known is not None and digest not in known:
            continue
        with np.load(path) as group:
            facing = np.abs(group["head"][:, 0]) <= yaw
            images, parts = group["images"][:, :, facing], group["parts"][:, :, facing]
            seeds = np.broadcast_to(group["people"][:, None, None], images.shape[:3])
        for image, part, seed in zip(
            *(array.reshape(-1, *array.shape[3:]) for array in (images, parts, seeds)), strict=True
        ):
            crops.append(
                cv2.resize(before_backdrop(image, part, path.name), (size, size), interpolation=cv2.INTER_AREA)
            )
            people.append(int(seed))
        sources[path.name] = digest
    return People(np.array(crops), np.array(people), sources)


def before_backdrop(image: np.ndarray, parts: np.ndarray, name: str) -> np.ndarray:
    """``image`` uint8 (s, s, 3) with its background, by ``parts`` (s, s), replaced by one of a few even colours,
    lighter at the top; which one follows from ``name`` and the picture."""
    digest = hashlib.sha256(name.encode() + image[::16, ::16].tobytes()).digest()
    colour = _BACKDROPS[digest[0] % len(_BACKDROPS)] * (0.9 + 0.2 * digest[1] / 255)
    light = np.linspace(1.06, 0.88, len(image), dtype=np.float32)[:, None, None]
    person = cv2.GaussianBlur((parts != Part.BACKGROUND).astype(np.float32), (0, 0), _SOFTEN)[..., None]
    return np.clip(np.rint(image * person + colour * light * (1 - person)), 0, 255).astype(np.uint8)
