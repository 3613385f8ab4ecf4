from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.make import colour_transfer
from likeness.make.colour_transfer import ColourMap

Transfer = Callable[[np.ndarray, np.ndarray, np.ndarray], ColourMap]
ALL = (colour_transfer.affine, colour_transfer.mkl, colour_transfer.histogram, colour_transfer.sliced)
LINEAR = ALL[:2]
MIX = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.15, 0.8]])


def _cloud(seed: int, count: int = 1500) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.5 + rng.normal(0, 1, (count, 3)) * (0.08, 0.05, 0.06) @ MIX


def _moments(colours: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = np.average(colours, axis=0, weights=weights)
    return mean, np.cov(colours.T, aweights=weights)


@pytest.mark.parametrize("transfer", LINEAR)
def test_linear_transfers_bring_mean_and_covariance(transfer: Transfer) -> None:
    source, target = _cloud(1), _cloud(2) @ MIX * 0.9 + (0.05, 0.0, -0.02)
    weights = np.random.default_rng(3).uniform(0.2, 1, len(source))
    moved = transfer(source, target, weights)(source)
    for got, wanted in zip(_moments(moved, weights), _moments(target, weights), strict=True):
        assert np.allclose(got, wanted, atol=2e-4)


def test_mkl_moves_colours_less_than_cholesky_does() -> None:
    source, target, even = _cloud(1), _cloud(2) @ MIX, np.ones(1500)
    ways = [np.square(transfer(source, target, even)(source) - source).mean() for transfer in LINEAR]
    assert ways[1] < ways[0]


def test_histogram_brings_each_channels_quantiles() -> None:
    source, target = _cloud(1), _cloud(2) ** 2
    moved = colour_transfer.histogram(source, target, np.ones(1500))(source)
    shares = np.linspace(0.05, 0.95, 19)
    assert np.allclose(np.quantile(moved, shares, axis=0), np.quantile(target, shares, axis=0), atol=6e-3)


def test_sliced_brings_a_distribution_that_no_linear_map_does() -> None:
    """Skin with few highlights: matching mean and covariance leaves the wrong colours, transport does not."""
    rng = np.random.default_rng(0)
    source = rng.normal(0.5, 0.1, (2000, 3))
    target = 0.3 + 0.6 * rng.beta(1.5, 8, (2000, 3)) @ MIX
    even = np.ones(2000)

    def left_over(transfer: Transfer) -> float:
        moved = transfer(source, target, even)(source)
        axes = np.random.default_rng(1).normal(size=(3, 30))
        axes /= np.linalg.norm(axes, axis=0)
        return float(np.abs(np.sort(moved @ axes, axis=0) - np.sort(target @ axes, axis=0)).mean())

    assert left_over(colour_transfer.sliced) < 0.5 * left_over(colour_transfer.mkl)


@pytest.mark.parametrize("transfer", ALL)
def test_equal_distributions_change_nothing(transfer: Transfer) -> None:
    source = _cloud(5)
    assert np.allclose(transfer(source, source.copy(), np.ones(1500))(source), source, atol=1e-6)


@pytest.mark.parametrize("transfer", ALL)
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_few_or_equal_colours_do_no_harm(transfer: Transfer, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    source, target = rng.random((count, 3)), np.tile(rng.random(3), (count, 1))
    moved = transfer(source, target, rng.uniform(0.1, 1, count))(np.concatenate([source, rng.random((9, 3))]))
    assert np.isfinite(moved).all()
    assert np.abs(moved).max() < 6
