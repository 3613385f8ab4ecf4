"""A face that is stiff on a moving head, or whose sides move apart, is told from one that moves as faces do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_faces import face, landmarks_at, video

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.expression import Expression, Movement, alike, reach
from likeness.faces.align import TEMPLATE
from likeness.faces.face import LEFT_BROW, RIGHT_BROW, Track
from likeness.faces.pose import DEPTH

COUNT = 120
CALIBRATION = CueCalibration(
    features={
        "stiff_brow": Feature(centre=2.0, scale=0.5, weight=1.0, genuine=[1.5, 2.0, 2.5]),
        "asymmetry": Feature(centre=-5.0, scale=1.0, weight=1.0, genuine=[-6.0, -5.0, -4.0]),
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def lively(
    count: int = COUNT, *, movement: float = 0.04, turn: float = 10.0, lag: int = 0, apart: float = 0.0,
    rate: float = 25.0, width: float = 110.0, yaw: float = 0.0,
) -> Track:  # fmt: skip
    """A head that turns by ``turn`` degrees to each side, whose brows and mouth move by ``movement`` of its width.

    The left side comes ``lag`` frames late, and moves by ``apart`` of the movement on its own.
    """
    rng = np.random.default_rng(6)
    wander = np.convolve(rng.normal(0, 1, (count + lag + 20)), np.hanning(9) / 2, "same")
    alone = np.convolve(rng.normal(0, 1, count), np.hanning(9) / 2, "same")
    shape = np.column_stack([TEMPLATE, DEPTH]).astype(np.float64)
    faces = []
    for i in range(count):
        moved = shape.copy()
        right, left = movement * wander[i + lag], movement * ((1 - apart) * wander[i] + apart * alone[i])
        for part, step in ((RIGHT_BROW, right), (LEFT_BROW, left), ([48], right), ([54], left)):
            moved[part, 1] -= step
        angle = np.radians(turn) * np.sin(i / 13)
        about_y = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
        points = (moved - moved[27]) @ about_y.T[:, :2] * width + 120 + rng.normal(0, 0.05, (68, 2))
        faces.append(face(points.astype(np.float32), i, rate, yaw=yaw))
    return Track(1, faces)


def values(track: Track) -> dict[str, float]:
    measured = measure([Expression(calibration=UNCALIBRATED)], video(), [track])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured.values


def test_a_stiff_face_on_a_moving_head_stands_out() -> None:
    moving, stiff = values(lively()), values(lively(movement=0.002))
    assert stiff["stiff_brow"] > moving["stiff_brow"] + 1.5
    assert stiff["stiff_mouth"] > moving["stiff_mouth"] + 1.5


def test_a_head_that_stands_still_need_not_carry_a_moving_face() -> None:
    assert "stiff_brow" not in values(lively(turn=0.0))


def test_turning_farther_does_not_call_for_more_expression() -> None:
    near, far = (values(lively(turn=turn))["stiff_brow"] for turn in (10.0, 20.0))
    assert near == pytest.approx(far, abs=0.3)


def test_sides_that_move_apart_are_asymmetric() -> None:
    together, apart = values(lively()), values(lively(apart=0.6))
    assert together["asymmetry"] < -5
    assert apart["asymmetry"] > together["asymmetry"] + 2


@pytest.mark.parametrize("frames", [0, 2, 4])
def test_the_lag_of_a_side_is_in_seconds(frames: int) -> None:
    assert values(lively(lag=frames))["lag"] == pytest.approx(frames / 25, abs=0.015)


def test_the_finding_reads_plainly() -> None:
    finding = Expression(calibration=CALIBRATION).examine(video(), [lively(movement=0.002, apart=0.7)])[0]
    assert finding.llr is not None
    assert finding.llr > 0.1
    assert finding.text.startswith("While the head turns by")
    assert "0 of 3 genuine clips" in finding.text
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values)


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (lively(5), "needs 2.5 s"),
        (lively(width=50.0), "70 px wide"),
        (lively(yaw=60.0), "less than 35°"),
        (lively(rate=8.0), "8 frames a second"),
        (Track(1, [face(landmarks_at(), i) for i in range(COUNT)]), "moves enough"),
    ],
    ids=["five frames", "small", "turned", "slow rate", "still picture"],
)
def test_abstains(track: Track, reason: str) -> None:
    finding = Expression(calibration=UNCALIBRATED).examine(video(), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_no_face_or_a_picture_is_an_abstention() -> None:
    cue = Expression(calibration=UNCALIBRATED)
    assert cue.examine(video(), [])[0].abstained
    assert "picture" in (cue.examine(video("picture"), [lively(1)])[0].abstained or "")


def test_landmarks_that_jump_give_numbers() -> None:
    rng = np.random.default_rng(1)
    wild = Track(1, [face(rng.uniform(0, 240, (68, 2)).astype(np.float32), i) for i in range(COUNT)])
    finding = Expression(calibration=UNCALIBRATED).examine(video(), [wild])[0]
    assert all(np.isfinite(value) for value in finding.details.values() if isinstance(value, float))


@settings(max_examples=40)
@given(st.integers(0, 9999), st.floats(0.1, 10), st.floats(-3, 3))
def test_likeness_of_the_sides_does_not_change_with_their_size(seed: int, factor: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    right, left = rng.normal(size=(2, 80))
    plain, changed = (alike(Movement(right, side), 0.04, 0.2) for side in (left, factor * left + offset))
    assert -1 <= plain[0] <= 1
    assert 0 <= plain[1] <= 0.2
    assert changed[0] == pytest.approx(plain[0], abs=1e-6)
    assert reach(factor * right + offset) == pytest.approx(factor * reach(right), rel=1e-6)
