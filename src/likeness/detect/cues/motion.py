"""Do the inner features and their light move as steadily as the head that carries them?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, consecutive, frame_interval, spans_above
from likeness.examiner import Figure
from likeness.faces.align import TEMPLATE, apply, square_in_crop, umeyama
from likeness.faces.face import JAW, LEFT_BROW, NOSE_BASE, RIGHT_BROW, Face, Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import Clip

# Brows and nose: parts that neither speech nor blinking moves.
_INNER = np.r_[RIGHT_BROW.start : LEFT_BROW.stop, LEFT_BROW.stop : NOSE_BASE.stop]
_OUTER = np.r_[JAW]
_CROP, _COVERAGE = 224, 0.5  # the aligned crop that all cues share
_LEAST_LIGHT = 1e-4  # relative change of luminance: 8-bit footage cannot show less
_LEAST_BEND = 1e-4  # outer-eye distances: below what any landmark can be told
_SMOOTHING_S = 0.25  # of the figure


@dataclass(frozen=True)
class MotionSettings:
    """What is long, large and lively enough to measure. Motion is in parts of the outer-eye distance a second."""

    shortest_s: float = 1.5
    narrowest_px: float = 60.0
    largest_yaw: float = 45.0
    slowest_rate: float = 12.0  # frames a second
    least_motion: float = 0.02  # below, the face hangs still and only codec noise is left
    most_motion: float = 6.0  # above, motion blur hides everything else
    longest_pixels_s: float = 4.0  # light is followed over this long from the middle of a track: decoding is what costs
    core_part: float = 0.06  # of the crop: how far inside the hull the face proper begins
    ring_part: float = 0.14  # of the crop: how far outside the hull the surroundings reach
    shortest_span_s: float = 0.25  # for which it must stand out to be marked


@dataclass(frozen=True)
class Light:
    """Mean luma, in grey levels, of the inner face and of the ring ``outer`` around it."""

    time_s: float
    inner: float
    outer: float


class Motion(Cue[Light]):
    """A swap is drawn anew in every frame: its features tremble against the head, and its light flickers.

    Jitter is the second difference of brows and nose over that of the jaw, after head motion is taken out (seed 003:
    landmarks from frame to frame). Flicker is the second difference of the inner face's luminance over that of a ring
    around it. Abstains on short clips, slow frame rates, small or turned faces and on faces that hardly move or move
    too fast.
    """

    name = "motion"
    without_faces = "No face was found, so there is no motion to follow."

    def __init__(self, settings: MotionSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or MotionSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture shows no motion."
        settings, faces = self.settings, self._longest(track)
        seconds, interval = faces[-1].time_s - faces[0].time_s, frame_interval(faces)
        if seconds < settings.shortest_s:
            return (
                f"The face is followed without a break for only {seconds:.1f} s; "
                f"its motion needs {settings.shortest_s:.1f} s."
            )
        if interval > 1 / settings.slowest_rate:
            return (
                f"At {1 / interval:.0f} frames a second motion between frames is too coarse; "
                f"it needs {settings.slowest_rate:.0f}."
            )
        width = float(np.median([face.width for face in faces]))
        if width < settings.narrowest_px:
            return f"The face is {width:.0f} px wide; its motion can be followed from {settings.narrowest_px:.0f} px."
        speed = head_speed(faces)
        if speed < settings.least_motion:
            return "The face hardly moves, so there is no motion to compare."
        if speed > settings.most_motion:
            return "The head moves so fast that blur hides how the face moves on it."
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        faces = self._longest(track)
        centre, half = (faces[0].time_s + faces[-1].time_s) / 2, self.settings.longest_pixels_s / 2
        return [face for face in faces if abs(face.time_s - centre) <= half]

    def note(self, sighting: Sighting) -> Light:
        return luminance(sighting, self.settings)

    def measure(self, clip: Clip, track: Track, notes: Sequence[Light]) -> Measurement:
        faces = self._longest(track)
        times, jitter = jitter_curve(faces)
        high = self.calibration.frame_high("jitter")
        return Measurement(
            summary(faces, notes),
            spans=[] if high is None else spans_above(times, jitter, high, self.settings.shortest_span_s),
            figure=_figure(times, jitter, high),
        )

    def sentence(self, measured: Measurement) -> str:
        values, calibration = measured.values, self.calibration
        text = (
            f"Brows and nose tremble {2 ** values['jitter']:.2f} times as much as the jaw "
            f"(as much or more: {calibration.rarity('jitter', values['jitter'])})."
        )
        if measured.spans:
            text += " They stand out " + ", ".join(f"from {a:.1f} to {b:.1f} s" for a, b in measured.spans) + "."
        if "flicker" not in values:
            return text
        return (
            f"{text} The light of the face flickers {2 ** values['flicker']:.2f} times as much as that around it "
            f"(as much or more: {calibration.rarity('flicker', values['flicker'])})."
        )

    def _longest(self, track: Track) -> list[Face]:
        usable = [face for face in track.faces if abs(face.yaw) <= self.settings.largest_yaw] or track.faces[:1]
        return max(consecutive(usable, 1.5 * max(frame_interval(track.faces), 1e-3)), key=len)


def head_speed(faces: Sequence[Face]) -> float:
    """Median speed of the landmarks, in outer-eye distances a second."""
    points = np.array([face.landmarks for face in faces], np.float64)
    eye = float(np.median([face.eye_distance for face in faces]))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(1)
    return float(np.median(steps)) / max(eye, 1e-6) / max(frame_interval(faces), 1e-6)


def tremble(faces: Sequence[Face]) -> tuple[np.ndarray, np.ndarray]:
    """Second differences of inner and outer landmarks, each float64 (n − 2,), in outer-eye distances.

    Each frame's neighbours are first brought onto it by the similarity of all 68 landmarks, which takes head motion
    out.
    """
    inner, outer = [], []
    for before, now, after in zip(faces, faces[1:], faces[2:], strict=False):
        middle = now.landmarks.astype(np.float64)
        back, forth = (
            apply(umeyama(face.landmarks, middle), face.landmarks.astype(np.float64)) for face in (before, after)
        )
        bend = np.linalg.norm(back - 2 * middle + forth, axis=1) / max(now.eye_distance, 1e-6)
        inner.append(bend[_INNER].mean())
        outer.append(bend[_OUTER].mean())
    return np.array(inner), np.array(outer)


def luminance(sighting: Sighting, settings: MotionSettings) -> Light:
    """Mean luma of the inner face and of the ring around it, both in the face's own frame."""
    grey = cv2.cvtColor(sighting.crop(_CROP, _COVERAGE), cv2.COLOR_RGB2GRAY)
    core, ring = _regions(settings)
    return Light(sighting.face.time_s, cv2.mean(grey, core)[0], cv2.mean(grey, ring)[0])


