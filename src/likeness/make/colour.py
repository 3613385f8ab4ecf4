"""Bring the colours of a made face near those of the frame it goes into.

How far is a choice. ``reinhard`` (Reinhard et al. 2001, "Color transfer between images") gives the face the frame's
mean and spread in CIE Lab; ``mean`` moves the mean alone. Both paint B's face in A's skin, which hides the seam but
is the wrong answer where the two people differ. ``light`` carries over how the frame is lit and most of B's skin
stays.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

Match = Literal["none", "mean", "reinhard", "light"]

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_FLOOR = 0.01  # linear light below which a ratio says nothing
_LAB_GAINS = (0.4, 2.5)


@dataclass(frozen=True)
class LightSettings:
    """How much of the difference between the frame and the made face is taken for light, in log linear light.

    A difference in level is partly light and partly skin. Skin varies far more than lamps do, so a large difference is
    mostly skin and a small one as likely light: the part taken over falls from ``near`` for two faces of one level to
    ``far`` for those that differ by several times ``apart``. Of the difference in colour the part ``colour`` is taken,
    and of the shades across the face ``shade``; ``width``, in crop widths, is the standard deviation of the low-pass
    that tells shades from features. Over random pairs of actors in two scenes each is within
    0.05 dB of the best (``benchmarks/colour_match.py``).
    """

    near: float = 0.6
    far: float = 0.1
    apart: float = 0.25
    colour: float = 0.1
    shade: float = 0.8
    width: float = 0.08

    def level(self, difference: float) -> float:
        """The part of a ``difference`` in level, in log units, that is taken for light."""
        return self.far + (self.near - self.far) * float(np.exp(-0.5 * (difference / self.apart) ** 2))


def match_colour(
    image: np.ndarray, target: np.ndarray, mask: np.ndarray, match: Match, light: LightSettings | None = None
) -> np.ndarray:
    """Recolour the made face ``image`` for the frame crop ``target``; returns float32 (h, w, 3) in [0, 1].

    ``image`` and ``target`` are float32 (h, w, 3) RGB in [0, 1]; ``mask`` float32 (h, w) in [0, 1] says what is face
    in both.
    """
    if match == "none" or mask.sum() < 1:
        return image
    if match == "light":
        return relight(image, target, mask, light or LightSettings())
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
        gain = np.clip(goal_deviation / np.maximum(deviation, 1e-3), *_LAB_GAINS)
    moved = ((lab - mean) * gain + goal_mean).astype(np.float32)
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1)


def relight(image: np.ndarray, target: np.ndarray, mask: np.ndarray, light: LightSettings) -> np.ndarray:
    """Multiply ``image``, in linear light, by what of ``target`` / ``image`` within ``mask`` is taken for light.

    Retinex's split of a picture into skin times light (Land and McCann 1971), shrunk towards no change.
    """
    glow = linear(image)
    difference = np.log(np.maximum(linear(target), _FLOOR)) - np.log(np.maximum(glow, _FLOOR))
    mean = (difference * (mask / mask.sum())[:, :, None]).sum((0, 1))
    level = float(mean @ _LUMA)
    shade = smooth_within(difference @ _LUMA - level, mask, light.width * mask.shape[1])
    gain = light.level(level) * level + light.colour * (mean - level) + light.shade * shade[:, :, None]
    return gamma(glow * np.exp(gain))


def smooth_within(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian low-pass of ``values`` (h, w) over the pixels of ``mask`` only, continued outside it.

    Normalised convolution (Knutsson and Westin 1993); far from the mask it fades to the mean.
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
