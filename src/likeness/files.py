"""Writing files so that a crash, an interrupt or a full disk never leaves half of one behind."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from likeness.errors import SettingsError, StorageError

_HASH_BLOCK = 1 << 20  # bytes
# A temporary name keeps so much of the final one, in characters of up to 4 bytes, that it never passes the 255 bytes
# that file systems allow.
_KEPT_STEM, _LONGEST_SUFFIX = 20, 16


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes the name ``path`` only when the block succeeds.

    The temporary path has the same suffix, unless that is over 16 characters long. Raises StorageError where the disk
    is full, the folder cannot be written, the name is too long or ``path`` is no plain file (a folder, a pipe, a
    device: renaming would put a file in its place); ``path`` then is as it was before.
    """
    path = Path(path)
    _refuse_special(path)
    temporary = None
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:_KEPT_STEM]}.", suffix=suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_output(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Find out before the work what would fail after it.

    Raises SettingsError where ``path`` is one of ``inputs``, StorageError where it is no plain file, lies below one or
    has a name that is too long or may not be looked at.
    """
    path = Path(path)
    _refuse_special(path)
    for source in map(Path, inputs):
        if _is_same(path, source):
            raise SettingsError(f"{path} would overwrite the file it is made from. Choose another output.")
    try:
        above = next(folder for folder in path.absolute().parents if folder.exists())
        for name in path.absolute().relative_to(above).parts:
            (above / name).exists()  # raises where a name is too long for a folder that is yet to be made
    except OSError as error:
        raise storage_error(path, error) from error
    if not above.is_dir():
        raise StorageError(f"{path} could not be written: {above} is a file, not a folder. Choose another output.")


def _is_same(path: Path, source: Path) -> bool:
    """Whether both names lead to one file; a source that cannot be looked at is refused where it is opened."""
    try:
        return path.samefile(source)
    except OSError:
        return False


def _refuse_special(path: Path) -> None:
    try:
        folder, special = path.is_dir(), path.exists() and not path.is_file()
    except OSError as error:
        raise storage_error(path, error) from error
    if folder:
        raise StorageError(f"{path} is a folder. Name a file in it.")
    if special:
        raise StorageError(f"{path} is a pipe or a device, and is not replaced by a file. Choose another output.")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, content.encode())


def storage_error(path: Path, error: OSError) -> StorageError:
    """Say in one line why ``path`` could not be written."""
    if error.errno == errno.ENOSPC:
        return StorageError(f"The disk is full, so {path} was not written. Free some space and run the command again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"No permission to write {path}. Choose another output or change its permissions.")
    return StorageError(f"{path} could not be written: {error.strerror or error}. Check the path and the disk.")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in blocks."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
