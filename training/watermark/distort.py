"""What happens to marked pictures: codecs, scaling, cropping, light and noise, on uint8 luminance with real codecs.

Nothing here has a gradient; the trainer lets the marker's gradient pass straight through, along the plain scaling of
``to_working``.
"""

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

from likeness.prove.watermark.strength import WORKING_SIZE


@dataclass(frozen=True)
class Ranges:
    """How hard pictures are treated. ``area`` is the least share of a picture that a crop leaves."""

    jpeg: tuple[int, int] = (20, 92)
    crf: tuple[int, int] = (22, 38)
    scale: tuple[float, float] = (0.4, 1.7)
    gain: tuple[float, float] = (0.5, 1.5)
    lit_share: float = 0.4
    offset: float = 40.0
    gamma: tuple[float, float] = (0.6, 1.6)
    noise: float = 6.0
    blur: float = 1.0
    area: float = 0.75
    cropped_share: float = 0.3


GENTLE = Ranges(
    jpeg=(58, 98),
    crf=(16, 26),
    scale=(0.5, 2.0),
    gain=(0.5, 1.5),
    offset=40.0,
    lit_share=0.6,
    gamma=(0.8, 1.25),
    noise=2.0,
    blur=0.4,
    cropped_share=0.0,
)


@dataclass(frozen=True)
class Crop:
    """The part of a picture that is left, as shares of its height and width."""

    top: float = 0.0
    left: float = 0.0
    bottom: float = 1.0
    right: float = 1.0

    def of(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        rows = slice(round(self.top * height), round(self.bottom * height))
        return image[rows, round(self.left * width) : round(self.right * width)]


def random_crop(rng: np.random.Generator, ranges: Ranges) -> Crop:
    """All of a picture, or a part of it anywhere."""
    if rng.random() >= ranges.cropped_share:
        return Crop()
    kept = rng.uniform(ranges.area, 1.0)
    height = rng.uniform(kept, 1.0)
    width = kept / height
    top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
    return Crop(top, left, top + height, left + width)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))


def h264(images: list[np.ndarray], crf: int, preset: str = "superfast") -> list[np.ndarray]:
    """Each grey picture as an intra frame of H.264; sides are cut to even numbers by the caller."""
    height, width = images[0].shape
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"crf": str(crf), "preset": preset, "g": "1", "tune": "zerolatency"}
    decoder = av.CodecContext.create("h264", "r")
    packets = []
    for i, image in enumerate(images):
        frame = VideoFrame.from_ndarray(image, format="gray8").reformat(
            format="yuv420p", src_color_range=2, dst_color_range=2
        )
        frame.pts = i
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoded = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return [frame.to_ndarray(format="yuv420p")[:height, :width] for frame in decoded]


def light(image: np.ndarray, rng: np.random.Generator, ranges: Ranges) -> np.ndarray:
    """Brightness, contrast, offset or gamma, as picture editors do them."""
    values = image.astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        values = values * rng.uniform(*ranges.gain)
    elif kind == 1:
        values = (values - values.mean()) * rng.uniform(*ranges.gain) + values.mean()
    elif kind == 2:
        values = values + rng.uniform(-ranges.offset, ranges.offset)
    else:
        values = 255.0 * (values / 255.0) ** rng.uniform(*ranges.gamma)
    return _rounded(values)


def scaled(image: np.ndarray, rng: np.random.Generator, ranges: Ranges) -> np.ndarray:
    """To another size, and it stays there."""
    low, high = np.log(ranges.scale)
    factor = float(np.exp(rng.uniform(low, high)))
    side = max(2 * round(image.shape[0] * factor / 2), 96)
    return cv2.resize(image, (side, side), interpolation=_how(side, image.shape[0], rng))


def noisy(image: np.ndarray, rng: np.random.Generator, ranges: Ranges) -> np.ndarray:
    """Noise or blur."""
    if rng.random() < 0.5:
        return _rounded(image + rng.normal(0, rng.uniform(0, ranges.noise), image.shape))
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.2, ranges.blur))


def distorted(
    images: list[np.ndarray], rng: np.random.Generator, ranges: Ranges
) -> tuple[list[np.ndarray], list[Crop]]:
    """Each of ``images`` uint8 (S, S), changed in up to three ways and brought to 256 × 256, and what was left of
    it."""
    crops = [random_crop(rng, ranges) for _ in images]
    images = [crop.of(image) for crop, image in zip(crops, images, strict=True)]
    images = [_one(image, rng, ranges) for image in images]
    return [to_working(image) for image in images], crops


def _one(image: np.ndarray, rng: np.random.Generator, ranges: Ranges) -> np.ndarray:
    if rng.random() < 0.45:
        image = scaled(image, rng, ranges)
    if rng.random() < ranges.lit_share:
        image = light(image, rng, ranges)
    if rng.random() < 0.25:
        image = noisy(image, rng, ranges)
    draw = rng.random()
    if draw < 0.5:
        image = jpeg(image, int(rng.integers(ranges.jpeg[0], ranges.jpeg[1] + 1)))
    elif draw < 0.85:
        even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        image = h264([even], int(rng.integers(ranges.crf[0], ranges.crf[1] + 1)))[0]
    return image


def to_working(image: np.ndarray) -> np.ndarray:
    """``image`` (H, W) at 256 × 256, as every reader does it."""
    shrinks = image.shape[0] * image.shape[1] > WORKING_SIZE**2
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, (WORKING_SIZE, WORKING_SIZE), interpolation=how)


def _how(side: int, before: int, rng: np.random.Generator) -> int:
    smaller = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    larger = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
    return int(rng.choice(smaller if side < before else larger))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
