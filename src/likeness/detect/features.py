"""Hand-made features of a face: its proportions, its picture's quality, and in a clip how both move and blink.

What early detectors fed to their classifiers: proportions and mimicry from landmarks, and measures of image quality,
which with an SVM are the best classical detector on DeepfakeTIMIT (Korshunov & Marcel 2018, EER 9 %; the measures are
of the kind of Galbally et al. 2014, IEEE TIP 23, and Wen, Han & Jain 2015, IEEE TIFS 10). What cannot be measured is
NaN, which `detect.classifiers` replaces.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from likeness.detect.cues.blinking import BlinkingSettings, eye_curve, find_blinks
from likeness.detect.sightings import frame_interval
from likeness.faces.align import COVERAGE, MIRROR, TEMPLATE, apply, square_in_crop, umeyama
from likeness.faces.face import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE, Face
from likeness.faces.faceset import CROP_SIZE
from likeness.faces.hull import hull_mask

FEATURE_CROP = (CROP_SIZE, COVERAGE)
"""Size and coverage of the aligned crop that `image_statistics` takes: those of the pictures of a face set."""

SHAPE_NAMES = (
    "eye_spacing", "eye_span", "eye_width", "eye_height", "brow_height", "brow_spacing", "cheekbone_width",
    "jaw_width_upper", "jaw_width_lower", "chin_width", "face_height", "nose_width", "nose_length", "philtrum",
    "chin_height", "mouth_width", "mouth_height", "lip_gap", "eye_height_asymmetry", "eye_width_asymmetry",
    "brow_asymmetry", "mouth_asymmetry", "jaw_asymmetry",
)  # fmt: skip
"""Distances are in widths of the mean face, once roll, yaw and pitch are taken out."""

IMAGE_NAMES = (
    "sharpness_inside", "sharpness_outside", "sharpness_step", "noise_inside", "noise_outside", "noise_step",
    "chroma_noise", "band_low", "band_middle", "band_high", "blockiness", "lightness_step", "green_red_step",
    "blue_yellow_step", "brightness", "contrast", "highlights", "saturation", "saturation_spread", "colourfulness",
)  # fmt: skip
"""Amounts of detail and noise are log2 of grey levels; a step is inside minus outside the face's hull."""

TIME_NAMES = (
    "blinks_a_minute", "eyes_closed", "openness_spread", "openness_noise",
    *(f"{angle}_{what}" for angle in ("yaw", "pitch", "roll") for what in ("mean", "spread", "speed")),
    "mouth_activity", "mouth_speed", "smile_activity", "brow_activity", "brow_speed", "mimicry", "tremble",
    "brow_symmetry", "eye_symmetry",
)  # fmt: skip
"""Activities are spreads over time, speeds a second; symmetries are correlations of the left side with the right."""

PICTURE_NAMES = (*SHAPE_NAMES, *IMAGE_NAMES)
CLIP_NAMES = (
    *(f"{name}_{what}" for what in ("median", "spread") for name in PICTURE_NAMES),
    *TIME_NAMES,
)

_LEAST_COSINE = 0.3  # of yaw and pitch: farther turned, a correction only enlarges the landmarks' errors
_FLOOR = 0.1  # grey levels: keeps the logarithm of a flat picture finite
_GRID = 8  # pixels: blocks of JPEG, MPEG and H.264
_CORE_PART, _RING_PART = 0.03, 0.12  # of the crop's side: inside of the hull, and width of the ring around it
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6  # keeps the deviation of white noise
_GAUSSIAN = float(np.sqrt(np.pi / 2))  # deviation of normal noise over its mean size
_BANDS = ((1 / 16, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2))  # cycles a pixel


def picture_vector(face: Face, statistics: np.ndarray) -> np.ndarray:
    """float64 (len(PICTURE_NAMES),) of one face, ``statistics`` being its `image_statistics`."""
    return _finite_or_nan(np.concatenate([shapes(frontal([face]))[0], statistics]))


