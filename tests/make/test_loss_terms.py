from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from likeness.errors import ModelError
from likeness.make.losses import LossSettings, Targets, reconstruction_loss
from likeness.make.losses.adversarial import accuracy, discriminator_loss, generator_loss, mixed, mixing_shares
from likeness.make.losses.alpha import alpha_loss
from likeness.make.losses.cycle import cycle_loss
from likeness.make.losses.dssim import dssim
from likeness.make.losses.perceptual import foreign_features, own_features, perceptual_loss
from likeness.make.networks.autoencoder import Decoded
from likeness.make.networks.liae import Liae, Widths

CPU = torch.device("cpu")


def pictures(count: int = 2, size: int = 64, seed: int = 0) -> Tensor:
    """Smooth pictures (n, 3, size, size) in [0, 1]."""
    coarse = torch.rand(count, 3, size // 8, size // 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


def test_dssim_is_the_published_formula():
    one, other = pictures(), pictures(seed=1)
    assert float(dssim(one, one)) == pytest.approx(0, abs=1e-5)
    places = np.arange(-5, 6)
    window = np.outer(*[np.exp(-(places**2) / (2 * 1.5**2))] * 2)
    window /= window.sum()
    x, y = (picture[0, 0, 20:31, 30:41].numpy().astype(float) for picture in (one, other))
    mx, my = (window * x).sum(), (window * y).sum()
    vx, vy, c = (window * x * x).sum() - mx**2, (window * y * y).sum() - my**2, (window * x * y).sum() - mx * my
    ssim = (2 * mx * my + 1e-4) * (2 * c + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    patch = (picture[:1, :1, 20:31, 30:41] for picture in (one, other))
    assert float(dssim(*patch)) == pytest.approx((1 - ssim) / 2, abs=1e-4)


def test_dssim_minds_structure_more_than_brightness():
    true = pictures()
    blurred = nn.functional.avg_pool2d(true, 9, stride=1, padding=4, count_include_pad=False)
    brighter = true + (blurred - true).abs().mean()
    assert float(dssim(blurred, true)) > 2 * float(dssim(brighter, true))


def test_eyes_and_mouth_weigh_more():
    weight = torch.full((1, 1, 16, 16), 0.25)
    weight[..., 4, 4] = 0.75  # an eye
    truth = Targets(pictures(1), torch.ones(1, 1, 16, 16), weight)
    on_eye, on_cheek = truth.images.clone(), truth.images.clone()
    on_eye[..., 16:20, 16:20] += 0.5
    on_cheek[..., 40:44, 40:44] += 0.5
    settings = LossSettings(features=30.0)
    eye, cheek = (float(reconstruction_loss(Decoded(face, None), truth, settings)) for face in (on_eye, on_cheek))
    assert eye == pytest.approx(31 * cheek, rel=1e-3)


def test_a_mask_of_any_size_is_compared_with_the_hull():
    truth = Targets(pictures(1), torch.ones(1, 1, 16, 16), torch.ones(1, 1, 16, 16))
    settings = LossSettings(mask=1.0)
    for side in (16, 64):
        made = Decoded(truth.images, torch.full((1, 1, side, side), 0.25))
        assert float(reconstruction_loss(made, truth, settings)) == pytest.approx(0.75, abs=1e-6)


def test_perceptual_loss_is_differentiable_and_zero_for_the_same_face():
    features, true = own_features(0.8, CPU), pictures()
    made = pictures(seed=1).requires_grad_()
    assert float(perceptual_loss(true, true, features)) == pytest.approx(0, abs=1e-6)
    loss = perceptual_loss(made, true, features)
    loss.backward()
    assert float(loss.detach()) > 0
    assert made.grad is not None
    assert float(made.grad.abs().sum()) > 0


class Pyramid(nn.Module):
    """Feature maps of a user's file: the picture, ever smaller."""

    def forward(self, pictures: Tensor) -> list[Tensor]:
        return [nn.functional.avg_pool2d(pictures, 4), nn.functional.avg_pool2d(pictures, 16)]


class Flat(nn.Module):
    """No feature maps."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.mean()


def test_a_users_extractor_takes_the_place_of_ours(tmp_path: Path):
    torch.jit.script(Pyramid()).save(tmp_path / "pyramid.pt")
    torch.jit.script(Flat()).save(tmp_path / "flat.pt")
    (tmp_path / "text.pt").write_text("no network")
    made = pictures(seed=1).requires_grad_()
    perceptual_loss(made, pictures(), foreign_features(tmp_path / "pyramid.pt", CPU)).backward()
    assert made.grad is not None
    for name, said in (("flat.pt", "list of feature maps"), ("text.pt", "TorchScript"), ("none.pt", "TorchScript")):
        with pytest.raises(ModelError, match=said) as refusal:
            foreign_features(tmp_path / name, CPU)
        assert "\n" not in str(refusal.value)


def test_mixtures_lie_mostly_at_the_ends_and_repeat():
    shares = mixing_shares(4000, torch.Generator().manual_seed(0))
    assert torch.equal(shares, mixing_shares(4000, torch.Generator().manual_seed(0)))
    assert 0.45 < float(shares.mean()) < 0.55
    assert float(((shares < 0.1) | (shares > 0.9)).float().mean()) > 0.6  # Beta(0.2, 0.2)


def test_a_discriminator_that_knows_the_mixture_loses_nothing():
    shares = torch.tensor([0.9, 0.2]).view(2, 1, 1, 1)
    told = shares.expand(2, 1, 8, 8)
    assert float(discriminator_loss(told, shares)) == 0
    assert float(accuracy(told, shares)) == 1
    assert float(accuracy(1 - told, shares)) == 0
    assert float(generator_loss(torch.ones(2, 1, 8, 8))) == 0
    assert float(generator_loss(torch.zeros(2, 1, 8, 8))) == 1
    assert torch.equal(mixed(torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), shares)[:, 0, 0, 0], shares.flatten())


def test_alpha_terms():
    half = torch.zeros(1, 1, 8, 8)
    half[..., :4] = 1
    assert float(alpha_loss(half, LossSettings(alpha_hinge=1.0))) == pytest.approx(0.25)
    assert float(alpha_loss(half, LossSettings(alpha_mean=1.0))) == pytest.approx(0.5)
    assert float(alpha_loss(half, LossSettings(alpha_variation=1.0))) == pytest.approx(1 / 7)
    assert float(alpha_loss(torch.ones(1, 1, 8, 8), LossSettings(alpha_hinge=1.0, alpha_variation=1.0))) == 0


def test_the_cycle_teaches_both_ways():
    torch.manual_seed(0)
    network, faces = Liae(64, Widths(8, 16, 8, 4)), pictures()
    cycle_loss(network, faces, faces, "a").backward()
    for part in (network.inter_ab, network.inter_b):
        assert part[0].weight.grad is not None
        assert float(part[0].weight.grad.abs().sum()) > 0
