"""Fingerprints: what a picture looks like in 256 bits, and one of them a second for clips.

The hash is PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019): pictures
that look alike differ in few of the 256 bits, unrelated ones in about half. It is blind to re-encoding and scaling but
not to cropping or mirroring, so a work is remembered, and asked for, in several ``views`` of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import pdqhash

from likeness.errors import SettingsError

HASH_BYTES = 32
MATCH_BITS = 31  # of 256: PDQ's own threshold
MIN_QUALITY = 50  # of 100: below it a picture is too flat for its hash to mean anything (PDQ's own threshold)
MIRRORED = " mirrored"  # ends the name of a view that was turned left to right

# Longer side of what is hashed, so that a picture hashes alike at any size. PDQ's own box filters depend on the size:
# half of it alone moves 12 bits. The mirrored picture is hashed itself for a like reason: the mirrored hash that PDQ
# derives from the upright one is 20 bits off. (Medians: benchmarks/fingerprint_robustness.py --choose.)
_HASHED_PX = 128
_CUT_FROM_PX = 512  # longer side that views are cut from at most, so that a large picture is gone through once
_PLAIN = 6.0  # standard deviation, in grey levels, up to which a row or column is a bar and no picture
_MOST_TRIMMED = 0.4  # share of the height or width that bars may take on one side
_LEAST_TRIMMED = 0.02  # share below which trimming them shows nothing new
_TRIMMED = "trimmed"  # the asked view without bars or a plain frame around the picture

Cut = tuple[float, float, float, float]
"""Top, bottom, left and right of a part, as shares of the height and width."""

# Chosen by what each adds to the match rate on one half of the test pictures (benchmarks/fingerprint_robustness.py
# --choose); "95 left" and the like keep to that edge. Clips make do with fewer, in every second.
_CUTS: dict[str, Cut] = {
    "whole": (0.0, 1.0, 0.0, 1.0),
    "centre 95": (0.025, 0.975, 0.025, 0.975),
    "centre 90": (0.05, 0.95, 0.05, 0.95),
    "centre 80": (0.1, 0.9, 0.1, 0.9),
    "top off": (0.15, 1.0, 0.0, 1.0),
    "right off": (0.0, 1.0, 0.0, 0.9),
    "95 top": (0.0, 0.95, 0.025, 0.975),
    "95 left": (0.025, 0.975, 0.0, 0.95),
    "95 bottom": (0.05, 1.0, 0.025, 0.975),
    "95 bottom left": (0.05, 1.0, 0.0, 0.95),
    "95 bottom right": (0.05, 1.0, 0.05, 1.0),
}
STORED_VIEWS = tuple(_CUTS)
ASKED_VIEWS = ("whole", "centre 80", "95 left", "95 bottom", "95 bottom right")
CLIP_STORED_VIEWS = ("whole", "centre 95", "centre 90", "centre 80", "top off")
CLIP_ASKED_VIEWS = ("whole", "centre 80")
LABEL_FREE = "label-free "  # begins the name of a view of the work before its visible label was drawn


@dataclass(frozen=True)
class PictureFingerprint:
    """``hash``: 32 bytes, the 256 bits of PDQ. ``quality``: 0 (flat) to 100, how much structure the picture has."""

    hash: bytes
    quality: int

    @property
    def usable(self) -> bool:
        """Whether there is enough structure for the hash to be compared on its own."""
        return self.quality >= MIN_QUALITY

    def distance(self, other: "PictureFingerprint") -> int:
        """In how many of the 256 bits the two differ; up to ``MATCH_BITS`` they show the same picture."""
        return (int.from_bytes(self.hash, "big") ^ int.from_bytes(other.hash, "big")).bit_count()


@dataclass(frozen=True)
class SecondFingerprint:
    """One moment of a work in several views. ``time_s`` is the true time of the frame; 0 for a picture.

    ``views`` maps the name of a view ("whole", "label-free whole", "centre 90", "whole mirrored", …) to its hash.
    """

    time_s: float
    views: Mapping[str, PictureFingerprint]


def fingerprint_picture(image: np.ndarray) -> PictureFingerprint:
    """The PDQ hash of ``image``, uint8 RGB (h, w, 3) of any size. Raises SettingsError for other arrays.

    It is scaled to a longer side of 128 pixels first (by area where that is smaller), so that size does not matter.
    """
    return _hashed(_checked(image))


def views(image: np.ndarray, names: Sequence[str] = ASKED_VIEWS) -> dict[str, np.ndarray]:
    """The parts of ``image`` (uint8 RGB) that the store is asked with, and each of them mirrored.

    They are cut from the image scaled down to a longer side of 512 pixels. "trimmed", the image without bars or a plain
    frame around it, is there only where it has such.
    """
    image = _reduced(image)
    parts = {name: _cut(image, _CUTS[name]) for name in names}
    inside = _inside_bars(image)
    if inside is not None:
        parts[_TRIMMED] = _cut(image, inside)
    return parts | {name + MIRRORED: np.ascontiguousarray(part[:, ::-1]) for name, part in parts.items()}


def stored_fingerprint(
    image: np.ndarray,
    label_free: np.ndarray | None = None,
    time_s: float = 0.0,
    names: Sequence[str] = STORED_VIEWS,
) -> SecondFingerprint:
    """What the store keeps of one picture: views of ``image`` as published and of the same before its label was drawn.

    Both are uint8 RGB (h, w, 3).
    """
    sources = {"": image} if label_free is None else {"": image, LABEL_FREE: label_free}
    kept: dict[str, PictureFingerprint] = {}
    for prefix, source in sources.items():
        reduced = _reduced(source)
        kept |= {prefix + name: _hashed(_cut(reduced, _CUTS[name])) for name in names}
    return SecondFingerprint(time_s, kept)


def asked_fingerprint(image: np.ndarray, time_s: float = 0.0, names: Sequence[str] = ASKED_VIEWS) -> SecondFingerprint:
    """What the store is asked with: the hashes of ``views(image)``, where ``image`` is uint8 RGB (h, w, 3)."""
    return SecondFingerprint(time_s, {name: _hashed(part) for name, part in views(image, names).items()})


@dataclass(frozen=True)
class ClipFingerprintSettings:
    """``per_second``: moments that are hashed. A work is kept with one a second and asked for with four, so that an
    excerpt that starts between two seconds still has a frame within 1/8 s of each stored one."""

    per_second: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.per_second <= 100:
            raise SettingsError(f"{self.per_second} fingerprints a second are not made; choose 1 to 100.")


ASKING = ClipFingerprintSettings(per_second=4)


class ClipFingerprinter:
    """Streams a clip and hashes, of each second (or part of one), the frame nearest to its middle.

    A frame of the clip and not the mean of the second: it does not depend on the frame rate, and a still taken from
    the clip there is found by it. One frame is held at a time and must not be changed by the caller.
    """

    def __init__(
        self, role: Literal["stored", "asked"] = "stored", settings: ClipFingerprintSettings | None = None
    ) -> None:
        self._role = role
        self._settings = settings or (ASKING if role == "asked" else ClipFingerprintSettings())
        self._slot = -1
        self._nearest: tuple[float, float, np.ndarray, np.ndarray | None] | None = None
        self._made: list[SecondFingerprint] = []

    def update(self, image: np.ndarray, time_s: float, label_free: np.ndarray | None = None) -> None:
        """Take the next frame, uint8 RGB (h, w, 3), in the order of ``time_s`` (seconds)."""
        place = time_s * self._settings.per_second
        slot = int(place)
        if slot != self._slot:
            self._close()
            self._slot = slot
        away = abs(place - slot - 0.5)
        if self._nearest is None or away < self._nearest[0]:
            self._nearest = (away, time_s, image, label_free)

    def finish(self) -> list[SecondFingerprint]:
        """All moments, in order. A part without a frame has none."""
        self._close()
        return self._made

    def _close(self) -> None:
        if self._nearest is None:
            return
        _, time_s, image, label_free = self._nearest
        self._nearest = None
        if self._role == "stored":
            self._made.append(stored_fingerprint(image, label_free, time_s, CLIP_STORED_VIEWS))
        else:
            self._made.append(asked_fingerprint(image, time_s, CLIP_ASKED_VIEWS))


def _cut(image: np.ndarray, cut: Cut) -> np.ndarray:
    """The part of ``image`` within ``cut``; at least one pixel."""
    height, width = image.shape[:2]
    top, bottom, left, right = cut
    y, x = min(round(top * height), height - 1), min(round(left * width), width - 1)
    return image[y : max(round(bottom * height), y + 1), x : max(round(right * width), x + 1)]


def _inside_bars(image: np.ndarray) -> Cut | None:
    """What is left without plain rows and columns at the edges; None where that is about all, or all is plain."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = []
    for axis in (1, 0):
        plain = grey.std(axis=axis) <= _PLAIN
        if plain.all():
            return None
        first, last = np.flatnonzero(~plain)[[0, -1]]
        count = len(plain)
        edges += [min(first / count, _MOST_TRIMMED), max((last + 1) / count, 1 - _MOST_TRIMMED)]
    top, bottom, left, right = map(float, edges)
    return (top, bottom, left, right) if max(top, 1 - bottom, left, 1 - right) >= _LEAST_TRIMMED else None


def _reduced(image: np.ndarray) -> np.ndarray:
    return _scaled(_checked(image), min(_CUT_FROM_PX / max(image.shape[:2]), 1.0))


def _checked(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise SettingsError("A fingerprint is made of a picture in 8-bit RGB. Convert it first.")
    return image


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return image
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _hashed(image: np.ndarray) -> PictureFingerprint:
    bits, quality = pdqhash.compute(np.ascontiguousarray(_scaled(image, _HASHED_PX / max(image.shape[:2]))))
    return PictureFingerprint(np.packbits(bits.astype(np.uint8)).tobytes(), int(quality))
