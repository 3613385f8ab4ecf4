"""A face lit from elsewhere, in another colour or unsteadily is measured as such; one lit like its skin is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import FACE_PX, SIZE, clip_of, face, landmarks_at, skin, video

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.light import Light, head_normals, shading
from likeness.faces.face import Face, Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import open_clip

LANDMARKS = landmarks_at()
FRAMES = 16
TRACK = Track(1, [face(LANDMARKS, i) for i in range(FRAMES)])
NAMES = ("wander", "direction", "cast", "flicker", "tint_flicker", "picture_direction", "picture_cast")
CALIBRATION = CueCalibration(
    features={
        name: Feature(centre=0.05, scale=0.05, weight=0.5, genuine=[0.0, 0.05, 0.1], frame_high=0.15) for name in NAMES
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def lit(seed: int, side: float, strength: float = 1.0, red: float = 1.0) -> np.ndarray:
    """Skin uint8 (240, 240, 3) that grows brighter towards the right by ``side`` a head's half width."""
    across = (np.arange(SIZE) - (65 + FACE_PX / 2)) / (0.6 * FACE_PX)
    linear = (skin(seed) / 255.0) ** 2.2 * (strength * (1 + side * across.clip(-1, 1)))[None, :, None]
    linear[..., 0] *= red
    return (255 * linear.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)


def with_face(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    mask = hull_mask(LANDMARKS, (SIZE, SIZE))[:, :, None]
    return (image * (1 - mask) + drawn * mask).astype(np.uint8)


def values_of(path: Path, images: list[np.ndarray], track: Track = TRACK) -> dict[str, float]:
    measured = measure([Light(calibration=CALIBRATION)], clip_of(path, images), [track])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured.values


def test_a_face_lit_like_its_skin_stands_out_in_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [np.clip(lit(0, 0.3) + rng.normal(0, 2, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8) for _ in range(FRAMES)]
    values = values_of(tmp_path / "a.mkv", images)
    assert values["direction"] < 0.1
    assert values["cast"] < 0.03
    assert values["wander"] < 0.05
    assert abs(values["flicker"]) < 1.0
    assert abs(values["tint_flicker"]) < 1.0


def test_the_direction_is_what_the_sides_differ_by(tmp_path: Path) -> None:
    found = [
        values_of(tmp_path / f"{side}.mkv", [with_face(lit(i, 0.3), lit(i, side)) for i in range(FRAMES)])["direction"]
        for side in (0.3, 0.0, -0.3)
    ]
    assert found[0] + 0.15 < found[1] < found[2] - 0.15


def test_the_cast_is_the_ratio_of_the_colours_of_light(tmp_path: Path) -> None:
    images = [with_face(lit(i, 0.0), lit(i, 0.0, red=1.15)) for i in range(FRAMES)]
    assert values_of(tmp_path / "a.mkv", images)["cast"] == pytest.approx(np.log(1.15), abs=0.03)


def test_a_change_of_the_lamp_is_no_cast(tmp_path: Path) -> None:
    assert values_of(tmp_path / "a.mkv", [lit(i, 0.0, red=1.15) for i in range(FRAMES)])["cast"] < 0.03


def test_a_face_that_flickers_by_itself_is_told_from_a_lamp_that_does(tmp_path: Path) -> None:
    strengths = [1 + 0.05 * (-1) ** i for i in range(FRAMES)]
    lamp = values_of(tmp_path / "a.mkv", [lit(i, 0.0, s) for i, s in enumerate(strengths)])
    own = values_of(tmp_path / "b.mkv", [with_face(lit(i, 0.0), lit(i, 0.0, s)) for i, s in enumerate(strengths)])
    assert lamp["flicker"] < -1
    assert own["flicker"] > 2
    assert own["tint_flicker"] < 1


def test_light_that_swings_wanders(tmp_path: Path) -> None:
    swinging = [lit(i, 0.4 * np.sin(i / 3)) for i in range(FRAMES)]
    assert values_of(tmp_path / "a.mkv", swinging)["wander"] > 0.15


@pytest.mark.parametrize("roll", [-20.0, 0.0, 20.0])
def test_the_tilt_is_of_the_picture_not_of_the_leaning_head(tmp_path: Path, roll: float) -> None:
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), -roll, 1.0)
    upright = face(cv2.transform(LANDMARKS[None], turn)[0].astype(np.float32), 0)
    leaning = Face(0, 0.0, upright.box, upright.landmarks, 0.99, 0.0, 0.0, roll, 0.8)
    smooth = np.full((SIZE, SIZE, 3), (190, 150, 130)) * np.linspace(0.7, 1.3, SIZE)[None, :, None]
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), smooth.astype(np.uint8)[:, :, ::-1])
    finding = Light(calibration=CALIBRATION).examine(open_clip(path), [Track(1, [leaning])])[0]
    right, down = (float(finding.details[name] or 0) for name in ("tilt_right", "tilt_down"))
    # A ramp is no ellipsoid, so a third remains; turned the wrong way, or not at all, it would be two thirds or more.
    assert abs(down) < 0.35 * right


