import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from likeness.make.portraits.augment import AugmentSettings, adapted, augmented, overfitting

SETTINGS = AugmentSettings()


def test_nothing_happens_at_p_0_and_everything_stays_differentiable_at_1():
    pictures = torch.rand(8, 3, 16, 16, requires_grad=True)
    assert augmented(pictures, 0.0, SETTINGS, torch.Generator()) is pictures
    made = augmented(pictures, 1.0, SETTINGS, torch.Generator().manual_seed(1))
    assert made.shape == pictures.shape
    assert (made - pictures).abs().flatten(1).max(1).values.min() > 0.01
    made.sum().backward()
    assert pictures.grad.flatten(1).any(1).all()


def test_shifts_move_whole_pixels_and_invent_no_colours():
    still = AugmentSettings(brightness=0, contrast=0, saturation=0)
    pictures = torch.arange(16.0 * 16).reshape(1, 1, 16, 16).expand(32, 3, 16, 16)
    made = augmented(pictures, 1.0, still, torch.Generator().manual_seed(0))
    assert torch.allclose(made, made.round(), atol=1e-3)
    assert 0 <= made.min() < 40 < 200 < made.max() <= 255
    assert (made - pictures).abs().flatten(1).max(1).values.gt(0).float().mean() > 0.8


def test_the_same_random_numbers_disturb_in_the_same_way():
    pictures = torch.rand(4, 3, 16, 16)
    once, again = (augmented(pictures, 0.5, SETTINGS, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(once, again)


@pytest.mark.parametrize(("heldout", "r"), [(2.0, 0.0), (1.0, 0.5), (0.0, 1.0), (9.0, -1.0)])
def test_overfitting_is_where_held_out_photographs_lie_between_the_learnt_and_the_made(heldout: float, r: float):
    assert overfitting(torch.full((4,), 2.0), torch.full((4,), heldout), torch.zeros(4)) == r


def test_a_discriminator_that_tells_nothing_apart_has_learnt_nothing_by_heart():
    assert overfitting(torch.zeros(4), torch.zeros(4), torch.ones(4)) == 0


@given(st.floats(0, 0.8), st.floats(-1, 1), st.integers(1, 10**7))
def test_p_follows_the_sign_and_stays_within_its_limits(p: float, r: float, images: int):
    moved = adapted(p, r, images, SETTINGS)
    assert 0 <= moved <= SETTINGS.most
    assert (moved >= p) if r > SETTINGS.target else (moved <= p)
