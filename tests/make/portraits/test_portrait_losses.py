import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from likeness.make.portraits.losses import (
    pair_accuracy,
    rebuilding_loss,
    relativistic_loss,
    zero_centred_penalty,
)


def test_relativistic_loss_is_log_2_at_a_tie_and_falls_as_the_better_wins():
    tie = torch.zeros(3)
    assert float(relativistic_loss(tie, tie)) == pytest.approx(math.log(2))
    assert float(relativistic_loss(tie + 5, tie)) < 0.01 < 4.9 < float(relativistic_loss(tie, tie + 5))


def test_only_differences_between_logits_count():
    one, other = torch.randn(5), torch.randn(5)
    assert torch.allclose(relativistic_loss(one, other), relativistic_loss(one + 7, other + 7), atol=1e-5)


def test_penalty_is_half_the_squared_gradient_and_can_be_differentiated():
    slope = torch.tensor([3.0, 4.0, 0.0], requires_grad=True)
    pictures = torch.randn(2, 3, 1, 1, requires_grad=True)
    logits = (pictures[:, :, 0, 0] * slope).sum(1)
    penalty = zero_centred_penalty(logits, pictures)
    assert penalty.item() == pytest.approx(12.5)
    penalty.backward()
    assert torch.allclose(slope.grad, slope.detach())


def test_rebuilding_costs_nothing_where_the_picture_and_the_latents_are_right():
    picture, still = torch.randn(2, 3, 4, 4), torch.zeros(2, 8)
    assert float(rebuilding_loss(picture, picture, still, still)) == 0
    assert float(rebuilding_loss(picture + 0.1, picture, still, still)) > 0
    assert float(rebuilding_loss(picture, picture, still + 1, still)) == pytest.approx(4.0)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8), st.lists(st.integers(-9, 9), min_size=1, max_size=8))
def test_pair_accuracy_is_a_share_that_turns_round_with_the_sides(real: list[int], made: list[int]):
    one, other = torch.tensor(real).float(), torch.tensor(made).float()
    assert pair_accuracy(one, other) + pair_accuracy(other, one) == pytest.approx(1)
    assert pair_accuracy(one, one) == pytest.approx(0.5)
    assert pair_accuracy(one + 100, other) == 1
