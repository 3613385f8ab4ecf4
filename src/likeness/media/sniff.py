"""Which container a file really is, from its first bytes. Names and extensions are never believed."""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from likeness.errors import BadMediaError
from likeness.media.limits import Limits

_HEAD = 4096  # bytes that are looked at

PICTURES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "avif": "AVIF", "gif": "GIF"}
"""Containers opened by Pillow, and the name of its only plugin that may read them."""

EXR = "exr"
"""The container of pictures that are read in `media.exr`."""

DEMUXERS = {
    "mp4": "mov",
    "mov": "mov",
    "m4a": "mov",
    "mkv": "matroska",
    "webm": "matroska",
    "avi": "avi",
    "mpg": "mpeg",
    "mpv": "mpegvideo",
    "ts": "mpegts",
    "wav": "wav",
    "mp3": "mp3",
    "flac": "flac",
    "ogg": "ogg",
}
"""Containers opened by FFmpeg, and the only demuxer that may read them."""

_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:/")

# What a refused file is, so that the refusal can say so. Matched against the start of the text, lower case.
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"#extm3u", "an HLS playlist (m3u8)"),
    (r"ffconcat", "an ffconcat playlist"),
    (r"file\s+\S", "a concat playlist"),
    (r"\[playlist\]", "a PLS playlist"),
    (r"v=0\s", "an SDP session"),
    (r"\[script info\]", "a subtitle file (ASS)"),
    (r"webvtt", "a subtitle file (WebVTT)"),
    (r"\d+\s+\d\d:\d\d:\d\d[,.]\d", "a subtitle file (SRT)"),
    (r"[a-z][a-z0-9+.-]+://", "a list of addresses"),
    (r"#!", "a script"),
)
_ELEMENTS: tuple[tuple[str, str], ...] = (
    ("mpd", "a DASH playlist (mpd)"),
    ("smoothstreamingmedia", "a streaming playlist"),
    ("playlist", "an XSPF playlist"),
    ("asx", "an ASX playlist"),
    ("smil", "a SMIL playlist"),
    ("tt", "a subtitle file (TTML)"),
    ("sami", "a subtitle file (SAMI)"),
    ("svg", "an SVG drawing"),
    ("html", "a web page"),
    ("!doctype html", "a web page"),
)


@dataclass(frozen=True)
class LocalFile:
    """A plain local file whose ``container`` is known by its content: EXR, or a key of PICTURES or DEMUXERS."""

    path: Path
    container: str
    limits: Limits

    def open(self) -> BinaryIO:
        """A fresh handle for reading; raises BadMediaError."""
        return _open_plain(self.path, self.limits)


def sniff(path: Path, limits: Limits) -> LocalFile:
    """Find out what ``path`` is; raises BadMediaError for whatever is not opened here, playlists above all."""
    with _open_plain(path, limits) as file:
        head = file.read(_HEAD)
        container = container_of(head) or _behind_id3(file, head)
    if container is None:
        raise BadMediaError(f"{path} is {_what_else(head)}, not a video, picture or sound that is opened here.")
    return LocalFile(path, container, limits)


def _open_plain(path: Path, limits: Limits) -> BinaryIO:
    """Open ``path`` if it is a plain, non-empty file within ``limits``; raises BadMediaError.

    The handle itself is checked, too: a check by name alone could be outrun by somebody exchanging the file.
    """
    try:
        _check_plain(path, os.stat(path), limits)
        # Non-blocking, in case a pipe took the name meanwhile.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        if _URL.match(str(path)):
            raise BadMediaError(f"{path} is an address; only local files are opened. Download it first.") from None
        raise BadMediaError(f"There is no file {path}. Check the name.") from None
    except (OSError, ValueError) as error:
        raise BadMediaError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    file = os.fdopen(descriptor, "rb")
    try:
        _check_plain(path, os.fstat(descriptor), limits)
    except BadMediaError:
        file.close()
        raise
    return file


def _check_plain(path: Path, status: os.stat_result, limits: Limits) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise BadMediaError(f"{path} is a folder. Name the files in it.")
    if not stat.S_ISREG(status.st_mode):
        raise BadMediaError(f"{path} is a pipe or a device, not a file. Save it to a file first.")
    if status.st_size == 0:
        raise BadMediaError(f"{path} is empty. Copy or download it again.")
    if status.st_size > limits.max_bytes:
        size, most = status.st_size / 1e9, limits.max_bytes / 1e9
        raise BadMediaError(f"{path} has {size:.1f} GB, more than the limit of {most:.1f} GB. Cut it.")


