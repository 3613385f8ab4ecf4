"""The running start: folding a person's looks into a decoder is the same as bending its layers."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from likeness.errors import ModelError
from likeness.make.networks.light import Decoder, Light
from likeness.make.networks.looks import LookEncoder, folded, load_running_start


@pytest.fixture(scope="module")
def looks() -> LookEncoder:
    torch.manual_seed(3)
    layers = Decoder().layers()
    looks = LookEncoder({name: (layer.in_channels, layer.out_channels) for name, layer in layers.items()})
    torch.nn.init.normal_(looks.bend.weight, std=0.2)
    return looks


def test_folding_is_modulation(looks: LookEncoder) -> None:
    """W·(s ⊙ x) + b + t = (W ⊙ s)·x + (b + t), for every layer of the decoder."""
    decoder, bent = Decoder(), looks.scales(torch.randn(256))
    torch.nn.init.normal_(decoder.paint.weight, std=0.1)
    state = folded(decoder.layers(), bent)
    for name, layer in decoder.layers().items():
        maps = torch.randn(2, layer.in_channels, 8, 8)
        scale, shift = bent[name].scale[:, None, None], bent[name].shift[:, None, None]
        expected = layer(maps * scale) + shift
        actual = F.conv2d(maps, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_every_style_gives_each_layer_its_own_modulation(looks: LookEncoder) -> None:
    styles = looks(torch.rand(5, 3, 128, 128))
    assert styles.shape == (5, 256)
    bent = looks.scales(styles)
    assert set(bent) == set(Decoder().layers())
    assert all(one.scale.shape[0] == 5 and one.shift.shape[0] == 5 for one in bent.values())


def test_the_shipped_start_paints_a_face_at_once() -> None:
    """From noise nothing is painted at first; from the running start something is, and the two sides differ."""
    torch.manual_seed(0)
    network, noise = Light(), Light()
    assert network.running_start()
    faces = {"a": 0.2 + 0.3 * torch.rand(6, 3, 128, 128), "b": 0.5 + 0.4 * torch.rand(6, 3, 128, 128)}
    masks = torch.ones(6, 1, 32, 32)
    for side in ("a", "b"):
        network.start_from(side, faces[side], masks)
        noise.start_from(side, faces[side], masks)
    with torch.inference_mode():
        painted, unpainted = network.translate(faces["a"], "a", "b"), noise.translate(faces["a"], "a", "b")
    assert (unpainted.images - noise.decoder_b.face).abs().max() == 0
    assert (painted.images - network.decoder_b.face).abs().max() > 0.01
    assert not torch.equal(network.decoder_a.paint.weight, network.decoder_b.paint.weight)


def test_the_start_leaves_no_trace_in_what_is_saved() -> None:
    network = Light()
    network.running_start()
    assert set(network.state_dict()) == set(Light().state_dict())


@pytest.mark.parametrize("size", [64, 256])
def test_other_sizes_start_from_noise(size: int) -> None:
    network = Light(size)
    assert not network.running_start()
    made = network.translate(torch.rand(1, 3, size, size), "a", "b")
    assert made.images.shape == (1, 3, size, size)
    assert made.masks is not None
    assert made.masks.shape == (1, 1, size // 4, size // 4)


def test_a_damaged_start_is_named(tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="--start noise"):
        load_running_start(path)
