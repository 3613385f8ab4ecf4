"""Structural dissimilarity: (1 − SSIM)/2 (Wang et al. 2004, eq. 13, with K₁ = 0.01 and K₂ = 0.03)."""

import torch
from torch import Tensor
from torch.nn import functional as F

_WINDOW, _SIGMA = 11, 1.5  # pixels, of the paper's Gaussian
_C1, _C2 = 0.01**2, 0.03**2


def dssim(one: Tensor, other: Tensor) -> Tensor:
    """Mean of (1 − SSIM)/2 over float pictures (n, c, h, w) in [0, 1], each at least 11 pixels a side; a scalar.

    SSIM = (2μₓμᵧ + C₁)(2σₓᵧ + C₂) / ((μₓ² + μᵧ² + C₁)(σₓ² + σᵧ² + C₂))
    """
    count = len(one)
    moments = _blurred(torch.cat([one, other, one * one, other * other, one * other]))
    mean, mean_other, square, square_other, product = moments.split(count)
    variances = square - mean * mean + square_other - mean_other * mean_other
    covariance = product - mean * mean_other
    means = mean * mean + mean_other * mean_other
    similar = (2 * mean * mean_other + _C1) * (2 * covariance + _C2) / ((means + _C1) * (variances + _C2))
    return ((1 - similar) / 2).mean()


def _blurred(pictures: Tensor) -> Tensor:
    """Pictures through the Gaussian window, only where it fits: a row pass and a column pass."""
    places = torch.arange(_WINDOW, device=pictures.device) - _WINDOW // 2
    window = torch.exp(-(places.float() ** 2) / (2 * _SIGMA**2))
    window = window / window.sum()
    planes = pictures.flatten(0, 1)[:, None]
    rows = F.conv2d(planes, window.view(1, 1, 1, -1))
    return F.conv2d(rows, window.view(1, 1, -1, 1)).view(
        *pictures.shape[:2], *(side - _WINDOW + 1 for side in pictures.shape[2:])
    )
