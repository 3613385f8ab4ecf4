"""Faces as they come: turned, small, dark, blurred, compressed, half hidden; and things that are no face.

Everything works on uint8 RGB crops in memory, one crop at a time, in a fraction of a millisecond.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from likeness.faces.align import MIRROR, TEMPLATE, apply, square_in_crop, umeyama, warp
from likeness.faces.hull import face_outline
from likeness.faces.landmarks import CROP_COVERAGE, CROP_SIZE
from training.filming_faults import light_from_side, motion_blurred

_ELASTIC_KNOTS = 6  # per side of a crop


@dataclass(frozen=True)
class AugmentSettings:
    """Spreads of the crop's place are in units of TEMPLATE's square (about the face's width)."""

    tight_share: float = 0.5  # of the samples are placed as in the second look, when landmarks are nearly known
    tight_turn_deg: float = 5.0  # standard deviations of those
    tight_log_scale: float = 0.06
    tight_shift: float = 0.03
    near_turn_deg: float = 12.0  # standard deviation of most turns
    far_turn_deg: float = 60.0  # bound of the others
    far_turn_share: float = 0.4
    log_scale: float = 0.20  # standard deviation
    shift: float = 0.10  # standard deviation
    stretch: float = 0.06  # standard deviation of the log of width against height
    elastic_share: float = 0.6
    elastic: float = 0.05  # most of the standard deviation of the elastic shifts
    new_background_share: float = 0.3
    occlusion_share: float = 0.25
    smallest_px: int = 20  # side of the smallest crop that is blown up again


@dataclass(frozen=True, eq=False)
class Sample:
    """``crop`` uint8 (112, 112, 3); ``landmarks`` float32 (68, 2) in units of the crop's side, NaN where no face is;
    ``presence`` 1 face, 0 none, −1 in between; ``actor``: labelled by an actor's truth."""

    crop: np.ndarray
    landmarks: np.ndarray
    presence: int
    actor: bool


def face_sample(
    image: np.ndarray, landmarks: np.ndarray, actor: bool, photo: np.ndarray, rng: np.random.Generator,
    settings: AugmentSettings,
) -> Sample:  # fmt: skip
    """A crop around the face of ``image``, placed as loosely as a detector's box, and spoilt in many ways."""
    if rng.random() < settings.new_background_share:
        image = on_background(image, landmarks, photo, rng)
    matrix = _loose_alignment(landmarks, rng, settings)
    crop = warp(image, matrix, CROP_SIZE)
    places = apply(matrix, landmarks) / CROP_SIZE
    if rng.random() < 0.5:
        crop, places = crop[:, ::-1], (np.array([1.0 - 1 / CROP_SIZE, 0]) + places * [-1, 1])[MIRROR]
    crop = np.ascontiguousarray(crop)
    if rng.random() < settings.elastic_share:
        crop, places = elastic(crop, places, rng.uniform(0, settings.elastic), rng)
    if rng.random() < settings.occlusion_share:
        crop = occlude(crop, photo, rng)
    return Sample(spoil(crop, rng, settings), places.astype(np.float32), 1, actor)


def off_face_sample(
    image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, settings: AugmentSettings
) -> Sample:
    """A crop of part of a face, of far too much around it, or of its neighbourhood: no face by definition."""
    square = square_in_crop(CROP_SIZE, CROP_COVERAGE)
    matrix = umeyama(landmarks, apply(square, TEMPLATE))
    kind = rng.integers(3)
    side = CROP_SIZE * CROP_COVERAGE
    if kind == 0:  # beside the face
        matrix = _turned(matrix, rng.uniform(-30, 30), rng.uniform(0.6, 1.5))
        away, direction = rng.uniform(0.75, 1.3) * side, rng.uniform(0, 2 * np.pi)
        matrix[:, 2] += away * np.array([np.cos(direction), np.sin(direction)])
    elif kind == 1:  # one feature only
        matrix = _turned(matrix, rng.uniform(-30, 30), rng.uniform(2.6, 4.5))
        matrix[:, 2] += rng.uniform(-1.2, 1.2, 2) * side
    else:  # the face is a speck
        matrix = _turned(matrix, rng.uniform(-30, 30), rng.uniform(0.15, 0.33))
        matrix[:, 2] += rng.uniform(-0.3, 0.3, 2) * side
    return _no_face(warp(image, matrix, CROP_SIZE), rng, settings)


def photo_sample(photo: np.ndarray, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """A random crop of a photograph without faces."""
    height, width = photo.shape[:2]
    side = np.exp(rng.uniform(np.log(24), np.log(1.1 * max(height, width))))
    centre = rng.uniform(0, 1, 2) * [width, height]
    return box_sample(photo, (*(centre - side / 2), *(centre + side / 2)), rng, settings)


def box_sample(
    image: np.ndarray, box: tuple[float, float, float, float], rng: np.random.Generator, settings: AugmentSettings
) -> Sample:
    """A crop of something that looked like a face and is none; ``box`` (x0, y0, x1, y1) takes the whole crop."""
    scale = CROP_SIZE / (box[2] - box[0]) * np.exp(rng.normal(0, 0.15))
    centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) + rng.normal(0, 0.06, 2) * (box[2] - box[0])
    angle = np.radians(rng.normal(0, 15))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, CROP_SIZE / 2 - linear @ centre])
    return _no_face(warp(image, matrix, CROP_SIZE), rng, settings)


