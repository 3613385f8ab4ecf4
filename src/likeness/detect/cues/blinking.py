"""How often, and for how long, the eyes close."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import median_filter
from scipy.special import gammaln

from likeness.detect.calibrate import UNCALIBRATED
from likeness.detect.cue import Cue, Measurement
from likeness.detect.eye_patches import EyePatches, eye_change, eye_patches
from likeness.detect.sightings import Sighting, frame_interval
from likeness.examiner import Figure
from likeness.faces.face import LEFT_EYE, RIGHT_EYE, Face, Track
from likeness.media.clip import Clip

_SAME_BLINK_S = 0.1  # two events this near are one blink


@dataclass(frozen=True)
class BlinkingSettings:
    """When to look, what counts as a blink, and what is published about people.

    Rates are gamma distributed over people (blinks a minute); the number of blinks of one of them is Poisson. Genuine:
    20 ± 13, which spans the 17 at rest, 26 in conversation and 4.5 while reading of Bentivoglio et al. 1997 (Movement
    Disorders 12). Swaps: as often as not they repeat the driving person's blinks; the others hardly blink, as in Li et
    al. 2018 (In Ictu Oculi), ``rare_rate``.
    """

    shortest_s: float = 6.0
    narrowest_px: float = 60.0
    slowest_rate: float = 12.0  # frames a second: below, a blink falls between two frames
    largest_yaw: float = 35.0  # degrees: beyond, one eye hides behind the nose
    least_seen: float = 0.7  # share of the frames in which both eyes can be read
    baseline_window_s: float = 2.0
    least_depth: float = 0.25  # of the open eye's aspect ratio
    depth_in_noise: float = 4.5  # a blink is this many standard deviations of the noise deep, or more
    deepest_threshold: float = 0.5  # where noise asks for more than this, nothing can be told
    least_change: float = 0.03  # of the eyes' pixels (`eye_change`), and
    change_in_noise: float = 4.0  # times its median: from here on their change counts
    longest_blink_s: float = 0.8  # longer closures are not blinks
    rate_mean: float = 20.0
    rate_spread: float = 13.0
    rare_rate: float = 3.4
    share_repeating: float = 0.5
    share_found: float = 0.8  # of blinks on genuine footage that the landmarks show deep enough to count
    usual_rate: tuple[float, float] = (10.0, 30.0)
    usual_duration_s: tuple[float, float] = (0.1, 0.4)
    bound: float = 0.7
    longest_s: float = 60.0  # a minute says as much as the bound lets it


@dataclass(frozen=True)
class Blink:
    """One closing of the eyes: from ``start_s`` to ``end_s`` at half its depth.

    ``depth`` is a share of the open eye, or the pixels' change where only they show it.
    """

    start_s: float
    end_s: float
    depth: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class EyeCurve:
    """The eye aspect ratio of one track: float64 (n,) arrays; ``openness`` is the ratio over the person's own open eye,
    1 = open.
    """

    times_s: np.ndarray
    ratio: np.ndarray
    openness: np.ndarray
    noise: float

    def threshold(self, settings: BlinkingSettings) -> float:
        """The share of the open eye by which the lids must close to count as a blink."""
        return max(settings.least_depth, settings.depth_in_noise * self.noise)


class Blinking(Cue[EyePatches]):
    """People blink 10–30 times a minute for 0.1–0.4 s; early deepfakes hardly blink (seed 004; Li et al. 2018).

    A blink counts where the eye aspect ratio dips or, since landmarks trained on few closed eyes may miss it, where the
    pixels of both eyes change as briefly; both are watched for a minute from the middle of a track. The evidence is a
    count against published rates (`count_evidence`), so it needs no calibration. Abstains on clips under 6 s,
    under 12 frames a second, on faces narrower than 60 px, where the eye aspect ratio is noise, and where the eyes were
    out of sight too often. A swap that repeats the blinks of the person underneath cannot be told this way, so a usual
    rate of blinking says almost nothing.
    """

    name = "blinking"
    without_faces = "No face was found, so there are no eyes to watch."

    def __init__(self, settings: BlinkingSettings | None = None) -> None:
        super().__init__(UNCALIBRATED)
        self.settings = settings or BlinkingSettings()

    @classmethod
    def uncalibrated(cls) -> Self:
        return cls()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture shows no blinking."
        reason = self._out_of_range(track)
        if reason is None and self._curve(track).threshold(self.settings) > self.settings.deepest_threshold:
            return "The eyelids cannot be followed closely enough here to count blinks."
        return reason

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return self._watched(track)

    def note(self, sighting: Sighting) -> EyePatches:
        return eye_patches(sighting)

    def measure(self, clip: Clip, track: Track, notes: Sequence[EyePatches]) -> Measurement:
        settings, curve, interval_s = self.settings, self._curve(track), frame_interval(track.faces)
        by_lids = find_blinks(curve, settings)
        times, change = np.array([note.time_s for note in notes]), eye_change(notes, interval_s)
        by_pixels = brief_changes(times, change, settings)
        blinks = either(by_lids, by_pixels)
        seconds = len(curve.times_s) * interval_s
        return Measurement(
            {"scarcity": count_evidence(len(blinks), seconds, settings)},
            spans=[(blink.start_s, blink.end_s) for blink in blinks],
            figure=(
                _openness_figure(curve, settings)
                if len(blinks) == len(by_lids)
                else _change_figure(times, change, settings)
            ),
            details={
                "blinks": len(blinks),
                "seen_by_landmarks": len(by_lids),
                "seen_in_pixels": len(by_pixels),
                "seconds_watched": round(seconds, 2),
                "blinks_a_minute": round(60 * len(blinks) / seconds, 1),
            },
        )

    def sentence(self, measured: Measurement) -> str:
        durations = [end - start for start, end in measured.spans]
        return _sentence(durations, float(measured.details["seconds_watched"] or 0), self.settings)

    def llr(self, measured: Measurement) -> float:
        return float(np.clip(measured.values["scarcity"], -self.settings.bound, self.settings.bound))

    def _watched(self, track: Track) -> list[Face]:
        """The faces whose eyes can be read, at most ``longest_s`` of them, from the middle of the track."""
        readable = [face for face in track.faces if abs(face.yaw) <= self.settings.largest_yaw]
        most = round(self.settings.longest_s / max(frame_interval(track.faces), 1e-3))
        first = max(len(readable) - most, 0) // 2
        return readable[first : first + most]

    def _curve(self, track: Track) -> EyeCurve:
        return eye_curve(self._watched(track), self.settings)

    def _out_of_range(self, track: Track) -> str | None:
        settings, faces = self.settings, track.faces
        start_s, end_s = track.span_s
        interval_s = frame_interval(faces)
        if end_s - start_s + interval_s < settings.shortest_s:
            return (
                f"The face is in sight for {end_s - start_s + interval_s:.1f} s; "
                f"blinking needs {settings.shortest_s:.0f} s to say anything."
            )
        if interval_s > 1 / settings.slowest_rate:
            return (
                f"At {1 / interval_s:.0f} frames a second a blink can fall between two frames; "
                f"blinking needs {settings.slowest_rate:.0f}."
            )
        width = float(np.median([face.width for face in faces]))
        if width < settings.narrowest_px:
            return f"The face is {width:.0f} px wide; the eyelids can be followed from {settings.narrowest_px:.0f} px."
        readable = (
            sum(abs(face.yaw) <= settings.largest_yaw for face in faces) * interval_s / (end_s - start_s + interval_s)
        )
        if readable < settings.least_seen:
            return (
                f"Both eyes can be read in only {100 * readable:.0f} % of the time; "
                f"blinking needs {100 * settings.least_seen:.0f} %."
            )
        return None


def eye_aspect_ratio(landmarks: np.ndarray) -> float:
    """Mean over both eyes of (|p2 − p6| + |p3 − p5|) / (2 |p1 − p4|), from landmarks (68, 2).

    Source: Soukupová & Čech, Real-Time Eye Blink Detection using Facial Landmarks, CVWW 2016, equation 1.
    """
    ratios = []
    for eye in (landmarks[RIGHT_EYE], landmarks[LEFT_EYE]):
        p1, p2, p3, p4, p5, p6 = eye.astype(np.float64)
        height = np.linalg.norm(p2 - p6) + np.linalg.norm(p3 - p5)
        ratios.append(float(height) / max(2 * float(np.linalg.norm(p1 - p4)), 1e-6))
    return float(np.mean(ratios))


def eye_curve(faces: list[Face], settings: BlinkingSettings) -> EyeCurve:
    """The aspect ratio over time beside the person's own open eye.

    The open eye is the running median over ``baseline_window_s``: a blink is shorter than half of it, while a change of
    gaze, pose or expression lasts longer. The noise is that of frame-to-frame differences (median absolute deviation),
    which blinks hardly touch.
    """
    times = np.array([face.time_s for face in faces])
    ratio = np.array([eye_aspect_ratio(face.landmarks) for face in faces])
    window = 2 * round(settings.baseline_window_s / 2 / max(frame_interval(faces), 1e-3)) + 1
    baseline = np.maximum(median_filter(ratio, size=window, mode="nearest"), 1e-3)
    openness: np.ndarray = ratio / baseline
    noise = 1.4826 * float(np.median(np.abs(np.diff(openness)))) / np.sqrt(2)
    return EyeCurve(times, ratio, openness, float(noise))


def find_blinks(curve: EyeCurve, settings: BlinkingSettings) -> list[Blink]:
    """Dips of the openness below 1 − threshold, measured between the crossings of half their depth."""
    return _peaks(curve.times_s, 1 - curve.openness, curve.threshold(settings), settings.longest_blink_s)


def brief_changes(times_s: np.ndarray, change: np.ndarray, settings: BlinkingSettings) -> list[Blink]:
    """Moments at which the pixels of both eyes change (`eye_change`, (n,)) as briefly as in a blink.

    The changes that noise and small movements make are judged by the median over the track.
    """
    known = np.isfinite(change)
    if known.sum() < 3:
        return []
    return _peaks(times_s[known], change[known], least_change(change, settings), settings.longest_blink_s)


def least_change(change: np.ndarray, settings: BlinkingSettings) -> float:
    """From where on a change of the pixels counts in this track."""
    return max(settings.least_change, settings.change_in_noise * float(np.nanmedian(change)))


def either(blinks: list[Blink], others: list[Blink]) -> list[Blink]:
    """Both lists in order of time; one of ``others`` that overlaps one of ``blinks`` is the same blink."""
    new = [other for other in others if not any(_overlap(other, blink) for blink in blinks)]
    return sorted([*blinks, *new], key=lambda blink: blink.start_s)


def _overlap(one: Blink, other: Blink) -> bool:
    return one.start_s <= other.end_s + _SAME_BLINK_S and other.start_s <= one.end_s + _SAME_BLINK_S


def count_evidence(blinks: int, seconds: float, settings: BlinkingSettings) -> float:
    """log10 likelihood ratio of seeing ``blinks`` in ``seconds``: a swap (a mixture) against a person."""
    found = (
        settings.share_found
    )  # a Poisson count of which a share is found is a Poisson count of that share of the rate
    person = _log_count(blinks, seconds, found * settings.rate_mean, found * settings.rate_spread)
    hardly = _log_count(blinks, seconds, found * settings.rare_rate, found * settings.rare_rate)
    swap = np.logaddexp(np.log(settings.share_repeating) + person, np.log1p(-settings.share_repeating) + hardly)
    return float((swap - person) / np.log(10))


def _log_count(blinks: int, seconds: float, rate_mean: float, rate_spread: float) -> float:
    """log P(count) of a Poisson count whose rate (a minute) is gamma distributed: the negative binomial."""
    shape = (rate_mean / rate_spread) ** 2
    scale = rate_mean / shape * seconds / 60
    return float(
        gammaln(blinks + shape) - gammaln(shape) - gammaln(blinks + 1)
        + blinks * np.log(scale / (1 + scale)) - shape * np.log1p(scale)
    )  # fmt: skip


def _peaks(times_s: np.ndarray, heights: np.ndarray, threshold: float, longest_s: float) -> list[Blink]:
    """Peaks of ``heights`` (n,) from ``threshold`` up, between the crossings of half their height, if not too long."""
    found: list[Blink] = []
    i, count = 0, len(heights)
    while i < count:
        if heights[i] < threshold:
            i += 1
            continue
        end = i
        while end + 1 < count and heights[end + 1] >= threshold:
            end += 1
        top = i + int(np.argmax(heights[i : end + 1]))
        half = float(heights[top]) / 2
        start_s, first = _crossing(times_s, heights, top, half, -1)
        end_s, last = _crossing(times_s, heights, top, half, +1)
        cut_off = first < 0 or last >= count
        if not cut_off and end_s - start_s <= longest_s:
            found.append(Blink(start_s, end_s, float(heights[top])))
        i = max(end, last) + 1
    return found


def _crossing(times_s: np.ndarray, heights: np.ndarray, top: int, level: float, step: int) -> tuple[float, int]:
    """Time at which ``heights`` fall through ``level`` going from ``top`` by ``step``, and the first index below it."""
    i = top
    while 0 <= i < len(heights) and heights[i] > level:
        i += step
    if not 0 <= i < len(heights):
        return float(times_s[i - step]), i
    inside, outside = heights[i - step], heights[i]
    share = (inside - level) / max(inside - outside, 1e-9)
    return float(times_s[i - step] + share * (times_s[i] - times_s[i - step])), i


def _sentence(durations: Sequence[float], seconds: float, settings: BlinkingSettings) -> str:
    low, high = settings.usual_rate
    usual = f"people blink {low:.0f} to {high:.0f} times a minute"
    if not durations:
        return f"No blink in {seconds:.1f} s; {usual}."
    rate = 60 * len(durations) / seconds
    duration = float(np.median(durations))
    shortest, longest = settings.usual_duration_s
    count = "once" if len(durations) == 1 else f"{len(durations)} times"
    usual_length = (
        "as is usual" if shortest <= duration <= longest else f"people take {shortest:.1f} to {longest:.1f} s"
    )
    return (
        f"The eyes blink {count} in {seconds:.1f} s ({rate:.0f} a minute; {usual}), "
        f"for {duration:.2f} s {'each ' if len(durations) > 1 else ''}({usual_length})."
    )


def _openness_figure(curve: EyeCurve, settings: BlinkingSettings) -> Figure:
    return Figure(
        title="How far the eyes are open",
        y_label="share of the person's open eye",
        times_s=[round(float(t), 3) for t in curve.times_s],
        values=[round(float(v), 3) for v in curve.openness],
        levels={"blink below": round(1 - curve.threshold(settings), 3)},
    )


def _change_figure(times_s: np.ndarray, change: np.ndarray, settings: BlinkingSettings) -> Figure:
    return Figure(
        title="How much the pixels of both eyes change",
        y_label="1 − correlation with their usual look",
        times_s=[round(float(t), 3) for t in times_s],
        values=[round(float(v), 4) if np.isfinite(v) else None for v in change],
        levels={"blink above": round(least_change(change, settings), 3)},
    )
