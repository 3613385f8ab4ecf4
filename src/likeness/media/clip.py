"""Open a video, picture or sound safely and stream what is in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from likeness.errors import BadMediaError, SettingsError
from likeness.media import pictures, sound, video
from likeness.media.frame import Frame
from likeness.media.limits import Limits
from likeness.media.probe import Kind
from likeness.media.sniff import EXR, PICTURES, LocalFile, sniff

__all__ = ["Clip", "Frame", "Limits", "open_clip"]


_LONGEST_SHOWN_S = 1.0  # a cut looks back so far for the frame that is to be seen where it begins
_SAME_S = 1e-4  # times that are the same but for rounding


@dataclass(frozen=True)
class Clip:
    """A local file that has been sniffed and probed. Nothing is held open: every call of ``frames`` streams anew.

    Time 0 is where the first picture or the first sound begins, whichever is earlier; both share that clock.
    ``width`` and ``height`` are pixels of the upright frame; pixels that are not square are made square by stretching
    the width. ``kind`` is "video" also for an animated picture. ``rotation`` says by how many degrees clockwise the
    stored frames are turned to stand upright. ``frame_rate`` is the average, frames a second. ``frame_count`` is what
    the file claims, None where it does not say. ``origin`` is the file's own time stamp, in seconds, of time 0.
    ``part`` is None, or the seconds (from, to) of the file that this is cut to (`cut`); time 0 is then where it begins.
    """

    path: Path
    kind: Kind
    container: str
    width: int
    height: int
    frame_rate: Fraction | None
    frame_count: int | None
    duration_s: float
    sample_rate: int | None
    channels: int | None
    rotation: int
    origin: Fraction = Fraction(0)
    limits: Limits = field(default_factory=Limits, repr=False)
    part: tuple[float, float] | None = None

    def cut(self, start_s: float = 0.0, end_s: float | None = None) -> "Clip":
        """The same file from ``start_s`` up to ``end_s`` (None: its end), sound and pictures alike.

        It begins with the frame that is to be seen at ``start_s``, so that it has a picture from its first moment on.
        Frames are counted anew. Raises SettingsError where nothing of the clip lies there.
        """
        if start_s <= 0 and end_s is None:
            return self
        if self.kind != "video":
            raise SettingsError(f"{self.path} is no video, so no seconds of it can be chosen. Leave them out.")
        before = (frame.time_s for frame in self.frames(max(start_s - _LONGEST_SHOWN_S, 0.0)))
        begin_s = None
        for time_s in before:
            if begin_s is not None and time_s > start_s + _SAME_S:
                break
            begin_s = time_s
        end_s = self.duration_s if end_s is None else min(end_s, self.duration_s)
        if begin_s is None or start_s >= self.duration_s or begin_s >= end_s:
            raise SettingsError(f"{self.path} lasts {self.duration_s:.1f} s. Choose seconds that lie in it.")
        length_s = end_s - begin_s
        count = round(length_s * float(self.frame_rate)) if self.frame_rate else None
        return replace(self, part=(begin_s, end_s), duration_s=length_s, frame_count=count)

    @property
    def has_sound(self) -> bool:
        """Whether ``samples`` has anything to give."""
        return self.sample_rate is not None

    def frames(
        self, start_s: float = 0.0, end_s: float | None = None, wanted: Callable[[float], bool] | None = None
    ) -> Iterator[Frame]:
        """Stream the upright frames whose time lies in [start_s, end_s), in order, times strictly increasing.

        Variable frame rate is kept. A frame whose size changes on the way is scaled to the clip's; interlaced lines
        stay woven. Alpha is dropped in videos, and laid on white in pictures. A damaged or cut-off file gives every
        frame that decodes and then logs one warning line; BadMediaError is raised only where nothing decodes or a
        limit is passed. ``wanted`` is asked once of the time of each such frame, in order; those it declines are left
        out, which saves converting them, the greater part of the work. Seeks in mp4, mov, mkv and webm; the others are
        decoded from the start, because their indexes cannot be relied on. A sound has no frames.
        """
        if self.kind == "sound":
            return
        if self.part is not None:
            yield from self._frames_of_part(*self.part, start_s, end_s, wanted)
            return

        def of_use(time_s: float) -> bool:
            return (end_s is not None and time_s >= end_s) or wanted is None or wanted(time_s)

        for frame in self._stream(start_s, of_use):
            if end_s is not None and frame.time_s >= end_s:
                return
            yield frame

    def samples(self, channels: int | None = None) -> Iterator[np.ndarray]:
        """Stream the sound as float32 blocks (n, channels) in [-1, 1] at ``sample_rate``; nothing where there is none.

        Sample i of the whole stream is heard at i / sample_rate seconds of the clip: a late start and gaps are filled
        with silence. ``channels`` 1 or 2 mixes down or up; None keeps the file's own.
        """
        if self.sample_rate is None:
            return
        file = LocalFile(self.path, self.container, self.limits)
        blocks = sound.samples(file, self.origin, self.sample_rate, channels or self.channels or 1)
        if self.part is None:
            yield from blocks
        else:
            yield from sound.between(blocks, *(round(time_s * self.sample_rate) for time_s in self.part))

    def _stream(self, start_s: float, of_use: Callable[[float], bool]) -> Iterator[Frame]:
        """Those frames of the whole file from ``start_s`` on that are ``of_use`` by their time."""
        file, size = LocalFile(self.path, self.container, self.limits), (self.width, self.height)
        if self.container in PICTURES or self.container == EXR:
            return (frame for frame in pictures.frames(file, size) if frame.time_s >= start_s and of_use(frame.time_s))
        return video.frames(file, size, self.origin, start_s, of_use)

    def _frames_of_part(
        self,
        begin_s: float,
        finish_s: float,
        start_s: float,
        end_s: float | None,
        wanted: Callable[[float], bool] | None,
    ) -> Iterator[Frame]:
        whole = replace(self, part=None)
        last_s = finish_s if end_s is None else min(finish_s, begin_s + end_s - _SAME_S)
        first = None
        for frame in whole.frames(begin_s - _SAME_S if begin_s else 0.0, last_s):
            first = frame.index if first is None else first
            time_s = max(frame.time_s - begin_s, 0.0)
            if time_s >= start_s and (wanted is None or wanted(time_s)):
                yield Frame(frame.image, time_s, frame.index - first)


def open_clip(path: Path, limits: Limits | None = None) -> Clip:
    """Sniff, probe and bound ``path``, and decode its first frame; raises BadMediaError with one line.

    Only plain local files are opened, by the one demuxer that belongs to their first bytes; nothing that they refer to
    is ever opened.
    """
    limits = limits or Limits()
    file = sniff(Path(path), limits)
    drawn = file.container in PICTURES or file.container == EXR
    found = pictures.probe(file) if drawn else video.probe(file)
    if found.duration_s > limits.max_duration_s:
        length, most = found.duration_s / 60, limits.max_duration_s / 60
        raise BadMediaError(f"{path} lasts {length:.0f} min, more than the limit of {most:.0f} min. Cut it.")
    return Clip(path=file.path, container=file.container, limits=limits, **vars(found))
