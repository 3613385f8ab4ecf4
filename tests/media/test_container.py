"""A container gives us itself and nothing that it points at."""

import os
from pathlib import Path

import av
import pytest
from made_media import Recipe, make_clip, numbered

from likeness.errors import BadMediaError
from likeness.media.clip import Limits, open_clip
from likeness.media.container import opened
from likeness.media.sniff import sniff

_open = av.open


def _alias(target: Path) -> bytes:
    """A QuickTime alias record, as a ``dref`` entry, that names ``target`` by its absolute path."""
    path = str(target).encode()
    path += b"\0" * (len(path) % 2)
    record = bytes(4)  # version and flags: not in this file
    record += bytes(10) + bytes(1 + 27) + bytes(12) + bytes(1 + 63) + bytes(16) + b"\0\x01\0\x01" + bytes(16)
    record += b"\0\x12" + len(path).to_bytes(2, "big") + path + b"\0\x02" + len(path).to_bytes(2, "big") + path
    record += b"\xff\xff\0\0"
    return (8 + len(record)).to_bytes(4, "big") + b"alis" + record


def _with_external_reference(movie: bytes, target: Path) -> bytes:
    """Put the alias in place of the movie's own reference; its index lies at the end, so nothing else moves."""
    start = movie.index(b"url \0\0\0\x01") - 4
    alias = _alias(target)
    grown = bytearray(movie[:start] + alias + movie[start + 12 :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = movie.index(box, movie.index(b"moov")) - 4
        size = int.from_bytes(movie[at : at + 4], "big") + len(alias) - 12
        grown[at : at + 4] = size.to_bytes(4, "big")
    return bytes(grown)


def _open_files() -> set[str]:
    return {os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}


def test_external_references_of_a_movie_are_not_opened(tmp_path, monkeypatch):
    frames = [numbered(index) for index in range(5)]
    target = make_clip(tmp_path / "secret.mov", Recipe("mov"), frames).resolve()
    movie = tmp_path / "clip.mov"
    movie.write_bytes(_with_external_reference(target.read_bytes(), target))
    options = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(movie), options=options):
        assert str(target) in _open_files()  # what FFmpeg does when it is allowed to
    with opened(sniff(movie, Limits())):
        assert str(movie) in _open_files()
        assert str(target) not in _open_files()
    # Were the option ever to fail, the second door is shut as well.
    monkeypatch.setattr("likeness.media.container.av.open", lambda *a, **k: _open(*a, **k | {"options": options}))
    with pytest.raises(BadMediaError), opened(sniff(movie, Limits())):
        pass
    assert str(target) not in _open_files()


def test_names_that_ffmpeg_would_take_for_protocols(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b", "pipe:0", "-", "%03d.mp4", "a:b.mp4"):
        path = make_clip(tmp_path / "clip.mp4", Recipe("mp4"), [numbered(9)]).rename(tmp_path / name)
        assert open_clip(path).frame_count == 1
        assert open_clip(Path(name)).frame_count == 1


def test_nothing_stays_open(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", Recipe("mp4"), [numbered(index) for index in range(9)]).resolve()
    clip = open_clip(path)
    frames = clip.frames()
    next(frames)
    assert str(path) in _open_files()
    frames.close()
    assert str(path) not in _open_files()
