"""Moving pictures: probe a container and stream its frames upright, with their true times."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from likeness.errors import BadMediaError
from likeness.media import sound
from likeness.media.container import Damage, decoded, opened, picture_stream
from likeness.media.frame import Frame
from likeness.media.limits import Limits
from likeness.media.probe import Probe

_SEEKABLE = ("mp4", "mov", "m4a", "mkv", "webm")  # containers with an index that can be trusted
_TAGGED_MATRICES = (
    1,
    4,
    5,
    6,
    7,
    9,
)  # AVColorSpace values that libswscale converts: 709, FCC, 601 (two names), 240M, 2020
_HD_LINES = 720  # untagged video from this height on is BT.709, below it BT.601: the players' convention
_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_NUDGE_S = 1e-3  # between frames for which the file claims the same time
_MISSING_S = 1.0  # fewer seconds than claimed, by more than this, means cut off

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Span:
    """The part of a clip that is wanted: times in seconds after ``origin``, the file's own stamp of time 0."""

    origin: Fraction
    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class Orientation:
    """How a stored frame is turned to stand upright: transposed first, then mirrored left-right and top-bottom."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Orientation":
        """Read the display matrix (a b u; c d v; x y w): x' = ax + cy, y' = bx + dy. Nearest right angle; mirrors are honoured."""
        if SideData.DISPLAYMATRIX not in frame.side_data:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(frame.side_data[SideData.DISPLAYMATRIX]), np.int32)[:5]
        if abs(int(b)) > abs(int(a)):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def degrees(self) -> int:
        """Clockwise turn in degrees, mirrors aside."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Turn ``image`` (h, w, 3); contiguous."""
        turned = image.transpose(1, 0, 2) if self.transpose else image
        return np.ascontiguousarray(turned[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1])


def probe(path: Path, container: str, limits: Limits) -> Probe:
    """Open ``path``, check it against ``limits`` and decode its first picture and its first sound."""
    with opened(path, container, limits) as source:
        if len(source.streams) > limits.max_streams:
            raise BadMediaError(
                f"{path} has {len(source.streams)} streams, more than {limits.max_streams}. Remux it with fewer."
            )
        stream = picture_stream(source)
        claimed_s = (source.duration or 0) / av.time_base
        found = Probe("sound") if stream is None else _probe_pictures(path, source, stream, limits)
    heard = sound.first_sound(path, container, limits)
    if heard is None and found.kind == "sound":
        raise BadMediaError(f"{path} holds neither pictures nor sound that can be decoded. Export it again.")
    starts = ([] if found.kind == "sound" else [found.origin]) + ([heard.time] if heard else [])
    origin = min(starts)
    duration_s = claimed_s if claimed_s > 0 else _measured_duration(path, container, limits, origin)
    return Probe(**{
        **vars(found),
        "origin": origin,
        "duration_s": duration_s,
        "sample_rate": heard.sample_rate if heard else None,
        "channels": heard.channels if heard else None,
    })  # fmt: skip


def _probe_pictures(path: Path, source: InputContainer, stream: VideoStream, limits: Limits) -> Probe:
    _check_pixels(path, stream.width, stream.height, limits)
    stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    first = next(decoded(source, stream, Damage()), None)
    if not isinstance(first, VideoFrame):
        raise BadMediaError(
            f"{path} holds no picture that can be decoded. It is damaged, or its codec is not supported."
        )
    width, height = _square_size(first, stream.sample_aspect_ratio)
    _check_pixels(path, width, height, limits)
    orientation = Orientation.of(first)
    if orientation.transpose:
        width, height = height, width
    return Probe(
        kind="video",
        width=width,
        height=height,
        frame_rate=stream.average_rate or stream.guessed_rate or stream.base_rate,
        frame_count=stream.frames or None,
        rotation=orientation.degrees,
        origin=_stamp(first, stream) or Fraction(0),
    )


