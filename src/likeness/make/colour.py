"""Bring the colours of a made face near those of the frame it goes into.

How far is a choice. ``reinhard`` (Reinhard et al. 2001, "Color transfer between images") gives the face the frame's
mean and spread in CIE Lab; ``mean`` moves the mean alone. Both paint B's face in A's skin, which hides the seam but is
the wrong answer where the two people differ. ``light`` leaves the skin alone and carries over only how the frame is
lit: what the decoder of A cannot explain of A's own frame must be light, so that ratio is laid over B.
"""

from typing import Literal

import cv2
import numpy as np

Match = Literal["none", "mean", "reinhard", "light"]

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_FLOOR = 0.02  # below this linear luminance a ratio says nothing
_GAIN_LIMITS = (0.4, 2.5)
_LIGHT_WIDTH = 0.12  # standard deviation of the light's low-pass, in crop widths


def match_colour(
    image: np.ndarray, target: np.ndarray, rebuilt: np.ndarray, mask: np.ndarray, match: Match
) -> np.ndarray:
    """Recolour the made face ``image`` for the frame crop ``target``; returns float32 (h, w, 3) in [0, 1].

    ``image``, ``target`` and ``rebuilt`` are float32 (h, w, 3) RGB in [0, 1]; ``rebuilt`` is ``target`` as the decoder
    of its own person makes it (used by ``light`` alone). ``mask`` float32 (h, w) in [0, 1] weighs the pixels.
    """
    if match == "none" or mask.sum() < 1:
        return image
    if match == "light":
        return relight(image, target, rebuilt, mask)
    return lab_transfer(image, target, mask, spread=match == "reinhard")


def lab_transfer(image: np.ndarray, target: np.ndarray, mask: np.ndarray, spread: bool) -> np.ndarray:
    """Move mean (and, with ``spread``, deviation) of ``image`` in Lab to that of ``target`` within ``mask``."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    goal = cv2.cvtColor(target, cv2.COLOR_RGB2LAB)
    weight = (mask / mask.sum())[:, :, None]
    mean, goal_mean = (lab * weight).sum((0, 1)), (goal * weight).sum((0, 1))
    gain = np.ones(3, np.float32)
    if spread:
        deviation = np.sqrt(((lab - mean) ** 2 * weight).sum((0, 1)))
        goal_deviation = np.sqrt(((goal - goal_mean) ** 2 * weight).sum((0, 1)))
        gain = np.clip(goal_deviation / np.maximum(deviation, 1e-3), *_GAIN_LIMITS)
    moved = ((lab - mean) * gain + goal_mean).astype(np.float32)
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1)


def relight(image: np.ndarray, target: np.ndarray, rebuilt: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Multiply ``image`` by the low frequencies of ``target`` / ``rebuilt``, in linear light, alike in all channels.

    Retinex's split of an image into skin times light (Land and McCann 1971), the rebuilt face standing for the skin.
    """
    lit, explained = (np.maximum(linear(picture) @ _LUMA, _FLOOR) for picture in (target, rebuilt))
    log_gain = smooth_within(np.log(lit) - np.log(explained), mask, _LIGHT_WIDTH * mask.shape[1])
    gain = np.clip(np.exp(log_gain), *_GAIN_LIMITS)
    return gamma(linear(image) * gain[:, :, None])


def smooth_within(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian low-pass of ``values`` (h, w) over the pixels of ``mask`` only, continued outside it.

    Normalised convolution (Knutsson and Westin 1993).
    """
    weight = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) + 1e-4
    total = cv2.GaussianBlur((values * mask).astype(np.float32), (0, 0), sigma)
    mean = float((values * mask).sum() / max(mask.sum(), 1e-6))
    return (total + 1e-4 * mean) / weight


def linear(image: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    return np.where(image <= 0.04045, image / 12.92, ((np.maximum(image, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)


def gamma(light: np.ndarray) -> np.ndarray:
    """Linear light to sRGB, clipped to [0, 1]: the inverse of :func:`linear`."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
