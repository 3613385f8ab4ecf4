"""Layers that several networks are made of."""

from torch import nn

SLOPE = 0.1  # of the leaky rectifiers


def conv(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    """A 3×3 convolution with leaky rectification."""
    return nn.Sequential(nn.Conv2d(channels, filters, 3, stride=stride, padding=1), nn.LeakyReLU(SLOPE, inplace=True))