def clip_vector(faces: Sequence[Face], statistics: np.ndarray) -> np.ndarray:
    """float64 (len(CLIP_NAMES),) of one face over time; ``statistics`` (n, len(IMAGE_NAMES)) are those of some frames.

    Medians and spreads (1.4826 times the median absolute deviation) are over all faces, or all ``statistics``.
    """
    points = frontal(faces)
    known = np.isfinite(points).all(axis=(1, 2))
    faces, points = [face for face, sound in zip(faces, known, strict=True) if sound], points[known]
    shape = shapes(points)
    medians, spreads = [], []
    for table in (shape, np.asarray(statistics, np.float64).reshape(-1, len(IMAGE_NAMES))):
        middle = _median(table)
        medians.append(middle)
        spreads.append(1.4826 * _median(np.abs(table - middle)))
    return _finite_or_nan(np.concatenate([*medians, *spreads, _over_time(faces, points, shape)]))


def frontal(faces: Sequence[Face]) -> np.ndarray:
    """Landmarks float64 (n, 68, 2) upright, as seen from the front, in widths of the mean face.

    Yaw foreshortens across and pitch along the face; both are undone to first order, by the cosine. Landmarks that are
    no numbers, or all in one place, give NaN.
    """
    template = TEMPLATE.astype(np.float64)
    points = np.full((len(faces), 68, 2), np.nan)
    for row, face in enumerate(faces):
        raw = face.landmarks.astype(np.float64)
        if not np.isfinite(raw).all() or np.ptp(raw, axis=0).min() < 1e-3:
            continue
        upright = apply(umeyama(raw, template), raw)
        turned = np.nan_to_num(np.radians([face.yaw, face.pitch]))
        upright /= np.maximum(np.cos(turned), _LEAST_COSINE)
        points[row] = apply(umeyama(upright, template), upright)
    return points


def shapes(points: np.ndarray) -> np.ndarray:
    """The proportions (n, len(SHAPE_NAMES)) of faces ``points`` (n, 68, 2), as `frontal` gives them."""

    def apart(one: int, other: int) -> np.ndarray:
        return np.linalg.norm(points[:, one] - points[:, other], axis=1)

    def middle(part: slice) -> np.ndarray:
        return points[:, part].mean(1)

    right_eye, left_eye = _eye_heights(points)
    right_width, left_width = apart(36, 39), apart(42, 45)
    right_brow, left_brow = _brow_heights(points)
    mirrored = points[:, MIRROR]  # heights only: across, what is left of yaw is larger than any asymmetry
    measured = {
        "eye_spacing": apart(39, 42),
        "eye_span": apart(36, 45),
        "eye_width": (right_width + left_width) / 2,
        "eye_height": (right_eye + left_eye) / 2,
        "brow_height": (right_brow + left_brow) / 2,
        "brow_spacing": apart(21, 22),
        "cheekbone_width": apart(1, 15),
        "jaw_width_upper": apart(3, 13),
        "jaw_width_lower": apart(5, 11),
        "chin_width": apart(7, 9),
        "face_height": np.linalg.norm((middle(RIGHT_BROW) + middle(LEFT_BROW)) / 2 - points[:, 8], axis=1),
        "nose_width": apart(31, 35),
        "nose_length": apart(27, 33),
        "philtrum": apart(33, 51),
        "chin_height": apart(57, 8),
        "mouth_width": apart(48, 54),
        "mouth_height": apart(51, 57),
        "lip_gap": apart(62, 66),
        "eye_height_asymmetry": np.abs(right_eye - left_eye),
        "eye_width_asymmetry": np.abs(right_width - left_width),
        "brow_asymmetry": np.abs(right_brow - left_brow),
        "mouth_asymmetry": np.abs(points[:, 48, 1] - points[:, 54, 1]),
        "jaw_asymmetry": np.abs(points[:, :17, 1] - mirrored[:, :17, 1]).mean(1),
    }
    return np.stack([measured[name] for name in SHAPE_NAMES], axis=1)


