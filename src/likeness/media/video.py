"""Moving pictures: probe a container and stream its frames upright, with their true times."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from likeness.media.container import Damage, decoded, opened, packets, picture_stream
from likeness.media.frame import Frame
from likeness.media.limits import Limits
from likeness.media.probe import Probe
from likeness.media.sniff import LocalFile

_INDEXED = ("mp4", "mov", "m4a", "mkv", "webm")  # containers with an index that can be trusted for seeking
_UNTIMED = ("mpv",)  # containers without time stamps: those that FFmpeg gives, and the length, are guesses
_TAGGED_MATRICES = (1, 4, 5, 6, 7, 9)  # AVColorSpace: BT.709, FCC, BT.601 twice, 240M, BT.2020: those libswscale knows
_HD_LINES = 720  # untagged video from this height on is BT.709, below it BT.601: the players' convention
# The default path is biased by one level and loses 5 dB or more on a round trip through 4:2:0.
_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_USUAL_RATE = Fraction(25)  # frames a second, where a file does not say
_HIGHEST_RATE = 1000  # frames a second; what claims more counts its clock's ticks
_NUDGE_S = 1e-4  # between two frames for which the file claims the same time
_RESTART_S = 1.0  # time stamps that fall back by more than this start a new count
_MISSING_S = 1.0  # pictures that end earlier than claimed by more than this are cut off
_MATROSKA_DURATION = re.compile(r"(\d+):(\d+):(\d+\.?\d*)")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Orientation:
    """How a stored frame is turned to stand upright: transposed first, then mirrored left-right and top-bottom."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Orientation":
        """The nearest right angle of the display matrix (a b u; c d v; x y w), with x' = ax + cy and y' = bx + dy."""
        matrix = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]
        if matrix is None:
            return cls()
        a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(matrix), np.int32)[:5])
        if abs(b) > abs(a):
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


def probe(file: LocalFile) -> Probe:
    """Check the streams of ``file`` against its limits and decode its first picture and its first sound."""
    with opened(file) as container:
        streams, most = len(container.streams), file.limits.max_streams
        if streams > most:
            raise BadMediaError(
                f"{file.path} has {streams} streams, more than the limit of {most}. Remux it with fewer."
            )
        stream = picture_stream(container)
        claimed_s = (container.duration or 0) / av.time_base
        found = Probe("sound") if stream is None else _probe_pictures(file, container, stream)
    heard = sound.first_sound(file)
    if heard is None:
        if found.kind == "sound":
            raise BadMediaError(f"{file.path} holds neither pictures nor sound that decode. Export it again.")
        origin = found.origin
    else:
        origin = heard.time if found.kind == "sound" else min(found.origin, heard.time)
        found = replace(found, sample_rate=heard.sample_rate, channels=heard.channels)
    known = claimed_s > 0 and file.container not in _UNTIMED
    duration_s = claimed_s if known else _measured_duration(file, origin)
    return replace(found, origin=origin, duration_s=duration_s)


def _probe_pictures(file: LocalFile, container: InputContainer, stream: VideoStream) -> Probe:
    _check_pixels(file.path, stream.width, stream.height, file.limits)
    stream.codec_context.options = {"max_pixels": str(file.limits.max_pixels)}
    first = next(decoded(container, stream, VideoFrame), None)
    if first is None:
        raise BadMediaError(f"{file.path} holds no picture that decodes. It is damaged or its codec is not known here.")
    width, height = _square_size(first, stream.sample_aspect_ratio)
    _check_pixels(file.path, width, height, file.limits)
    orientation = Orientation.of(first)
    if orientation.transpose:
        width, height = height, width
    return Probe(
        kind="video",
        width=width,
        height=height,
        frame_rate=_rate(stream),
        frame_count=stream.frames or None,
        rotation=orientation.degrees,
        origin=_stamp(first) or Fraction(0),
    )


