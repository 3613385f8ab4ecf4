"""The store: what goes in is found again, by several processes, and no trouble with the file loses anything."""

import multiprocessing
import os
import resource
import signal
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictured import moving, scene, work

import likeness.prove.store as store_module
from likeness.errors import StorageError
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.fingerprint import (
    LABEL_FREE,
    ClipFingerprinter,
    PictureFingerprint,
    SecondFingerprint,
    stored_fingerprint,
)
from likeness.prove.seconds import HashList, SecondHash
from likeness.prove.store import Store


def _film(seed: int, start_s: float, seconds: int, role: str = "stored") -> list[SecondFingerprint]:
    fingerprinter = ClipFingerprinter(role)  # type: ignore[arg-type]
    for i in range(10 * seconds):
        fingerprinter.update(moving(seed, start_s + i / 10, 128), i / 10)
    return fingerprinter.finish()


def _random_hashes(count: int, seed: int) -> list[SecondFingerprint]:
    """A clip of ``count`` seconds with one random hash each."""
    made = np.random.default_rng(seed).bytes(32 * count)
    hashes = (PictureFingerprint(made[32 * i : 32 * i + 32], 100) for i in range(count))
    return [SecondFingerprint(i + 0.5, {"whole": one}) for i, one in enumerate(hashes)]


def test_a_work_comes_back_whole(own_home: Path) -> None:
    second = SecondHash(packets=25, first="0" * 16, sha256="a" * 64)
    listed = HashList(mark_id=f"{7:010x}", pictures=(second, None, second))
    made = work(7, *_film(1, 0, 3), hash_list=listed)
    store = Store()
    store.record(made)
    assert store.get(made.mark_id or "") == store.find_by_sha256(made.sha256) == made
    assert store.get("ffffffffff") is None
    assert store.find_by_sha256("f" * 64) is None
    assert stat.S_IMODE((own_home / "store.sqlite").stat().st_mode) == 0o600
    assert [path.name for path in own_home.iterdir()] == ["store.sqlite"]


@given(
    title=st.text(max_size=20),
    views=st.lists(
        st.tuples(st.text(max_size=6), st.binary(min_size=32, max_size=32), st.integers(0, 100)), max_size=6
    ),
    times_ms=st.lists(st.integers(0, 10**7), max_size=5, unique=True),
)
@settings(max_examples=6)
def test_every_work_comes_back(
    tmp_path_factory: pytest.TempPathFactory, title: str, views: list[tuple[str, bytes, int]], times_ms: list[int]
) -> None:
    named = {name: PictureFingerprint(made, quality) for name, made, quality in views}
    moments = [SecondFingerprint(time_ms / 1000, named) for time_ms in sorted(times_ms) if named]
    made = work(1, *moments, title=title)
    store = Store(tmp_path_factory.mktemp("store") / "s.sqlite")
    store.record(work(0, *_random_hashes(3, 0)))
    store.record(made)
    assert store.get(made.mark_id or "") == made


def test_the_last_work_with_a_mark_counts() -> None:
    store = Store()
    store.record(work(1, title="first"))
    store.record(work(1, title="second"))
    found = store.get(f"{1:010x}")
    assert found is not None
    assert found.title == "second"
    assert store.count() == (2, 0)


def test_pictures_are_found_altered_mirrored_and_without_their_label() -> None:
    store = Store()
    for number in range(6):
        published = scene(number)
        published[:40, -60:] = 255
        store.record(work(number, stored_fingerprint(published, scene(number))))
    for asked, mirrored in ((scene(3)[:, ::-1], True), (scene(3)[8:-8, 8:-8], False)):
        (match,) = store.find_picture(np.ascontiguousarray(asked))
        assert (match.work.title, match.mirrored) == ("Work 3", mirrored)
        assert match.stored_view.startswith(LABEL_FREE)
        assert match.times_s == (0.0,)
    assert store.find_picture(scene(77)) == []
    assert store.find_picture(np.zeros((16, 16, 3), np.uint8)) == []


def test_nearest_first_and_no_more_than_asked_for() -> None:
    store = Store()
    for number in range(4):
        noise = np.random.default_rng(number).normal(0, 12 * number, (256, 256, 3))
        store.record(work(number, stored_fingerprint(np.clip(scene(5) + noise, 0, 255).astype(np.uint8))))
    found = store.find_picture(scene(5), most=3)
    assert found[0].work.title == "Work 0"
    assert [match.distance for match in found] == sorted(match.distance for match in found)
    assert len(found) == 3


def test_an_excerpt_of_a_clip_is_found_and_a_still_of_it_too() -> None:
    store = Store()
    for number in range(3):
        store.record(work(number, *_film(number, 0, 9)))
    (match,) = store.find_clip(_film(1, 3, 5, "asked"))
    assert match.work.title == "Work 1"
    assert [span.work_s for span in match.spans] == [(3, 8)]
    assert match.seconds_matched == 5
    assert not match.mirrored
    (still,) = store.find_picture(moving(1, 4.5, 128))
    assert still.work.title == "Work 1"
    assert still.times_s[0] == 4.5
    assert store.find_clip(_film(9, 0, 4, "asked")) == []
    assert store.find_clip([]) == []


