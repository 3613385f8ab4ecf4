"""Who a face belongs to: unit vectors, thresholds, foreign recognisers, and the shipped actors told apart."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from likeness.errors import ModelError
from likeness.faces.align import COVERAGE, aligned_crop
from likeness.faces.identity import OnnxRecogniser, mean_embedding, recogniser, similarity
from likeness.faces.identity_network import SIZE, VIEW_COVERAGE, IdentityNetwork, identity_view, load_identity_network
from likeness.faces.landmarks import shipped_weights as shipped_landmarks
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


def test_what_is_no_recogniser_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line, whatever ONNX Runtime makes of the file, and nothing beside it."""
    whole, path = tmp_path / "whole.onnx", tmp_path / "other.onnx"
    _pooling_model(whole)
    content = whole.read_bytes()
    contents = {
        "empty": b"",
        "text": b"not a network",
        "cut off": content[: len(content) // 2],
        "zeros": bytes(len(content)),
        "a name that is no text": content.replace(b"faces", b"\xff\xfeces"),
        "an unknown layer": content.replace(b"Flatten", b"Flattem"),
        "a later version": _model(_node("Flatten", "faces", "answer"), opset=99),
        "a layer without an implementation": _model(
            _node("Cast", "faces", "d", to=TensorProto.DOUBLE), _node("Erf", "d", "e"), _node("Flatten", "e", "answer")
        ),
        "a network that fails": _model(
            helper.make_node("Constant", [], ["shape"], value_ints=[37, -1]),
            helper.make_node("Reshape", ["faces", "shape"], ["answer"]),
        ),
        "two inputs": _model(
            helper.make_node("Add", ["faces", "more"], ["sum"]), _node("Flatten", "sum", "answer"), more=True
        ),
        "another size of face": _model(_node("Flatten", "faces", "answer"), side=64),
        "another kind of number": shipped_landmarks().read_bytes(),
        "a list": _model(
            _node("SequenceConstruct", "faces", "answer"),
            answer=helper.make_tensor_sequence_value_info("answer", TensorProto.FLOAT, None),
        ),
        "words": _model(
            _node("Flatten", "faces", "flat"),
            _node("Cast", "flat", "answer", to=TensorProto.STRING),
            answer=helper.make_tensor_value_info("answer", TensorProto.STRING, None),
        ),
        "a picture": _model(_node("Sin", "faces", "answer")),
    }
    for what, bytes_ in contents.items():
        path.write_bytes(bytes_)
        with pytest.raises(ModelError, match=r"no face recogniser|does not give a vector") as caught:
            OnnxRecogniser(path)
        assert "\n" not in str(caught.value), what
        assert capfd.readouterr() == ("", ""), what


def test_places_without_a_recogniser_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelError, match="no face recogniser"):
            recogniser(path)


@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_recogniser_is_used_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes changed anywhere: nothing but our own error comes out."""
    path = tmp_path_factory.mktemp("damaged") / "pooled.onnx"
    _pooling_model(path)
    content = bytearray(path.read_bytes())
    places = st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=5)).items():
        content[place] = byte
    path.write_bytes(content)
    with contextlib.suppress(ModelError):
        OnnxRecogniser(path)


def _pooling_model(path: Path) -> None:
    pooling = _node("AveragePool", "faces", "pooled", kernel_shape=[7, 7], strides=[7, 7])
    path.write_bytes(_model(pooling, _node("Flatten", "pooled", "answer")))


def _node(kind: str, taken: str, given: str, **settings: Any) -> onnx.NodeProto:
    return helper.make_node(kind, [taken], [given], **settings)


def _model(
    *nodes: onnx.NodeProto,
    opset: int = 17,
    side: int = 112,
    more: bool = False,
    answer: onnx.ValueInfoProto | None = None,
) -> bytes:
    """A network of ``nodes`` from "faces" (and "more") to "answer", floats of any shape unless told otherwise."""
    names = ["faces", "more"] if more else ["faces"]
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, side, side]) for name in names]
    answer = answer or helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "network", taken, [answer])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    content: bytes = made.SerializeToString()
    return content
