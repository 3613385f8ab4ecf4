"""The published JSON object: exactly its documented keys, and plain types."""

import json

from made_reports import findings, report

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


def test_with_several_faces_each_text_says_whose_it_is() -> None:
    two = [*findings(), findings()[2].model_copy(update={"track": 2})]
    texts = [finding["text"] for finding in report(found=two).record()["findings"]]
    assert texts[2] == "Face 1: The face is softer."
    assert texts[4] == "Face 2: The face is softer."
    assert texts[0].startswith("Signed by")
