"""How far made faces are from photographs, as a whole: the Fréchet distance in a face recogniser's embedding.

Not the FID of the literature, which uses Inception features: numbers compare only with others from the same recogniser
and the same counts of pictures.
"""

from dataclasses import dataclass

import numpy as np

_RIDGE = 1e-6  # added to the variances, so that few pictures give a distance too


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean (d,) and covariance (d, d) of embeddings."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, embeddings: np.ndarray) -> "Spread":
        """Of ``embeddings`` (n, d), n ≥ 2."""
        points = embeddings.astype(np.float64)
        covariance = np.atleast_2d(np.cov(points, rowvar=False))
        return cls(points.mean(0), covariance + _RIDGE * np.eye(len(covariance)))


def frechet_distance(one: Spread, other: Spread) -> float:
    """‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½) between two normal distributions (Dowson and Landau 1982, eq. 4).

    tr (C₁C₂)^½ is taken from the symmetric C₁^½ C₂ C₁^½, which has the same eigenvalues.
    """
    variances, axes = np.linalg.eigh(one.covariance)
    root = axes * np.sqrt(np.clip(variances, 0, None)) @ axes.T
    eigenvalues = np.linalg.eigvalsh(root @ other.covariance @ root)
    shared = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    means = float(((one.mean - other.mean) ** 2).sum())
    return means + float(np.trace(one.covariance) + np.trace(other.covariance) - 2 * shared)


def distance(made: np.ndarray, real: np.ndarray) -> float:
    """The Fréchet distance between embeddings (n, d) and (m, d)."""
    return frechet_distance(Spread.of(made), Spread.of(real))


def distance_interval(
    made: np.ndarray, real: np.ndarray, people: np.ndarray | None = None, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap of `distance`. Photographs are drawn by person (``people`` (m,)), where known: pictures
    of one person are no independent draws."""
    rng = np.random.default_rng(seed)
    people = np.arange(len(real)) if people is None else people
    members = [np.flatnonzero(people == person) for person in np.unique(people)]
    values = []
    for _ in range(draws):
        chosen = np.concatenate([members[index] for index in rng.integers(len(members), size=len(members))])
        values.append(distance(made[rng.integers(len(made), size=len(made))], real[chosen]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
