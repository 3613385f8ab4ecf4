"""Sound: stream it on the clip's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from likeness.errors import BadMediaError
from likeness.media.container import Damage, decoded, opened, sound_stream
from likeness.media.limits import Limits

_DRIFT_S = 0.04  # time stamps may be off by this much (rounding, jitter) before silence is put in or sound taken out
_BLOCK = 1 << 15  # samples of silence at a time
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class Clock:
    """``origin`` is the file's own stamp in seconds of sample 0; ``rate`` in samples a second."""

    origin: Fraction
    rate: int


@dataclass(frozen=True)
class FirstSound:
    """When the sound starts (the file's own stamp, seconds) and what it is like."""

    time: Fraction
    sample_rate: int
    channels: int


def first_sound(path: Path, container: str, limits: Limits) -> FirstSound | None:
    """Decode the first block of sound; None where there is none or it cannot be decoded."""
    with opened(path, container, limits) as source:
        stream = sound_stream(source)
        frames = decoded(source, stream, Damage()) if stream else iter(())
        first = next((frame for frame in frames if isinstance(frame, AudioFrame) and frame.samples), None)
        if first is None:
            return None
        time = Fraction(0) if first.pts is None or not first.time_base else first.pts * first.time_base
        return FirstSound(time, first.sample_rate, first.layout.nb_channels)


def samples(path: Path, container: str, limits: Limits, clock: Clock, channels: int) -> Iterator[np.ndarray]:
    """Float32 blocks (n, channels) at ``clock.rate``, sample i at i / rate seconds; where nothing decodes there is silence."""
    position = 0
    longest = round(limits.max_duration_s * clock.rate)
    with opened(path, container, limits) as source:
        stream = sound_stream(source)
        converter = _Converter(clock.rate, channels)
        for frame in decoded(source, stream, Damage()) if stream else ():
            if not isinstance(frame, AudioFrame) or not frame.samples:
                continue
            due = position if frame.pts is None or not frame.time_base else _sample_at(frame, clock)
            if due > longest:
                raise BadMediaError(
                    f"{path} has sound beyond the limit of {limits.max_duration_s / 60:.0f} min. Cut it."
                )
            block = converter.convert(frame)
            if position == 0 or abs(due - position) > _DRIFT_S * clock.rate:
                block = block[max(position - due, 0) :]
                yield from _silence(due - position, channels)
                position = max(position, due)
            if len(block):
                yield block
            position += len(block)


def _sample_at(frame: AudioFrame, clock: Clock) -> int:
    """Where on the clock ``frame`` begins, in samples."""
    return round((frame.pts * frame.time_base - clock.origin) * clock.rate)


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
        """Float32 (n, channels)."""
        described = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or described != self._input:
            self._layout = self._layout or frame.layout.name
            self._resampler = AudioResampler(format="flt", layout=self._layout, rate=self._rate)
            self._input = described
        frame.pts = None  # the clock above keeps time; the resampler must not fill or squeeze
        blocks = [out.to_ndarray().reshape(-1, self._channels) for out in self._resampler.resample(frame)]
        return np.concatenate(blocks) if blocks else np.empty((0, self._channels), np.float32)
