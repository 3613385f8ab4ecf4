"""A face that changes by itself is told from one that only turns."""

from pathlib import Path

import numpy as np
import pytest
from known_people import filmed
from made_faces import clip_of, face, landmarks_at, moving_track, skin, video

from likeness.detect.calibrate import UNCALIBRATED
from likeness.detect.cues.identity_drift import IdentityDrift, drift_of
from likeness.faces.face import Track
from likeness.footage import footage
from likeness.media.clip import open_clip


def test_drift_counts_faces_that_fall_out() -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.1, (24, 2))
    usual, another = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    steady = np.tile(usual, (24, 1)) + 0.02 * rng.normal(size=(24, 64))
    broken = steady.copy()
    broken[10:12] = another
    assert drift_of(steady, pose).max() < 0.2
    assert np.sort(drift_of(broken, pose))[-2:].min() > 0.5
    assert set(np.argsort(drift_of(broken, pose))[-2:]) == {10, 11}


def test_drift_that_pose_explains_is_none() -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.3, (24, 2))
    usual, turned = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    assert drift_of(usual + pose[:, :1] * turned, pose).max() < 1e-6


def test_a_swap_that_falls_out_flips(tmp_path: Path) -> None:
    """Half a second of A's performance is given by B."""
    shipped, faces = footage(), [one for one in filmed(footage().heldout, 1) if one.frame < 75]
    mine, others = ([f.image for f in open_clip(c.path).frames(0, 3.0)] for c in (shipped.heldout, shipped.answer))
    cue = IdentityDrift(calibration=UNCALIBRATED)
    whole, mixed = (
        cue.examine(clip_of(tmp_path / f"{name}.mkv", images), [Track(1, faces)])[0]
        for name, images in (("whole", mine), ("mixed", mine[:30] + others[30:38] + mine[38:]))
    )
    assert mixed.details["flip"] > whole.details["flip"] + 1  # type: ignore[operator]
    assert whole.figure is not None
    assert "never compared" in whole.text


@pytest.mark.parametrize(
    ("track", "kind"),
    [(moving_track(8), "video"), (Track(1, [face(landmarks_at(width=40), i) for i in range(60)]), "video"),
     (moving_track(1), "picture")],
    ids=["few", "small", "picture"],
)  # fmt: skip
def test_drift_abstains(track: Track, kind: str) -> None:
    finding = IdentityDrift(calibration=UNCALIBRATED).examine(video(kind), [track])[0]
    assert finding.llr is None
    assert finding.abstained
    assert IdentityDrift(calibration=UNCALIBRATED).examine(video(), [])[0].abstained


def test_a_flat_picture_gives_numbers(tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [np.zeros_like(skin())] * 60)
    finding = IdentityDrift(calibration=UNCALIBRATED).examine(clip, [moving_track(60)])[0]
    assert all(np.isfinite(v) for v in finding.details.values() if isinstance(v, float))
