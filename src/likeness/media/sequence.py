"""Footage as numbered pictures in a folder, as compositing programs exchange it: read, and written with the label."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from likeness.errors import BadMediaError, SettingsError
from likeness.files import sha256_of, storage_error, write_text
from likeness.media import pictures
from likeness.media.clip import Clip
from likeness.media.frame import Frame
from likeness.media.limits import Limits
from likeness.media.sniff import EXR, PICTURES, LocalFile, sniff
from likeness.media.writer import Labelling, write_picture

SequenceKind = Literal["png", "exr"]

TIMING = "sequence.json"  # beside the pictures: when each is shown
_READ = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr")
_DIGITS = re.compile(r"(\d+)")


class SequenceLabelling(Labelling, Protocol):
    """What every picture of a sequence has to pass, and all of them in the end."""

    def finish(self, folder: Path, destination: Path) -> None:
        """Record the finished temporary ``folder``, which is to become ``destination``; raise to refuse."""
        ...


@dataclass(frozen=True)
class PictureSequence(Clip):
    """A clip whose frames are the ``files`` of the folder ``path``, shown one after another at ``frame_rate``."""

    files: tuple[Path, ...] = ()

    def digest(self) -> str:
        """SHA-256 over those of the files, as 64 hex digits."""
        return hashlib.sha256("".join(map(sha256_of, self.files)).encode()).hexdigest()

    def _stream(self, start_s: float, of_use: Callable[[float], bool]) -> Iterator[Frame]:
        assert self.frame_rate is not None
        for index, path in enumerate(self.files):
            time_s = float(index / self.frame_rate)
            if time_s >= start_s and of_use(time_s):
                [picture] = pictures.frames(_opened(path, self.limits), (self.width, self.height))
                yield Frame(picture.image, time_s, index)


def open_sequence(folder: Path, frame_rate: Fraction | None = None, limits: Limits | None = None) -> PictureSequence:
    """The pictures in ``folder`` in the order of the numbers in their names, each scaled to the size of the first.

    ``frame_rate``, frames a second, is needed unless the folder says it itself (as those written here do). Raises
    BadMediaError where there are no pictures or the first does not decode, and SettingsError without a frame rate.
    """
    folder, limits = Path(folder), limits or Limits()
    try:
        files = sorted((path for path in folder.iterdir() if path.suffix.lower() in _READ), key=_by_number)
    except OSError as error:
        raise BadMediaError(f"The folder {folder} cannot be read ({error.strerror}). Check its name.") from error
    if not files:
        raise BadMediaError(f"There are no pictures in {folder}. Name a folder of numbered pictures.")
    rate = frame_rate or _stated_rate(folder)
    if rate is None or not 0 < rate <= 1000:
        raise SettingsError(f"How fast are the pictures in {folder} shown? Say it with --fps, up to 1000 a second.")
    first = pictures.probe(_opened(files[0], limits))
    duration_s = float(len(files) / rate)
    if duration_s > limits.max_duration_s:
        raise BadMediaError(f"{folder} lasts more than the limit of {limits.max_duration_s / 60:.0f} min. Cut it.")
    return PictureSequence(
        path=folder, kind="video", container="sequence", width=first.width, height=first.height, frame_rate=rate,
        frame_count=len(files), duration_s=duration_s, sample_rate=None, channels=None, rotation=0, limits=limits,
        files=tuple(files),
    )  # fmt: skip


def write_sequence(
    folder: Path, frames: Iterable[Frame], *, kind: SequenceKind, frame_rate: Fraction, labelling: SequenceLabelling
) -> None:
    """Write ``frames`` as 000000.png, 000001.png, … (or .exr) into the new ``folder``, each labelled.

    When each is shown is written beside them. The folder is filled under a temporary name, recorded by the labelling
    and only then renamed, so that after an error or Ctrl-C there is none. Raises SettingsError where ``folder`` is
    there and not empty, BadMediaError where there are no frames, and StorageError.
    """
    folder = Path(folder)
    check_folder(folder)
    times: list[float] = []
    with _filled(folder) as temporary:
        for frame in frames:
            path = temporary / f"{len(times):06}.{kind}"
            write_picture(path, frame.image, labelling=labelling, time_s=frame.time_s)
            times.append(round(frame.time_s, 6))
        if not times:
            raise BadMediaError("There are no frames to write. Check the span that was asked for.")
        timing = {"frame_rate": str(Fraction(frame_rate)), "times_s": times}
        write_text(temporary / TIMING, json.dumps(timing) + "\n")
        labelling.finish(temporary, folder)


def check_folder(folder: Path) -> None:
    """Raise SettingsError unless a sequence can be written into ``folder``: it is new, or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is there already. Name a new folder for the pictures.")


@contextmanager
def _filled(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder`` that takes its name when the block succeeds, and goes when it does not."""
    temporary = None
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:20]}.", dir=folder.absolute().parent))
        temporary.chmod(0o755)
        yield temporary
        os.replace(temporary, folder)
        temporary = None
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _opened(path: Path, limits: Limits) -> LocalFile:
    file = sniff(path, limits)
    if file.container not in PICTURES and file.container != EXR:
        raise BadMediaError(f"{path} is no picture. Take it out of the folder.")
    return file


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sorts 2.png before 10.png."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(path.stem)]


def _stated_rate(folder: Path) -> Fraction | None:
    try:
        return Fraction(json.loads((folder / TIMING).read_text(encoding="utf-8"))["frame_rate"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None
