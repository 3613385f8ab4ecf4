"""Open a video, picture or sound safely and stream what is in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np


@dataclass(frozen=True, eq=False)
class Frame:
    """``image`` uint8 RGB (height, width, 3), upright; ``time_s`` its true presentation time from the clip's start; ``index`` from 0."""

    image: np.ndarray
    time_s: float
    index: int


@dataclass(frozen=True)
class Limits:
    """What is still opened; anything larger is refused with one line."""

    max_pixels: int = 64_000_000
    max_duration_s: float = 6 * 3600
    max_streams: int = 16
    max_bytes: int = 64 << 30


@dataclass(frozen=True)
class Clip:
    """A local file that has been sniffed and probed. Nothing is held open: every call of ``frames`` streams anew."""

    path: Path
    kind: Literal["video", "picture", "sound"]
    container: str
    width: int
    height: int
    frame_rate: Fraction | None
    frame_count: int | None
    duration_s: float
    sample_rate: int | None
    channels: int | None
    rotation: int

    def frames(self, start_s: float = 0.0, end_s: float | None = None) -> Iterator[Frame]:
        """Stream the upright frames whose time lies in [start_s, end_s)."""
        raise NotImplementedError

    def samples(self) -> Iterator[np.ndarray]:
        """Stream the sound as float32 blocks (n, channels) in [-1, 1] at ``sample_rate``."""
        raise NotImplementedError


def open_clip(path: Path, limits: Limits | None = None) -> Clip:
    """Sniff, probe and bound ``path``; raises BadMediaError with one line."""
    raise NotImplementedError
