"""How strongly a picture can be marked where: a just-noticeable-difference mask and a budget of PSNR and SSIM."""

from dataclasses import dataclass

import cv2
import numpy as np

WORKING_SIZE = 256  # px: patterns are made at this size and scaled to the picture

_SSIM_C2 = (0.03 * 255) ** 2  # Wang et al., "Image quality assessment", IEEE TIP 2004, eq. 13
_SSIM_WINDOW = 3  # px at the working size: about what SSIM's Gaussian of 1.5 px covers in a picture twice as large
_WINDOW = 5  # px at the working size: the neighbourhood whose activity hides a pattern


@dataclass(frozen=True)
class StrengthSettings:
    """The budget that one picture's marks may spend: ``psnr_db`` at least, and ``ssim_loss`` at most (estimated)."""

    psnr_db: float = 42.4
    ssim_loss: float = 0.0068


def activity(luminance: np.ndarray) -> np.ndarray:
    """Local variance of ``luminance`` float32 (256, 256) that can hide a pattern, float32 of the same shape.

    The least of the four windows that touch a pixel at a corner counts: beside an edge the smooth side shows a pattern,
    however strong the edge (after Chou and Li's edge-and-texture separation, IEEE TCSVT 1995).
    """
    variance = _variance(luminance, _WINDOW)
    step = _WINDOW // 2
    padded = cv2.copyMakeBorder(variance, step, step, step, step, cv2.BORDER_REFLECT)
    height, width = luminance.shape
    corners = [padded[y : y + height, x : x + width] for y in (0, 2 * step) for x in (0, 2 * step)]
    return np.minimum.reduce(corners)


def mask(luminance: np.ndarray) -> np.ndarray:
    """Just-noticeable amplitude for every pixel of ``luminance`` float32 (256, 256), up to a common factor.

    SSIM loses about n² / (2 v + C2) where a pattern of variance n² is laid over a variance v; amplitudes that follow
    the root of the denominator lose the same everywhere.
    """
    return cv2.GaussianBlur(np.sqrt(2.0 * activity(luminance) + _SSIM_C2), (0, 0), 1.0)


def luminance(image: np.ndarray) -> np.ndarray:
    """``image`` uint8 RGB (H, W, 3) as luminance float32 (256, 256) in [0, 255], stretched: what marking and reading
    see."""
    height, width = image.shape[:2]
    how = cv2.INTER_AREA if height * width > WORKING_SIZE**2 else cv2.INTER_CUBIC
    small = cv2.resize(image, (WORKING_SIZE, WORKING_SIZE), interpolation=how)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def allowed(residual: np.ndarray, power: float, seen: np.ndarray, settings: StrengthSettings) -> float:
    """The factor by which ``residual`` may be multiplied before it spends the budget.

    ``residual`` and the luminance ``seen`` are float32 (256, 256), ``power`` is the mean square of the residual at the
    picture's own size.
    """
    loss = float(np.mean(_variance(residual, _SSIM_WINDOW) / (2.0 * _variance(seen, _SSIM_WINDOW) + _SSIM_C2)))
    by_psnr = 255.0**2 * 10 ** (-settings.psnr_db / 10) / power
    return float(np.sqrt(min(by_psnr, settings.ssim_loss / loss)))


def _variance(values: np.ndarray, window: int) -> np.ndarray:
    """Local variance of ``values`` float32 (H, W) over squares of ``window`` pixels."""
    mean = cv2.blur(values, (window, window), borderType=cv2.BORDER_REFLECT)
    return np.maximum(cv2.blur(values * values, (window, window), borderType=cv2.BORDER_REFLECT) - mean * mean, 0.0)
