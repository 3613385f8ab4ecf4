"""What an interrupted swap leaves behind, so that the next run goes on there: a hidden folder beside the output.

It holds numbers and crops, never footage: where the faces are, and the faces as the network made them. The footage is
composed anew from them, so the file of a run that was interrupted is that of one that was not. When the output is
finished the folder goes.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from likeness.files import atomic_write, storage_error
from likeness.make.fit import Sample
from likeness.make.follow import Followed, Sightings

_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class MadeFaces:
    """Faces as the network made them: ``images`` uint8 (n, s, s, 3), ``masks`` uint8 (n, s, s) and ``fronts`` uint8
    (n, f, f), what is in front of them; f is 0 where that was not looked at."""

    images: np.ndarray
    masks: np.ndarray
    fronts: np.ndarray


class Workspace:
    """The folder beside ``out``. ``followed_key`` and ``made_key`` tell what the first and the second pass depend on;
    what was kept for others is thrown away."""

    def __init__(self, out: Path, followed_key: str, made_key: str) -> None:
        self.folder = out.with_name(f".{out.name}.swap")
        self._followed = f"followed-{followed_key}.npz"
        self._made = f"made-{made_key}-"
        if self.folder.is_dir():
            for path in self.folder.glob("*.npz"):
                if path.name != self._followed and not path.name.startswith(self._made):
                    path.unlink(missing_ok=True)

    def followed(self, follow: Callable[[], Followed]) -> Followed:
        """What ``follow`` gives, or gave when it was last run to its end."""
        path = self.folder / self._followed
        kept = _read(path)
        if kept is not None:
            return _unpacked(kept)
        found = follow()
        _write(path, _packed(found))
        return found

    def made(self, number: int, make: Callable[[], MadeFaces]) -> MadeFaces:
        """The faces of batch ``number``, made by ``make`` unless they are kept."""
        path = self.folder / f"{self._made}{number:06}.npz"
        kept = _read(path)
        if kept is not None and set(kept) == {"images", "masks", "fronts"}:
            return MadeFaces(**kept)
        faces = make()
        _write(path, vars(faces))
        return faces

    def remove(self) -> None:
        """Throw the folder away; nothing else depends on it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def key_of(parts: Sequence[Any]) -> str:
    """Sixteen hex digits that differ where any of ``parts`` does."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays in ``path``; None where there are none, or damaged ones, which are then made anew."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _DAMAGE:
        return None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    try:
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
    except OSError as error:
        raise storage_error(path, error) from error


def _packed(followed: Followed) -> dict[str, np.ndarray]:
    arrays = {"times": followed.times, "tracks": np.array(list(followed.sightings), np.int64)}
    for track, seen in followed.sightings.items():
        arrays |= {
            f"{track} frames": np.array(seen.frames, np.int64),
            f"{track} landmarks": np.stack(seen.landmarks),
            f"{track} area": np.array(seen.area),
            f"{track} crops": np.stack([sample.crop for sample in seen.samples]),
            f"{track} places": np.stack([sample.landmarks for sample in seen.samples]),
        }
    return arrays


def _unpacked(arrays: dict[str, np.ndarray]) -> Followed:
    sightings = {}
    for track in arrays["tracks"].tolist():
        pairs = zip(arrays[f"{track} crops"], arrays[f"{track} places"], strict=True)
        sightings[track] = Sightings(
            frames=arrays[f"{track} frames"].tolist(),
            landmarks=list(arrays[f"{track} landmarks"]),
            samples=[Sample(crop, landmarks) for crop, landmarks in pairs],
            area=float(arrays[f"{track} area"]),
            track=track,
        )
    return Followed(sightings, arrays["times"])
