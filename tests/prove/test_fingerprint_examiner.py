"""The fingerprint as evidence: a work that nobody filmed says much, a swap little, camera footage nothing."""

import wave
from pathlib import Path

import numpy as np
import pytest
from published import portrait, publish, save

from likeness.examiner import Finding
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.claim import DigitalSourceType
from likeness.prove.fingerprint_examiner import FingerprintExaminer
from likeness.prove.recognise import GLANCE, fingerprints
from likeness.prove.store import Store


def examine(path: Path) -> Finding:
    (finding,) = FingerprintExaminer().examine(open_clip(path), [])
    assert (finding.llr is None) == (finding.abstained is not None)
    assert "\n" not in finding.text
    return finding


@pytest.mark.parametrize(
    ("kind", "origin", "llr"),
    [
        ("trainedAlgorithmicMedia", "portrait", FingerprintExaminer.whole),
        ("compositeWithTrainedAlgorithmicMedia", "swap", FingerprintExaminer.composite),
        ("digitalCapture", "published", None),
        (None, "published", None),
    ],
)
def test_what_a_match_is_worth(tmp_path: Path, kind: DigitalSourceType | None, origin: str, llr: float | None) -> None:
    publish(tmp_path / "work.png", portrait(), kind, origin)
    finding = examine(save(tmp_path / "unmarked.jpg", portrait(), quality=60))
    assert finding.llr == llr
    assert "“work.png”" in finding.text


def test_the_very_file_leaves_no_doubt_of_being_it(tmp_path: Path) -> None:
    finding = examine(publish(tmp_path / "swap.png", portrait()).path)
    assert finding.llr == FingerprintExaminer.identical
    assert "very file" in finding.text


def test_synthetic_work_is_named_before_the_footage_it_was_made_from(tmp_path: Path) -> None:
    publish(tmp_path / "footage.png", portrait(), "digitalCapture", "published")
    publish(tmp_path / "swap.png", portrait())
    finding = examine(save(tmp_path / "copy.png", portrait()))
    assert "swap.png" in finding.text
    assert "footage which that work was made from" in finding.text


def test_nothing_alike_says_nothing(tmp_path: Path) -> None:
    publish(tmp_path / "work.png", portrait())
    assert "says nothing" in (examine(save(tmp_path / "other.png", portrait(4))).abstained or "")


def test_sound_and_a_damaged_store_abstain(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    assert examine(tmp_path / "a.wav").abstained == "Sound has no fingerprint."
    work = publish(tmp_path / "swap.png", portrait())
    Store().path.write_text("no database " * 100)
    assert "damaged" in (examine(work.path).abstained or "")


def test_a_clip_is_asked_for_by_the_same_moments_whether_all_its_frames_are_converted_or_only_those() -> None:
    clip = open_clip(footage().heldout.path)
    glanced, whole = fingerprints(clip, GLANCE), fingerprints(clip)
    assert list(glanced.moments) == list(whole.moments)
    assert len(glanced.moments) >= 4 * int(clip.duration_s)
    assert glanced.first is not None
    assert whole.first is not None
    assert np.array_equal(glanced.first, whole.first)


def test_a_clip_shorter_than_a_moment_has_one() -> None:
    clip = open_clip(footage().heldout.path).cut(1.0, 1.04)
    assert len(fingerprints(clip, GLANCE).moments) == 1
