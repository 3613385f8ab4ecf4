"""Does the skin redden with a heartbeat, and all over the face at once?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from scipy.signal import butter, sosfiltfilt, welch

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.cues.motion import head_speed
from likeness.detect.sightings import Sighting, consecutive, frame_interval
from likeness.examiner import Figure
from likeness.faces.align import apply, square_in_crop
from likeness.faces.face import Face, Track
from likeness.media.clip import Clip

_CROP, _COVERAGE = 224, 0.5  # the aligned crop that all cues share
# Skin: forehead, right and left cheek as rectangles (x0, y0, x1, y1) of TEMPLATE's square.
_SKIN = ((0.30, -0.20, 0.70, -0.05), (0.13, 0.28, 0.33, 0.48), (0.67, 0.28, 0.87, 0.48))
_CHEEKS = (1, 2)
# Two directions in normalised RGB that brightness alone does not move along (Wang et al. 2017, eq. 7).
_PLANE = np.array([[0.0, 1.0, -1.0], [-2.0, 1.0, 1.0]])
_LEAST_POWER = 1e-16


@dataclass(frozen=True)
class PulseSettings:
    """What is long, large, still and clean enough to show a pulse of ``faintest`` (a share of the skin's brightness).

    ``heart_hz`` are 42 to 180 beats a minute.
    """

    shortest_s: float = 8.0
    longest_s: float = 20.0  # followed from the middle of a track: longer runs than of other cues, as it has to be
    fastest_rate: float = 32.0  # frames a second; of faster footage only some frames are looked at
    slowest_rate: float = 15.0  # frames a second: two harmonics of a fast heart
    narrowest_px: float = 80.0
    largest_yaw: float = 35.0  # degrees: beyond, one cheek is hidden
    fastest_head: float = 1.2  # eye distances a second: light on the face changes more than blood does
    least_bits: float = 0.02  # of the file for each pixel and frame: below, codecs do not send so small a change
    most_held: float = 0.3  # share of the steps in which the skin does not change at all
    held: float = 0.005  # grey levels: less than this is no change
    darkest: float = 30.0  # grey levels of the skin
    brightest: float = 245.0
    skin_chroma: float = 12.0  # grey levels of Cr and Cb by which a forehead may differ from the cheeks, and
    skin_light: float = 1.7  # times by which it may be lighter or darker
    heart_hz: tuple[float, float] = (0.7, 3.0)
    noise_above_hz: float = 4.5  # hearts are slower, so what is there is noise
    harmonics_to_hz: float = 6.0
    peak_hz: float = 0.2  # half the width of a peak, as wide as the windows of the spectrum allow
    window_s: float = 1.6  # in which the skin's own colour is taken as constant (Wang et al. 2017)
    spectrum_s: float = 8.0
    faintest: float = 0.0015


@dataclass(frozen=True, eq=False)
class SkinColours:
    """Mean RGB of forehead, right and left cheek, float64 (3, 3) in grey levels."""

    time_s: float
    colours: np.ndarray


@dataclass(frozen=True, eq=False)
class Heartbeat:
    """The peak of the spectrum in Hz, and its power with the harmonic's over everything else in dB."""

    rate_hz: float
    ratio_db: float


class Pulse(Cue[SkinColours]):
    """Every heartbeat reddens living skin by some tenths of a per cent; a face drawn by a program need not.

    The mean colours of forehead and cheeks are projected so that changes of light cancel (POS: Wang, den Brinker,
    Stuijk & de Haan 2017, Algorithmic Principles of Remote PPG). ``faintness`` is how little the highest peak between
    42 and 180 beats a minute and its harmonic stand above the rest (the ratio of de Haan & Jeanne 2013, its sign
    turned), ``discord`` how little the parts of the face agree (Ciftci, Demir & Yin 2020, FakeCatcher). Abstains under
    8 s, on slow, dark or overexposed footage, on small, turned or fast faces, on strong compression (few bits a pixel,
    or skin that stands still between frames) and where noise is stronger than a faint pulse. Rendered people have no
    pulse at all, and a swap may keep the pulse of the person underneath: no pulse is weak evidence, a pulse is none.
    """

    name = "pulse"
    without_faces = "No face was found, so there is no skin to show a pulse."

    def __init__(self, settings: PulseSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or PulseSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture shows no pulse."
        bits = bits_a_pixel(clip)
        if bits is not None and bits < self.settings.least_bits:
            return (
                f"The file spends {bits:.3f} bits on a pixel; compression this strong removes a pulse "
                f"(it needs {self.settings.least_bits:.2f})."
            )
        return self._out_of_range(self._longest(track))

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        faces = self._longest(track)
        centre, half = (faces[0].time_s + faces[-1].time_s) / 2, self.settings.longest_s / 2
        step = math.ceil(1 / max(frame_interval(faces), 1e-3) / self.settings.fastest_rate)
        return [face for face in faces if abs(face.time_s - centre) <= half][::step]

    def note(self, sighting: Sighting) -> SkinColours:
        crop = sighting.crop(_CROP, _COVERAGE)
        return SkinColours(sighting.face.time_s, np.array([cv2.mean(crop[_place(part)])[:3] for part in _SKIN]))

    def measure(self, clip: Clip, track: Track, notes: Sequence[SkinColours]) -> Measurement | str:
        settings = self.settings
        if len(notes) < 2 or notes[-1].time_s - notes[0].time_s < settings.shortest_s - 0.5:
            return f"The skin could be followed for less than {settings.shortest_s:.0f} s."
        known = np.array([note.time_s for note in notes])
        colours = np.array([note.colours for note in notes])
        reason = self._unreadable(colours)
        if reason is not None:
            return reason
        times = np.arange(known[0], known[-1] + 1e-6, float(np.median(np.diff(known))))
        rate = 1 / float(times[1] - times[0])
        parts = [i for i in range(len(_SKIN)) if i in _CHEEKS or self._is_skin(colours, i)]
        even = np.stack([[np.interp(times, known, channel) for channel in colours[:, i].T] for i in parts])
        waves = [pulse_wave(part.T, rate, settings) for part in even]
        whole = pulse_wave(even.mean(axis=0).T, rate, settings)
        noise = noise_of(whole, rate, settings)
        if noise > most_noise(rate, settings):
            return (
                f"The skin's colour is noisy by {100 * noise:.1f} %: a pulse of {100 * settings.faintest:.2f} % "
                "would not show."
            )
        beat, in_band = heartbeat(whole, rate, settings), _in_band(whole, rate, settings)
        return Measurement(
            {"faintness": -beat.ratio_db, "discord": discord([_in_band(wave, rate, settings) for wave in waves])},
            figure=_figure(times, in_band),
            details={
                "beats_a_minute": round(60 * beat.rate_hz, 1),
                "noise_percent": round(100 * noise, 3),
                "parts_of_the_face": len(parts),
                "seconds": round(float(times[-1] - times[0]), 2),
            },
        )

    def sentence(self, measured: Measurement) -> str:
        values, rarity = measured.values, self.calibration.rarity
        above, discord = -values["faintness"], values["discord"]
        return (
            f"The skin's strongest rhythm, {measured.details['beats_a_minute']:.0f} a minute, is {abs(above):.1f} dB "
            f"{'stronger' if above > 0 else 'weaker'} than all others together (as faint or fainter: "
            f"{rarity('faintness', values['faintness'])}); forehead and cheeks agree in it by "
            f"{1 - discord:.2f}, where 1 is fully (as little or less: {rarity('discord', discord)})."
        )

    def _longest(self, track: Track) -> list[Face]:
        seen = [face for face in track.faces if abs(face.yaw) <= self.settings.largest_yaw] or track.faces[:1]
        return max(consecutive(seen, 3.5 * max(frame_interval(track.faces), 1e-3)), key=len)

    def _out_of_range(self, faces: list[Face]) -> str | None:
        settings, interval = self.settings, frame_interval(faces)
        seconds = faces[-1].time_s - faces[0].time_s + interval
        if seconds < settings.shortest_s - 1e-6:
            return (
                f"The skin can be followed without a break for {seconds:.1f} s; "
                f"a pulse needs {settings.shortest_s:.0f} s."
            )
        if interval > 1 / settings.slowest_rate:
            return f"At {1 / interval:.0f} frames a second a pulse is lost; it needs {settings.slowest_rate:.0f}."
        width = float(np.median([face.width for face in faces]))
        if width < settings.narrowest_px:
            return f"The face is {width:.0f} px wide; a pulse can be seen from {settings.narrowest_px:.0f} px."
        speed = head_speed(faces)
        if speed > settings.fastest_head:
            return (
                f"The head moves by {speed:.1f} eye distances a second; the light on it changes more than blood does "
                f"(a pulse can be seen up to {settings.fastest_head:.1f})."
            )
        return None

    def _unreadable(self, colours: np.ndarray) -> str | None:
        """Why the colours (n, parts, 3) can show no pulse; None where they can."""
        settings, level = self.settings, float(np.median(colours[:, list(_CHEEKS), 1]))
        if not settings.darkest <= level <= settings.brightest:
            return f"The skin is too {'dark' if level < settings.darkest else 'bright'} to show a pulse."
        if float(np.median(colours[:, list(_CHEEKS)].max(axis=2))) > settings.brightest:
            return "The skin is too bright to show a pulse."
        held = float((np.abs(np.diff(colours, axis=0)).max(axis=(1, 2)) < settings.held).mean())
        if held > settings.most_held:
            return (
                f"In {100 * held:.0f} % of the steps between frames the skin does not change at all: "
                "the picture stands still, or compression holds it."
            )
        return None

    def _is_skin(self, colours: np.ndarray, part: int) -> bool:
        """Whether ``part`` is of the cheeks' colour: foreheads hide behind hair and hats."""
        usual = np.median(colours, axis=0)[None].astype(np.float32)
        luma, *chroma = cv2.cvtColor(usual, cv2.COLOR_RGB2YCrCb)[0].T
        lighter = abs(float(np.log(max(luma[part], 1.0) / max(luma[list(_CHEEKS)].mean(), 1.0))))
        apart = max(abs(float(colour[part] - colour[list(_CHEEKS)].mean())) for colour in chroma)
        return apart <= self.settings.skin_chroma and lighter <= float(np.log(self.settings.skin_light))


def bits_a_pixel(clip: Clip) -> float | None:
    """How many bits the file spends on a pixel of a frame, sound included; None where that is not known."""
    if clip.part is not None or not clip.frame_rate or clip.duration_s <= 0 or not clip.path.is_file():
        return None
    return 8 * clip.path.stat().st_size / (clip.duration_s * float(clip.frame_rate) * clip.width * clip.height)


def pulse_wave(colours: np.ndarray, rate: float, settings: PulseSettings) -> np.ndarray:
    """The pulse (n,), as a share of the skin's brightness, in mean colours (n, 3) at ``rate`` frames a second.

    Plane orthogonal to skin (POS): Wang et al. 2017, IEEE Transactions on Biomedical Engineering 64, algorithm 1.
    """
    size = max(2, min(round(settings.window_s * rate), len(colours)))
    wave = np.zeros(len(colours))
    for start in range(len(colours) - size + 1):
        part = colours[start : start + size]
        one, other = _PLANE @ (part / np.maximum(part.mean(axis=0), 1.0)).T
        spread = float(other.std())
        mixed = one + (float(one.std()) / spread if spread > 0 else 0.0) * other
        wave[start : start + size] += mixed - mixed.mean()
    return wave / size


def heartbeat(wave: np.ndarray, rate: float, settings: PulseSettings) -> Heartbeat:
    """The highest peak among the rates of hearts in ``wave`` (n,), and how far it and its harmonic stand out.

    After de Haan & Jeanne 2013, Robust Pulse Rate From Chrominance-Based rPPG, section III-B.
    """
    hertz, power = _spectrum(wave, rate, settings)
    low, high = settings.heart_hz
    heart = (hertz >= low) & (hertz <= high)
    peak = float(hertz[heart][np.argmax(power[heart])])
    all_of_it = (hertz >= low) & (hertz <= settings.harmonics_to_hz)
    beat = (np.abs(hertz - peak) <= settings.peak_hz) | (np.abs(hertz - 2 * peak) <= settings.peak_hz)
    stronger, rest = (float(power[all_of_it & part].sum()) + _LEAST_POWER for part in (beat, ~beat))
    return Heartbeat(peak, float(10 * np.log10(stronger / rest)))


def noise_of(wave: np.ndarray, rate: float, settings: PulseSettings) -> float:
    """Standard deviation of the noise in ``wave`` (n,), judged by frequencies that no heart reaches."""
    hertz, power = _spectrum(wave, rate, settings)
    above = (hertz >= settings.noise_above_hz) & (hertz <= 0.95 * rate / 2)
    return float(np.sqrt(np.median(power[above]) * rate / 2))


def most_noise(rate: float, settings: PulseSettings) -> float:
    """The noise whose power within the two peaks is that of the faintest pulse, a sine."""
    return settings.faintest * float(np.sqrt(rate / 2 / (8 * settings.peak_hz)))


def discord(waves: Sequence[np.ndarray]) -> float:
    """1 − the mean correlation of the ``waves`` (n,) of different parts of the face."""
    agreed = [
        float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), _LEAST_POWER)
        for one, other in combinations(waves, 2)
    ]
    return 1 - float(np.mean(agreed))


