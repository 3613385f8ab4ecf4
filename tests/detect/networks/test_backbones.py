"""MobileNetV2 computes what its ImageNet weights were trained for; other backbones keep the same shape of answer."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.detect.networks.backbones import HubBackbone, MobileNetV2, backbone
from likeness.detect.networks.inputs import CHANNELS
from likeness.errors import MissingDataError, ModelError

DATA = os.environ.get("LIKENESS_DATA")
WEIGHTS = "backbones/mobilenet_v2_imagenet.npz"


def test_a_picture_shrinks_to_a_thirty_second() -> None:
    maps = MobileNetV2()(torch.zeros(2, CHANNELS, 96, 64))
    assert maps.shape == (2, MobileNetV2.channels, 3, 2)


@pytest.mark.skipif(DATA is None, reason="LIKENESS_DATA is not set: no ImageNet weights")
def test_imagenet_weights_still_tell_imagenet_classes() -> None:
    path = Path(str(DATA)) / WEIGHTS
    network = backbone("mobilenet", path).eval()
    with np.load(path) as stored:
        kernel, bias = (torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files[-2:])
    torch.manual_seed(0)
    with torch.inference_mode():
        features = network(torch.cat([torch.randn(4, 3, 224, 224).clamp(-1, 1), torch.zeros(4, 3, 224, 224)], 1))
        answers = (features.mean((2, 3)) @ kernel[:, :, 0, 0].T + bias).softmax(1)
    assert answers.shape == (4, 1001)
    assert float(features.max()) <= 6.0
    assert float(answers.max(1).values.min()) > 10 / 1001  # far from undecided: the layers fit together


def test_a_file_that_holds_other_weights_is_refused_in_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, kernel=np.zeros((32, 3, 5, 5), np.float16), bias=np.zeros(32, np.float16))
    with pytest.raises(ModelError, match="not MobileNetV2"):
        backbone("mobilenet", other)
    other.write_bytes(b"nothing")
    with pytest.raises(MissingDataError, match="no file of backbone weights"):
        backbone("mobilenet", other)


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ModelError, match="hub:NAME"):
        backbone("resnet")


@pytest.mark.parametrize("kind", ["ViT", "ConvNext"])
def test_a_model_of_transformers_serves_as_a_backbone(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    if kind == "ViT":
        config = transformers.ViTConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=64,
            patch_size=16,
        )  # fmt: skip
        transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    else:
        config = transformers.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
        transformers.ConvNextModel(config).save_pretrained(tmp_path)
    network = backbone(f"hub:{tmp_path}")
    maps = network(torch.zeros(2, CHANNELS, 64, 64))
    assert isinstance(network, HubBackbone)
    assert maps.shape[:2] == (2, 32)
    assert maps.shape[2] == maps.shape[3]


def test_a_model_that_is_nowhere_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    with pytest.raises(MissingDataError, match="no vision model"):
        backbone(f"hub:{tmp_path / 'nowhere'}")
