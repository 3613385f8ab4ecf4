"""Cues that ask a network: which moments they look at, when they abstain, what they show and say."""

from pathlib import Path

import numpy as np
import pytest
from made_faces import clip_of, face, landmarks_at, skin

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import Measurement, look, measure
from likeness.detect.cues.frames import Frames
from likeness.detect.cues.pairs import Pairs
from likeness.detect.cues.sequences import Recurrent, Temporal
from likeness.detect.network_cue import NetworkCue, NetworkCueSettings
from likeness.detect.networks.shipped import ShippedNetworks
from likeness.faces.face import Track

LANDMARKS = landmarks_at()
FRAMES = 20
TRACK = Track(1, [face(LANDMARKS, i) for i in range(FRAMES)])
CALIBRATION = CueCalibration(
    features={
        name: Feature(centre=-1.0, scale=1.0, weight=1.0, genuine=[-2.0, -1.0, 0.0], frame_high=1.0)
        for name in ("logit", "logit_still")
    },
    intercept=0.0, bound=1.0, share_marked=0.8, genuine_people=3, genuine_clips=3, synthetic_clips=3, population="made",
)  # fmt: skip


class MadeNetworks(ShippedNetworks):
    """Networks whose answers are known: the mean of the crop's red, as seen by all of them."""

    def see_frame(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        where = np.zeros((7, 7), np.float32)
        where[4, 3] = 49 * (float(crop[..., 0].mean()) / 64 - 2)
        return where, np.full((4, 7, 7), crop[..., 0].mean(), np.float32)

    def see_pair(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        change = float(np.abs(after.astype(float) - before).mean())
        return np.full((7, 7), change, np.float32)

    def read(self, reading: str, maps: np.ndarray) -> float:
        return float(maps.mean()) / 64 - 2


ALL: tuple[type[NetworkCue], ...] = (Frames, Pairs, Recurrent, Temporal)


def made(cue: type[NetworkCue], **settings: float) -> NetworkCue:
    return cue(NetworkCueSettings(**settings), CALIBRATION, MadeNetworks())  # type: ignore[arg-type]


@pytest.mark.parametrize("cue", ALL)
def test_each_measures_one_logit_and_says_it(cue: type[NetworkCue], tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [skin(i) for i in range(FRAMES)])
    (finding,) = look([made(cue)], clip, [TRACK])
    assert finding.abstained is None
    assert finding.llr is not None
    assert np.isfinite(finding.llr)
    assert f"{finding.details['logit']:+.2f}"[:4] in finding.text
    assert finding.figure is not None
    assert len(finding.figure.values) == finding.details["moments"]


def test_few_moments_are_decoded_however_long_the_clip(tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [skin(i) for i in range(FRAMES)])
    long = Track(1, [face(LANDMARKS, i) for i in range(5000)])
    assert len(made(Frames).wants(clip, long)) <= 8 * 5
    assert len(made(Frames).wants(clip, Track(1, TRACK.faces[:5]))) == 5


@pytest.mark.parametrize("cue", [Pairs, Recurrent, Temporal])
def test_what_needs_neighbours_abstains_without_them(cue: type[NetworkCue], tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [skin(i) for i in range(FRAMES)])
    (finding,) = look([made(cue)], clip, [Track(1, TRACK.faces[::3])])
    assert finding.abstained is not None
    assert "follow each other" in finding.abstained


def test_small_and_turned_faces_are_not_shown_to_a_network(tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [skin(i) for i in range(FRAMES)])
    (finding,) = look([made(Frames, narrowest_px=1000.0)], clip, [TRACK])
    assert finding.abstained is not None
    assert "1000 px" in finding.abstained


def test_the_strongest_place_is_named_and_shown(tmp_path: Path) -> None:
    red = [np.dstack([np.full((240, 240), 250, np.uint8), skin(i)[..., 1:]]) for i in range(FRAMES)]
    clip = clip_of(tmp_path / "a.mkv", red)
    (finding,) = look([made(Frames)], clip, [TRACK])
    assert "because of the mouth" in finding.text
    assert finding.spans
    assert finding.pictures
    assert all(picture.jpeg.startswith(b"\xff\xd8") for picture in finding.pictures)


def test_nothing_changes_in_a_still_clip(tmp_path: Path) -> None:
    still = clip_of(tmp_path / "a.mkv", [skin(0)] * FRAMES)
    moving = clip_of(tmp_path / "b.mkv", [skin(i) for i in range(FRAMES)])
    values = []
    for clip in (still, moving):
        measured = measure([made(Pairs)], clip, [TRACK])[0][1]
        assert isinstance(measured, Measurement)
        values.append(measured.values["logit"])
    assert values[0] < 0.5 < values[1]
