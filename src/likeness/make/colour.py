"""Bring the colours of a made face near those of the frame it goes into.

How far is a choice. ``light`` carries over how the frame is lit and most of B's skin stays. The others give the face
the frame's colours, which hides the seam but paints B's face in A's skin, the wrong answer where the two people differ:
``mean`` moves the mean in CIE Lab, ``reinhard`` mean and spread (Reinhard et al. 2001, "Color transfer between
images"), and ``linear``, ``mkl``, ``histogram`` and ``sliced`` are those of `colour_transfer`.

Looking and recolouring are apart, so that the colours do not flicker: `observe` each frame, `recolour` by what was seen
around it (`pooled`). How two people's skins differ does not change from frame to frame, so whatever the difference
between frame and made face does from one to the next is the network's wavering, and is taken out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from likeness.make import colour_transfer

Match = Literal["none", "mean", "reinhard", "light", "linear", "mkl", "histogram", "sliced"]

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_FLOOR = 0.01  # linear light below which a ratio says nothing
_LAB_GAINS = (0.4, 2.5)
_SAMPLED = 64  # rows and columns of the crop from which colours are taken
_POOLED = 4096  # colours from several frames that are kept, evenly spread
_TRANSFERS = {
    "linear": colour_transfer.affine,
    "mkl": colour_transfer.mkl,
    "histogram": colour_transfer.histogram,
    "sliced": colour_transfer.sliced,
}


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


@dataclass(frozen=True, eq=False)
class Colours:
    """What was seen of the colours of a made face and of the frame where it goes.

    ``mean`` (3,) is the mean difference of frame and face: for ``light`` the log ratio in linear light, for the others
    the log ratio of the mean RGB; ``wavering`` (3,) by how much that of the frame itself is off the pooled one.
    ``shade`` float32 (h, w) for ``light``: how the log ratio varies over the face. For the others ``face`` and
    ``frame`` float32 (n, 3) in [0, 1], colours at the same places, and their ``weights`` (n,). What is not needed is
    empty.
    """

    mean: np.ndarray
    wavering: np.ndarray
    shade: np.ndarray
    face: np.ndarray
    frame: np.ndarray
    weights: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether no face was seen: then nothing is recoloured."""
        return self.shade.size == 0 and len(self.weights) == 0


_NOTHING = Colours(
    np.zeros(3, np.float32),
    np.zeros(3, np.float32),
    np.zeros((0, 0), np.float32),
    np.zeros((0, 3), np.float32),
    np.zeros((0, 3), np.float32),
    np.zeros(0, np.float32),
)


def match_colour(
    image: np.ndarray, target: np.ndarray, mask: np.ndarray, match: Match, light: LightSettings | None = None
) -> np.ndarray:
    """Recolour the made face ``image`` for the frame crop ``target``; returns float32 (h, w, 3) in [0, 1].

    ``image`` and ``target`` are float32 (h, w, 3) RGB in [0, 1]; ``mask`` float32 (h, w) in [0, 1] says what is face
    in both.
    """
    light = light or LightSettings()
    return recolour(image, observe(image, target, mask, match, light), match, light)


