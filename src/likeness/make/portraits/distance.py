"""How far made faces are from photographs, as a whole: the Fréchet distance in a face recogniser's embedding.

Not the FID of the literature, which uses Inception features: numbers compare only with others from the same recogniser
and the same counts of pictures.
"""

from dataclasses import dataclass

import numpy as np

_BLOCKS = 40
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


def distance_interval(made: np.ndarray, real: np.ndarray, people: np.ndarray | None = None) -> tuple[float, float]:
    """95 % interval of `distance`: ± 1.96 standard errors by the jackknife (Efron and Tibshirani 1993, eq. 11.5).

    Photographs are left out by person (``people`` (m,)) where known, as pictures of one person are no independent
    draws, and made faces in ``_BLOCKS`` blocks. It says how far another draw would differ; the distance also grows, for
    any generator, the fewer people it is measured with, which `distance` between two sets of photographs shows. The
    bootstrap is no use here: its repeated people add to just that growth.
    """
    people = np.arange(len(real)) if people is None else people
    blocks = np.arange(len(made)) % min(_BLOCKS, len(made))
    by_person = _jackknife([distance(made, real[people != person]) for person in np.unique(people)])
    by_block = _jackknife([distance(made[blocks != block], real) for block in np.unique(blocks)])
    reach = 1.96 * float(np.sqrt(by_person + by_block))
    centre = distance(made, real)
    return centre - reach, centre + reach


def _jackknife(values: list[float]) -> float:
    """The variance of an estimate from its ``values`` with one part of the data left out at a time."""
    return float((len(values) - 1) * np.var(values))
