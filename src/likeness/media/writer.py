"""The only place that writes footage. All of it passes the labelling: drawn on, tagged, sealed, and only then named."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness.errors import BadMediaError, SettingsError, StorageError
from likeness.files import atomic_write
from likeness.media import exr
from likeness.media.clip import Clip
from likeness.media.frame import Frame

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)  # Hz
_FALLBACK_RATE = 48000  # Hz, for sound at any other rate
_FINEST_TICK = 10_000  # ticks a second at least, so that variable frame times are kept to 0.1 ms
_MOST_TICKS = 1_000_000
_FALLBACK_TICKS = 90_000  # what MPEG counts
_BT709 = 1  # the value of matrix, transfer and primaries in H.264's own table
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
_IMAGE_DESCRIPTION = 0x010E
_PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


class Labelling(Protocol):
    """What every written frame and file has to pass."""

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        """Put the visible label on one frame, uint8 RGB (h, w, 3); returns a new array of the same shape."""
        ...

    def metadata(self) -> dict[str, str]:
        """Tags for the container, such as {"comment": ...}."""
        ...

    def seal(self, path: Path, destination: Path) -> None:
        """Sign and record the finished temporary file ``path``, which is to become ``destination``; raise to refuse."""
        ...


@dataclass(frozen=True)
class SoundTrack:
    """Sound of our own: ``samples`` float32 (n, channels) or (n,) in [-1, 1], from 0 s on; ``sample_rate`` in Hz."""

    samples: np.ndarray
    sample_rate: int


@dataclass(frozen=True)
class WriterSettings:
    """How much is spent on quality.

    ``crf`` 0 (best) to 51 and ``preset`` are x264's; ``sound_bits`` a second for AAC; ``picture_quality`` 1 to 100 for
    jpg and webp.
    """

    crf: int = 18
    preset: str = "medium"
    sound_bits: int = 160_000
    picture_quality: int = 95


def write_clip(
    path: Path,
    frames: Iterable[Frame],
    *,
    frame_rate: Fraction,
    sound: Clip | SoundTrack | None,
    labelling: Labelling,
    settings: WriterSettings = WriterSettings(),
) -> None:
    """Write ``frames`` as H.264 and ``sound`` as AAC into the mp4 ``path``, labelled, atomically.

    Frames are shown at their own ``time_s`` (to 0.1 ms; variable rates are kept) and come in order; ``frame_rate`` says
    how long the last one stays and sets the clock. The sound runs on the same clock from 0 s on and is written to its
    end, also where it is longer than the pictures. Odd sizes are padded to even by repeating the last column or row,
    as 4:2:0 needs. Colours are BT.709, limited range.

    The file is finished under a temporary name, sealed by the labelling and only then renamed, so that an error, Ctrl-C
    or a full disk leaves ``path`` as it was. Raises SettingsError (suffix, rate), BadMediaError (no frames, sizes that
    change, negative times) and StorageError.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise SettingsError(
            f"Clips are written as .mp4, not as {path.suffix or 'a file without suffix'}: rename {path}."
        )
    if not 0 < frame_rate <= 1000:
        raise SettingsError(
            f"A frame rate of {float(frame_rate):g} cannot be written. Give one above 0 and up to 1000 a second."
        )
    with atomic_write(path) as temporary:
        with _encoding(path):
            _encode(temporary, frames, Fraction(frame_rate), sound, labelling, settings)
        labelling.seal(temporary, path)


def write_picture(
    path: Path,
    image: np.ndarray,
    *,
    labelling: Labelling,
    settings: WriterSettings = WriterSettings(),
    time_s: float = 0.0,
) -> None:
    """Write ``image``, uint8 RGB (h, w, 3), as png, jpg, webp or exr by the suffix of ``path``, labelled, atomically.

    ``time_s`` is when it is shown, where it is one of a sequence. Raises SettingsError for another suffix and
    StorageError; ``path`` is then as it was.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix != ".exr" and suffix not in _PICTURE_FORMATS:
        raise SettingsError(f"Pictures are written as .png, .jpg, .webp or .exr: rename {path}.")
    drawn, tags = labelling.draw(image, time_s), labelling.metadata()
    with atomic_write(path) as temporary:
        if suffix == ".exr":
            temporary.write_bytes(exr.encode(drawn, tags))
        else:
            kind = _PICTURE_FORMATS[suffix]
            options = _png_options(tags) if kind == "PNG" else _exif_options(tags, settings)
            Image.fromarray(drawn).save(temporary, kind, **options)
        labelling.seal(temporary, path)


def _png_options(tags: dict[str, str]) -> dict[str, object]:
    text = PngInfo()
    for key, value in tags.items():
        text.add_itxt(key, value)
    return {"pnginfo": text}


def _exif_options(tags: dict[str, str], settings: WriterSettings) -> dict[str, object]:
    """Tags in EXIF's ImageDescription, and no chroma subsampling, so that the visible label stays crisp."""
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = "; ".join(f"{key}: {value}" for key, value in tags.items())
    return {"quality": settings.picture_quality, "subsampling": 0, "exif": exif}


@contextmanager
def _encoding(path: Path) -> Iterator[None]:
    """FFmpeg's errors as ours; those of the disk are OSError as well and go on to atomic_write."""
    try:
        yield
    except OSError:
        raise
    except av.FFmpegError as error:
        raise StorageError(f"{path} could not be encoded: {error.strerror}. Try a smaller frame size.") from error


