"""Figures for how near one picture, or one face, is to another."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from likeness.faces.face import OUTER_EYE_CORNERS

_SSIM_WINDOW, _SSIM_SIGMA = 11, 1.5
_SSIM_K1, _SSIM_K2 = 0.01, 0.03
_PEAK = 255.0
LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601, as in the reference implementation


def psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 (h, w, 3) pictures over ``mask`` (h, w) in [0, 1].

    Infinite where they are equal. Raises ValueError where the shapes differ or the mask is empty.
    """
    _same_shape(image, truth)
    squares = ((image.astype(np.float64) - truth) ** 2).mean(axis=2)
    error = _masked_mean(squares, mask)
    return float("inf") if error == 0 else float(10 * np.log10(_PEAK**2 / error))


def ssim(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity of two uint8 (h, w, 3) pictures' luma, averaged over ``mask`` (h, w) in [0, 1]; at most 1.

    Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13, with its 11×11 Gaussian window of σ = 1.5.
    """
    _same_shape(image, truth)
    x, y = image @ LUMA, truth @ LUMA
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (_SSIM_K1 * _PEAK) ** 2, (_SSIM_K2 * _PEAK) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return _masked_mean(similarity, mask)


def landmark_error(landmarks: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of ``landmarks`` from ``truth``, both (68, 2) pixels, in % of the true outer-eye distance."""
    right, left = OUTER_EYE_CORNERS
    unit = np.linalg.norm(truth[left] - truth[right])
    return float(100 * np.linalg.norm(np.asarray(landmarks, np.float64) - truth, axis=1).mean() / unit)


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def block_bootstrap(values: np.ndarray, block: int, draws: int = 2000, seed: int = 0) -> Interval:
    """Mean of ``values`` (n,), taken frame after frame, with its 95 % interval.

    Neighbouring frames are nearly one picture, so whole runs of ``block`` frames are drawn, from a circle (Politis and
    Romano 1992).
    """
    values = np.asarray(values, np.float64)
    low, high = np.percentile(_drawn_means(values, block, draws, np.random.default_rng(seed)), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def clustered_bootstrap(clusters: Sequence[np.ndarray], block: int, draws: int = 2000, seed: int = 0) -> Interval:
    """Mean over ``clusters`` of their means, with its 95 % interval; each cluster (n,) is taken frame after frame.

    Clusters are drawn with replacement and, within each, blocks as in :func:`block_bootstrap`: frames of one clip say
    little of another clip. One cluster alone gives the interval over its time.
    """
    random = np.random.default_rng(seed)
    means = np.stack([_drawn_means(np.asarray(values, np.float64), block, draws, random) for values in clusters])
    chosen = random.integers(0, len(clusters), (draws, len(clusters)))
    low, high = np.percentile(means[chosen, np.arange(draws)[:, None]].mean(axis=1), [2.5, 97.5])
    return Interval(float(np.mean([np.mean(values) for values in clusters])), float(low), float(high))


def _drawn_means(values: np.ndarray, block: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Means (draws,) of ``values`` (n,) drawn anew in runs of ``block`` from a circle."""
    count = len(values)
    if count == 0:
        raise ValueError("no values to average")
    block = min(block, count)
    starts = random.integers(0, count, (draws, -(-count // block)))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :count] % count
    means: np.ndarray = values[drawn].mean(axis=1)
    return means


def _window(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (_SSIM_WINDOW, _SSIM_WINDOW), _SSIM_SIGMA, borderType=cv2.BORDER_REFLECT_101)


def _masked_mean(values: np.ndarray, mask: np.ndarray | None) -> float:
    if mask is None:
        return float(values.mean())
    total = float(mask.sum())
    if total <= 0:
        raise ValueError("the mask is empty")
    return float((values * mask).sum() / total)


def _same_shape(image: np.ndarray, truth: np.ndarray) -> None:
    if image.shape != truth.shape:
        raise ValueError(f"pictures of one shape are needed, not {image.shape} and {truth.shape}")
