"""The store: what was made or published here, so that it is recognised once its metadata is gone.

One SQLite file in the user's own folder. Each work is a row with its credentials and its signed hash list; its
fingerprints lie packed in pages of 4096, 32 bytes a hash, which are held in memory and compared one after another: at
10⁶ hashes that takes a few milliseconds (docs/fingerprints.md), so there is no index that could disagree with them. A
work is added in one transaction, and nothing is ever removed or rewritten.
"""

import datetime as dt
import os
import sqlite3
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SkipValidation, ValidationError, field_validator

from likeness.errors import StorageError
from likeness.files import storage_error
from likeness.prove.fingerprint import (
    HASH_BYTES,
    MATCH_BITS,
    MIN_QUALITY,
    MIRRORED,
    PictureFingerprint,
    SecondFingerprint,
    asked_fingerprint,
)
from likeness.prove.home import home, private_folder
from likeness.prove.matching import WORDS, Alignment, Span, ViewPair, align, words
from likeness.prove.seconds import HashList

_WAIT_S = 10.0  # for another process to finish its work
_APPLICATION = 0x4C494B45  # "LIKE": tells our file from other people's databases
_SCHEMA_VERSION = 1
_PAGE = 4096  # hashes
_ASKED_EVERY = 3  # of the moments of a long clip that are searched for; with four a second every phase comes up
_FEW_ASKED = 24  # moments, six seconds: up to here all are searched for, as a third may miss a lively clip
_MOST_PAIRS = 4  # view pairs that a clip is laid along a work with

# What is known of each hash: its work, its time in the work in milliseconds, its view and its quality.
_OWNER = np.dtype([("work", "<i8"), ("time_ms", "<i4"), ("view", "<u2"), ("quality", "u1"), ("spare", "u1")])

_SCHEMA = f"""
CREATE TABLE store (id TEXT NOT NULL) STRICT;
CREATE TABLE views (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE works (
    number INTEGER PRIMARY KEY, mark_id TEXT, sha256 TEXT NOT NULL, record TEXT NOT NULL,
    manifest BLOB, hash_list TEXT, first_hash INTEGER NOT NULL, hashes INTEGER NOT NULL
) STRICT;
CREATE INDEX works_by_mark ON works (mark_id);
CREATE INDEX works_by_sha256 ON works (sha256);
CREATE TABLE pages (number INTEGER PRIMARY KEY, hashes BLOB NOT NULL, owners BLOB NOT NULL) STRICT;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_SCHEMA_VERSION};
"""


class Work(BaseModel):
    """One thing that was made or published here.

    ``mark_id`` is what its watermark says (10 hex digits), None if it was never marked; ``path`` is where it was
    written; ``origin`` what was done ("swap", "reenact", "portrait", "actor", "published"); ``source_type`` the last
    part of its IPTC digital source type; ``sha256`` that of the finished file, 64 hex digits; ``manifest`` its C2PA
    manifest store; ``label`` the visible label drawn on it. ``fingerprints`` in the order of time: one at 0 s for a
    picture, one a second for a clip (``likeness.prove.fingerprint``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mark_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{10}$")
    title: str
    path: str
    kind: Literal["picture", "clip", "sound"]
    made_at: AwareDatetime
    origin: str
    source_type: str | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    manifest: bytes | None = None
    label: Literal["AI"] | None = None
    fingerprints: Annotated[tuple[SecondFingerprint, ...], SkipValidation] = ()
    hash_list: HashList | None = None
    signer: str | None = None

    @field_validator("title", "path")
    @classmethod
    def _as_text(cls, name: str) -> str:
        """File names need not be Unicode; what is not becomes a question mark."""
        return name.encode(errors="replace").decode()

    @field_validator("made_at")
    @classmethod
    def _in_utc(cls, time: dt.datetime) -> dt.datetime:
        return time.astimezone(dt.UTC)


@dataclass(frozen=True)
class Match:
    """A work that looks like what was asked for.

    ``distance`` in bits of 256: of the nearest pair of views for a picture, the median of the matching seconds for a
    clip. ``asked_view`` (without "mirrored") and ``stored_view`` name that pair. For a picture ``times_s`` are the
    times in the work that it matches, nearest first; for a clip ``alignment`` says which seconds match, which do not
    and where they lie.
    """

    work: Work
    distance: int
    asked_view: str
    stored_view: str
    mirrored: bool
    times_s: tuple[float, ...] = ()
    alignment: Alignment | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The stretches of the asked clip that run along the work; none for a picture."""
        return self.alignment.spans if self.alignment else ()

    @property
    def seconds_matched(self) -> int:
        """How many stored seconds match; 0 for a picture."""
        return self.alignment.matched if self.alignment else 0