def test_a_picture_has_features_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), with_face(lit(0, 0.0), lit(0, 0.0, red=1.15))[:, :, ::-1])
    finding = Light(calibration=CALIBRATION).examine(open_clip(path), [Track(1, TRACK.faces[:1])])[0]
    assert finding.llr is not None
    assert finding.details["picture_cast"] == pytest.approx(np.log(1.15), abs=0.03)
    assert "0 of 3 genuine clips" in finding.text


def test_the_finding_says_where_and_how_rare(tmp_path: Path) -> None:
    images = [lit(i, 0.5 if i >= 11 else 0.0) for i in range(FRAMES)]
    finding = Light(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", images), [TRACK])[0]
    assert finding.spans == [(pytest.approx(11 / 25, abs=0.05), pytest.approx(15 / 25, abs=0.05))]
    assert "of 3 genuine clips" in finding.text
    assert finding.figure is not None


def test_hair_and_background_are_no_skin(tmp_path: Path) -> None:
    image = np.full((SIZE, SIZE, 3), (40, 90, 160), np.uint8)
    images = [with_face(image, lit(i, 0.0)) for i in range(FRAMES)]
    values = values_of(tmp_path / "a.mkv", images)
    assert set(values) == {"wander"}


def test_a_grey_picture_has_no_cast(tmp_path: Path) -> None:
    images = [np.repeat(lit(i, 0.0)[:, :, 1:2], 3, axis=2) for i in range(FRAMES)]
    values = values_of(tmp_path / "a.mkv", images)
    assert "cast" not in values
    assert "direction" in values


@pytest.mark.parametrize(
    ("image", "track", "reason"),
    [
        (skin(), Track(1, [face(landmarks_at(width=50), i) for i in range(FRAMES)]), "60 px"),
        (skin(), Track(1, [face(LANDMARKS, i, yaw=60) for i in range(FRAMES)]), "0 frames"),
        (skin(), Track(1, TRACK.faces[:5]), "5 frames"),
        (np.zeros((SIZE, SIZE, 3), np.uint8), TRACK, "too dark"),
        (np.full((SIZE, SIZE, 3), 255, np.uint8), TRACK, "too bright"),
    ],
    ids=["small", "turned", "short", "black", "white"],
)
def test_abstains(tmp_path: Path, image: np.ndarray, track: Track, reason: str) -> None:
    finding = Light(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", [image] * FRAMES), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


@given(yaw=st.floats(-90, 90), pitch=st.floats(-90, 90))
def test_normals_are_unit_vectors_that_face_the_camera(yaw: float, pitch: float) -> None:
    normals = head_normals(yaw, pitch)
    assert np.linalg.norm(normals, axis=-1) == pytest.approx(1.0)
    assert (normals[..., 2] >= 0).all()


@given(right=st.floats(-0.9, 0.9), down=st.floats(-0.9, 0.9), mean=st.floats(0.05, 0.8))
def test_shading_recovers_the_light_that_made_it(right: float, down: float, mean: float) -> None:
    normals = head_normals(0.0, 0.0).reshape(-1, 3)[:, :2]
    normals = normals - normals.mean(axis=0)
    light = mean * (1 + right * normals[:, 0] + down * normals[:, 1])
    assert shading(normals, light, 2.5) == pytest.approx([right, down], abs=1e-6)


def test_a_clip_without_faces_abstains() -> None:
    assert "No face" in (Light(calibration=CALIBRATION).examine(video(), [])[0].abstained or "")
