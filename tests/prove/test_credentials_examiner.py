"""The credentials as evidence: declarations speak by who made them, and nothing is ever called authentic."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from likeness.examiner import Finding
from likeness.media.clip import open_clip
from likeness.prove.credentials import Claim, DigitalSourceType, sign
from likeness.prove.credentials_examiner import CredentialsExaminer
from likeness.prove.identity import local_identity

MakeFile = Callable[[str], Path]


def _claim(source_type: DigitalSourceType) -> Claim:
    return Claim(source_type, "made", "out")


def _examine(path: Path) -> list[Finding]:
    findings = CredentialsExaminer().examine(open_clip(path), [])
    for finding in findings:
        assert "authentic" not in finding.text.lower()
        assert "genuine" not in finding.text.lower()
        assert "\n" not in finding.text
        assert (finding.llr is None) == (finding.abstained is not None)
    return findings


def test_declaration_of_a_known_signer_speaks_strongly(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    sign(path, path, _claim("compositeWithTrainedAlgorithmicMedia"))
    (finding,) = _examine(path)
    assert finding.llr == CredentialsExaminer.known
    assert local_identity().name in finding.text
    assert "trained model" in finding.text
    assert "not a measurement" in finding.text


def test_declaration_of_a_stranger_speaks_less(make_file: MakeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_file("a.png")
    sign(path, path, _claim("trainedAlgorithmicMedia"))
    monkeypatch.setenv("LIKENESS_HOME", str(path.parent / "another home"))
    (finding,) = _examine(path)
    assert finding.llr is not None
    assert 0 < finding.llr == CredentialsExaminer.unknown < CredentialsExaminer.known
    assert "does not know" in finding.text


def test_edit_of_something_declared_synthetic_counts(make_file: MakeFile) -> None:
    parent, child = make_file("a.jpg"), make_file("b.jpg")
    sign(parent, parent, _claim("trainedAlgorithmicMedia"))
    sign(child, child, _claim("digitalCapture"), ingredient=parent)
    (finding,) = _examine(child)
    assert finding.llr == CredentialsExaminer.known
    assert "a.jpg" in finding.text


def test_camera_claim_is_no_evidence(make_file: MakeFile) -> None:
    path = make_file("a.jpg")
    sign(path, path, _claim("digitalCapture"))
    (finding,) = _examine(path)
    assert finding.llr is None
    assert "not whether that is true" in finding.text


def test_broken_credentials_do_not_count_and_say_why(make_file: MakeFile) -> None:
    path = make_file("a.jpg")
    sign(path, path, _claim("trainedAlgorithmicMedia"))
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    (finding,) = _examine(path)
    assert finding.llr == 0
    assert "changed after signing" in finding.text
    assert "assertion.dataHash.mismatch" in finding.text


def test_box_added_to_a_signed_film_is_said_in_plain_words(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    sign(path, path, _claim("trainedAlgorithmicMedia"))
    path.write_bytes(path.read_bytes() + b"\0\0\0\x0efreehidden")
    (finding,) = _examine(path)
    assert finding.llr == 0
    assert "A “free” box was added after signing" in finding.text
    assert "org.likeness.layout.mismatch" in finding.text


def test_absent_credentials_say_nothing(make_file: MakeFile) -> None:
    (finding,) = _examine(make_file("a.mp4"))
    assert finding.abstained is not None
    assert "says nothing" in finding.abstained


def test_broken_ingredient_is_a_finding_of_its_own() -> None:
    path = Path(os.environ.get("LIKENESS_DATA", "/nowhere")) / "c2pa" / "adobe-20220124-CIE-sig-CA.jpg"
    if not path.exists():
        pytest.skip("LIKENESS_DATA does not name a folder with the C2PA public test files")
    claim, ingredient = _examine(path)
    assert claim.abstained is not None
    assert "E-sig-CA.jpg" in ingredient.text
    assert "signature does not fit" in ingredient.text
