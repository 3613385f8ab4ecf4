"""Eyes of two colours, lamps mirrored in two places, soft eyes and blank teeth are measured as such."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import SIZE, clip_of, face, landmarks_at, skin, video

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.eyes_and_teeth import EyesAndTeeth, EyesAndTeethSettings, look_closely
from likeness.detect.sightings import Sighting
from likeness.faces.face import INNER_LIPS, LEFT_EYE, RIGHT_EYE, Track
from likeness.media.clip import open_clip
from likeness.media.frame import Frame

FRAMES = 12
WIDTH = 200.0
IRIS = 0.042 * WIDTH  # radius in pixels
NAMES = ("iris_colour", "highlight_place", "highlight_strength", "soft_eyes", "blank_teeth")
CALIBRATION = CueCalibration(
    features={
        name: Feature(centre=0.0, scale=0.5, weight=0.5, genuine=[0.0, 0.5, 1.0], frame_high=1.0)
        for name in (*NAMES, *(f"picture_{name}" for name in NAMES))
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip
BROWN, BLUE = (95, 60, 35), (70, 95, 140)


def marks(openness: float = 1.3, mouth: float = 0.0) -> np.ndarray:
    """A large mean face, its lips ``mouth`` pixels farther apart."""
    points = landmarks_at(20, 25, WIDTH, openness)
    points[INNER_LIPS.start + 1 : INNER_LIPS.start + 4, 1] -= mouth / 2
    points[INNER_LIPS.start + 5 : INNER_LIPS.stop, 1] += mouth / 2
    return points


@dataclass(frozen=True)
class Eyes:
    """How both eyes are drawn: irises (right, left), where highlights lie in iris radii, and how bright they are."""

    irises: tuple[tuple[int, int, int], tuple[int, int, int]] = (BROWN, BROWN)
    places: tuple[tuple[float, float], tuple[float, float]] = ((0.2, -0.2), (0.2, -0.2))
    strengths: tuple[int, int] = (230, 230)
    blur: float = 0.0


def drawn(seed: int, eyes: Eyes, points: np.ndarray) -> np.ndarray:
    """Skin with nostrils and lips, and ``eyes``."""
    image = skin(seed)
    for x in (0.45, 0.55):
        cv2.ellipse(image, (int(20 + x * WIDTH), int(25 + 0.47 * WIDTH)), (6, 3), 0, 0, 360, (60, 30, 30), -1)
    cv2.fillPoly(image, [points[48:60].round().astype(np.int32)], (160, 70, 70))
    for part, iris, place, strength in zip(
        (RIGHT_EYE, LEFT_EYE), eyes.irises, eyes.places, eyes.strengths, strict=True
    ):
        lids, middle = points[part], points[part].mean(axis=0)
        outline = (middle + (lids - middle) * (1.1, 1.5)).round().astype(np.int32)
        eye = image.copy()
        cv2.fillPoly(eye, [outline], (225, 220, 215))
        mask = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(mask, [outline], 1)
        cv2.circle(eye, tuple(map(int, middle.round())), round(IRIS), iris, -1)
        cv2.circle(eye, tuple(map(int, middle.round())), 3, (15, 10, 10), -1)
        spot = (middle + np.array(place) * IRIS).round().astype(int)
        cv2.circle(eye, (int(spot[0]), int(spot[1])), 1, (strength,) * 3, -1)
        if eyes.blur:
            eye = cv2.GaussianBlur(eye, (0, 0), eyes.blur)
        image = np.where(mask[:, :, None] > 0, eye, image)
    return image


def with_teeth(image: np.ndarray, points: np.ndarray, gap: int) -> np.ndarray:
    """``image`` with bright teeth in the open mouth; a dark line every ``gap`` pixels, none for 0."""
    teeth = np.full_like(image, 215)
    if gap:
        teeth[:, ::gap] = 150
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [points[INNER_LIPS].round().astype(np.int32)], 1)
    return np.where(mask[:, :, None] > 0, teeth, image)


def track_of(points: np.ndarray) -> Track:
    return Track(1, [face(points, i) for i in range(FRAMES)])


def values_of(path: Path, images: list[np.ndarray], points: np.ndarray) -> dict[str, float]:
    measured = measure([EyesAndTeeth(calibration=CALIBRATION)], clip_of(path, images), [track_of(points)])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured.values


def seen(path: Path, eyes: Eyes) -> dict[str, float]:
    points = marks()
    return values_of(path, [drawn(i, eyes, points) for i in range(FRAMES)], points)


def test_eyes_of_one_make_differ_in_nothing(tmp_path: Path) -> None:
    values = seen(tmp_path / "a.mkv", Eyes())
    assert values["iris_colour"] < 1.5
    assert values["highlight_place"] < 0.2
    assert values["highlight_strength"] < 0.2
    assert "blank_teeth" not in values


def test_irises_of_two_colours(tmp_path: Path) -> None:
    lab = cv2.cvtColor(np.array([[BROWN, BLUE]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, :, 1:]
    expected = float(np.linalg.norm(lab[0] - lab[1]))
    found = seen(tmp_path / "a.mkv", Eyes(irises=(BROWN, BLUE)))["iris_colour"]
    assert found == pytest.approx(expected, rel=0.15)


def test_highlights_in_two_places(tmp_path: Path) -> None:
    values = seen(tmp_path / "a.mkv", Eyes(places=((-0.35, -0.2), (0.35, -0.2))))
    assert values["highlight_place"] == pytest.approx(0.7, abs=0.25)
    assert values["highlight_strength"] < 0.3


def test_a_highlight_in_one_eye_only(tmp_path: Path) -> None:
    values = seen(tmp_path / "a.mkv", Eyes(strengths=(230, 60)))
    assert values["highlight_strength"] > 1.0
    assert "highlight_place" not in values


def test_softness_grows_with_the_blur_of_the_eyes(tmp_path: Path) -> None:
    soft = [seen(tmp_path / f"{blur}.mkv", Eyes(blur=blur))["soft_eyes"] for blur in (0.0, 1.0, 2.0)]
    assert soft[0] + 0.1 < soft[1] < soft[2] - 0.1


def test_teeth_without_gaps_are_blank(tmp_path: Path) -> None:
    points = marks(mouth=20)
    plain = [drawn(i, Eyes(), points) for i in range(FRAMES)]
    blank, gapped = (
        values_of(tmp_path / f"{gap}.mkv", [with_teeth(image, points, gap) for image in plain], points)["blank_teeth"]
        for gap in (0, 8)
    )
    assert blank > 1.0
    assert gapped < 0.0


def test_a_dark_open_mouth_shows_no_teeth(tmp_path: Path) -> None:
    points = marks(mouth=20)
    images = [(with_teeth(drawn(i, Eyes(), points), points, 0) * 0.9).astype(np.uint8) for i in range(FRAMES)]
    for image in images:
        cv2.fillPoly(image, [points[INNER_LIPS].round().astype(np.int32)], (40, 20, 20))
    assert "blank_teeth" not in values_of(tmp_path / "a.mkv", images, points)


def test_a_picture_has_features_of_its_own(tmp_path: Path) -> None:
    points, path = marks(), tmp_path / "a.png"
    cv2.imwrite(str(path), drawn(0, Eyes(irises=(BROWN, BLUE)), points)[:, :, ::-1])
    finding = EyesAndTeeth(calibration=CALIBRATION).examine(open_clip(path), [Track(1, [face(points, 0)])])[0]
    assert finding.llr is not None
    assert float(finding.details["picture_iris_colour"] or 0) > 15
    assert "0 of 3 genuine clips" in finding.text


def test_the_finding_says_where_and_how_rare(tmp_path: Path) -> None:
    points = marks()
    sharp, soft = Eyes(), Eyes(blur=4.0)
    images = [drawn(i, soft if i >= 7 else sharp, points) for i in range(FRAMES)]
    calibration = CALIBRATION.model_copy(
        update={"features": {"soft_eyes": Feature(centre=0, scale=1, weight=1, genuine=[0.0], frame_high=0.5)}}
    )
    finding = EyesAndTeeth(calibration=calibration).examine(clip_of(tmp_path / "a.mkv", images), [track_of(points)])[0]
    assert finding.spans == [(pytest.approx(7 / 25, abs=0.05), pytest.approx(11 / 25, abs=0.05))]
    assert "of 1 genuine clips" in finding.text
    assert finding.figure is not None


@pytest.mark.parametrize(
    ("image", "track", "reason"),
    [
        (skin(), Track(1, [face(landmarks_at(width=110), i) for i in range(FRAMES)]), "120 px"),
        (skin(), Track(1, [face(marks(), i, yaw=40) for i in range(FRAMES)]), "0 frames"),
        (skin(), Track(1, track_of(marks()).faces[:5]), "5 frames"),
        (drawn(0, Eyes(), marks()), track_of(marks(openness=0.3)), "Neither"),
        (skin(), track_of(marks()), "Neither"),
        (np.full((SIZE, SIZE, 3), 255, np.uint8), track_of(marks(mouth=20)), "Neither"),
        (skin(), track_of(marks() + np.float32(400)), "outside the picture"),
    ],
    ids=["small", "turned", "short", "closed", "no eyes drawn", "white", "out of the picture"],
)
def test_abstains(tmp_path: Path, image: np.ndarray, track: Track, reason: str) -> None:
    finding = EyesAndTeeth(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", [image] * FRAMES), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


@given(seed=st.integers(0, 10_000), spread=st.floats(0.0, 30.0), kind=st.sampled_from(["noise", "flat", "drawn"]))
def test_no_landmarks_and_no_picture_break_it(seed: int, spread: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    points = (marks(mouth=15) + rng.normal(0, spread, (68, 2))).astype(np.float32)
    image = {
        "noise": rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8),
        "flat": np.full((SIZE, SIZE, 3), seed % 256, np.uint8),
        "drawn": drawn(0, Eyes(), marks(mouth=15)),
    }[kind]
    note = look_closely(Sighting(Frame(image, 0.0, 0), 1, face(points, 0)), EyesAndTeethSettings())
    if note is not None:
        numbers = [note.softness, note.blankness, *(eye.highlight for eye in note.eyes or ())]
        assert all(np.isfinite(number) for number in numbers if number is not None)


def test_a_clip_without_faces_abstains() -> None:
    assert "No face" in (EyesAndTeeth(calibration=CALIBRATION).examine(video(), [])[0].abstained or "")
