"""Steady a face's path over time without dragging it behind the face.

Each curve is fitted, frame by frame, by a local quadratic under a Gaussian window centred on that frame (zero phase:
a symmetric Savitzky–Golay filter that allows uneven times). How wide the window may be is decided by the intersection
of confidence intervals (Goldenshluger and Nemirovski 1997; Katkovnik 1999): it grows as long as the wider fit agrees
with all narrower ones to within the noise. A still head gets a long window, a nod or a jump a short one.
"""

from dataclasses import dataclass

import numpy as np

from likeness.errors import SettingsError

_REACH = 2.5  # windows are cut off at this many standard deviations
_MAD_TO_SIGMA = 1.4826
_RIDGE = 1e-9  # keeps the fit at a path's ends solvable


@dataclass(frozen=True)
class SmoothSettings:
    """``windows_s``: the window widths to choose from, standard deviations in seconds, rising; () turns smoothing off.

    ``confidence``: half-width of the intervals in standard errors. ``bridge_s``: a shorter loss of the face is filled.
    """

    windows_s: tuple[float, ...] = (0.03, 0.06, 0.1, 0.16, 0.25)
    confidence: float = 2.0
    bridge_s: float = 0.12

    def __post_init__(self) -> None:
        if any(width <= 0 for width in self.windows_s) or list(self.windows_s) != sorted(self.windows_s):
            raise SettingsError("Smoothing windows must be positive seconds in rising order.")
        if self.confidence <= 0 or self.bridge_s < 0:
            raise SettingsError("The smoothing confidence must be positive and the bridge not negative.")


def steady(times_s: np.ndarray, values: np.ndarray, settings: SmoothSettings) -> np.ndarray:
    """Smooth ``values`` float (n, d), taken at the rising times (n,), each column by itself; returns float64 (n, d)."""
    times_s, values = np.asarray(times_s, np.float64), np.asarray(values, np.float64)
    if len(times_s) < 5 or not settings.windows_s:
        return values.copy()
    noise = noise_level(times_s, values)
    estimates, errors = [values], [np.ones(len(values))]
    for width in settings.windows_s:
        fitted, gain = _local_quadratic(times_s, values, width)
        estimates.append(fitted)
        errors.append(gain)
    choice = _widest_agreeing(np.stack(estimates), np.stack(errors)[:, :, None] * noise * settings.confidence)
    return _blend_levels(np.stack(estimates), _ease(choice))


def noise_level(times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Standard deviation (d,) of the frame-to-frame noise in ``values`` (n, d), n ≥ 5.

    Robust: the median absolute deviation of each value from the cubic through its four neighbours, so that quick but
    smooth motion does not count as noise.
    """
    spots = np.stack([times_s[k : len(times_s) - 4 + k] - times_s[2:-2] for k in (0, 1, 3, 4)], axis=1)
    others = [np.delete(spots, k, axis=1) for k in range(4)]
    lagrange = [(-other).prod(1) / (spots[:, k, None] - other).prod(1) for k, other in enumerate(others)]
    near = [values[k : len(values) - 4 + k] for k in (0, 1, 3, 4)]
    predicted = sum(weight[:, None] * value for weight, value in zip(lagrange, near, strict=True))
    residual = (values[2:-2] - predicted) / np.sqrt(1 + np.square(lagrange).sum(axis=0))[:, None]
    return _MAD_TO_SIGMA * np.median(np.abs(residual), axis=0)


def _local_quadratic(times_s: np.ndarray, values: np.ndarray, width_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The local fits (n, d) and the factor (n,) by which each shrinks white noise."""
    count = len(times_s)
    reach = _REACH * width_s
    first = np.searchsorted(times_s, times_s - reach)
    last = np.searchsorted(times_s, times_s + reach, side="right")
    neighbours = first[:, None] + np.arange(int((last - first).max()))
    inside = neighbours < last[:, None]
    neighbours = np.minimum(neighbours, count - 1)
    offset = (times_s[neighbours] - times_s[:, None]) / width_s
    weight = np.where(inside, np.exp(-0.5 * offset**2), 0.0)
    basis = np.stack([np.ones_like(offset), offset, offset**2], axis=-1)
    gram = np.einsum("nk,nki,nkj->nij", weight, basis, basis) + _RIDGE * np.eye(3)
    kernel = np.einsum("ni,nki,nk->nk", np.linalg.inv(gram)[:, 0], basis, weight)
    fitted = np.stack([np.einsum("nk,nk->n", kernel, column[neighbours]) for column in values.T], axis=1)
    return fitted, np.sqrt((kernel**2).sum(axis=1))


def _widest_agreeing(estimates: np.ndarray, half_widths: np.ndarray) -> np.ndarray:
    """Index (n, d) of the last level up to which all confidence intervals share a point; both inputs (levels, n, d)."""
    low = np.maximum.accumulate(estimates - half_widths, axis=0)
    high = np.minimum.accumulate(estimates + half_widths, axis=0)
    agree = np.logical_and.accumulate(low <= high, axis=0)
    return agree.sum(axis=0) - 1


def _ease(choice: np.ndarray) -> np.ndarray:
    """Turn the chosen levels (n, d) into gentle ones: a change of window must not itself be a jump.

    The least of three neighbours comes first, as beside a jump it is the narrow window that is right.
    """
    for reduce in (np.min, np.mean):
        padded = np.pad(choice.astype(np.float64), ((1, 1), (0, 0)), mode="edge")
        choice = reduce([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    return choice


def _blend_levels(estimates: np.ndarray, level: np.ndarray) -> np.ndarray:
    lower = np.floor(level).astype(np.int64)
    upper = np.minimum(lower + 1, len(estimates) - 1)
    share = level - lower
    low = np.take_along_axis(estimates, lower[None], axis=0)[0]
    high = np.take_along_axis(estimates, upper[None], axis=0)[0]
    return (1 - share) * low + share * high


def similarity_parameters(matrices: np.ndarray, size: int) -> np.ndarray:
    """Alignments (n, 2, 3), source px → crop px of ``size``, as (n, 4): crop centre x and y in the source (px),
    log of the source px per crop px, and the turn in radians, unwrapped along n.

    Around the crop's centre the four hardly influence one another, so that each can be smoothed alone.
    """
    scale = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    turn = np.unwrap(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    centre = np.linalg.solve(matrices[:, :, :2], size / 2 - matrices[:, :, 2:])[:, :, 0]
    return np.column_stack([centre, -np.log(scale), turn])


def similarity_matrices(parameters: np.ndarray, size: int) -> np.ndarray:
    """Undo :func:`similarity_parameters`: (n, 4) → float64 (n, 2, 3)."""
    scale = np.exp(-parameters[:, 2])
    cos, sin = scale * np.cos(parameters[:, 3]), scale * np.sin(parameters[:, 3])
    linear = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    shift = size / 2 - np.einsum("nij,nj->ni", linear, parameters[:, :2])
    return np.concatenate([linear, shift[:, :, None]], axis=2)
