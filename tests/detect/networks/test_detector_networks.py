"""Frame, pair and sequence networks: shapes, places, what a still face says, and what changes in training."""

import numpy as np
import pytest
import torch

from likeness.detect.networks.inputs import SEQUENCE, as_tensor, of_frames, of_pairs
from likeness.detect.networks.sequences import RecurrentHead, SequenceNetwork
from likeness.detect.networks.stored import LEAST_FRAMES, NetworkKind, build

KINDS: tuple[NetworkKind, ...] = ("frames", "pairs", "recurrent", "temporal")


def spoken(network: torch.nn.Module) -> torch.nn.Module:
    """``network`` with a classifier that is not silent, as it is at the beginning."""
    for name, parameter in network.named_parameters():
        if name.endswith("classify.weight"):
            torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_every_network_answers_sequences_with_one_logit_each(kind: NetworkKind) -> None:
    torch.manual_seed(0)
    network = spoken(build(kind))
    with torch.inference_mode():
        logits = network(torch.randn(3, LEAST_FRAMES[kind], 3, 64, 64))
    assert logits.shape == (3,)
    assert bool(torch.isfinite(logits).all())
    assert float(logits.std()) > 0


@pytest.mark.parametrize("kind", ["frames", "pairs"])
def test_the_logit_is_the_mean_of_its_places(kind: NetworkKind) -> None:
    torch.manual_seed(0)
    network = spoken(build(kind))
    pictures = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        seen = network.see(pictures) if kind == "frames" else network.see(pictures, pictures.flip(0))
    assert seen.where.shape == (2, 3, 3)
    assert torch.allclose(seen.logit, seen.where.mean((1, 2)))


def test_inputs_show_what_is_fine_and_what_changes() -> None:
    flat = torch.full((1, 3, 8, 8), 0.25)
    assert torch.allclose(of_frames(flat)[:, 3:], torch.zeros(1, 3, 8, 8), atol=1e-6)
    assert torch.equal(of_pairs(flat, flat)[:, 3:], torch.zeros(1, 3, 8, 8))
    assert float(of_pairs(flat, flat + 0.1)[0, 3].mean()) == pytest.approx(0.4)


def test_crops_become_numbers_between_minus_one_and_one() -> None:
    crops = torch.from_numpy(np.array([0, 255], np.uint8)).view(2, 1, 1, 1).expand(2, 4, 4, 3)
    tensor = as_tensor(crops)
    assert tensor.shape == (2, 3, 4, 4)
    assert (float(tensor.min()), float(tensor.max())) == (-1.0, 1.0)


@pytest.mark.parametrize("kind", ["recurrent", "temporal"])
def test_only_the_head_of_a_sequence_network_learns(kind: NetworkKind) -> None:
    network = build(kind)
    assert isinstance(network, SequenceNetwork)
    network.train()
    network(torch.randn(2, SEQUENCE, 3, 64, 64)).sum().backward()
    assert not network.frames.training
    assert all(parameter.grad is None for parameter in network.frames.parameters())
    assert any(float(p.grad.abs().sum()) > 0 for p in network.head.parameters() if p.grad is not None)


def test_order_matters_to_a_recurrent_network() -> None:
    torch.manual_seed(1)
    head = spoken(RecurrentHead(16))
    maps = torch.randn(1, SEQUENCE, 16, 2, 2)
    with torch.inference_mode():
        assert not torch.allclose(head(maps), head(maps[:, [0, 2, 1, 4, 3]]), atol=1e-6)
