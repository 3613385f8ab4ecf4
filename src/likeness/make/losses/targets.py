"""The true face that a rebuilt one is compared with, and where in it errors matter."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.make.networks.autoencoder import Decoded
from likeness.make.warp import PART_STEP, Warped


@dataclass(frozen=True, eq=False)
class Targets:
    """``images`` float (n, 3, size, size) and, four times coarser, ``masks`` and ``weight`` (n, 1, m, m), in [0, 1].

    The weight is 1/4 on the face, 3/4 on the eyes and 2/4 on the mouth (`batches.face_parts`).
    """

    images: Tensor
    masks: Tensor
    weight: Tensor

    @classmethod
    def of(cls, warped: Warped) -> "Targets":
        """The straight views of ``warped``."""
        parts = warped.parts / 255
        return cls(warped.colours / 255, parts[:, :1], parts[:, 1:])

    @property
    def features(self) -> Tensor:
        """1 on the eyes, ½ on the mouth, 0 elsewhere; (n, 1, m, m)."""
        return (2 * self.weight - 0.5).clamp(0, 1)

    def emphasis(self, face: float) -> Tensor:
        """Weights (n, 1, m, m) with mean 1 a face: ``face`` of it follows the face's weight map, the rest is even."""
        share = self.weight / self.weight.mean((2, 3), keepdim=True).clamp_min(1e-3)
        return face * share + (1 - face)


def coarse(error: Tensor) -> Tensor:
    """Mean over colours and over each pixel of the mask: (n, c, size, size) to (n, 1, m, m)."""
    return F.avg_pool2d(error, PART_STEP).mean(1, keepdim=True)


@torch.no_grad()
def face_error(decoded: Decoded, targets: Targets) -> Tensor:
    """Mean absolute error inside the mask, one number a face (n,): what held-out faces are judged by."""
    error = coarse((decoded.face.float().clamp(0, 1) - targets.images).abs())
    return (error * targets.masks).sum((1, 2, 3)) / targets.masks.sum((1, 2, 3)).clamp_min(1.0)
