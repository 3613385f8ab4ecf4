"""Where each kind of file keeps its manifest store, and how to take it out as it is (C2PA 2.4, "Embedding manifests").

The SDK reads a store but does not hand it over; our own copy is what lets stripped credentials be found again. Files
are walked by their structure, never searched for a pattern, which anybody could plant; nothing else of them is read.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from likeness.errors import BadMediaError, CredentialError
from likeness.prove.mp4_boxes import looks_boxed, outer_boxes

SIDECAR_SUFFIX = ".c2pa"
MAX_STORE_BYTES = 64 << 20
_STORE_TYPE = b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"  # the JUMBF type of a manifest store
_TIFF_TAG = 0xCD41
_TIFF_UNDEFINED = 7
_MAX_STEPS = 500_000  # segments, chunks or blocks of one file
_ID3_TYPES = (b"application/x-c2pa-manifest-store", b"application/c2pa")


def read_store(path: Path) -> bytes | None:
    """The raw manifest store inside ``path``, or None where it carries none that can be taken out.

    Raises BadMediaError where the file cannot be opened, CredentialError where the store is over 64 MiB.
    """
    try:
        with Path(path).open("rb") as file:
            walk = _walk_for(file)
            return None if walk is None else _first_store(path, walk(file))
    except OSError as error:
        raise BadMediaError(
            f"{path} cannot be read ({error.strerror or error}). Check its name and permissions."
        ) from error
    except (struct.error, ValueError, IndexError):
        return None  # cut off or damaged: the SDK says what of


def find_sidecar(path: Path) -> Path | None:
    """The manifest file beside ``path``: ``clip.c2pa`` (as other tools write it) or ``clip.mkv.c2pa``."""
    path = Path(path)
    names = (path.with_suffix(SIDECAR_SUFFIX), path.with_name(path.name + SIDECAR_SUFFIX))
    return next((name for name in names if name != path and _is_file(name)), None)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name that is too long beside a long one is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_sidecar(sidecar: Path) -> bytes:
    """The content of a sidecar. Raises BadMediaError and CredentialError like ``read_store``."""
    try:
        check_size(sidecar, sidecar.stat().st_size)
        return sidecar.read_bytes()
    except OSError as error:
        raise BadMediaError(f"{sidecar} cannot be read ({error.strerror or error}). Check its permissions.") from error


def check_size(path: Path | str, size: int) -> None:
    """Raises CredentialError where a manifest store is larger than any honest one."""
    if size > MAX_STORE_BYTES:
        raise CredentialError(
            f"The credentials of {path} are {size >> 20} MiB large, over the limit of {MAX_STORE_BYTES >> 20} MiB, "
            "and are not read. Ask its maker for a file with smaller ones."
        )


Part = tuple[int, int]  # where a part of the store starts, and its length in bytes
Walk = Callable[[BinaryIO], Iterator[list[Part]]]


def _walk_for(file: BinaryIO) -> Walk | None:
    file.seek(0)
    head = file.read(12)
    for magic, walk in _WALKS:
        if head.startswith(magic):
            return walk
    if looks_boxed(file):
        return _in_boxes
    return None


def _first_store(path: Path, candidates: Iterator[list[Part]]) -> bytes | None:
    with Path(path).open("rb") as file:
        for parts in candidates:
            check_size(path, sum(length for _, length in parts))
            content = b"".join(_take(file, start, length) for start, length in parts)
            if content[4:8] == b"jumb" and content[12:16] == b"jumd" and content[16:32] == _STORE_TYPE:
                return content[: int.from_bytes(content[:4])]
    return None


def _take(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _in_jpeg(file: BinaryIO) -> Iterator[list[Part]]:
    """APP11 segments: "JP", the box's number, the packet's number, and from the second packet on the box's head
    again (ISO 19566-5, Annex D)."""
    boxes: dict[bytes, list[Part]] = {}
    at = 2
    for _ in range(_MAX_STEPS):
        head = _take(file, at, 20)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
            break
        length = int.from_bytes(head[2:4])
        if head[1] == 0xEB and head[4:6] == b"JP":
            parts = boxes.setdefault(head[6:8], [])
            skip = 12 if not parts else 12 + (16 if head[12:16] == b"\x00\x00\x00\x01" else 8)
            parts.append((at + skip, length + 2 - skip))
        at += 2 + length
    yield from boxes.values()


def _in_png(file: BinaryIO) -> Iterator[list[Part]]:
    at = 8
    for _ in range(_MAX_STEPS):
        length, kind = struct.unpack(">I4s", _take(file, at, 8))
        if kind == b"caBX":
            yield [(at + 8, length)]
        if kind == b"IEND":
            return
        at += 12 + length


def _in_riff(file: BinaryIO) -> Iterator[list[Part]]:
    at = 12
    for _ in range(_MAX_STEPS):
        kind, length = struct.unpack("<4sI", _take(file, at, 8))
        if kind == b"C2PA":
            yield [(at + 8, length)]
        at += 8 + length + length % 2


def _in_boxes(file: BinaryIO) -> Iterator[list[Part]]:
    """The C2PA ``uuid`` box: version and flags, a purpose that ends in zero, an offset, then the store."""
    for box in outer_boxes(file).of_c2pa(file):
        start = box.start + box.header + 16 + 4
        purpose = _take(file, start, 16).split(b"\x00")[0]
        if purpose in (b"manifest", b"original", b"update"):
            start += len(purpose) + 1 + 8
            yield [(start, box.start + box.size - start)]


def _in_tiff(file: BinaryIO) -> Iterator[list[Part]]:
    """The tag in any of the directories, of classic and of big TIFF."""
    order = "<" if _take(file, 0, 2) == b"II" else ">"
    big = struct.unpack(order + "H", _take(file, 2, 2))[0] == 43
    number, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    size = struct.calcsize(order + number)
    at = struct.unpack(order + number, _take(file, 8 if big else 4, size))[0]
    for _ in range(1000):
        if not at:
            return
        head = struct.calcsize(order + count)
        entries = struct.unpack(order + count, _take(file, at, head))[0]
        for index in range(min(entries, 4096)):
            field = _take(file, at + head + index * entry, entry)
            tag, kind, length, start = struct.unpack(order + "HH" + number * 2, field)
            if tag == _TIFF_TAG and kind == _TIFF_UNDEFINED:
                yield [(start, length)]
        at = struct.unpack(order + number, _take(file, at + head + entries * entry, size))[0]


def _in_gif(file: BinaryIO) -> Iterator[list[Part]]:
    flags = _take(file, 10, 1)[0]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    for _ in range(_MAX_STEPS):
        kind = _take(file, at, 2)
        if kind[:1] == b"\x2c":
            flags = _take(file, at + 9, 1)[0]
            _, at = _sub_blocks(file, at + 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0))
        elif kind[:1] == b"\x21":
            name = _take(file, at + 3, 11)
            parts, after = _sub_blocks(file, at + 2)
            if kind[1:] == b"\xff" and name.startswith(b"C2PA_GIF"):
                yield parts[1:]
            at = after
        else:
            return


def _sub_blocks(file: BinaryIO, at: int) -> tuple[list[Part], int]:
    """The data of a GIF's chain of sub-blocks, and where it ends."""
    parts: list[Part] = []
    for _ in range(_MAX_STEPS):
        length = _take(file, at, 1)[0]
        if length == 0:
            return parts, at + 1
        parts.append((at + 1, length))
        at += 1 + length
    raise ValueError("a chain without an end")


