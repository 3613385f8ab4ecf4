"""Recognise a file as one of the works in the store: by its watermark, by what it looks like, by its bytes.

A watermark can be copied onto other pictures, so the number it holds is bound to the content: it counts only where the
fingerprints stored under that number match what is to be seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from likeness.errors import StorageError
from likeness.media.clip import Clip
from likeness.media.frame import Frame
from likeness.progress import tracked
from likeness.prove.fingerprint import ASKING, MATCH_BITS, ClipFingerprinter, SecondFingerprint, asked_fingerprint
from likeness.prove.matching import words
from likeness.prove.store import Match, Store, Work
from likeness.prove.watermark.read import MarkReading, ReadSettings, read_clip
from likeness.prove.watermark.tamper import TamperReading, look_at_frames
from likeness.prove.words import is_synthetic

Agreement = Literal["match", "differs", "cannot_tell"]

SHORT_WAIT_S = 1.0  # for a store in use, where nobody waits for this one answer

_MOST_COMPARED = 64  # moments of a clip compared one by one with a work
_LEAST_ALIKE = 1 / 8  # of a clip's moments: of four asked a second one lies near the stored one, and some are flat


@dataclass(frozen=True)
class RecogniseSettings:
    """Of a long clip the first ``longest_s`` seconds are looked at.

    Alterations are looked for once a second, in ``look_frames`` neighbouring frames together. Without ``every_frame``,
    and where no mark is to be looked under, only the frames that fingerprints are made of are taken out of a clip: the
    same ones where its frame rate is even, but for what begins in the last moment.
    """

    read: ReadSettings = field(default_factory=ReadSettings)
    longest_s: float = 600.0
    look_frames: int = 3
    every_frame: bool = True


GLANCE = RecogniseSettings(read=ReadSettings(windows=3, window_frames=12, window_s=2.5), every_frame=False)
"""For one look among many: at most 36 frames are read for a mark, and only frames that are used are converted."""


@dataclass(frozen=True, eq=False)
class Look:
    """What the fine pattern shows of one moment: ``time_s`` in seconds, 0 for a picture."""

    time_s: float
    reading: TamperReading


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a file was recognised as. Without a usable store (``store_problem`` says why) works and matches are missing.

    ``marked`` is the work under the watermark's number and ``agreement`` whether it looks like this file; ``alike``
    which share of its moments does, in [0, 1], where the store's own search did not find that work. ``beneath`` are
    earlier works whose marks lie under that of a synthetic one, and which look like it: it was probably made from them.
    ``identical`` is the work of which this file is a copy byte for byte; ``unchanged`` says that every second of a clip
    is as the store has listed it; ``matches`` what it looks like, the surest first; ``looks`` in the order of time.
    ``looked_s`` seconds of a clip were looked at.
    """

    mark: MarkReading
    moments: Sequence[SecondFingerprint]
    looks: Sequence[Look] = ()
    looked_s: float = 0.0
    marked: Work | None = None
    agreement: Agreement = "cannot_tell"
    identical: Work | None = None
    matches: Sequence[Match] = ()
    unchanged: bool = False
    store_problem: str | None = None
    alike: float | None = None
    beneath: Sequence[Work] = ()

    @property
    def altered(self) -> list[Look]:
        """The looks that show an alteration. In a clip two neighbours have to show one at the same place, as any single
        look may err; and what is bit for bit as it was published was not altered since, however worn its pattern is.
        """
        if self.unchanged or self.identical is not None:
            return []
        if len(self.looks) <= 1:
            return [look for look in self.looks if look.reading.state == "altered"]
        agreeing = [_same_place(one.reading, other.reading) for one, other in pairwise(self.looks)]
        beside = zip([False, *agreeing], [*agreeing, False], strict=True)
        return [look for look, neighbours in zip(self.looks, beside, strict=True) if any(neighbours)]

    @property
    def work(self) -> Work | None:
        """The best candidate: the same bytes, the watermark where it fits, then what looks alike."""
        by_mark = self.marked if self.agreement != "differs" else None
        return self.identical or by_mark or (self.matches[0].work if self.matches else None)


