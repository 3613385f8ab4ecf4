"""Fingerprints: what a picture looks like in 256 bits, and one of them a second for clips.

The hash is PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019): pictures
that look alike differ in few of the 256 bits, unrelated ones in about half. It is blind to re-encoding and scaling but
not to cropping or mirroring, so a work is remembered, and asked for, in several ``views`` of it.
"""

from collections.abc import Iterable, Mapping
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
# derives from the upright one is 18 bits off. (Medians and means printed by benchmarks/fingerprint_robustness.py.)
_HASHED_PX = 128

# Cuts as shares of the height and width: top, bottom, left, right.
_CUTS: dict[str, tuple[float, float, float, float]] = {
    "whole": (0.0, 1.0, 0.0, 1.0),
    "centre 95": (0.025, 0.975, 0.025, 0.975),
    "centre 90": (0.05, 0.95, 0.05, 0.95),
    "centre 80": (0.1, 0.9, 0.1, 0.9),
}
STORED_VIEWS = tuple(_CUTS)
ASKED_VIEWS = tuple(_CUTS)
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


def views(image: np.ndarray) -> dict[str, np.ndarray]:
    """The parts of ``image`` (uint8 RGB) that the store is asked with, and each of them mirrored."""
    parts = {name: _cut(_checked(image), name) for name in ASKED_VIEWS}
    return parts | {name + MIRRORED: np.ascontiguousarray(part[:, ::-1]) for name, part in parts.items()}


def stored_fingerprint(
    image: np.ndarray, label_free: np.ndarray | None = None, time_s: float = 0.0
) -> SecondFingerprint:
    """What the store keeps of one picture: views of ``image`` as published and of the same before its label was drawn.

    Both are uint8 RGB (h, w, 3).
    """
    kept = {name: _hashed(_cut(_checked(image), name)) for name in STORED_VIEWS}
    if label_free is not None:
        kept |= {LABEL_FREE + name: _hashed(_cut(_checked(label_free), name)) for name in STORED_VIEWS}
    return SecondFingerprint(time_s, kept)


def asked_fingerprint(image: np.ndarray, time_s: float = 0.0) -> SecondFingerprint:
    """What the store is asked with: the hashes of ``views(image)``, where ``image`` is uint8 RGB (h, w, 3)."""
    return SecondFingerprint(time_s, {name: _hashed(part) for name, part in views(image).items()})


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
            self._made.append(stored_fingerprint(image, label_free, time_s))
        else:
            self._made.append(asked_fingerprint(image, time_s))


def _cut(image: np.ndarray, name: str) -> np.ndarray:
    """The part of ``image`` that the view ``name`` shows; at least one pixel."""
    height, width = image.shape[:2]
    top, bottom, left, right = _CUTS[name]
    y, x = round(top * height), round(left * width)
    return image[y : max(round(bottom * height), y + 1), x : max(round(right * width), x + 1)]


def _checked(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise SettingsError("A fingerprint is made of a picture in 8-bit RGB. Convert it first.")
    return image


def _hashed(image: np.ndarray) -> PictureFingerprint:
    height, width = image.shape[:2]
    scale = _HASHED_PX / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    bits, quality = pdqhash.compute(small)
    return PictureFingerprint(np.packbits(bits.astype(np.uint8)).tobytes(), int(quality))


def usable(moments: Iterable[SecondFingerprint]) -> list[SecondFingerprint]:
    """Those with at least one hash that may be compared."""
    return [moment for moment in moments if any(made.usable for made in moment.views.values())]
