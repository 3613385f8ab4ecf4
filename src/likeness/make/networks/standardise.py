"""The colours that one side's faces usually have, so that a network can look at how a face differs from them."""

from torch import Tensor
from torch.nn import functional as F


def colours_within(faces: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1) of ``faces`` (n, 3, size, size) within ``masks`` (n, 1, m, m), m
    a divisor of the size."""
    step = faces.shape[-1] // masks.shape[-1]
    pixels, share = F.avg_pool2d(faces, step), masks / masks.sum()
    mean, square = ((power * share).sum((0, 2, 3), keepdim=True)[0] for power in (pixels, pixels.square()))
    return mean, (square - mean.square()).clamp_min(1e-4).sqrt()
