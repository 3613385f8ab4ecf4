"""Consent withdrawn: by the key that gave it, and from then on wherever the revocation is found."""

import datetime as dt
import json
import logging
import stat
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from likeness.errors import ConsentError
from likeness.make import consent
from likeness.make.consent_face import BoundFace
from likeness.make.consent_record import Consent
from likeness.make.consent_revocation import (
    Revocation,
    beside,
    load_revocation,
    revocation_of,
    revoke,
    save_revocation,
    take_note,
)

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SOURCES = {"anna.mp4": "a" * 64}


def _record(key: Ed25519PrivateKey = KEY, person: str = "Anna") -> Consent:
    content = {
        "person": person,
        "purpose": "film X",
        "face": BoundFace.of(np.eye(1, 128)[0], "recogniser-1", 0.5),
        "sources": tuple(SOURCES.values()),
        "uses": ("swap",),
        "valid_from": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "valid_until": dt.datetime(2100, 1, 1, tzinfo=dt.UTC),
    }
    return consent.sign(Consent.model_validate(content), key)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The record in a file."""
    consent.save(_record(), tmp_path / "records" / "anna.json")
    return tmp_path / "records" / "anna.json"


def _refuses(kept: Path, *places: Path) -> bool:
    with pytest.raises(ConsentError, match="withdrew") as caught:
        consent.admit(kept, SOURCES, revocations=places)
    return "\n" not in str(caught.value)


def _admits(kept: Path, *places: Path) -> bool:
    return consent.admit(kept, SOURCES, revocations=places) == _record()


def test_noted_on_this_computer_it_counts_everywhere(kept: Path) -> None:
    assert _admits(kept)
    noted = take_note(revoke(_record(), KEY, NOW))
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600
    assert _refuses(kept)
    assert "withdrawn on 2026-11-21 12:00 UTC" in consent.show_file(kept)


def test_beside_the_record_it_counts(kept: Path) -> None:
    save_revocation(revoke(_record(), KEY), beside(kept))
    assert beside(kept).name == "anna.revoked.json"
    assert _refuses(kept)
    assert "withdrawn" in consent.show_file(kept)


def test_in_a_named_file_or_folder_it_counts(kept: Path, tmp_path: Path) -> None:
    received = tmp_path / "received"
    save_revocation(revoke(_record(person="Bert"), KEY), received / "0.json")
    assert _admits(kept, received)
    save_revocation(revoke(_record(), KEY), received / "1.json")
    assert _refuses(kept, received)
    assert _refuses(kept, received / "1.json")
    assert _admits(kept), "nothing was noted or moved by looking"


def test_a_folder_may_hold_records_too_but_no_damaged_revocation(kept: Path, tmp_path: Path) -> None:
    (kept.parent / "notes.json").write_text("{}")
    assert _admits(kept, kept.parent)
    (kept.parent / "other.revoked.json").write_text("{}")
    with pytest.raises(ConsentError, match="no revocation"):
        consent.admit(kept, SOURCES, revocations=[kept.parent])


def test_a_new_record_holds_after_an_old_one_was_revoked(kept: Path) -> None:
    take_note(revoke(_record(person="Bert"), KEY))
    assert _admits(kept)


def test_only_the_key_that_signed_can_revoke() -> None:
    with pytest.raises(ConsentError, match="did not sign"):
        revoke(_record(), OTHER_KEY)
    with pytest.raises(ConsentError, match="not signed"):
        revoke(_record().model_copy(update={"signature": ""}), KEY)


def test_a_revocation_by_somebody_else_does_not_count(kept: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise anybody could take a record out of use."""
    digest = _record().digest()
    forged = revoke(_record(OTHER_KEY), OTHER_KEY).model_copy(update={"record": digest, "signature": ""})
    forged = forged.model_copy(update={"signature": OTHER_KEY.sign(forged.signed_bytes()).hex()})
    take_note(forged)
    with caplog.at_level(logging.WARNING):
        assert _admits(kept)
    assert "does not count" in caplog.text
    take_note(revoke(_record(), KEY))
    assert _refuses(kept), "the real one is not hidden by it"


@pytest.mark.parametrize("change", [{"record": "b" * 64}, {"person": "Bert"}, {"signature": "0" * 128}])
def test_altered_revocations_are_refused_in_one_line(tmp_path: Path, change: dict[str, str]) -> None:
    content = json.loads(revoke(_record(), KEY).model_dump_json()) | change
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(ConsentError, match="altered after signing") as caught:
        load_revocation(tmp_path / "r.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b" " * ((1 << 20) + 1)])
def test_where_it_cannot_be_read_nothing_is_made(kept: Path, content: bytes) -> None:
    """A damaged revocation beside the record may be the one that counts."""
    beside(kept).write_bytes(content)
    with pytest.raises(ConsentError, match="no revocation") as caught:
        consent.admit(kept, SOURCES)
    assert "\n" not in str(caught.value)
    assert "no revocation" in consent.show_file(kept)


def test_a_place_that_is_not_there_is_said_so(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="cannot be read"):
        consent.admit(kept, SOURCES, revocations=[tmp_path / "none.json"])


def test_it_survives_the_way_through_a_file(tmp_path: Path) -> None:
    made = revoke(_record(), KEY)
    save_revocation(made, tmp_path / "r.json")
    assert load_revocation(tmp_path / "r.json") == made
    assert isinstance(made, Revocation)
    assert revocation_of(_record(), [tmp_path / "r.json"]) == made


def test_a_signed_record_is_no_revocation_and_the_other_way_round() -> None:
    """Signatures over one cannot be passed off as signatures over the other."""
    made = revoke(_record(), KEY)
    assert made.is_genuine()
    assert not made.model_copy(update={"signature": _record().signature}).is_genuine()
