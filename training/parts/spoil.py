"""Light, colour, blur, motion, low resolution, noise and compression: crops as footage has them."""

import cv2
import numpy as np

from training.filming_faults import light_from_side, motion_blurred


def spoil(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``crop`` uint8 RGB (size, size, 3) after any of them, each with its own chance."""
    size = len(crop)
    crop = relit(crop, rng)
    if rng.random() < 0.1:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.3:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.1:
        crop = motion_blurred(crop, int(rng.integers(3, 10)), rng.uniform(0, np.pi))
    if rng.random() < 0.35:
        side = int(np.exp(rng.uniform(np.log(36), np.log(size))))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        noise = rng.integers(-128, 128, crop.shape, np.int16)
        crop = np.clip(crop + (noise * rng.uniform(0, 0.12)).astype(np.int16), 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        packed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 92))])[1]
        crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return crop


def relit(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, contrast, gamma and tint as one table a channel; sometimes light that falls off across the crop."""
    levels = np.arange(256) / 255
    gamma, gain, lift = np.exp(rng.normal(0, 0.25)), np.exp(rng.normal(0, 0.18)), rng.normal(0, 0.05)
    tints = np.exp(rng.normal(0, 0.07, 3))
    curves = [np.clip(255 * (tint * gain * levels**gamma + lift), 0, 255) for tint in tints]
    crop = cv2.LUT(crop, np.stack(curves, -1).astype(np.uint8)[None])
    if rng.random() < 0.25:
        crop = light_from_side(crop, rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.7), 0.1, 1.2)
    return crop
