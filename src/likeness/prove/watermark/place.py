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
_FINE_STEPS = np.array([-0.006, -0.003, 0.0, 0.003, 0.006])
_CANDIDATES = 24
_REFINED = 16  # of them: with 6, one crop in a hundred was missed by a little over a chip
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
    first.
    """
    shares = _shares()
    folded = _folded(odds, shares, shares)
    weight = np.array([np.square(_folding(share, 0.0)).sum() for share in shares])
    # Interpolation blurs, some shares more than others, so that less energy is to be expected of them.
    energy = np.square(folded).sum(axis=(2, 3)) / np.outer(weight, weight)
    best = np.argpartition(energy, -_CANDIDATES, axis=None)[-_CANDIDATES:]
    rows, columns = np.unravel_index(np.append(best, _index_of_whole() * (len(shares) + 1)), energy.shape)
    ranked = sorted(_peaks(folded[rows, columns], shares[rows], shares[columns]), key=_score, reverse=True)
    # Where the right shares lie between two steps, a wrong pair near them can be ahead until all are refined.
    hopeful = dict.fromkeys([*ranked[:_REFINED], *_apart(ranked)[:most]])
    closer = [refined(odds, place) for place in hopeful if place.score >= least_peak - _GAIN_OF_REFINING]
    return _apart(sorted((place for place in closer if place.score >= least_peak), key=_score, reverse=True))[:most]


def refined(odds: np.ndarray, place: Place = WHOLE) -> Place:
    """``place`` with its shares to a quarter of a step and its shift to half a chip."""
    rows, columns = place.rows + _FINE_STEPS, place.columns + _FINE_STEPS
    grid = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
    near = [
        found
        for down in (0.0, 0.5)
        for right in (0.0, 0.5)
        for found in _peaks(
            _folded(odds, rows, columns, down, right).reshape(-1, TILE, TILE), *grid, down=down, right=right
        )
    ]
    return max(near, key=_score)


def _score(place: Place) -> float:
    return place.score


def _apart(places: list[Place]) -> list[Place]:
    """Those of ``places``, best first, that are like none before them."""
    return [place for i, place in enumerate(places) if not any(_alike(place, better) for better in places[:i])]


def _alike(one: Place, other: Place) -> bool:
    """Whether both are one place, seen with an error of up to two steps."""
    near = abs(one.rows - other.rows) < 2 * _STEP and abs(one.columns - other.columns) < 2 * _STEP
    return near and all(
        min((a - b) % TILE, (b - a) % TILE) <= 1.0 for a, b in ((one.top, other.top), (one.left, other.left))
    )


def _folded(
    odds: np.ndarray, rows: np.ndarray, columns: np.ndarray, down: float = 0.0, right: float = 0.0
) -> np.ndarray:
    """The tiles of ``odds`` added up for every pair of shares: float (len(rows), len(columns), 32, 32)."""
    stacked_rows, stacked_columns = _stacked(tuple(rows.tolist()), down), _stacked(tuple(columns.tolist()), right)
    product = stacked_rows @ odds.astype(np.float32) @ stacked_columns.T
    return product.reshape(len(rows), TILE, len(columns), TILE).transpose(0, 2, 1, 3)


def _peaks(
    folded: np.ndarray, rows: np.ndarray, columns: np.ndarray, down: float = 0.0, right: float = 0.0
) -> list[Place]:
    """For tiles (n, 32, 32) folded with the shares (n,): the shift that fits the synchronisation pattern best."""
    correlation = fft.irfft2(fft.rfft2(folded) * _sync_spectrum(), s=(TILE, TILE)).reshape(len(folded), -1)
    peak, spread = correlation.argmax(axis=1), correlation.std(axis=1)
    height = np.take_along_axis(correlation, peak[:, None], axis=1)[:, 0] / np.where(spread > 0, spread, 1.0)
    return [
        Place(float(r), float(c), (down - i // TILE) % TILE, (right - i % TILE) % TILE, float(score))
        for r, c, i, score in zip(rows, columns, peak.tolist(), height, strict=True)
    ]


@lru_cache(maxsize=1)
def _sync_spectrum() -> np.ndarray:
    return np.conj(fft.rfft2(sync_tile()))


@lru_cache(maxsize=1)
def _shares() -> np.ndarray:
    count = int(np.ceil(np.log(_MOST_SHARE / _LEAST_SHARE) / _STEP))
    shares = _MOST_SHARE * np.exp(-_STEP * np.arange(count + 1))
    shares[int(np.argmin(np.abs(shares - 1.0)))] = 1.0  # a picture nobody cropped is the likeliest of all
    return shares


def _index_of_whole() -> int:
    return int(np.flatnonzero(_shares() == 1.0)[0])


@lru_cache(maxsize=64)
def _stacked(shares: tuple[float, ...], start: float) -> np.ndarray:
    return np.concatenate([_folding(share, start) for share in shares])


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
