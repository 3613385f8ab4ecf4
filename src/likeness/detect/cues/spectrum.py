"""Does the spectrum of the face end as a camera's does, or does it show that the face was enlarged?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from scipy.fft import fftshift, rfft2
from scipy.ndimage import median_filter

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread
from likeness.examiner import Figure
from likeness.faces.align import TEMPLATE, apply, invert, umeyama
from likeness.faces.face import Face, Track
from likeness.faces.hull import face_outline
from likeness.media.clip import Clip

_WINDOW = 64  # pixels a side, never resampled
_RINGS = 16  # of equal width from 0 to 0.5 cycles a pixel
# Bands of rings (first, last + 1): each ring is 1/32 cycle a pixel wide.
_LOW = slice(1, 4)  # 0.03–0.12 cycles a pixel
_MIDDLE = slice(2, 7)  # 0.06–0.22 cycles a pixel: what a picture of half the resolution still holds
_TAIL = slice(11, 16)  # 0.34–0.50
_BEFORE_END = slice(10, 13)  # 0.31–0.41
_END = slice(14, 16)  # 0.44–0.50
_NATURAL_SLOPE = -2.0  # of log power over log frequency
_ROUNDING = 1 / 12  # power that rounding to whole grey levels leaves, in grey levels²
_SPACING = 0.2  # of the TEMPLATE's unit, between the middles of windows
_EXTENT = (-0.6, 1.7)  # of the lattice of windows, along both axes
_PEAK_SURROUNDINGS = 7  # bins a side in which a peak must stand out
_AXIS_GUARD = 3  # bins beside either axis in which block edges of any codec lie
_LOWEST_PEAK = 8  # bins from the middle: 1/8 cycle a pixel
_PEAK_SPREAD_FLOOR = 0.02  # log2 of power


@dataclass(frozen=True)
class SpectrumSettings:
    """What is large enough, and like enough, to compare."""

    narrowest_px: float = 80.0  # below, no window of 64 px fits into the face
    largest_yaw: float = 40.0  # degrees: beyond, one side of the surroundings is hidden
    most_frames: int = 32
    least_frames: int = 8  # of a moving clip
    most_inside: int = 6  # windows on the face in a frame
    most_outside: int = 8
    edge_part: float = 0.9  # of half a window's side: how far from the hull's edge its middle lies at least
    like_power: float = 1.5  # log2 of power in the middle band within which two windows are compared
    least_matches: int = 3
    least_windows: int = 8  # of the face must find their like outside
    least_structure: float = 16.0  # grey levels² a bin in the middle band: below, a window shows nothing but noise
    rounding_times: float = 2.0  # tails below this many times the power of rounding have nothing left in them


@dataclass(frozen=True, eq=False)
class Spectra:
    """The spectra of one face in one frame.

    ``rings`` float32 (n, 16): log2 of the power (grey levels²; white noise of variance v has power v everywhere) of
    each window, averaged over rings of equal frequency. ``inside`` bool (n,): on the face, not around it. ``face`` and
    ``around`` float32 (64, 33) are the mean power over the windows of each side; ``around`` is None where there are
    none.
    """

    time_s: float
    rings: np.ndarray
    inside: np.ndarray
    face: np.ndarray
    around: np.ndarray | None


class Spectrum(Cue[Spectra]):
    """A decoder draws small and enlarges: its spectrum lacks the finest detail, or bends up and peaks where its grid
    repeats.

    Power spectra of windows of 64 px at the picture's own resolution, averaged over rings of equal frequency (Durall et
    al. 2020, Watch your up-convolution). Features: ``lost_tail``, log2 of how much less power the face has at the
    highest frequencies than windows around it with the same power at middle ones; ``upturn``, how much more its
    spectrum rises at the very end (Durall et al.); ``peaks``, log2 of how many deviations its strongest narrow peak
    stands out beyond the surroundings' (Zhang et al. 2019, AutoGAN; Frank et al. 2020), along no axis, since codecs put
    theirs there. A single picture may be drawn as a whole, so it is held against the power law of natural pictures
    instead: ``picture_lost_tail``, ``picture_upturn``, ``picture_peaks``.

    Abstains on faces under 80 px, on few frames, where nothing around has comparable structure, and where compression
    or blur has left nothing at high frequencies. An enlarged or out-of-focus genuine picture lacks its tail too.
    """

    name = "spectrum"
    without_faces = "No face was found, so there is no spectrum to measure."

    def __init__(self, settings: SpectrumSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or SpectrumSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        usable, least = len(self._usable(track)), 1 if clip.kind == "picture" else self.settings.least_frames
        if usable < least:
            return (
                f"Only {usable} frames show the face at least {self.settings.narrowest_px:.0f} px wide and turned "
                f"less than {self.settings.largest_yaw:.0f}°; its spectrum needs {least}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_frames)

    def note(self, sighting: Sighting) -> Spectra | None:
        return spectra_of(sighting, self.settings)

    def measure(self, clip: Clip, track: Track, notes: Sequence[Spectra]) -> Measurement | str:
        if clip.kind == "picture":
            return self._measure_picture(notes)
        settings = self.settings
        if len(notes) < settings.least_frames:
            return "Too little of the face lies in the picture to measure its spectrum."
        differences = matched_differences(notes, settings)
        compared = [row for row in differences if row is not None]
        if sum(len(row) for row in compared) < settings.least_windows:
            return "Nothing around the face has as much structure as the face, so their spectra cannot be compared."
        around = np.concatenate([note.rings[~note.inside] for note in notes])
        if _structured_tail(around, settings) < settings.rounding_times * _ROUNDING:
            return "Compression or blur has left nothing at the highest frequencies, so the face cannot lack them."
        mean = np.concatenate(compared).mean(axis=0)
        values = {"lost_tail": _lost_tail(mean), "upturn": float(mean[_BEFORE_END].mean() - mean[_END].mean())}
        outer = [note.around for note in notes if note.around is not None]
        values["peaks"] = peak(np.mean([note.face for note in notes], axis=0), np.mean(outer, axis=0))
        times = np.array([note.time_s for note in notes])
        curve = np.array([np.nan if row is None else _lost_tail(row.mean(axis=0)) for row in differences])
        high = self.calibration.frame_high("lost_tail")
        return Measurement(
            values,
            spans=[] if high is None else spans_above(times, curve, high, 2 * float(np.median(np.diff(times)))),
            figure=_figure(times, curve, high),
            details={"frames": len(notes), "windows_compared": sum(len(row) for row in compared)},
        )

    def sentence(self, measured: Measurement) -> str:
        values, calibration = measured.values, self.calibration
        of_picture = "picture_lost_tail" in values
        prefix = "picture_" if of_picture else ""
        against = "natural pictures do" if of_picture else "its surroundings do"
        parts = []
        if (lost := values.get(prefix + "lost_tail")) is not None:
            parts.append(
                f"At the highest frequencies the face has {2 ** abs(lost):.1f} times {'less' if lost >= 0 else 'more'} "
                f"power than {against} (as little or less: "
                f"{calibration.rarity(prefix + 'lost_tail', lost)})."
            )
        if (standing := values.get(prefix + "peaks")) is not None:
            parts.append(
                f"Its strongest narrow peak stands out by {2**standing:.1f} deviations "
                f"(as far or farther: {calibration.rarity(prefix + 'peaks', standing)})."
            )
        if (upturn := values.get(prefix + "upturn")) is not None:
            parts.append(
                f"Its end bends {'up' if upturn >= 0 else 'down'} by a factor of {2 ** abs(upturn):.2f} "
                f"(as far up or farther: {calibration.rarity(prefix + 'upturn', upturn)})."
            )
        return " ".join(parts)

    def _measure_picture(self, notes: Sequence[Spectra]) -> Measurement | str:
        settings = self.settings
        structured = [note.rings[note.inside & _structured(note.rings, settings)] for note in notes]
        rings = np.concatenate(structured) if structured else np.zeros((0, _RINGS))
        if not len(rings):
            return "The face has too little structure, or lies too near the picture's edge, to measure its spectrum."
        profile = rings.mean(axis=0)
        departure = power_law(profile) - profile
        return Measurement(
            {
                "picture_lost_tail": float(departure[_TAIL].mean()),
                "picture_upturn": float(departure[_BEFORE_END].mean() - departure[_END].mean()),
                "picture_peaks": peak(np.mean([note.face for note in notes], axis=0), None),
            },
            details={"windows": len(rings)},
        )

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)


def spectra_of(sighting: Sighting, settings: SpectrumSettings) -> Spectra | None:
    """The spectra of windows on and around one face; None where no window fits into what is seen of the face."""
    image, face = sighting.frame.image, sighting.face
    middles = apply(invert(umeyama(face.landmarks, TEMPLATE)), _lattice())
    corners = np.floor(middles).astype(int) - _WINDOW // 2
    height, breadth = image.shape[:2]
    in_picture = (corners >= 0).all(axis=1) & (corners + _WINDOW <= (breadth, height)).all(axis=1)
    outline, margin = face_outline(face.landmarks), settings.edge_part * _WINDOW / 2
    depth = np.array([cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in middles])
    inner = spread_rows(np.flatnonzero(in_picture & (depth >= margin)), settings.most_inside)
    outer = spread_rows(np.flatnonzero(in_picture & (depth <= -margin)), settings.most_outside)
    if not len(inner):
        return None
    windows = np.stack(
        [
            cv2.cvtColor(image[y : y + _WINDOW, x : x + _WINDOW], cv2.COLOR_RGB2GRAY)
            for x, y in corners[np.concatenate([inner, outer])]
        ]
    )
    power = power_of(windows)
    inside = np.arange(len(power)) < len(inner)
    around = power[~inside].mean(axis=0) if len(outer) else None
    return Spectra(sighting.frame.time_s, rings_of(power), inside, power[inside].mean(axis=0), around)


def power_of(windows: np.ndarray) -> np.ndarray:
    """Power spectra float32 (n, 64, 33) of windows uint8 (n, 64, 64), tapered; noise of variance v has power v."""
    taper = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
    weights = np.outer(taper, taper)
    values = windows.astype(np.float32)
    values -= values.mean(axis=(1, 2), keepdims=True)
    power: np.ndarray = np.abs(rfft2(values * weights)) ** 2 / np.square(weights).sum()
    return power


def rings_of(power: np.ndarray) -> np.ndarray:
    """log2 of the mean power in rings of equal frequency, float32 (n, 16), from spectra (n, 64, 33)."""
    membership = _ring_weights()
    return np.log2(power.reshape(len(power), -1) @ membership + 1e-6).astype(np.float32)


def matched_differences(notes: Sequence[Spectra], settings: SpectrumSettings) -> list[np.ndarray | None]:
    """For each of ``notes``, log2 of how many times less power its windows of the face have than their like: (n, 16).

    Like are windows outside, in any frame, of nearly the same power in the middle band; None where there are too few.
    """
    outer = np.concatenate([note.rings[~note.inside] for note in notes])
    outer = outer[_structured(outer, settings)]
    outer_level = outer[:, _MIDDLE].mean(axis=1)
    found: list[np.ndarray | None] = []
    for note in notes:
        own = []
        for rings in note.rings[note.inside & _structured(note.rings, settings)]:
            like = np.abs(outer_level - rings[_MIDDLE].mean()) <= settings.like_power
            if like.sum() >= settings.least_matches:
                own.append(outer[like].mean(axis=0) - rings)
        found.append(np.array(own) if own else None)
    return found


def power_law(profile: np.ndarray) -> np.ndarray:
    """log2 power (16,) of a natural picture that is as strong as ``profile`` (16,) at low frequencies.

    Power falls with the square of frequency (Field 1987, J. Opt. Soc. Am. A 4). The slope is not fitted: a picture that
    was enlarged four times already ends within the middle band.
    """
    law = _NATURAL_SLOPE * np.log2(np.arange(_RINGS) + 0.5)
    return np.asarray(law - law[_LOW].mean() + profile[_LOW].mean())


def peak(face: np.ndarray, around: np.ndarray | None) -> float:
    """log2 of how many deviations the strongest narrow peak of ``face`` (64, 33) stands out beyond ``around``'s.

    Each bin is taken against the median of its neighbours, both in log2 of power; one deviation is that of all bins
    looked at, so that it does not matter over how many windows the spectra are means.
    """
    excess = _excess(face) - (0.0 if around is None else _excess(around))
    looked_at = excess[_peak_bins()]
    spread_of_bins = 1.4826 * float(np.median(np.abs(looked_at - np.median(looked_at))))
    return float(np.log2(max(looked_at.max() / max(spread_of_bins, _PEAK_SPREAD_FLOOR), 1.0)))


def spread_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of ``rows``, evenly spread."""
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