class _Hits(NamedTuple):
    """Stored hashes near one asked hash: ``owners`` (n,) of type _OWNER and ``distances`` (n,) in bits."""

    asked_view: str
    owners: np.ndarray
    distances: np.ndarray


class Store:
    """The store in one SQLite file, by default the user's own. Each call opens and closes it: processes share it.

    The packed hashes stay in memory between the calls of one Store (48 bytes each) and are added to as the file grows;
    threads take a Store each.
    Every method raises StorageError in one line where the file is locked for long, damaged, of another program, of a
    newer version or cannot be written; the file is then as it was. Asking a store that is not there finds nothing and
    makes nothing.
    """

    def __init__(self, path: Path | None = None, wait_s: float = _WAIT_S) -> None:
        self.path = path or home() / "store.sqlite"
        self.wait_s = wait_s
        self._held = _HeldPages()

    def record(self, work: Work) -> None:
        """Add ``work`` with its fingerprints and its hash list; all of it is on the disk when this returns."""
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _create_if_new(connection)
            rows = [(moment.time_s, view, made) for moment in work.fingerprints for view, made in moment.views.items()]
            codes = _view_codes(connection, dict.fromkeys(view for _, view, _ in rows))
            page, page_hashes, page_owners = _last_page(connection)
            first = page * _PAGE + len(page_owners) // _OWNER.itemsize
            if first != _hash_count(connection):
                raise sqlite3.DatabaseError("works and their fingerprints do not belong together")
            cursor = connection.execute(
                "INSERT INTO works (mark_id, sha256, record, manifest, hash_list, first_hash, hashes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    work.mark_id,
                    work.sha256,
                    work.model_dump_json(exclude={"manifest", "fingerprints", "hash_list"}),
                    work.manifest,
                    work.hash_list.model_dump_json() if work.hash_list else None,
                    first,
                    len(rows),
                ),
            )
            owners = np.zeros(len(rows), _OWNER)
            owners["work"] = cursor.lastrowid
            owners["time_ms"] = [round(1000 * time_s) for time_s, _, _ in rows]
            owners["view"] = [codes[view] for _, view, _ in rows]
            owners["quality"] = [made.quality for _, _, made in rows]
            hashes = page_hashes + b"".join(made.hash for _, _, made in rows)
            _write_pages(connection, page, hashes, page_owners + owners.tobytes())
            connection.execute("COMMIT")

    def get(self, mark_id: str) -> Work | None:
        """The work with this watermark; the last one recorded where there are several."""
        with self._reading() as connection:
            return _first_work(connection, "mark_id = ?", mark_id)

    def find_by_sha256(self, sha256: str) -> Work | None:
        """The work whose finished file has this SHA-256 (64 hex digits); the last one recorded."""
        with self._reading() as connection:
            return _first_work(connection, "sha256 = ?", sha256)

    def count(self) -> tuple[int, int]:
        """How many works and how many hashes there are."""
        with self._reading() as connection:
            if connection is None:
                return 0, 0
            return int(_only(connection, "SELECT count(*) FROM works")), _hash_count(connection)

    def find_picture(self, image: np.ndarray, most: int = 20) -> list[Match]:
        """The works that ``image`` (uint8 RGB) matches, nearest first, at most ``most``: pictures and stills of clips.

        A picture too flat for its hash to mean anything matches nothing.
        """
        with self._reading() as connection:
            if connection is None:
                return []
            hits = list(self._search(connection, [asked_fingerprint(image)]))
            if not hits:
                return []
            names = _view_names(connection)
            owners, distances = (np.concatenate([getattr(hit, name) for hit in hits]) for name in _Hits._fields[1:])
            asked_views = np.repeat([hit.asked_view for hit in hits], [len(hit.owners) for hit in hits])
            order = np.argsort(distances, kind="stable")
            works, firsts = np.unique(owners["work"][order], return_index=True)
            matches = []
            for number, nearest in sorted(zip(works, order[firsts], strict=True), key=lambda one: distances[one[1]])[
                :most
            ]:
                times_ms = owners["time_ms"][order][owners["work"][order] == number]
                asked_view = str(asked_views[nearest])
                matches.append(
                    Match(
                        work=_work(connection, int(number)),
                        distance=int(distances[nearest]),
                        asked_view=asked_view.removesuffix(MIRRORED),
                        stored_view=names[int(owners["view"][nearest])],
                        mirrored=asked_view.endswith(MIRRORED),
                        times_s=tuple(dict.fromkeys((times_ms / 1000).tolist())),
                    )
                )
            return matches

    def find_clip(self, seconds: Sequence[SecondFingerprint], most: int = 20) -> list[Match]:
        """The works that a clip matches, those with most matching seconds first, at most ``most``.

        ``seconds`` come from ``ClipFingerprinter("asked")``. At least three stored seconds that differ among themselves
        have to match, fewer only where clip or work has fewer. A clip played faster or slower is not found.
        """
        with self._reading() as connection:
            if connection is None:
                return []
            pairs: dict[tuple[int, bool], Counter[ViewPair]] = defaultdict(Counter)
            step = _ASKED_EVERY if len(seconds) > _FEW_ASKED else 1
            names = _view_names(connection)
            for hits in self._search(connection, seconds[::step]):
                keys = hits.owners["work"] << 16 | hits.owners["view"]
                for key, weight in _summed(keys, MATCH_BITS + 1 - hits.distances):
                    mirrored = hits.asked_view.endswith(MIRRORED)
                    pairs[key >> 16, mirrored][hits.asked_view, names[key & 0xFFFF]] += weight
            matches = []
            likeliest = sorted(pairs.items(), key=lambda found: -max(found[1].values()))[: 2 * most]
            for (number, mirrored), votes in likeliest:
                work = _work(connection, number)
                common = [pair for pair, _ in votes.most_common(_MOST_PAIRS)]
                alignment = align(seconds, work.fingerprints, common)
                if alignment is not None:
                    asked_view, stored_view = alignment.view_pair
                    asked_view = asked_view.removesuffix(MIRRORED)
                    matches.append(
                        Match(work, alignment.distance, asked_view, stored_view, mirrored, alignment=alignment)
                    )
            matches.sort(key=lambda match: (-match.seconds_matched, match.distance))
            return matches[:most]

    def _search(self, connection: sqlite3.Connection, asked: Sequence[SecondFingerprint]) -> Iterator[_Hits]:
        """Every stored hash within 31 bits of an asked one, both of sufficient quality."""
        self._held.refresh(connection)
        for moment in asked:
            for asked_view, made in moment.views.items():
                if made.usable and len((hits := self._held.near(asked_view, made.hash)).owners):
                    yield hits

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            private_folder(self.path.parent)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # it names people's files: for its owner only
            with closing(self._connected("rw")) as connection:
                connection.execute("BEGIN")  # or another writer may make the tables between two questions
                _check(connection, self.path)
                connection.execute("COMMIT")
                # One file and no others beside it when at rest, so that a copy of it is whole; see docs.
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = EXTRA")
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection for reading, None where nothing has been recorded; works in a read-only folder, too."""
        with self._explained():
            if not self.path.exists():
                yield None
                return
            # A store left by a crash is rolled back at the next opening, which needs the right to write.
            repairable = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
            with closing(self._connected("rw" if repairable else "ro")) as connection:
                connection.execute("BEGIN")  # all queries of one call see one state of the file
                yield connection if _check(connection, self.path) else None

    def _connected(self, mode: str) -> sqlite3.Connection:
        if not self.path.is_file():
            raise StorageError(f"{self.path} is no plain file, so it is no store. Move it away.")
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, timeout=self.wait_s, isolation_level=None)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_error(self.path, error) from error
        except sqlite3.Error as error:
            raise _explanation(self.path, error) from error


class _HeldPages:
    """The packed hashes in memory, a word of each after another: for every page uint64 (4, n), and its owners."""

    def __init__(self) -> None:
        self._store_id = ""
        self._pages: list[tuple[np.ndarray, np.ndarray]] = []

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Read what was added to the file since the last time; all of it where it is another file."""
        store_id = _only(connection, "SELECT id FROM store")
        if store_id is None:
            raise sqlite3.DatabaseError("its own name is missing")
        if store_id != self._store_id:
            self._store_id, self._pages = store_id, []
        if self._pages and len(self._pages[-1][1]) < _PAGE:
            self._pages.pop()
        rows = connection.execute(
            "SELECT number, hashes, owners FROM pages WHERE number >= ? ORDER BY number", (len(self._pages),)
        )
        for number, hashes, owners in rows:
            made, known = _unpacked(hashes, owners)
            if number != len(self._pages):
                raise sqlite3.DatabaseError("pages are missing")
            self._pages.append((np.ascontiguousarray(made.T), known))
        if sum(len(owners) for _, owners in self._pages) != _hash_count(connection):
            raise sqlite3.DatabaseError("works and their fingerprints do not belong together")

    def near(self, asked_view: str, wanted: bytes) -> _Hits:
        """All hashes of sufficient quality within 31 bits of ``wanted``. Half of each is looked at before the rest:
        that is enough to be rid of nearly all."""
        word = words([wanted])[0]
        found: list[tuple[np.ndarray, np.ndarray]] = []
        for made, owners in self._pages:
            bits = np.bitwise_count(made[0] ^ word[0])
            bits += np.bitwise_count(made[1] ^ word[1])
            near = np.flatnonzero(bits <= MATCH_BITS)
            if not len(near):
                continue
            distances = bits[near] + np.bitwise_count(made[2:, near] ^ word[2:, None]).sum(axis=0)
            kept = (distances <= MATCH_BITS) & (owners["quality"][near] >= MIN_QUALITY)
            if kept.any():
                found.append((owners[near[kept]], distances[kept].astype(np.int64)))
        if not found:
            return _Hits(asked_view, np.empty(0, _OWNER), np.empty(0, np.int64))
        return _Hits(asked_view, *(np.concatenate(part) for part in zip(*found, strict=True)))


