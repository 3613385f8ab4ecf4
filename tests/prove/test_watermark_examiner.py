"""The watermark as evidence: what its record says, only over the picture it was made for."""

import sqlite3
import time
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np
import pytest
from published import portrait, publish, save

from likeness.examiner import Finding
from likeness.faces.face import Face, Track
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.credentials_examiner import CredentialsExaminer
from likeness.prove.fingerprint_examiner import FingerprintExaminer
from likeness.prove.recognise import GLANCE, Look
from likeness.prove.store import Store
from likeness.prove.watermark import networks
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.tamper import TamperReading
from likeness.prove.watermark_examiner import WatermarkExaminer, _altered_face


def examine(path: Path) -> Finding:
    (finding,) = WatermarkExaminer().examine(open_clip(path), [])
    assert (finding.llr is None) == (finding.abstained is not None)
    assert "\n" not in finding.text
    return finding


def test_mark_of_a_synthetic_work_speaks_strongly_but_within_bounds(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.png", portrait())
    finding = examine(save(tmp_path / "copy.jpg", work.marked[0], quality=75))
    assert finding.llr == WatermarkExaminer.bound <= CredentialsExaminer.known
    assert work.mark_id in finding.text
    assert finding.details["agreement"] == "match"


def test_copied_mark_is_no_evidence(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.png", portrait())
    finding = examine(save(tmp_path / "other.png", Marker(work.mark_id).mark(portrait(4))))
    assert finding.llr is None
    assert "may be a copy" in finding.text


def test_published_footage_is_no_evidence(tmp_path: Path) -> None:
    work = publish(tmp_path / "news.png", portrait(), "digitalCapture", "published")
    finding = examine(save(tmp_path / "copy.png", work.marked[0]))
    assert finding.llr is None
    assert "not a measurement" in finding.text


def test_unknown_mark_is_no_evidence(tmp_path: Path) -> None:
    finding = examine(save(tmp_path / "a.png", Marker("0123456789").mark(portrait())))
    assert finding.llr is None
    assert "does not know it" in finding.text


def test_no_mark_says_nothing(tmp_path: Path) -> None:
    finding = examine(save(tmp_path / "a.png", portrait()))
    assert finding.llr is None
    assert "says nothing" in finding.text


def test_store_that_cannot_be_read_is_the_reason(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.png", portrait())
    Store().path.write_text("no database " * 100)
    finding = examine(work.path)
    assert finding.llr is None
    assert "damaged" in finding.text


def test_locked_store_costs_each_examiner_one_short_wait(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.png", portrait())
    with closing(sqlite3.connect(Store().path)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        for examiner in (WatermarkExaminer(), FingerprintExaminer()):
            began = time.monotonic()
            (finding,) = examiner.examine(open_clip(work.path), [])
            assert time.monotonic() - began < 5.0  # a wait and the work; the store's own wait alone is ten seconds
            assert finding.llr is None
            assert "in use" in finding.text
            assert ".." not in finding.text


def marked_clip(path: Path, mark_id: str, seconds: int) -> Path:
    """The shipped actor, whose frames carry the mark, to and fro for ``seconds``, as H.264 at crf 34."""
    frames = [Marker(mark_id).mark(frame.image) for frame in open_clip(footage().heldout.path).frames(0.0, 1.0)]
    there_and_back = cycle([*frames, *frames[-2:0:-1]])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "34", "preset": "veryfast"})
        stream.height, stream.width = frames[0].shape[:2]
        for image in islice(there_and_back, 25 * seconds):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("seconds", [1, 8])
def test_a_clip_is_read_from_a_few_frames_however_long_it_is(tmp_path: Path, seconds: int) -> None:
    path = marked_clip(tmp_path / "clip.mp4", "0123456789", seconds)
    finding = examine(path)
    assert "0123456789" in finding.text
    read = finding.details["frames"]
    assert isinstance(read, int)
    assert 12 <= read <= 36
    assert (read == 36) == (seconds == 8)


def test_of_a_clip_without_a_mark_nothing_further_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = list[np.ndarray]()

    def chip_odds(luminance: np.ndarray) -> np.ndarray:
        looked_at.append(luminance)
        return real(luminance)

    real = networks.chip_odds
    monkeypatch.setattr(networks, "chip_odds", chip_odds)
    clip = open_clip(footage().heldout.path)
    (finding,) = WatermarkExaminer().examine(clip, [])
    assert "No watermark" in finding.text
    assert len(looked_at) <= 4 * GLANCE.read.windows * GLANCE.read.window_frames  # upright, mirrored, cropped twice


@pytest.mark.parametrize(("region", "concerned"), [((0, 0, 60, 60), True), ((0, 0, 12, 12), False)])
def test_altered_region_counts_where_it_takes_up_the_face(region: tuple, concerned: bool) -> None:
    face = Face(0, 1.0, (10, 10, 70, 70), np.zeros((68, 2), np.float32), 0.9, 0, 0, 0, 0.5)
    looks = [Look(1.2, TamperReading("altered", 0.9, [region]))]
    assert (_altered_face(looks, [Track(1, [face])]) == region) is concerned
    assert _altered_face(looks, []) is None
