"""Reading: from pictures and clips back to the identifier, or the honest answer that no mark was found.

The evidence of many frames adds up before anything is decided: soft chips are averaged over a window of frames, and the
windows once more over the whole clip. A reading counts only if the message's check holds and the tile it stands for
stands out of the folded evidence; chance readings then stay away (docs/watermark.md has the count).
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from typing import Literal

import numpy as np

from likeness.media.clip import Clip
from likeness.prove.watermark import networks
from likeness.prove.watermark.carrier import despread, sync_tile, tile
from likeness.prove.watermark.mark import SMALLEST
from likeness.prove.watermark.message import VERSION, MarkId, Message, decode
from likeness.prove.watermark.place import WHOLE, Place, find, fold, refined, upright
from likeness.prove.watermark.strength import WORKING_SIZE, luminance

_ROUNDING_S = 1e-6  # by which times may be off
_DECODED_THROUGH_S = 10.0  # the usual distance of two key frames
_DITHER = 0.3  # of the evidence's own deviation


@dataclass(frozen=True)
class ReadSettings:
    """``least_score``: agreement of the folded evidence with the tile read, in standard deviations of chance.

    ``most_marks`` on top of one another are told apart. ``least_peak``: of the synchronisation pattern, for a place to
    be worth a closer look. Of a clip, ``windows`` evenly spread parts of ``window_frames`` frames are read. These are
    neighbours, or where ``window_s`` is given, evenly spread over so many seconds: then fewer of them say as much.
    """

    least_score: float = 7.0
    most_marks: int = 2
    least_peak: float = 4.5
    dithers: int = 24
    windows: int = 4
    window_frames: int = 25
    window_s: float | None = None


@dataclass(frozen=True)
class MarkReading:
    """What was read. ``score`` is in standard deviations of chance (0 where nothing was found).

    ``version`` other than ours means that a later Likeness wrote the mark. ``also`` holds further identifiers, found
    under the first or in other parts of a clip; ``place`` says how the picture lies on the marked original.
    """

    state: Literal["found", "absent"]
    mark_id: MarkId | None = None
    version: int | None = None
    score: float = 0.0
    mirrored: bool = False
    frames_read: int = 1
    also: tuple[MarkId, ...] = ()
    place: Place | None = field(default=None, repr=False)


class _Seen:
    """One frame as the reader sees it; what the network says of it is worked out once."""

    def __init__(self, luminance: np.ndarray) -> None:
        self.luminance = luminance

    @cached_property
    def odds(self) -> np.ndarray:
        """The log-odds of each chip, float32 (64, 64)."""
        return networks.chip_odds(self.luminance)

    @cached_property
    def mirrored(self) -> "_Seen":
        """The frame turned left to right."""
        return _Seen(np.ascontiguousarray(self.luminance[:, ::-1]))


def read_picture(image: np.ndarray, settings: ReadSettings | None = None) -> MarkReading:
    """Read the mark of ``image`` uint8 RGB (H, W, 3)."""
    return read_frames([image], settings)


def read_clip(clip: Clip, settings: ReadSettings | None = None) -> MarkReading:
    """Read the mark of ``clip``, a picture or a video; sound has none. Raises BadMediaError where it cannot be
    decoded."""
    settings = settings or ReadSettings()
    read = list[MarkReading]()
    kept = list[_Seen]()
    for seen in _windows(clip, settings):
        read.append(_read(seen, settings))
        kept += seen[:: max(1, settings.windows)]
    frames = sum(reading.frames_read for reading in read)
    found = sorted((reading for reading in read if reading.state == "found"), key=lambda reading: -reading.score)
    if not found and len(read) > 1:
        found = [reading for reading in [_read(kept, settings)] if reading.state == "found"]
    if not found:
        return MarkReading("absent", frames_read=frames)
    everything = {mark_id for reading in found for mark_id in (reading.mark_id, *reading.also) if mark_id}
    return replace(found[0], frames_read=frames, also=tuple(sorted(everything - {found[0].mark_id})))


def read_frames(images: Sequence[np.ndarray], settings: ReadSettings | None = None) -> MarkReading:
    """Read the one mark of frames uint8 RGB (H, W, 3) that lie alike; their evidence is averaged.

    In place first, then where the synchronisation pattern shows, then both in the mirror.
    """
    return _read(_seen(images), settings or ReadSettings())


def _seen(images: Iterable[np.ndarray]) -> list[_Seen]:
    return [_Seen(luminance(image)) for image in images if min(image.shape[:2]) >= SMALLEST]


def _read(seen: Sequence[_Seen], settings: ReadSettings) -> MarkReading:
    """`read_frames` of frames as the reader sees them."""
    if not seen:
        return MarkReading("absent", frames_read=0)
    for mirrored in (False, True):
        if mirrored:
            seen = [frame.mirrored for frame in seen]
        for place, folded in _folded(seen, settings):
            if messages := _messages(folded, settings):
                (message, score), *rest = messages
                known = message.mark_id if message.version == VERSION else None
                also = tuple(other.mark_id for other, _ in rest if other.version == VERSION)
                return MarkReading("found", known, message.version, score, mirrored, len(seen), also, place)
    return MarkReading("absent", frames_read=len(seen))


def _messages(folded: np.ndarray, settings: ReadSettings) -> list[tuple[Message, float]]:
    """The messages in a folded tile (32, 32) and their scores, at most ``most_marks``, the strongest first.

    A mark over another leaves both: once the stronger is read, it is taken out and the rest is read again (successive
    cancellation, as receivers of code-division signals do it).
    """
    found = list[tuple[Message, float]]()
    while len(found) < settings.most_marks:
        message = _decoded(folded, settings)
        if message is None or message in [earlier for earlier, _ in found]:
            break
        sent = tile(message)
        score = agreement(folded, sent)
        if score < settings.least_score:
            break
        found.append((message, score))
        folded = folded - sent * (np.vdot(folded, sent) / sent.size)
    return found


def _decoded(folded: np.ndarray, settings: ReadSettings) -> Message | None:
    """The message of a folded tile (32, 32), or None.

    Two marks of one strength send two paths through the decoder; where these meet, it can follow one before and the
    other after (in one pair of identifiers out of twelve). A little noise then decides anew at each meeting. It is
    tried only where the synchronisation pattern shows, so that pictures without a mark get no further chances.
    """
    evidence = despread(folded)
    message = decode(evidence)
    if message is not None or agreement(folded, sync_tile()) < settings.least_peak:
        return message
    rng = np.random.default_rng(0)
    noise = rng.normal(0, _DITHER * float(evidence.std()), (settings.dithers, len(evidence)))
    return next((found for one in noise if (found := decode(evidence + one)) is not None), None)


def _folded(seen: Sequence[_Seen], settings: ReadSettings) -> Iterator[tuple[Place, np.ndarray]]:
    """The folded tile (32, 32) for each place that the frames may have on the original.

    What was cropped is brought upright and looked at anew: chips that straddle the reader's own grid read badly.
    """
    odds = _chip_odds(seen)
    yield WHOLE, fold(odds)
    for place in find(odds, settings.least_peak):
        moved = _chip_odds([_Seen(upright(frame.luminance, place, WORKING_SIZE)[0]) for frame in seen])
        rest = refined(moved)
        yield place.then(rest), fold(moved, rest)


def _chip_odds(seen: Sequence[_Seen]) -> np.ndarray:
    odds = np.mean([frame.odds for frame in seen], axis=0)
    return odds - odds.mean()


def agreement(folded: np.ndarray, expected: np.ndarray) -> float:
    """Correlation of two tiles (32, 32) in standard deviations of what chance gives: up to 32."""
    norm = float(np.linalg.norm(folded) * np.linalg.norm(expected))
    return float(np.vdot(folded, expected)) / norm * np.sqrt(folded.size) if norm > 0 else 0.0


def _windows(clip: Clip, settings: ReadSettings) -> Iterator[list[_Seen]]:
    """The frames of each window, as the reader sees them; windows of a short clip do not overlap."""
    if clip.kind == "sound":
        return
    if clip.kind == "picture" or not clip.frame_rate or not clip.duration_s:
        yield _seen(frame.image for frame in islice(clip.frames(), settings.window_frames))
        return
    length = settings.window_frames / float(clip.frame_rate)
    if settings.window_s is not None:
        length = min(max(settings.window_s, length), clip.duration_s)
    count = max(1, min(settings.windows, int(clip.duration_s / length)))
    step = (clip.duration_s - length) / (count - 1) if count > 1 else 0.0
    starts = [max(i * step, 0.0) for i in range(count)]
    if settings.window_s is not None:
        yield from _spread_windows(clip, starts, length, settings.window_frames)
        return
    for start in starts:
        frames = clip.frames(start, start + length)
        yield _seen(frame.image for frame in islice(frames, settings.window_frames))


def _spread_windows(clip: Clip, starts: Sequence[float], length: float, count: int) -> Iterator[list[_Seen]]:
    """``count`` frames evenly spread over each of the windows of ``length`` seconds, as the reader sees them.

    Where little lies between two windows, it is decoded through: a seek goes back to the last key frame.
    """
    through = len(starts) < 2 or starts[1] - starts[0] - length <= _DECODED_THROUGH_S
    for run in [starts] if through else [[start] for start in starts]:
        due = deque(start + i * length / count - _ROUNDING_S for start in run for i in range(count))
        seen: list[list[_Seen]] = [[] for _ in run]
        for frame in clip.frames(run[0], run[-1] + length, partial(_reached, due)):
            seen[max(bisect_right(run, frame.time_s + _ROUNDING_S) - 1, 0)] += _seen([frame.image])
        yield from seen


def _reached(due: deque[float], time_s: float) -> bool:
    """Whether the next of the times ``due`` has come; those that have are taken out."""
    before = len(due)
    while due and due[0] <= time_s:
        due.popleft()
    return len(due) < before
