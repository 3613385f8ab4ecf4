"""Make a face as sharp, as noisy and as blurred by motion as the footage it goes into.

Blur is measured at the edges of the features, in the frame's own face and in the made one alike, by how much a known
blur takes off them (Zhuo and Sim 2011, "Defocus map estimation from a single image", eq. 4): the ratio R of gradients
before and after blurring by σ₀ gives σ = σ₀ / √(R² − 1). Both faces have the same features at the same places, so what
real edges lack of ideal ones errs alike in both. Across the motion of the face the blur is the lens's and the codec's,
along it the shutter's comes on top: a box of length L adds L²/12 to the variance. Motion blur is never longer than the
way that the face goes from one frame to the next.

Noise is what the Laplacian of Immerkær 1996, "Fast noise variance estimation", leaves of flat skin; what the made face
lacks of it is added as grain, which follows from the number of the frame alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_REBLUR = 1.0  # px, σ₀
_EDGES = 0.1  # part of the pixels, those of the steepest gradients, that counts as edges
_ALONG = 0.7  # cosine between a gradient and an axis from which it is counted to that axis
_FLAT = 0.4  # part of the pixels, those of the gentlest gradients, that counts as flat
_SHARPEST, _BLURRIEST = 0.3, 4.0  # px, σ that can be told from none and from the features themselves
_MOST_GRAIN = 0.04  # standard deviation, of 1
_LEAST_GRAIN = 0.5 / 255
_MOST_UNSHARP = 1.0
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6  # passes white noise at its own power


@dataclass(frozen=True, eq=False)
class Detail:
    """How sharp and noisy the frame and the made face are, in pixels and levels [0, 1] of the frame.

    ``frame_blur`` and ``made_blur`` (2,): variances σ² across and along the motion. ``noise`` (3, 3): covariance of
    the RGB noise that the made face lacks.
    """

    frame_blur: np.ndarray
    made_blur: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True, eq=False)
class Correction:
    """What is to be done to a made face. ``blur_px``: σ of a Gaussian; ``unsharp``: strength of sharpening, in [0, 1],
    and ``radius_px`` its σ; ``streak_px`` (2,): motion blur, x and y; ``grain`` (3, 3): factor that turns white noise
    into grain."""

    blur_px: float
    unsharp: float
    radius_px: float
    streak_px: np.ndarray
    grain: np.ndarray


def observe(frame: np.ndarray, made: np.ndarray, mask: np.ndarray, motion: np.ndarray) -> Detail:
    """Measure one face: ``frame`` and ``made`` float32 (h, w, 3) in [0, 1] at the frame's scale, ``mask`` (h, w) what
    is face in both; ``motion`` (2,) px from one frame to the next."""
    across, along = _axes(motion)
    blurs = [
        np.array([blur_variance(luma, mask, across), blur_variance(luma, mask, along)])
        for luma in (_luma(frame), _luma(made))
    ]
    missing = noise_covariance(frame, mask) - noise_covariance(made, mask)
    return Detail(blurs[0], blurs[1], missing)


def pooled(seen: Sequence[Detail], weights: np.ndarray) -> Detail:
    """The mean of what was ``seen`` in several frames by their weights (n,)."""
    share = weights / weights.sum()
    return Detail(
        *(
            np.tensordot(share, np.stack([getattr(detail, name) for detail in seen]), axes=1)
            for name in ("frame_blur", "made_blur", "noise")
        )
    )


def correction(seen: Detail, motion: np.ndarray) -> Correction:
    """What brings the made face to the frame's sharpness, motion blur and noise."""
    lacking = seen.frame_blur - seen.made_blur
    length = float(np.hypot(*motion))
    streak = 0.0
    if length >= 1:
        streak = float(np.sqrt(12 * max(lacking[1] - max(lacking[0], 0.0), 0.0)))
        streak = min(streak, length)
    still = lacking[0] if length >= 1 else lacking.mean()
    made = float(seen.made_blur[0] if length >= 1 else seen.made_blur.mean())
    unsharp = 0.0
    if still < 0 and streak == 0:
        # An unsharp mask with the edge's own σ steepens it by 1 + amount · (1 − 1/√2).
        wanted = np.sqrt(made / max(made + still, _SHARPEST**2)) - 1
        unsharp = min(float(wanted) / (1 - np.sqrt(0.5)), _MOST_UNSHARP)
    values, vectors = np.linalg.eigh(seen.noise)
    deviations = np.sqrt(np.clip(values, 0, _MOST_GRAIN**2))
    grain = vectors * np.where(deviations >= _LEAST_GRAIN, deviations, 0.0)
    return Correction(
        blur_px=float(np.sqrt(max(still, 0.0))),
        unsharp=unsharp,
        radius_px=float(np.sqrt(made)),
        streak_px=motion / max(length, 1e-9) * streak,
        grain=grain,
    )


