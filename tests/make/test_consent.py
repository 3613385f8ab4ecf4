"""Consent: a record holds for exactly the person, footage, use and time it was signed for."""

import base64
import datetime as dt
import json
import logging
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.errors import ConsentError
from likeness.files import sha256_of
from likeness.make import consent
from likeness.make.consent import Consent
from likeness.make.consent_face import BoundFace

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
KEY = Ed25519PrivateKey.generate()
SOURCES = {"anna.mp4": "a" * 64, "anna2.mp4": "b" * 64}
HERS = np.eye(1, 128, dtype=np.float32)[0]
FACE = BoundFace.of(HERS, "recogniser-1", 0.5)
# A record as the version before wrote it, signed by that version's code.
VERSION_1 = """{
  "version": 1,
  "person": "Farah",
  "kind": "synthetic",
  "sources": [
    "f81a5bc1e8e900c971a7bb950c8db44e0fdc322021c1ccffab75c66587390f92",
    "921167bf92d61e283bc1f0aa13d6d17723e32f9317fb24db499e44e65fc6aded"
  ],
  "uses": [
    "swap"
  ],
  "valid_from": "2026-11-21T02:46:41Z",
  "valid_until": "2076-11-08T02:46:41Z",
  "public_key": "7ca0e19e487d850fff41d6a6f4cfe8925b05d353c91dde33d9d95e72f55c429e",
  "signature": "1d96a2499d7af414da9fa42edd0bf0ed8f21651459181068249d1a3d8b738022d16298dd670f8ccc7488d1849c186cf7b8f9eb\
24fd2460df36758f816e3f050e"
}"""


def _record(**changes: Any) -> Consent:
    content = {
        "person": "Anna Muster",
        "purpose": "short film X",
        "face": FACE,
        "sources": tuple(SOURCES.values()),
        "uses": ("swap",),
        "valid_from": NOW - DAY,
        "valid_until": NOW + DAY,
    }
    return consent.sign(Consent(**(content | changes)), KEY)


def _refusal(record: Consent, sources: dict[str, str] | None = None, use: Any = "swap") -> str:
    with pytest.raises(ConsentError) as caught:
        consent.check(record, SOURCES if sources is None else sources, use, NOW)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    path = tmp_path / "anna.mp4"
    path.write_bytes(b"footage of Anna")
    return path


