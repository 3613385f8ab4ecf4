"""What leaves is labelled, in time, and whole or not there at all."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_media import Recipe, beep, make_clip, number_in, numbered, onset_s, tone
from PIL import Image

from likeness.errors import BadMediaError, CredentialError, SettingsError, StorageError
from likeness.media.clip import Frame, open_clip
from likeness.media.writer import SoundTrack, WriterSettings, write_clip, write_picture

FAST = WriterSettings(preset="ultrafast")


class Stamp:
    """A labelling that paints the top right corner and remembers what passed it."""

    def __init__(self, refuse=False):
        self.drawn_s = []
        self.sealed = []
        self.refuse = refuse

    def draw(self, image, time_s):
        self.drawn_s.append(time_s)
        labelled = image.copy()
        labelled[:16, -16:] = (0, 255, 0)
        return labelled

    def metadata(self):
        return {"comment": "made by a test", "synthetic": "yes"}

    def seal(self, path, destination):
        if self.refuse:
            raise CredentialError("No key.")
        assert path.stat().st_size > 0
        assert path != destination
        assert path.suffix == destination.suffix
        self.sealed.append(destination)


def film(times_s, size=(128, 96)):
    return (Frame(numbered(index, *size), float(time_s), index) for index, time_s in enumerate(times_s))


def even(count, rate=Fraction(25)):
    return [index / rate for index in range(count)]


def written(path, frames, rate=Fraction(25), sound=None, labelling=None, settings=FAST):
    write_clip(path, frames, frame_rate=rate, sound=sound, labelling=labelling or Stamp(), settings=settings)
    return open_clip(path)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(24), Fraction(123457, 4096)])
def test_source_rate_is_kept(tmp_path, rate):
    times = even(50, rate)
    clip = written(tmp_path / "out.mp4", film(times), rate)
    frames = list(clip.frames())
    assert [number_in(frame.image) for frame in frames] == list(range(50))
    assert np.allclose([frame.time_s for frame in frames], [float(t) for t in times], atol=2e-5)
    assert float(clip.frame_rate) == pytest.approx(float(rate), rel=1e-3)
    assert clip.duration_s == pytest.approx(float(50 / rate), abs=0.002)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.floats(0.0005, 3.0), min_size=1, max_size=12), st.sampled_from([Fraction(25), Fraction(30000, 1001)])
)
def test_any_times_come_back_in_order(tmp_path, gaps, rate):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    clip = written(tmp_path / "out.mp4", film(times, (32, 32)), rate)
    back = [frame.time_s for frame in clip.frames()]
    assert np.all(np.diff(back) > 0)
    assert np.allclose(back, times, atol=1.1e-4)


def test_every_frame_is_labelled_and_the_file_tagged_and_sealed(tmp_path):
    labelling = Stamp()
    path = tmp_path / "out.mp4"
    clip = written(path, film(even(10)), labelling=labelling)
    assert labelling.drawn_s == pytest.approx([float(t) for t in even(10)])
    assert labelling.sealed == [path]
    for frame in clip.frames():
        assert np.allclose(frame.image[6, -8], (0, 255, 0), atol=12)
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "made by a test"
        assert container.metadata["synthetic"] == "yes"
        video = container.streams.video[0].codec_context
        assert (video.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.colorspace, video.color_primaries, video.color_trc, video.color_range) == (1, 1, 1, 1)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays while it loads


@pytest.mark.parametrize("size", [(127, 95), (128, 95), (1, 1), (33, 64)])
def test_odd_sizes_are_padded(tmp_path, size):
    clip = written(tmp_path / "out.mp4", (Frame(np.full((*size[::-1], 3), 90, np.uint8), t / 25, t) for t in range(3)))
    assert (clip.width, clip.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_colours_survive(tmp_path):
    class Plain(Stamp):
        def draw(self, image, time_s):
            return image.copy()

    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 150, 120)], np.uint8)
    image = np.repeat(np.repeat(colours[None], 64, 0), 32, 1)
    clip = written(tmp_path / "out.mp4", [Frame(image, 0.0, 0)], labelling=Plain(), settings=WriterSettings(crf=1))
    [frame] = clip.frames()
    assert np.abs(frame.image[32, 16::32].astype(int) - colours).max() <= 5


def _flash_and_beep(path, container, flash_at, seconds, late_s=0.0, pictures_s=None):
    recipe = {
        "mp4": Recipe("mp4", audio="aac", sample_rate=44100),
        "mkv": Recipe("matroska", audio="flac", channels=2),
        "ts": Recipe("mpegts", "mpeg2video", "mp2"),
        "avi": Recipe("avi", "mjpeg", "pcm_s16le", pixels="yuvj420p"),
        "mpg": Recipe("mpeg", "mpeg1video", "mp2", sample_rate=44100),
    }[container]
    frames = [np.full((96, 128, 3), 255 if abs(k / 25 - flash_at) < 1e-6 else 20, np.uint8)
              for k in range(round((pictures_s or seconds) * 25))]  # fmt: skip
    samples = beep(seconds - late_s, flash_at - late_s, recipe.sample_rate)
    return make_clip(path, recipe, frames, samples=samples, sound_from_s=late_s)


def _flash_s(clip):
    return next(frame.time_s for frame in clip.frames() if frame.image[60, 60].min() > 200)


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "avi", "mpg"])
@pytest.mark.parametrize(("late_s", "pictures_s"), [(0.0, None), (0.6, None), (0.0, 2.0)])
def test_flash_and_beep_stay_together(tmp_path, container, late_s, pictures_s):
    """Also where the sound starts late, or goes on when the pictures have ended."""
    if container in ("avi", "mpg") and late_s:
        late_s = 0.0
    source = open_clip(_flash_and_beep(tmp_path / "source", container, 1.2, 3.0, late_s, pictures_s))
    copy = written(tmp_path / "copy.mp4", source.frames(), source.frame_rate, source)
    again = written(tmp_path / "again.mp4", copy.frames(), copy.frame_rate, copy)
    apart = [onset_s(clip.samples(), clip.sample_rate) - _flash_s(clip) for clip in (source, copy, again)]
    assert apart == pytest.approx([0, 0, 0], abs=0.04)
    assert apart[1:] == pytest.approx([apart[0]] * 2, abs=0.005)
    assert again.sample_rate == source.sample_rate
    sound_s = sum(len(block) for block in again.samples()) / again.sample_rate
    assert sound_s == pytest.approx(3.0, abs=0.15)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (37800, 1), (192000, 2), (48000, 6)])
def test_sound_of_our_own(tmp_path, rate, channels):
    samples = np.repeat(tone(2.0, rate)[:, None], channels, axis=1)
    clip = written(tmp_path / "out.mp4", film(even(50)), sound=SoundTrack(samples, rate))
    sound = np.concatenate(list(clip.samples()))
    assert sound.shape[1] == min(channels, 2)
    assert len(sound) / clip.sample_rate == pytest.approx(2.0, abs=0.05)
    spectrum = np.abs(np.fft.rfft(sound[: clip.sample_rate, 0]))
    assert spectrum.argmax() == pytest.approx(440, abs=2)


def test_surround_sound_is_mixed_down(tmp_path):
    path = tmp_path / "surround.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48000, layout="5.1")
        block = np.repeat(tone(1.0)[None], 6, axis=0).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray((block * 32767).astype(np.int16), format="s16", layout="5.1")
        frame.sample_rate = 48000
        out.mux([*stream.encode(frame), *stream.encode(None)])
    source = open_clip(path)
    assert source.channels == 6
    assert next(source.samples()).shape[1] == 6
    assert written(tmp_path / "out.mp4", film(even(25)), sound=source).channels == 2


def test_a_silent_clip_stays_silent(tmp_path):
    source = open_clip(make_clip(tmp_path / "silent.mp4", Recipe("mp4"), [numbered(k) for k in range(5)]))
    assert not written(tmp_path / "out.mp4", source.frames(), sound=source).has_sound


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".JPEG"])
def test_pictures(tmp_path, suffix):
    labelling = Stamp()
    path = tmp_path / f"out{suffix}"
    write_picture(path, numbered(42), labelling=labelling)
    [frame] = open_clip(path).frames()
    assert number_in(frame.image) == 42
    assert np.allclose(frame.image[6, -8], (0, 255, 0), atol=12)
    assert labelling.sealed == [path]
    with Image.open(path) as picture:
        tags = picture.info.get("comment") if suffix == ".png" else picture.getexif()[0x010E]
    assert "made by a test" in tags
    with pytest.raises(CredentialError):
        write_picture(tmp_path / f"no{suffix}", numbered(1), labelling=Stamp(refuse=True))
    assert os.listdir(tmp_path) == [path.name]


def test_what_cannot_be_written_is_said_in_one_line(tmp_path):
    good = [Frame(numbered(0), 0.0, 0)]
    for path, frames, rate, error in (
        ("out.avi", good, 25, SettingsError),
        ("out", good, 25, SettingsError),
        ("out.mp4", good, 0, SettingsError),
        ("out.mp4", [], 25, BadMediaError),
        ("out.mp4", [Frame(numbered(0), -1.0, 0)], 25, BadMediaError),
        ("out.mp4", [*good, Frame(numbered(1, 64, 64), 0.04, 1)], 25, BadMediaError),
    ):
        with pytest.raises(error) as refusal:
            written(tmp_path / path, frames, Fraction(rate))
        assert "\n" not in str(refusal.value)
    with pytest.raises(SettingsError):
        write_picture(tmp_path / "out.bmp", numbered(0), labelling=Stamp())
    with pytest.raises(StorageError):
        written(Path("/proc/out.mp4"), good)
    assert os.listdir(tmp_path) == []


def test_errors_on_the_way_leave_everything_as_it_was(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_text("what was there")

    def breaks(error):
        yield from film(even(30))
        raise error

    for error in (ValueError("in a frame"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            written(path, breaks(error), sound=SoundTrack(tone(2.0), 48000))
    with pytest.raises(CredentialError):
        written(path, film(even(5)), labelling=Stamp(refuse=True))
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert path.read_text() == "what was there"


def _noise(count, seed=0):
    rng = np.random.default_rng(seed)
    return (Frame(rng.integers(0, 255, (240, 320, 3), np.uint8), k / 25, k) for k in range(count))


@pytest.mark.parametrize("room", [0, 50_000, 400_000])
def test_a_full_disk_leaves_everything_as_it_was(tmp_path, room):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = 65536 + room
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        (disk / "out.mp4").write_text("what was there")
        with pytest.raises(StorageError, match="full"):
            written(disk / "out.mp4", _noise(40), sound=SoundTrack(tone(2.0), 48000))
        assert os.listdir(disk) == ["out.mp4"]
        assert (disk / "out.mp4").read_text() == "what was there"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


PROGRAM = """
    import signal
    import sys
    from fractions import Fraction
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_writer import FAST, Stamp, _noise
    from likeness.media.writer import write_clip
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to it
    {before}
    print("begun", flush=True)
    write_clip(Path({path!r}), _noise({count}), frame_rate=Fraction(25), sound=None, labelling=Stamp(), settings=FAST)