def image_statistics(crop: np.ndarray, blocking: float = np.nan) -> np.ndarray:
    """Measures of image quality, float64 (len(IMAGE_NAMES),), of an aligned ``crop`` uint8 RGB (s, s, 3) of COVERAGE.

    ``blocking`` is `blockiness` of the frame it was taken from, NaN where that is not at hand. Noise is Immerkær's
    (1996, CVIU 64), colourfulness Hasler & Süsstrunk's (2003, SPIE 5007); the bands are shares of the spectrum's power
    (compare Durall et al. 2019, Unmasking DeepFakes with simple features).
    """
    inside, outside = _regions(crop.shape[0])
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    saturation = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)[inside][:, 1].astype(np.float64) / 255
    chroma = cv2.cvtColor(crop, cv2.COLOR_RGB2YCrCb)[:, :, 1].astype(np.float32)
    edges, residual = cv2.Laplacian(grey, cv2.CV_32F), cv2.filter2D(grey, cv2.CV_32F, _IMMERKAER)
    step = lab[inside].mean(0) - lab[outside].mean(0)
    measured = {
        "sharpness_inside": _level(edges[inside].std()),
        "sharpness_outside": _level(edges[outside].std()),
        "noise_inside": _level(_GAUSSIAN * np.abs(residual[inside]).mean()),
        "noise_outside": _level(_GAUSSIAN * np.abs(residual[outside]).mean()),
        "chroma_noise": _level(cv2.filter2D(chroma, cv2.CV_32F, _IMMERKAER)[inside].std()),
        "blockiness": blocking,
        "lightness_step": float(step[0]),
        "green_red_step": float(step[1]),
        "blue_yellow_step": float(step[2]),
        "brightness": float(grey[inside].mean()),
        "contrast": float(grey[inside].std()),
        "highlights": float((grey[inside] >= 250).mean()),
        "saturation": float(saturation.mean()),
        "saturation_spread": float(saturation.std()),
        "colourfulness": _colourfulness(crop[inside].astype(np.float64)),
        **dict(zip(("band_low", "band_middle", "band_high"), _band_shares(grey), strict=True)),
    }
    measured["sharpness_step"] = measured["sharpness_inside"] - measured["sharpness_outside"]
    measured["noise_step"] = measured["noise_inside"] - measured["noise_outside"]
    return np.array([measured[name] for name in IMAGE_NAMES])


