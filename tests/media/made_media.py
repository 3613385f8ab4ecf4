"""Small clips in every container, made with the real encoders. Each frame shows its own number as bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

_BITS = 8


def numbered(index: int, width: int = 128, height: int = 96) -> np.ndarray:
    """Uint8 RGB (height, width, 3): bits of ``index`` as eight grey bars, most significant on the left, a red foot."""
    bits = (index >> np.arange(_BITS - 1, -1, -1)) & 1
    columns = np.repeat(np.where(bits, 220, 30), -(-width // _BITS))[:width]
    image = np.broadcast_to(columns[None, :, None], (height, width, 3)).astype(np.uint8).copy()
    image[height * 3 // 4 :] = (200, 40, 40)
    return image


def number_in(image: np.ndarray) -> int:
    """The number that ``numbered`` drew."""
    height, width = image.shape[:2]
    bars = image[: height // 2].reshape(height // 2, -1, 3).mean(axis=(0, 2))
    centres = ((np.arange(_BITS) + 0.5) * -(-width // _BITS)).astype(int).clip(0, width - 1)
    return int(sum(1 << (_BITS - 1 - i) for i, x in enumerate(centres) if bars[x] > 125))


@dataclass(frozen=True)
class Recipe:
    """How to encode: muxer, codecs, and whatever makes the clip special."""

    muxer: str
    video: str | None = "libx264"
    audio: str | None = None
    pixels: str = "yuv420p"
    rate: int = 25
    size: tuple[int, int] = (128, 96)
    sample_rate: int = 48000
    channels: int = 1
    rotation: float = 0.0
    aspect: Fraction | None = None
    muxer_options: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()


def make_clip(
    path: Path,
    recipe: Recipe,
    frames: Sequence[np.ndarray] = (),
    times_s: Sequence[float] | None = None,
    samples: np.ndarray | None = None,
    sound_from_s: float = 0.0,
) -> Path:
    """Encode ``frames`` at ``times_s`` (default: even) and ``samples`` (n,) from ``sound_from_s`` on."""
    for codec in (recipe.video, recipe.audio):
        if codec and codec not in av.codecs_available:
            pytest.skip(f"this FFmpeg build has no {codec} encoder")
    with av.open(str(path), "w", format=recipe.muxer, options=dict(recipe.muxer_options)) as out:
        picture = _picture_stream(out, recipe) if recipe.video else None
        sound = None
        if recipe.audio:
            layout = "mono" if recipe.channels == 1 else "stereo"
            sound = out.add_stream(recipe.audio, rate=recipe.sample_rate, layout=layout)
        if picture is not None:
            _encode_pictures(out, picture, recipe, frames, times_s)
        if sound is not None and samples is not None:
            _encode_sound(out, sound, recipe, samples, sound_from_s)
    return path


def _picture_stream(out, recipe):
    stream = out.add_stream(recipe.video, rate=recipe.rate, options=dict(recipe.options))
    stream.width, stream.height = recipe.size
    stream.pix_fmt = recipe.pixels
    if recipe.video.startswith(("libx264", "libvpx", "ffv1")):
        stream.codec_context.time_base = Fraction(1, 1000)
    if recipe.aspect:
        stream.codec_context.sample_aspect_ratio = recipe.aspect
        stream.sample_aspect_ratio = recipe.aspect
    if recipe.rotation:
        stream.set_display_rotation(recipe.rotation)
    return stream


def _encode_pictures(out, stream, recipe, frames, times_s):
    tick = stream.codec_context.time_base or Fraction(1, recipe.rate)
    for index, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format=recipe.pixels)
        time_s = times_s[index] if times_s is not None else index / recipe.rate
        frame.pts, frame.time_base = round(time_s / tick), tick
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _encode_sound(out, stream, recipe, samples, from_s):
    step = 1024
    layout = "mono" if recipe.channels == 1 else "stereo"
    for start in range(0, len(samples), step):
        block = np.repeat(samples[None, start : start + step], recipe.channels, axis=0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = recipe.sample_rate, Fraction(1, recipe.sample_rate)
        frame.pts = start + round(from_s * recipe.sample_rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def tone(seconds: float, rate: int = 48000, hertz: float = 440.0) -> np.ndarray:
    """Float32 (n,) sine at half scale."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def beep(seconds: float, at_s: float, rate: int = 48000) -> np.ndarray:
    """Silence with a tenth of a second of 1 kHz from ``at_s`` on."""
    samples = np.zeros(round(seconds * rate), np.float32)
    start = round(at_s * rate)
    samples[start : start + rate // 10] = 0.9 * np.sin(2 * np.pi * 1000 * np.arange(rate // 10) / rate)
    return samples


def onset_s(blocks, rate: int) -> float:
    """When the sound first exceeds a quarter of full scale."""
    samples = np.concatenate(list(blocks))
    return int(np.flatnonzero(np.abs(samples[:, 0]) > 0.25)[0]) / rate
