"""The ledger: it only grows, shows alterations, and bears several writers."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.errors import StorageError
from likeness.prove.ledger import Entry, Ledger

ENTRY = Entry(output_sha256="a" * 64, path="/out.mp4", kind="swap", signer="Somebody")


def _filled(path: Path, count: int = 4) -> Ledger:
    ledger = Ledger(path)
    for number in range(count):
        ledger.record(replace(ENTRY, output_sha256=f"{number:064x}"))
    return ledger


def _alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"DROP TRIGGER no_update; DROP TRIGGER no_delete; {statement}")


def test_records_and_finds(own_home: Path) -> None:
    line = Ledger().record(ENTRY)
    assert (line.number, line.entry) == (1, ENTRY)
    assert Ledger().find(ENTRY.output_sha256) == Ledger().lines() == [line]
    assert Ledger().find("b" * 64) == []
    assert stat.S_IMODE((own_home / "ledger.sqlite").stat().st_mode) == 0o600


@given(path=st.text(max_size=20), model=st.none() | st.text(max_size=20))
@settings(max_examples=15, deadline=None)
def test_every_text_comes_back_and_chains(
    tmp_path_factory: pytest.TempPathFactory, path: str, model: str | None
) -> None:
    ledger = _filled(tmp_path_factory.mktemp("ledger") / "l.sqlite", 1)
    entry = replace(ENTRY, path=path.encode(errors="ignore").decode(), model=model and model.replace("\x00", ""))
    ledger.record(entry)
    assert ledger.lines()[-1].entry == entry
    assert ledger.verify_chain() is None


@pytest.mark.parametrize("statement", ["UPDATE ledger SET kind = 'camera'", "DELETE FROM ledger"])
def test_only_grows(tmp_path: Path, statement: str) -> None:
    ledger = _filled(tmp_path / "l.sqlite")
    with closing(sqlite3.connect(ledger.path)) as connection, pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE ledger SET path = '/other.mp4' WHERE number = 2;", 2),
        ("UPDATE ledger SET hash = previous WHERE number = 3;", 3),
        ("UPDATE ledger SET time = '2020-01-01T00:00:00.000+00:00' WHERE number = 1;", 1),
        ("DELETE FROM ledger WHERE number = 2;", 2),
        ("DELETE FROM ledger WHERE number = 1;", 1),
        ("UPDATE ledger SET number = 9 WHERE number = 4;", 4),
    ],
)
def test_alterations_break_the_chain_where_they_are(tmp_path: Path, statement: str, broken: int) -> None:
    ledger = _filled(tmp_path / "l.sqlite")
    assert ledger.verify_chain() is None
    _alter(ledger.path, statement)
    assert ledger.verify_chain() == broken


def test_many_writers_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: Ledger(path).record(replace(ENTRY, model=str(number))), range(24)))
    assert Ledger(path).verify_chain() is None
    assert sorted(int(line.entry.model or 0) for line in Ledger(path).lines()) == list(range(24))


def test_locked_ledger_is_one_clear_line(tmp_path: Path) -> None:
    ledger = _filled(tmp_path / "l.sqlite", 1)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="in use by another program"):
            Ledger(ledger.path, wait_s=0.05).record(ENTRY)
    assert len(ledger.lines()) == 1


@pytest.mark.parametrize(
    "content", [b"this is no database, whatever its name says" * 100, b"SQLite format 3\x00" + b"x" * 4096]
)
def test_corrupt_ledger_is_left_alone_and_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.sqlite"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged") as caught:
        Ledger(path).record(ENTRY)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_unwritable_place_is_one_clear_line() -> None:
    with pytest.raises(StorageError, match="could not be written"):
        Ledger(Path("/dev/null/l.sqlite")).record(ENTRY)
