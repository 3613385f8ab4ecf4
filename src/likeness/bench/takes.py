"""What the swap benchmark films: pairs of actors, a training clip of each, a held-out performance of A, and the true
answer: B giving that performance in A's scene."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from likeness.actors.performance import Performance, Style, perform
from likeness.actors.person import CAST, Person
from likeness.actors.scene import Scene
from likeness.actors.speech import monologue
from likeness.actors.take import Take, film_to, truth_path
from likeness.errors import SettingsError
from likeness.progress import progress

ACTORS = 12  # of the cast; each is A in one pair and B in another

_SEED = 40_000  # of what is performed and where; away from the seeds of `likeness cast` and the recipes
_CANDIDATES = 200  # held-out performances that are drawn to choose from
_PAUSE_AFTER_SPEECH_S = 0.8


@dataclass(frozen=True)
class Pair:
    """B's face goes into A's footage; both are numbers in the cast."""

    a: int
    b: int

    @property
    def name(self) -> str:
        return f"{CAST[self.a].name}-{CAST[self.b].name}".lower()


def pairs(count: int) -> list[Pair]:
    """The first ``count`` of the 12 pairs: neighbours in the cast, first six who share nobody, then the six between.

    Raises SettingsError.
    """
    if not 1 <= count <= ACTORS:
        raise SettingsError(f"There are 1 to {ACTORS} pairs to swap, not {count}. Choose a number among those.")
    firsts = [*range(0, ACTORS, 2), *range(1, ACTORS, 2)]
    return [Pair(first, (first + 1) % ACTORS) for first in firsts[:count]]


@dataclass(frozen=True)
class TakeSettings:
    """``seconds`` of footage to learn each actor from and ``heldout_s`` to put the face into; clips are ``size`` px.

    ``speech`` has the actors speak, for which espeak-ng is needed.
    """

    seconds: float = 8.0
    heldout_s: float = 3.0
    size: int = 256
    speech: bool = False
    frame_rate: int = 25
    supersampling: int = 2

    def __post_init__(self) -> None:
        if not self.seconds > 0 or not self.heldout_s > 0:
            raise SettingsError("A benchmark clip needs more than 0 seconds. Give --seconds 8 for instance.")
        if not 64 <= self.size <= 1024 or self.size % 2:
            raise SettingsError(f"Clips of {self.size} px cannot be filmed. Choose an even size from 64 to 1024.")


@dataclass(frozen=True)
class PairClips:
    """One pair's clips, each with its ground truth beside it (`truth_path`). ``training_*`` may serve other pairs."""

    training_a: Path
    training_b: Path
    heldout: Path
    answer: Path

    @property
    def all(self) -> tuple[Path, ...]:
        return self.training_a, self.training_b, self.heldout, self.answer


def clips_of(pair: Pair, folder: Path) -> PairClips:
    """Where the clips of ``pair`` lie, filmed or not."""
    a, b = (CAST[number].name.lower() for number in (pair.a, pair.b))
    return PairClips(
        folder / f"{a}.mp4",
        folder / f"{b}.mp4",
        folder / f"{pair.name}-heldout.mp4",
        folder / f"{pair.name}-answer.mp4",
    )


def film(chosen: list[Pair], folder: Path, settings: TakeSettings) -> None:
    """Film what is not there yet of the pairs' clips. Raises MissingDataError without the face model."""
    incomplete = [pair for pair in chosen if not all(map(_is_filmed, clips_of(pair, folder).all))]
    planned = {path: take for pair in incomplete for path, take in _takes(pair, folder, settings)}
    missing = {path: take for path, take in planned.items() if not _is_filmed(path)}
    if not missing:
        return
    frames = sum(len(take.performance) for take in missing.values())
    with progress("Filming the pairs", total=frames, unit="frames") as job:
        for path, take in missing.items():
            film_to(path, take, on_frame=job.advance)


def _takes(pair: Pair, folder: Path, settings: TakeSettings) -> Iterator[tuple[Path, Take]]:
    clips = clips_of(pair, folder)
    training = {number: training_performance(number, settings) for number in (pair.a, pair.b)}
    for number, path in ((pair.a, clips.training_a), (pair.b, clips.training_b)):
        yield path, _take(CAST[number], number, training[number], settings)
    heldout = _take(CAST[pair.a], pair.a, heldout_performance(pair.a, list(training.values()), settings), settings)
    yield clips.heldout, heldout
    yield clips.answer, heldout.given_by(CAST[pair.b])


def _take(person: Person, scene: int, performance: Performance, settings: TakeSettings) -> Take:
    """``scene``: the number of the actor whose scene it is."""
    return Take(person, Scene.from_seed(_SEED + scene), performance, settings.size, settings.supersampling)


def training_performance(number: int, settings: TakeSettings) -> Performance:
    """What actor ``number`` does in the training clip."""
    return _performance(number, settings.seconds, _SEED + number, settings)


def heldout_performance(number: int, training: list[Performance], settings: TakeSettings) -> Performance:
    """Another performance of actor ``number``, in the same manner and as far as can be within what ``training`` shows.

    Of 200 drawn, the one whose head poses and strengths of expression are best covered by every one of ``training``:
    the benchmark asks how well a face is exchanged, not how far a network reaches beyond its footage.
    """
    seeds = _SEED + 1000 * (number + 1) + np.arange(_CANDIDATES)
    silent = [_performance(number, settings.heldout_s, int(seed), settings, speech=False) for seed in seeds]
    covered = [min(_coverage(candidate, clip) for clip in training) for candidate in silent]
    return _performance(number, settings.heldout_s, int(seeds[int(np.argmax(covered))]), settings)


def _coverage(candidate: Performance, training: Performance) -> float:
    """Share of frames with the head inside the range of ``training``, times the share of expressions that do not go
    beyond its strongest."""
    low, high = training.head.min(axis=0), training.head.max(axis=0)
    head = ((candidate.head >= low) & (candidate.head <= high)).all(axis=1).mean()
    strongest = np.maximum(training.expression.max(axis=0), 0.1)
    return float(head * (candidate.expression <= strongest).mean())


def _performance(
    number: int, seconds: float, seed: int, settings: TakeSettings, speech: bool | None = None
) -> Performance:
    style = Style.from_seed(_SEED + number, feminine=CAST[number].identity[0] > 0)
    speaks = settings.speech if speech is None else speech
    text = monologue(seconds - _PAUSE_AFTER_SPEECH_S, seed, style.voice) if speaks else None
    return perform(text, seconds, seed, style, Fraction(settings.frame_rate))


def _is_filmed(path: Path) -> bool:
    return path.is_file() and truth_path(path).is_file()