@cache
def _lattice() -> np.ndarray:
    """The middles of all windows, float64 (n, 2), in TEMPLATE's unit square and around it."""
    steps = np.arange(*_EXTENT, _SPACING)
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


@cache
def _radius() -> np.ndarray:
    """Distance of each bin of a spectrum (64, 33) from zero frequency, in bins: 32 is 0.5 cycles a pixel."""
    rows = np.fft.fftfreq(_WINDOW, 1 / _WINDOW)
    return np.hypot(rows[:, None], np.arange(_WINDOW // 2 + 1)[None])


@cache
def _ring_weights() -> np.ndarray:
    """float32 (64 · 33, 16): the share of each bin in the mean of each ring."""
    ring = np.floor(_radius() * _RINGS / (_WINDOW / 2)).astype(int).ravel()
    member = (ring[:, None] == np.arange(_RINGS)[None]) & (_radius().ravel() > 0)[:, None]
    return (member / member.sum(axis=0)).astype(np.float32)


@cache
def _peak_bins() -> np.ndarray:
    """bool (64, 33), rows shifted so that zero is in the middle: where peaks are looked for."""
    rows = np.abs(np.arange(_WINDOW) - _WINDOW // 2)[:, None]
    columns = np.arange(_WINDOW // 2 + 1)[None]
    return (rows >= _AXIS_GUARD) & (columns >= _AXIS_GUARD) & (np.hypot(rows, columns) >= _LOWEST_PEAK)


def _excess(power: np.ndarray) -> np.ndarray:
    """log2 of each bin's power over the median of its neighbours', (64, 33) with zero frequency in the middle row."""
    level = np.log2(fftshift(power, axes=0) + _ROUNDING)
    reach = _PEAK_SURROUNDINGS // 2
    wrapped = np.pad(level, ((reach, reach), (0, 0)), mode="wrap")
    return level - median_filter(wrapped, _PEAK_SURROUNDINGS, mode="reflect")[reach:-reach]


def _structured(rings: np.ndarray, settings: SpectrumSettings) -> np.ndarray:
    return rings[:, _MIDDLE].mean(axis=1) >= np.log2(settings.least_structure)


def _structured_tail(rings: np.ndarray, settings: SpectrumSettings) -> float:
    """Median power in the tail of those windows (n, 16) that have structure, 0 where none has."""
    tails = rings[_structured(rings, settings)][:, _TAIL].mean(axis=1)
    return float(2 ** np.median(tails)) if len(tails) else 0.0


def _lost_tail(difference: np.ndarray) -> float:
    return float(difference[_TAIL].mean() - difference[_MIDDLE].mean())


def _figure(times: np.ndarray, curve: np.ndarray, high: float | None) -> Figure:
    levels = {"as fine": 0.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title="How much less power the face has at the highest frequencies than its surroundings",
        y_label="lost power (log2)",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) if np.isfinite(v) else None for v in curve],
        levels=levels,
    )
