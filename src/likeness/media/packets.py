"""The coded packets of a clip, told apart from the container that carries them.

What a muxer may add or write in another way is taken off, so that the same coded frames give the same bytes out of mp4,
mkv and a transport stream. H.264 and HEVC come as NAL units without delimiters, filler, supplemental messages and the
parameter sets that the header holds anyway (ITU-T H.264 and H.265, table 7-1 each); AAC without ADTS headers (ISO/IEC
13818-7, 6.2); PCM in even blocks instead of the muxer's own.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from likeness.errors import BadMediaError
from likeness.media.clip import Clip
from likeness.media.container import Damage, opened, packets, picture_stream, sound_stream
from likeness.media.sniff import DEMUXERS, LocalFile

Track = Literal["pictures", "sound"]

_START_CODE = re.compile(b"\x00\x00\x01")
_PCM_BLOCKS = 50  # a second


@dataclass(frozen=True)
class CodedPacket:
    """``content`` as it was coded; ``time_s``: when it is presented, in seconds on the clip's clock."""

    time_s: float
    content: bytes


def coded_packets(clip: Clip, track: Track) -> Iterator[CodedPacket]:
    """Stream the packets of ``track`` in the order they are stored in; nothing where the clip has no such track.

    A damaged file ends early. Raises BadMediaError where the file is a picture or cannot be opened.
    """
    with opened(_file(clip)) as container:
        stream = picture_stream(container) if track == "pictures" else sound_stream(container)
        if stream is None:
            return
        timed = _timed(clip, packets(container, stream, Damage()))
        if isinstance(stream, AudioStream) and stream.codec_context.name.startswith("pcm_"):
            yield from _even_blocks(timed, stream)
            return
        units = _NalUnits.of(stream)
        for time_s, content in timed:
            if units is not None:
                content = units.bare(content)
            elif stream.codec_context.name == "aac":
                content = _without_adts(content)
            yield CodedPacket(time_s, content)


def coding(clip: Clip, track: Track) -> str | None:
    """SHA-256 (64 hex digits) over the codec and what its decoder is set up with; None without such a track.

    That is the size and, for H.264 and HEVC, the parameter sets, or the sample rate and channels. Raises BadMediaError.
    """
    with opened(_file(clip)) as container:
        stream = picture_stream(container) if track == "pictures" else sound_stream(container)
        if stream is None:
            return None
        name = stream.codec_context.name
        if isinstance(stream, AudioStream):
            setup = f"{name} {stream.rate} {stream.channels}".encode()
        else:
            units = _NalUnits.of(stream)
            sets = sorted(units.parameter_sets) if units is not None else []
            setup = b"\n".join([f"{name} {stream.width}x{stream.height}".encode(), *sets])
        return hashlib.sha256(setup).hexdigest()


def _file(clip: Clip) -> LocalFile:
    if clip.container not in DEMUXERS:
        raise BadMediaError(f"{clip.path} is a {clip.container} picture, which has no coded packets. Name a clip.")
    return LocalFile(clip.path, clip.container, clip.limits)


def _timed(clip: Clip, read: Iterable[Packet]) -> Iterator[tuple[float, bytes]]:
    """Time and content; a packet without a time stamp is presented with the one before."""
    time_s = 0.0
    for packet in read:
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and packet.time_base is not None:
            time_s = float(stamp * packet.time_base - clip.origin)
        if packet.size:
            yield time_s, bytes(packet)


