"""The clips on which examiners are calibrated, and others on which they are tested: nobody here was learnt from.

Each is held in memory, as it was recorded and as it is manipulated: by every kind of `manipulate.py`, by our own MAKE
(`own_swaps.py`), and as stills of portraits, beside portraits of nobody by our own generator. All are then compressed
alike, at three strengths. Half of the people calibrate, the other half evaluate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from likeness.bench.detectability import ShownClip
from likeness.faces.face import Track
from likeness.faces.tracker import track_faces
from likeness.make.follow import follow_faces
from likeness.make.model import WEIGHTS, SwapModel
from likeness.make.portraits.model import PortraitModel
from likeness.make.portraits.sheet import enlarged
from likeness.make.swapper import Swapper, SwapSettings, fitted
from likeness.media.clip import Clip, Frame, open_clip
from training.detectors.burst import Burst
from training.detectors.degrade import recorded, through_h264
from training.detectors.manipulate import GENERATED, KINDS, Decoders, Donor, manipulated
from training.detectors.own_swaps import ARCHS, model_folder, pairs_of
from training.detectors.recordings import GenuineClip, Part, genuine_clips
from training.detectors.redrawers import load_redrawers
from training.detectors.sources import moved_about
from training.face_landmarks.data import LabelledFaces, load_portraits

CRFS = (18, 28, 36)
QUALITIES = (95, 75, 50)
COMPRESSIONS = ("light", "middle", "strong")
"""How strongly everything is compressed: by CRFS (H.264) for clips, by QUALITIES (JPEG) for pictures."""
PARTS: tuple[Part, ...] = ("calibrate", "evaluate")
_LONGEST = 150  # frames of a clip
_MOVED = 60  # portraits that are moved about


@dataclass(frozen=True)
class Subject:
    """One thing to measure: ``make`` gives its frames and whether it is a picture. ``source`` is the recording that it
    was made from, ``manipulation`` "" where it is genuine."""

    part: Part
    footage: str
    person: str
    source: str
    manipulation: str
    compression: str
    make: Callable[[], Clip]

    @property
    def name(self) -> str:
        """Unlike that of every other subject."""
        return "|".join((self.part, self.footage, self.source, self.manipulation, self.compression))


@dataclass(frozen=True)
class Places:
    """Where everything lies: the data folder, filmed pairs for swaps, models of swaps, redrawers."""

    data: Path
    actors: Path
    swaps: Path
    redrawers: Path


def subjects(places: Places, part: Part) -> Iterator[Subject]:
    """Everything to measure of ``part``."""
    yield from _clips(places, part)
    yield from _own_swaps(places, part)
    yield from _moving_portraits(places, part)
    yield from _portraits(places, part)
    yield from _stills_of_clips(places, part)


def _clips(places: Places, part: Part) -> Iterator[Subject]:
    for number, clip in enumerate(_recorded(places, part)):
        source = f"{clip.path.parent.name}/{clip.path.stem}"
        kinds = KINDS[number % len(KINDS)], KINDS[(number + 2) % len(KINDS)]
        makers = {"": partial(_held, clip.path)} | {
            kind: partial(_manipulated_clip, places, part, clip.path, kind, number) for kind in kinds
        }
        for turn, (kind, make) in enumerate(makers.items()):
            chosen = (COMPRESSIONS[(number + turn) % len(COMPRESSIONS)],) if kind else COMPRESSIONS
            for compression in chosen:
                yield Subject(
                    part,
                    clip.population,
                    clip.person,
                    source,
                    kind,
                    compression,
                    partial(_compressed, make, compression),
                )


def _recorded(places: Places, part: Part) -> list[GenuineClip]:
    """The genuine clips of ``part``. Of the people who sign, those whom no network learns from are divided."""
    clips = genuine_clips(places.data)
    chosen = [clip for clip in clips if clip.part == part and clip.population != "signing"]
    held = sorted({clip.person for clip in clips if clip.population == "signing" and clip.part == "evaluate"})
    chosen += [clip for clip in clips if clip.person == held[PARTS.index(part)]]
    for path in sorted(places.actors.glob("*/[ab].mp4")):
        if PARTS[int(path.parent.name) % 2] == part:
            chosen.append(GenuineClip(path, f"actor {path.parent.name}{path.stem}", "actors", part))
    return chosen


def _own_swaps(places: Places, part: Part) -> Iterator[Subject]:
    trained = [
        (pair, arch, model_folder(places.swaps, pair, arch))
        for pair in pairs_of(places.data, places.actors)
        for arch in ARCHS
        if pair.part == part
    ]
    for pair, arch, folder in trained:
        if not (folder / WEIGHTS).is_file():
            continue
        for way, (clip, person) in enumerate(zip((pair.a, pair.b), pair.people, strict=True)):
            source, make = f"{clip.parent.name}/{clip.stem}", partial(_swapped, clip, folder, way)
            for compression in COMPRESSIONS:
                yield Subject(
                    part, pair.footage, person, source, f"swap by {arch}", compression,
                    partial(_compressed, make, compression),
                )  # fmt: skip


def _stills_of_clips(places: Places, part: Part) -> Iterator[Subject]:
    """Single frames of the clips and of portraits moved about, as pictures: not all pictures are official portraits."""
    films: list[tuple[str, str, str, Callable[[], ShownClip], Callable[[], ShownClip], int]] = [
        (clip.population, clip.person, f"{clip.path.parent.name}/{clip.path.stem}", partial(_held, clip.path),
         partial(_manipulated_clip, places, part, clip.path, KINDS[number % len(KINDS)], number), number)
        for number, clip in enumerate(_recorded(places, part))
    ]  # fmt: skip
    films += [
        ("moving portraits", name, name, partial(_moving, places, part, row, ""),
         partial(_moving, places, part, row, KINDS[row % len(KINDS)]), row)
        for row, name in enumerate(_stills(places.data, part).names[:_MOVED:2])
    ]  # fmt: skip
    for footage, person, source, genuine, made, number in films:
        compression = COMPRESSIONS[number % len(COMPRESSIONS)]
        for kind, make in (("", genuine), (KINDS[number % len(KINDS)], made)):
            yield Subject(
                part, f"frames of {footage}", person, source, kind, compression,
                partial(_still, partial(_middle_frame, make), compression),
            )  # fmt: skip


def _middle_frame(make: Callable[[], ShownClip]) -> np.ndarray:
    shown_frames = make().shown
    return shown_frames[len(shown_frames) // 2].image


def _moving_portraits(places: Places, part: Part) -> Iterator[Subject]:
    """Portraits moved about for half a second: more people in motion than there is footage of."""
    for row, name in enumerate(_stills(places.data, part).names[:_MOVED]):
        compression, kind = COMPRESSIONS[row % 3], KINDS[(row + 1) % len(KINDS)]
        for manipulation in ("", kind):
            make = partial(_moving, places, part, row, manipulation)
            yield Subject(
                part, "moving portraits", name, name, manipulation, compression, partial(_compressed, make, compression)
            )


def _moving(places: Places, part: Part, row: int, kind: str) -> ShownClip:
    rng = np.random.default_rng([row, 79])
    stills = _stills(places.data, part)
    still = Burst(stills.images[row][None], stills.landmarks[row][None], stills.names[row], "portraits")
    burst = recorded(moved_about(still, rng), rng)
    if kind:
        burst = manipulated(kind, burst, _donor(places.data, part, rng), _decoders(places.redrawers), rng)
    return shown(burst)


def _portraits(places: Places, part: Part) -> Iterator[Subject]:
    stills = _stills(places.data, part)
    for row, name in enumerate(stills.names):
        compression, kind = COMPRESSIONS[row % 3], KINDS[row % len(KINDS)]
        makers = {
            "": partial(_portrait, places.data, part, row),
            kind: partial(_manipulated_still, places, part, row, kind),
        }
        for manipulation, make in makers.items():
            yield Subject(
                part, "portraits", name, name, manipulation, compression, partial(_still, make, compression)
            )  # fmt: skip
    for seed in range(len(stills.names) // 4):
        number, compression = seed + 10_000 * PARTS.index(part), COMPRESSIONS[seed % 3]
        name, make = f"nobody {number}", partial(_of_nobody, number)
        yield Subject(
            part, "portraits", name, name, GENERATED, compression, partial(_still, make, compression)
        )  # fmt: skip


def _portrait(data: Path, part: Part, row: int) -> np.ndarray:
    return _stills(data, part).images[row]


def _of_nobody(seed: int) -> np.ndarray:
    return enlarged(_generator().portraits([seed])[0], 256)


def shown(burst: Burst) -> ShownClip:
    """``burst`` as a clip of 25 frames a second, in memory."""
    height, width = burst.frames.shape[1:3]
    return ShownClip(
        path=Path("burst.mp4"), kind="video", container="mp4", width=width, height=height, frame_rate=Fraction(25),
        frame_count=len(burst), duration_s=len(burst) / 25, sample_rate=None, channels=None, rotation=0,
        shown=tuple(Frame(image, row / 25, row) for row, image in enumerate(burst.frames)),
    )  # fmt: skip


@cache
def _stills(data: Path, part: Part) -> LabelledFaces:
    return load_portraits(data, "validation" if part == "calibrate" else "test")


@cache
def _generator() -> PortraitModel:
    return PortraitModel.load()


@cache
def _decoders(redrawers: Path) -> Decoders:
    return Decoders.of(load_redrawers(redrawers))


def _held(path: Path) -> ShownClip:
    clip = open_clip(path)
    frames = [frame for frame, _ in zip(clip.frames(), range(_LONGEST), strict=False)]
    return ShownClip.of(clip, frames)


@cache
def _main_track(path: Path) -> Track | None:
    return max(track_faces(_held(path)), key=lambda track: len(track.faces), default=None)


def _manipulated_clip(places: Places, part: Part, path: Path, kind: str, number: int) -> ShownClip:
    """The clip with its face manipulated wherever it was followed."""
    clip, track = _held(path), _main_track(path)
    if track is None:
        return clip
    landmarks = {face.frame: face.landmarks for face in track.faces}
    rows = [row for row, frame in enumerate(clip.shown) if frame.index in landmarks]
    burst = Burst(
        np.stack([clip.shown[row].image for row in rows]),
        np.stack([landmarks[clip.shown[row].index] for row in rows]),
        str(path),
        "clip",
    )
    rng = np.random.default_rng([number, KINDS.index(kind), 77])
    fake = manipulated(kind, burst, _donor(places.data, part, rng), _decoders(places.redrawers), rng)
    frames = list(clip.shown)
    for row, image in zip(rows, fake.frames, strict=True):
        frames[row] = Frame(image, frames[row].time_s, frames[row].index)
    return ShownClip.of(clip, frames)


def _donor(data: Path, part: Part, rng: np.random.Generator) -> Donor:
    stills = _stills(data, part)
    row = int(rng.integers(len(stills.images)))
    return Donor(Burst(stills.images[row][None], stills.landmarks[row][None], stills.names[row], "portraits"), False)


def _swapped(path: Path, folder: Path, way: int) -> ShownClip:
    """The clip with the other person's face by the model in ``folder``, in memory."""
    clip, settings = _held(path), SwapSettings(direction=("a2b", "b2a")[way])
    model = SwapModel.load(folder)
    paths = fitted(follow_faces(clip, "largest", settings.smooth), model, settings.direction)
    return ShownClip.of(clip, list(Swapper(model, paths, settings).frames(clip.shown)))


