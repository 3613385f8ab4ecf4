"""Whether made faces are copies: how near they are to the faces that were learnt, beside faces that were not.

After Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models": a generator that copies
lies nearer to its training set than fresh photographs do; one that makes faces of its own does not.
"""

from dataclasses import dataclass

import numpy as np

_BLOCK = 256  # rows compared at once
_COPY = 0.01  # quantile of the held-out faces' distances below which a picture is called a near copy


@dataclass(frozen=True)
class Copying:
    """``nearer``: how often a made face lies nearer to the learnt ones than a held-out photograph does; 0.5: as far as
    a stranger's photograph, 1: all are copies. ``near_copies``: share of made faces nearer than all but 1 % of the
    held-out photographs; 0.01 is what strangers have. Both with 95 % bootstrap intervals."""

    nearer: float
    nearer_interval: tuple[float, float]
    near_copies: float
    near_copies_interval: tuple[float, float]


def nearest(points: np.ndarray, learnt: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances float32 and indices int64, both (n, count), of the ``learnt`` (m, d) nearest to each of ``points``
    (n, d), nearest first."""
    squares = (learnt.astype(np.float32) ** 2).sum(1)
    distances, indices = [], []
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK].astype(np.float32)
        between = np.maximum((block**2).sum(1)[:, None] + squares - 2 * block @ learnt.T.astype(np.float32), 0)
        chosen = np.argsort(between, axis=1, kind="stable")[:, :count]
        indices.append(chosen)
        distances.append(np.sqrt(np.take_along_axis(between, chosen, 1)))
    return np.concatenate(distances), np.concatenate(indices)


def copying(
    made: np.ndarray, learnt: np.ndarray, heldout: np.ndarray, people: np.ndarray | None = None, draws: int = 1000,
    seed: int = 0,
) -> Copying:  # fmt: skip
    """Compare ``made`` (n, d) and ``heldout`` (k, d) points by their distance to the nearest of ``learnt`` (m, d).

    ``people`` (k,) says whose the held-out photographs are; the bootstrap draws people.
    """
    of_made, of_heldout = nearest(made, learnt)[0][:, 0], nearest(heldout, learnt)[0][:, 0]
    people = np.arange(len(heldout)) if people is None else people
    members = [np.flatnonzero(people == person) for person in np.unique(people)]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        chosen = np.concatenate([members[index] for index in rng.integers(len(members), size=len(members))])
        drawn.append(_compared(of_made[rng.integers(len(of_made), size=len(of_made))], of_heldout[chosen]))
    nearer, near_copies = _compared(of_made, of_heldout)
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    return Copying(
        nearer, (float(low[0]), float(high[0])), near_copies, (float(low[1]), float(high[1]))
    )  # fmt: skip


def _compared(made: np.ndarray, heldout: np.ndarray) -> tuple[float, float]:
    """The share of pairs with made < held out, ties half, and the share of made below the held-out 1 % quantile."""
    ordered = np.sort(heldout)
    below, up_to = np.searchsorted(ordered, made, "left"), np.searchsorted(ordered, made, "right")
    nearer = 1 - (below + up_to) / 2 / len(ordered)
    return float(nearer.mean()), float((made < np.quantile(heldout, _COPY)).mean())