def _check_pixels(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise BadMediaError(
            f"{path} has frames of {width}×{height} pixels, more than the limit of {limits.max_pixels / 1e6:.0f} million. Scale it down."
        )


def _square_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height with square pixels: the width is stretched, as players do, because faces are measured in both directions."""
    if not aspect or not Fraction(1, 8) <= aspect <= 8:
        return frame.width, frame.height
    return max(round(frame.width * aspect), 1), frame.height


def _stamp(frame: VideoFrame, stream: VideoStream) -> Fraction | None:
    """The file's own time stamp of ``frame`` in seconds."""
    time_base = frame.time_base or stream.time_base
    return None if frame.pts is None or time_base is None else frame.pts * time_base


def _measured_duration(path: Path, container: str, limits: Limits, origin: Fraction) -> float:
    """The end of the last packet in seconds, for files that do not say how long they are (a live webm, a cut-off mkv)."""
    last = origin
    with opened(path, container, limits) as source:
        try:
            for packet in source.demux(*[s for s in (*source.streams.video, *source.streams.audio)]):
                if packet.pts is not None and packet.time_base is not None:
                    last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            log.debug("%s ends in the middle of a packet", path)
    return float(last - origin)


def frames(path: Path, container: str, limits: Limits, size: tuple[int, int], span: Span) -> Iterator[Frame]:
    """Stream the frames from ``span.start_s`` on, as RGB of ``size`` (width, height); the caller stops at the end it wants.

    Holds one frame and the decoder's own few: memory does not grow with the clip.
    """
    with opened(path, container, limits) as source:
        stream = picture_stream(source)
        if stream is None:
            raise BadMediaError(f"{path} holds no pictures any more. It was changed while it was read.")
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
        sought = container in _SEEKABLE and span.start_s > 0 and _seek(source, stream, span)
        damage = Damage()
        reformatter = VideoReformatter()
        index, last_s, step_s = 0, -1.0, 1 / float(stream.average_rate or 25)
        for frame in decoded(source, stream, damage):
            if not isinstance(frame, VideoFrame):
                continue
            stamp = _stamp(frame, stream)
            time_s = last_s + step_s if stamp is None else float(stamp - span.origin)
            if sought:
                index, sought = _frames_before(path, container, limits, stamp), False
            time_s = max(time_s, 0.0) if last_s < 0 else max(time_s, last_s + _NUDGE_S)
            if time_s > limits.max_duration_s:
                raise BadMediaError(f"{path} goes on beyond the limit of {limits.max_duration_s / 60:.0f} min. Cut it.")
            last_s = time_s
            if time_s >= span.start_s:
                yield Frame(to_rgb(frame, size, reformatter), time_s, index)
            index += 1
        _report_damage(path, stream, damage, index, last_s, float(span.origin))


def _seek(source: InputContainer, stream: VideoStream, span: Span) -> bool:
    """Go to the key frame at or before the span's start; False where the file cannot be sought, which is then read from its start."""
    if stream.time_base is None:
        return False
    try:
        source.seek(int((span.origin + Fraction(span.start_s)) / stream.time_base), stream=stream)
    except av.FFmpegError:
        source.seek(0)
        return False
    return True


def _frames_before(path: Path, container: str, limits: Limits, stamp: Fraction | None) -> int:
    """How many frames are shown before ``stamp``: counted in the packets, without decoding them."""
    if stamp is None:
        return 0
    count = 0
    with opened(path, container, limits) as source:
        stream = picture_stream(source)
        for packet in source.demux(stream) if stream else ():
            if packet.time_base is None or packet.pts is None:
                continue
            if packet.dts is not None and packet.dts * packet.time_base >= stamp:
                break
            count += packet.pts * packet.time_base < stamp and not packet.is_discard
    return count


def to_rgb(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """The frame as uint8 RGB (height, width, 3), upright, of ``size`` (width, height), by the colour matrix and range it is tagged with."""
    orientation = Orientation.of(frame)
    width, height = size[::-1] if orientation.transpose else size
    tagged = frame.format.is_rgb or frame.colorspace in _TAGGED_MATRICES
    guess = Colorspace.ITU709 if frame.height >= _HD_LINES else Colorspace.ITU601
    rgb = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=None if tagged else guess,
        interpolation=_SCALING,
    )
    image = orientation.apply(rgb.to_ndarray())
    # An unconverted frame is still the decoder's own memory.
    return image.copy() if rgb is frame else image


def _report_damage(path: Path, stream: VideoStream, damage: Damage, count: int, last_s: float, origin_s: float) -> None:
    """One warning line where packets were bad or frames are missing at the end; BadMediaError where nothing came out."""
    if count == 0 and last_s < 0:
        raise BadMediaError(f"{path} holds no picture that can be decoded. It is damaged or cut off.")
    claimed_end = None
    if stream.duration and stream.time_base:
        claimed_end = float((stream.duration + (stream.start_time or 0)) * stream.time_base) - origin_s
    elif "DURATION" in stream.metadata:  # matroska
        hours, minutes, seconds = stream.metadata["DURATION"].strip("\0").split(":")
        claimed_end = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    if claimed_end is not None and last_s < claimed_end - _MISSING_S:
        log.warning("%s is cut off: its pictures end at %.1f s of %.1f s.", path, last_s, claimed_end)
    elif damage.bad_packets:
        log.warning("%s is damaged: %d packets could not be decoded; %d frames were.", path, damage.bad_packets, count)