def recognise(
    clip: Clip,
    sha256: str,
    store: Store,
    settings: RecogniseSettings | None = None,
    mark: MarkReading | None = None,
) -> Recognition:
    """Read the watermark of ``clip`` (``mark`` where that was done), fingerprint it and ask ``store``. ``sha256`` is
    that of its file.

    A store that cannot be used is no error: the watermark is still read. Raises BadMediaError where the clip cannot be
    decoded.
    """
    settings = settings or RecogniseSettings()
    mark = mark or read_clip(clip, settings.read)
    marked, beneath, identical, problem = None, list[Work](), None, None
    try:
        mark, marked, beneath = _latest(mark, store)
        identical = store.find_by_sha256(sha256)
    except StorageError as error:
        problem = str(error)
    seen = fingerprints(clip, settings, mark)  # after the choice among several marks: each has its own fine pattern
    bare = Recognition(mark, seen.moments, seen.looks, seen.looked_s, store_problem=problem)
    if problem is not None:
        return bare
    try:
        matches = seen.find(store)
    except StorageError as error:
        return replace(bare, store_problem=str(error))
    agreement, alike = _agreement(marked, matches, seen.moments)
    if marked is not None and identical is not None and marked.sha256 == identical.sha256:
        agreement = "match"  # a short clip that changes fast looks unlike its own fingerprints, but it is the very file
    return replace(
        bare,
        marked=marked,
        agreement=agreement,
        alike=alike,
        beneath=beneath,
        identical=identical,
        matches=_ordered(matches, marked, identical),
    )


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass over the frames leaves: the first frame, uint8 RGB (h, w, 3), fingerprints of it all to ask the
    store with, looks for alterations, and how many seconds of a clip were seen (0 for a picture)."""

    first: np.ndarray | None
    moments: Sequence[SecondFingerprint]
    looks: Sequence[Look] = ()
    looked_s: float = 0.0

    def find(self, store: Store) -> list[Match]:
        """The works in ``store`` that look like this, most alike first. Raises StorageError."""
        if self.first is None:
            return []
        return store.find_picture(self.first) if len(self.moments) == 1 else store.find_clip(self.moments)


def fingerprints(clip: Clip, settings: RecogniseSettings | None = None, mark: MarkReading | None = None) -> Seen:
    """Fingerprint ``clip`` and, where a ``mark`` was read, look for alterations under it. Sound has nothing to see."""
    settings = settings or RecogniseSettings()
    marked = mark if mark is not None and mark.state == "found" else None
    if clip.kind == "sound":
        return Seen(None, [])
    if clip.kind == "picture":
        image = next(clip.frames()).image
        looks = [Look(0.0, look_at_frames([image], marked))] if marked else []
        return Seen(image, [asked_fingerprint(image)], looks)
    looked_s = min(clip.duration_s, settings.longest_s)
    fingerprinter, group, looks = ClipFingerprinter("asked"), list[Frame](), list[Look]()
    first, last = None, None
    rate = float(clip.frame_rate or 1)
    due = None if settings.every_frame or marked else _hashed_frames(rate)
    total = looked_s * min(rate, ASKING.per_second if due else rate)
    for frame in tracked(clip.frames(0.0, settings.longest_s, due), f"Reading {clip.path.name}", total):
        first, last = frame.image if first is None else first, frame
        fingerprinter.update(frame.image, frame.time_s)
        if marked and (group or _due(frame.time_s, len(looks), looked_s)):
            group.append(frame)
            if len(group) == settings.look_frames:
                looks.append(_look(group, marked))
                group = []
    if last is not None and not looks and not group:
        group.append(last)  # so short that no look was due, as with a single frame
    if group and marked:
        looks.append(_look(group, marked))
    return Seen(first, fingerprinter.finish(), looks, looked_s)


def _agreement(
    work: Work | None, matches: Sequence[Match], moments: Sequence[SecondFingerprint]
) -> tuple[Agreement, float | None]:
    """Whether ``work`` looks like the clip with the fingerprints ``moments``, of which the store found ``matches``; and
    the share of them that does, where it is not among those."""
    if work is None:
        return "cannot_tell", None
    if any(_same(match.work, work) for match in matches):
        return "match", None
    alike = share_alike(moments, work.fingerprints)
    if alike is None:
        return "cannot_tell", None
    return ("match" if alike >= _LEAST_ALIKE else "differs"), alike


def share_alike(asked: Sequence[SecondFingerprint], stored: Sequence[SecondFingerprint]) -> float | None:
    """Which share of the moments of ``asked`` matches some moment of ``stored``, in [0, 1]; None if all are flat."""
    known = words([made.hash for moment in stored for made in moment.views.values() if made.usable])
    if not len(known):
        return None
    step = -(-len(asked) // _MOST_COMPARED) or 1
    nearest = []
    for moment in asked[::step]:
        own = words([made.hash for made in moment.views.values() if made.usable])
        if len(own):
            nearest.append(int(np.bitwise_count(own[:, None] ^ known[None]).sum(axis=2).min()))
    return float(np.mean(np.array(nearest) <= MATCH_BITS)) if nearest else None


def _same_place(one: TamperReading, other: TamperReading) -> bool:
    """Whether both show an alteration and their regions meet somewhere."""
    if one.state != "altered" or other.state != "altered":
        return False
    pairs = ((a, b) for a in one.regions for b in other.regions)
    return any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for a, b in pairs)


def _latest(mark: MarkReading, store: Store) -> tuple[MarkReading, Work | None, list[Work]]:
    """Of several marks the one whose work was made last, with that work: what was made of a marked clip carries
    both. And the works that it was probably made from, as they look like it."""
    ids = [mark_id for mark_id in (mark.mark_id, *mark.also) if mark_id]
    works = {mark_id: work for mark_id in ids if (work := store.get(mark_id)) is not None}
    if not works:
        return mark, None, []
    chosen = max(works, key=lambda mark_id: works[mark_id].made_at)
    others = tuple(mark_id for mark_id in ids if mark_id != chosen)
    beneath = [works[mark_id] for mark_id in others if mark_id in works and _derived(works[chosen], works[mark_id])]
    return replace(mark, mark_id=chosen, also=others), works[chosen], beneath


def _derived(work: Work, earlier: Work) -> bool:
    """Whether ``work`` is likely to have been made from ``earlier``: it is synthetic and looks like that."""
    alike = share_alike(work.fingerprints, earlier.fingerprints)
    return is_synthetic(work) and alike is not None and alike >= _LEAST_ALIKE


def _ordered(matches: Sequence[Match], marked: Work | None, identical: Work | None) -> list[Match]:
    """The very file first, then the work that the watermark names, the rest as they were."""
    surest = [work for work in (identical, marked) if work is not None]
    return sorted(matches, key=lambda match: [not _same(match.work, work) for work in surest])


def _same(one: Work, other: Work) -> bool:
    return one.sha256 == other.sha256 and one.mark_id == other.mark_id


def _hashed_frames(frame_rate: float) -> Callable[[float], bool]:
    """Whether a frame is the first of all, or the nearest to the middle of a part of a second that is fingerprinted."""
    reached: int | None = None

    def due(time_s: float) -> bool:
        nonlocal reached
        before, reached = reached, int((time_s + 0.5 / frame_rate) * ASKING.per_second + 0.5)
        return before is None or reached > before

    return due


def _due(time_s: float, done: int, looked_s: float) -> bool:
    """Whether the next look is due: in the middle of each second, and in the middle of a shorter clip."""
    return time_s >= (done + 0.5 if done else min(0.5, looked_s / 2))


def _look(group: Sequence[Frame], mark: MarkReading) -> Look:
    return Look(group[0].time_s, look_at_frames([frame.image for frame in group], mark))
