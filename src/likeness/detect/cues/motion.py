"""Do the inner features and their light move as steadily as the head that carries them?"""

from dataclasses import dataclass

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration, Feature, shipped
from likeness.detect.sightings import Sighting, consecutive, frame_interval, sightings
from likeness.examiner import Examiner, Figure, Finding, abstention
from likeness.faces.align import TEMPLATE, alignment, apply, square_in_crop, umeyama, warp
from likeness.faces.face import JAW, LEFT_BROW, NOSE_BASE, RIGHT_BROW, Face, Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import Clip

# Brows and nose: parts that neither speech nor blinking moves.
_INNER = np.r_[RIGHT_BROW.start : LEFT_BROW.stop, LEFT_BROW.stop : NOSE_BASE.stop]
_OUTER = np.r_[JAW]
_LEAST_LIGHT = 1e-4  # relative change of luminance: 8-bit footage cannot show less


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
    crop_px: int = 96
    coverage: float = 0.5
    core_part: float = 0.06  # of the crop: how far inside the hull the face proper begins
    ring_part: float = 0.14  # of the crop: how far outside the hull the surroundings reach


@dataclass(frozen=True, eq=False)
class MotionMeasure:
    """One track: the features, and the jitter over time for the figure (``times_s``, ``jitter`` float64 (n,), log2)."""

    values: dict[str, float]
    times_s: np.ndarray
    jitter: np.ndarray


class Motion(Examiner):
    """A swap is drawn anew in every frame: its features tremble against the head, and its light flickers.

    Jitter is the second difference of brows and nose over that of the jaw, after head motion is taken out (seed 003:
    landmarks from frame to frame). Flicker is the second difference of the inner face's luminance over that of a ring
    around it. Abstains on short clips, slow frame rates, small or turned faces and on faces that hardly move or move
    too fast.
    """

    name = "motion"

    def __init__(self, settings: MotionSettings | None = None, calibration: CueCalibration | None = None) -> None:
        self.settings = settings or MotionSettings()
        self.calibration = calibration or shipped(self.name)

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """One finding for each track."""
        if not tracks:
            return [abstention(self.name, "No face was found, so there is no motion to follow.")]
        if clip.kind != "video":
            return [abstention(self.name, "A single picture shows no motion.", track.id) for track in tracks]
        reasons = {track.id: self.reason_to_abstain(track) for track in tracks}
        measures = self.measure(clip, [track for track in tracks if not reasons[track.id]])
        return [self._finding(track.id, reasons[track.id], measures.get(track.id)) for track in tracks]

    def reason_to_abstain(self, track: Track) -> str | None:
        """Why this track cannot be measured, before any frame is decoded; None where it can."""
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

    def measure(self, clip: Clip, tracks: list[Track]) -> dict[int, MotionMeasure]:
        """Measure each track; decodes at most ``longest_pixels_s`` of it."""
        chosen = {track.id: self._longest(track) for track in tracks}
        wanted = [(number, face) for number, faces in chosen.items() for face in self._middle(faces)]
        lights: dict[int, list[tuple[float, float]]] = {number: [] for number in chosen}
        for sighting in sightings(clip, wanted):
            lights[sighting.track].append(luminance(sighting, self.settings))
        return {number: summary(faces, np.array(lights[number])) for number, faces in chosen.items()}

    def _longest(self, track: Track) -> list[Face]:
        usable = [face for face in track.faces if abs(face.yaw) <= self.settings.largest_yaw] or track.faces[:1]
        return max(consecutive(usable, 1.5 * max(frame_interval(track.faces), 1e-3)), key=len)

    def _middle(self, faces: list[Face]) -> list[Face]:
        half = self.settings.longest_pixels_s / 2
        centre = (faces[0].time_s + faces[-1].time_s) / 2
        return [face for face in faces if abs(face.time_s - centre) <= half]

    def _finding(self, track: int, reason: str | None, measure: MotionMeasure | None) -> Finding:
        if reason or measure is None:
            return abstention(self.name, reason or "The face could not be followed in the picture.", track)
        high = self.calibration.features["jitter"].frame_high
        return Finding(
            examiner=self.name,
            text=_sentence(measure.values, self.calibration.features),
            llr=round(self.calibration.llr(measure.values), 3),
            track=track,
            figure=_figure(measure, high),
            details={name: round(value, 3) for name, value in measure.values.items()},
        )


