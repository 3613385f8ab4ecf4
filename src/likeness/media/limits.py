"""How much of a stranger's file we are willing to open."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is still opened; anything larger is refused with one line."""

    max_pixels: int = 64_000_000
    max_duration_s: float = 6 * 3600
    max_streams: int = 16
    max_bytes: int = 64 << 30
