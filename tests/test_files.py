import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.errors import SettingsError, StorageError
from likeness.files import atomic_write, check_output, sha256_of, write_bytes, write_text


@given(content=st.binary(max_size=4096))
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("files") / "content.bin"
    write_bytes(path, content)
    assert path.read_bytes() == content
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_a_failure_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")

    def fail_half_way() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("new")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_on_the_way(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "deep")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "deep"


def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    program = """
import resource, signal, sys
from pathlib import Path
from likeness.errors import SettingsError, StorageError
from likeness.files import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), b"x" * 100_000)
except StorageError as error:
    sys.exit(7 if str(error).count("\\n") == 0 else 8)
"""
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 7
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_of_a_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        write_text(tmp_path / "file" / "below.txt", "text")


def test_a_pipe_or_a_folder_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        with pytest.raises(StorageError):
            write_text(target, "text")
    assert pipe.is_fifo()


def test_an_output_is_looked_at_before_the_work(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    source.write_text("footage")
    (tmp_path / "other name.mp4").hardlink_to(source)
    check_output(tmp_path / "new" / "out.mp4", [source])
    with pytest.raises(SettingsError, match="overwrite"):
        check_output(tmp_path / "other name.mp4", [source])
    with pytest.raises(StorageError, match="not a folder"):
        check_output(source / "below.mp4")


@pytest.mark.parametrize("name", ["n" * 300 + ".png", "n" * 252 + ".png", "é" * 126 + ".png", "new/" + "n" * 300])
def test_a_name_that_is_too_long_is_one_line(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.png"
    source.write_text("picture")
    for write in (lambda path: check_output(path, [source]), lambda path: write_text(path, "text")):
        with pytest.raises(StorageError, match="could not be written: File name too long") as caught:
            write(tmp_path / name)
        assert "\n" not in str(caught.value)
    check_output(tmp_path / "out.png", [tmp_path / name])  # too long a source is refused where it is opened


@pytest.mark.parametrize("name", ["n" * 251 + ".png", "é" * 125 + ".webp", "n." + "s" * 253, "é." + "é" * 126])
def test_the_longest_names_that_there_are_can_be_written(tmp_path: Path, name: str) -> None:
    assert len(os.fsencode(name)) == 255
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("text")
    assert [path.name for path in tmp_path.iterdir()] == [name]
