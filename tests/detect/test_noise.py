"""A face without the noise or the blocks of its surroundings is measured as such; one of the same make is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import SIZE, clip_of, face, landmarks_at, skin, video

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.noise import Noise, residual_of
from likeness.faces.face import Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import open_clip

LANDMARKS = landmarks_at()
FRAMES = 16
TRACK = Track(1, [face(LANDMARKS, i) for i in range(FRAMES)])
CALIBRATION = CueCalibration(
    features={
        "cleanness": Feature(centre=0.0, scale=0.2, weight=1.0, genuine=[-0.2, 0.0, 0.1], frame_high=0.5),
        "clinging": Feature(centre=0.0, scale=0.1, weight=0.3, genuine=[0.0]),
        "grid_lost": Feature(centre=0.0, scale=0.1, weight=0.3, genuine=[0.0]),
        "picture_cleanness": Feature(centre=0.0, scale=0.2, weight=1.0, genuine=[0.0, 0.1]),
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def scene() -> np.ndarray:
    """A picture float32 (240, 240, 3) of one skin colour, with soft structure but neither noise nor sharp detail."""
    return cv2.GaussianBlur(skin(), (0, 0), 3.0).astype(np.float32)


def filmed(seed: int, inner: float, outer: float = 3.0) -> np.ndarray:
    """`scene` with fresh sensor noise of ``inner`` grey levels on the face and of ``outer`` around it."""
    mask = hull_mask(LANDMARKS, (SIZE, SIZE))[:, :, None]
    noise = np.random.default_rng(seed).normal(0, 1, (SIZE, SIZE, 3))
    return np.clip(scene() + noise * (inner * mask + outer * (1 - mask)), 0, 255).astype(np.uint8)


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))


def values_of(path: Path, images: list[np.ndarray]) -> dict[str, float]:
    track = Track(1, TRACK.faces[: len(images)])
    measured = measure([Noise(calibration=CALIBRATION)], clip_of(path, images), [track])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured.values


@pytest.mark.parametrize("inner", [3.0, 1.5, 1.0])
def test_cleanness_is_the_ratio_of_noise(tmp_path: Path, inner: float) -> None:
    values = values_of(tmp_path / "a.mkv", [filmed(i, inner) for i in range(FRAMES)])
    rounding = 12**-0.5
    assert values["cleanness"] == pytest.approx(np.log2(np.hypot(3.0, rounding) / np.hypot(inner, rounding)), abs=0.15)


def test_noise_that_grows_with_brightness_is_compared_at_equal_brightness(tmp_path: Path) -> None:
    ramp = np.linspace(0.5, 1.2, SIZE)[:, None, None]  # the face is brighter than what lies above it
    images = []
    for i in range(FRAMES):
        bright = scene() * ramp
        noise = np.random.default_rng(i).normal(0, 1, bright.shape) * (bright / 60) ** 1.5
        images.append(np.clip(bright + noise, 0, 255).astype(np.uint8))
    assert abs(values_of(tmp_path / "a.mkv", images)["cleanness"]) < 0.15


def test_texture_that_stays_with_the_face_clings(tmp_path: Path) -> None:
    mask = hull_mask(LANDMARKS, (SIZE, SIZE))[:, :, None]
    drawn = filmed(99, 3.0)
    images = [(drawn * mask + filmed(i, 3.0) * (1 - mask)).astype(np.uint8) for i in range(FRAMES)]
    assert values_of(tmp_path / "a.mkv", images)["clinging"] > 0.8
    fresh = values_of(tmp_path / "b.mkv", [filmed(i, 3.0) for i in range(FRAMES)])
    assert abs(fresh["clinging"]) < 0.1


def test_a_face_pasted_into_a_compressed_picture_lacks_its_blocks(tmp_path: Path) -> None:
    mask = hull_mask(LANDMARKS, (SIZE, SIZE))[:, :, None]
    untouched = [compressed(filmed(i, 8.0, 8.0), 40) for i in range(FRAMES)]
    pasted = [(filmed(i, 1.0) * mask + image * (1 - mask)).astype(np.uint8) for i, image in enumerate(untouched)]
    assert abs(values_of(tmp_path / "a.mkv", untouched)["grid_lost"]) < 0.2
    assert values_of(tmp_path / "b.mkv", pasted)["grid_lost"] > 0.3


def test_no_grid_is_lost_where_there_is_none(tmp_path: Path) -> None:
    assert "grid_lost" not in values_of(tmp_path / "a.mkv", [filmed(i, 3.0) for i in range(FRAMES)])


def test_a_picture_has_features_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), filmed(0, 1.0))
    finding = Noise(calibration=CALIBRATION).examine(open_clip(path), [Track(1, TRACK.faces[:1])])[0]
    assert finding.llr is not None
    assert finding.details["picture_cleanness"] == pytest.approx(np.log2(3), abs=0.3)
    assert "of 2 genuine clips" in finding.text


def test_the_finding_says_where_and_how_rare(tmp_path: Path) -> None:
    images = [filmed(i, 1.0 if i >= 8 else 3.0) for i in range(FRAMES)]
    finding = Noise(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", images), [TRACK])[0]
    assert finding.spans == [(pytest.approx(8 / 25, abs=0.05), pytest.approx(15 / 25, abs=0.05))]
    assert "of 3 genuine clips" in finding.text
    assert finding.figure is not None


@pytest.mark.parametrize(
    ("image", "track", "reason"),
    [
        (filmed(0, 3.0), Track(1, [face(landmarks_at(width=50), i) for i in range(FRAMES)]), "64 px"),
        (filmed(0, 3.0), Track(1, [face(LANDMARKS, i, yaw=60) for i in range(FRAMES)]), "0 frames"),
        (filmed(0, 3.0), Track(1, TRACK.faces[:5]), "5 frames"),
        (filmed(0, 3.0), Track(1, [face(landmarks_at(-60, -60, 360), i) for i in range(FRAMES)]), "Too little"),
        (filmed(0, 0.0, 0.0), TRACK, "removed the noise"),
        (np.full((SIZE, SIZE, 3), 255, np.uint8), TRACK, "Nothing smooth"),
    ],
    ids=["small", "turned", "short", "fills the picture", "noiseless", "white"],
)
def test_abstains(tmp_path: Path, image: np.ndarray, track: Track, reason: str) -> None:
    finding = Noise(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", [image] * FRAMES), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


@given(slope_x=st.floats(-5, 5), slope_y=st.floats(-5, 5), level=st.floats(0, 255))
def test_shading_leaves_no_residual(slope_x: float, slope_y: float, level: float) -> None:
    ys, xs = np.indices((20, 20))
    assert np.abs(residual_of((level + slope_x * xs + slope_y * ys)[None])).max() < 1e-9


def test_white_noise_keeps_its_deviation_in_the_residual() -> None:
    noise = np.random.default_rng(0).normal(0, 2.0, (200, 20, 20))
    assert residual_of(noise).std() == pytest.approx(2.0, rel=0.03)


def test_a_clip_without_faces_abstains() -> None:
    assert "No face" in (Noise(calibration=CALIBRATION).examine(video(), [])[0].abstained or "")
