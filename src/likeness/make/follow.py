"""The first pass of a swap: follow the faces through the clip and steady their alignment.

Only landmarks are kept, half a kilobyte for each face in a frame, so that the clip's length hardly matters for memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from likeness.errors import NoFaceError
from likeness.faces.align import alignment, apply
from likeness.faces.tracker import Tracker
from likeness.make.smooth import SmoothSettings, similarity_matrices, similarity_parameters, steady
from likeness.media.clip import Clip
from likeness.progress import tracked

Choice = Literal["largest", "all"]

CROP = 256  # pixels a side, as in a FaceSet


@dataclass(frozen=True, eq=False)
class Placed:
    """Where a face lies in one frame.

    ``matrix`` float64 (2, 3) takes pixels of the frame to those of the aligned CROP² crop; ``landmarks`` float64 (68,
    2) lie in that crop.
    """

    matrix: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True, eq=False)
class FacePath:
    """One face from frame to frame.

    ``frames`` int64 (n,) rising; ``matrices`` (n, 2, 3) and ``landmarks`` (n, 68, 2) as in `Placed`.
    """

    frames: np.ndarray
    matrices: np.ndarray
    landmarks: np.ndarray

    def at(self, frame: int) -> Placed | None:
        """Where the face lies in ``frame``, or None where it is not seen."""
        place = int(np.searchsorted(self.frames, frame))
        if place == len(self.frames) or self.frames[place] != frame:
            return None
        return Placed(self.matrices[place], self.landmarks[place])


@dataclass
class Sightings:
    """What the tracker saw of one track."""

    frames: list[int] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)
    area: float = 0.0  # square pixels, summed over frames: large faces and long tracks count


def follow_faces(clip: Clip, choice: Choice, settings: SmoothSettings) -> list[FacePath]:
    """Track and steady the faces of ``clip`` that are to be swapped. Raises NoFaceError where there is none.

    ``largest`` takes the track that covers the most over time and then, largest first, those that share no frame with
    what was taken, so that one person is followed across cuts and losses; ``all`` takes every track.
    """
    sightings: dict[int, Sightings] = {}
    times: list[float] = []
    tracker = Tracker()
    for frame in tracked(clip.frames(), "Following the face", total=clip.frame_count):
        times.append(frame.time_s)
        for identity, face in tracker.update(frame):
            seen = sightings.setdefault(identity, Sightings())
            seen.frames.append(frame.index)
            seen.landmarks.append(face.landmarks.astype(np.float32))
            x0, y0, x1, y1 = face.box
            seen.area += (x1 - x0) * (y1 - y0)
    if not sightings:
        raise NoFaceError(f"No face was found in {clip.path}. Choose footage in which a face is seen.")
    kept = apart(sightings.values()) if choice == "largest" else list(sightings.values())
    moments = np.array(times)
    return [path for seen in kept for path in steadied(seen, moments, settings)]


def apart(sightings: Iterable[Sightings]) -> list[Sightings]:
    """The largest sightings that share no frame, largest first."""
    taken: set[int] = set()
    kept = []
    for seen in sorted(sightings, key=lambda seen: -seen.area):
        if taken.isdisjoint(seen.frames):
            taken.update(seen.frames)
            kept.append(seen)
    return kept


def steadied(seen: Sightings, times: np.ndarray, settings: SmoothSettings) -> Iterator[FacePath]:
    """One path for each stretch without a long loss; short losses are filled in on a straight line."""
    frames, landmarks = np.array(seen.frames), np.stack(seen.landmarks).astype(np.float64)
    gaps = times[frames[1:]] - times[frames[:-1] + 1] if len(frames) > 1 else np.zeros(0)
    ends = np.flatnonzero(gaps > settings.bridge_s) + 1
    for part_frames, part in zip(np.split(frames, ends), np.split(landmarks, ends), strict=True):
        whole = np.arange(part_frames[0], part_frames[-1] + 1)
        flat = part.reshape(len(part), -1)
        filled = [np.interp(times[whole], times[part_frames], column) for column in flat.T]
        yield _path(whole, times[whole], np.stack(filled, axis=1).reshape(-1, 68, 2), settings)


def _path(frames: np.ndarray, times: np.ndarray, landmarks: np.ndarray, settings: SmoothSettings) -> FacePath:
    """Steady the alignment first and then, inside the steady crop, the landmarks."""
    raw = np.stack([alignment(points, CROP) for points in landmarks])
    matrices = similarity_matrices(steady(times, similarity_parameters(raw, CROP), settings), CROP)
    inside = np.stack([apply(matrix, points) for matrix, points in zip(matrices, landmarks, strict=True)])
    points = steady(times, inside.reshape(len(inside), -1), settings).reshape(inside.shape)
    return FacePath(frames, matrices, points)
