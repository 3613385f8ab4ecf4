"""The face model: found, checked, and refused with a line that helps."""

import os
from pathlib import Path

import numpy as np
import pytest

from likeness.actors.face_model import FACE_MODEL_FILE, face_model, find_face_model, load_face_model
from likeness.errors import MissingDataError

needs_model = pytest.mark.skipif(
    "LIKENESS_DATA" not in os.environ, reason="LIKENESS_DATA does not name the data folder"
)


def test_without_any_copy_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    monkeypatch.delenv("LIKENESS_FACE_MODEL_URL", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    with pytest.raises(MissingDataError, match="Set LIKENESS_DATA") as caught:
        find_face_model()
    assert "\n" not in str(caught.value)


def test_a_download_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    monkeypatch.setenv("LIKENESS_FACE_MODEL_URL", "http://127.0.0.1:9/ict_facekit_50.npz")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    with pytest.raises(MissingDataError, match="could not be downloaded"):
        find_face_model()


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FACE_MODEL_FILE
    path.write_bytes(b"not the model")
    with pytest.raises(MissingDataError, match="damaged"):
        load_face_model(path)


@needs_model
def test_shapes_and_names() -> None:
    model = face_model()
    assert model.vertices.shape == (26719, 3)
    assert model.identity_modes.shape[1:] == model.expression_deltas.shape[1:] == model.vertices.shape
    assert len(model.expression_names) == 57
    assert model.landmarks.shape == (68,)
    assert model.expression(jawOpen=0.5)[model.expression_names.index("jawOpen")] == np.float32(0.5)
    with pytest.raises(KeyError):
        model.expression(earWiggle=1.0)


@needs_model
def test_no_weights_give_the_mean_face() -> None:
    model = face_model()
    np.testing.assert_array_equal(model.shape(np.zeros(40)), model.vertices)
