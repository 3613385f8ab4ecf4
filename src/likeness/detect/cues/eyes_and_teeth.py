"""Do both eyes have one colour and mirror one lamp, and are eyes and teeth as detailed as the rest of the face?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread
from likeness.examiner import Figure
from likeness.faces.align import alignment, apply
from likeness.faces.face import INNER_LIPS, LEFT_EYE, RIGHT_EYE, Face, Track
from likeness.media.clip import Clip

_CROP = 256  # pixels a side; the mean face's jaw spans all of it
_COVERAGE = 1.0
_IRIS_RADIUS = 0.042 * _CROP  # pixels: 11.7 mm across (Caroline & André 2002) in a face of 140 mm
_HIGHLIGHT_WITHIN = 0.6  # iris radii: farther out, the white of the eye shines
_LID_GROWTH = (1.1, 1.5)  # across and up: landmarks lie within the lashes, and too near to each other on open eyes
_BANDS = (1.0, 2.0, 4.0)  # pixels: fine detail lies between the first two blurs, coarse between the last two
_BANDS_REACH = round(4 * max(_BANDS))  # pixels: how far the kernels of these blurs go
_ROW_KERNELS = (7, 13)  # pixels: those of the first two blurs along rows
_FLOOR = 0.3  # grey levels: what rounding to 8 bits leaves
_TOOTH_EDGES = (3, 1)  # pixels left out beside teeth, and above and below: blurs along rows carry edges sideways only

# Rectangles (x0, y0, x1, y1) of the crop's unit square: skin, and parts of the face with structure of their own.
_CHEEKS = ((0.16, 0.30, 0.32, 0.50), (0.68, 0.30, 0.84, 0.50))
_STRUCTURE = ((0.34, 0.34, 0.66, 0.54), (0.24, 0.56, 0.76, 0.78))  # nostrils and mouth


@dataclass(frozen=True)
class EyesAndTeethSettings:
    """What is large and open enough to look into. Grey levels are of 255."""

    narrowest_px: float = 120.0  # below, an iris is less than ten pixels wide
    largest_yaw: float = 25.0  # degrees: beyond, the irises are foreshortened differently
    most_frames: int = 32
    least_frames: int = 6  # of a moving clip in which the eyes (or the teeth) show
    open_eye: float = 0.2  # height over width of the lids
    least_iris: int = 60  # pixels of the crop between the lids, of about 360
    least_white: float = 15.0  # grey levels from the iris to the white: below, it is glass, or a shadow
    least_highlight: float = 25.0  # grey levels above the iris
    highlight_floor: float = 8.0  # grey levels added to both strengths before they are compared
    least_coarse: float = 2.0  # grey levels of structure without which nothing could be sharp
    open_mouth: float = 0.05  # of the face's width between the inner lips
    tooth_brightness: float = 0.75  # of the cheeks'
    least_teeth: int = 40  # pixels of the crop, without their edges


@dataclass(frozen=True, eq=False)
class Eye:
    """One open eye: median CIE Lab (a, b) of its iris; strength of its highlight in grey levels, and where it lies from
    the iris's middle, in iris radii (2,), None where there is none.
    """

    colour: np.ndarray
    highlight: float
    place: np.ndarray | None


@dataclass(frozen=True, eq=False)
class EyesAndTeethNote:
    """One face in one frame. ``eyes``: the subject's right and left, None unless both are seen open.

    ``softness``: log2 of how many times less detailed the eyes are than nostrils and mouth. ``blankness``: log2 of how
    many times less fine detail the teeth have than the cheeks; None where no teeth show.
    """

    time_s: float
    eyes: tuple[Eye, Eye] | None
    softness: float | None
    blankness: float | None


class EyesAndTeeth(Cue[EyesAndTeethNote]):
    """Generators draw both eyes by themselves, and spend little on small parts: eyes and teeth give them away.

    Features: ``iris_colour``, CIE Lab units (a, b) between both irises, and ``blank_teeth``, log2 of how many times
    less fine detail the bright part of an open mouth has than the cheeks (both Matern et al. 2019, Exploiting visual
    artifacts); ``highlight_place``, how far apart both eyes' highlights lie on their irises, in iris radii, and
    ``highlight_strength``, |log2| of the ratio of their strengths (Hu et al. 2021, Exposing GAN-generated faces using
    inconsistent corneal specular highlights); ``soft_eyes``, log2 of how many times less fine detail, against coarse,
    the eyes have than nostrils and mouth. A single picture has the same with ``picture_`` before.

    Abstains on faces under 120 px or turned more than 25°, where an iris is too few pixels, and where neither open eyes
    nor teeth show (sunglasses, blinks, closed lips). People with eyes of two colours exist; a lamp near the face or a
    window beside it is mirrored differently by each eye; reflections on glasses are not judged.
    """

    name = "eyes_and_teeth"
    without_faces = "No face was found, so there are no eyes and no teeth to look at."

    def __init__(self, settings: EyesAndTeethSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or EyesAndTeethSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        usable, least = len(self._usable(track)), self._least_frames(clip)
        if usable < least:
            return (
                f"Only {usable} frames show the face at least {self.settings.narrowest_px:.0f} px wide and turned "
                f"less than {self.settings.largest_yaw:.0f}°; eyes and teeth need {least}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_frames)

    def note(self, sighting: Sighting) -> EyesAndTeethNote | None:
        return look_closely(sighting, self.settings)

    def measure(self, clip: Clip, track: Track, notes: Sequence[EyesAndTeethNote]) -> Measurement | str:
        least = self._least_frames(clip)
        values = _of_eyes([note.eyes for note in notes if note.eyes is not None], least, self.settings.highlight_floor)
        for name, found in (
            ("soft_eyes", [note.softness for note in notes if note.softness is not None]),
            ("blank_teeth", [note.blankness for note in notes if note.blankness is not None]),
        ):
            if len(found) >= least:
                values[name] = float(np.median(found))
        if not values:
            return "Neither open eyes nor teeth show well enough to compare them with the face."
        details: dict[str, float | str | int | bool | None] = {
            "frames_with_eyes": sum(note.eyes is not None for note in notes),
            "frames_with_teeth": sum(note.blankness is not None for note in notes),
        }
        if clip.kind == "picture":
            return Measurement({f"picture_{name}": value for name, value in values.items()}, details=details)
        if "soft_eyes" not in values:
            return Measurement(values, details=details)
        times = np.array([note.time_s for note in notes])
        curve = np.array([np.nan if note.softness is None else note.softness for note in notes])
        high = self.calibration.frame_high("soft_eyes")
        return Measurement(
            values,
            spans=[] if high is None else spans_above(times, curve, high, 2 * float(np.median(np.diff(times)))),
            figure=_figure(times, curve, high),
            details=details,
        )

    def sentence(self, measured: Measurement) -> str:
        parts = []
        for name, (said, otherwise) in _SAID.items():
            for key in (name, f"picture_{name}"):
                if (value := measured.values.get(key)) is not None:
                    text = said if value >= 0 else otherwise
                    shown = 2 ** abs(value) if name in _RATIOS else value
                    parts.append(f"{text.format(shown)} (as much or more: {self.calibration.rarity(key, value)}).")
        return " ".join(parts)

    def _least_frames(self, clip: Clip) -> int:
        return 1 if clip.kind == "picture" else self.settings.least_frames

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)


_RATIOS = ("highlight_strength", "soft_eyes", "blank_teeth")
_SAID = {
    "iris_colour": ("The irises are {:.1f} Lab units of colour apart", ""),
    "highlight_place": ("What they mirror lies {:.2f} iris radii apart", ""),
    "highlight_strength": ("One mirrors {:.2f} times as brightly as the other", ""),
    "soft_eyes": (
        "The eyes are {:.2f} times less detailed than the rest of the face",
        "The eyes are {:.2f} times more detailed than the rest of the face",
    ),
    "blank_teeth": (
        "The teeth have {:.2f} times less fine detail than the cheeks",
        "The teeth have {:.2f} times more fine detail than the cheeks",
    ),
}
"""What the report says of a feature, and what where it is negative; ``_RATIOS`` are shown as 2 to the value."""


def look_closely(sighting: Sighting, settings: EyesAndTeethSettings) -> EyesAndTeethNote | None:
    """Eyes and teeth of one face in one frame; None where neither shows."""
    crop = sighting.crop(_CROP, _COVERAGE)
    landmarks = apply(alignment(sighting.face.landmarks, _CROP, _COVERAGE), sighting.face.landmarks)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    right, left = (eye_of(crop, grey, landmarks[part], settings) for part in (RIGHT_EYE, LEFT_EYE))
    eyes = None if right is None or left is None else (right, left)
    softness = None if eyes is None else _softness(grey, landmarks, settings)
    blankness = _blankness(crop, grey, landmarks[INNER_LIPS], settings)
    if eyes is None and blankness is None:
        return None
    return EyesAndTeethNote(sighting.frame.time_s, eyes, softness, blankness)


def eye_of(crop: np.ndarray, grey: np.ndarray, lids: np.ndarray, settings: EyesAndTeethSettings) -> Eye | None:
    """The eye within ``lids`` (6, 2), pixels of ``crop`` uint8 RGB and ``grey`` float32; None where it is not open.

    The iris is where a soft disc of its size is darkest between the lids.
    """
    height = float(np.linalg.norm(lids[1] - lids[5]) + np.linalg.norm(lids[2] - lids[4])) / 2
    if height < settings.open_eye * float(np.linalg.norm(lids[0] - lids[3])):
        return None
    lids = lids.mean(axis=0) + (lids - lids.mean(axis=0)) * _LID_GROWTH
    x0, y0 = np.floor(lids.min(axis=0) - 2).astype(int).clip(0, _CROP - 1)
    x1, y1 = np.ceil(lids.max(axis=0) + 3).astype(int).clip(1, _CROP)
    if x1 <= x0 or y1 <= y0:
        return None
    within = _filled(lids - (x0, y0), (int(y1 - y0), int(x1 - x0)))
    shade = grey[y0:y1, x0:x1]
    if not within.any():
        return None
    darkness = np.where(within, shade[within].max() - shade, 0).astype(np.float32)
    score = cv2.GaussianBlur(darkness, (0, 0), _IRIS_RADIUS / 2, borderType=cv2.BORDER_CONSTANT)
    x, y = cv2.minMaxLoc(score, within.astype(np.uint8))[3]
    rows, columns = np.arange(shade.shape[0])[:, None], np.arange(shade.shape[1])
    radius = np.hypot(columns - x, rows - y) / _IRIS_RADIUS
    iris = within & (radius <= 1)
    if iris.sum() < settings.least_iris:
        return None
    low, dark, high = np.quantile(shade[iris], [0.2, 0.5, 0.75])  # the pupil lies below, what is mirrored above
    if np.quantile(shade[within], 0.9) - dark < settings.least_white:
        return None
    pixels = crop[y0:y1, x0:x1][iris & (shade >= low) & (shade <= high)]
    colour = np.median(cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, :, 1:], axis=0)
    mirror = iris & (radius <= _HIGHLIGHT_WITHIN)
    strength = float(shade[mirror].max() - dark)
    if strength < settings.least_highlight:
        return Eye(colour, max(strength, 0.0), None)
    bright = mirror & (shade >= dark + 0.6 * strength)
    place = np.array([half.mean() for half in np.nonzero(bright)[::-1]]) - (x, y)
    return Eye(colour, strength, place / _IRIS_RADIUS)


def _of_eyes(pairs: Sequence[tuple[Eye, Eye]], least: int, floor: float) -> dict[str, float]:
    """What both eyes differ in, from at least ``least`` pairs (right, left); ``floor`` is added to both highlights."""
    if len(pairs) < least:
        return {}
    colours = np.array([right.colour - left.colour for right, left in pairs])
    values = {"iris_colour": float(np.linalg.norm(np.median(colours, axis=0)))}
    mirrored = [pair for pair in pairs if any(eye.place is not None for eye in pair)]
    if len(mirrored) >= least:
        ratios = [np.log2((right.highlight + floor) / (left.highlight + floor)) for right, left in mirrored]
        values["highlight_strength"] = abs(float(np.median(ratios)))
    apart = [one.place - two.place for one, two in pairs if one.place is not None and two.place is not None]
    if len(apart) >= least:
        values["highlight_place"] = float(np.linalg.norm(np.median(apart, axis=0)))
    return values


def _softness(grey: np.ndarray, landmarks: np.ndarray, settings: EyesAndTeethSettings) -> float | None:
    """log2 of fine over coarse detail of nostrils and mouth, less the same of the eyes; None where one side is flat."""
    eyes = _filled(landmarks[RIGHT_EYE], grey.shape) | _filled(landmarks[LEFT_EYE], grey.shape)
    levels = []
    for region in (_within(_STRUCTURE), eyes):
        window = _window(region, _BANDS_REACH, _BANDS_REACH)
        inside = region[window]
        blurred = [cv2.GaussianBlur(grey[window], (0, 0), sigma)[inside] for sigma in _BANDS]
        strong = _amplitude(blurred[1] - blurred[2])
        if strong < settings.least_coarse:
            return None
        levels.append(np.log2((_amplitude(blurred[0] - blurred[1]) + _FLOOR) / strong))
    return float(levels[0] - levels[1])


def _blankness(crop: np.ndarray, grey: np.ndarray, lips: np.ndarray, settings: EyesAndTeethSettings) -> float | None:
    """log2 of the cheeks' fine detail over that of the teeth, each against its own brightness; None without teeth.

    Detail is looked for along rows, since upright gaps part teeth while lips run across. Teeth are what is bright
    between the lips and less red than the cheeks, which a tongue is not.
    """
    if float(np.linalg.norm(lips[2] - lips[6])) < settings.open_mouth * _CROP:
        return None
    cheeks, mouth = _within(_CHEEKS), _filled(lips, grey.shape)
    if mouth.sum() < settings.least_teeth:
        return None
    cheek_grey, cheek_red = float(np.median(grey[cheeks])), float(np.median(_redness(crop[cheeks])))
    window = _window(mouth, 0, 0)
    teeth = np.zeros_like(mouth)
    teeth[window] = (
        mouth[window] & (grey[window] >= settings.tooth_brightness * cheek_grey) & (_redness(crop[window]) < cheek_red)
    )
    teeth = cv2.erode(teeth.view(np.uint8), _tooth_margin()).view(bool)
    if teeth.sum() < settings.least_teeth:
        return None
    of_teeth, of_cheeks = (
        (_amplitude(_fine_along_rows(grey, region)) + _FLOOR) / max(float(grey[region].mean()), 1.0)
        for region in (teeth, cheeks)
    )
    return float(np.log2(of_cheeks / of_teeth))


def _redness(pixels: np.ndarray) -> np.ndarray:
    """How much redder than green each of ``pixels`` (..., 3) is, in grey levels."""
    return pixels[..., 0].astype(np.float32) - pixels[..., 1]


def _fine_along_rows(grey: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Fine detail (n,) of ``grey`` across upright lines, at the n pixels of ``region``."""
    window = _window(region, max(_ROW_KERNELS) // 2, 0)
    narrow, wide = (
        cv2.GaussianBlur(grey[window], (taps, 1), sigma) for taps, sigma in zip(_ROW_KERNELS, _BANDS, strict=False)
    )
    return np.asarray((narrow - wide)[region[window]])


def _window(region: np.ndarray, across: int, up: int) -> tuple[slice, slice]:
    """Rows and columns of the rectangle around ``region`` (bool (h, w)), with as many pixels more as blurs reach."""
    x, y, width, height = cv2.boundingRect(region.view(np.uint8))
    return slice(max(y - up, 0), y + height + up), slice(max(x - across, 0), x + width + across)


def _amplitude(band: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(band)))) if band.size else 0.0


def _filled(outline: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """bool (h, w) within the polygon ``outline`` (n, 2)."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask.astype(bool)


@cache
def _tooth_margin() -> np.ndarray:
    across, up = _TOOTH_EDGES
    return np.ones((2 * up + 1, 2 * across + 1), np.uint8)


@cache
def _within(boxes: tuple[tuple[float, float, float, float], ...]) -> np.ndarray:
    """bool (256, 256) within any of ``boxes``."""
    mask = np.zeros((_CROP, _CROP), bool)
    for x0, y0, x1, y1 in boxes:
        mask[round(y0 * _CROP) : round(y1 * _CROP), round(x0 * _CROP) : round(x1 * _CROP)] = True
    return mask


def _figure(times: np.ndarray, curve: np.ndarray, high: float | None) -> Figure:
    levels = {"as detailed": 0.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title="How much less detailed the eyes are than the rest of the face",
        y_label="softness of the eyes (log2)",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) if np.isfinite(v) else None for v in curve],
        levels=levels,
    )
