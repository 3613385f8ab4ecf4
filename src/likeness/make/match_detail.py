"""Make a face as sharp, as noisy and as blurred by motion as the footage it goes into.

How blurred edges are is told by how much a known blur takes off them (after Zhuo and Sim 2011, "Defocus map estimation
from a single image"): the energy of the gradient across an edge that is blurred by σ is as 1/σ, so the ratio R of
energies before and after blurring by σ₀ gives σ = σ₀ / √(R² − 1). What real features lack of ideal edges spoils the
figure, but alike in two faces with the same features at the same places. So what the made face needs is found by trying
on itself (analysis by synthesis): the blur after which its edges measure as the frame's own do, or, where they are the
softer ones, the sharpening. First across the motion of the face, for lens and codec; then along it, for the shutter:
a streak, never longer than the way that the face goes from one frame to the next.

Noise is what the Laplacian of Immerkær 1996, "Fast noise variance estimation", leaves of flat skin; what the made face
lacks of it is added as grain, which follows from the number of the frame alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_REBLUR = 1.0  # px, σ₀
_STEEPEST, _EDGE = 0.99, 0.4  # edges are as steep as this part of this quantile
_ALONG = 0.7  # cosine between a gradient and an axis from which it is counted to that axis
_TAIL = 9  # px around an edge that its gradient reaches
_FEWEST = 8  # pixels of edges from which they are measured
_FLAT = 0.4  # part of the pixels, those of the gentlest gradients, that counts as flat
_SHARPEST, _BLURRIEST = 0.3, 4.0  # px, σ that can be told from none and from the features themselves
_NEAR = 0.1  # px², a difference of σ² that is none
_TRIES = 5  # halvings: to 3 % of the range
_MOST_GRAIN = 0.04  # standard deviation, of 1
_LEAST_GRAIN = 0.5 / 255
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6  # passes white noise at its own power
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709


@dataclass(frozen=True, eq=False)
class Detail:
    """What a made face needs, in pixels and levels [0, 1] of its frame.

    ``blur`` (px²): variance of a Gaussian; ``unsharp``: strength of sharpening, in [0, 1], with a Gaussian of the
    variance ``softness`` (px²); ``streak`` (px): length of the motion blur. ``noise`` (3, 3): covariance of the RGB
    noise that it lacks.
    """

    blur: float
    unsharp: float
    softness: float
    streak: float
    noise: np.ndarray


def observe(frame: np.ndarray, made: np.ndarray, mask: np.ndarray, motion: np.ndarray) -> Detail:
    """Measure one face: ``frame`` and ``made`` float32 (h, w, 3) in [0, 1] at the frame's scale, ``mask`` (h, w) what
    is face in both; ``motion`` (2,) px from one frame to the next."""
    length = float(np.hypot(*motion))
    along = motion / length if length >= 1 else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    axes = [across] if length >= 1 else [across, along]
    wanted, face = frame @ _LUMA, made @ _LUMA

    def softness(luma: np.ndarray) -> float:
        return float(np.mean([blur_variance(luma, mask, axis) for axis in axes]))

    goal, own = softness(wanted), softness(face)
    blur = unsharp = streak = 0.0
    if goal > own + _NEAR:
        sigma = _least(lambda tried: softness(_blurred(face, tried)) >= goal, _BLURRIEST)
        blur, face = sigma**2, _blurred(face, sigma)
    elif goal < own - _NEAR:
        unsharp = _least(lambda tried: softness(_sharpened(face, tried, np.sqrt(own))) <= goal, 1.0)
    if length >= 1:
        goal = blur_variance(wanted, mask, along)
        if goal > blur_variance(face, mask, along) + _NEAR:
            streak = _least(lambda tried: blur_variance(_streaked(face, tried * along), mask, along) >= goal, length)
    return Detail(blur, unsharp, own, streak, noise_covariance(frame, mask) - noise_covariance(made, mask))


def pooled(seen: Sequence[Detail], weights: np.ndarray) -> Detail:
    """The mean of what was ``seen`` in several frames by their weights (n,)."""
    share = weights / weights.sum()
    blur, unsharp, softness, streak = (
        float(share @ [getattr(detail, name) for detail in seen]) for name in ("blur", "unsharp", "softness", "streak")
    )
    noise = np.tensordot(share, np.stack([detail.noise for detail in seen]), axes=1)
    return Detail(blur, unsharp, softness, streak, noise)


def corrected(image: np.ndarray, wanted: Detail, motion: np.ndarray, scale: float) -> np.ndarray:
    """``image`` float32 (h, w, 3) blurred or sharpened, and streaked along ``motion`` (2,), as ``wanted``; it has
    ``scale`` px for each of the frame's."""
    sigma = np.sqrt(wanted.blur) * scale
    if sigma >= _SHARPEST:
        image = _blurred(image, sigma)
    elif wanted.unsharp > 0:
        image = np.clip(_sharpened(image, wanted.unsharp, np.sqrt(wanted.softness) * scale), 0, 1)
    length = float(np.hypot(*motion))
    return _streaked(image, motion / length * min(wanted.streak, length) * scale) if length >= 1 else image