@dataclass(frozen=True)
class _NalUnits:
    """How a stream of H.264 or HEVC is cut into NAL units. ``length_bytes`` 0 stands for start codes (Annex B)."""

    length_bytes: int
    codec: str
    parameter_sets: frozenset[bytes]

    @classmethod
    def of(cls, stream: VideoStream | AudioStream) -> "_NalUnits | None":
        """None for other codecs. The header is an avcC or hvcC record (ISO/IEC 14496-15), or Annex B itself."""
        codec, header = stream.codec_context.name, stream.codec_context.extradata or b""
        if codec not in ("h264", "hevc"):
            return None
        if header[:1] != b"\x01" or len(header) < 23:
            units, length_bytes = _at_start_codes(header), 0
        else:
            units = _hevc_sets(header) if codec == "hevc" else _h264_sets(header)
            length_bytes = (header[21 if codec == "hevc" else 4] & 3) + 1
        sets = (7, 8) if codec == "h264" else (32, 33, 34)
        return cls(length_bytes, codec, frozenset(unit for unit in units if _kind(unit, codec) in sets))

    def bare(self, content: bytes) -> bytes:
        """The units that say what is seen, each after its length in four bytes."""
        units = _at_lengths(content, self.length_bytes) if self.length_bytes else _at_start_codes(content)
        kept = (unit for unit in units if not self._dispensable(unit))
        return b"".join(len(unit).to_bytes(4, "big") + unit for unit in kept)

    def _dispensable(self, unit: bytes) -> bool:
        dropped = (6, 9, 12) if self.codec == "h264" else (35, 38, 39, 40)  # messages, delimiters, filler
        return _kind(unit, self.codec) in dropped or unit in self.parameter_sets


def _kind(unit: bytes, codec: str) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def _at_lengths(content: bytes, length_bytes: int) -> Iterator[bytes]:
    position = 0
    while position + length_bytes < len(content):
        start = position + length_bytes
        position = start + int.from_bytes(content[position:start], "big")
        if unit := content[start:position].rstrip(b"\0"):
            yield unit


def _at_start_codes(content: bytes) -> Iterator[bytes]:
    starts = [match.end() for match in _START_CODE.finditer(content)]
    for start, end in zip(starts, [*(start - 3 for start in starts[1:]), len(content)], strict=True):
        if unit := content[start:end].rstrip(b"\0"):  # zeros before the next start code belong to neither
            yield unit


def _h264_sets(header: bytes) -> Iterator[bytes]:
    """SPS and PPS of an avcC record: a count in five bits, then lengths in two bytes; then a count in eight bits."""
    position = 5
    for mask in (31, 255):
        count = header[position] & mask if position < len(header) else 0
        position += 1
        for _ in range(count):
            start = position + 2
            position = start + int.from_bytes(header[position:start], "big")
            if unit := header[start:position].rstrip(b"\0"):
                yield unit


def _hevc_sets(header: bytes) -> Iterator[bytes]:
    """VPS, SPS and PPS of an hvcC record: arrays of a type in one byte, a count in two, then lengths in two bytes."""
    position = 23
    for _ in range(header[22]):
        count = int.from_bytes(header[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            start = position + 2
            position = start + int.from_bytes(header[position:start], "big")
            if start > len(header):
                return
            if unit := header[start:position].rstrip(b"\0"):
                yield unit


def _without_adts(content: bytes) -> bytes:
    """A raw AAC block: the ADTS header has 7 bytes, or 9 with a checksum (its protection bit is then 0)."""
    if len(content) > 9 and content[0] == 0xFF and content[1] & 0xF6 == 0xF0:
        return content[7 if content[1] & 1 else 9 :]
    return content


def _even_blocks(timed: Iterable[tuple[float, bytes]], stream: AudioStream) -> Iterator[CodedPacket]:
    """Blocks of a fiftieth of a second, counted from the first sample."""
    width = stream.format.bytes * stream.channels
    block = max(stream.rate // _PCM_BLOCKS, 1)
    waiting, start_s, count = bytearray(), 0.0, 0
    for time_s, content in timed:
        if not waiting and not count:
            start_s = time_s
        waiting += content
        while len(waiting) >= block * width:
            yield CodedPacket(start_s + count * block / stream.rate, bytes(waiting[: block * width]))
            del waiting[: block * width]
            count += 1
    if waiting:
        yield CodedPacket(start_s + count * block / stream.rate, bytes(waiting))