def blockiness(image: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """log2 of how much larger the steps on the grid of 8 pixels are than those between, within ``box`` of ``image``.

    ``image`` uint8 RGB as decoded: resampling moves the grid. NaN where the box holds fewer than four blocks a side.
    """
    height, width = image.shape[:2]
    x0, y0 = (-(-max(int(value), 0) // _GRID) * _GRID for value in box[:2])
    x1, y1 = min(int(box[2]), width), min(int(box[3]), height)
    if min(x1 - x0, y1 - y0) < 4 * _GRID:
        return float("nan")
    grey = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY).astype(np.float32)
    steps = [np.abs(np.diff(grey, axis=axis)).mean(1 - axis) for axis in (0, 1)]
    on = float(np.mean([s[_GRID - 1 :: _GRID].mean() for s in steps]))
    between = float(np.mean([np.delete(s, np.s_[_GRID - 1 :: _GRID]).mean() for s in steps]))
    return float(np.log2((on + _FLOOR) / (between + _FLOOR)))


def _over_time(faces: Sequence[Face], points: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """What a face does, float64 (len(TIME_NAMES),); all NaN for fewer than three faces."""
    if len(faces) < 3:
        return np.full(len(TIME_NAMES), np.nan)
    times = np.array([face.time_s for face in faces])
    interval = max(frame_interval(faces), 1e-3)
    near = np.diff(times) <= 1.5 * interval  # pairs of frames between which the face was not lost
    settings = BlinkingSettings()
    curve = eye_curve(list(faces), settings)
    blinks = find_blinks(curve, settings)
    seconds = len(faces) * interval

    def speed(values: np.ndarray) -> float:
        moved = np.abs(np.diff(values))[near] / interval
        return float(np.median(moved)) if len(moved) else float("nan")

    column = {name: shape[:, number] for number, name in enumerate(SHAPE_NAMES)}
    resting = _median(points.reshape(len(points), -1)).reshape(1, 68, 2)
    bend = np.linalg.norm(points[:-2] - 2 * points[1:-1] + points[2:], axis=2).mean(1)
    together = near[:-1] & near[1:]
    measured = {
        "blinks_a_minute": 60 * len(blinks) / seconds,
        "eyes_closed": sum(blink.duration_s for blink in blinks) / seconds,
        "openness_spread": float(curve.openness.std()),
        "openness_noise": curve.noise,
        "mouth_activity": float(column["lip_gap"].std()),
        "mouth_speed": speed(column["lip_gap"]),
        "smile_activity": float(column["mouth_width"].std()),
        "brow_activity": float(column["brow_height"].std()),
        "brow_speed": speed(column["brow_height"]),
        "mimicry": float(np.sqrt(((points[:, 17:] - resting[:, 17:]) ** 2).sum(2).mean())),
        "tremble": float(np.median(bend[together])) if together.any() else float("nan"),
        "brow_symmetry": _correlation(*_brow_heights(points)),
        "eye_symmetry": _correlation(*_eye_heights(points)),
    }
    for angle in ("yaw", "pitch", "roll"):
        degrees = np.array([getattr(face, angle) for face in faces])
        measured |= {
            f"{angle}_mean": float(degrees.mean()),
            f"{angle}_spread": float(degrees.std()),
            f"{angle}_speed": speed(degrees),
        }
    return np.array([measured[name] for name in TIME_NAMES])


def _eye_heights(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far right and left eye are open, (n,) each."""
    right, left = (
        (np.linalg.norm(eye[:, 1] - eye[:, 5], axis=1) + np.linalg.norm(eye[:, 2] - eye[:, 4], axis=1)) / 2
        for eye in (points[:, RIGHT_EYE], points[:, LEFT_EYE])
    )
    return right, left


def _brow_heights(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far right and left brow are above the corners of their eyes, (n,) each."""
    right = points[:, [36, 39], 1].mean(1) - points[:, RIGHT_BROW, 1].mean(1)
    return right, points[:, [42, 45], 1].mean(1) - points[:, LEFT_BROW, 1].mean(1)


@cache
def _regions(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The face proper and the ring around it in an aligned crop, bool (size, size), from the mean face."""
    landmarks = apply(square_in_crop(size), TEMPLATE)
    face = (hull_mask(landmarks, (size, size)) >= 0.5).astype(np.uint8)
    depth, height = (cv2.distanceTransform(part, cv2.DIST_L2, 3) for part in (face, 1 - face))
    return depth >= _CORE_PART * size, (height >= _CORE_PART * size) & (height <= _RING_PART * size)


def _band_shares(grey: np.ndarray) -> list[float]:
    """log2 of the share of power in each of _BANDS, of the middle half of ``grey`` (s, s)."""
    quarter = grey.shape[0] // 4
    middle = grey[quarter:-quarter, quarter:-quarter]
    window = np.hanning(middle.shape[0])
    power = np.abs(np.fft.rfft2((middle - middle.mean()) * window[:, None] * window)) ** 2
    down, across = np.fft.fftfreq(middle.shape[0])[:, None], np.fft.rfftfreq(middle.shape[1])
    radius = np.hypot(down, across)
    total = power.sum() + 1.0
    return [float(np.log2(power[(radius >= low) & (radius < high)].sum() / total + 1e-6)) for low, high in _BANDS]


def _colourfulness(pixels: np.ndarray) -> float:
    red_green = pixels[:, 0] - pixels[:, 1]
    yellow_blue = (pixels[:, 0] + pixels[:, 1]) / 2 - pixels[:, 2]
    spread, mean = np.hypot(red_green.std(), yellow_blue.std()), np.hypot(red_green.mean(), yellow_blue.mean())
    return float(spread + 0.3 * mean)


def _level(amplitude: float) -> float:
    return float(np.log2(float(amplitude) + _FLOOR))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if not one.std() > 1e-9 or not other.std() > 1e-9:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def _median(table: np.ndarray) -> np.ndarray:
    """The median of each column, NaN left out; NaN where a column has nothing else."""
    known = np.isfinite(table)
    return np.array(
        [np.median(column[there]) if there.any() else np.nan for column, there in zip(table.T, known.T, strict=True)]
    )


def _finite_or_nan(vector: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(vector), vector, np.nan)