def summary(faces: Sequence[Face], lights: Sequence[Light]) -> dict[str, float]:
    """The features of one track: log2 of jitter inner/outer and of flicker inner/outer."""
    inner, outer = tremble(faces)
    values = {"jitter": float(np.log2((np.median(inner) + _LEAST_BEND) / (np.median(outer) + _LEAST_BEND)))}
    if len(lights) > 4:
        luma = np.array([(light.inner, light.outer) for light in lights])
        bend = np.abs(luma[:-2] - 2 * luma[1:-1] + luma[2:]) / np.maximum(luma[1:-1], 1)
        core, ring = np.median(bend, axis=0) + _LEAST_LIGHT
        values["flicker"] = float(np.log2(core / ring))
    return values


def jitter_curve(faces: Sequence[Face]) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and log2 of the jitter inner/outer over a quarter of a second, each float64 (n,)."""
    inner, outer = tremble(faces)
    window = max(1, min(round(_SMOOTHING_S / max(frame_interval(faces), 1e-3)), len(inner)))
    smooth = np.ones(window) / window
    above, below = (np.convolve(bend, smooth, "valid") + _LEAST_BEND for bend in (inner, outer))
    return np.convolve([face.time_s for face in faces[1:-1]], smooth, "valid"), np.log2(above / below)


@cache
def _regions(settings: MotionSettings) -> tuple[np.ndarray, np.ndarray]:
    """The inner face and the ring around it, uint8 masks (crop, crop), from the mean face."""
    landmarks = apply(square_in_crop(_CROP, _COVERAGE), TEMPLATE)
    inside = (hull_mask(landmarks, (_CROP, _CROP)) >= 0.5).astype(np.uint8)
    depth, height = (cv2.distanceTransform(part, cv2.DIST_L2, 3) for part in (inside, 1 - inside))
    core, ring = depth >= settings.core_part * _CROP, (height > 0) & (height <= settings.ring_part * _CROP)
    return core.astype(np.uint8), ring.astype(np.uint8)


def _figure(times: np.ndarray, jitter: np.ndarray, high: float | None) -> Figure:
    levels = {"as much as the jaw": 0.0} | (
        {"1 in 20 genuine moments above": round(high, 3)} if high is not None else {}
    )
    return Figure(
        title="How much brows and nose tremble against the jaw",
        y_label="jitter (log2)",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) for v in jitter],
        levels=levels,
    )