"""


def _start(path, count, before="pass"):
    program = PROGRAM.format(tests=str(Path(__file__).parent), path=str(path), count=count, before=before)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_file_size_limit_leaves_nothing_behind(tmp_path):
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = _start(tmp_path / "out.mp4", 40, limit)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "StorageError" in error.splitlines()[-1]
    assert os.listdir(tmp_path) == []


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    process = _start(tmp_path / "out.mp4", 100_000)
    assert process.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 30
    while not os.listdir(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in error
    assert os.listdir(tmp_path) == []


MEASURE = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_writer import FAST, Stamp
    from likeness.media.clip import open_clip
    from likeness.media.writer import write_clip
    clip = open_clip(Path({path!r}))
    write_clip(Path({out!r}), clip.frames(), frame_rate=clip.frame_rate, sound=clip, labelling=Stamp(), settings=FAST)
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_a_long_clip_needs_no_more_memory_than_a_short_one(tmp_path):
    """Five seconds against 45, read and written with sound; held in memory the further frames would be 46 MB."""
    peaks_kib = []
    for seconds in (5, 45):
        source = tmp_path / f"{seconds}.mp4"
        frames = (Frame(numbered(k % 200, 160, 96), k / 25, k) for k in range(seconds * 25))
        written(source, frames, sound=SoundTrack(tone(seconds, 16000), 16000))
        program = MEASURE.format(tests=str(Path(__file__).parent), path=str(source), out=str(tmp_path / "out.mp4"))
        result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
        peaks_kib.append(int(result.stdout))
    assert peaks_kib[1] - peaks_kib[0] < 10_000
