"""Pictures to mark: portraits, everyday photographs, frames of genuine clips, and synthetic actors, split by source.

A fifth of the sources, chosen by the digest of their names, is never trained on; evaluation uses only those.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from likeness.media.clip import open_clip
from likeness.progress import tracked

LONGEST = 640  # px, of the shorter side kept in memory
_HELD_OUT_SHARE = 0.2
_FRAMES_A_CLIP = 6


@dataclass(frozen=True)
class Picture:
    """``image`` uint8 RGB (H, W, 3); ``source`` names the person, photograph or clip it comes from."""

    image: np.ndarray
    source: str
    kind: str


def held_out(source: str) -> bool:
    """Whether ``source`` is kept for evaluation."""
    return int(hashlib.sha256(source.encode()).hexdigest()[:8], 16) / 16**8 < _HELD_OUT_SHARE


def pictures(data: Path, actors: Path | None, *, for_evaluation: bool) -> list[Picture]:
    """All pictures of one side of the split. ``actors`` is a folder that ``likeness cast`` wrote."""
    found = list(_files(data)) + list(_clips(data, actors))
    chosen = [(path, source, kind) for path, source, kind in found if held_out(source) == for_evaluation]
    loaded = []
    for path, source, kind in tracked(chosen, "Loading pictures", len(chosen), "files"):
        if path.suffix in (".mpg", ".mkv", ".mp4"):
            loaded += [Picture(frame, source, kind) for frame in _frames(path)]
        else:
            loaded.append(Picture(_read(path), source, kind))
    return loaded


def _files(data: Path) -> Iterator[tuple[Path, str, str]]:
    for folder in ("us_house", "us_senate"):
        for path in sorted((data / "portraits" / folder).glob("*.jpg")):
            yield path, f"portrait/{path.stem}", "portrait"
    for path in sorted((data / "photos").rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
            yield path, f"photo/{path.stem}", "photo"


def _clips(data: Path, actors: Path | None) -> Iterator[tuple[Path, str, str]]:
    for path in sorted((data / "talking_heads").glob("*.mpg")):
        speaker = "s1" if path.stem.startswith("s1_") or path.stem == "bbaf2n" else path.stem
        yield path, f"talking/{speaker}", "talking"
    for path in sorted((data / "signing").glob("*.mkv")):
        yield path, f"signing/{path.stem}", "signing"
    if actors is not None:
        for path in sorted(actors.glob("*.mp4")):
            yield path, f"actor/{path.stem.split('_')[0]}", "actor"


def _frames(path: Path) -> Iterator[np.ndarray]:
    clip = open_clip(path)
    for i in range(_FRAMES_A_CLIP):
        yield next(clip.frames((i + 0.5) * clip.duration_s / _FRAMES_A_CLIP)).image


def _read(path: Path) -> np.ndarray:
    image = next(open_clip(path).frames()).image
    scale = LONGEST / min(image.shape[:2])
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
