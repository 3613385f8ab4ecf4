"""Is the face sharp in the same way, and of the same colour, as what surrounds it?"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread
from likeness.examiner import Figure
from likeness.faces.align import alignment, apply, square_in_crop, warp
from likeness.faces.face import Face, Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import Clip

_LEAST_SHARE_WITH_STEP = 0.25  # of the frames must show skin on both sides of the edge
_LEAST_PIXELS = 100  # of the face proper
_FINE_FLOOR = 0.5  # grey levels: what rounding to 8 bits leaves of any detail
_CROP, _COVERAGE = 128, 0.55  # the aligned crop in which skin is compared: it shows the forehead too
# Rectangles (x0, y0, x1, y1) of TEMPLATE's square.
_FOREHEAD = (0.30, -0.20, 0.70, -0.06)
_INNER_SKIN = ((0.16, 0.30, 0.32, 0.46), (0.68, 0.30, 0.84, 0.46), (0.46, 0.20, 0.54, 0.36))
_SKIN_CHROMA = ((133, 77), (178, 130))  # least and most (Cr, Cb)


@dataclass(frozen=True)
class SeamSettings:
    """Where to measure. Lengths named ``…_part`` are parts of the distance between the outer eye corners."""

    narrowest_px: float = 80.0
    widest_px: float = 256.0  # sharpness of wider faces is measured at this width: blurs cost by the pixel
    largest_yaw: float = 40.0  # degrees: beyond, one edge of the hull is hidden
    least_frames: int = 8
    most_frames: int = 48
    core_part: float = 0.12  # how far inside the hull's edge the face proper begins
    ring_part: float = 0.60  # how far outside the hull the surroundings reach
    guard_part: float = 0.12  # left out just outside the edge: it may already be blended
    band_parts: tuple[float, float] = (0.03, 0.07)  # the band in which structure is looked for, between these blurs
    window_part: float = 0.06  # half the window over which amplitudes are taken
    least_structure: float = 1.5  # grey levels: below, a place has nothing that could be sharp
    least_share: float = 0.15  # of the face, and of the surroundings, must have structure
    sharpest: float = 0.9  # quantile: surroundings and face are compared where each is sharpest
    least_detail: float = 2.5  # grey levels of fine detail in the surroundings; rounding to 8 bits alone makes 1.8
    least_skin: float = 0.6  # share of the forehead that must look like skin, not hair


@dataclass(frozen=True)
class SeamMeasure:
    """One face in one frame.

    ``softness``: log2 of how many times less sharp the face is at its sharpest than its surroundings at theirs.
    ``step``: CIE Lab units between the forehead just outside the hull and the cheeks and nose inside it, lightness at
    half weight; None where no skin shows there. ``detail``: fine detail of the surroundings in grey levels.
    """

    time_s: float
    softness: float
    step: float | None
    detail: float


class Seam(Cue[SeamMeasure]):
    """A swapped face is drawn at its own resolution and blended in: it can be softer than its surroundings, or of
    another colour.

    Sharpness is fine detail over coarse structure, taken where each side has structure and is sharpest, since lens,
    sensor and codec limit both alike (compare Matern et al. 2019, Exploiting Visual Artifacts). The colour step lies
    between the forehead, outside the landmarks' hull, and the cheeks inside (compare Li et al. 2020, Face X-ray).
    Abstains on faces narrower than 80 px, on few frames, and where compression or blur has removed all fine detail.
    """

    name = "seam"
    without_faces = "No face was found, so there is no edge to look at."

    def __init__(self, settings: SeamSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or SeamSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "This examiner is calibrated on moving footage only, so it does not judge a single picture."
        faces = self._usable(track)
        if len(faces) < self.settings.least_frames:
            return (
                f"Only {len(faces)} frames show the face at least {self.settings.narrowest_px:.0f} px wide and turned "
                f"less than {self.settings.largest_yaw:.0f}°; its edge needs {self.settings.least_frames}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_frames)

    def note(self, sighting: Sighting) -> SeamMeasure | None:
        return measure_seam(sighting, self.settings)

    def measure(self, clip: Clip, track: Track, notes: Sequence[SeamMeasure]) -> Measurement | str:
        if len(notes) < self.settings.least_frames:
            return "Too little of the face or of its surroundings can be seen to compare how sharp they are."
        if float(np.median([note.detail for note in notes])) < self.settings.least_detail:
            return (
                "Compression or blur has removed fine detail from the whole picture: the face cannot stand out by it."
            )
        times = np.array([note.time_s for note in notes])
        softness = np.array([note.softness for note in notes])
        high = self.calibration.frame_high("softness")
        shortest = 2 * float(np.median(np.diff(times)))
        return Measurement(
            summary(notes),
            spans=[] if high is None else spans_above(times, softness, high, shortest),
            figure=_figure(times, softness, high),
            details={"frames": len(notes)},
        )

    def sentence(self, measured: Measurement) -> str:
        values, calibration = measured.values, self.calibration
        softness = values["softness"]
        text = (
            f"The face is {'softer' if softness > 0 else 'sharper'} than its surroundings by a factor of "
            f"{2 ** abs(softness):.2f} (as soft or softer: {calibration.rarity('softness', softness)})."
        )
        if measured.spans:
            text += " It stands out " + ", ".join(f"from {a:.1f} to {b:.1f} s" for a, b in measured.spans) + "."
        if "step" not in values:
            return text
        return (
            f"{text} The forehead above its edge is {values['step']:.1f} Lab units from the cheeks within "
            f"(as far or farther: {calibration.rarity('step', values['step'])})."
        )

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)


def summary(measures: Sequence[SeamMeasure]) -> dict[str, float]:
    """The features of one track: the median softness and, where skin lies outside often enough, the median step."""
    values = {"softness": float(np.median([m.softness for m in measures]))}
    steps = [m.step for m in measures if m.step is not None]
    if len(steps) >= len(measures) * _LEAST_SHARE_WITH_STEP:
        values["step"] = float(np.median(steps))
    return values


def measure_seam(sighting: Sighting, settings: SeamSettings) -> SeamMeasure | None:
    """Measure one face in one frame; None where face or surroundings show too little."""
    around = _around(sighting.frame.image, sighting.face, (settings.ring_part + 0.1) * sighting.face.eye_distance)
    scale = min(settings.widest_px / max(sighting.face.width, 1.0), 1.0)
    image, landmarks = _reduced(*around, scale)
    eye = scale * sighting.face.eye_distance
    if image.size == 0:
        return None
    core, ring = _regions(landmarks, image.shape[:2], eye, settings)
    if core.sum() < _LEAST_PIXELS or ring.sum() < core.sum() / 2:
        return None
    fine, coarse = detail(image, eye, settings)
    structured = coarse >= settings.least_structure
    if min((structured & part).sum() / part.sum() for part in (core, ring)) < settings.least_share:
        return None
    sharpness = np.log2(fine / coarse)
    inner, outer = (float(np.quantile(sharpness[structured & part], settings.sharpest)) for part in (core, ring))
    return SeamMeasure(
        time_s=sighting.frame.time_s,
        softness=outer - inner,
        step=colour_step(sighting.frame.image, sighting.face.landmarks, settings),
        detail=float(np.quantile(fine[ring], settings.sharpest)),
    )


def detail(image: np.ndarray, eye: float, settings: SeamSettings) -> tuple[np.ndarray, np.ndarray]:
    """Local amplitudes (h, w) of fine detail and of coarse structure in ``image`` (uint8 RGB), in grey levels, never 0.

    Fine is the Laplacian at one pixel; coarse is a band whose blurs are parts of ``eye``, the eyes' distance in pixels.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = 2 * round(settings.window_part * eye) + 1
    low, high = (cv2.GaussianBlur(grey, (0, 0), part * eye) for part in settings.band_parts)

    def amplitude(band: np.ndarray) -> np.ndarray:
        return np.sqrt(cv2.boxFilter(band * band, -1, (side, side)))

    return amplitude(cv2.Laplacian(grey, cv2.CV_32F)) + _FINE_FLOOR, amplitude(low - high) + _FINE_FLOOR / 2


