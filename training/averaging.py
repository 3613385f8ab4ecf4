"""The running mean of a network's weights over the steps, which is better than the weights of any one step."""

import torch
from torch import nn


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the parameters of ``averaged`` to those of ``model``, of which they keep the share ``decay``."""
    for mean, current in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)


def decay_at(step: int, decay: float) -> float:
    """``decay``, and less in the first steps, so that the mean soon forgets how the weights began."""
    return min(decay, (1 + step) / (10 + step))
