"""Still and animated pictures: through Pillow, and EXR."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from PIL import Image, ImageOps

from likeness.errors import BadMediaError
from likeness.media import exr
from likeness.media.frame import Frame
from likeness.media.probe import Probe
from likeness.media.sniff import EXR, PICTURES, LocalFile

_ANIMATED = ("gif", "webp", "png", "avif")  # pages of a TIFF and the previews in a JPEG are no animation
_UNTIMED_S = 0.1  # what browsers show a frame for that claims no time at all
_ORIENTATION_TAG = 0x0112
_DEGREES = {3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}  # clockwise turn of an EXIF orientation, mirrors aside
# What Pillow's plugins raise on damaged files, found by corrupting some of each format.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    struct.error,
)


@contextmanager
def _opened(file: LocalFile) -> Iterator[Image.Image]:
    """Open ``file`` with its own plugin only; raises BadMediaError where it is too large, damaged or cut off."""
    too_large = f"{file.path} is larger than the limit of {file.limits.max_pixels / 1e6:.0f} Mpixel. Scale it down."
    with file.open() as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's notes on odd tags and sizes; sizes are checked here
        try:
            with Image.open(handle, formats=[PICTURES[file.container]]) as picture:
                if picture.width * picture.height > file.limits.max_pixels:
                    raise BadMediaError(too_large)
                yield picture
        except Image.DecompressionBombError as error:
            raise BadMediaError(too_large) from error
        except _DAMAGE as error:
            message = f"{file.path} is damaged or cut off: the {file.container} picture does not decode."
            raise BadMediaError(message) from error


def _frame_count(picture: Image.Image, container: str) -> int:
    return int(getattr(picture, "n_frames", 1)) if container in _ANIMATED else 1


def probe(file: LocalFile) -> Probe:
    """Decode the first frame, and count and time the frames of an animation."""
    if file.container == EXR:
        height, width = exr.read(file).shape[:2]
        return Probe("picture", width, height, frame_count=1)
    with _opened(file) as picture:
        count = _frame_count(picture, file.container)
        turn = picture.getexif().get(_ORIENTATION_TAG, 1)
        height, width = _upright_rgb(picture).shape[:2]
        if count == 1:
            return Probe("picture", width, height, frame_count=1, rotation=_DEGREES.get(turn, 0))
        duration_s = sum(_shown_s(picture, index) for index in range(count))
    return Probe(
        kind="video",
        width=width,
        height=height,
        frame_rate=Fraction(count / duration_s).limit_denominator(1000),
        frame_count=count,
        duration_s=duration_s,
        rotation=_DEGREES.get(turn, 0),
    )


def frames(file: LocalFile, size: tuple[int, int]) -> Iterator[Frame]:
    """Stream the frames as RGB of ``size`` (width, height); a still picture is one frame at 0 s."""
    if file.container == EXR:
        yield Frame(_sized(exr.read(file), size), 0.0, 0)
        return
    time_s = 0.0
    with _opened(file) as picture:
        for index in range(_frame_count(picture, file.container)):
            shown_s = _shown_s(picture, index)
            yield Frame(_sized(_upright_rgb(picture), size), time_s, index)
            time_s += shown_s


def _sized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)).copy()


def _shown_s(picture: Image.Image, index: int) -> float:
    """Go to frame ``index`` and say for how many seconds it is shown."""
    picture.seek(index)
    picture.load()
    milliseconds = float(picture.info.get("duration", 0))
    return milliseconds / 1000 if milliseconds > 0 else _UNTIMED_S


def _upright_rgb(picture: Image.Image) -> np.ndarray:
    """Uint8 RGB (height, width, 3), turned by the EXIF orientation; transparent parts are laid on white."""
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16"):
        return np.repeat((np.asarray(upright).astype(np.uint32) // 257).astype(np.uint8)[..., None], 3, axis=2)
    if upright.mode in ("I", "F"):
        return np.repeat(_stretched(np.asarray(upright, np.float64))[..., None], 3, axis=2)
    if upright.has_transparency_data:
        opaque = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(opaque, upright.convert("RGBA"))
    return np.asarray(upright.convert("RGB")).copy()


def _stretched(values: np.ndarray) -> np.ndarray:
    """Grey values of unknown range as uint8: [0, 1], 8 or 16 bits are told apart by the largest value."""
    largest = np.nanmax(values, initial=0.0)
    scale = 255.0 if largest <= 1 else 1.0 if largest <= 255 else 255 / 65535
    return np.clip(np.nan_to_num(values) * scale, 0, 255).astype(np.uint8)