def colour_step(image: np.ndarray, landmarks: np.ndarray, settings: SeamSettings) -> float | None:
    """How far the forehead above the hull is from cheeks and nose inside it, in CIE Lab with lightness at half weight.

    None where the forehead does not look like skin (Chai & Ngan 1999, chrominance limits; here a little wider).
    """
    crop = warp(image, alignment(landmarks, _CROP, _COVERAGE), _CROP)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    chroma = cv2.cvtColor(crop, cv2.COLOR_RGB2YCrCb)[_place(_FOREHEAD)].reshape(-1, 3)[:, 1:]
    is_skin = ((chroma >= _SKIN_CHROMA[0]) & (chroma <= _SKIN_CHROMA[1])).all(axis=1)
    if is_skin.mean() < settings.least_skin:
        return None
    outside = np.median(lab[_place(_FOREHEAD)].reshape(-1, 3), axis=0)
    inside = np.median(np.concatenate([lab[_place(part)].reshape(-1, 3) for part in _INNER_SKIN]), axis=0)
    return float(np.linalg.norm((outside - inside) * [0.5, 1.0, 1.0]))


def _regions(
    landmarks: np.ndarray, shape: tuple[int, int], eye: float, settings: SeamSettings
) -> tuple[np.ndarray, np.ndarray]:
    """The face proper and the ring around it, bool (h, w), with the blended edge left out."""
    inside = np.pad((hull_mask(landmarks, shape) >= 0.5).astype(np.uint8), 1, mode="edge")
    depth, height = (cv2.distanceTransform(part, cv2.DIST_L2, 3)[1:-1, 1:-1] for part in (inside, 1 - inside))
    core = depth >= settings.core_part * eye
    return core, (height >= settings.guard_part * eye) & (height <= settings.ring_part * eye)


