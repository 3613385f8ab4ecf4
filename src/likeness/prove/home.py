"""The user's own folder: signing identity, trust list and ledger live in it, and nobody else reads it."""

import os
from pathlib import Path

from platformdirs import user_data_dir

from likeness.errors import StorageError
from likeness.files import atomic_write, storage_error

HOME_VARIABLE = "LIKENESS_HOME"
_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700


def home() -> Path:
    """The folder named by LIKENESS_HOME, else the platform's place for user data. It need not exist.

    Raises StorageError where LIKENESS_HOME names the home of an unknown user, or a file, which can hold nothing.
    """
    named = os.environ.get(HOME_VARIABLE)
    try:
        folder = Path(named).expanduser() if named else Path(user_data_dir("likeness", appauthor=False))
    except RuntimeError as error:
        raise StorageError(f"{HOME_VARIABLE} is {named}, but there is no such user. Name a folder.") from error
    there = next((path for path in (folder, *folder.parents) if os.path.exists(path)), folder)
    if os.path.exists(there) and not os.path.isdir(there):
        raise StorageError(f"{there} is a file and no folder. Let {HOME_VARIABLE} name a folder.")
    return folder


def private_folder(folder: Path) -> Path:
    """Make ``folder`` and its missing parents, for their owner only. Raises StorageError."""
    try:
        for missing in [*reversed([parent for parent in folder.parents if not parent.exists()]), folder]:
            missing.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder


def write_private(path: Path, content: bytes) -> None:
    """Write ``content`` atomically to a file that only its owner can read; the mode is set before the first byte."""
    with atomic_write(path) as temporary:
        temporary.chmod(_PRIVATE_FILE)
        temporary.write_bytes(content)
