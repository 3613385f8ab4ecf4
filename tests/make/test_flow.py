"""`flow`: what moves, what is chosen, what starts at once."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from likeness.errors import ModelError
from likeness.make.networks.flow import (
    EYES,
    MEASURES,
    REFERENCES,
    SHOWN,
    SIZE,
    Drawer,
    Features,
    Flow,
    Joined,
    References,
    farthest_points,
    load_running_start,
)


def faces(count: int, size: int = SIZE, seed: int = 0) -> Tensor:
    """Smooth random pictures in [0, 1], as faces are smooth."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 3, 8, 8), generator=random)
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)


def shown(network: Flow, own: Tensor, other: Tensor) -> Flow:
    """``network`` after it looked at the faces of both sides."""
    masks = torch.ones(len(own), 1, network.size // 4, network.size // 4)
    network.start_from("a", own, masks)
    network.start_from("b", other, masks[: len(other)])
    return network


def test_from_noise_the_references_are_averaged_and_stay_where_they_are() -> None:
    """Nothing moves and nothing is painted yet, and all references are trusted alike."""
    torch.manual_seed(0)
    network = shown(Flow(), faces(9), faces(9, seed=1))
    with torch.no_grad():
        made = network.translate(faces(2), "a", "b")
    mean = (network.pictures[1].float() / 255).mean(0).expand(2, -1, -1, -1)
    torch.testing.assert_close(made.images, mean, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [128, 256])
def test_references_are_moved_along_the_flow(size: int) -> None:
    """A flow of (0.25, 0) everywhere shows what lies a sixteenth of the picture further right, at any size."""
    torch.manual_seed(0)
    network = shown(Flow(size), faces(1, size), faces(1, size, seed=1))
    with torch.no_grad():
        assert network.drawer.flow.driver.bias is not None
        network.drawer.flow.driver.bias.copy_(torch.tensor([0.25, 0.0, 0.0]))
        made = network.translate(faces(1, size), "a", "b")
    step = size // 16
    still = network.pictures[1, :1].float() / 255
    torch.testing.assert_close(made.images[..., : size - step], still[..., step:], atol=2e-2, rtol=0)


def test_features_that_are_no_numbers_end_in_a_loss_that_is_none() -> None:
    """They crashed the program in the backward pass of grid_sample."""
    network = shown(Flow(), faces(7), faces(7, seed=1))
    with torch.no_grad():
        assert network.drawer.flow.driver.bias is not None
        network.drawer.flow.driver.bias.fill_(torch.nan)
    made = network.translate(faces(2), "a", "b")
    made.images.mean().backward()
    assert not made.images.isfinite().any()


def test_a_joined_convolution_is_one_over_everything_side_by_side() -> None:
    torch.manual_seed(0)
    joined = Joined(4, 5, 6)
    driver, reference, paired = torch.randn(3, 4, 8, 8), torch.randn(2, 2, 4, 8, 8), torch.randn(6, 5, 8, 8)
    of = torch.tensor([1, 0, 1])
    made = joined(driver, reference, of, paired)
    assert joined.paired is not None
    weight = torch.cat([joined.driver.weight, joined.reference.weight, joined.paired.weight], 1)
    together = torch.cat([driver.repeat_interleave(2, 0), reference[of].flatten(0, 1), paired], 1)
    expected = torch.nn.functional.conv2d(together, weight, joined.driver.bias, padding=1)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)


@given(st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_chosen_references_are_faces_of_the_set_and_differ(count: int, seed: int) -> None:
    measured = torch.randn((count, MEASURES), generator=torch.Generator().manual_seed(seed))
    chosen = farthest_points(measured, REFERENCES).tolist()
    assert len(chosen) == REFERENCES
    assert set(chosen) <= set(range(count))
    assert len(set(chosen)) == min(count, REFERENCES)


def test_the_rare_blink_is_among_the_references() -> None:
    """100 faces that look straight ahead, one of which blinks."""
    measured = 0.02 * torch.randn((100, MEASURES), generator=torch.Generator().manual_seed(0))
    measured[63, 3:5] = -0.5
    assert 63 in farthest_points(measured, REFERENCES).tolist()


def test_every_two_references_meet_once_in_seven_iterations() -> None:
    lines = [{(place + turn) % REFERENCES for place in SHOWN} for turn in range(REFERENCES)]
    pairs = [pair for line in lines for pair in ((a, b) for a in line for b in line if a < b)]
    assert len(pairs) == len(set(pairs)) == REFERENCES * (REFERENCES - 1) // 2


def test_sides_keep_their_own_colours_references_and_turn() -> None:
    torch.manual_seed(0)
    network = shown(Flow(), 0.2 * faces(8), 0.5 + 0.5 * faces(8, seed=1))
    assert network.pictures[0].float().mean() < 60 < 127 < network.pictures[1].float().mean()
    with torch.no_grad():
        made_a, made_b = network(0.2 * faces(2), 0.5 + 0.5 * faces(3))
    assert (len(made_a.images), len(made_b.images)) == (2, 3)
    assert made_a.images.mean() < 0.3 < 0.5 < made_b.images.mean()
    assert int(network.turn) == 1
    again = Flow()
    again.load_state_dict(network.state_dict())
    assert int(again.turn) == 1


def test_the_shipped_start_knows_faces() -> None:
    network = Flow()
    before = network.drawer.paint[-1].weight.clone()  # type: ignore[union-attr]
    assert network.running_start()
    assert not torch.equal(network.drawer.paint[-1].weight, before)  # type: ignore[union-attr]
    assert set(load_running_start()) == set(Drawer().state_dict())


def test_a_damaged_start_is_named(tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="--start noise"):
        load_running_start(path)


class _Brightness(torch.nn.Module):
    """Takes the mean of the features for how far the eyes are open."""

    def forward(self, coarse: Tensor) -> Tensor:
        said = torch.zeros(len(coarse), MEASURES)
        said[:, EYES] = coarse.mean((1, 2, 3))[:, None]
        return said


def test_shut_eyes_are_taken_from_references_with_shut_eyes() -> None:
    """In the rows of the eyes a reference whose eyes differ by a blink counts for nothing; elsewhere it counts."""
    drawer = Drawer()
    drawer.measure = _Brightness()  # type: ignore[assignment]

    def seen(openness: Tensor) -> Features:
        shape = openness.shape
        sizes = ((64, 32), (96, 16), (160, 8))
        return Features(*(openness[..., None, None, None].expand(*shape, wide, side, side) for wide, side in sizes))

    driver = seen(torch.tensor([0.1, -0.5]))
    references = References(seen(torch.tensor([[0.1, -0.5, 0.0]])), torch.zeros(1, 3, 3, SIZE, SIZE))
    unlike_eyes = drawer._lids_apart(driver, references, torch.zeros(2, dtype=torch.int64), SIZE)
    assert unlike_eyes.shape == (2, 3, 1, SIZE, 1)
    eyes, mouth = unlike_eyes[..., 30, 0].squeeze(2), unlike_eyes[..., 85, 0].squeeze(2)
    assert eyes[0, 1] > 7
    assert eyes[1, 0] > 7
    assert eyes[0, 0] == eyes[1, 1] == 0
    assert eyes[0, 2] < 0.5
    assert mouth.max() < 1e-3
