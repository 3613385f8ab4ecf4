"""What the networks learn from: short sequences of aligned crops with their labels, drawn in couples of one source."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from likeness.detect.networks.inputs import CROP
from likeness.errors import MissingDataError


@dataclass(frozen=True, eq=False)
class Example:
    """``crops`` uint8 (t, CROP, CROP, 3) RGB of t consecutive frames; whether their face is ``synthetic``; ``source``
    is the original both of a couple come from, ``person`` who is seen; ``manipulation`` "" where genuine."""

    crops: np.ndarray
    synthetic: bool
    source: str
    person: str
    manipulation: str = ""


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples of both kinds. Raises MissingDataError where one kind is missing."""

    rows: Sequence[Example]

    def __post_init__(self) -> None:
        for synthetic, name in ((False, "genuine"), (True, "synthetic")):
            if not any(row.synthetic == synthetic for row in self.rows):
                raise MissingDataError(f"There are no {name} faces among the examples. Add clips that are {name}.")

    def couple(self, rng: np.random.Generator, same_source: float) -> tuple[Example, Example]:
        """A genuine and a synthetic example; with probability ``same_source`` both from one source, where there are
        such. Every person is as likely as every other."""
        sources = self._sources_of_couples
        if sources and rng.random() < same_source:
            of_person = sources[int(rng.integers(len(sources)))]
            genuine, fake = of_person[int(rng.integers(len(of_person)))]
            return self._one(genuine, rng), self._one(fake, rng)
        genuine, fake = (kind[int(rng.integers(len(kind)))] for kind in self._by_person)
        return self._one(genuine, rng), self._one(fake, rng)

    def _one(self, numbers: list[int], rng: np.random.Generator) -> Example:
        return self.rows[numbers[int(rng.integers(len(numbers)))]]

    @cached_property
    def _by_person(self) -> tuple[list[list[int]], list[list[int]]]:
        groups = defaultdict[tuple[bool, str], list[int]](list)
        for number, row in enumerate(self.rows):
            groups[row.synthetic, row.person].append(number)
        return (
            [numbers for (synthetic, _), numbers in groups.items() if not synthetic],
            [numbers for (synthetic, _), numbers in groups.items() if synthetic],
        )

    @cached_property
    def _sources_of_couples(self) -> list[list[tuple[list[int], list[int]]]]:
        """By person, the sources that have both kinds: numbers of the genuine and of the synthetic."""
        kinds = defaultdict[tuple[str, str], tuple[list[int], list[int]]](lambda: ([], []))
        people = {row.source: row.person for row in self.rows if not row.synthetic}
        for number, row in enumerate(self.rows):
            kinds[people.get(row.source, row.person), row.source][row.synthetic].append(number)
        by_person = defaultdict[str, list[tuple[list[int], list[int]]]](list)
        for (person, _), both in kinds.items():
            if all(both):
                by_person[person].append(both)
        return list(by_person.values())


@dataclass(frozen=True)
class AugmentSettings:
    """What is changed at random, alike in both of a couple and in all frames of a sequence: places in parts of the
    crop, ``turn`` in degrees, and probabilities."""

    scale: float = 0.06
    shift: float = 0.03
    turn: float = 4.0
    shrunk: float = 0.3
    smallest: float = 0.35
    jpeg: float = 0.25
    jpeg_quality: tuple[int, int] = (45, 95)
    blurred: float = 0.15
    recoloured: float = 0.5
    grey: float = 0.05
    cut_out: float = 0.15


def augmented(crops: np.ndarray, settings: AugmentSettings, seed: int) -> np.ndarray:
    """``crops`` uint8 (t, CROP, CROP, 3) changed as ``seed`` says: the same seed changes both of a couple alike."""
    rng = np.random.default_rng(seed)
    matrix = cv2.getRotationMatrix2D(
        (CROP / 2, CROP / 2), rng.uniform(-1, 1) * settings.turn, 1 + rng.uniform(-1, 1) * settings.scale
    )
    matrix[:, 2] = matrix[:, 2] + rng.uniform(-1, 1, 2) * settings.shift * CROP
    if rng.random() < 0.5:
        matrix = np.array([[-1.0, 0, CROP - 1], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
    shrunk = rng.uniform(settings.smallest, 1.0) if rng.random() < settings.shrunk else 1.0
    quality = int(rng.integers(*settings.jpeg_quality)) if rng.random() < settings.jpeg else None
    blur = rng.uniform(0.3, 1.2) if rng.random() < settings.blurred else 0.0
    gain, offset = np.ones(3, np.float32), 0.0
    if rng.random() < settings.recoloured:
        gain = (rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        offset = float(rng.uniform(-20, 20))
    grey, hole = rng.random() < settings.grey, _hole(rng) if rng.random() < settings.cut_out else None
    changed = []
    for crop in crops:
        image = cv2.warpAffine(crop, matrix, (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)
        if shrunk < 1:
            side = round(CROP * shrunk)
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        if quality is not None:
            stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            image = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
        if shrunk < 1:
            image = cv2.resize(image, (CROP, CROP), interpolation=cv2.INTER_LINEAR)
        if blur:
            image = cv2.GaussianBlur(image, (0, 0), blur)
        if grey:
            image = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1)
        image = np.clip(image * gain + offset, 0, 255).astype(np.uint8)
        if hole is not None:
            image[hole] = 127
        changed.append(image)
    return np.stack(changed)


def _hole(rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a rectangle that hides part of the face (cf. the face cut-out of the DFDC's winner)."""
    height, width = rng.uniform(0.1, 0.3, 2) * CROP
    y, x = rng.uniform(0.2, 0.6, 2) * CROP
    return slice(int(y), int(y + height)), slice(int(x), int(x + width))