def _encode(
    temporary: Path,
    frames: Iterable[Frame],
    frame_rate: Fraction,
    sound: Clip | SoundTrack | None,
    labelling: Labelling,
    settings: WriterSettings,
) -> None:
    """Encode pictures and sound side by side, so that neither waits for the other in memory."""
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        raise BadMediaError("There are no frames to write. Check the span that was asked for.")
    with _created(temporary) as container:
        container.metadata.update(labelling.metadata())
        pictures = _PictureTrack(container, first.image.shape, frame_rate, settings)
        track = _SoundWriter.of(container, sound, settings)
        for frame in chain((first,), stream):
            pictures.write(labelling.draw(frame.image, frame.time_s), frame.time_s)
            if track:
                track.write_until(frame.time_s)
        pictures.finish()
        if track:
            track.finish()


@contextmanager
def _created(temporary: Path) -> Iterator[OutputContainer]:
    """An mp4 that is closed in any case; an error while closing does not hide the one that led there."""
    options = {"movflags": "+faststart+use_metadata_tags"}
    container = av.open(f"file:{temporary.absolute()}", "w", format="mp4", options=options)
    try:
        yield container
    except BaseException:
        with suppress(av.FFmpegError):  # a full disk, most likely: what is being raised says more
            container.close()
        raise
    container.close()


class _PictureTrack:
    """Frames of one size as H.264, each shown until the next one's time."""

    def __init__(
        self, container: OutputContainer, shape: tuple[int, ...], frame_rate: Fraction, settings: WriterSettings
    ) -> None:
        ticks = frame_rate.numerator
        while ticks < _FINEST_TICK:
            ticks *= 2
        if ticks > _MOST_TICKS:  # an average such as 1234567/89101
            ticks = _FALLBACK_TICKS
        self._time_base = Fraction(1, ticks)
        self._last_ticks = max(round(1 / frame_rate / self._time_base), 1)
        self._container = container
        self._shape = shape
        self._reformatter = VideoReformatter()
        self._waiting: VideoFrame | None = None
        self._stream: VideoStream = container.add_stream(
            "libx264", rate=frame_rate, options={"crf": str(settings.crf), "preset": settings.preset}
        )
        self._stream.width, self._stream.height = shape[1] + shape[1] % 2, shape[0] + shape[0] % 2
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = self._time_base
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = ColorRange.MPEG

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Take one labelled frame; the one before is encoded now that its end is known."""
        if image.shape != self._shape:
            sizes = f"{image.shape[1]}×{image.shape[0]} follows frames of {self._shape[1]}×{self._shape[0]}"
            raise BadMediaError(f"A frame of {sizes}. Scale all to one size.")
        ticks = round(time_s / self._time_base)
        if ticks < 0:
            raise BadMediaError(f"A frame has the time {time_s:.3f} s, before the clip's start. Give times from 0 on.")
        if self._waiting is not None and self._waiting.pts is not None:
            ticks = max(ticks, self._waiting.pts + 1)
            self._send(ticks - self._waiting.pts)
        self._waiting = self._converted(image)
        self._waiting.pts, self._waiting.time_base = ticks, self._time_base

    def finish(self) -> None:
        """Encode the last frame and what the encoder still holds."""
        self._send(self._last_ticks)
        self._container.mux(self._stream.encode(None))

    def _send(self, duration: int) -> None:
        if self._waiting is not None:
            self._waiting.duration = duration
            self._container.mux(self._stream.encode(self._waiting))

    def _converted(self, image: np.ndarray) -> VideoFrame:
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
        )


class _SoundWriter:
    """Sound as AAC, drawn from its source as the pictures advance."""

    def __init__(
        self,
        container: OutputContainer,
        blocks: Iterator[np.ndarray],
        rate: int,
        channels: int,
        settings: WriterSettings,
    ) -> None:
        self._container = container
        self._blocks = blocks
        self._rate = rate
        self._layout = "mono" if channels == 1 else "stereo"
        self._position = 0  # samples handed over so far
        self._stream: AudioStream = container.add_stream(
            "aac",
            rate=rate if rate in _AAC_RATES else _FALLBACK_RATE,
            layout=self._layout,
            bit_rate=settings.sound_bits,
        )

    @classmethod
    def of(
        cls, container: OutputContainer, sound: Clip | SoundTrack | None, settings: WriterSettings
    ) -> "_SoundWriter | None":
        """The writer for ``sound``; None where there is none. More than two channels are mixed down to stereo."""
        if isinstance(sound, SoundTrack):
            return cls(
                container, _blocks_of(sound), sound.sample_rate, np.atleast_2d(sound.samples.T).shape[0], settings
            )
        if sound is None or sound.sample_rate is None or sound.channels is None:
            return None
        channels = min(sound.channels, 2)
        return cls(container, sound.samples(channels), sound.sample_rate, channels, settings)

    def write_until(self, time_s: float) -> None:
        """Encode the sound up to about ``time_s``."""
        while self._position < time_s * self._rate and self._write_block():
            pass

    def finish(self) -> None:
        """Encode the rest of the sound."""
        while self._write_block():
            pass
        self._container.mux(self._stream.encode(None))

    def _write_block(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block.reshape(1, -1)), format="flt", layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._position
        self._position += len(block)
        self._container.mux(self._stream.encode(frame))
        return True


def _blocks_of(sound: SoundTrack) -> Iterator[np.ndarray]:
    """Blocks of a quarter of a second, float32 (n, 1 or 2)."""
    samples = np.atleast_2d(sound.samples.T).T
    step = max(sound.sample_rate // 4, 1)
    for start in range(0, len(samples), step):
        block = np.clip(samples[start : start + step], -1, 1).astype(np.float32)
        yield block if block.shape[1] <= 2 else block.mean(axis=1, keepdims=True).repeat(2, axis=1)
