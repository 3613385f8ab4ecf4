"""Drawn stand-ins for faces, and a network small enough to train on them in a test."""

import numpy as np
import torch

from likeness.make.portraits.networks import NetworkSettings
from likeness.make.portraits.recipes import Recipe

TINY = Recipe(
    NetworkSettings(widths=(16, 16, 8, 8), generator_blocks=(1,) * 4, discriminator_blocks=(1,) * 4, style=16),
    batch=4,
    apart=2,
    apart_share=1.0,
)


class Averages:
    """Embeds a face as its colours, four by four: enough to tell drawn faces apart, and fast."""

    name, threshold = "averages", 0.5

    def embed(self, crops: np.ndarray) -> np.ndarray:
        small = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
        vectors = torch.nn.functional.adaptive_avg_pool2d(small, 4).flatten(1) + 1
        return torch.nn.functional.normalize(vectors, dim=1).numpy()


def drawn(count: int, seed: int = 0) -> np.ndarray:
    """uint8 (n, 64, 64, 3): blobs of random colour and place before grey."""
    rng = np.random.default_rng(seed)
    pictures = np.full((count, 64, 64, 3), 120, np.uint8)
    for picture in pictures:
        y, x = rng.integers(8, 24, 2)
        picture[y : y + 32, x : x + 32] = rng.integers(0, 255, 3)
    return pictures
