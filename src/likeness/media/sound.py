"""Sound: stream it on the clip's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from likeness.errors import BadMediaError
from likeness.media.container import decoded, opened, sound_stream
from likeness.media.sniff import LocalFile

_DRIFT_S = 0.04  # time stamps may be off by this much (rounding, jitter) before silence is put in or sound taken out
_RESTART_S = 1.0  # time stamps that fall back by more than this start a new count
_BLOCK = 1 << 15  # samples of silence at a time
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class FirstSound:
    """When the sound starts (the file's own stamp, seconds) and what it is like."""

    time: Fraction
    sample_rate: int
    channels: int


def first_sound(file: LocalFile) -> FirstSound | None:
    """Decode the first block of sound; None where there is none or it cannot be decoded."""
    with opened(file) as container:
        stream = sound_stream(container)
        heard = (frame for frame in (decoded(container, stream, AudioFrame) if stream else ()) if frame.samples)
        first = next(heard, None)
        return None if first is None else FirstSound(_stamp(first) or Fraction(0), first.sample_rate, _channels(first))


def samples(file: LocalFile, origin: Fraction, rate: int, channels: int) -> Iterator[np.ndarray]:
    """Float32 blocks (n, channels) at ``rate``, sample i at i / rate seconds after the file's stamp ``origin``.

    Where nothing decodes there is silence; sound that comes twice is dropped.
    """
    position, shift = 0, 0
    longest = round(file.limits.max_duration_s * rate)
    converter = _Converter(rate, channels)
    with opened(file) as container:
        stream = sound_stream(container)
        for frame in decoded(container, stream, AudioFrame) if stream else ():
            stamp = _stamp(frame)
            block = converter.convert(frame)
            due = position if stamp is None else round((stamp - origin) * rate) + shift
            if due < position - _RESTART_S * rate:  # the stamps started anew, as where recordings were joined
                shift += position - due
                due = position
            if due > longest:
                most = file.limits.max_duration_s / 60
                raise BadMediaError(f"{file.path} has sound beyond the limit of {most:.0f} min. Cut it.")
            if position == 0 or abs(due - position) > _DRIFT_S * rate:
                block = block[max(position - due, 0) :]
                yield from _silence(due - position, channels)
                position = max(position, due)
            if len(block):
                yield block
            position += len(block)


def between(blocks: Iterator[np.ndarray], first: int, end: int) -> Iterator[np.ndarray]:
    """The samples number ``first`` up to ``end`` of a stream of ``blocks`` (n, channels)."""
    position = 0
    for block in blocks:
        if position >= end:
            return
        kept = block[max(first - position, 0) : end - position]
        if len(kept):
            yield kept
        position += len(block)


def _stamp(frame: AudioFrame) -> Fraction | None:
    """The file's own time stamp of ``frame`` in seconds."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def _channels(frame: AudioFrame) -> int:
    return int(frame.layout.nb_channels)


def _silence(count: int, channels: int) -> Iterator[np.ndarray]:
    for start in range(0, count, _BLOCK):
        yield np.zeros((min(_BLOCK, count - start), channels), np.float32)


class _Converter:
    """To interleaved float at one rate and layout, also where the stream changes its own on the way."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._channels = channels
        self._layout: str | None = _LAYOUTS.get(channels)
        self._input: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def convert(self, frame: AudioFrame) -> np.ndarray:
        """Float32 (n, channels); nothing where the frame cannot be converted."""
        described = (frame.format.name, frame.layout.name, frame.sample_rate)
        frame.pts = None  # the clock above keeps time; the resampler must not fill or squeeze
        try:
            if self._resampler is None or described != self._input:
                self._layout = self._layout or frame.layout.name
                self._resampler = AudioResampler(format="flt", layout=self._layout, rate=self._rate)
                self._input = described
            blocks = [out.to_ndarray().reshape(-1, self._channels) for out in self._resampler.resample(frame)]
        except (av.FFmpegError, ValueError):  # damage that decodes to an impossible format
            self._resampler, blocks = None, []
        return np.clip(np.concatenate(blocks), -1, 1) if blocks else np.empty((0, self._channels), np.float32)