def head_speed(faces: list[Face]) -> float:
    """Median speed of the landmarks, in outer-eye distances a second."""
    points = np.array([face.landmarks for face in faces], np.float64)
    eye = float(np.median([face.eye_distance for face in faces]))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(1)
    return float(np.median(steps)) / max(eye, 1e-6) / max(frame_interval(faces), 1e-6)


def tremble(faces: list[Face]) -> tuple[np.ndarray, np.ndarray]:
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


def luminance(sighting: Sighting, settings: MotionSettings) -> tuple[float, float]:
    """Mean luma of the inner face and of the ring around it, in grey levels, both in the face's own frame."""
    matrix = alignment(sighting.face.landmarks, settings.crop_px, settings.coverage)
    grey = cv2.cvtColor(warp(sighting.frame.image, matrix, settings.crop_px), cv2.COLOR_RGB2GRAY).astype(np.float32)
    core, ring = _regions(settings)
    return float(grey[core].mean()), float(grey[ring].mean())


def summary(faces: list[Face], lights: np.ndarray) -> MotionMeasure:
    """The features of one track: log2 of jitter inner/outer and of flicker inner/outer, from ``lights`` (n, 2) grey
    levels.
    """
    inner, outer = tremble(faces)
    noise = 1e-4
    values = {"jitter": float(np.log2((np.median(inner) + noise) / (np.median(outer) + noise)))}
    if len(lights) > 4:
        bend = np.abs(lights[:-2] - 2 * lights[1:-1] + lights[2:]) / np.maximum(lights[1:-1], 1)
        core, ring = np.median(bend, axis=0) + _LEAST_LIGHT
        values["flicker"] = float(np.log2(core / ring))
    window = max(1, round(0.25 / max(frame_interval(faces), 1e-3)))
    smooth = np.ones(window) / window
    curve = np.log2((np.convolve(inner, smooth, "valid") + noise) / (np.convolve(outer, smooth, "valid") + noise))
    times = np.convolve([face.time_s for face in faces[1:-1]], smooth, "valid")
    return MotionMeasure(values, times, curve)


def _regions(settings: MotionSettings) -> tuple[np.ndarray, np.ndarray]:
    """The inner face and the ring around it, bool (crop, crop), from the mean face."""
    landmarks = apply(square_in_crop(settings.crop_px, settings.coverage), TEMPLATE)
    inside = (hull_mask(landmarks, (settings.crop_px, settings.crop_px)) >= 0.5).astype(np.uint8)
    depth, height = (cv2.distanceTransform(part, cv2.DIST_L2, 3) for part in (inside, 1 - inside))
    core = depth >= settings.core_part * settings.crop_px
    return core, (height > 0) & (height <= settings.ring_part * settings.crop_px)


def _sentence(values: dict[str, float], features: dict[str, Feature]) -> str:
    jitter, flicker = values["jitter"], values.get("flicker")
    text = (
        f"Brows and nose tremble {2**jitter:.2f} times as much as the jaw "
        f"(as much or more: {features['jitter'].rarity(jitter)})."
    )
    if flicker is None:
        return text
    return (
        f"{text} The light of the face flickers {2**flicker:.2f} times as much as that around it "
        f"(as much or more: {features['flicker'].rarity(flicker)})."
    )


def _figure(measure: MotionMeasure, high: float | None) -> Figure:
    levels = {"as much as the jaw": 0.0} | (
        {"1 in 20 genuine moments above": round(high, 3)} if high is not None else {}
    )
    return Figure(
        title="How much brows and nose tremble against the jaw",
        y_label="jitter (log2)",
        times_s=[round(float(t), 3) for t in measure.times_s],
        values=[round(float(v), 3) for v in measure.jitter],
        levels=levels,
    )