def test_new_sign_load_check(footage: Path, tmp_path: Path) -> None:
    path, key = tmp_path / "anna.json", tmp_path / "anna.key"
    new = consent.new_consent("Anna", [footage, footage], purpose="film X", face=FACE, uses=["swap", "reenact"])
    consent.save(new, path)
    assert consent.load(path).signature == ""
    signed = consent.sign_file(path, key, new_key=True)
    assert consent.load(path) == signed == consent.sign_file(path, key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    consent.check(consent.load(path), {"anna.mp4": sha256_of(footage)}, "reenact")


def test_synthetic_people_carry_a_record_that_says_so() -> None:
    record = _record(kind="synthetic", person="Actor 7")
    consent.check(record, SOURCES, now=NOW)
    assert "depicts nobody" in consent.show(record, NOW)


def test_refuses_outside_its_time() -> None:
    assert "expired on 2026-11-21 12:00 UTC" in _refusal(_record(valid_until=NOW))
    assert "holds only from" in _refusal(_record(valid_from=NOW + dt.timedelta(hours=1)))


def test_refuses_uses_that_were_not_permitted() -> None:
    assert "allows swap, not reenact" in _refusal(_record(), use="reenact")


def test_refuses_other_footage_and_lists_it() -> None:
    text = _refusal(_record(), SOURCES | {"bert.mp4": "c" * 64, "carl.mp4": "d" * 64})
    assert "bert.mp4, carl.mp4" in text
    assert "anna" not in text
    assert "not known which footage" in _refusal(_record(), {})


def test_opens_the_face_it_describes_and_no_other() -> None:
    """At the threshold's cosine, 0.5, it still opens; just beyond, it does not."""
    for cosine, opens in ((1.0, True), (0.52, True), (0.48, False), (-1.0, False), (float("nan"), False)):
        face = np.zeros(128, np.float32)
        face[0], face[1] = cosine, np.sqrt(max(0.0, 1 - cosine**2))
        if opens:
            consent.check(_record(), SOURCES, now=NOW, face=face, recogniser="recogniser-1")
            continue
        with pytest.raises(ConsentError, match="another face") as caught:
            consent.check(_record(), SOURCES, now=NOW, face=face, recogniser="recogniser-1")
        assert "\n" not in str(caught.value)


@given(st.lists(st.floats(-1, 1), min_size=16, max_size=512).filter(lambda numbers: np.linalg.norm(numbers) > 0.1))
@settings(max_examples=50)
def test_a_described_face_is_the_face(numbers: list[float]) -> None:
    unit = (np.array(numbers) / np.linalg.norm(numbers)).astype(np.float32)
    bound = BoundFace.of(unit, "recogniser-1", 0.5)
    assert float(bound.vector @ unit) > np.cos(np.radians(5.2)), "512 numbers, each rounded by half of 1 in 127"
    assert BoundFace.model_validate_json(bound.model_dump_json()) == bound


def test_faces_that_cannot_be_compared_are_refused() -> None:
    for face, recogniser in ((HERS, "recogniser-2"), (HERS, None), (HERS[:64], "recogniser-1")):
        with pytest.raises(ConsentError, match="another recogniser") as caught:
            consent.check(_record(), SOURCES, now=NOW, face=face, recogniser=recogniser)
        assert "recogniser-1" in str(caught.value)


def test_a_model_that_knows_no_face_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    consent.save(_record(valid_until=dt.datetime(2100, 1, 1, tzinfo=dt.UTC)), tmp_path / "anna.json")
    with caplog.at_level(logging.WARNING):
        consent.admit(tmp_path / "anna.json", SOURCES)
    assert "footage alone decides" in caplog.text


def test_records_of_version_1_still_hold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, again = tmp_path / "farah.json", tmp_path / "again.json"
    path.write_text(VERSION_1)
    record = consent.load(path)
    with caplog.at_level(logging.WARNING):
        consent.check(record, {"b.mp4": record.sources[0]}, now=NOW, face=HERS, recogniser="recogniser-1")
    assert "describes no face" in caplog.text
    assert "not stated" in consent.show(record, NOW)
    consent.save(record, again)
    assert again.read_text().strip() == VERSION_1, "kept as it was, so that its digest is what credentials say"
    assert record.digest() == "0f7601cedda2950e48b5f3b8f508bd672a584a16b38e1d5daa1ab1a5ccd4fc1e"


def test_refuses_unsigned_records() -> None:
    assert "is not signed" in _refusal(_record().model_copy(update={"signature": ""}))
    assert "is not signed" in _refusal(_record().model_copy(update={"public_key": "", "signature": ""}))


@pytest.mark.parametrize(
    "change",
    [
        {"person": "Somebody Else"},
        {"kind": "synthetic"},
        {"purpose": "anything at all"},
        {"face": BoundFace.of(HERS[::-1], "recogniser-1", 0.5)},
        {"face": FACE.model_copy(update={"threshold": 0.1})},
        {"version": 1, "purpose": None, "face": None},
        {"sources": ("f" * 64,)},
        {"uses": ("swap", "portrait")},
        {"valid_until": NOW + 100 * DAY},
        {"public_key": "0" * 64},
        {"signature": "0" * 128},
    ],
)
def test_refuses_any_alteration(change: dict[str, Any]) -> None:
    assert "altered after signing" in _refusal(_record().model_copy(update=change))


def test_refuses_the_signature_of_another_key() -> None:
    theirs = consent.sign(_record(), Ed25519PrivateKey.generate())
    assert "altered after signing" in _refusal(theirs.model_copy(update={"public_key": _record().public_key}))


@given(person=st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", codec="utf-8"), min_size=1),
       zone=st.integers(-12, 14), days=st.floats(0.001, 3000))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_every_record_survives_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory, person: str, zone: int, days: float
) -> None:
    start = NOW.astimezone(dt.timezone(dt.timedelta(hours=zone)))
    record = _record(person=person[:200], valid_from=start, valid_until=start + dt.timedelta(days=days))
    path = tmp_path_factory.mktemp("consent") / "r.json"
    consent.save(record, path)
    again = consent.load(path)
    assert again == record
    assert again.digest() == record.digest()
    consent.check(again, SOURCES, now=start)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no consent record"),
        (b"{", "is no consent record"),
        (b"\xff\xfe", "is no consent record"),
        (b"[]", "is no consent record"),
        (b"{}", "is no consent record: person"),
        (b"[" * 100_000, "is no consent record"),
        (b" " * ((1 << 20) + 1), "over 1 MiB"),
    ],
)
def test_files_that_are_no_record(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(ConsentError, match=says) as caught:
        consent.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"version": 1},
        {"purpose": ""},
        {"purpose": None},
        {"face": None},
        {"face": {"recogniser": "r", "threshold": 0.5, "embedding": "no base64"}},
        {"face": {"recogniser": "r", "threshold": 0.5, "embedding": base64.b64encode(bytes(128)).decode()}},
        {"face": {"recogniser": "r", "threshold": 0.5, "embedding": "AAAB"}},
        {"face": {"recogniser": "r", "threshold": 0.0, "embedding": FACE.embedding}},
        {"extra": "field"},
        {"sources": []},
        {"sources": ["not a hash"]},
        {"uses": ["voice"]},
        {"valid_from": "2026-01-01T00:00:00"},
        {"valid_until": "1999-01-01T00:00:00Z"},
        {"person": "Two\nLines"},
        {"signature": "zz"},
    ],
)
def test_fields_out_of_their_range_are_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(_record().model_dump(mode="json") | change))
    with pytest.raises(ConsentError, match="is no consent record") as caught:
        consent.load(path)
    assert "\n" not in str(caught.value)


