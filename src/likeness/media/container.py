"""Open a stranger's container through FFmpeg so that it can read that one file and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from likeness.errors import BadMediaError
from likeness.media.limits import Limits
from likeness.media.sniff import DEMUXERS, open_local

_FLUSH_TRIES = 64  # a damaged stream may fail this often before its last frames come out

log = logging.getLogger(__name__)


@contextmanager
def opened(path: Path, container: str, limits: Limits) -> Iterator[InputContainer]:
    """Open ``path`` with the demuxer of ``container`` only; raises BadMediaError.

    FFmpeg gets our open file instead of a name, and every further file or address that the content asks for is refused, so that
    external references (mov dref), playlists and names such as ``concat:`` have nothing to act on.
    """
    demuxer = DEMUXERS[container]
    options = {
        "protocol_whitelist": "file",
        "max_pixels": str(limits.max_pixels),
        "max_streams": str(4 * limits.max_streams),
    }
    if demuxer == "mov":
        options |= {"enable_drefs": "0", "use_absolute_path": "0"}
    with open_local(path, limits) as file:
        try:
            source = av.open(
                file,
                "r",
                format=demuxer,
                options=options,
                metadata_errors="replace",
                buffer_size=1 << 17,
                io_open=_refuse,
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise BadMediaError(f"{path} is damaged or cut off: its {container} header cannot be read.") from error
        with source:
            yield source


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(f"the file refers to {url}, which is not opened")


def picture_stream(source: InputContainer) -> VideoStream | None:
    """The stream with the moving pictures; cover art is none."""
    usable = [s for s in source.streams.video if s.codec_context and not s.disposition & s.disposition.attached_pic]
    best = source.streams.best("video") if usable else None
    return next((stream for stream in usable if stream is best), usable[0] if usable else None)


def sound_stream(source: InputContainer) -> AudioStream | None:
    """The stream with the sound, the container's own choice where there are several."""
    usable = [stream for stream in source.streams.audio if stream.codec_context]
    best = source.streams.best("audio") if usable else None
    return next((stream for stream in usable if stream is best), usable[0] if usable else None)


@dataclass
class Damage:
    """How many packets of a stream could not be decoded."""

    bad_packets: int = 0


def decoded(
    source: InputContainer, stream: VideoStream | AudioStream, damage: Damage
) -> Iterator[VideoFrame | AudioFrame]:
    """Every frame of ``stream`` that decodes; what does not is counted in ``damage`` and passed over."""
    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the file ends in the middle of something
            damage.bad_packets += 1
            return
        if packet is None:
            return
        # The last, empty packet drains the decoder, which may fail and still have frames to give.
        for _ in range(_FLUSH_TRIES if packet.size == 0 else 1):
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except av.FFmpegError:
                damage.bad_packets += 1
                continue
            yield from frames
            break
