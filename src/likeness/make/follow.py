"""The first pass of a swap: follow the faces through the clip and steady their alignment.

Only landmarks are kept, half a kilobyte for each face in a frame, and a few crops of each face, so that the clip's
length hardly matters for memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from likeness.errors import NoFaceError
from likeness.faces.align import alignment, apply, invert, warp
from likeness.faces.face import Face
from likeness.faces.tracker import Tracker
from likeness.make.fit import CROP, Sample
from likeness.make.smooth import SmoothSettings, similarity_matrices, similarity_parameters, steady
from likeness.media.clip import Clip, Frame
from likeness.progress import tracked

Choice = Literal["largest", "all"]
Span = tuple[float, float]
"""Seconds from, and up to, of a part of the clip."""

_SAMPLES, _SAMPLE_EVERY = 8, 10  # of a face, and how many of its frames apart


@dataclass(frozen=True, eq=False)
class Placed:
    """Where a face lies in one frame.

    ``matrix`` float64 (2, 3) takes pixels of the frame to those of the aligned CROP² crop; ``landmarks`` float64
    (68, 2) lie in that crop. ``fit`` (2, 3) is how the made face is moved within the crop (`fit_on_head`). ``motion``
    (2,) is by how many pixels of the frame it moves from one frame to the next.
    """

    matrix: np.ndarray
    landmarks: np.ndarray
    fit: np.ndarray
    motion: np.ndarray = field(default_factory=lambda: np.zeros(2))


@dataclass(frozen=True, eq=False)
class FacePath:
    """One face from frame to frame.

    ``frames`` int64 (n,) rising; ``matrices`` (n, 2, 3), ``landmarks`` (n, 68, 2) and ``fit`` (2, 3) as in `Placed`.
    ``samples`` are a few of its faces, and ``track`` is the number that the tracker gave it.
    """

    frames: np.ndarray
    matrices: np.ndarray
    landmarks: np.ndarray
    samples: tuple[Sample, ...]
    fit: np.ndarray = field(default_factory=lambda: np.eye(2, 3))
    track: int = 0

    def at(self, frame: int) -> Placed | None:
        """Where the face lies in ``frame``, or None where it is not seen."""
        place = int(np.searchsorted(self.frames, frame))
        if place == len(self.frames) or self.frames[place] != frame:
            return None
        return Placed(self.matrices[place], self.landmarks[place], self.fit, self._motion(place))

    def _motion(self, place: int) -> np.ndarray:
        """The mean step of the face's middle between the frame before and the one after."""
        first, last = max(place - 1, 0), min(place + 1, len(self.frames) - 1)
        middle = np.array([CROP / 2, CROP / 2])
        before, after = (apply(invert(self.matrices[k]), middle) for k in (first, last))
        step: np.ndarray = (after - before) / max(last - first, 1)
        return step


@dataclass
class Sightings:
    """What the tracker saw of one ``track``."""

    frames: list[int] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    area: float = 0.0  # square pixels, summed over frames: large faces and long tracks count
    track: int = 0

    def add(self, frame: Frame, face: Face) -> None:
        """Take note of ``face`` in ``frame``."""
        if len(self.frames) % _SAMPLE_EVERY == 0 and len(self.samples) < _SAMPLES:
            matrix = alignment(face.landmarks, CROP)
            self.samples.append(Sample(warp(frame.image, matrix, CROP), apply(matrix, face.landmarks)))
        self.frames.append(frame.index)
        self.landmarks.append(face.landmarks.astype(np.float32))
        x0, y0, x1, y1 = face.box
        self.area += (x1 - x0) * (y1 - y0)


@dataclass(frozen=True, eq=False)
class Followed:
    """Everyone in a clip: ``sightings`` by the tracker's numbers, and ``times`` float64 (n,), that of each frame in
    seconds, NaN where it was not looked at."""

    sightings: Mapping[int, Sightings]
    times: np.ndarray

    def paths(self, chosen: Sequence[Sightings], settings: SmoothSettings) -> list[FacePath]:
        """The steadied paths of the ``chosen``."""
        return [path for seen in chosen for path in steadied(seen, self.times, settings)]