def on_background(image: np.ndarray, landmarks: np.ndarray, photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``image`` with all but the head, the raised and feathered hull, replaced by part of a photograph."""
    height, width = image.shape[:2]
    centre = landmarks.mean(0)
    outline = centre + rng.uniform(1.02, 1.35) * (face_outline(landmarks, forehead=0.45) - centre)
    small = np.zeros((height // 4, width // 4), np.uint8)
    cv2.fillConvexPoly(small, (outline / 4).astype(np.int32), 255)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.5, 4.0))
    mask = cv2.resize(small, (width, height))[..., None].astype(np.uint16)
    top, left = (int(rng.integers(0, max(1, extent // 2))) for extent in photo.shape[:2])
    part = cv2.resize(photo[top:, left:], (width, height))
    return ((image * mask + part * (255 - mask)) // 255).astype(np.uint8)


def elastic(
    crop: np.ndarray, places: np.ndarray, strength: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Push parts of the face about smoothly, the landmarks with them: other mouths, jaws and brows than portraits have.

    Without it the network learns that people smile, as nearly all do in portraits. ``strength`` is in face widths.
    """
    size = len(crop)
    coarse = rng.normal(0, strength * CROP_COVERAGE * size, (_ELASTIC_KNOTS, _ELASTIC_KNOTS, 2)).astype(np.float32)
    shift = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    pushed = cv2.remap(
        crop, columns + shift[..., 0], rows + shift[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    # The output at p shows the input at p + shift(p): each landmark's new place is found by fixed-point iteration.
    moved = pixels = places * size
    for _ in range(4):
        column, row = np.clip(moved.round().astype(int), 0, size - 1).T
        moved = pixels - shift[row, column]
    return pushed, moved / size


def occlude(crop: np.ndarray, photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cover up to a third of the crop's width and height with a plain or photographed patch, one to three times."""
    size = len(crop)
    for _ in range(rng.integers(1, 4)):
        height, width = rng.integers(size // 16, size // 3, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        if rng.random() < 0.5:
            crop[top : top + height, left : left + width] = rng.integers(0, 256, 3)
        else:
            y, x = rng.integers(0, photo.shape[0] - height), rng.integers(0, photo.shape[1] - width)
            crop[top : top + height, left : left + width] = photo[y : y + height, x : x + width]
    return crop


def spoil(crop: np.ndarray, rng: np.random.Generator, settings: AugmentSettings) -> np.ndarray:
    """Light, colour, blur, motion, low resolution, noise and JPEG, each with its own chance."""
    crop = _light(crop, rng)
    if rng.random() < 0.2:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.3:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 2.2))
    if rng.random() < 0.15:
        crop = motion_blurred(crop, int(rng.integers(3, 12)), rng.uniform(0, np.pi))
    if rng.random() < 0.4:
        side = int(np.exp(rng.uniform(np.log(settings.smallest_px), np.log(CROP_SIZE))))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        noise = rng.integers(-128, 128, crop.shape, np.int16)
        crop = np.clip(crop + (noise * rng.uniform(0, 0.15)).astype(np.int16), 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = int(rng.integers(12, 90))
        packed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return crop


def _light(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, contrast and gamma as one table a channel; sometimes a light that falls off across the crop."""
    levels = np.arange(256) / 255
    curves = []
    gamma, gain, lift = np.exp(rng.normal(0, 0.3)), np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.06)
    for _ in range(3):
        tint = np.exp(rng.normal(0, 0.08))
        curves.append(np.clip(255 * (tint * gain * levels**gamma + lift), 0, 255))
    crop = cv2.LUT(crop, np.stack(curves, -1).astype(np.uint8)[None])
    if rng.random() < 0.3:
        crop = light_from_side(crop, rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8), 0.05, 1.3)
    return crop


def _loose_alignment(landmarks: np.ndarray, rng: np.random.Generator, settings: AugmentSettings) -> np.ndarray:
    square = square_in_crop(CROP_SIZE, CROP_COVERAGE)
    matrix = umeyama(landmarks, apply(square, TEMPLATE))
    if rng.random() < settings.tight_share:
        angle, log_scale = rng.normal(0, (settings.tight_turn_deg, settings.tight_log_scale))
        matrix = _stretched(_turned(matrix, angle, np.exp(log_scale)), np.exp(rng.normal(0, settings.stretch)))
        matrix[:, 2] += rng.normal(0, settings.tight_shift, 2) * CROP_SIZE * CROP_COVERAGE
        return matrix
    far = rng.random() < settings.far_turn_share
    angle = rng.uniform(-1, 1) * settings.far_turn_deg if far else rng.normal(0, settings.near_turn_deg)
    matrix = _turned(matrix, angle, np.exp(np.clip(rng.normal(0, settings.log_scale), -0.45, 0.45)))
    matrix = _stretched(matrix, np.exp(rng.normal(0, settings.stretch)))
    matrix[:, 2] += np.clip(rng.normal(0, settings.shift, 2), -0.3, 0.3) * CROP_SIZE * CROP_COVERAGE
    return matrix


def _turned(matrix: np.ndarray, angle_deg: float, scale: float) -> np.ndarray:
    """``matrix`` followed by a turn and a scale about the crop's centre."""
    angle, centre = np.radians(angle_deg), np.full(2, CROP_SIZE / 2)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear @ matrix[:, :2], linear @ (matrix[:, 2] - centre) + centre])


def _stretched(matrix: np.ndarray, factor: float) -> np.ndarray:
    """``matrix`` followed by a change of width against height about the crop's centre."""
    linear, centre = np.diag([np.sqrt(factor), 1 / np.sqrt(factor)]), np.full(2, CROP_SIZE / 2)
    return np.column_stack([linear @ matrix[:, :2], linear @ (matrix[:, 2] - centre) + centre])


def _no_face(crop: np.ndarray, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    nowhere = np.full(TEMPLATE.shape, np.nan, np.float32)
    return Sample(spoil(crop, rng, settings), nowhere, 0, actor=False)
