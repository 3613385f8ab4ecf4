"""Footage of every kind opens, keeps its true times and survives damage."""

import gc
import io
import logging
import re
import resource
import zlib
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_media import Recipe, make_clip, number_in, numbered, tone
from PIL import Image

from likeness.errors import BadMediaError
from likeness.media.clip import Limits, open_clip
from likeness.media.sniff import PICTURES

VIDEOS = {
    "mp4": Recipe("mp4", "libx264", "aac"),
    "mov": Recipe("mov", "libx264", "pcm_s16le"),
    "mkv": Recipe("matroska", "libx264", "flac"),
    "webm": Recipe("webm", "libvpx-vp9", "libopus", options=(("deadline", "realtime"), ("cpu-used", "8"))),
    "avi": Recipe("avi", "mpeg4", "libmp3lame"),
    "mpg": Recipe("mpeg", "mpeg1video", "mp2"),
    "ts": Recipe("mpegts", "mpeg2video", "mp2"),
    "mpv": Recipe("mpeg1video", "mpeg1video"),
}
SOUNDS = {
    "wav": Recipe("wav", None, "pcm_s16le"),
    "m4a": Recipe("ipod", None, "aac"),
    "mp3": Recipe("mp3", None, "libmp3lame"),
    "flac": Recipe("flac", None, "flac"),
    "ogg": Recipe("ogg", None, "libopus"),
}
COUNT = 40


def numbers(count=COUNT, size=(128, 96)):
    return [numbered(index, *size) for index in range(count)]


@pytest.fixture
def h264(tmp_path):
    return make_clip(tmp_path / "clip.mp4", Recipe("mp4", options=(("g", "10"),)), numbers())


@pytest.mark.parametrize("container", VIDEOS)
def test_videos_of_every_container_under_a_wrong_name(tmp_path, container):
    recipe = VIDEOS[container]
    path = make_clip(tmp_path / "clip.txt", recipe, numbers(), samples=tone(1.6) if recipe.audio else None)
    clip = open_clip(path)
    assert (clip.kind, clip.container, clip.width, clip.height) == ("video", container, 128, 96)
    assert clip.frame_rate == pytest.approx(25, rel=0.02)
    assert clip.duration_s == pytest.approx(1.6, abs=0.15)
    frames = list(clip.frames())
    assert [number_in(frame.image) for frame in frames] == [frame.index for frame in frames] == list(range(COUNT))
    # FFmpeg's AVI muxer leaves an empty frame after the first; mkv and webm count whole milliseconds.
    assert np.allclose(np.diff([frame.time_s for frame in frames])[1:], 0.04, atol=0.0011)
    assert all(frame.image.dtype == np.uint8 and frame.image.shape == (96, 128, 3) for frame in frames)
    if recipe.audio:
        sound = np.concatenate(list(clip.samples()))
        assert sound.dtype == np.float32
        assert len(sound) / clip.sample_rate == pytest.approx(1.6, abs=0.1)
        middle = sound[len(sound) // 4 : len(sound) * 3 // 4]
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.354, abs=0.03)


@pytest.mark.parametrize("container", SOUNDS)
def test_sounds_of_every_container(tmp_path, container):
    clip = open_clip(make_clip(tmp_path / "sound.bin", SOUNDS[container], samples=tone(1.0)))
    assert (clip.kind, clip.container, clip.sample_rate, clip.channels) == ("sound", container, 48000, 1)
    assert list(clip.frames()) == []
    sound = np.concatenate(list(clip.samples()))
    assert len(sound) == pytest.approx(48000, abs=3000)
    assert np.abs(np.fft.rfft(sound[:32768, 0])).argmax() * 48000 / 32768 == pytest.approx(440, abs=3)
    stereo = np.concatenate(list(clip.samples(2)))
    assert stereo.shape == (len(sound), 2)


