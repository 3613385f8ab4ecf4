"""A softened or recoloured face is measured as such; a whole picture of one make is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_faces import FACE_PX, clip_of, face, landmarks_at, skin, softened

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.seam import Seam, SeamMeasure, SeamSettings, colour_step, measure_seam
from likeness.detect.sightings import Sighting
from likeness.faces.face import Track
from likeness.media.clip import Frame

LANDMARKS = landmarks_at()
TRACK = Track(1, [face(LANDMARKS, i) for i in range(24)])
CALIBRATION = CueCalibration(
    features={
        "softness": Feature(centre=0.2, scale=0.2, weight=1.0, genuine=[0.0, 0.1, 0.2, 0.3, 0.4], frame_high=0.5),
        "step": Feature(centre=1.0, scale=2.0, weight=0.2, genuine=[-1.0, 0.0, 1.0, 2.0, 6.0]),
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=5, genuine_clips=5, synthetic_clips=5, population="made",
)  # fmt: skip


def blurred(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 4.0)


def examiner() -> Seam:
    return Seam(calibration=CALIBRATION)


def clip_and_values(path: Path, images: list[np.ndarray]) -> dict[str, float]:
    measured = measure([examiner()], clip_of(path, images), [TRACK])[0][1]
    assert isinstance(measured, Measurement)
    return measured.values


def test_an_untouched_face_is_as_sharp_as_its_surroundings(tmp_path: Path) -> None:
    values = clip_and_values(tmp_path / "a.mkv", [skin(i) for i in range(24)])
    assert abs(values["softness"]) < 0.1
    assert values["step"] < 2.0


@pytest.mark.parametrize("sigma", [0.7, 1.2])
def test_softness_grows_with_blur(tmp_path: Path, sigma: float) -> None:
    images = [softened(skin(i), LANDMARKS, sigma) for i in range(24)]
    assert clip_and_values(tmp_path / "a.mkv", images)["softness"] > 0.4 + 0.5 * (sigma - 0.7)


def test_the_step_is_the_change_of_colour_across_the_edge() -> None:
    steps = [colour_step(softened(skin(), LANDMARKS, 0.5, shift), LANDMARKS, SeamSettings()) for shift in (0, 20, 40)]
    assert steps[0] is not None
    assert steps[1] is not None
    assert steps[2] is not None
    assert steps[0] < 2
    assert steps[0] + 4 < steps[1] < steps[2]


def test_no_step_is_measured_against_hair() -> None:
    image = skin()
    image[:72] = (25, 25, 30)
    assert colour_step(image, LANDMARKS, SeamSettings()) is None


def test_the_finding_says_where_and_how_rare(tmp_path: Path) -> None:
    images = [softened(skin(i), LANDMARKS, 1.2) if 6 <= i < 18 else skin(i) for i in range(24)]
    finding = examiner().examine(clip_of(tmp_path / "a.mkv", images), [TRACK])[0]
    assert finding.llr is not None
    assert len(finding.spans) == 1
    assert finding.spans[0] == pytest.approx((6 / 25, 17 / 25), abs=0.05)
    assert "of 5 genuine clips" in finding.text
    assert finding.figure is not None


def noted(image: np.ndarray, landmarks: np.ndarray, settings: SeamSettings) -> SeamMeasure:
    found = measure_seam(Sighting(Frame(image, 0.0, 0), 1, face(landmarks, 0)), settings)
    assert found is not None
    return found


def test_a_face_up_to_the_cap_is_measured_as_it_is() -> None:
    image, settings = softened(skin(), LANDMARKS, 1.0), SeamSettings()
    assert face(LANDMARKS, 0).width <= settings.widest_px
    assert noted(image, LANDMARKS, settings) == noted(image, LANDMARKS, SeamSettings(widest_px=1e9))


@pytest.mark.parametrize("times", [2, 3.5])
def test_a_face_wider_than_the_cap_is_measured_at_its_width(times: float) -> None:
    """Detail is looked for where a face of the cap's width has it, so an enlarged face still stands out, or not."""
    settings = SeamSettings(widest_px=face(LANDMARKS, 0).width)
    wide = ((LANDMARKS + 0.5) * times - 0.5).astype(np.float32)
    untouched, soft = (
        noted(cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), wide, settings).softness
        for image in (skin(), softened(skin(), LANDMARKS, 1.2))
    )
    assert abs(untouched) < 0.1
    assert soft > 0.65


@pytest.mark.parametrize(
    ("images", "track", "reason"),
    [
        ([skin()] * 24, Track(1, [face(landmarks_at(width=60), i) for i in range(24)]), "80 px"),
        ([skin()] * 24, Track(1, [face(LANDMARKS, i, yaw=60) for i in range(24)]), "0 frames"),
        ([blurred(skin())] * 24, TRACK, "removed fine detail"),
        ([skin()] * 24, Track(1, [face(landmarks_at(-10, -10, 245), i) for i in range(24)]), "Too little"),
        ([np.full((240, 240, 3), 128, np.uint8)] * 24, TRACK, "Too little"),
    ],
    ids=["small", "turned", "blurred", "fills the picture", "flat"],
)
def test_abstains(tmp_path: Path, images: list[np.ndarray], track: Track, reason: str) -> None:
    finding = examiner().examine(clip_of(tmp_path / "a.mkv", images), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_two_faces_get_a_finding_each(tmp_path: Path) -> None:
    small = Track(7, [face(landmarks_at(width=0.5 * FACE_PX), i) for i in range(24)])
    findings = examiner().examine(clip_of(tmp_path / "a.mkv", [skin(i) for i in range(24)]), [small, TRACK])
    assert [(f.track, f.llr is None) for f in findings] == [(7, True), (1, False)]
