"""The whole chain on real people's footage (GRID corpus, CC BY 4.0). What it makes stays in a temporary folder."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from likeness.check.examine import check_file
from likeness.faces.extract import extract
from likeness.make.consent import new_consent, save, sign
from likeness.make.model import HISTORY
from likeness.make.swap import swap_clip
from likeness.make.train import TrainSettings, train
from likeness.media.clip import open_clip

TRAINING_MINUTES = 10.0
SPEAKER_A, SPEAKER_B = "bbaf2n.mpg", "lbax4n.mpg"


@pytest.mark.slow
def test_two_real_speakers_from_extraction_to_report(tmp_path: Path) -> None:
    if "LIKENESS_DATA" not in os.environ:
        pytest.skip("LIKENESS_DATA does not name the data folder")
    folder = Path(os.environ["LIKENESS_DATA"]) / "talking_heads"
    clips = {side: folder / name for side, name in (("a", SPEAKER_A), ("b", SPEAKER_B))}
    for side, clip in clips.items():
        faces = extract([clip], tmp_path / side)
        assert len(faces) >= 0.99 * (open_clip(clip).frame_count or 0)
    train(tmp_path / "a", tmp_path / "b", tmp_path / "model", TrainSettings(minutes=TRAINING_MINUTES))
    with (tmp_path / "model" / HISTORY).open() as file:
        heldout = [float(row["heldout_a"]) + float(row["heldout_b"]) for row in csv.DictReader(file)]
    assert heldout[-1] < 0.8 * heldout[0]
    record = sign(new_consent("test record", [clips["b"]], purpose="a test"), Ed25519PrivateKey.generate())
    save(record, tmp_path / "record.json")
    swapped = tmp_path / "swapped.mp4"
    done = swap_clip(clips["a"], tmp_path / "model", tmp_path / "record.json", swapped)
    assert done.swapped >= 0.99 * done.frames
    before, after = open_clip(clips["a"]), open_clip(swapped)
    assert abs(before.duration_s - after.duration_s) < 1 / 25 + 1e-3
    assert after.sample_rate is not None
    middle = [next(clip.frames(1.0)).image.astype(np.float32) for clip in (before, after)]
    assert np.abs(middle[0] - middle[1]).mean() > 0.5
    report = check_file(swapped)
    assert report.verdict == "synthetic"
    assert len(report.faces) == 1
    assert check_file(clips["a"]).verdict != "synthetic"