def test_missing_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="cannot be read"):
        consent.load(tmp_path / "none.json")
    with pytest.raises(ConsentError, match="footage .* cannot be read"):  # noqa: RUF043
        consent.new_consent("Anna", [tmp_path / "none.mp4"], purpose="film X")
    with pytest.raises(ConsentError, match="key .* cannot be read"):  # noqa: RUF043
        consent.load_key(tmp_path / "none.key")


def test_a_record_needs_footage_a_name_and_a_purpose(footage: Path) -> None:
    with pytest.raises(ConsentError, match="sources"):
        consent.new_consent("Anna", [], purpose="film X")
    with pytest.raises(ConsentError, match="person"):
        consent.new_consent("", [footage], purpose="film X")
    with pytest.raises(ConsentError, match="purpose"):
        consent.new_consent("Anna", [footage], purpose="", face=FACE)


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    consent.make_key(tmp_path / "k.pem")
    before = (tmp_path / "k.pem").read_bytes()
    with pytest.raises(ConsentError, match="not overwritten"):
        consent.make_key(tmp_path / "k.pem")
    assert (tmp_path / "k.pem").read_bytes() == before


def test_keys_with_a_password_open_with_it_only(tmp_path: Path) -> None:
    lock = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (tmp_path / "k.pem").write_bytes(KEY.private_bytes(*form, lock))
    assert consent.load_key(tmp_path / "k.pem", "secret").public_key() == KEY.public_key()
    for password in (None, "wrong"):
        with pytest.raises(ConsentError, match="wrong or missing password"):
            consent.load_key(tmp_path / "k.pem", password)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "k.pem").write_bytes(other.private_bytes(*form))
    with pytest.raises(ConsentError, match="another kind"):
        consent.load_key(tmp_path / "k.pem")


def test_show_tells_the_state() -> None:
    assert "signed, in force" in consent.show(_record(), NOW)
    assert "signed, expired" in consent.show(_record(), NOW + 2 * DAY)
    assert "not in force yet" in consent.show(_record(), NOW - 2 * DAY)
    assert "altered after signing" in consent.show(_record().model_copy(update={"person": "Bert"}), NOW)
    assert all(digest in consent.show(_record(), NOW) for digest in SOURCES.values())
    assert "short film X" in consent.show(_record(), NOW)
    assert "recogniser-1" in consent.show(_record(), NOW)
