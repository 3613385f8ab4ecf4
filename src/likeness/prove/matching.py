"""Lay the fingerprints of a clip along those of a work: which seconds are the same, where, and which are not.

Every pair of moments that match votes for an offset between the two clocks, with the more weight the nearer they are;
the strongest offset gives one span, what it explains is taken out, and the rest votes again. So an excerpt is located,
a second that was replaced shows as differing, and a cut or an insertion breaks the clip into two spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likeness.prove.fingerprint import HASH_BYTES, MATCH_BITS, SecondFingerprint

WORDS = HASH_BYTES // 8  # uint64 a hash
_NONE = 999  # bits between moments that cannot be compared: too flat, or explained already
_BIN_S = 0.05
_JITTER_S = 0.1  # how far a frame may lie from the middle of its second: half a frame at 5 frames a second

ViewPair = tuple[str, str]
"""The name of the asked view and of the stored one that it is compared with."""


@dataclass(frozen=True)
class MatchingSettings:
    """``min_seconds``: matching seconds that differ among themselves and are needed before clips are called the same;
    fewer only where one of the two has fewer. ``same_bits``: what re-encoding alone changes (PDQ after JPEG: 2 bits),
    so seconds up to that near are one piece of evidence. ``ambiguous``: share of the best offset's mean score from
    which another offset, more than a second away, makes the place unknown. ``max_spans`` bounds the work."""

    min_seconds: int = 3
    same_bits: int = 4
    ambiguous: float = 0.85
    max_spans: int = 16


@dataclass(frozen=True)
class Span:
    """A stretch of the asked clip that runs along a stretch of the work. Times in seconds of each one's own clock.

    ``matched`` stored seconds of it match; ``differing_s`` are the times in the work of those inside it that do not.
    """

    asked_s: tuple[float, float]
    work_s: tuple[float, float]
    matched: int
    differing_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Alignment:
    """How a clip lies along a work. ``spans`` in the order of the asked clip.

    ``matched`` of ``compared`` stored seconds match (those too flat are not compared); ``independent`` of them differ
    from one another. ``located`` is False where another place in the work would fit as well, as in a still clip.
    ``distance`` is the median over the matching seconds, in bits. ``asked_unmatched_s`` and ``work_unmatched_s`` are
    the stretches, in seconds, of which the other has nothing.
    """

    spans: tuple[Span, ...]
    matched: int
    compared: int
    independent: int
    located: bool
    distance: int
    view_pair: ViewPair
    asked_unmatched_s: tuple[tuple[float, float], ...]
    work_unmatched_s: tuple[tuple[float, float], ...]


def words(hashes: Sequence[bytes]) -> np.ndarray:
    """Hashes of 32 bytes as uint64 (n, 4)."""
    return np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, WORDS)


def align(
    asked: Sequence[SecondFingerprint],
    work: Sequence[SecondFingerprint],
    view_pairs: Sequence[ViewPair],
    settings: MatchingSettings = MatchingSettings(),
) -> Alignment | None:
    """Lay ``asked`` along ``work`` by the views named, the most telling pair first; None where too little matches."""
    grid = _Grid(asked, work, view_pairs)
    placed: list[_Placed] = []
    located = True
    while len(placed) < settings.max_spans and (votes := grid.votes()) is not None:
        if not placed:
            located = not votes.ambiguous(grid, settings.ambiguous)
        placed.append(grid.place(votes.offset_s))
        grid.take_out(placed[-1])
    columns = np.unique(np.concatenate([part.columns for part in placed])) if placed else np.array([], int)
    asked_view, stored_view = view_pairs[0] if view_pairs else ("", "")
    independent = _independent([work[i] for i in columns], stored_view, settings)
    possible = min(_independent(asked, asked_view, settings), _independent(work, stored_view, settings), grid.seconds())
    if independent < max(min(settings.min_seconds, possible), 1):
        return None
    return Alignment(
        spans=tuple(sorted((part.span for part in placed), key=lambda span: span.asked_s)),
        matched=len(columns),
        compared=len(columns) + sum(len(part.span.differing_s) for part in placed),
        independent=independent,
        located=located,
        distance=int(np.median(np.concatenate([part.distances for part in placed]))),
        view_pair=view_pairs[0],
        asked_unmatched_s=grid.asked_unmatched(),
        work_unmatched_s=grid.work_unmatched(),
    )


@dataclass(frozen=True)
class _Placed:
    """A span with the asked (``rows``) and stored moments (``columns``) that match in it, and by how many bits."""

    span: Span
    rows: np.ndarray
    columns: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class _Votes:
    """``scores`` of the offsets ``offsets_s``, a triangle around each; ``offset_s`` is the best."""

    offsets_s: np.ndarray
    scores: np.ndarray

    @property
    def offset_s(self) -> float:
        return float(self.offsets_s[int(self.scores.argmax())])

    def ambiguous(self, grid: "_Grid", share: float) -> bool:
        """Whether some offset more than a second away scores nearly as much for each second that overlaps there."""
        overlap = grid.overlap(self.offsets_s)
        best = int(self.scores.argmax())
        mean = self.scores / np.maximum(overlap, 1)
        elsewhere = (np.abs(self.offsets_s - self.offset_s) > 1.0) & (overlap >= max(overlap[best] / 2, 1))
        return bool((mean[elsewhere] >= share * mean[best]).any())


class _Grid:
    """Distances int16 (asked, stored) in bits between all moments; ``_NONE`` where they cannot be compared."""

    def __init__(
        self, asked: Sequence[SecondFingerprint], work: Sequence[SecondFingerprint], view_pairs: Sequence[ViewPair]
    ) -> None:
        self.asked_s, self.work_s = (np.array([m.time_s for m in moments], np.float64) for moments in (asked, work))
        self.all = _distances(asked, work, view_pairs)
        self.free = self.all.copy()
        self._spacing_s = float(np.median(np.diff(self.asked_s))) if len(asked) > 1 else 1.0
        self.reach_s = self._spacing_s / 2 + _JITTER_S
        self._rows_used = np.zeros(len(asked), bool)
        self._columns_used = np.zeros(len(work), bool)

    def seconds(self) -> int:
        """How many stored seconds the asked clip covers wherever it starts."""
        return int(self.asked_s[-1] - self.asked_s[0] + self._spacing_s + _BIN_S) if len(self.asked_s) else 0

    def votes(self) -> _Votes | None:
        """What the matching pairs that are still free say of the offset: the time in the work less that asked."""
        rows, columns = np.nonzero(self.free <= MATCH_BITS)
        if not len(rows):
            return None
        bins = np.rint((self.work_s[columns] - self.asked_s[rows]) / _BIN_S).astype(np.int64)
        weights = MATCH_BITS + 1.0 - self.free[rows, columns]
        width = max(round(self.reach_s / _BIN_S), 1)
        counts = np.bincount(bins - bins.min() + width, weights, int(np.ptp(bins)) + 2 * width + 1)
        scores = np.convolve(counts, np.bartlett(2 * width + 3)[1:-1], "same")
        return _Votes((np.arange(len(counts)) + int(bins.min()) - width) * _BIN_S, scores)

    def overlap(self, offsets_s: np.ndarray) -> np.ndarray:
        """How many stored seconds have an asked moment beside them at each offset."""
        first, last = self.asked_s[0] - self.reach_s, self.asked_s[-1] + self.reach_s
        return np.searchsorted(self.work_s, last + offsets_s, "right") - np.searchsorted(self.work_s, first + offsets_s)

    def place(self, offset_s: float) -> _Placed:
        """The span at this offset: from the first to the last stored second that matches there."""
        rows, bits = np.zeros(len(self.work_s), int), np.full(len(self.work_s), _NONE, np.int16)
        near = self.work_s - offset_s
        starts = np.searchsorted(self.asked_s, near - self.reach_s)
        ends = np.searchsorted(self.asked_s, near + self.reach_s, "right")
        for column in np.flatnonzero(ends > starts):
            row = starts[column] + int(self.free[starts[column] : ends[column], column].argmin())
            rows[column], bits[column] = row, self.free[row, column]
        columns = np.flatnonzero(bits <= MATCH_BITS)
        first, last = columns[0], columns[-1]
        inside = bits[first : last + 1]
        differing = first + np.flatnonzero((inside > MATCH_BITS) & (inside < _NONE))
        work_s = (float(np.floor(self.work_s[first])), float(np.floor(self.work_s[last])) + 1.0)
        span = Span(
            asked_s=(round(max(work_s[0] - offset_s, 0.0), 2), round(work_s[1] - offset_s, 2)),
            work_s=work_s,
            matched=len(columns),
            differing_s=tuple(float(self.work_s[column]) for column in differing),
        )
        return _Placed(span, rows[columns], columns, bits[columns])

    def take_out(self, placed: _Placed) -> None:
        """Let what this span explains vote no more."""
        beside_s = 0.5 + self._spacing_s
        beside = [np.abs(self.asked_s - self.asked_s[row]) <= beside_s for row in placed.rows]
        explained = np.logical_or.reduce(beside)
        self._rows_used |= explained
        self._columns_used[placed.columns] = True
        self.free[explained] = _NONE
        self.free[:, placed.columns] = _NONE

    def asked_unmatched(self) -> tuple[tuple[float, float], ...]:
        """Stretches of the asked clip that could be compared and match nothing."""
        left = (self.all < _NONE).any(axis=1) & ~self._rows_used
        return _merged(self.asked_s[left], self._spacing_s)

    def work_unmatched(self) -> tuple[tuple[float, float], ...]:
        """Stretches of the work that could be compared and match nothing."""
        left = (self.all < _NONE).any(axis=0) & ~self._columns_used
        return _merged(self.work_s[left], 1.0)


def _distances(
    asked: Sequence[SecondFingerprint], work: Sequence[SecondFingerprint], view_pairs: Sequence[ViewPair]
) -> np.ndarray:
    nearest = np.full((len(asked), len(work)), _NONE, np.int16)
    for asked_view, stored_view in view_pairs:
        rows, columns = _with_view(asked, asked_view), _with_view(work, stored_view)
        if not rows or not columns:
            continue
        one = words([asked[i].views[asked_view].hash for i in rows])
        other = words([work[i].views[stored_view].hash for i in columns])
        bits = np.zeros((len(rows), len(columns)), np.int16)
        for word in range(WORDS):
            bits += np.bitwise_count(one[:, None, word] ^ other[None, :, word])
        place = np.ix_(rows, columns)
        nearest[place] = np.minimum(nearest[place], bits)
    return nearest


def _with_view(moments: Sequence[SecondFingerprint], view: str) -> list[int]:
    return [i for i, moment in enumerate(moments) if view in moment.views and moment.views[view].usable]


def _independent(moments: Sequence[SecondFingerprint], view: str, settings: MatchingSettings) -> int:
    """How many usable moments differ from all those counted before."""
    counted = np.empty((0, WORDS), np.uint64)
    for i in _with_view(moments, view):
        one = words([moments[i].views[view].hash])
        if (np.bitwise_count(counted ^ one).sum(axis=1) > settings.same_bits).all():
            counted = np.concatenate([counted, one])
    return len(counted)


def _merged(times_s: np.ndarray, step_s: float) -> tuple[tuple[float, float], ...]:
    """Moments ``step_s`` apart as stretches around them."""
    stretches: list[list[float]] = []
    for time_s in times_s:
        start_s, end_s = max(float(time_s) - step_s / 2, 0.0), float(time_s) + step_s / 2
        if stretches and start_s - stretches[-1][1] <= step_s / 2:
            stretches[-1][1] = end_s
        else:
            stretches.append([start_s, end_s])
    return tuple((round(start, 2), round(end, 2)) for start, end in stretches)