def corrected(image: np.ndarray, wanted: Correction, scale: float) -> np.ndarray:
    """``image`` float32 (h, w, 3) blurred, sharpened and streaked as ``wanted``; it has ``scale`` px for each of the
    frame's."""
    if wanted.unsharp > 0.02:
        soft = cv2.GaussianBlur(image, (0, 0), max(wanted.radius_px * scale, 0.3))
        image = np.clip(image + wanted.unsharp * (image - soft), 0, 1)
    elif wanted.blur_px * scale >= _SHARPEST:
        image = cv2.GaussianBlur(image, (0, 0), wanted.blur_px * scale)
    streak = wanted.streak_px * scale
    if np.hypot(*streak) >= 1:
        image = cv2.filter2D(image, -1, _line(streak), borderType=cv2.BORDER_REPLICATE)
    return image


def grain(shape: tuple[int, int], factor: np.ndarray, frame: int, face: int) -> np.ndarray | None:
    """Grain float32 (h, w, 3) around 0, the same each time for the ``face``-th face of frame number ``frame``; None
    where ``factor`` (3, 3) asks for none."""
    if not factor.any():
        return None
    white = np.random.default_rng((frame, face)).standard_normal((*shape, 3), np.float32)
    return white @ factor.T.astype(np.float32)


def blur_variance(luma: np.ndarray, mask: np.ndarray, axis: np.ndarray) -> float:
    """σ² in px of the blur of the edges of ``luma`` (h, w) whose gradients run along the unit vector ``axis`` (2,)."""
    sharp, soft = (_gradient(picture) for picture in (luma, cv2.GaussianBlur(luma, (0, 0), _REBLUR)))
    steepness = np.hypot(*sharp)
    along = np.abs(sharp[0] * axis[0] + sharp[1] * axis[1])
    candidates = (mask >= 0.5) & (along >= _ALONG * steepness)
    if candidates.sum() < 16:
        return _SHARPEST**2
    edges = candidates & (steepness >= np.quantile(steepness[candidates], 1 - _EDGES)) & (steepness > 1e-3)
    if not edges.any():
        return _SHARPEST**2
    softer = np.abs(soft[0] * axis[0] + soft[1] * axis[1])[edges]
    ratio = float(np.median(along[edges] / np.maximum(softer, 1e-4)))
    variance = _REBLUR**2 / max(ratio**2 - 1, 1e-3)
    return float(np.clip(variance, _SHARPEST**2, _BLURRIEST**2))


def noise_covariance(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Covariance (3, 3) of the noise in the flat part of ``image`` float32 (h, w, 3) within ``mask``; robust."""
    inside = mask >= 0.5
    if inside.sum() < 64:
        return np.zeros((3, 3))
    steepness = np.hypot(*_gradient(cv2.GaussianBlur(_luma(image), (0, 0), 2.0)))
    flat = inside & (steepness <= np.quantile(steepness[inside], _FLAT))
    left = cv2.filter2D(image, -1, _IMMERKAER)[flat]
    size = np.abs(left).max(axis=1)
    kept = left[size <= 4 * np.median(size) + 1e-6]
    return kept.T.astype(np.float64) @ kept / max(len(kept), 1)


def _axes(motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors across and along ``motion``; image axes where nothing moves."""
    length = float(np.hypot(*motion))
    along = motion / length if length >= 1 else np.array([1.0, 0.0])
    return np.array([-along[1], along[0]]), along


def _luma(image: np.ndarray) -> np.ndarray:
    return image @ np.array([0.2126, 0.7152, 0.0722], np.float32)


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
