"""Who a face belongs to: unit vectors, thresholds, foreign recognisers, and the shipped actors told apart."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from likeness.errors import ModelError
from likeness.faces.align import COVERAGE, aligned_crop
from likeness.faces.identity import mean_embedding, recogniser, similarity
from likeness.faces.identity_network import SIZE, VIEW_COVERAGE, IdentityNetwork, identity_view, load_identity_network
from likeness.faces.tracker import Tracker
from likeness.footage import footage
from likeness.media.clip import open_clip


def _crops(path: Path, every: int, most: int) -> np.ndarray:
    """Some aligned faces of a clip, uint8 (n, 256, 256, 3)."""
    crops, tracker = [], Tracker()
    for frame in open_clip(path).frames():
        for _, face in tracker.update(frame):
            if frame.index % every == 0:
                crops.append(aligned_crop(frame.image, face.landmarks, 256))
        if len(crops) == most:
            break
    return np.stack(crops)


@pytest.fixture(scope="module")
def actors() -> dict[str, np.ndarray]:
    """A few faces of the two shipped actors; of A in two takes."""
    clips = footage()
    shown = {"a": clips.actor_a.path, "a again": clips.heldout.path, "b": clips.actor_b.path}
    return {name: _crops(path, 12, 4) for name, path in shown.items()}


def test_vectors_have_length_one_and_do_not_depend_on_company(actors: dict[str, np.ndarray]) -> None:
    ours = recogniser()
    together, alone = ours.embed(actors["a"]), ours.embed(actors["a"][1:2])
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)
    assert ours.embed(np.zeros((0, 256, 256, 3), np.uint8)).shape == (0, together.shape[1])


def test_the_shipped_actors_are_told_apart(actors: dict[str, np.ndarray]) -> None:
    ours = recogniser()
    a, again, b = (mean_embedding(ours.embed(actors[name])) for name in ("a", "a again", "b"))
    assert similarity(a, again) > ours.threshold
    assert similarity(a, b) < ours.threshold
    assert similarity(again, b) < ours.threshold


def test_a_mirrored_face_is_the_same_person(actors: dict[str, np.ndarray]) -> None:
    ours = recogniser()
    plain, mirrored = ours.embed(actors["b"]), ours.embed(actors["b"][:, :, ::-1])
    np.testing.assert_allclose(plain, mirrored, atol=2e-3)


def test_the_view_shows_the_middle_of_a_crop() -> None:
    """A square that takes COVERAGE of the crop takes VIEW_COVERAGE of what the network sees."""
    side = 256
    low, high = round(side * (1 - COVERAGE) / 2), round(side * (1 + COVERAGE) / 2)
    crop = torch.zeros(1, 3, side, side)
    crop[:, :, low:high, low:high] = 1
    view = identity_view(crop)
    assert view.shape == (1, 3, SIZE, SIZE)
    assert view.mean().item() == pytest.approx(VIEW_COVERAGE**2, abs=0.01)


def test_the_view_passes_gradients_on() -> None:
    crop = torch.rand(1, 3, 128, 128, requires_grad=True)
    features = load_identity_network().features(identity_view(crop, coverage=0.8))
    assert [maps.shape[-1] for maps in features] == [28, 14, 7, 4]
    features[1].square().mean().backward()
    assert crop.grad is not None
    assert crop.grad.abs().sum() > 0


def test_a_new_network_starts_without_dead_ends() -> None:
    torch.manual_seed(0)
    network = IdentityNetwork()
    vectors = network(torch.rand(2, 3, SIZE, SIZE))
    vectors.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@given(st.integers(3, 12), st.integers(0, 5))
def test_the_mean_leaves_strangers_out(count: int, seed: int) -> None:
    """One face far from all others does not move the mean by much."""
    rng = np.random.default_rng(seed)
    person = np.zeros((count + 1, 16))
    person[:-1, 0] = 1
    person[:-1] += rng.normal(0, 0.02, (count, 16))
    person[-1, 1] = -1
    person /= np.linalg.norm(person, axis=1, keepdims=True)
    assert similarity(mean_embedding(person), person[0]) > 0.95


def test_a_public_recogniser_plugs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any ONNX file that takes (n, 3, 112, 112): here the mean colour of 7×7 fields."""
    path = tmp_path / "pooled.onnx"
    _pooling_model(path)
    monkeypatch.setenv("LIKENESS_RECOGNISER", str(path))
    foreign = recogniser()
    vectors = foreign.embed(np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8))
    assert vectors.shape == (2, 3 * 16 * 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert foreign.name.startswith("onnx-")


def test_what_is_no_recogniser_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a network")
    with pytest.raises(ModelError, match="no face recogniser"):
        recogniser(path)
    with pytest.raises(ModelError, match="no face recogniser"):
        recogniser(tmp_path / "missing.onnx")


def _pooling_model(path: Path) -> None:
    shape = ["n", 3, 112, 112]
    taken = helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)
    given = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 768])
    nodes = [
        helper.make_node("AveragePool", ["faces"], ["pooled"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("Flatten", ["pooled"], ["vectors"]),
    ]
    graph = helper.make_graph(nodes, "pooled", [taken], [given])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
