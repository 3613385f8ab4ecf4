"""A face drawn small and enlarged ends its spectrum early, and a repeated grid peaks; one of the same make does not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import SIZE, clip_of, face, landmarks_at, video

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.spectrum import Spectrum, peak, power_law, power_of, rings_of
from likeness.faces.face import Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import open_clip

LANDMARKS = landmarks_at()
FRAMES = 12
TRACK = Track(1, [face(LANDMARKS, i) for i in range(FRAMES)])
NAMES = ("lost_tail", "upturn", "peaks", "picture_lost_tail", "picture_upturn", "picture_peaks")
CALIBRATION = CueCalibration(
    features={
        name: Feature(centre=0.0, scale=0.5, weight=0.5, genuine=[-1.0, 0.0, 0.5], frame_high=1.5) for name in NAMES
    },
    intercept=0.0, bound=0.7, share_marked=0.5, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


def natural(seed: int) -> np.ndarray:
    """A picture uint8 (240, 240, 3) whose power falls with the square of frequency, with a little sensor noise."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.rfftfreq(SIZE), indexing="ij"))
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.normal(0, 1, (SIZE, SIZE))) / frequency
    spectrum[0, 0] = 0.0
    texture = np.fft.irfft2(spectrum, s=(SIZE, SIZE))
    grey = 130 + 25 * texture / texture.std() + rng.normal(0, 1.0, (SIZE, SIZE))
    return np.clip(np.repeat(grey[:, :, None], 3, axis=2), 0, 255).astype(np.uint8)


