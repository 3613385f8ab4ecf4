"""Give one set of colours the distribution of another: four transfers from samples of both.

Each takes samples ``source`` and ``target`` float (n, 3) in [0, 1] with one ``weights`` (n,) for both, and returns a
map from colours (..., 3) to colours. They paint B's face in A's skin, as every transfer does that knows only the two
distributions; which of them is right depends on how far apart those are.

- ``affine``: the mean and covariance by Cholesky factors, T = L_t L_s⁻¹: the simplest linear map that matches both.
- ``mkl``: the Monge–Kantorovitch map of Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping
  for example-based colour transfer", T = Σ_s^(-1/2) (Σ_s^(1/2) Σ_t Σ_s^(1/2))^(1/2) Σ_s^(-1/2): of all linear maps that
  match both moments, the one that moves colours least.
- ``histogram``: the distribution of each channel, by its quantiles (Gonzalez and Woods, "Digital Image Processing").
- ``sliced``: the whole distribution, by one-dimensional optimal transport along the axes of turning frames (Pitié,
  Kokaram and Dahyot 2007; Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing").
"""

from collections.abc import Callable

import numpy as np

ColourMap = Callable[[np.ndarray], np.ndarray]

_GAINS = (0.4, 2.5)  # how far a map may squeeze or stretch: few pixels must not tear a face apart
_RIDGE = 1e-5  # added to covariances, so that a face of one colour can be divided by
_QUANTILES = (np.arange(64) + 0.5) / 64
_TURNS = 12  # frames of three axes; after ten the distributions hardly change


def affine(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> ColourMap:
    """Mean and covariance by Cholesky factors."""
    (mean, spread), (goal, goal_spread) = _moments(source, weights), _moments(target, weights)
    return _linear_map(np.linalg.cholesky(goal_spread) @ np.linalg.inv(np.linalg.cholesky(spread)), mean, goal)


def mkl(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> ColourMap:
    """Mean and covariance by the Monge–Kantorovitch map."""
    (mean, spread), (goal, goal_spread) = _moments(source, weights), _moments(target, weights)
    root = _power(spread, 0.5)
    back = _power(spread, -0.5)
    return _linear_map(back @ _power(root @ goal_spread @ root, 0.5) @ back, mean, goal)


def histogram(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> ColourMap:
    """Each channel's distribution by its quantiles."""
    tables = [_table(before, after, weights) for before, after in zip(source.T, target.T, strict=True)]

    def mapped(colours: np.ndarray) -> np.ndarray:
        return np.stack([_along(colours[..., k], *table) for k, table in enumerate(tables)], axis=-1)

    return mapped


def sliced(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> ColourMap:
    """The whole distribution, axis by axis of turning frames; the frames are the same in every call."""
    rng = np.random.default_rng(0)
    steps = []
    moved = source.astype(np.float64)
    for _ in range(_TURNS):
        frame, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        seen, goal = moved @ frame, target @ frame
        tables = [_table(seen[:, k], goal[:, k], weights) for k in range(3)]
        moved = _turned(seen, tables) @ frame.T
        steps.append((frame, tables))

    def mapped(colours: np.ndarray) -> np.ndarray:
        for frame, tables in steps:
            colours = _turned(colours @ frame, tables) @ frame.T
        return colours

    return mapped


def _turned(seen: np.ndarray, tables: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.stack([_along(seen[..., k], *table) for k, table in enumerate(tables)], axis=-1)


def _along(values: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """``values`` moved as the quantiles ``before`` to ``after``; beyond them by the same step as the outermost."""
    return values + np.interp(values, before, after - before)


def _table(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles (64,) of ``source`` and where they go: to those of ``target``, but never stretched by more than is
    good, around the same mean."""
    before, after = _quantiles(source, weights), _quantiles(target, weights)
    steps = np.minimum(np.diff(after), _GAINS[1] * np.diff(before))
    bounded = np.concatenate([[0.0], np.cumsum(steps)])
    return before, bounded + (after.mean() - bounded.mean())


def _quantiles(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted quantiles (64,), strictly rising so that they can be interpolated."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order])
    at = (share - weights[order] / 2) / share[-1]
    return np.interp(_QUANTILES, at, values[order]) + 1e-9 * np.arange(len(_QUANTILES))


def _moments(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share = weights / weights.sum()
    mean = share @ values
    centred = values - mean
    return mean, (centred * share[:, None]).T @ centred + _RIDGE * np.eye(3)


def _power(symmetric: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def _linear_map(matrix: np.ndarray, mean: np.ndarray, goal: np.ndarray) -> ColourMap:
    left, gains, right = np.linalg.svd(matrix)
    bounded = (left * np.clip(gains, *_GAINS)) @ right

    def mapped(colours: np.ndarray) -> np.ndarray:
        return (colours - mean) @ bounded.T + goal

    return mapped
