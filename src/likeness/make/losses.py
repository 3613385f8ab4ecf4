"""What a rebuilt face is compared by."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.make.networks.autoencoder import Decoded
from likeness.make.warp import PART_STEP, Warped


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
    """``images`` float (n, 3, size, size) and, four times coarser, ``masks`` and ``weight`` (n, 1, m, m), in [0, 1]."""

    images: Tensor
    masks: Tensor
    weight: Tensor

    @classmethod
    def of(cls, warped: Warped) -> "Targets":
        """The straight views of ``warped``."""
        parts = warped.parts / 255
        return cls(warped.colours / 255, parts[:, :1], parts[:, 1:])


def reconstruction_loss(decoded: Decoded, targets: Targets, settings: LossSettings) -> Tensor:
    """|x' − x| weighted over the view, plus gradient and mask terms where the recipe has them; a scalar."""
    error = decoded.images.float() - targets.images
    if not settings.face:
        return error.abs().mean()
    weight = _weight(targets, settings.face)
    loss = (_coarse(error.abs()) * weight).mean()
    if settings.gradient:
        loss = loss + settings.gradient * _gradient_error(error, weight)
    if decoded.masks is not None:
        loss = loss + settings.mask * (decoded.masks.float() - targets.masks).abs().mean()
    return loss


def _weight(targets: Targets, face: float) -> Tensor:
    """Weights (n, 1, m, m) with mean 1 a face: ``face`` of it follows the face's weight map, the rest is even."""
    share = targets.weight / targets.weight.mean((2, 3), keepdim=True).clamp_min(1e-3)
    return face * share + (1 - face)


def _coarse(error: Tensor) -> Tensor:
    """Mean over colours and over each pixel of the mask: (n, 3, size, size) to (n, 1, m, m)."""
    return F.avg_pool2d(error, PART_STEP).mean(1, keepdim=True)


def _gradient_error(error: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of the pictures' gradients, which is the gradient of their difference."""
    across = F.pad((error[..., 1:] - error[..., :-1]).abs(), (0, 1))
    down = F.pad((error[..., 1:, :] - error[..., :-1, :]).abs(), (0, 0, 0, 1))
    return (_coarse(across + down) * weight).mean()


@torch.no_grad()
def face_error(decoded: Decoded, targets: Targets) -> Tensor:
    """Mean absolute error inside the mask, one number a face (n,): what held-out faces are judged by."""
    error = _coarse((decoded.images.float().clamp(0, 1) - targets.images).abs())
    return (error * targets.masks).sum((1, 2, 3)) / targets.masks.sum((1, 2, 3)).clamp_min(1.0)