def container_of(head: bytes) -> str | None:
    """The container that starts with the bytes ``head``, or None."""
    return next((name for name, matches in _SIGNATURES if matches(head)), None)


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _riff(kind: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] in (b"RIFF", b"RF64") and head[8 : 8 + len(kind)] == kind


def _iso_brands(head: bytes) -> list[bytes]:
    """Major brand first, then the compatible ones."""
    if head[4:8] not in (b"ftyp", b"styp"):
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))]


def _is_avif(head: bytes) -> bool:
    return any(brand in (b"avif", b"avis") for brand in _iso_brands(head))


def _is_m4a(head: bytes) -> bool:
    return _iso_brands(head)[:1] in ([b"M4A "], [b"M4B "], [b"M4P "])


def _is_mov(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] == b"qt  "
    return head[4:8] in _ISO_BOXES and head[4:8] != b"styp"


def _is_mp4(head: bytes) -> bool:
    return head[4:8] in (b"ftyp", b"styp") and head[8:12] not in _HEIF_BRANDS


def _matroska(doctype: bytes) -> Callable[[bytes], bool]:
    # EBML header, then element 0x4282 (DocType), a length and the name.
    pattern = re.compile(rb"\x42\x82[\x80-\xff]" + doctype)
    return lambda head: head.startswith(b"\x1a\x45\xdf\xa3") and pattern.search(head[:256]) is not None


def _is_transport_stream(head: bytes) -> bool:
    # 188-byte packets that each start with 0x47, or 192 with a time code of four bytes before (m2ts).
    return any(
        len(head) > first + 3 * step and all(head[first + i * step] == 0x47 for i in range(4))
        for first, step in ((0, 188), (4, 192))
    )


def _is_mpeg_audio(head: bytes) -> bool:
    # Frame sync of 11 bits; version, layer, bit rate and sample rate must not have their reserved values.
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    return head[1] & 0x18 != 0x08 and head[1] & 0x06 != 0 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C


def _behind_id3(file: BinaryIO, head: bytes) -> str | None:
    """An ID3v2 tag of any length may come before MP3, and now and then before FLAC."""
    if not head.startswith(b"ID3") or len(head) < 10:
        return None
    length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    file.seek(10 + length)
    return "flac" if file.read(4) == b"fLaC" else "mp3"


_SIGNATURES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("jpg", _starts(b"\xff\xd8\xff")),
    ("png", _starts(b"\x89PNG\r\n\x1a\n")),
    ("gif", _starts(b"GIF87a", b"GIF89a")),
    (EXR, _starts(b"\x76\x2f\x31\x01")),
    ("tiff", _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("webp", _riff(b"WEBP")),
    ("avi", _riff(b"AVI ")),
    ("wav", _riff(b"WAVE")),
    ("avif", _is_avif),
    ("m4a", _is_m4a),
    ("mov", _is_mov),
    ("mp4", _is_mp4),
    ("webm", _matroska(b"webm")),
    ("mkv", _matroska(b"matroska")),
    ("mpg", _starts(b"\0\0\x01\xba")),
    ("mpv", _starts(b"\0\0\x01\xb3")),
    ("ts", _is_transport_stream),
    ("flac", _starts(b"fLaC")),
    ("ogg", _starts(b"OggS")),
    ("mp3", _is_mpeg_audio),
)


def _what_else(head: bytes) -> str:
    """Name what was found instead, for the refusal."""
    if head[4:8] == b"ftyp":
        return "a HEIF picture (convert it to JPEG or AVIF)"
    text = (
        head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
        .lower()
        .strip()
    )
    for pattern, what in _TEXTS:
        if re.match(pattern, text):
            return what
    if text.startswith("<"):
        for element, what in _ELEMENTS:
            if re.search(rf"<{element}[\s>/]", text):
                return what
        return "an XML or HTML text"
    if "\0" not in text and "\ufffd" not in text[:200]:
        return "a text"
    return "of an unknown or damaged format"
