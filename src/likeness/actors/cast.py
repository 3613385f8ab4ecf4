"""Film a cast: many synthetic people, a clip each, with ground truth; one process a clip, resumable."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

import cv2

from likeness.actors.face_model import find_face_model
from likeness.actors.performance import Style, perform
from likeness.actors.person import CAST, Person
from likeness.actors.scene import Scene
from likeness.actors.speech import monologue, speak
from likeness.actors.take import Take, film_to, truth_path
from likeness.errors import SettingsError
from likeness.progress import Job, progress

_POLL_S = 0.25  # between two looks at what the processes have filmed
_PAUSE_AFTER_SPEECH_S = 0.8


@dataclass(frozen=True)
class CastSettings:
    """What to film. ``actors`` people from the cast list, then random ones; ``seconds`` each; ``size`` px, square.

    ``seed`` changes what is done and where, and who the random people are. ``paired`` films each performance also by
    the next actor, in the same scene. ``workers``: processes, by default one a core.
    """

    actors: int = 12
    seconds: float = 10.0
    size: int = 256
    seed: int = 0
    frame_rate: int = 25
    supersampling: int = 2
    silent: bool = False
    paired: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.actors < 1 or self.seconds <= 0 or self.frame_rate < 1:
            raise SettingsError("A cast needs at least one actor and a positive duration and frame rate.")
        if not 64 <= self.size <= 1024 or self.size % 2:
            raise SettingsError(f"Clips of {self.size} px cannot be filmed. Choose an even size from 64 to 1024.")
        if self.paired and self.actors < 2:
            raise SettingsError("Paired takes need at least two actors. Raise --actors or leave out --paired.")


@dataclass(frozen=True)
class CastClip:
    """One clip: ``person`` gives the performance written for ``performer``, in the performer's scene."""

    path: Path
    person: int
    performer: int

    @property
    def is_finished(self) -> bool:
        return self.path.is_file() and truth_path(self.path).is_file()


def cast(
    out: Path, settings: CastSettings | None = None, on_clip: Callable[[CastClip], None] | None = None
) -> list[CastClip]:
    """Film the cast into ``out``: NAME.mp4 and NAME.npz each, NAME-as-OTHER.* for the paired takes.

    Finished clips are skipped; an interrupt leaves no half clip. ``on_clip`` is called in this process once for each
    clip, finished now or earlier. Raises MissingDataError without the face model, or without espeak-ng unless
    ``silent``.
    """
    settings = settings or CastSettings()
    find_face_model()
    if not settings.silent:
        speak("Ready.")
    planned = clips_of(Path(out), settings)
    missing = [clip for clip in planned if not clip.is_finished]
    for clip in planned:
        if on_clip and clip not in missing:
            on_clip(clip)
    frames = len(missing) * round(settings.seconds * settings.frame_rate)
    with progress("Filming", total=frames, unit="frames") as job:
        for clip in _film_all(missing, settings, job):
            if on_clip:
                on_clip(clip)
    return planned


def clips_of(out: Path, settings: CastSettings) -> list[CastClip]:
    """The clips that `cast` films, in order."""
    clips = []
    for number in range(settings.actors):
        name = person_of(number, settings).name.lower()
        clips.append(CastClip(out / f"{name}.mp4", number, number))
        if settings.paired:
            partner = (number + 1) % settings.actors
            other = person_of(partner, settings).name.lower()
            clips.append(CastClip(out / f"{other}-as-{name}.mp4", partner, number))
    return clips


def person_of(number: int, settings: CastSettings) -> Person:
    """The cast's member ``number``: by name while the list lasts, then random by seed."""
    return CAST[number] if number < len(CAST) else Person.from_seed(1000 * settings.seed + number)


def take_of(clip: CastClip, settings: CastSettings) -> Take:
    """Everything about one clip, drawn from the settings' seed and the performer's number alone."""
    seed = 1000 * settings.seed + clip.performer
    style = Style.from_seed(seed, feminine=person_of(clip.performer, settings).identity[0] > 0)
    text = None if settings.silent else monologue(settings.seconds - _PAUSE_AFTER_SPEECH_S, seed, style.voice)
    performance = perform(text, settings.seconds, seed, style, Fraction(settings.frame_rate))
    return Take(
        person_of(clip.person, settings), Scene.from_seed(seed), performance, settings.size, settings.supersampling
    )


def _film_all(clips: list[CastClip], settings: CastSettings, job: Job) -> Iterator[CastClip]:
    """Film ``clips`` in parallel and yield each when it is finished."""
    if not clips:
        return
    spawning = multiprocessing.get_context("spawn")
    filmed, stop = spawning.SimpleQueue(), spawning.Event()
    workers = min(settings.workers or os.cpu_count() or 1, len(clips))
    with ProcessPoolExecutor(workers, spawning, initializer=_start_worker, initargs=(filmed, stop)) as pool:
        waiting: dict[Future[None], CastClip] = {pool.submit(_film_one, clip, settings): clip for clip in clips}
        try:
            while waiting:
                finished, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                while not filmed.empty():
                    job.advance(filmed.get())
                for future in finished:
                    future.result()
                    yield waiting.pop(future)
        finally:
            stop.set()  # after an error or Ctrl-C the others stop within one frame
            pool.shutdown(wait=True, cancel_futures=True)


class _StoppedError(Exception):
    """The parent asked this process to stop filming."""


@dataclass(frozen=True)
class _Worker:
    filmed: "SimpleQueue[int]"
    stop: Event


_worker: list[_Worker] = []  # one element in a worker process: its lines to the parent


def _start_worker(filmed: "SimpleQueue[int]", stop: Event) -> None:
    """Set up a worker process; Ctrl-C reaches the parent, which then stops the workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # one process a clip fills the cores better than threads within a frame
    _worker.append(_Worker(filmed, stop))


def _film_one(clip: CastClip, settings: CastSettings) -> None:
    worker = _worker[0]

    def on_frame() -> None:
        worker.filmed.put(1)
        if worker.stop.is_set():
            raise _StoppedError

    film_to(clip.path, take_of(clip, settings), on_frame=on_frame)
