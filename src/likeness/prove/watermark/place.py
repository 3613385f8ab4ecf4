"""Where the tiles lie in a received picture, after a crop or a change of shape.

A crop keeps a share of the height and of the width; brought back to the working size, the tiles have grown by the
inverse of the shares. Soft chips are folded onto one tile for many pairs of shares at once (two matrix products);
where the shares are right, tiles add up and the folded tile has energy. The best few are correlated with the
synchronisation pattern, for every shift (Kutter 1998, "Watermarking resisting to translation, rotation, and scaling").
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

from likeness.prove.watermark.carrier import GRID, TILE, sync_tile

_STEP = 0.012  # of a share: the farthest chips drift by a fifth of a chip
_LEAST_SHARE = 0.7
_MOST_SHARE = 1.03  # a picture with a border is more than all of it
_FINE_STEPS = (-0.006, -0.003, 0.0, 0.003, 0.006)
_CANDIDATES = 24
_GAIN_OF_REFINING = 1.5  # that a peak can gain, in standard deviations


@dataclass(frozen=True)
class Place:
    """How the received picture lies on the original's grid of chips.

    Row r of the received grid (64 rows) shows row ``top`` + ``rows`` · r of the original, up to whole tiles; columns
    alike. ``score`` is the height of the synchronisation peak in standard deviations.
    """

    rows: float = 1.0
    columns: float = 1.0
    top: float = 0.0
    left: float = 0.0
    score: float = 0.0

    def then(self, rest: "Place") -> "Place":
        """The place of a picture that lies at ``rest`` once it was brought upright from this one."""
        top, left = _within(self.top, self.rows), _within(self.left, self.columns)
        return Place(
            self.rows * rest.rows,
            self.columns * rest.columns,
            (rest.top + rest.rows * top) % TILE,
            (rest.left + rest.columns * left) % TILE,
            rest.score,
        )


WHOLE = Place()


def fold(odds: np.ndarray, place: Place = WHOLE) -> np.ndarray:
    """All tiles of soft chips (64, 64) added up in place: float (32, 32)."""
    return _folding(place.rows, place.top) @ odds @ _folding(place.columns, place.left).T


def find(odds: np.ndarray, least_peak: float, most: int = 2) -> list[Place]:
    """The likeliest places for soft chips float (64, 64) that score at least ``least_peak``: at most ``most``, best
    first."""
    shares = _shares()
    stacked = np.concatenate([_folding(share, 0.0) for share in shares])
    energy = _energies(stacked @ odds @ stacked.T, len(shares))
    order = np.argsort(energy, axis=None)[::-1][:_CANDIDATES]
    pairs = {(1.0, 1.0)} | {
        (float(shares[i]), float(shares[j])) for i, j in zip(*np.unravel_index(order, energy.shape), strict=True)
    }
    ranked = sorted((_aligned(odds, *pair) for pair in sorted(pairs)), key=_score, reverse=True)
    apart = [place for i, place in enumerate(ranked) if not any(_alike(place, better) for better in ranked[:i])]
    closer = [refined(odds, place) for place in apart[:most] if place.score >= least_peak - _GAIN_OF_REFINING]
    return sorted((place for place in closer if place.score >= least_peak), key=_score, reverse=True)


def refined(odds: np.ndarray, place: Place = WHOLE) -> Place:
    """``place`` with its shares to a quarter of a step and its shift to half a chip."""
    near = [_aligned(odds, place.rows + dy, place.columns + dx) for dy in _FINE_STEPS for dx in _FINE_STEPS]
    nearest = max(near, key=_score)
    halves = [_aligned(odds, nearest.rows, nearest.columns, dy, dx) for dy, dx in ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))]
    return max([nearest, *halves], key=_score)


def _score(place: Place) -> float:
    return place.score


def _alike(one: Place, other: Place) -> bool:
    """Whether refining would bring both to the same place."""
    near = abs(one.rows - other.rows) < 2 * _STEP and abs(one.columns - other.columns) < 2 * _STEP
    return near and all(
        min((a - b) % TILE, (b - a) % TILE) <= 1.0 for a, b in ((one.top, other.top), (one.left, other.left))
    )


def _aligned(odds: np.ndarray, rows: float, columns: float, down: float = 0.0, right: float = 0.0) -> Place:
    """The best shift for given shares, by whole chips from the fractions ``down`` and ``right`` on."""
    folded = _folding(rows, down) @ odds @ _folding(columns, right).T
    correlation = fft.irfft2(fft.rfft2(folded) * _sync_spectrum(), s=(TILE, TILE))
    spread = float(correlation.std()) or 1.0
    peak = int(correlation.argmax())
    dy, dx = divmod(peak, TILE)
    return Place(rows, columns, (down - dy) % TILE, (right - dx) % TILE, float(correlation.flat[peak]) / spread)


@lru_cache(maxsize=1)
def _sync_spectrum() -> np.ndarray:
    return np.conj(fft.rfft2(sync_tile()))


@lru_cache(maxsize=1)
def _shares() -> np.ndarray:
    count = int(np.ceil(np.log(_MOST_SHARE / _LEAST_SHARE) / _STEP))
    shares = _MOST_SHARE * np.exp(-_STEP * np.arange(count + 1))
    shares[int(np.argmin(np.abs(shares - 1.0)))] = 1.0  # a picture nobody cropped is the likeliest of all
    return shares


@lru_cache(maxsize=4096)
def _folding(share: float, start: float) -> np.ndarray:
    """float32 (32, 64): adds received rows to the rows of a tile, each shared between the two nearest."""
    phase = (start + share * (np.arange(GRID) + 0.5) - 0.5) % TILE
    below = np.floor(phase).astype(int) % TILE
    part = (phase - np.floor(phase)).astype(np.float32)
    folding = np.zeros((TILE, GRID), dtype=np.float32)
    rows = np.arange(GRID)
    np.add.at(folding, (below, rows), 1.0 - part)
    np.add.at(folding, ((below + 1) % TILE, rows), part)
    return folding


def _energies(folded: np.ndarray, count: int) -> np.ndarray:
    """Energy of each (32, 32) block of ``folded``, relative to what its blur by interpolation leads one to expect."""
    squares = np.square(folded).reshape(count, TILE, count, TILE).sum(axis=(1, 3))
    weight = np.array([np.square(_folding(share, 0.0)).sum() for share in _shares()])
    return squares / np.outer(weight, weight)


def upright(picture: np.ndarray, place: Place, size: int) -> tuple[np.ndarray, np.ndarray]:
    """``picture`` float32 (size, size) moved to where it lay in the original, and the matrix (2, 3) that does so.

    ``place`` is known up to whole tiles; the placement taken keeps the picture most nearly inside the original.
    """
    scale = size / GRID
    top, left = (
        _within(start, share) * scale for start, share in ((place.top, place.rows), (place.left, place.columns))
    )
    matrix = np.array(
        [
            [place.columns, 0.0, left + 0.5 * place.columns - 0.5],
            [0.0, place.rows, top + 0.5 * place.rows - 0.5],
        ]
    )
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), matrix


def _within(start: float, share: float) -> float:
    """The first row of the original that a crop shows, from what is known of it modulo a tile."""
    room = GRID * (1.0 - share)
    choices = [start + TILE * i for i in range(-1, GRID // TILE)]
    return min(choices, key=lambda first: max(0.0, -first, first - room))