def observe(image: np.ndarray, target: np.ndarray, mask: np.ndarray, match: Match, light: LightSettings) -> Colours:
    """What ``match`` needs to know of one frame; arguments as for `match_colour`."""
    if match == "none" or mask.sum() < 1:
        return _NOTHING
    if match == "light":
        return _seen_light(image, target, mask, light)
    step = max(1, len(mask) // _SAMPLED)
    inside = mask[::step, ::step] > 0
    weights = mask[::step, ::step][inside]
    face, frame = image[::step, ::step][inside], target[::step, ::step][inside]
    share = weights / max(float(weights.sum()), 1e-9)
    mean = np.log(np.maximum(share @ frame, _FLOOR) / np.maximum(share @ face, _FLOOR))
    return replace(_NOTHING, mean=mean, face=face, frame=frame, weights=weights)


def pooled(own: Colours, seen: Sequence[Colours], weights: np.ndarray) -> Colours:
    """What was ``seen`` around a frame, its ``own`` among it, as one, each with its weight (n,); frames in which no
    face was seen do not count."""
    kept = [(colours, weight) for colours, weight in zip(seen, weights, strict=True) if not colours.empty]
    if own.empty or not kept:
        return own
    share = np.array([weight for _, weight in kept], np.float32)
    share /= share.sum()
    step = max(1, sum(len(colours.weights) for colours, _ in kept) // _POOLED)
    mean = np.tensordot(share, np.stack([colours.mean for colours, _ in kept]), axes=1)
    return Colours(
        mean=mean,
        wavering=own.mean - mean,
        shade=np.tensordot(share, np.stack([colours.shade for colours, _ in kept]), axes=1),
        face=np.concatenate([colours.face for colours, _ in kept])[::step],
        frame=np.concatenate([colours.frame for colours, _ in kept])[::step],
        weights=np.concatenate([colours.weights * weight for colours, weight in kept])[::step],
    )


def recolour(image: np.ndarray, seen: Colours, match: Match, light: LightSettings) -> np.ndarray:
    """``image`` float32 (h, w, 3) with the colours that ``seen`` asks for; as it is where no face was seen."""
    if match == "none" or seen.empty:
        return image
    if match == "light":
        return _lit(image, seen, light)
    image = np.clip(image * np.exp(seen.wavering), 0, 1)
    if match in ("mean", "reinhard"):
        return _lab_moved(image, seen, spread=match == "reinhard")
    mapped = _TRANSFERS[match](seen.face, seen.frame, seen.weights)(image.astype(np.float64))
    return np.clip(mapped, 0, 1).astype(np.float32)


def lab_transfer(image: np.ndarray, target: np.ndarray, mask: np.ndarray, spread: bool) -> np.ndarray:
    """Move mean (and, with ``spread``, deviation) of ``image`` in Lab to that of ``target`` within ``mask``."""
    match: Match = "reinhard" if spread else "mean"
    return _lab_moved(image, observe(image, target, mask, match, LightSettings()), spread)


def _lab_moved(image: np.ndarray, seen: Colours, spread: bool) -> np.ndarray:
    share = (seen.weights / seen.weights.sum())[:, None]
    face, goal = (cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0] for colours in (seen.face, seen.frame))
    mean, goal_mean = (face * share).sum(0), (goal * share).sum(0)
    gain = np.ones(3, np.float32)
    if spread:
        deviation = np.sqrt(((face - mean) ** 2 * share).sum(0))
        goal_deviation = np.sqrt(((goal - goal_mean) ** 2 * share).sum(0))
        gain = np.clip(goal_deviation / np.maximum(deviation, 1e-3), *_LAB_GAINS)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    moved = ((lab - mean) * gain + goal_mean).astype(np.float32)
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1)


def relight(image: np.ndarray, target: np.ndarray, mask: np.ndarray, light: LightSettings) -> np.ndarray:
    """Multiply ``image``, in linear light, by what of ``target`` / ``image`` within ``mask`` is taken for light.

    Retinex's split of a picture into skin times light (Land and McCann 1971), shrunk towards no change.
    """
    return _lit(image, _seen_light(image, target, mask, light), light)


def _seen_light(image: np.ndarray, target: np.ndarray, mask: np.ndarray, light: LightSettings) -> Colours:
    difference = np.log(np.maximum(linear(target), _FLOOR)) - np.log(np.maximum(linear(image), _FLOOR))
    mean = (difference * (mask / mask.sum())[:, :, None]).sum((0, 1))
    shade = smooth_within(difference @ _LUMA - float(mean @ _LUMA), mask, light.width * mask.shape[1])
    return replace(_NOTHING, mean=mean, shade=shade)


def _lit(image: np.ndarray, seen: Colours, light: LightSettings) -> np.ndarray:
    level = float(seen.mean @ _LUMA)
    gain = light.level(level) * level + light.colour * (seen.mean - level) + light.shade * seen.shade[:, :, None]
    gain = gain + seen.wavering
    return gamma(linear(image) * np.exp(gain))


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
