"""An inner face that turns, stretches or trembles against its head is told from a head that moves as one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_faces import FACE_PX, face, landmarks_at, video

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.head_pose import HeadPose, angles, pose
from likeness.faces.align import TEMPLATE
from likeness.faces.face import Track
from likeness.faces.pose import DEPTH

COUNT = 100
EVERY = np.arange(68)
INNER = np.arange(27, 48)
CALIBRATION = CueCalibration(
    features={"sway": Feature(centre=0.4, scale=0.2, weight=1.0, genuine=[0.2, 0.4, 0.6], frame_high=1.5)},
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def turned(yaw: float, pitch: float, width: float = FACE_PX) -> np.ndarray:
    """The mean face turned by ``yaw`` and ``pitch`` degrees, seen from afar, float64 (68, 2) in pixels."""
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    shape = np.column_stack([TEMPLATE, DEPTH]).astype(np.float64)
    return (shape - shape[27]) @ (about_x @ about_y).T[:, :2] * width + 120


def nodding(
    count: int = COUNT, *, offset: float = 0.0, sway: float = 0.0, stretch: float = 0.0, shake: float = 0.0,
    rate: float = 25.0, width: float = FACE_PX, noise: float = 0.05, turn: float = 0.0,
) -> Track:  # fmt: skip
    """A head that nods and turns; its inner face is turned by ``offset`` more, by up to ``sway`` degrees at times and
    by ``shake`` at random, and widened by ``stretch`` at times.
    """
    rng = np.random.default_rng(5)
    faces = []
    for i in range(count):
        yaw, pitch = 12 * np.sin(i / 11), 6 * np.cos(i / 8)
        points = turned(yaw, pitch, width)
        more = offset + sway * np.sin(i / 5) + shake * rng.normal()
        inner = turned(yaw + more, pitch, width)[INNER]
        middle = inner.mean(0)
        points[INNER] = middle + (inner - middle) * [1 + stretch * np.sin(i / 4), 1.0]
        points += rng.normal(0, noise, (68, 2))
        faces.append(face(points.astype(np.float32), i, rate, yaw=turn))
    return Track(1, faces)


def values(track: Track) -> dict[str, float]:
    measured = measure([HeadPose(calibration=UNCALIBRATED)], video(), [track])[0][1]
    assert isinstance(measured, Measurement)
    return measured.values


@pytest.mark.parametrize("part", [EVERY, INNER, np.r_[0:5, 12:17]], ids=["whole", "inner", "jaw"])
def test_every_part_of_the_mean_face_gives_its_pose(part: np.ndarray) -> None:
    found = pose(np.array([turned(20, 0), turned(0, -10)]), part)
    assert abs(found.yaw[0]) == pytest.approx(20, abs=1e-3)
    assert found.pitch[0] == pytest.approx(0, abs=1e-3)
    assert abs(found.pitch[1]) == pytest.approx(10, abs=1e-3)


def test_a_head_that_moves_as_one_has_one_pose() -> None:
    found = values(nodding())
    assert found["angle"] < 0.5
    assert found["sway"] < 0.5
    assert abs(found["stretch"]) < 1


def test_an_inner_face_set_askew_points_elsewhere() -> None:
    assert values(nodding(offset=12.0))["angle"] > values(nodding())["angle"] + 2


def test_an_inner_face_that_sways_is_measured_and_a_still_offset_is_not_sway() -> None:
    assert values(nodding(sway=5.0))["sway"] > 2.5
    assert values(nodding(offset=5.0))["sway"] < 1


def test_an_inner_face_that_stretches_or_shakes_is_told_from_the_jaw() -> None:
    steady = values(nodding())
    assert values(nodding(stretch=0.03))["stretch"] > steady["stretch"] + 1
    assert values(nodding(shake=3.0))["shake"] > steady["shake"] + 0.5


def test_the_finding_says_how_rare_and_where() -> None:
    faces = nodding(60).faces + [face(one.landmarks, one.frame + 60) for one in nodding(60, sway=8.0, offset=0.0).faces]
    finding = HeadPose(calibration=CALIBRATION).examine(video(), [Track(1, faces)])[0]
    assert finding.llr is not None
    assert finding.llr > 0.1
    assert "0 of 3 genuine clips" in finding.text
    assert finding.spans
    assert finding.spans[-1][1] > 60 / 25
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values)


def test_a_single_picture_gives_the_angle_alone() -> None:
    cue = HeadPose(calibration=UNCALIBRATED)
    finding = cue.examine(video("picture"), [nodding(1, offset=20.0)])[0]
    assert finding.llr is not None
    assert set(finding.details) == {"picture_angle"}
    assert finding.details["picture_angle"] > 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (nodding(5), "Only 5 frames"),
        (nodding(50, width=30), "50 px wide"),
        (nodding(turn=60), "less than 40°"),
        (nodding(60, rate=5), "5 frames a second"),
    ],
    ids=["five frames", "small", "turned", "slow rate"],
)
def test_abstains(track: Track, reason: str) -> None:
    finding = HeadPose(calibration=UNCALIBRATED).examine(video(), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


@pytest.mark.parametrize("kind", ["video", "picture"])
def test_no_face_is_an_abstention(kind: str) -> None:
    assert HeadPose(calibration=UNCALIBRATED).examine(video(kind), [])[0].abstained  # type: ignore[arg-type]


def test_a_face_that_stands_still_or_collapses_gives_numbers() -> None:
    still = Track(1, [face(landmarks_at(), i) for i in range(COUNT)])
    flat = Track(1, [face(np.tile(np.array([[0.0, 5.0], [90.0, 6.0]], np.float32), (34, 1)), i) for i in range(COUNT)])
    for track in (still, flat):
        assert all(np.isfinite(value) for value in values(track).values())


@settings(max_examples=30)
@given(st.floats(-30, 30), st.floats(-15, 15), st.floats(40, 400), st.floats(-100, 100))
def test_the_pose_of_a_part_does_not_depend_on_place_or_size(yaw: float, pitch: float, width: float, x: float) -> None:
    one, other = turned(yaw, pitch), turned(yaw, pitch, width) + np.array([x, -x])
    assert angles(pose(one[None], INNER).gaze, pose(other[None], EVERY).gaze)[0] < 0.01
