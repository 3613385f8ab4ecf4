"""A pulse is found where skin has one, at its rate; skin without, and footage that could show none, are told apart."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_faces import clip_of, face, landmarks_at, skin, video

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.pulse import Pulse, PulseSettings, discord, heartbeat, pulse_wave
from likeness.faces.face import Track
from likeness.media.clip import Clip, open_clip

SETTINGS = PulseSettings()
FRAMES = 215
TRACK = Track(1, [face(landmarks_at(), i) for i in range(FRAMES)])
BLOOD = np.array([0.33, 0.77, 0.53])  # relative strength of a pulse in RGB (de Haan & van Leest 2014)
CALIBRATION = CueCalibration(
    features={"faintness": Feature(centre=-6.0, scale=3.0, weight=1.0, genuine=[-12.0, -6.0, -2.0])},
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def footage(
    path: Path, strength: float, hertz: float = 1.2, noise: float = 3.0, lamp: float = 0.0, level: float = 1.0,
    count: int = FRAMES,
) -> Clip:  # fmt: skip
    """Skin with a pulse of ``strength`` (share of its brightness) under a lamp that wavers by ``lamp``, with noise."""
    rng = np.random.default_rng(2)
    picture = skin().astype(np.float32) * level
    grain = rng.normal(0, noise, (7, *picture.shape)).astype(np.float32)
    images = []
    for i in range(count):
        beat = 1 + strength * BLOOD * np.sin(2 * np.pi * hertz * i / 25)
        light = 1 + lamp * np.sin(2 * np.pi * 1.9 * i / 25)
        moved = np.roll(grain[i % 7], (int(rng.integers(240)), int(rng.integers(240))), (0, 1))
        images.append(np.clip(picture * (beat * light).astype(np.float32) + moved, 0, 255).astype(np.uint8))
    return clip_of(path, images)


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return footage(tmp_path_factory.mktemp("pulse") / "living.mkv", 0.01)


@pytest.fixture(scope="module")
def lifeless(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return footage(tmp_path_factory.mktemp("pulse") / "lifeless.mkv", 0.0)


def examined(clip: Clip, track: Track = TRACK) -> Measurement:
    measured = measure([Pulse(calibration=UNCALIBRATED)], clip, [track])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured


def test_living_skin_shows_its_rate_all_over_the_face(living: Clip) -> None:
    found = examined(living)
    assert found.details["beats_a_minute"] == pytest.approx(72, abs=4)
    assert found.values["faintness"] < -3
    assert found.values["discord"] < 0.5


def test_skin_without_a_pulse_is_faint_and_disagrees(lifeless: Clip) -> None:
    found = examined(lifeless)
    assert found.values["faintness"] > -1
    assert found.values["discord"] > 0.6


def test_a_lamp_that_wavers_is_no_pulse(tmp_path: Path) -> None:
    found = examined(footage(tmp_path / "a.mkv", 0.005, lamp=0.02))
    assert found.details["beats_a_minute"] == pytest.approx(72, abs=4)


def test_the_finding_says_rate_and_rarity(lifeless: Clip) -> None:
    finding = Pulse(calibration=CALIBRATION).examine(lifeless, [TRACK])[0]
    assert finding.llr is not None
    assert finding.llr > 0
    assert "of 3 genuine clips" in finding.text
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values)


def test_a_forehead_under_hair_is_left_out(tmp_path: Path, living: Clip) -> None:
    images = [frame.image.copy() for frame in living.frames()]
    for image in images:
        image[:68] = (60, 42, 32)
    found = examined(clip_of(tmp_path / "b.mkv", images))
    assert found.details["parts_of_the_face"] == 2
    assert found.values["discord"] < 0.6


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda path: footage(path, 0.01, level=0.1, noise=1.0), "too dark"),
        (lambda path: footage(path, 0.01, level=1.6, noise=1.0), "too bright"),
        (lambda path: footage(path, 0.01, noise=60.0), "noisy"),
        (lambda path: footage(path, 0.0, noise=0.0), "stands still"),
        (lambda path: footage(path, 0.01, count=100), "less than 8 s"),
    ],
    ids=["dark", "bright", "noisy", "still picture", "cut off"],
)
def test_abstains_on_footage_that_could_show_none(tmp_path: Path, made: Callable[[Path], Clip], reason: str) -> None:
    finding = Pulse(calibration=UNCALIBRATED).examine(made(tmp_path / "a.mkv"), [TRACK])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (Track(1, TRACK.faces[:5]), "needs 8 s"),
        (Track(1, [face(landmarks_at(), i, rate=10) for i in range(FRAMES)]), "10 frames a second"),
        (Track(1, [face(landmarks_at(width=50), i) for i in range(FRAMES)]), "50 px wide"),
        (Track(1, [face(landmarks_at(), i, yaw=60) for i in range(FRAMES)]), "needs 8 s"),
        (Track(1, [face(landmarks_at(60 + 9 * (i % 2)), i) for i in range(FRAMES)]), "eye distances a second"),
    ],
    ids=["five frames", "slow rate", "small", "turned", "rapid"],
)
def test_abstains(track: Track, reason: str) -> None:
    finding = Pulse(calibration=UNCALIBRATED).examine(video(), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_abstains_on_strong_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 240, 240, "yuv420p", 1000
        for _ in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((240, 240, 3), 150, np.uint8))))
        container.mux(stream.encode(None))
    finding = Pulse(calibration=UNCALIBRATED).examine(open_clip(path), [TRACK])[0]
    assert "compression this strong" in (finding.abstained or "")


def test_no_face_or_a_picture_is_an_abstention() -> None:
    cue = Pulse(calibration=UNCALIBRATED)
    assert cue.examine(video(), [])[0].abstained
    assert "picture" in (cue.examine(video("picture"), [Track(1, TRACK.faces[:1])])[0].abstained or "")


def test_what_it_wants_is_bounded() -> None:
    long = Track(1, [face(landmarks_at(), i, rate=60) for i in range(9000)])
    wanted = Pulse(calibration=UNCALIBRATED).wants(video(), long)
    assert wanted[-1].time_s - wanted[0].time_s <= SETTINGS.longest_s
    assert len(wanted) <= SETTINGS.longest_s * SETTINGS.fastest_rate + 1


@settings(max_examples=20)
@given(st.floats(0.8, 2.8), st.floats(0.002, 0.02), st.integers(0, 1000))
def test_the_rate_of_a_clean_wave_is_found(hertz: float, strength: float, seed: int) -> None:
    times = np.arange(300) / 25
    noise = np.random.default_rng(seed).normal(0, 0.02, (300, 3))
    colours = np.array([180.0, 140.0, 120.0]) * (1 + strength * np.outer(np.sin(2 * np.pi * hertz * times), BLOOD))
    beat = heartbeat(pulse_wave(colours + noise, 25.0, SETTINGS), 25.0, SETTINGS)
    assert beat.rate_hz == pytest.approx(hertz, abs=0.06)
    assert beat.ratio_db > 0


def test_discord_is_none_between_equal_waves() -> None:
    wave = np.sin(np.arange(100))
    assert discord([wave, 2 * wave, wave]) == pytest.approx(0)
    assert discord([wave, -wave]) == pytest.approx(2)
    assert discord([np.zeros(100), wave]) == pytest.approx(1)
