import pytest
import torch

from likeness.make.losses import LossSettings, Targets, face_error, reconstruction_loss
from likeness.make.networks.autoencoder import Decoded

SIZE = 16


def targets(count: int = 2) -> Targets:
    random = torch.Generator().manual_seed(0)
    masks = torch.zeros(count, 1, 4, 4)
    masks[:, :, 1:3, 1:3] = 1
    return Targets(torch.rand(count, 3, SIZE, SIZE, generator=random), masks, masks / 4)


def test_the_recipe_of_2018_is_the_mean_absolute_error():
    truth = targets()
    made = Decoded(truth.images + 0.25, None)
    assert float(reconstruction_loss(made, truth, LossSettings())) == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("settings", [LossSettings(), LossSettings(face=0.8, gradient=1.0, mask=0.5)])
def test_a_perfect_face_costs_nothing(settings: LossSettings):
    truth = targets()
    assert float(reconstruction_loss(Decoded(truth.images, truth.masks), truth, settings)) == pytest.approx(0, abs=1e-6)


def test_errors_in_the_face_cost_more_than_around_it():
    truth, settings = targets(), LossSettings(face=0.8)
    inside, outside = truth.images.clone(), truth.images.clone()
    inside[:, :, 6:8, 6:8] += 0.5
    outside[:, :, 0:2, 0:2] += 0.5
    assert float(reconstruction_loss(Decoded(inside, None), truth, settings)) > 5 * float(
        reconstruction_loss(Decoded(outside, None), truth, settings)
    )
    assert float(face_error(Decoded(outside, None), truth).max()) == pytest.approx(0, abs=1e-6)


def test_gradients_punish_blur_that_the_mean_forgives():
    stripes = torch.zeros(1, 3, SIZE, SIZE)
    stripes[..., ::2] = 1
    truth = Targets(stripes, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    grey, brighter = Decoded(torch.full_like(stripes, 0.5), None), Decoded(stripes + 0.5, None)
    plain, sharp = LossSettings(face=0.5), LossSettings(face=0.5, gradient=1.0)
    assert float(reconstruction_loss(grey, truth, plain)) == float(reconstruction_loss(brighter, truth, plain))
    assert float(reconstruction_loss(grey, truth, sharp)) > 2 * float(reconstruction_loss(brighter, truth, sharp))
