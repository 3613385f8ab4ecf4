"""Sharp faces, and the same faces as a small decoder would have made them.

Sharp ones are filmed people (training/people, split by group as in training/parts) and portraits of the landmark
network's training side, in many sizes: a decoder of 128 pixels makes larger faces than one of 64.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from likeness.errors import MissingDataError
from likeness.faces.align import COVERAGE, TEMPLATE, aligned_crop, scale_of, umeyama
from likeness.progress import tracked
from training.face_landmarks.data import Split, load_portraits
from training.parts.data import held_out
from training.sharpen.network import TIMES

SHARP = 128  # px, side of the patches that are learned from

_LARGEST_PORTRAIT = 320  # px, side of a portrait's crop; more would be enlarged, and so be soft itself
_SMALLEST_PORTRAIT = 168


@dataclass(frozen=True)
class SoftenSettings:
    """How soft: ``blur`` is the range of a Gaussian's standard deviation in pixels of the sharp face, ``coarser`` how
    many times fewer pixels it first may have; the others are chances."""

    blur: tuple[float, float] = (0.4, 2.5)
    coarser: tuple[float, float] = (1.2, 3.0)
    coarser_odds: float = 0.35
    wobbly_odds: float = 0.3
    noisy_odds: float = 0.4
    jpeg_odds: float = 0.3


def load_people(folder: Path, *, for_evaluation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Crops uint8 (n, 168, 168, 3) of one side of the split, and the number of the group of each."""
    paths = [path for path in sorted(folder.glob("group_*.npz")) if held_out(path) == for_evaluation]
    if not paths:
        raise MissingDataError(f"{folder} holds no groups of people for this. Run training.people.film first.")
    images, groups = [], []
    for path in tracked(paths, "Loading people", len(paths), "groups"):
        with np.load(path) as group:
            images.append(group["images"].reshape(-1, *group["images"].shape[-3:]))
        groups.append(np.full(len(images[-1]), int(path.stem.split("_")[1])))
    return np.concatenate(images), np.concatenate(groups)


def load_crops(data: Path, split: Split) -> list[np.ndarray]:
    """Portraits of one split as aligned crops, each as large as its photograph is sharp."""
    portraits = load_portraits(data, split)
    crops = []
    for image, landmarks in zip(portraits.images, portraits.landmarks, strict=True):
        side = int(scale_of(umeyama(TEMPLATE, landmarks)) / COVERAGE) // 4 * 4
        if side >= _SMALLEST_PORTRAIT:
            crops.append(aligned_crop(image, landmarks, min(side, _LARGEST_PORTRAIT)))
    return crops


def sharp_patch(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of ``crop`` uint8 (s, s, 3) at a size that it is sharp at: uint8 (128, 128, 3), mirrored half the time."""
    side = int(rng.integers(SHARP, min(len(crop), int(1.6 * SHARP)) + 1))  # shrunk, it is sharper still
    if rng.random() < 0.5:
        side = SHARP
    top, left = rng.integers(0, len(crop) - side + 1, 2)
    patch = crop[top : top + side, left : left + side]
    if side > SHARP:
        patch = cv2.resize(patch, (SHARP, SHARP), interpolation=cv2.INTER_AREA)
    return patch[:, ::-1] if rng.random() < 0.5 else patch


def softened(sharp: np.ndarray, rng: np.random.Generator, settings: SoftenSettings) -> np.ndarray:
    """``sharp`` uint8 (s, s, 3), s even, as a decoder of half the size might make it: uint8 (s/2, s/2, 3)."""
    side = len(sharp) // TIMES
    image: np.ndarray = sharp.astype(np.float32)
    if rng.random() < settings.coarser_odds:
        few = round(len(sharp) / rng.uniform(*settings.coarser))
        image = cv2.resize(image, (few, few), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (len(sharp), len(sharp)), interpolation=cv2.INTER_CUBIC)
    else:
        low, high = np.log(settings.blur)
        across, down = np.exp(rng.uniform(low, high)) * np.exp(rng.normal(0, 0.1, 2))
        image = cv2.GaussianBlur(image, (0, 0), across, None, down)
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < settings.wobbly_odds:  # a decoder's errors are smooth
        knots = int(rng.integers(6, max(7, side // 4)))
        wobble = rng.normal(0, rng.uniform(0.5, 3), (knots, knots, 3)).astype(np.float32)
        image = image + cv2.resize(wobble, (side, side), interpolation=cv2.INTER_CUBIC)
    if rng.random() < settings.noisy_odds:
        image = image + rng.normal(0, rng.uniform(0.3, 3), image.shape).astype(np.float32)
    image = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < settings.jpeg_odds:
        packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image
