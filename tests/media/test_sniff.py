"""What a file is called never matters; what it is decides, and most things are not opened."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.errors import BadMediaError
from likeness.media.clip import Limits, open_clip
from likeness.media.sniff import DEMUXERS, PICTURES, container_of, sniff

HEADS = {
    "mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    "m4a": b"\0\0\0\x1cftypM4A \0\0\0\0M4A isom",
    "mov": b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "mkv": b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska",
    "webm": b"\x1a\x45\xdf\xa3\x8f\x42\x82\x84webm",
    "avi": b"RIFF\0\0\0\0AVI LIST",
    "wav": b"RIFF\0\0\0\0WAVEfmt ",
    "webp": b"RIFF\0\0\0\0WEBPVP8 ",
    "mpg": b"\0\0\x01\xba\x21",
    "mpv": b"\0\0\x01\xb3\x16",
    "ts": (b"\x47" + bytes(187)) * 5,
    "jpg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n",
    "tiff": b"II*\0",
    "gif": b"GIF89a",
    "mp3": b"\xff\xfb\x90\x64",
    "flac": b"fLaC\0",
    "ogg": b"OggS\0",
}

REFUSED = {
    "HLS": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n",
    "DASH": b'<?xml version="1.0"?>\n<!-- x -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "concat": b"file '/etc/passwd'\nfile 'http://127.0.0.1:9/b.mp4'\n",
    "SDP": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "PLS": b"[playlist]\nFile1=http://127.0.0.1:9/\n",
    "ASX": b'<asx version="3.0"><entry><ref href="http://127.0.0.1:9/"/></entry></asx>',
    "XSPF": b'<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"></playlist>',
    "SMIL": b"<smil><body/></smil>",
    "SRT": b"1\n00:00:01,000 --> 00:00:02,000\nhello\n",
    "WebVTT": b"\xef\xbb\xbfWEBVTT\n\n",
    "ASS": b"[Script Info]\nTitle: x\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "web page": b"<!DOCTYPE html><html></html>",
    "addresses": b"http://127.0.0.1:9/clip.mp4\n",
    "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "text": b"just some words",
    "unknown": bytes(range(1, 200)),
}


@pytest.mark.parametrize("container", HEADS)
def test_each_container_is_known_by_its_first_bytes(container):
    assert container_of(HEADS[container]) == container
    assert (container in PICTURES) != (container in DEMUXERS)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.jpg", "clip"])
@pytest.mark.parametrize("what", REFUSED)
def test_playlists_and_texts_are_refused_whatever_they_are_called(tmp_path, what, name):
    path = tmp_path / name
    path.write_bytes(REFUSED[what])
    with pytest.raises(BadMediaError) as refusal:
        open_clip(path)
    assert what.lower() in str(refusal.value).lower()
    assert "\n" not in str(refusal.value)


def test_a_playlist_makes_no_connection(tmp_path):
    """A DASH or HLS file named .mp4 made other programs fetch over HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        path = tmp_path / "holiday.mp4"
        path.write_text(f"#EXTM3U\n#EXTINF:4,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(BadMediaError):
            open_clip(path)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("length", [0, 10, 5000])
def test_flac_and_mp3_behind_a_tag_of_any_length(tmp_path, length):
    tag = b"ID3\x04\0\0" + bytes([0, 0, length >> 7, length & 0x7F]) + bytes(length)
    for container in ("flac", "mp3"):
        path = tmp_path / container
        path.write_bytes(tag + HEADS[container])
        assert sniff(path, Limits()).container == container


def test_things_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for path, word in (
        (tmp_path, "folder"),
        (tmp_path / "pipe.mp4", "pipe"),
        (Path("/dev/zero"), "device"),
        (tmp_path / "missing.mp4", "no file"),
        (Path("http://127.0.0.1:9/clip.mp4"), "address"),
        (Path("concat:a.ts|b.ts"), "no file"),
    ):
        with pytest.raises(BadMediaError, match=word):
            open_clip(path)


def test_empty_and_oversized_files(tmp_path):
    path = tmp_path / "clip.mp4"
    path.touch()
    with pytest.raises(BadMediaError, match="empty"):
        open_clip(path)
    with path.open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(BadMediaError, match="limit"):
        open_clip(path, Limits(max_bytes=1 << 30))


@given(st.binary(max_size=400))
def test_any_bytes_are_judged_without_failing(head):
    assert container_of(head) in {None, *PICTURES, *DEMUXERS}
