"""Open a stranger's container through FFmpeg so that it can read that one file and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.frame import Frame
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from likeness.errors import BadMediaError
from likeness.media.sniff import DEMUXERS, LocalFile

_FLUSH_TRIES = 64  # a damaged stream may fail this often before its last frames come out

AnyFrame = TypeVar("AnyFrame", bound=Frame)


@contextmanager
def opened(file: LocalFile) -> Iterator[InputContainer]:
    """Open ``file`` with its own demuxer only; raises BadMediaError.

    FFmpeg gets our open handle instead of a name, and every further file or address that the content asks for is
    refused, so that external references (mov dref), playlists and names such as ``concat:`` have nothing to act on.
    """
    demuxer = DEMUXERS[file.container]
    options = {"protocol_whitelist": "file", "max_pixels": str(file.limits.max_pixels)}
    if demuxer == "mov":
        options |= {"enable_drefs": "0", "use_absolute_path": "0"}
    with file.open() as handle:
        try:
            container = av.open(
                handle,
                "r",
                format=demuxer,
                options=options,
                metadata_errors="replace",
                buffer_size=1 << 17,
                io_open=_refuse,
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            message = f"{file.path} is damaged or cut off: its {file.container} header cannot be read."
            raise BadMediaError(message) from error
        with container:
            yield container


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(f"the file refers to {url}, which is not opened")


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The stream with the moving pictures, the container's own choice where there are several; cover art is none."""
    usable = [s for s in container.streams.video if s.codec_context and not s.disposition & s.disposition.attached_pic]
    best = container.streams.best("video") if usable else None
    return next((stream for stream in usable if stream is best), usable[0] if usable else None)


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The stream with the sound, the container's own choice where there are several."""
    usable = [stream for stream in container.streams.audio if stream.codec_context]
    best = container.streams.best("audio") if usable else None
    return next((stream for stream in usable if stream is best), usable[0] if usable else None)


@dataclass
class Damage:
    """How many packets of a stream could not be decoded."""

    bad_packets: int = 0


def decoded(
    container: InputContainer, stream: Stream, kind: type[AnyFrame], damage: Damage | None = None
) -> Iterator[AnyFrame]:
    """Every frame of ``stream`` that decodes; packets that do not are counted in ``damage`` and passed over."""
    damage = damage or Damage()
    for packet in packets(container, stream, damage):
        # The last, empty packet drains the decoder, which may fail and still have frames to give.
        for _ in range(_FLUSH_TRIES if packet.size == 0 else 1):
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except av.FFmpegError:
                damage.bad_packets += 1
                continue
            yield from (frame for frame in frames if isinstance(frame, kind))
            break


def packets(container: InputContainer, stream: Stream, damage: Damage) -> Iterator[Packet]:
    """The packets of ``stream`` up to where the file can be read, which may be in the middle of something."""
    read = container.demux(stream)
    while True:
        try:
            packet = next(read, None)
        except av.FFmpegError:
            damage.bad_packets += 1
            return
        if packet is None:
            return
        yield packet