def _in_id3(file: BinaryIO) -> Iterator[list[Part]]:
    """GEOB frames of an ID3v2 tag: encoding, type, file name and description, each ending in zero, then the object."""
    version, flags = _take(file, 3, 1)[0], _take(file, 5, 1)[0]
    end = 10 + _syncsafe(_take(file, 6, 4))
    at = 10
    if flags & 0x40:
        extended = _take(file, 10, 4)
        at += _syncsafe(extended) if version == 4 else int.from_bytes(extended) + 4
    for _ in range(_MAX_STEPS):
        head = _take(file, at, 10)
        if at + 10 > end or not head[:4].strip(b"\x00"):
            return
        length = _syncsafe(head[4:8]) if version == 4 else int.from_bytes(head[4:8])
        if head[:4] == b"GEOB":
            text = _take(file, at + 10, min(length, 1024))
            encoding, kind = text[0], text[1:].split(b"\x00")[0]
            if kind in _ID3_TYPES:
                start = 2 + len(kind)
                for _text in ("file name", "description"):
                    start = _after_text(text, start, wide=encoding in (1, 2))
                yield [(at + 10 + start, length - start)]
        at += 10 + length


def _after_text(content: bytes, start: int, wide: bool) -> int:
    if not wide:
        return content.index(b"\x00", start) + 1
    while content[start : start + 2] != b"\x00\x00":
        if start > len(content):
            raise ValueError("a text without an end")
        start += 2
    return start + 2


def _syncsafe(four: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(four, (21, 14, 7, 0), strict=True))


_WALKS: tuple[tuple[bytes, Walk], ...] = (
    (b"\xff\xd8", _in_jpeg),
    (b"\x89PNG\r\n\x1a\n", _in_png),
    (b"RIFF", _in_riff),
    (b"II*\x00", _in_tiff),
    (b"MM\x00*", _in_tiff),
    (b"II+\x00", _in_tiff),
    (b"MM\x00+", _in_tiff),
    (b"GIF8", _in_gif),
    (b"ID3", _in_id3),
)
