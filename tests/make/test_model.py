import json
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.errors import ModelError, StorageError
from likeness.make.model import (
    CONFIG,
    WEIGHTS,
    ModelConfig,
    SideRecord,
    SwapModel,
    centre_crops,
    installed_versions,
    write_config,
    write_tensors,
)
from likeness.make.recipes import recipe_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights."""
    folder, recipe = tmp_path_factory.mktemp("model"), recipe_for("light")
    torch.manual_seed(0)
    network = recipe.build()
    for weight in network.parameters():  # a new network shows each side's mean face, whatever it sees
        torch.nn.init.normal_(weight, std=0.05)
    write_tensors(folder / WEIGHTS, network.state_dict())
    record = SideRecord(sources={"clip.mp4": "0" * 64}, faces=20, digest="1" * 64)
    sides = {"a": record, "b": record.model_copy(update={"sources": {"other.mp4": "2" * 64}})}
    config = ModelConfig(
        arch="light",
        size=recipe.size,
        coverage=recipe.coverage,
        iterations=3,
        heldout_error=0.1,
        sides=sides,
        versions=installed_versions(),
    )
    write_config(folder, config)
    return folder


def test_a_model_swaps_crops_of_both_sizes(folder: Path):
    model = SwapModel.load(folder)
    assert model.sources("b") == {"other.mp4": "2" * 64}
    crops = np.random.default_rng(0).integers(0, 255, (3, 256, 256, 3), dtype=np.uint8)
    images, masks = model.swap(crops, "a2b")
    assert images.shape == (3, model.size, model.size, 3)
    assert masks.shape == (3, model.size, model.size)
    assert images.dtype == masks.dtype == np.float32
    assert 0 <= images.min() <= images.max() <= 1
    again, _ = model.swap(centre_crops(crops, model.size, model.view), "a2b")
    np.testing.assert_array_equal(images, again)
    other, _ = model.swap(crops, "b2a")
    assert np.abs(images - other).max() > 1e-3


def test_no_crops_give_no_faces(folder: Path):
    images, masks = SwapModel.load(folder).swap(np.zeros((0, 256, 256, 3), np.uint8), "a2b")
    assert len(images) == len(masks) == 0


def test_crops_of_another_shape_are_refused(folder: Path):
    with pytest.raises(ModelError, match="do not fit"):
        SwapModel.load(folder).swap(np.zeros((1, 256, 200, 3), np.uint8), "a2b")


def test_centre_crops_show_the_middle():
    line = np.arange(256)
    crop = np.repeat(np.stack([np.tile(line, (256, 1)), np.tile(line[:, None], (1, 256))], -1), 2, -1)[None, ..., :3]
    middle = centre_crops(crop.astype(np.uint8), 64, 0.625)[0].astype(float)
    assert abs(middle[:, 0, 0].mean() - (47.5 + 1.25)) < 1
    assert abs(middle[:, -1, 0].mean() - (207.5 - 1.25)) < 1
    assert abs(middle[..., 0].mean() - 127.5) <= 0.5


def test_a_missing_model_says_what_to_do(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no model.*likeness train"):
        SwapModel.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "newer Likeness"),
        ({"arch": "cubist"}, "not the description"),
        ({"sides": {}}, "not the description"),
    ],
)
def test_a_strange_config_is_refused_in_one_line(folder: Path, tmp_path: Path, change: dict, said: str):
    stated = json.loads((folder / CONFIG).read_text()) | change
    (tmp_path / CONFIG).write_text(json.dumps(stated))
    with pytest.raises(ModelError, match=said) as refusal:
        SwapModel.load(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_damaged_config_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / CONFIG).write_bytes(content)
    with pytest.raises(ModelError):
        SwapModel.load(tmp_path)


@pytest.mark.parametrize("keep", [0, 100, 100_000])
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, keep: int):
    (tmp_path / CONFIG).write_text((folder / CONFIG).read_text())
    (tmp_path / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:keep])
    with pytest.raises(ModelError, match="missing or damaged"):
        SwapModel.load(tmp_path)


def test_weights_that_cannot_be_written_leave_the_old_ones(folder: Path):
    before = (folder / WEIGHTS).read_bytes()
    with pytest.raises(StorageError):
        write_tensors(folder / WEIGHTS / "below a file", {"x": torch.zeros(1)})
    assert (folder / WEIGHTS).read_bytes() == before