def _place(part: tuple[float, float, float, float]) -> tuple[slice, slice]:
    """Rows and columns of the aligned crop under the rectangle ``part`` (x0, y0, x1, y1) of TEMPLATE's square."""
    x0, y0, x1, y1 = apply(square_in_crop(_CROP, _COVERAGE), np.array(part).reshape(2, 2)).round().astype(int).ravel()
    return slice(y0, y1), slice(x0, x1)


def _around(image: np.ndarray, face: Face, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of ``image`` within ``margin`` pixels of the face, and the landmarks in it."""
    height, width = image.shape[:2]
    x0, y0 = (max(int(v - margin), 0) for v in face.box[:2])
    x1, y1 = min(int(face.box[2] + margin), width), min(int(face.box[3] + margin), height)
    return np.ascontiguousarray(image[y0:y1, x0:x1]), face.landmarks - np.array([x0, y0], np.float32)


def _reduced(image: np.ndarray, landmarks: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ``scale`` times as large, by area; at a scale of 1 or more as they are."""
    if scale >= 1 or not image.size:
        return image, landmarks
    height, width = (max(round(side * scale), 1) for side in image.shape[:2])
    factors = np.array([width / image.shape[1], height / image.shape[0]], np.float32)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small, ((landmarks + 0.5) * factors - 0.5).astype(np.float32)  # whole numbers are the middles of pixels


def _figure(times: np.ndarray, softness: np.ndarray, high: float | None) -> Figure:
    levels = {"equally sharp": 0.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title="How much softer the face is than its surroundings",
        y_label="softness (log2)",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) for v in softness],
        levels=levels,
    )