def _spectrum(wave: np.ndarray, rate: float, settings: PulseSettings) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and power density, averaged over overlapping windows, finely interpolated."""
    size = min(round(settings.spectrum_s * rate), len(wave))
    return welch(wave, rate, "hann", size, noverlap=3 * size // 4, nfft=max(1024, 4 * size))


def _in_band(wave: np.ndarray, rate: float, settings: PulseSettings) -> np.ndarray:
    return np.asarray(sosfiltfilt(butter(2, settings.heart_hz, "bandpass", fs=rate, output="sos"), wave))


def _place(part: tuple[float, float, float, float]) -> tuple[slice, slice]:
    """Rows and columns of the aligned crop under the rectangle ``part`` (x0, y0, x1, y1) of TEMPLATE's square."""
    x0, y0, x1, y1 = apply(square_in_crop(_CROP, _COVERAGE), np.array(part).reshape(2, 2)).round().astype(int).ravel()
    return slice(y0, y1), slice(x0, x1)


def _figure(times: np.ndarray, wave: np.ndarray) -> Figure:
    return Figure(
        title="How the colour of the skin changes at the rates of hearts",
        y_label="per cent of its brightness",
        times_s=[round(float(t), 3) for t in times],
        values=[round(100 * float(v), 4) for v in wave],
    )
