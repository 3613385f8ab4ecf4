"""Batches of drawn samples, made while the last one is learned from."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor


def batches(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, ...]], count: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, ...]]:
    """Batches of ``count`` drawn samples for ever, each made in a thread while the last is learned from."""

    def one() -> tuple[Tensor, ...]:
        drawn = [draw(rng) for _ in range(count)]
        return tuple(torch.from_numpy(np.stack(column)) for column in zip(*drawn, strict=True))

    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(one)
        while True:
            ready = coming.result()
            coming = maker.submit(one)
            yield ready
