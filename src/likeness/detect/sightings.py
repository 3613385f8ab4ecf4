"""Meet the tracked faces again in the pixels: stream only the frames an examiner asks for."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from likeness.faces.align import aligned_crop
from likeness.faces.face import Face, Track
from likeness.media.ahead import ahead
from likeness.media.clip import Clip, Frame

Made = TypeVar("Made")

_SAME_TIME_S = 1e-3  # the same frame decoded twice has the same time, up to the rounding of a seek
_SEEK_GAP_S = 2.0  # below this, decoding through a gap costs less than seeking over it


@dataclass(frozen=True, eq=False)
class Sighting:
    """One tracked face in one decoded frame. What several cues need of it is made once."""

    frame: Frame
    track: int
    face: Face
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` makes of this sighting, made once for all cues that ask by the same ``key``."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def crop(self, size: int, coverage: float) -> np.ndarray:
        """The face upright, uint8 RGB (size, size, 3), of which the face takes ``coverage``; not to be written to."""
        return self.once(
            ("crop", size, coverage), lambda: aligned_crop(self.frame.image, self.face.landmarks, size, coverage)
        )


def sightings(clip: Clip, wanted: Sequence[tuple[int, Face]]) -> Iterator[Sighting]:
    """Decode the frames of ``wanted`` (track number, face) once, in order of time; yield each face with its frame."""
    ordered = sorted(wanted, key=lambda pair: pair[1].time_s)
    for run in _runs(ordered):
        position = 0
        times = [face.time_s for _, face in run]
        start, end = max(times[0] - _SAME_TIME_S, 0.0), times[-1] + _SAME_TIME_S
        for frame in ahead(clip.frames(start, end, partial(_near, times))):
            while position < len(run) and run[position][1].time_s < frame.time_s - _SAME_TIME_S:
                position += 1
            while position < len(run) and run[position][1].time_s <= frame.time_s + _SAME_TIME_S:
                yield Sighting(frame, *run[position])
                position += 1
            if position == len(run):
                break


def faces_within(track: Track, narrowest_px: float, largest_yaw: float) -> list[Face]:
    """The faces of ``track`` that are at least ``narrowest_px`` wide and turned at most ``largest_yaw`` degrees."""
    return [face for face in track.faces if face.width >= narrowest_px and abs(face.yaw) <= largest_yaw]


def spread(faces: Sequence[Face], count: int) -> list[Face]:
    """At most ``count`` of ``faces``, evenly spread over time."""
    if len(faces) <= count:
        return list(faces)
    return [faces[i] for i in np.linspace(0, len(faces) - 1, count).round().astype(int)]


def spread_pairs(faces: Sequence[Face], count: int, longest_gap_s: float) -> list[Face]:
    """At most ``count`` of ``faces``, evenly spread over time, as neighbours where they lie within ``longest_gap_s``.

    Where fewer than half of ``count`` pairs exist (a slow frame rate), the rest are spread without neighbours.
    """
    if len(faces) <= count:
        return list(faces)
    firsts = [i for i in range(len(faces) - 1) if faces[i + 1].time_s - faces[i].time_s <= longest_gap_s]
    if len(firsts) < count // 2:
        return spread(faces, count)
    chosen = {firsts[i] for i in np.linspace(0, len(firsts) - 1, count // 2).round().astype(int)}
    return [faces[i] for i in sorted(chosen | {i + 1 for i in chosen})]


def runs(faces: Sequence[Face], count: int, length: int) -> list[list[Face]]:
    """At most ``count`` runs of ``length`` consecutive frames of a track, evenly spread over it; where no ``length``
    frames follow each other, its first frames, as one shorter run.
    """
    if not faces:
        return []
    pieces = [
        [face for _, face in group]
        for _, group in groupby(enumerate(faces), key=lambda pair: pair[1].frame - pair[0])
    ]  # fmt: skip
    whole = [piece[start : start + length] for piece in pieces for start in range(len(piece) - length + 1)]
    if not whole:
        return [max(pieces, key=len)]
    if len(whole) <= count:
        return [
            piece[start : start + length] for piece in pieces for start in range(0, len(piece) - length + 1, length)
        ]
    return [whole[i] for i in np.linspace(0, len(whole) - 1, count).round().astype(int)]


def consecutive(faces: Sequence[Face], longest_gap_s: float) -> list[list[Face]]:
    """Cut a track where the face was lost for more than ``longest_gap_s``."""
    pieces: list[list[Face]] = []
    for face in faces:
        if pieces and face.time_s - pieces[-1][-1].time_s <= longest_gap_s:
            pieces[-1].append(face)
        else:
            pieces.append([face])
    return pieces


def frame_interval(faces: Sequence[Face]) -> float:
    """The usual time between two neighbouring faces of a track, in seconds (0 for fewer than two)."""
    return float(np.median(np.diff([face.time_s for face in faces]))) if len(faces) > 1 else 0.0


def spans_above(times_s: np.ndarray, values: np.ndarray, level: float, shortest_s: float) -> list[tuple[float, float]]:
    """Where ``values`` (n,) stay at or above ``level`` for at least ``shortest_s``, as (start, end) in seconds."""
    spans: list[tuple[float, float]] = []
    above = np.append(np.nan_to_num(values, nan=-np.inf) >= level, False)
    start: int | None = None
    for i, inside in enumerate(above):
        if inside and start is None:
            start = i
        elif not inside and start is not None:
            if times_s[i - 1] - times_s[start] >= shortest_s:
                spans.append((float(times_s[start]), float(times_s[i - 1])))
            start = None
    return spans


def _near(times: Sequence[float], time_s: float) -> bool:
    """Whether ``time_s`` is one of the ascending ``times``."""
    at = bisect_left(times, time_s - _SAME_TIME_S)
    return at < len(times) and times[at] <= time_s + _SAME_TIME_S


def _runs(ordered: list[tuple[int, Face]]) -> list[list[tuple[int, Face]]]:
    runs: list[list[tuple[int, Face]]] = []
    for pair in ordered:
        if runs and pair[1].time_s - runs[-1][-1][1].time_s <= _SEEK_GAP_S:
            runs[-1].append(pair)
        else:
            runs.append([pair])
    return runs
