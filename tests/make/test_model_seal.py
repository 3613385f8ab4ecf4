"""The seal of a model folder: whatever decides on whose face it makes cannot be changed unseen."""

import datetime as dt
import json
import logging
from pathlib import Path

import pytest

from likeness.errors import ModelError
from likeness.make.model import CONFIG, WEIGHTS, ModelConfig, SideRecord, write_config
from likeness.make.model_seal import SEAL, check_seal, seal
from likeness.make.recipes import recipe_for
from likeness.prove.identity import identity_folder, local_identity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stands in for a model: the seal looks at bytes alone."""
    path = tmp_path / "model"
    path.mkdir()
    (path / CONFIG).write_text('{"sides": {"b": {"sources": {"b.mp4": "00"}}}}')
    (path / WEIGHTS).write_bytes(bytes(range(256)))
    return path


def _config(form: int) -> ModelConfig:
    side = SideRecord(sources={"b.mp4": "0" * 64}, faces=1, digest="")
    recipe = recipe_for("light")
    return ModelConfig(
        format=form, arch="light", size=recipe.size, coverage=recipe.coverage, iterations=0, heldout_error=None,
        sides={"a": side, "b": side}, versions={},
    )  # fmt: skip


def _refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        check_seal(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_sealed_passes_without_a_word(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    seal(folder)
    with caplog.at_level(logging.WARNING):
        check_seal(folder)
    assert not caplog.records


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_changed_file_is_refused_until_it_is_as_it_was(folder: Path, name: str) -> None:
    seal(folder)
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(before.replace(b"b", b"c"))
    assert name in _refused(folder)
    (folder / name).write_bytes(before)
    check_seal(folder)


def test_the_seal_of_another_model_does_not_fit(folder: Path, tmp_path: Path) -> None:
    seal(folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / CONFIG).write_text("{}")
    (other / WEIGHTS).write_bytes(b"")
    (other / SEAL).write_bytes((folder / SEAL).read_bytes())
    assert CONFIG in _refused(other)


@pytest.mark.parametrize("change", [{"config": "0" * 64}, {"weights": "0" * 64}, {"signature": "AAAA"}])
def test_a_changed_seal_is_refused(folder: Path, change: dict[str, str]) -> None:
    seal(folder)
    _rewrite(folder, change)
    _refused(folder)


def test_digests_put_right_do_not_make_up_for_the_signature(folder: Path) -> None:
    """The forger edits config.json and its digest in the seal."""
    seal(folder)
    stated = json.loads((folder / SEAL).read_text())
    (folder / CONFIG).write_text("{}")
    seal(folder)
    forged = json.loads((folder / SEAL).read_text()) | {"signature": stated["signature"]}
    (folder / SEAL).write_text(json.dumps(forged))
    assert SEAL in _refused(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": 1}'])
def test_a_damaged_seal_is_refused(folder: Path, content: bytes) -> None:
    (folder / SEAL).write_bytes(content)
    assert SEAL in _refused(folder)


def test_a_lost_seal_is_refused(folder: Path) -> None:
    write_config(folder, _config(2))
    seal(folder)
    (folder / SEAL).unlink()
    assert "no seal" in _refused(folder)


def test_earlier_models_have_none_and_are_warned_of(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_config(folder, _config(1))
    with caplog.at_level(logging.WARNING):
        check_seal(folder)
    assert "not sealed" in caplog.text


def test_another_computers_seal_is_warned_of(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seal(folder)
    name = local_identity().name
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "another"))
    with caplog.at_level(logging.WARNING):
        check_seal(folder)
    assert f"by {name}" in caplog.text
    (folder / CONFIG).write_text("{}")
    _refused(folder)


def test_it_holds_after_the_identity_was_renewed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    seal(folder)
    old = (identity_folder() / "signer.pem").read_bytes()
    local_identity(now=dt.datetime.now(dt.UTC) + dt.timedelta(days=365 * 11))
    assert (identity_folder() / "signer.pem").read_bytes() != old
    with caplog.at_level(logging.WARNING):
        check_seal(folder)
    assert not caplog.records


def test_without_an_identity_training_goes_on_without_a_seal(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    seal(folder)
    (identity_folder() / "signer.pem").write_text("damaged")
    with caplog.at_level(logging.WARNING):
        seal(folder)
    assert "not sealed" in caplog.text
    assert not (folder / SEAL).exists(), "an old seal over new weights would pass for tampering"


def _rewrite(folder: Path, change: dict[str, str]) -> None:
    stated = json.loads((folder / SEAL).read_text())
    (folder / SEAL).write_text(json.dumps(stated | change))
