"""What a rebuilt face is compared by."""

from dataclasses import dataclass

import torch
from torch import Tensor

from likeness.make.networks.autoencoder import Decoded


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms. Defaults are the 2018 recipe: the mean absolute error of all pixels alike.

    ``face`` moves that share of the weight from the whole view onto the face, its eyes and its mouth
    (`Targets.weight`). ``gradient`` compares the steps between neighbouring pixels, which keeps edges sharp. ``mask``
    trains the learned mask.
    """

    face: float = 0.0
    gradient: float = 0.0
    mask: float = 0.0


@dataclass(frozen=True, eq=False)
class Targets:
    """``images`` float (n, 3, size, size), ``masks`` and ``weight`` of the face (n, 1, size, size), in [0, 1]."""

    images: Tensor
    masks: Tensor
    weight: Tensor

    @classmethod
    def from_layers(cls, layers: Tensor) -> "Targets":
        """From float (n, 5, size, size) in [0, 255]: RGB, mask, weight."""
        layers = layers / 255
        return cls(layers[:, :3], layers[:, 3:4], layers[:, 4:5])

    def part(self, chosen: slice) -> "Targets":
        """The targets of some of the faces."""
        return Targets(self.images[chosen], self.masks[chosen], self.weight[chosen])


def reconstruction_loss(decoded: Decoded, targets: Targets, settings: LossSettings) -> Tensor:
    """|x' − x| weighted over the view, plus gradient and mask terms where the recipe has them; a scalar."""
    images = decoded.images.float()
    error = images - targets.images
    if not settings.face:
        return error.abs().mean()
    weight = pixel_weight(targets, settings.face)
    loss = (error.abs() * weight).mean()
    if settings.gradient:
        loss = loss + settings.gradient * _gradient_error(error, weight)
    if decoded.masks is not None:
        loss = loss + settings.mask * (decoded.masks.float() - targets.masks).abs().mean()
    return loss


def pixel_weight(targets: Targets, face: float) -> Tensor:
    """Weights (n, 1, size, size) with mean 1 a face: ``face`` of it follows the face's weight map, the rest is even."""
    share = targets.weight / targets.weight.mean((2, 3), keepdim=True).clamp_min(1e-3)
    return face * share + (1 - face)


def _gradient_error(error: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of the pictures' gradients, which is the gradient of their difference."""
    across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.mean() + down.mean()


@torch.no_grad()
def face_error(decoded: Decoded, targets: Targets) -> Tensor:
    """Mean absolute error inside the mask, one number a face (n,): what held-out faces are judged by."""
    error = (decoded.images.float() - targets.images).abs().mean(1, keepdim=True)
    return (error * targets.masks).sum((1, 2, 3)) / targets.masks.sum((1, 2, 3)).clamp_min(1.0)