def _check(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a store, or new and empty. Raises StorageError where it is something else."""
    application = _only(connection, "PRAGMA application_id")
    version = _only(connection, "PRAGMA user_version")
    tables = _only(connection, "SELECT count(*) FROM sqlite_master")
    if not application and not version and not tables:
        return False
    if application != _APPLICATION:
        raise StorageError(f"{path} is a database of another program, not a store. Move it away to start a new one.")
    if version > _SCHEMA_VERSION:
        raise StorageError(f"The store {path} was written by a newer version of Likeness. Update Likeness to use it.")
    return True


def _create_if_new(connection: sqlite3.Connection) -> None:
    """Make the tables inside the running transaction, which ``executescript`` would end."""
    if _only(connection, "SELECT count(*) FROM sqlite_master"):
        return
    for statement in filter(str.strip, _SCHEMA.split(";")):
        connection.execute(statement)
    connection.execute("INSERT INTO store VALUES (?)", (uuid.uuid4().hex,))


def _view_codes(connection: sqlite3.Connection, views: Iterable[str]) -> dict[str, int]:
    """The number that stands for each view in the pages; new ones are added."""
    for view in views:
        connection.execute("INSERT OR IGNORE INTO views (name) VALUES (?)", (view,))
    return {name: code for code, name in _view_names(connection).items()}


class _ViewNames(dict[int, str]):
    """Names of views by the numbers that stand for them."""

    def __missing__(self, code: int) -> str:
        raise sqlite3.DatabaseError(f"the view {code} has no name")


def _view_names(connection: sqlite3.Connection) -> _ViewNames:
    return _ViewNames(connection.execute("SELECT code, name FROM views"))


def _only(connection: sqlite3.Connection, query: str) -> Any:
    """The one value that ``query`` gives; None where it gives none."""
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _hash_count(connection: sqlite3.Connection) -> int:
    """How many hashes there have to be: the works' runs of them follow one another."""
    return int(_only(connection, "SELECT first_hash + hashes FROM works ORDER BY number DESC LIMIT 1") or 0)


def _last_page(connection: sqlite3.Connection) -> tuple[int, bytes, bytes]:
    """Number and contents of the page that is being filled."""
    row = connection.execute("SELECT number, hashes, owners FROM pages ORDER BY number DESC LIMIT 1").fetchone()
    if row is None:
        return 0, b"", b""
    number, hashes, owners = row
    _unpacked(hashes, owners)
    return (number, hashes, owners) if len(hashes) < _PAGE * HASH_BYTES else (number + 1, b"", b"")


def _write_pages(connection: sqlite3.Connection, first: int, hashes: bytes, owners: bytes) -> None:
    """Write ``hashes`` and ``owners`` into pages from number ``first`` on."""
    for index in range(-(-len(hashes) // (_PAGE * HASH_BYTES))):
        part, whose = _PAGE * HASH_BYTES, _PAGE * _OWNER.itemsize
        values = (hashes[index * part : (index + 1) * part], owners[index * whose : (index + 1) * whose])
        connection.execute("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", (first + index, *values))


def _unpacked(hashes: bytes, owners: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Uint64 (n, 4) and owners (n,) of a page; DatabaseError where the two do not belong together."""
    count, rest = divmod(len(hashes), HASH_BYTES)
    if rest or not 0 < count <= _PAGE or len(owners) != count * _OWNER.itemsize:
        raise sqlite3.DatabaseError("a page has an impossible length")
    return np.frombuffer(hashes, np.uint64).reshape(count, WORDS), np.frombuffer(owners, _OWNER)


def _first_work(connection: sqlite3.Connection | None, condition: str, value: str) -> Work | None:
    if connection is None:
        return None
    row = connection.execute(
        f"SELECT number FROM works WHERE {condition} ORDER BY number DESC LIMIT 1", (value,)
    ).fetchone()
    return _work(connection, row[0]) if row else None


def _work(connection: sqlite3.Connection, number: int) -> Work:
    """The work of that number, whole; DatabaseError where its record is not what was written."""
    row = connection.execute(
        "SELECT record, manifest, hash_list, first_hash, hashes FROM works WHERE number = ?", (number,)
    ).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("a work is missing")
    record, manifest, listed, first, count = row
    fingerprints = _fingerprints(connection, number, first, count)
    try:
        work = Work.model_validate_json(record)
        hash_list = HashList.model_validate_json(listed) if listed else None
    except ValidationError as error:
        raise sqlite3.DatabaseError("a record in it cannot be read") from error
    return work.model_copy(update={"manifest": manifest, "fingerprints": fingerprints, "hash_list": hash_list})


def _fingerprints(connection: sqlite3.Connection, work: int, first: int, count: int) -> tuple[SecondFingerprint, ...]:
    """Hashes ``first`` to ``first`` + ``count`` of the pages, moment by moment."""
    names = _view_names(connection)
    moments: dict[int, dict[str, PictureFingerprint]] = {}
    pages = connection.execute(
        "SELECT number, hashes, owners FROM pages WHERE number BETWEEN ? AND ? ORDER BY number",
        (first // _PAGE, (first + max(count, 1) - 1) // _PAGE),
    )
    read = 0
    for number, hashes, packed in pages if count else ():
        _, owners = _unpacked(hashes, packed)
        start = max(first - number * _PAGE, 0)
        for place in range(start, min(first + count - number * _PAGE, len(owners))):
            owner, time_ms, view, quality, _ = owners[place].item()
            if owner != work:
                raise sqlite3.DatabaseError("a work and its fingerprints do not belong together")
            made = PictureFingerprint(hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES], quality)
            moments.setdefault(time_ms, {})[names[view]] = made
            read += 1
    if read != count:
        raise sqlite3.DatabaseError("fingerprints are missing")
    return tuple(SecondFingerprint(time_ms / 1000, views) for time_ms, views in moments.items())


def _summed(keys: np.ndarray, weights: np.ndarray) -> Iterator[tuple[int, int]]:
    """Each key once, with the sum of its weights."""
    unique, places = np.unique(keys, return_inverse=True)
    yield from zip(unique.tolist(), np.bincount(places, weights).astype(int).tolist(), strict=True)


def _explanation(path: Path, error: sqlite3.Error) -> StorageError:
    """One line for what SQLite reports (its result codes: sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(f"The store {path} is in use by another program. Let it finish and run this again.")
    if code.startswith("SQLITE_FULL"):
        return StorageError(f"The disk is full, so {path} was not written. Free some space and run this again.")
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StorageError(f"No permission to use {path}. Change its permissions and run this again.")
    if code.startswith("SQLITE_IOERR"):
        return StorageError(f"{path} could not be read or written ({error}). Check the disk and run this again.")
    return StorageError(
        f"The store {path} is damaged ({error}). Restore it from a backup, or move it away to start a new one."
    )