def follow_faces(clip: Clip, choice: Choice, settings: SmoothSettings) -> list[FacePath]:
    """Track and steady the faces of ``clip`` that are to be swapped. Raises NoFaceError where there is none.

    ``largest`` takes the main face (`apart`), ``all`` takes every track; `choose` has finer choices.
    """
    followed = follow_everyone(clip)
    everyone = followed.sightings.values()
    return followed.paths(apart(everyone) if choice == "largest" else list(everyone), settings)


def follow_everyone(clip: Clip, spans: Sequence[Span] = ()) -> Followed:
    """Track the faces of ``clip``, or of its ``spans`` alone. Raises NoFaceError where there is none."""
    sightings: dict[int, Sightings] = {}
    times: list[float] = []
    tracker = Tracker()
    for frame in tracked(_looked_at(clip, spans), "Following the face", total=None if spans else clip.frame_count):
        times.extend([np.nan] * (frame.index - len(times)))
        times.append(frame.time_s)
        for identity, face in tracker.update(frame):
            sightings.setdefault(identity, Sightings(track=identity)).add(frame, face)
    if not sightings:
        where = "those seconds of " if spans else ""
        raise NoFaceError(f"No face was found in {where}{clip.path}. Choose footage in which a face is seen.")
    return Followed(sightings, np.array(times))


def _looked_at(clip: Clip, spans: Sequence[Span]) -> Iterator[Frame]:
    for start_s, end_s in sorted(spans) if spans else ((0.0, None),):
        yield from clip.frames(start_s, end_s)


def apart(sightings: Iterable[Sightings]) -> list[Sightings]:
    """The main face: the track that covers the most over time and then, largest first, those that share no frame with
    what was taken, so that one person is followed across cuts and losses."""
    return disjoint(sorted(sightings, key=lambda seen: -seen.area))


def disjoint(sightings: Iterable[Sightings]) -> list[Sightings]:
    """Those of ``sightings``, in their order, that share no frame with one before."""
    taken: set[int] = set()
    kept = []
    for seen in sightings:
        if taken.isdisjoint(seen.frames):
            taken.update(seen.frames)
            kept.append(seen)
    return kept


def steadied(seen: Sightings, times: np.ndarray, settings: SmoothSettings) -> Iterator[FacePath]:
    """One path for each stretch without a long loss; short losses are filled in on a straight line."""
    frames, landmarks = np.array(seen.frames), np.stack(seen.landmarks).astype(np.float64)
    gaps = times[frames[1:]] - times[frames[:-1] + 1] if len(frames) > 1 else np.zeros(0)
    ends = np.flatnonzero(~(gaps <= settings.bridge_s)) + 1  # a gap that was not looked at is NaN, and long
    for part_frames, part in zip(np.split(frames, ends), np.split(landmarks, ends), strict=True):
        whole = np.arange(part_frames[0], part_frames[-1] + 1)
        flat = part.reshape(len(part), -1)
        filled = [np.interp(times[whole], times[part_frames], column) for column in flat.T]
        matrices, inside = _steadied(times[whole], np.stack(filled, axis=1).reshape(-1, 68, 2), settings)
        yield FacePath(whole, matrices, inside, tuple(seen.samples), track=seen.track)


def _steadied(times: np.ndarray, landmarks: np.ndarray, settings: SmoothSettings) -> tuple[np.ndarray, np.ndarray]:
    """Steady the alignments (n, 2, 3) first and then, inside the steady crops, the landmarks (n, 68, 2)."""
    raw = np.stack([alignment(points, CROP) for points in landmarks])
    matrices = similarity_matrices(steady(times, similarity_parameters(raw, CROP), settings), CROP)
    inside = np.stack([apply(matrix, points) for matrix, points in zip(matrices, landmarks, strict=True)])
    points = steady(times, inside.reshape(len(inside), -1), settings).reshape(inside.shape)
    return matrices, points