def _manipulated_still(places: Places, part: Part, row: int, kind: str) -> np.ndarray:
    stills = _stills(places.data, part)
    burst = Burst(stills.images[row][None], stills.landmarks[row][None], stills.names[row], "portraits")
    rng = np.random.default_rng([row, 78])
    donor = _donor(places.data, part, rng)
    return manipulated(kind, burst, donor, _decoders(places.redrawers), rng).frames[0]


def _still(make: Callable[[], np.ndarray], compression: str) -> Clip:
    """A picture in memory, after JPEG."""
    quality, image = QUALITIES[COMPRESSIONS.index(compression)], make()
    stored = cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    shown = np.ascontiguousarray(np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))[:, :, ::-1])
    height, width = shown.shape[:2]
    return ShownClip(
        path=Path("still.jpg"), kind="picture", container="jpg", width=width, height=height, frame_rate=None,
        frame_count=1, duration_s=0.0, sample_rate=None, channels=None, rotation=0, shown=(Frame(shown, 0.0, 0),),
    )  # fmt: skip


def _compressed(make: Callable[[], ShownClip], compression: str) -> Clip:
    """A clip in memory, after H.264, its sides made even."""
    clip = make()
    images = np.stack([frame.image for frame in clip.shown])
    height, width = (side // 2 * 2 for side in images.shape[1:3])
    coded = through_h264(images[:, :height, :width], CRFS[COMPRESSIONS.index(compression)])
    frames = [Frame(image, frame.time_s, frame.index) for image, frame in zip(coded, clip.shown, strict=True)]
    return ShownClip.of(clip, frames)
