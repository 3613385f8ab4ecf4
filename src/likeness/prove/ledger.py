"""The ledger: one line for everything this computer has made, in a chain that shows later alterations.

Each line holds the hash of the one before, so a changed, removed or inserted line breaks the chain from there on.
Cutting lines off its end, or rewriting all of it, cannot be seen from the file alone: the ledger is for its owner, not
against them.
"""

import datetime as dt
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from likeness.errors import StorageError
from likeness.files import storage_error
from likeness.prove.home import home, private_folder

_WAIT_S = 10.0  # for another process to finish its line
_GENESIS = "0" * 64

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL,
    output_sha256 TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL,
    model TEXT, source_sha256 TEXT, consent_sha256 TEXT, signer TEXT NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_output ON ledger (output_sha256);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""


@dataclass(frozen=True)
class Entry:
    """What was made: the finished file's hash and place, by what, from what, with whose consent, signed by whom."""

    output_sha256: str
    path: str
    kind: str
    signer: str
    model: str | None = None
    source_sha256: str | None = None
    consent_sha256: str | None = None


@dataclass(frozen=True)
class Line:
    """An entry in its place: ``number`` from 1, ``time`` ISO 8601 in UTC, ``hash`` 64 hex digits over all before."""

    number: int
    time: str
    entry: Entry
    previous: str
    hash: str


_ENTRY_FIELDS = tuple(field.name for field in fields(Entry))
_COLUMNS = ("number", "time", *_ENTRY_FIELDS, "previous", "hash")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM ledger"
_INSERT = f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"


class Ledger:
    """The ledger in one SQLite file, by default the user's own. Each call opens and closes it: processes can share it.

    Every method raises StorageError in one line where the file is locked for long, damaged or cannot be written.
    """

    def __init__(self, path: Path | None = None, wait_s: float = _WAIT_S) -> None:
        self.path = path or home() / "ledger.sqlite"
        self.wait_s = wait_s

    def record(self, entry: Entry, now: dt.datetime | None = None) -> Line:
        """Append ``entry``; it is on the disk when this returns."""
        time = (now or dt.datetime.now(dt.UTC)).isoformat(timespec="milliseconds")
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")  # nobody else appends between the last hash and ours
            last = connection.execute("SELECT number, hash FROM ledger ORDER BY number DESC LIMIT 1").fetchone()
            number, previous = (last[0] + 1, last[1]) if last else (1, _GENESIS)
            line = Line(number, time, entry, previous, _chained(number, time, entry, previous))
            values = (number, time, *(getattr(entry, name) for name in _ENTRY_FIELDS), previous, line.hash)
            connection.execute(_INSERT, values)
            connection.execute("COMMIT")
        return line

    def lines(self) -> list[Line]:
        """All lines, oldest first."""
        with self._open() as connection:
            return [_line(row) for row in connection.execute(f"{_SELECT} ORDER BY number")]

    def find(self, output_sha256: str) -> list[Line]:
        """The lines about one output."""
        with self._open() as connection:
            rows = connection.execute(f"{_SELECT} WHERE output_sha256 = ? ORDER BY number", (output_sha256,))
            return [_line(row) for row in rows]

    def verify_chain(self) -> int | None:
        """The number of the first line that does not fit the chain, or None where all do."""
        previous = _GENESIS
        for expected, line in enumerate(self.lines(), start=1):
            fits = line.number == expected and line.previous == previous
            if not fits or line.hash != _chained(line.number, line.time, line.entry, line.previous):
                return expected
            previous = line.hash
        return None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            private_folder(self.path.parent)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # it names people's files: for its owner only
            with closing(sqlite3.connect(self.path, timeout=self.wait_s, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
                yield connection
        except OSError as error:
            raise storage_error(self.path, error) from error
        except sqlite3.DatabaseError as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.DatabaseError) -> StorageError:
        text = str(error)
        if "locked" in text or "busy" in text:
            return StorageError(
                f"The ledger {self.path} is in use by another program. Let it finish and run this again."
            )
        if "full" in text:
            return StorageError(
                f"The disk is full, so {self.path} was not written. Free some space and run this again."
            )
        if "readonly" in text or "unable to open" in text:
            return StorageError(f"No permission to write {self.path}. Change its permissions and run this again.")
        return StorageError(
            f"The ledger {self.path} is damaged ({text}). Restore it, or move it away to start a new one."
        )


def _chained(number: int, time: str, entry: Entry, previous: str) -> str:
    """SHA-256 over the line's canonical JSON, which holds the hash of the line before."""
    content = {"number": number, "time": time, "previous": previous, **asdict(entry)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _line(row: tuple) -> Line:
    values = dict(zip(_COLUMNS, row, strict=True))
    entry = Entry(**{name: values[name] for name in _ENTRY_FIELDS})
    return Line(values["number"], values["time"], entry, values["previous"], values["hash"])