def enlarged(image: np.ndarray, times: int) -> np.ndarray:
    """``image`` as if it had been drawn ``times`` smaller."""
    small = cv2.resize(image, (SIZE // times, SIZE // times), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def checkered(image: np.ndarray, strength: float) -> np.ndarray:
    """``image`` with the pattern that a stride of four leaves: a wave of four pixels along both diagonals."""
    ys, xs = np.indices((SIZE, SIZE))
    pattern = strength * np.cos(np.pi * xs / 2) * np.cos(np.pi * ys / 2)
    return np.clip(image + pattern[:, :, None], 0, 255).astype(np.uint8)


def with_face(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    mask = hull_mask(LANDMARKS, (SIZE, SIZE))[:, :, None]
    return (image * (1 - mask) + drawn * mask).astype(np.uint8)


def values_of(path: Path, images: list[np.ndarray]) -> dict[str, float]:
    measured = measure([Spectrum(calibration=CALIBRATION)], clip_of(path, images), [TRACK])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured.values


def picture_values(path: Path, image: np.ndarray) -> dict[str, float]:
    cv2.imwrite(str(path), image)
    measured = measure([Spectrum(calibration=CALIBRATION)], open_clip(path), [Track(1, TRACK.faces[:1])])[0][1]
    assert isinstance(measured, Measurement), measured
    return measured.values


def test_an_untouched_face_has_the_spectrum_of_its_surroundings(tmp_path: Path) -> None:
    values = values_of(tmp_path / "a.mkv", [natural(i) for i in range(FRAMES)])
    assert abs(values["lost_tail"]) < 0.3
    assert abs(values["upturn"]) < 0.3
    assert values["peaks"] < 2.6  # six deviations: the strongest of a thousand bins


def test_an_enlarged_face_loses_its_tail(tmp_path: Path) -> None:
    images = [natural(i) for i in range(FRAMES)]
    faces = [with_face(image, enlarged(image, 2)) for image in images]
    assert values_of(tmp_path / "a.mkv", faces)["lost_tail"] > 1.5


def test_a_repeated_grid_peaks(tmp_path: Path) -> None:
    images = [natural(i) for i in range(FRAMES)]
    plain = values_of(tmp_path / "a.mkv", images)["peaks"]
    faint, strong = (
        values_of(tmp_path / f"{strength}.mkv", [with_face(image, checkered(image, strength)) for image in images])
        for strength in (3.0, 8.0)
    )
    assert plain + 0.5 < faint["peaks"] < strong["peaks"]


def test_a_grid_over_the_whole_picture_is_not_the_faces(tmp_path: Path) -> None:
    images = [checkered(natural(i), 5.0) for i in range(FRAMES)]
    assert values_of(tmp_path / "a.mkv", images)["peaks"] < 2.6


def test_an_enlarged_picture_loses_its_tail_and_a_natural_one_does_not(tmp_path: Path) -> None:
    natural_values = picture_values(tmp_path / "a.png", natural(0))
    lost = [picture_values(tmp_path / f"{n}.png", enlarged(natural(0), n))["picture_lost_tail"] for n in (2, 4)]
    assert abs(natural_values["picture_lost_tail"]) < 0.7
    assert natural_values["picture_lost_tail"] + 1.5 < lost[0] < lost[1]


def test_the_finding_of_a_picture_speaks_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), enlarged(natural(0), 4))
    finding = Spectrum(calibration=CALIBRATION).examine(open_clip(path), [Track(1, TRACK.faces[:1])])[0]
    assert finding.llr is not None
    assert finding.llr > 0
    assert "natural pictures" in finding.text
    assert "0 of 3 genuine clips" in finding.text


def test_the_finding_says_where_and_how_rare(tmp_path: Path) -> None:
    images = [natural(i) for i in range(FRAMES)]
    images[6:] = [with_face(image, enlarged(image, 2)) for image in images[6:]]
    finding = Spectrum(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", images), [TRACK])[0]
    assert finding.spans == [(pytest.approx(6 / 25, abs=0.05), pytest.approx(11 / 25, abs=0.05))]
    assert "genuine clips" in finding.text
    assert finding.figure is not None


@pytest.mark.parametrize(
    ("image", "track", "reason"),
    [
        (natural(0), Track(1, [face(landmarks_at(width=60), i) for i in range(FRAMES)]), "80 px"),
        (natural(0), Track(1, [face(LANDMARKS, i, yaw=60) for i in range(FRAMES)]), "0 frames"),
        (natural(0), Track(1, TRACK.faces[:5]), "5 frames"),
        (natural(0), Track(1, [face(landmarks_at(-300, -300), i) for i in range(FRAMES)]), "outside the picture"),
        (cv2.GaussianBlur(natural(0), (0, 0), 1.7), TRACK, "left nothing"),
        (np.full((SIZE, SIZE, 3), 128, np.uint8), TRACK, "as much structure"),
    ],
    ids=["small", "turned", "short", "out of the picture", "blurred", "flat"],
)
def test_abstains(tmp_path: Path, image: np.ndarray, track: Track, reason: str) -> None:
    finding = Spectrum(calibration=CALIBRATION).examine(clip_of(tmp_path / "a.mkv", [image] * FRAMES), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_a_flat_picture_abstains(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((SIZE, SIZE, 3), 128, np.uint8))
    finding = Spectrum(calibration=CALIBRATION).examine(open_clip(path), [Track(1, TRACK.faces[:1])])[0]
    assert "too little structure" in (finding.abstained or "")


@given(deviation=st.floats(2.0, 30.0), seed=st.integers(0, 1000))
def test_white_noise_has_its_variance_as_power_at_every_frequency(deviation: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(128, deviation, (30, 64, 64)).clip(0, 255).astype(np.uint8)
    rings = np.log2(np.mean(2.0 ** rings_of(power_of(noise)), axis=0))
    assert np.abs(rings[1:] - 2 * np.log2(deviation)).max() < 0.5


@given(gain=st.floats(0.1, 100.0))
def test_the_strength_of_a_picture_changes_neither_its_law_nor_its_peaks(gain: float) -> None:
    power = 1e4 * np.random.default_rng(0).gamma(20, 1, (64, 33))
    assert peak(power * gain, None) == pytest.approx(peak(power, None), abs=0.02)
    profile = np.linspace(12, 2, 16)
    assert power_law(profile + np.log2(gain)) == pytest.approx(power_law(profile) + np.log2(gain))


def test_a_clip_without_faces_abstains() -> None:
    assert "No face" in (Spectrum(calibration=CALIBRATION).examine(video(), [])[0].abstained or "")
