"""The demo, cut short: everything it writes is there, and it goes on where it stopped."""

import json
from pathlib import Path

import av
import cv2
import pytest

from likeness.demo import DemoFiles, DemoSettings, run_demo
from likeness.errors import SettingsError
from likeness.make.model import read_config
from likeness.media.clip import open_clip
from likeness.prove.credentials import read
from likeness.prove.ledger import Ledger
from likeness.prove.verify import verify


def assert_stripped_copy_is_recovered(swapped: Path, copy: Path) -> None:
    """Metadata gone, half the size, crf 30: still ours, with its credentials back from the store."""
    with av.open(str(copy), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "30"})
        stream.width = stream.height = 192
        stream.pix_fmt = "yuv420p"
        for frame in open_clip(swapped).frames():
            small = cv2.resize(frame.image, (192, 192), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
        container.mux(stream.encode(None))
    assert read(copy).state == "absent"
    found = verify(copy)
    assert found.watermark.id in (None, read(swapped).mark_id), "at this size it can be lost, but not be another's"
    assert found.fingerprint.id == read(swapped).mark_id
    assert found.credentials.recovered
    assert found.credentials.state == "trusted"
    assert found.credentials.declared == ["compositeWithTrainedAlgorithmicMedia"]


@pytest.mark.slow
def test_the_demo_writes_everything_and_resumes(tmp_path: Path) -> None:
    said = run_demo(tmp_path / "demo", DemoSettings(minutes=0.2))
    files = DemoFiles(tmp_path / "demo")
    for path in (files.swapped, files.report, files.report_json, files.score, files.preview):
        assert path.is_file()
        assert str(path) in said
    swapped, genuine = json.loads(files.report_json.read_text())
    assert swapped["verdict"] == "synthetic"
    assert genuine["verdict"] != "synthetic"
    assert read(files.swapped).state == "trusted"
    verified = json.loads(files.verification.read_text())
    assert verified["watermark"]["id"] == verified["fingerprint"]["id"] == read(files.swapped).mark_id
    assert_stripped_copy_is_recovered(files.swapped, tmp_path / "stripped.mp4")
    assert Ledger().find(swapped["sha256"])
    assert {row["name"] for row in json.loads(files.score.read_text())["rows"]} >= {"swap", "unchanged clip"}
    trained = read_config(files.model).iterations
    run_demo(tmp_path / "demo", DemoSettings(minutes=0.3))
    assert read_config(files.model).iterations > trained


@pytest.mark.parametrize("minutes", [0.0, -1.0, 1e9])
def test_impossible_lengths_are_refused(minutes: float) -> None:
    with pytest.raises(SettingsError, match="The demo trains"):
        DemoSettings(minutes=minutes)
