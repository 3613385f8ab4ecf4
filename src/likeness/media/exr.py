"""OpenEXR pictures, as compositing programs exchange them: scan lines of half floats in linear light.

Only what is needed of the format (OpenEXR File Layout, openexr.com): one part, scan lines, uncompressed or ZIP. Written
are the channels B, G, R as half floats with BT.709 primaries; read are R, G, B or Y as half or float, brought to 8-bit
sRGB with light above white cut off. Other compressions (PIZ, DWA, …), tiles and several parts are refused in one line.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from likeness.errors import BadMediaError
from likeness.media.sniff import LocalFile

MAGIC = b"\x76\x2f\x31\x01"
_VERSION = 2
_HALF, _FLOAT = 1, 2
_TYPES: dict[int, np.dtype[Any]] = {_HALF: np.dtype("<f2"), _FLOAT: np.dtype("<f4")}
_LINES = {0: 1, 2: 1, 3: 16}  # scan lines in a block of each compression that is read: none, ZIPS, ZIP
_ZIP = 3
_COMPRESSIONS = ("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
_LONGEST_HEADER = 1 << 20  # bytes
_CHANNELS = (("R", "G", "B"), ("Y",))


def encode(image: np.ndarray, tags: dict[str, str]) -> bytes:
    """``image`` uint8 sRGB (h, w, 3) as the bytes of an EXR; ``tags`` become attributes of text."""
    height, width = image.shape[:2]
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(name + struct.pack("<xiBxxxii", _HALF, 0, 1, 1) for name in (b"B", b"G", b"R")) + b"\0"
    attributes = [
        ("channels", "chlist", channels),
        ("compression", "compression", bytes([_ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        *((name, "string", text.encode()) for name, text in tags.items()),
    ]
    header = b"".join(
        name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in attributes
    )
    start = MAGIC + struct.pack("<i", _VERSION) + header + b"\0"
    # Scan line by scan line, and within each channel by channel: (h, 3, w).
    lines = _LINEAR[image[:, :, ::-1]].transpose(0, 2, 1)
    step = _LINES[_ZIP]
    blocks = [_deflated(lines[y : y + step].tobytes()) for y in range(0, height, step)]
    offset = len(start) + 8 * len(blocks)
    table = []
    for block in blocks:
        table.append(offset)
        offset += 8 + len(block)
    body = (struct.pack("<ii", step * number, len(block)) + block for number, block in enumerate(blocks))
    return start + struct.pack(f"<{len(table)}Q", *table) + b"".join(body)


def read(file: LocalFile) -> np.ndarray:
    """The picture as uint8 sRGB (h, w, 3). Raises BadMediaError: damaged, over a limit, or of a kind not read here."""
    with file.open() as handle:
        content = handle.read(file.limits.max_pixels * 16 + _LONGEST_HEADER)
    try:
        picture = _Picture.parsed(content, file)
        return _to_srgb(picture.channels(content))
    except (struct.error, zlib.error, ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise BadMediaError(f"{file.path} is damaged or cut off: the EXR picture does not decode.") from error


@dataclass(frozen=True)
class _Picture:
    """What the header says. ``names`` and ``types`` of the channels, in the file's order."""

    names: tuple[str, ...]
    types: tuple[int, ...]
    compression: int
    first: int  # the uppermost scan line's number
    width: int
    height: int
    start: int  # of the table of offsets

    @classmethod
    def parsed(cls, content: bytes, file: LocalFile) -> "_Picture":
        [flags] = struct.unpack_from("<i", content, 4)
        attributes, start = _attributes(content)
        if flags & ~0xFF & ~0x400:  # all but long names: tiles, deep data, several parts
            raise BadMediaError(f"{file.path} is an EXR of tiles or several parts. Save it as plain scan lines.")
        [compression] = attributes["compression"]
        if compression not in _LINES:
            name = _COMPRESSIONS[compression] if compression < len(_COMPRESSIONS) else "unknown"
            raise BadMediaError(f"{file.path} is an EXR with {name} compression. Save it with ZIP or none.")
        x0, y0, x1, y1 = struct.unpack("<4i", attributes["dataWindow"])
        width, height = x1 - x0 + 1, y1 - y0 + 1
        if width < 1 or height < 1:
            raise ValueError("an empty window")
        if width * height > file.limits.max_pixels:
            most = file.limits.max_pixels / 1e6
            raise BadMediaError(f"{file.path} is larger than the limit of {most:.0f} Mpixel. Scale it down.")
        names, types = _channel_list(attributes["channels"])
        if not any(set(wanted) <= set(names) for wanted in _CHANNELS) or not set(types) <= set(_TYPES):
            raise BadMediaError(f"{file.path} is an EXR without R, G and B as half or float. Save it with them.")
        return cls(names, types, compression, y0, width, height, start)

    def channels(self, content: bytes) -> np.ndarray:
        """float32 (h, w, 3) in linear light."""
        wanted = next(names for names in _CHANNELS if set(names) <= set(self.names))
        planes = {name: np.zeros((self.height, self.width), np.float32) for name in wanted}
        widths = [self.width * _TYPES[kind].itemsize for kind in self.types]
        step = _LINES[self.compression]
        count = -(-self.height // step)
        for offset in struct.unpack_from(f"<{count}Q", content, self.start):
            y, size = struct.unpack_from("<ii", content, offset)
            lines = min(step, self.height - (y - self.first))
            raw = content[offset + 8 : offset + 8 + size]
            if len(raw) < size or y < self.first or lines < 1:
                raise ValueError("a block out of place")
            length = lines * sum(widths)
            block = _inflated(raw, length) if size < length else raw
            at = 0
            for row in range(y - self.first, y - self.first + lines):
                for name, kind, width in zip(self.names, self.types, widths, strict=True):
                    if name in planes:
                        planes[name][row] = np.frombuffer(block, _TYPES[kind], self.width, at)
                    at += width
        return np.stack([planes[name] for name in (wanted if len(wanted) == 3 else wanted * 3)], axis=2)


def _attributes(content: bytes) -> tuple[dict[str, bytes], int]:
    """The header's attributes by name, and where it ends."""
    found: dict[str, bytes] = {}
    at = 8
    while content[at] != 0:
        name_end = content.index(b"\0", at, at + 256)
        type_end = content.index(b"\0", name_end + 1, name_end + 257)
        [size] = struct.unpack_from("<i", content, type_end + 1)
        if not 0 <= size <= _LONGEST_HEADER or at > _LONGEST_HEADER:
            raise ValueError("a header too long")
        found[content[at:name_end].decode()] = content[type_end + 5 : type_end + 5 + size]
        at = type_end + 5 + size
    return found, at + 1


def _channel_list(value: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    names, types = [], []
    at = 0
    while value[at] != 0:
        end = value.index(b"\0", at)
        kind, x_step, y_step = struct.unpack_from("<i4xii", value, end + 1)
        if (x_step, y_step) != (1, 1):
            raise ValueError("a channel of fewer samples")
        names.append(value[at:end].decode())
        types.append(kind)
        at = end + 17
    return tuple(names), tuple(types)


def _deflated(raw: bytes) -> bytes:
    """ZIP as EXR has it: first and second bytes of the samples apart, differences of neighbours, then zlib."""
    values = np.frombuffer(raw, np.uint8)
    apart = np.concatenate([values[0::2], values[1::2]])
    steps = apart.copy()
    steps[1:] = apart[1:] - apart[:-1] + np.uint8(128)
    packed = zlib.compress(steps.tobytes(), 4)
    return packed if len(packed) < len(raw) else raw


def _inflated(packed: bytes, length: int) -> bytes:
    unpacker = zlib.decompressobj()
    steps = np.frombuffer(unpacker.decompress(packed, length), np.uint8)
    if len(steps) != length:
        raise ValueError("a block cut off")
    steps = steps.copy()
    steps[1:] -= np.uint8(128)
    apart = np.cumsum(steps, dtype=np.uint8)
    half = (length + 1) // 2
    values = np.empty(length, np.uint8)
    values[0::2], values[1::2] = apart[:half], apart[half:]
    return values.tobytes()


def _linear_levels() -> np.ndarray:
    """Linear light of the 256 levels of sRGB (IEC 61966-2-1) as half floats."""
    level = np.arange(256) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype("<f2")


_LINEAR = _linear_levels()


def _to_srgb(light: np.ndarray) -> np.ndarray:
    light = np.clip(np.nan_to_num(light, posinf=1.0, neginf=0.0), 0, 1)
    level = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * level).astype(np.uint8)
