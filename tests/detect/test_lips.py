"""Lips that open with the voice agree with it; another voice, a late one and none are told apart."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import face, landmarks_at, skin, video

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.lips import Lips, LipsSettings, agreement, modulation_db
from likeness.faces.face import Track
from likeness.media.clip import Clip, open_clip

RATE = 16000
SECONDS = 10.0
SETTINGS = LipsSettings()
CALIBRATION = CueCalibration(
    features={"disagreement": Feature(centre=0.5, scale=0.1, weight=1.0, genuine=[0.4, 0.5, 0.6], frame_high=0.8)},
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def syllables(times: np.ndarray, seed: int) -> np.ndarray:
    """How far a speaker opens the mouth at ``times``, in [0, 1]: syllables of random strength, with pauses."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.choice([0.18, 0.22, 0.3, 0.7], 200, p=[0.3, 0.3, 0.3, 0.1]))
    strengths = rng.uniform(0.3, 1.0, 200)
    return np.clip(sum(s * np.exp(-(((times - t) / 0.06) ** 2)) for t, s in zip(starts, strengths, strict=True)), 0, 1)


def speaking(path: Path, sound: np.ndarray) -> Clip:
    """A clip with ``sound`` float (n,) in [-1, 1]; its picture shows nothing."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("ffv1", rate=Fraction(25))
        pictures.width, pictures.height, pictures.pix_fmt = 240, 240, "bgr0"
        voice = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for _ in range(3):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(skin(), format="rgb24")))
        container.mux(pictures.encode(None))
        samples = (np.clip(sound, -1, 1) * 32000).astype(np.int16)[None]
        heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        heard.sample_rate = RATE
        container.mux(voice.encode(heard))
        container.mux(voice.encode(None))
    return open_clip(path)


def voice(seed: int, delay_s: float = 0.0) -> np.ndarray:
    """Noise that rises and falls with the syllables of ``seed``."""
    times = np.arange(round(SECONDS * RATE)) / RATE
    return np.random.default_rng(9).normal(0, 0.2, len(times)) * (0.01 + syllables(times - delay_s, seed))


def talking_track(seed: int, opening: float = 0.06, seconds: float = SECONDS, rate: float = 25.0, **shape) -> Track:
    """A face whose lips open by ``opening`` of its width with the syllables of ``seed``."""
    rng = np.random.default_rng(4)
    faces = []
    for i in range(round(seconds * rate)):
        points = landmarks_at(**shape) + rng.normal(0, 0.1, (68, 2))
        drop = opening * 110 * syllables(np.array([i / rate]), seed)[0]
        points[[57, 58, 56, 67, 66, 65], 1] += drop
        faces.append(face(points.astype(np.float32), i, rate))
    return Track(1, faces)


def values(clip: Clip, track: Track) -> dict[str, float]:
    measured = measure([Lips(calibration=UNCALIBRATED)], clip, [track])[0][1]
    assert isinstance(measured, Measurement)
    return measured.values


def test_lips_and_their_own_voice_agree_at_once(tmp_path: Path) -> None:
    found = values(speaking(tmp_path / "a.mkv", voice(1)), talking_track(1))
    assert found["disagreement"] < 0.3
    assert found["elsewhere"] < -0.3
    assert found["offset"] <= 0.04


def test_another_voice_does_not_fit(tmp_path: Path) -> None:
    found = values(speaking(tmp_path / "a.mkv", voice(2)), talking_track(1))
    assert found["disagreement"] > 0.6


@pytest.mark.parametrize("delay_s", [-0.2, 0.12, 0.2])
def test_a_small_lag_is_measured(tmp_path: Path, delay_s: float) -> None:
    clip = speaking(tmp_path / "a.mkv", voice(1, delay_s))
    measured = measure([Lips(calibration=UNCALIBRATED)], clip, [talking_track(1)])[0][1]
    assert isinstance(measured, Measurement)
    assert measured.details["lag_s"] == pytest.approx(delay_s, abs=0.03)
    assert measured.values["offset"] == pytest.approx(abs(delay_s), abs=0.03)


def test_a_voice_a_second_late_fits_better_elsewhere(tmp_path: Path) -> None:
    found = values(speaking(tmp_path / "a.mkv", voice(1, 1.0)), talking_track(1))
    assert found["elsewhere"] > 0.3
    assert found["disagreement"] > 0.6


def test_the_finding_says_where_they_part(tmp_path: Path) -> None:
    sound = np.concatenate([voice(1)[: 5 * RATE], voice(2)[5 * RATE :]])
    finding = Lips(calibration=CALIBRATION).examine(speaking(tmp_path / "a.mkv", sound), [talking_track(1)])[0]
    assert finding.llr is not None
    assert "of 3 genuine clips" in finding.text
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values)
    assert finding.spans
    assert all(start > 4 for start, _ in finding.spans)


HUM = 0.2 * np.sin(2 * np.pi * 440 * np.arange(round(SECONDS * RATE)) / RATE)


@pytest.mark.parametrize(
    ("sound", "track", "reason"),
    [
        (np.zeros(len(HUM)), talking_track(1), "No speech"),
        (HUM, talking_track(1), "No speech"),
        (voice(1), talking_track(1, opening=0.0), "hardly moves"),
        (voice(1), talking_track(1, seconds=3), "needs 5 s"),
        (voice(1), talking_track(1, seconds=0.2), "needs 5 s"),
        (voice(1), talking_track(1, rate=10), "10 frames a second"),
        (voice(1), talking_track(1, width=40), "40 px wide"),
    ],
    ids=["silence", "hum", "still mouth", "short", "five frames", "slow rate", "small"],
)
def test_abstains(tmp_path: Path, sound: np.ndarray, track: Track, reason: str) -> None:
    finding = Lips(calibration=UNCALIBRATED).examine(speaking(tmp_path / "a.mkv", sound), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_abstains_where_the_face_is_turned_away_or_lost(tmp_path: Path) -> None:
    clip, faces = speaking(tmp_path / "a.mkv", voice(1)), talking_track(1).faces
    turned = Track(1, [face(landmarks_at(), i, yaw=70) for i in range(250)])
    lost = Track(2, [one for one in faces if one.frame % 10 < 6])
    found = Lips(calibration=UNCALIBRATED).examine(clip, [turned, lost])
    assert "needs 5 s" in (found[0].abstained or "")
    assert "out of sight" in (found[1].abstained or "")


def test_without_sound_picture_or_face_it_abstains() -> None:
    cue = Lips(calibration=UNCALIBRATED)
    assert "no sound" in (cue.examine(video(), [talking_track(1)])[0].abstained or "")
    assert "picture" in (cue.examine(video("picture"), [talking_track(1, seconds=0.04)])[0].abstained or "")
    assert cue.examine(video(), [])[0].abstained


def test_a_sound_that_ends_early_is_silence_from_there(tmp_path: Path) -> None:
    finding = Lips(calibration=UNCALIBRATED).examine(
        speaking(tmp_path / "a.mkv", voice(1)[: 6 * RATE]), [talking_track(1)]
    )[0]
    assert finding.llr is not None
    assert all(value is None or np.isfinite(value) for value in finding.figure.values)  # type: ignore[union-attr]


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_agreement_does_not_change_with_loudness_or_offset(seed: int, factor: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    times, voice_times = np.arange(0, 6, 0.04), np.arange(-1.5, 7.5, 0.01)
    mouth, sound = rng.normal(size=len(times)), rng.normal(size=len(voice_times))
    plain = agreement(times, mouth, voice_times, sound, SETTINGS)
    changed = agreement(times, factor * mouth + offset, voice_times, factor * sound - offset, SETTINGS)
    assert -1 <= plain.best <= 1
    assert changed.best == pytest.approx(plain.best, abs=1e-6)
    assert changed.lag_s == pytest.approx(plain.lag_s)


def test_modulation_is_in_decibels() -> None:
    assert modulation_db(np.r_[np.full(50, 0.01), np.full(50, 0.1)]) == pytest.approx(20)
    assert modulation_db(np.zeros(0)) == 0
