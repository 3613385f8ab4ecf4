"""The layers that the networks for parts and for sharpness are built of."""

from torch import Tensor, nn


class Residual(nn.Module):
    """x + conv(conv(x)), the second convolution starting at zero, so that training starts from the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(convolution(width, width), nn.Conv2d(width, width, 3, padding=1))
        for parameter in self.inner[1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.inner(maps)


def convolution(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    """Of 3 × 3 pixels, with a PReLU behind it."""
    return nn.Sequential(nn.Conv2d(channels, filters, 3, stride=stride, padding=1), nn.PReLU(filters))
