"""The outermost boxes of mp4, mov, m4a, heic and avif files (ISO 14496-12), and which of them no signature covers.

The C2PA hash of such a file (C2PA 2.4, "BMFF-based hash") leaves out ``ftyp``, ``free``, ``skip`` and ``mfra`` boxes as
well as its own. Anybody may therefore change or add them without breaking the credentials. ``layout`` records what they
were, so that the record can be signed along; ``changes`` and ``remarks`` are the check when reading. Boxes are read in
blocks: a film is never held in memory.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, BinaryIO

LAYOUT_LABEL = "org.likeness.layout"
UNHASHED = frozenset({"ftyp", "free", "skip", "mfra"})
C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_OPENING = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})  # old mov files have no ftyp
_MAX_LISTED = 64  # more are recorded as one digest
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Box:
    """One outermost box: where it starts and its whole size in bytes, of which ``header`` are its size and name."""

    kind: str
    start: int
    size: int
    header: int


@dataclass(frozen=True)
class OuterBoxes:
    """All of them in order; ``trailing`` counts the bytes after the last box that make up no box."""

    boxes: tuple[Box, ...]
    trailing: int

    def of_c2pa(self, file: BinaryIO) -> list[Box]:
        """The ``uuid`` boxes that hold credentials."""
        return [box for box in self.boxes if box.kind == "uuid" and _uuid(file, box) == C2PA_UUID]


def looks_boxed(file: BinaryIO) -> bool:
    """Whether ``file`` begins like an mp4 and not like something else."""
    file.seek(0)
    return file.read(8)[4:] in _OPENING


def outer_boxes(file: BinaryIO, most: int = 500_000) -> OuterBoxes:
    """Walk the outermost boxes. Raises ValueError where there are over ``most``, by default more than hours of the
    shortest fragments have."""
    end = file.seek(0, 2)
    boxes: list[Box] = []
    at = 0
    while at < end and (box := _box(file, at, end)) is not None:
        if len(boxes) == most:
            raise ValueError(f"it has more than {most} boxes")
        boxes.append(box)
        at += box.size
    return OuterBoxes(tuple(boxes), end - at)


def layout(file: BinaryIO) -> dict[str, Any]:
    """What the boxes are that no C2PA hash covers, as JSON to be signed: a line each, ``kind size sha256``."""
    lines = [f"{box.kind} {box.size} {_digest(file, box)}" for box in outer_boxes(file).boxes if box.kind in UNHASHED]
    return {"alg": "sha256", "boxes": lines[:_MAX_LISTED], "digest": _digest_of(lines)}


def changes(recorded: Mapping[str, Any], file: BinaryIO) -> list[str]:
    """In plain words what differs from the signed layout; empty where nothing does."""
    now = layout(file)
    if recorded.get("digest") == now["digest"]:
        return []
    before = recorded.get("boxes")
    before = [str(line) for line in before] if isinstance(before, list) else []
    found = [
        _difference(then, line) for then, line in zip_longest(before, now["boxes"]) if then is None or then != line
    ]
    return found[:3] or ["The boxes outside the signed part are not those that were there at signing."]


def remarks(file: BinaryIO) -> list[str]:
    """What stands in the file although no signature covers it, for files whose signer recorded nothing."""
    found = outer_boxes(file)
    notes = [
        f"A “{box.kind}” box of {box.size} bytes holds content that no signature covers."
        for box in found.boxes
        if box.kind in ("free", "skip") and _holds_something(file, box)
    ]
    if found.trailing:
        notes.append(f"{found.trailing} bytes stand after the last box, where no signature covers them.")
    return notes


def _difference(then: str | None, now: str | None) -> str:
    if then is None:
        return f"A “{_kind(now)}” box was added after signing."
    if now is None:
        return f"A “{_kind(then)}” box was taken away after signing."
    return f"A “{_kind(then)}” box was changed after signing."


def _kind(line: str | None) -> str:
    return "".join(letter for letter in (line or "")[:4] if letter.isprintable())


def _box(file: BinaryIO, at: int, end: int) -> Box | None:
    """The box at ``at``, or None where the bytes there are none. Size 0 means up to the end, 1 a 64-bit size."""
    file.seek(at)
    head = file.read(16)
    if len(head) < 8:
        return None
    size, kind, header = int.from_bytes(head[:4]), head[4:8].decode("latin-1"), 8
    if size == 1 and len(head) == 16:
        size, header = int.from_bytes(head[8:]), 16
    elif size == 0 and any(head[4:8]):
        size = end - at
    return Box(kind, at, size, header) if header <= size <= end - at else None


def _uuid(file: BinaryIO, box: Box) -> bytes:
    file.seek(box.start + box.header)
    return file.read(16)


def _content(file: BinaryIO, box: Box) -> Iterator[bytes]:
    file.seek(box.start + box.header)
    left = box.size - box.header
    while left and (block := file.read(min(_BLOCK, left))):
        left -= len(block)
        yield block


def _digest(file: BinaryIO, box: Box) -> str:
    digest = hashlib.sha256()
    for block in _content(file, box):
        digest.update(block)
    return digest.hexdigest()


def _digest_of(lines: list[str]) -> str:
    return hashlib.sha256(json.dumps(lines, separators=(",", ":")).encode()).hexdigest()


def _holds_something(file: BinaryIO, box: Box) -> bool:
    return any(any(block) for block in _content(file, box))
