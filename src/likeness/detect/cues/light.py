"""Does the light on the face come from where it comes from around it, in the same colour, and does it stay there?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread_pairs
from likeness.examiner import Figure
from likeness.faces.align import TEMPLATE
from likeness.faces.face import Face, Track
from likeness.faces.hull import face_outline
from likeness.media.clip import Clip

_CROP, _COVERAGE = 224, 0.5  # the aligned crop that all cues share
_CELL = 8  # pixels of the crop a side: small against the face, large against its pores
_CELLS = _CROP // _CELL
_DISPLAY_GAMMA = 2.2
_DARKEST = 1e-3  # linear light: what 8 bits can tell from black, about

# Rectangles (x0, y0, x1, y1) of TEMPLATE's square that are no skin: the eyes with their brows, the nostrils, the mouth.
_NO_SKIN = ((0.08, -0.05, 0.43, 0.24), (0.57, -0.05, 0.92, 0.24), (0.36, 0.38, 0.64, 0.53), (0.24, 0.53, 0.76, 0.78))
_FOREHEAD = (0.16, -0.24, 0.84, -0.05)
_NECK = (0.30, 1.08, 0.70, 1.30)
_EDGE = 0.06  # of TEMPLATE's unit left out inside the hull

# The head as an ellipsoid in TEMPLATE's unit: its middle, its half axes (right, down, towards the camera), and how far
# behind the landmarks' middle it turns.
_MIDDLE = (0.5, 0.40)
_HALF_AXES = np.array([0.60, 0.85, 0.65])
_LEVER = 0.35

_SAID = {
    "wander": "The light on the face moves from its usual place by {:.1%} of the face's brightness",
    "direction": "The forehead's shading differs from that of the face below by {:.1%} of its brightness",
    "cast": "The colour of light on the face differs by {:.1%} from that on the skin around it",
    "flicker": "Against that skin its brightness flickers {:.2f} times as much as the skin itself does",
    "tint_flicker": "Against that skin its colour flickers {:.2f} times as much as the skin's own",
}


@dataclass(frozen=True)
class LightSettings:
    """What is large, bright and colourful enough. Chromaticity is in natural logarithms of ratios of linear light."""

    narrowest_px: float = 60.0
    largest_yaw: float = 40.0  # degrees: beyond, one cheek is hidden
    most_frames: int = 48
    least_frames: int = 8  # of a moving clip
    longest_gap_s: float = 0.1  # between neighbours, for flicker
    least_pairs: int = 6
    linear_range: tuple[float, float] = (0.005, 0.85)  # of the face's median; beyond, the camera has clipped it
    like_chromaticity: float = 0.35  # from the face's own: what is farther is hair, clothes or background
    like_brightness: float = 3.0  # times darker or brighter than the face
    least_cells: int = 12  # of skin outside
    least_breadth: float = 0.35  # of the normals' sideways component over the forehead, from end to end
    least_colour: float = 0.03  # chromaticity of the face: below, the picture is grey
    outlier: float = 2.5  # robust deviations from the fit: cells beyond are beard, glasses or shadow
    flicker_floor: float = 0.001  # of log light: less than rounding to 8 bits leaves in the mean of a region


@dataclass(frozen=True, eq=False)
class LightCells:
    """The light of one face in one frame: float32 (28, 28, 3) linear RGB of the crop's cells, and the head's pose."""

    time_s: float
    cells: np.ndarray
    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Lighting:
    """How one face in one frame is lit.

    ``tilt`` (2,): how much brighter, in parts of its mean light, the face grows for normals turned fully towards the
    image's right, and down. ``direction``: the forehead's own sideways tilt less that of the face within, None where
    too little of it shows. ``cast`` (2,): log red / green and log blue / green of the face less those of the skin
    around it, None where no such skin shows or the picture is grey. ``light`` (3,) and ``around`` (3,): log luminance
    and the two chromaticities of the face and of the skin around it.
    """

    time_s: float
    tilt: np.ndarray
    direction: float | None
    cast: np.ndarray | None
    light: np.ndarray
    around: np.ndarray | None


class Light(Cue[LightCells]):
    """A swapped face brings its own light: it may come from elsewhere, in another colour, and change by itself.

    On a matt convex surface light is nearly a linear function of the normal (first-order spherical harmonics: Basri &
    Jacobs 2003; as a forensic clue, Johnson & Farid 2007, Exposing digital forgeries in complex lighting environments).
    Normals are those of an ellipsoid that turns with the head. Features: ``wander``, how far the light moves from its
    usual place, in parts of the face's brightness, since lamps stay where they are while a head turns; ``direction``,
    how far the forehead's sideways shading is from that of the face within; ``cast``, the difference in chromaticity
    between face and the forehead and neck around it (natural logarithms); ``flicker`` and ``tint_flicker``, log2 of how
    much more the face's brightness and chromaticity change from frame to frame against that skin's than that skin's own
    do. A single picture has ``picture_direction`` and ``picture_cast``.

    Abstains on faces under 60 px, on few frames, and on faces too dark or too bright to tell shading. Make-up, a beard,
    a cap's shadow and mixed lamps look like another light. The angle between the lights of two faces is not judged
    here, since a cue sees one face at a time; the report gives each one's tilt.
    """

    name = "light"
    without_faces = "No face was found, so there is no light on it to judge."

    def __init__(self, settings: LightSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or LightSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        usable, least = len(self._usable(track)), self._least_frames(clip)
        if usable < least:
            return (
                f"Only {usable} frames show the face at least {self.settings.narrowest_px:.0f} px wide and turned "
                f"less than {self.settings.largest_yaw:.0f}°; its light needs {least}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread_pairs(self._usable(track), self.settings.most_frames, self.settings.longest_gap_s)

    def note(self, sighting: Sighting) -> LightCells | None:
        face = sighting.face
        small = cv2.resize(sighting.crop(_CROP, _COVERAGE), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
        linear = (small.astype(np.float32) / 255) ** _DISPLAY_GAMMA
        return LightCells(sighting.frame.time_s, linear, face.yaw, face.pitch, face.roll)

    def measure(self, clip: Clip, track: Track, notes: Sequence[LightCells]) -> Measurement | str:
        settings = self.settings
        seen = [lighting for note in notes if (lighting := lighting_of(note, settings)) is not None]
        if len(seen) < self._least_frames(clip):
            return "The face is too dark or too bright to see from where it is lit."
        tilts = np.array([lighting.tilt for lighting in seen])
        usual = np.median(tilts, axis=0)
        details: dict[str, float | str | int | bool | None] = {
            "frames": len(seen),
            "tilt_right": round(float(usual[0]), 3),
            "tilt_down": round(float(usual[1]), 3),
        }
        values = _colour_and_direction(seen)
        if clip.kind == "picture":
            if not values:
                return "No forehead or neck shows that the light on the face could be compared with."
            return Measurement({f"picture_{name}": value for name, value in values.items()}, details=details)
        away = np.hypot(*(tilts - usual).T)
        times = np.array([lighting.time_s for lighting in seen])
        values |= {"wander": float(np.median(away))} | flickers(seen, settings)
        high = self.calibration.frame_high("wander")
        return Measurement(
            values,
            spans=[] if high is None else spans_above(times, away, high, 2 * float(np.median(np.diff(times)))),
            figure=_figure(times, away, high),
            details=details,
        )

    def sentence(self, measured: Measurement) -> str:
        parts = []
        for name, said in _SAID.items():
            for key in (name, f"picture_{name}"):
                if (value := measured.values.get(key)) is not None:
                    shown = 2**value if "flicker" in name else value
                    parts.append(f"{said.format(shown)} (as much or more: {self.calibration.rarity(key, value)}).")
        return " ".join(parts)

    def _least_frames(self, clip: Clip) -> int:
        return 1 if clip.kind == "picture" else self.settings.least_frames

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)


def lighting_of(note: LightCells, settings: LightSettings) -> Lighting | None:
    """How the face of ``note`` is lit; None where it is too dark or too bright to tell."""
    inner, forehead, neck = _regions()
    luminance = note.cells @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    low, high = settings.linear_range
    if not low <= np.median(luminance[inner]) <= high:
        return None
    normals = head_normals(note.yaw, note.pitch)
    tilt = shading(normals[inner][:, :2], luminance[inner], settings.outlier)
    description = _describe(note.cells, luminance)
    light = np.median(description[inner], axis=0)
    is_skin = (np.abs(description[..., 1:] - light[1:]).max(axis=-1) <= settings.like_chromaticity) & (
        np.abs(description[..., 0] - light[0]) <= np.log(settings.like_brightness)
    )
    outer = is_skin & (forehead | neck)
    around = np.median(description[outer], axis=0) if outer.sum() >= settings.least_cells else None
    is_grey = np.abs(light[1:]).max() < settings.least_colour
    cast = None if around is None or is_grey else light[1:] - around[1:]
    direction = None
    brow = is_skin & forehead
    if brow.sum() >= settings.least_cells and np.ptp(normals[brow][:, 0]) >= settings.least_breadth:
        direction = float(shading(normals[brow][:, :1], luminance[brow], settings.outlier)[0] - tilt[0])
    angle = np.radians(note.roll)
    upright = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Lighting(note.time_s, upright @ tilt, direction, cast, light, around)


def shading(normals: np.ndarray, light: np.ndarray, outlier: float) -> np.ndarray:
    """How ``light`` (n,) grows with each component of ``normals`` (n, d), in parts of its mean: float64 (d,).

    Least squares with a constant for what comes from everywhere; cells beyond ``outlier`` robust deviations are left
    out of a second fit. The component towards the camera hardly varies over a face: callers leave it to the constant.
    """
    columns = np.column_stack([np.ones(len(light)), normals]).astype(np.float64)
    found = np.linalg.lstsq(columns, light.astype(np.float64), rcond=None)[0]
    error = np.abs(light - columns @ found)
    kept = error <= outlier * max(1.4826 * float(np.median(error)), _DARKEST)
    found = np.linalg.lstsq(columns[kept], light[kept].astype(np.float64), rcond=None)[0]
    return np.asarray(found[1:] / max(float(light[kept].mean()), _DARKEST))


def flickers(seen: Sequence[Lighting], settings: LightSettings) -> dict[str, float]:
    """``flicker`` and ``tint_flicker`` from neighbouring frames; neither where there are too few."""
    face, around = [], []
    for one, other in pairwise(seen):
        if other.time_s - one.time_s <= settings.longest_gap_s and one.around is not None and other.around is not None:
            face.append(other.light - one.light)
            around.append(other.around - one.around)
    if len(face) < settings.least_pairs:
        return {}
    change, usual = np.array(face) - np.array(around), np.array(around)

    def times_more(columns: slice) -> float:
        own, skin = (float(np.median(np.linalg.norm(part[:, columns], axis=1))) for part in (change, usual))
        return float(np.log2((own + settings.flicker_floor) / (skin + settings.flicker_floor)))

    return {"flicker": times_more(slice(0, 1)), "tint_flicker": times_more(slice(1, 3))}


def head_normals(yaw: float, pitch: float) -> np.ndarray:
    """Unit normals float64 (28, 28, 3) of the crop's cells: to the right, down, and towards the camera.

    The head is an ellipsoid about as deep as it is wide, so turning it moves it behind the landmarks but hardly changes
    its outline. Angles in degrees as in `Face`. Cells beyond its edge get the normal of the edge.
    """
    x0 = _MIDDLE[0] - _LEVER * np.sin(np.radians(yaw))
    y0 = _MIDDLE[1] + _LEVER * np.sin(np.radians(pitch))
    across = (_cell_places() - (x0, y0)) / _HALF_AXES[:2]
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1.0)
    towards = np.sqrt(np.maximum(1 - np.square(across).sum(axis=-1, keepdims=True), 0.0))
    normals = np.concatenate([across, towards], axis=-1) / _HALF_AXES
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True))


@cache
def _cell_places() -> np.ndarray:
    """The cells' middles (28, 28, 2), x and y, in TEMPLATE's unit square and around it."""
    steps = ((np.arange(_CELLS) + 0.5) * _CELL / _CROP - (1 - _COVERAGE) / 2) / _COVERAGE
    return np.stack(np.meshgrid(steps, steps), axis=-1)


@cache
def _regions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which cells (28, 28) are skin of the face proper, forehead above the hull, and neck."""
    places = _cell_places()

    def within(box: tuple[float, float, float, float]) -> np.ndarray:
        x0, y0, x1, y1 = box
        return np.asarray(((places >= (x0, y0)) & (places <= (x1, y1))).all(axis=-1))

    outline = face_outline(TEMPLATE)
    depth = [cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in places.reshape(-1, 2)]
    proper = np.array(depth).reshape(_CELLS, _CELLS) >= _EDGE
    inner = proper & ~np.any([within(box) for box in _NO_SKIN], axis=0)
    return inner, within(_FOREHEAD), within(_NECK)


def _describe(cells: np.ndarray, luminance: np.ndarray) -> np.ndarray:
    """Log of luminance, of red / green and of blue / green: (28, 28, 3)."""
    red, green, blue = np.moveaxis(np.maximum(cells, _DARKEST), -1, 0)
    return np.stack([np.log(np.maximum(luminance, _DARKEST)), np.log(red / green), np.log(blue / green)], axis=-1)


def _colour_and_direction(seen: Sequence[Lighting]) -> dict[str, float]:
    """``direction`` and ``cast``, each where at least half of the frames show it."""
    values = {}
    directions = [lighting.direction for lighting in seen if lighting.direction is not None]
    if 2 * len(directions) >= len(seen):
        values["direction"] = abs(float(np.median(directions)))
    casts = [lighting.cast for lighting in seen if lighting.cast is not None]
    if 2 * len(casts) >= len(seen):
        values["cast"] = float(np.linalg.norm(np.median(casts, axis=0)))
    return values


def _figure(times: np.ndarray, away: np.ndarray, high: float | None) -> Figure:
    return Figure(
        title="How far the light on the face is from its usual place",
        y_label="part of the face's brightness",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 4) for v in away],
        levels={} if high is None else {"1 in 20 genuine moments above": round(high, 4)},
    )
