"""Trembling features and flickering light are measured against the head that carries them."""

from pathlib import Path

import numpy as np
import pytest
from made_faces import clip_of, face, landmarks_at, moving_track, skin, softened, video

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.motion import Motion, head_speed, tremble
from likeness.faces.face import Track

CALIBRATION = CueCalibration(
    features={
        "jitter": Feature(centre=-0.2, scale=0.3, weight=0.5, genuine=[-0.6, -0.3, -0.1, 0.0], frame_high=0.6),
        "flicker": Feature(centre=0.3, scale=0.8, weight=0.4, genuine=[-1.0, 0.0, 0.5, 1.5]),
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=4, genuine_clips=4, synthetic_clips=4, population="made",
)  # fmt: skip
FRAMES = 75


def examiner() -> Motion:
    return Motion(calibration=CALIBRATION)


def footage(path: Path, flicker: float = 0.0):
    """A still textured picture under a lamp that wavers a little, its face flickering by ``flicker`` grey levels."""
    rng = np.random.default_rng(1)
    images = []
    for i in range(FRAMES):
        picture = softened(skin(), landmarks_at(65 + 8 * np.sin(i / 12), 70 + 3 * np.cos(i / 9)), 0.3)
        lamp = 1 + 0.01 * rng.normal()
        inner = softened(picture, landmarks_at(), 0.3, flicker * rng.normal() * 3)
        images.append(np.clip(inner * lamp, 0, 255).astype(np.uint8))
    return clip_of(path, images)


def test_head_motion_alone_is_no_tremble() -> None:
    inner, outer = tremble(moving_track(FRAMES).faces)
    assert len(inner) == FRAMES - 2
    assert np.median(inner) == pytest.approx(np.median(outer), rel=0.15)


@pytest.mark.parametrize("pixels", [0.6, 1.5])
def test_trembling_features_stand_out(pixels: float) -> None:
    inner, outer = tremble(moving_track(FRAMES, tremble=pixels).faces)
    assert np.median(inner) > (1 + 0.8 * pixels) * np.median(outer)


def test_flicker_of_the_face_is_told_from_that_of_the_lamp(tmp_path: Path) -> None:
    track = moving_track(FRAMES)
    measured = [
        measure([examiner()], footage(tmp_path / f"{i}.mkv", level), [track])[0][1]
        for i, level in enumerate((0.0, 3.0))
    ]
    steady, flickering = (m.values["flicker"] for m in measured if isinstance(m, Measurement))
    assert abs(steady) < 0.5
    assert flickering > steady + 0.5


def test_the_finding_reads_plainly_and_stays_in_bounds(tmp_path: Path) -> None:
    finding = examiner().examine(footage(tmp_path / "a.mkv", 3.0), [moving_track(FRAMES, tremble=2.0)])[0]
    assert finding.llr is not None
    assert 0.3 < finding.llr <= CALIBRATION.bound
    assert finding.text.startswith("Brows and nose tremble")
    assert "0 of 4 genuine clips" in finding.text
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values)


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (moving_track(20), "needs 1.5 s"),
        (moving_track(40, rate=10), "10 frames a second"),
        (Track(1, [face(landmarks_at(), i) for i in range(FRAMES)]), "hardly moves"),
        (Track(1, [face(landmarks_at(60 + 40 * (i % 2)), i) for i in range(FRAMES)]), "moves so fast"),
        (Track(1, [face(landmarks_at(60 + i / 4, width=40), i) for i in range(FRAMES)]), "40 px wide"),
        (Track(1, [face(landmarks_at(60 + i / 4), i, yaw=70) for i in range(FRAMES)]), "without a break"),
        (Track(1, [face(landmarks_at(60 + i / 4), i) for i in range(FRAMES) if i % 30 < 20]), "without a break"),
    ],
    ids=["short", "slow rate", "still", "rapid", "small", "turned", "broken"],
)
def test_abstains(track: Track, reason: str) -> None:
    finding = examiner().examine(video(), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_speed_is_in_eye_distances_a_second() -> None:
    eye = face(landmarks_at(), 0).eye_distance
    faces = [face(landmarks_at(60 + i * eye / 25), i) for i in range(25)]
    assert head_speed(faces) == pytest.approx(1.0, rel=1e-3)


def test_a_long_clip_asks_for_few_seconds_of_pixels() -> None:
    wanted = examiner().wants(video(), moving_track(1500))
    assert 0 < wanted[-1].time_s - wanted[0].time_s <= 4.0


def test_a_picture_shows_no_motion() -> None:
    assert "picture" in (examiner().examine(video("picture"), [moving_track(1)])[0].abstained or "")
