"""The published JSON object: exactly its documented keys, and plain types."""

import json

from made_reports import report

from likeness.check.report import weight_hashes

KEYS = {"file", "sha256", "kind", "verdict", "llr", "probability", "reason", "faces", "findings", "versions"}


def test_the_record_has_exactly_the_documented_keys() -> None:
    record = report().record()
    assert set(record) == KEYS
    assert all(set(face) == {"track", "llr", "spans", "box"} for face in record["faces"])
    assert all(set(finding) == {"examiner", "llr", "abstained", "spans", "text"} for finding in record["findings"])


def test_the_record_survives_json() -> None:
    record = report().record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["findings"][1]["spans"] == [[0.5, 0.8]]
    assert record["findings"][3]["llr"] is None
    assert record["findings"][3]["abstained"].startswith("The face hardly moves")


def test_versions_name_every_shipped_weight() -> None:
    hashes = weight_hashes()
    assert "cues.json" in hashes
    assert all(len(digest) == 64 for digest in hashes.values())
    assert report().versions["weights"] == hashes