def test_variable_frame_rate_keeps_every_time(tmp_path):
    times = np.cumsum([0, 0.033, 0.1, 0.017, 0.5, 0.04, 0.04, 0.25])
    clip = open_clip(make_clip(tmp_path / "vfr.mp4", Recipe("mp4"), numbers(8), times))
    assert np.allclose([frame.time_s for frame in clip.frames()], times, atol=1e-9)


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("muxer", ["mp4", "mov"])
def test_rotated_footage_stands_upright(tmp_path, degrees, muxer):
    stored = [np.rot90(image, degrees // 90).copy() for image in numbers(5)]  # counter-clockwise, to be turned back
    height, width = stored[0].shape[:2]
    recipe = Recipe(muxer, size=(width, height), rotation=-degrees)
    clip = open_clip(make_clip(tmp_path / "phone", recipe, stored))
    assert (clip.width, clip.height, clip.rotation) == (128, 96, degrees)
    assert [number_in(frame.image) for frame in clip.frames()] == list(range(5))


@pytest.mark.parametrize(
    ("codec", "pixels", "size"),
    [
        ("libx264", "yuv420p10le", (128, 96)),
        ("libx264", "yuv444p", (127, 95)),
        ("ffv1", "gray", (128, 96)),
        ("ffv1", "gray10le", (128, 96)),
        ("ffv1", "bgra", (127, 95)),
        ("ffv1", "yuva420p", (128, 96)),
        ("mjpeg", "yuvj420p", (128, 96)),
        ("rawvideo", "bgr24", (128, 95)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(tmp_path, codec, pixels, size):
    recipe = Recipe("avi" if codec == "rawvideo" else "matroska", codec, pixels=pixels, size=size)
    clip = open_clip(make_clip(tmp_path / "clip", recipe, numbers(3, size)))
    frames = list(clip.frames())
    assert [number_in(frame.image) for frame in frames] == [0, 1, 2]
    assert frames[0].image.shape == (size[1], size[0], 3)
    if "gray" not in pixels:
        assert np.allclose(frames[0].image[-4, 60], (200, 40, 40), atol=8)


def test_interlaced_mpeg(tmp_path):
    recipe = Recipe("mpeg", "mpeg2video", options=(("flags", "+ildct+ilme"),))
    frames = list(open_clip(make_clip(tmp_path / "tape.mpg", recipe, numbers(6))).frames())
    assert [number_in(frame.image) for frame in frames] == list(range(6))


@pytest.mark.parametrize(("matrix", "name"), [(1, "ITU709"), (5, "ITU601")])
def test_colours_follow_the_tagged_matrix(tmp_path, matrix, name):
    path = tmp_path / "colour.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width = stream.height = 64
        stream.codec_context.colorspace = matrix
        image = np.full((64, 64, 3), (20, 180, 60), np.uint8)
        frame = av.VideoFrame.from_ndarray(image).reformat(
            format="yuv420p", dst_colorspace=name, dst_color_range="MPEG"
        )
        out.mux([*stream.encode(frame), *stream.encode(None)])
    [frame] = open_clip(path).frames()
    assert np.abs(frame.image.astype(int) - (20, 180, 60)).max() <= 3


def test_pixels_are_made_square(tmp_path):
    recipe = Recipe("mp4", size=(96, 96), aspect=Fraction(4, 3))
    clip = open_clip(make_clip(tmp_path / "wide.mp4", recipe, numbers(3, (96, 96))))
    assert (clip.width, clip.height) == (128, 96)
    assert [number_in(frame.image) for frame in clip.frames()] == [0, 1, 2]


def test_frames_that_change_size_are_scaled_to_the_clips(tmp_path):
    """Two MPEG-1 recordings in one file, one after the other."""
    parts = [
        make_clip(
            tmp_path / f"{width}", Recipe("mpeg1video", "mpeg1video", size=(width, height)), numbers(5, (width, height))
        )
        for width, height in ((128, 96), (192, 144))
    ]
    joined = tmp_path / "joined.mpg"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(open_clip(joined).frames())
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    # FFmpeg's decoder holds back one frame and loses it at the change.
    assert [number_in(frame.image) for frame in frames] == [*range(4), *range(5)]


@pytest.mark.parametrize("muxer", ["mp4", "matroska", "avi"])
def test_a_span_is_the_same_as_in_the_whole(tmp_path, muxer):
    recipe = Recipe(muxer, "mpeg4" if muxer == "avi" else "libx264", options=(("g", "10"),))
    clip = open_clip(make_clip(tmp_path / "clip", recipe, numbers()))
    whole = {frame.index: frame for frame in clip.frames()}
    for start, end in ((0.6, 1.0), (0.0, 0.2), (1.2, None), (whole[33].time_s, whole[34].time_s)):
        part = list(clip.frames(start, end))
        expected = [f.index for f in whole.values() if f.time_s >= start and (end is None or f.time_s < end)]
        assert [frame.index for frame in part] == [number_in(frame.image) for frame in part] == expected
        assert all(np.array_equal(frame.image, whole[frame.index].image) for frame in part)
        assert all(frame.time_s == whole[frame.index].time_s for frame in part)
    assert list(clip.frames(100.0)) == []


@given(
    wanted=st.sets(st.integers(0, COUNT - 1)),
    span=st.tuples(st.floats(0, 1), st.none() | st.floats(0, 1.7)),
    cut=st.booleans(),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_frames_that_are_not_wanted_are_left_out_and_no_others(h264, wanted, span, cut):
    clip = open_clip(h264).cut(0.2, 1.4) if cut else open_clip(h264)
    asked = []

    def of_use(time_s):
        asked.append(time_s)
        return round(time_s * 25) in wanted

    whole, chosen = list(clip.frames(*span)), list(clip.frames(*span, of_use))
    assert asked == [frame.time_s for frame in whole]
    expected = [frame for frame in whole if round(frame.time_s * 25) in wanted]
    assert [(f.index, f.time_s) for f in chosen] == [(f.index, f.time_s) for f in expected]
    assert all(np.array_equal(f.image, e.image) for f, e in zip(chosen, expected, strict=True))


def test_frames_are_freed_as_they_pass(h264):
    """Frames in a cycle wait for the collector, and a clip's memory grows with its length until it comes by."""
    clip = open_clip(h264)
    gc.collect()
    gc.disable()
    try:
        for _ in clip.frames():
            pass
        assert gc.collect() < COUNT
    finally:
        gc.enable()


def test_pictures_of_an_animation_that_are_not_wanted_are_left_out(tmp_path):
    pages = [Image.new("RGB", (16, 16), (60 * i, 0, 0)) for i in range(4)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=100)
    chosen = open_clip(tmp_path / "a.gif").frames(wanted=lambda time_s: 0.05 < time_s < 0.25)
    assert [frame.index for frame in chosen] == [1, 2]


@pytest.mark.parametrize("late_s", [0.0, 0.5])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_sound_that_starts_late_is_preceded_by_silence(tmp_path, container, late_s):
    path = make_clip(tmp_path / "late", VIDEOS[container], numbers(), samples=tone(1.0), sound_from_s=late_s)
    clip = open_clip(path)
    sound = np.concatenate(list(clip.samples()))
    onset = np.flatnonzero(np.abs(sound[:, 0]) > 0.1)[0] / clip.sample_rate
    first_picture = next(clip.frames()).time_s
    assert onset - first_picture == pytest.approx(late_s, abs=0.02)


def test_cover_art_is_no_video(tmp_path):
    song = make_clip(tmp_path / "song.mp3", SOUNDS["mp3"], samples=tone(0.5)).read_bytes()
    cover = io.BytesIO()
    Image.fromarray(numbered(3)).save(cover, "JPEG")
    body = b"\0image/jpeg\0\x03\0" + cover.getvalue()
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    length = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "covered.mp3"
    path.write_bytes(b"ID3\x03\0\0" + length + frame + song)
    clip = open_clip(path)
    assert (clip.kind, clip.container, clip.width) == ("sound", "mp3", 0)


@pytest.mark.parametrize("container", ["mkv", "ts", "mpg", "avi", "webm"])
def test_a_file_cut_off_gives_its_good_frames_and_one_warning(tmp_path, container, caplog):
    path = make_clip(tmp_path / "cut", VIDEOS[container], numbers(100), samples=tone(4.0))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    clip = open_clip(path)
    with caplog.at_level(logging.WARNING, logger="likeness"):
        frames = list(clip.frames())
    assert 20 < len(frames) < 80
    assert [number_in(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert len(caplog.records) <= 1
    if container in ("mkv", "avi", "webm"):  # which claim a length
        assert "cut off" in caplog.text


def test_an_mp4_cut_off_behind_its_index(tmp_path, caplog):
    recipe = Recipe("mp4", muxer_options=(("movflags", "+faststart"),))
    path = make_clip(tmp_path / "cut.mp4", recipe, numbers(100))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    frames = list(open_clip(path).frames())
    assert 20 < len(frames) < 100
    assert "cut off" in caplog.text


def test_damage_in_the_middle_is_passed_over(tmp_path, caplog):
    path = make_clip(tmp_path / "clip.avi", Recipe("avi", "mjpeg", pixels="yuvj420p"), numbers())
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    frames = list(open_clip(path).frames())
    assert 20 < len(frames) <= COUNT
    assert number_in(frames[-1].image) == COUNT - 1


def test_hopeless_files_are_refused_in_one_line(h264, tmp_path):
    content = h264.read_bytes()
    hopeless = {
        "cut before its index": content[:-2000],
        "head only": content[:40],
        "no picture left": content[:48] + bytes(len(content) - 48),
        "matroska head": b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska" + bytes(1000),
        "mp3 sync only": b"\xff\xfb\x90\x64" + bytes(5000),
        "png head": b"\x89PNG\r\n\x1a\n" + bytes(100),
    }
    for what, damaged in hopeless.items():
        path = tmp_path / "bad.mp4"
        path.write_bytes(damaged)
        with pytest.raises(BadMediaError) as refusal:
            list(open_clip(path).frames())
        assert "\n" not in str(refusal.value), what


def test_limits(h264, tmp_path):
    for limits, word in (
        (Limits(max_pixels=1000), "Mpixel"),
        (Limits(max_duration_s=1.0), "min"),
        (Limits(max_streams=0), "streams"),
        (Limits(max_bytes=100), "GB"),
    ):
        with pytest.raises(BadMediaError, match=word):
            open_clip(h264, limits)


def test_enormous_claims_in_the_header(tmp_path):
    """65,500 pixels a side, in files of a few kilobytes."""
    film = make_clip(tmp_path / "film.avi", Recipe("avi", "mjpeg", pixels="yuvj420p"), numbers(4)).read_bytes()
    size_of_jpeg = re.compile(rb"(\xff\xc0\0\x11\x08)\0\x60\0\x80", re.DOTALL)
    picture = io.BytesIO()
    Image.fromarray(numbered(3)).save(picture, "PNG")
    png = bytearray(picture.getvalue())
    png[16:24] = b"\0\0\xff\xdc" * 2
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    for claim in (size_of_jpeg.sub(lambda found: found[1] + b"\xff\xdc" * 2, film), bytes(png)):
        path = tmp_path / "enormous"
        path.write_bytes(claim)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(BadMediaError):
            list(open_clip(path).frames())
        assert (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
        )  # KiB; decoded they would take 12 GB


def test_an_mp4_that_claims_another_size_and_length_is_read_as_it_is(h264, tmp_path):
    content = bytearray(h264.read_bytes())
    entry = content.index(b"avc1", content.index(b"stsd"))
    content[entry + 28 : entry + 32] = b"\x40\0\x40\0"
    header = content.index(b"mvhd")
    content[header + 20 : header + 24] = (3_600_000_000).to_bytes(4, "big")
    path = tmp_path / "claim.mp4"
    path.write_bytes(content)
    clip = open_clip(path)
    assert clip.height == 96
    assert clip.duration_s == pytest.approx(1.6)
    assert len(list(clip.frames())) == COUNT


def test_a_stream_that_outlasts_its_claim_is_stopped(tmp_path):
    """A live webm says nothing of its length."""
    recipe = Recipe("webm", "libvpx-vp9", options=VIDEOS["webm"].options, muxer_options=(("live", "1"),))
    path = make_clip(tmp_path / "live.webm", recipe, numbers(50))
    assert open_clip(path).duration_s == pytest.approx(2.0, abs=0.1)
    with pytest.raises(BadMediaError, match="limit"):
        open_clip(path, Limits(max_duration_s=1.0))


@pytest.fixture(scope="module")
def small_files(tmp_path_factory):
    """One small file of each container, as bytes."""
    folder = tmp_path_factory.mktemp("small")
    files = {}
    for container, recipe in {**VIDEOS, **SOUNDS}.items():
        silent = replace(recipe, audio=None) if recipe.video else recipe
        frames = numbers(6) if recipe.video else ()
        files[container] = make_clip(folder / container, silent, frames, samples=tone(0.2)).read_bytes()
    for container, plugin in PICTURES.items():
        Image.fromarray(numbered(3, 32, 32)).save(folder / container, plugin)
        files[container] = (folder / container).read_bytes()
    return files


@pytest.mark.parametrize("container", [*VIDEOS, *SOUNDS, *PICTURES])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=12), kept=st.floats(0.3, 1.0))
def test_any_damage_ends_in_frames_or_one_line(small_files, tmp_path, container, changes, kept):
    content = bytearray(small_files[container])
    for place, value in changes:
        content[int(place**3 * len(content))] = value  # mostly in the headers
    path = tmp_path / "damaged"
    path.write_bytes(content[: int(kept * len(content))])
    refusal = ""
    try:
        clip = open_clip(path, Limits(max_pixels=4_000_000, max_duration_s=600))
        times = [frame.time_s for frame in clip.frames()]
        assert np.all(np.diff(times) > 0)
        assert all(block.dtype == np.float32 and block.shape[1] == clip.channels for block in clip.samples())
    except BadMediaError as error:
        refusal = str(error)
    assert "\n" not in refusal