def test_shipped_footage_is_found_at_half_size_and_crf_35(tmp_path: Path) -> None:
    store = Store()
    for number, take in enumerate((footage().actor_a, footage().actor_b)):
        kept = ClipFingerprinter()
        for frame in open_clip(take.path).frames(end_s=5.0):
            kept.update(frame.image, frame.time_s)
        store.record(work(number, *kept.finish(), title=take.path.name))
    with av.open(str(tmp_path / "again.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "35"})
        stream.width = stream.height = 192
        for frame in open_clip(footage().actor_a.path).frames(1.0, 5.0):
            small = cv2.resize(frame.image, (192, 192), interpolation=cv2.INTER_AREA)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(small, np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    asked = ClipFingerprinter("asked")
    for frame in open_clip(tmp_path / "again.mp4").frames():
        asked.update(frame.image, frame.time_s)
    (match,) = store.find_clip(asked.finish())
    assert match.work.title == footage().actor_a.path.name
    assert match.seconds_matched == 4
    assert match.spans[0].work_s == (1, 5)


@given(near=st.integers(0, 40), place=st.integers(0, 9000))
@settings(max_examples=25)
def test_search_finds_what_is_within_31_bits_and_only_that(
    searched: tuple[Store, list[SecondFingerprint]], near: int, place: int
) -> None:
    store, moments = searched
    wanted = moments[place].views["whole"].hash
    rng = np.random.default_rng(place)
    bits = np.unpackbits(np.frombuffer(wanted, np.uint8))
    bits[rng.choice(256, near, replace=False)] ^= 1
    asked = [SecondFingerprint(0.0, {"whole": PictureFingerprint(np.packbits(bits).tobytes(), 100)})]
    with store._reading() as connection:
        assert connection is not None
        found = [
            (owner["time_ms"], int(distance))
            for hits in store._search(connection, asked)
            for owner, distance in zip(hits.owners, hits.distances, strict=True)
        ]
    assert found == ([(1000 * place + 500, near)] if near <= 31 else [])


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[SecondFingerprint]]:
    """A store with a clip of 9001 seconds, which fills two pages and begins a third."""
    moments = _random_hashes(9001, 4)
    store = Store(tmp_path_factory.mktemp("searched") / "s.sqlite")
    store.record(work(1, *moments))
    return store, moments


def test_low_quality_never_matches(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    (moment,) = _random_hashes(1, 0)
    poor = SecondFingerprint(0.0, {"whole": PictureFingerprint(moment.views["whole"].hash, 49)})
    store.record(work(1, poor))
    assert store.find_clip([moment]) == []
    store.record(work(2, moment))
    assert [match.work.title for match in store.find_clip([moment])] == ["Work 2"]
    assert store.find_clip([poor]) == []


def test_a_store_sees_what_others_add(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    one, other = Store(path), Store(path)
    moments = _random_hashes(5000, 1)
    for number in range(10):
        one.record(work(number, *moments[500 * number : 500 * (number + 1)]))
        assert [match.work.title for match in other.find_clip(moments[500 * number : 500 * number + 5])] == [
            f"Work {number}"
        ]


def test_another_file_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    path, (moment,) = tmp_path / "s.sqlite", _random_hashes(1, 0)
    store = Store(path)
    store.record(work(1, moment))
    assert store.find_clip([moment])
    path.rename(tmp_path / "old.sqlite")
    assert store.find_clip([moment]) == []
    Store(path).record(work(2))
    assert store.find_clip([moment]) == []


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: Store(path).record(work(number, *_random_hashes(3, number))), range(16)))
    store = Store(path)
    assert store.count() == (16, 48)
    for number in range(16):
        assert [match.work.title for match in store.find_clip(_random_hashes(3, number))] == [f"Work {number}"]


def test_a_store_that_another_writer_makes_meanwhile_is_no_foreign_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between asking whose file it is and whether it has tables, somebody else made the store."""
    path, asked = tmp_path / "s.sqlite", store_module._only
    waiting = [work(1, *_random_hashes(3, 1))]

    def only(connection: sqlite3.Connection, question: str) -> object:
        answer = asked(connection, question)
        if waiting and "application_id" in question:
            first, other = waiting.pop(), Store(path, wait_s=0.05)
            with suppress(StorageError):  # what is being asked is locked against it
                other.record(first)
        return answer

    monkeypatch.setattr(store_module, "_only", only)
    Store(path).record(work(2, *_random_hashes(3, 2)))
    assert Store(path).find_clip(_random_hashes(3, 2))


def test_asking_makes_no_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "none" / "s.sqlite")
    assert store.get("0" * 10) is store.find_by_sha256("0" * 64) is None
    assert store.find_picture(scene(1)) == store.find_clip(_random_hashes(1, 0)) == []
    assert store.count() == (0, 0)
    assert list(tmp_path.iterdir()) == []


def _filled(path: Path) -> tuple[Store, SecondFingerprint]:
    store, (moment,) = Store(path, wait_s=0.05), _random_hashes(1, 0)
    store.record(work(1, moment))
    return store, moment


def _tampered(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statement)


def test_a_locked_store_is_one_clear_line(tmp_path: Path) -> None:
    store, _ = _filled(tmp_path / "s.sqlite")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for attempt in (
            lambda: store.record(work(2)),
            lambda: store.get("0" * 10),
            lambda: store.find_picture(scene(1)),
        ):
            with pytest.raises(StorageError, match="in use by another program"):
                attempt()
    assert store.count() == (1, 1)


@pytest.mark.parametrize(
    "content", [b"this is no database, whatever its name says" * 100, b"SQLite format 3\x00" + b"x" * 4096]
)
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    for attempt in (lambda: Store(path).record(work(1)), lambda: Store(path).get("0" * 10)):
        with pytest.raises(StorageError, match="is damaged") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("PRAGMA user_version = 2", "newer version of Likeness"),
        ("PRAGMA application_id = 5", "another program"),
        ("DROP TABLE pages", "is damaged"),
        ("DELETE FROM pages", "is damaged"),
        ("UPDATE pages SET hashes = x'00'", "is damaged"),
        ("UPDATE pages SET number = 3", "is damaged"),
        ("UPDATE works SET record = '{}'", "is damaged"),
        ("UPDATE works SET first_hash = 7", "is damaged"),
        ("DELETE FROM works", "is damaged"),
        ("DELETE FROM views", "is damaged"),
        ("DELETE FROM store", "is damaged"),
    ],
)
def test_a_store_that_is_not_as_written_is_one_clear_line(tmp_path: Path, statement: str, complaint: str) -> None:
    store, moment = _filled(tmp_path / "s.sqlite")
    _tampered(store.path, statement)
    before = store.path.read_bytes()
    with pytest.raises(StorageError, match=complaint) as caught:
        Store(store.path).find_clip([moment])
    assert "\n" not in str(caught.value)
    assert store.path.read_bytes() == before


def test_a_database_of_another_program_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    _tampered(path, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program"):
        Store(path).record(work(1))
    assert path.read_bytes() == before


def test_a_store_cut_off_is_one_clear_line(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.record(work(1, *_random_hashes(3000, 0)))
    store.path.write_bytes(store.path.read_bytes()[:-20_000])
    with pytest.raises(StorageError, match="is damaged"):
        Store(store.path).find_clip(_random_hashes(3, 0))


def test_places_that_cannot_be_written() -> None:
    with pytest.raises(StorageError, match="could not be written"):
        Store(Path("/dev/null/s.sqlite")).record(work(1))
    with pytest.raises(StorageError, match="no plain file"):
        Store(Path("/dev/null")).get("0" * 10)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    for attempt in (lambda: Store(tmp_path).record(work(1)), lambda: Store(tmp_path).count()):
        with pytest.raises(StorageError):
            attempt()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_can_be_asked(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    store, moment = _filled(folder / "s.sqlite")
    store.path.chmod(0o400)
    folder.chmod(0o500)
    try:
        assert store.find_clip([moment])
        with pytest.raises(StorageError, match="No permission"):
            store.record(work(2))
    finally:
        folder.chmod(0o700)


def _record_with_little_room(path: Path, answers: "multiprocessing.SimpleQueue[str]") -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40_000, resource.RLIM_INFINITY))
    try:
        Store(path).record(work(2, *_random_hashes(4000, 2)))
        answers.put("recorded")
    except StorageError as error:
        answers.put(str(error))


def test_no_room_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store, moment = _filled(tmp_path / "s.sqlite")
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_record_with_little_room, args=(store.path, answers))
    child.start()
    child.join()
    answer = answers.get()
    assert str(store.path) in answer
    assert "Check the disk" in answer or "disk is full" in answer
    assert store.count() == (1, 1)
    assert store.find_clip([moment])
    assert store.get(f"{2:010x}") is None


def _die_while_writing(path: Path) -> None:
    store = Store(path)
    with store._writing() as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA cache_size = 1")  # spills what is written to the file at once
        connection.execute("UPDATE pages SET hashes = zeroblob(131072), owners = zeroblob(65536)")
        os._exit(1)


def test_a_crash_in_the_middle_is_rolled_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.record(work(1, *_random_hashes(4096, 3)))
    child = multiprocessing.get_context("fork").Process(target=_die_while_writing, args=(store.path,))
    child.start()
    child.join()
    assert store.path.with_name("s.sqlite-journal").exists()
    assert store.find_clip(_random_hashes(4096, 3)[:5])[0].seconds_matched == 5