def grain_factor(noise: np.ndarray) -> np.ndarray:
    """The factor (3, 3) that turns white noise into noise of the covariance ``noise`` (3, 3), within limits."""
    values, vectors = np.linalg.eigh(noise)
    deviations = np.sqrt(np.clip(values, 0, _MOST_GRAIN**2))
    factor: np.ndarray = vectors * np.where(deviations >= _LEAST_GRAIN, deviations, 0.0)
    return factor


def grain(shape: tuple[int, int], factor: np.ndarray, frame: int, face: int) -> np.ndarray | None:
    """Grain float32 (h, w, 3) around 0, the same each time for the ``face``-th face of frame number ``frame``; None
    where ``factor`` (3, 3) asks for none."""
    if not factor.any():
        return None
    white = np.random.default_rng((frame, face)).standard_normal((*shape, 3), np.float32)
    return white @ factor.T.astype(np.float32)


def blur_variance(luma: np.ndarray, mask: np.ndarray, axis: np.ndarray) -> float:
    """σ² in px of the blur of the edges of ``luma`` (h, w) whose gradients run along the unit vector ``axis`` (2,)."""
    soft = _gradient(_blurred(luma, _REBLUR))
    sharp = _gradient(luma)
    inside = mask >= 0.5
    steepness = np.where(inside, np.hypot(*sharp), 0.0)
    along, softer = (np.abs(x * axis[0] + y * axis[1]) for x, y in (sharp, soft))
    edges = (steepness >= _EDGE * np.quantile(steepness, _STEEPEST)) & (along >= _ALONG * steepness)
    around = cv2.dilate(edges.astype(np.uint8), np.ones((_TAIL, _TAIL), np.uint8)).astype(bool) & inside
    if edges.sum() < _FEWEST or not softer[around].any():
        return _SHARPEST**2
    ratio = float(np.square(along[around]).sum() / np.square(softer[around]).sum())
    variance = _REBLUR**2 / max(ratio**2 - 1, 1e-3)
    return float(np.clip(variance, _SHARPEST**2, _BLURRIEST**2))


def noise_covariance(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Covariance (3, 3) of the noise in the flat part of ``image`` float32 (h, w, 3) within ``mask``; robust."""
    inside = mask >= 0.5
    if inside.sum() < 64:
        return np.zeros((3, 3))
    steepness = np.hypot(*_gradient(_blurred(image @ _LUMA, 2.0)))
    flat = inside & (steepness <= np.quantile(steepness[inside], _FLAT))
    left = cv2.filter2D(image, -1, _IMMERKAER)[flat]
    size = np.abs(left).max(axis=1)
    kept = left[size <= 4 * np.median(size) + 1e-6]
    return kept.T.astype(np.float64) @ kept / max(len(kept), 1)


def _least(enough: Callable[[float], bool], most: float) -> float:
    """The least value in [0, most] that is ``enough``, by halving; ``most`` where none is."""
    low, high = 0.0, most
    for _ in range(_TRIES):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), max(sigma, 1e-3))


def _sharpened(image: np.ndarray, amount: float, sigma: float) -> np.ndarray:
    """``image`` with an unsharp mask."""
    return image + amount * (image - _blurred(image, max(sigma, _SHARPEST)))


def _streaked(image: np.ndarray, streak: np.ndarray) -> np.ndarray:
    """``image`` averaged along the line ``streak`` (2,) px."""
    if np.hypot(*streak) < 0.5:
        return image
    return cv2.filter2D(image, -1, _line(streak), borderType=cv2.BORDER_REPLICATE)


def _gradient(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=1 / 8)


def _line(streak: np.ndarray) -> np.ndarray:
    """A kernel that averages along a line of that length and direction."""
    length = float(np.hypot(*streak))
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    count = max(2 * int(np.ceil(length)) + 1, 3)
    for step in np.linspace(-0.5, 0.5, count):
        x, y = step * streak + reach
        left, top = int(np.floor(x)), int(np.floor(y))
        for column, share_x in ((left, left + 1 - x), (left + 1, x - left)):
            for row, share_y in ((top, top + 1 - y), (top + 1, y - top)):
                kernel[row, column] += share_x * share_y
    return kernel / kernel.sum()