def _check_pixels(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        most = limits.max_pixels / 1e6
        raise BadMediaError(
            f"{path} has frames of {width}×{height}, over the limit of {most:.0f} Mpixel. Scale it down."
        )


def _rate(stream: VideoStream) -> Fraction:
    """Frames a second: the average, or the nominal rate where the average makes no sense."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next((rate for rate in rates if rate and 0 < rate <= _HIGHEST_RATE), _USUAL_RATE)


def _square_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height with square pixels. The width is stretched, as players do: faces are measured both ways."""
    if not aspect or not Fraction(1, 8) <= aspect <= 8:
        return frame.width, frame.height
    return max(round(frame.width * aspect), 1), frame.height


def _stamp(frame: VideoFrame) -> Fraction | None:
    """The file's own time stamp of ``frame`` in seconds."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def _measured_duration(file: LocalFile, origin: Fraction) -> float:
    """The end of the last packet, for files that do not say how long they are (a live webm, a cut-off mkv)."""
    last = origin
    for number in range(file.limits.max_streams):
        with opened(file) as container:
            if number >= len(container.streams):
                break
            stream = container.streams[number]
            for packet in packets(container, stream, Damage()) if stream.type in ("video", "audio") else ():
                if packet.pts is not None and packet.time_base is not None:
                    last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
    return float(last - origin)


class _Timeline:
    """True times from time stamps, strictly increasing whatever the file claims."""

    def __init__(self, origin: Fraction, step_s: float, stamped: bool) -> None:
        self._origin = origin
        self._step_s = step_s
        self._stamped = stamped
        self._shift_s = 0.0
        self.last_s: float | None = None

    def time_of(self, frame: VideoFrame) -> float:
        """Seconds from the clip's start. A frame without a stamp comes one step after the last."""
        stamp, last_s = _stamp(frame) if self._stamped else None, self.last_s
        if last_s is None:
            self.last_s = max(float(stamp - self._origin), 0.0) if stamp is not None else 0.0
            return self.last_s
        time_s = last_s + self._step_s if stamp is None else float(stamp - self._origin) + self._shift_s
        if time_s < last_s - _RESTART_S:  # the stamps started anew, as where recordings were joined
            self._shift_s += last_s + self._step_s - time_s
            time_s = last_s + self._step_s
        self.last_s = time_s if time_s > last_s else last_s + _NUDGE_S
        return self.last_s


def frames(
    file: LocalFile,
    size: tuple[int, int],
    origin: Fraction,
    start_s: float,
    wanted: Callable[[float], bool] | None = None,
) -> Iterator[Frame]:
    """Stream the frames from ``start_s`` to the end, as RGB of ``size`` (width, height).

    ``origin`` is the file's stamp of time 0. ``wanted`` is asked of each frame's time in order; where it says no, the
    frame is not converted, which takes several times as long as decoding it, and left out. One frame and the decoder's
    own few are held: memory does not grow with the clip's length.
    """
    with opened(file) as container:
        stream = picture_stream(container)
        if stream is None:
            raise BadMediaError(f"{file.path} holds no pictures any more. It was changed while it was read.")
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(file.limits.max_pixels)}
        sought = file.container in _INDEXED and start_s > 0 and _seek(container, stream, origin, start_s)
        damage, reformatter = Damage(), VideoReformatter()
        timeline = _Timeline(origin, float(1 / _rate(stream)), file.container not in _UNTIMED)
        index, from_start = 0, not sought
        orientation: Orientation | None = None
        for frame in decoded(container, stream, VideoFrame, damage):
            if sought:
                index, sought = _frames_before(file, _stamp(frame)), False
            time_s = timeline.time_of(frame)
            if time_s > file.limits.max_duration_s:
                most = file.limits.max_duration_s / 60
                raise BadMediaError(f"{file.path} goes on beyond the limit of {most:.0f} min. Cut it.")
            if time_s >= start_s and (wanted is None or wanted(time_s)):
                try:
                    # Asked of the first frame only: PyAV's side data and its frame hold each other until Python's
                    # collector comes by, which is seldom.
                    orientation = orientation or Orientation.of(frame)
                    image = to_rgb(frame, size, reformatter, orientation)
                except av.FFmpegError:  # damage that decodes to an impossible format
                    damage.bad_packets += 1
                else:
                    yield Frame(image, time_s, index)
            index += 1
        if timeline.last_s is not None:
            _warn_of_damage(file.path, damage, timeline.last_s, _claimed_end(container, stream, origin))
        elif from_start:
            raise BadMediaError(f"{file.path} holds no picture that decodes. It is damaged or cut off.")


def _seek(container: InputContainer, stream: VideoStream, origin: Fraction, start_s: float) -> bool:
    """Go to the key frame at or before ``start_s``; False where that fails and the file is read from its start."""
    if stream.time_base is None:
        return False
    try:
        container.seek(int((origin + Fraction(start_s)) / stream.time_base), stream=stream)
    except av.FFmpegError:
        container.seek(0)
        return False
    return True


def _frames_before(file: LocalFile, stamp: Fraction | None) -> int:
    """How many frames are shown before ``stamp``: counted in the packets, without decoding them."""
    if stamp is None:
        return 0
    count = 0
    with opened(file) as container:
        stream = picture_stream(container)
        for packet in packets(container, stream, Damage()) if stream else ():
            if packet.time_base is None or packet.pts is None:
                continue
            if packet.dts is not None and packet.dts * packet.time_base >= stamp:
                break
            count += packet.pts * packet.time_base < stamp and not packet.is_discard
    return count


def to_rgb(
    frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter, orientation: Orientation
) -> np.ndarray:
    """The frame as upright uint8 RGB (height, width, 3) of ``size`` (width, height), by its tagged matrix and range."""
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


def _claimed_end(container: InputContainer, stream: VideoStream, origin: Fraction) -> float | None:
    """When the pictures should end, in seconds from the clip's start; None where the file does not say."""
    if container.format.name == "avi" and stream.frames:  # whose duration FFmpeg shortens to the size of the file
        return float(stream.frames / _rate(stream))
    if stream.duration and stream.time_base:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base - origin)
    if written := _MATROSKA_DURATION.match(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = written.groups()
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None


def _warn_of_damage(path: Path, damage: Damage, last_s: float, claimed_end_s: float | None) -> None:
    """One warning line where frames are missing at the end or packets were bad."""
    if claimed_end_s is not None and last_s < claimed_end_s - _MISSING_S:
        log.warning("%s is cut off: its pictures end at %.1f s instead of %.1f s.", path, last_s, claimed_end_s)
    elif damage.bad_packets:
        log.warning("%s is damaged: %d packets of pictures did not decode.", path, damage.bad_packets)
