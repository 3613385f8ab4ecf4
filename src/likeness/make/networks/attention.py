"""Self-attention over the pixels of a map: each place looks at all others (SAGAN: Zhang et al. 2019, section 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_QUERY_SHARE, _VALUE_SHARE = 8, 2  # channels of the map for one of a query, and of a value


class SelfAttention(nn.Module):
    """y = x + γ·W(softmax(QᵀK)·V), on maps (n, channels, side, side); γ starts at 0, so that training starts without.

    Q, K and V are 1×1 convolutions of x with C/8, C/8 and C/2 channels; K and V are averaged over 2×2 pixels, as
    SAGAN's published code pools them, which quarters the work.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // _QUERY_SHARE, 1)
        self.key = nn.Conv2d(channels, channels // _QUERY_SHARE, 1)
        self.value = nn.Conv2d(channels, channels // _VALUE_SHARE, 1)
        self.out = nn.Conv2d(channels // _VALUE_SHARE, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, maps: Tensor) -> Tensor:
        pooled = F.avg_pool2d(maps, 2)
        queries, keys, values = (_sequence(part) for part in (self.query(maps), self.key(pooled), self.value(pooled)))
        seen = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        picture = seen.transpose(1, 2).unflatten(2, maps.shape[2:])
        return maps + self.gamma * self.out(picture)


def _sequence(maps: Tensor) -> Tensor:
    """Maps (n, c, h, w) as one row a pixel, (n, h·w, c)."""
    return maps.flatten(2).transpose(1, 2)
