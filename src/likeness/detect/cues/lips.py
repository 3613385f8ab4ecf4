"""Do the lips open with the voice?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi, sosfiltfilt

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, consecutive, frame_interval, spans_above
from likeness.examiner import Figure
from likeness.faces.face import Face, Track
from likeness.media.clip import Clip

_INNER_LIPS = ((61, 67), (62, 66), (63, 65))  # landmarks above and below the opening
_OUTER_LIPS = ((50, 58), (51, 57), (52, 56))
_HOP_S = 0.01  # of the sound's envelope
_LAG_STEP_S = 0.02
_QUIET = 1e-5  # full scale: below, a sound is digital silence
_LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class LipsSettings:
    """What is long, large and lively enough to compare, and where agreement is looked for.

    Mouth openings and their movement are in outer-eye distances. ``syllables_hz`` is the band in which mouth and voice
    go together, 2–7 Hz at its core (Chandrasekaran et al. 2009, PLoS Computational Biology 5).
    """

    shortest_s: float = 5.0  # below, even unrelated sound agrees by chance: some 10 independent moments a second
    longest_s: float = 60.0
    longest_gap_s: float = 0.5
    least_seen: float = 0.8  # share of the frames that must show the mouth
    narrowest_px: float = 60.0
    largest_yaw: float = 40.0  # degrees
    slowest_rate: float = 15.0  # frames a second: below, syllables fall between two frames
    voice_hz: tuple[float, float] = (200.0, 4000.0)
    syllables_hz: tuple[float, float] = (0.7, 7.0)
    least_modulation_db: float = 9.0  # between loud and quiet moments; hum, music and noise have less than speech
    least_movement: float = 0.005
    farthest_lag_s: float = 0.3
    elsewhere_s: tuple[float, float] = (0.6, 1.5)  # lags at which a voice that belongs to the mouth does not fit
    window_s: float = 2.0  # of the figure


@dataclass(frozen=True, eq=False)
class Agreement:
    """Correlation of mouth and voice at the best lag, in seconds (> 0: the voice comes late), and elsewhere at most."""

    best: float
    lag_s: float
    elsewhere: float


class Lips(Cue[None]):
    """A mouth that was drawn, or dubbed, moves with less regard to the voice than the one that made it.

    The opening of the lips is correlated with the envelope of the voice, both in the band of syllables, at lags up to
    0.3 s (Chandrasekaran et al. 2009 on how closely they go together; Chung & Zisserman 2016, Out of Time, on lag and
    confidence against other lags; Korshunov & Marcel 2018 and Agarwal et al. 2020, Phoneme–Viseme Mismatches, on
    swaps). Abstains without sound or speech, on mouths that are small, turned away or still, and under 5 s. It cannot
    tell a swap that keeps the driving person's mouth, nor a voice from beside the camera from a dubbed one.
    """

    name = "lips"
    without_faces = "No face was found, so there are no lips to compare with the sound."

    def __init__(self, settings: LipsSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or LipsSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture does not speak."
        if not clip.has_sound or clip.sample_rate is None:
            return "There is no sound to compare the lips with."
        if clip.sample_rate < 4 * self.settings.voice_hz[0]:
            return f"The sound has only {clip.sample_rate} samples a second; no voice can be told in it."
        return self._unseen(track)

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return []  # the landmarks of the track are enough

    def note(self, sighting: Sighting) -> None:
        return None

    def measure(self, clip: Clip, track: Track, notes: Sequence[None]) -> Measurement | str:
        settings = self.settings
        times, mouth = mouth_opening(self._longest(track))
        moved = _in_band(mouth, float(times[1] - times[0]), settings)
        if float(moved.std()) < settings.least_movement:
            return "The mouth hardly moves, so whoever is heard may be somebody else."
        reach = settings.elsewhere_s[1]
        envelope_times, envelope = voice_envelope(clip, times[0] - reach, times[-1] + reach, settings)
        heard = envelope[(envelope_times >= times[0]) & (envelope_times <= times[-1])]
        if modulation_db(heard) < settings.least_modulation_db:
            return "No speech is heard while the face is in sight: the sound hardly rises and falls."
        voice = _in_band(np.log(envelope + _floor(envelope)), _HOP_S, settings)
        found = agreement(times, moved, envelope_times, voice, settings)
        curve_times, curve = disagreement_over_time(times, moved, envelope_times, voice, found.lag_s, settings)
        high = self.calibration.frame_high("disagreement")
        return Measurement(
            {
                "disagreement": 1 - found.best,
                "elsewhere": found.elsewhere - found.best,
                "offset": abs(found.lag_s),
            },
            spans=[] if high is None else spans_above(curve_times, curve, high, settings.window_s / 2),
            figure=_figure(curve_times, curve, high),
            details={"lag_s": round(found.lag_s, 3), "seconds": round(float(times[-1] - times[0]), 2)},
        )

    def sentence(self, measured: Measurement) -> str:
        values, lag = measured.values, float(measured.details["lag_s"] or 0)
        when = "at the same time" if abs(lag) < _LAG_STEP_S else f"{abs(lag):.2f} s {'later' if lag > 0 else 'earlier'}"
        text = (
            f"The lips' opening and the voice agree by {1 - values['disagreement']:.2f} (1 is fully), the voice coming "
            f"{when} (as little or less: {self.calibration.rarity('disagreement', values['disagreement'])})."
        )
        if values["elsewhere"] >= 0:
            text += " The voice fits the lips as well or better when it is moved by a second."
        if measured.spans:
            text += " They part " + ", ".join(f"from {a:.1f} to {b:.1f} s" for a, b in measured.spans) + "."
        return text

    def _longest(self, track: Track) -> list[Face]:
        """The longest stretch in which the mouth can be seen, cut to ``longest_s``."""
        seen = [face for face in track.faces if abs(face.yaw) <= self.settings.largest_yaw] or track.faces[:1]
        piece = max(
            consecutive(seen, self.settings.longest_gap_s), key=lambda faces: faces[-1].time_s - faces[0].time_s
        )
        return [face for face in piece if face.time_s - piece[0].time_s <= self.settings.longest_s]

    def _unseen(self, track: Track) -> str | None:
        settings, faces = self.settings, self._longest(track)
        interval = frame_interval(faces)
        seconds = faces[-1].time_s - faces[0].time_s + interval
        if seconds < settings.shortest_s - 1e-6:
            return (
                f"The mouth can be followed for {seconds:.1f} s; comparing it with the voice needs "
                f"{settings.shortest_s:.0f} s."
            )
        if interval > 1 / settings.slowest_rate:
            return (
                f"At {1 / interval:.0f} frames a second syllables fall between two frames; "
                f"the lips need {settings.slowest_rate:.0f}."
            )
        if len(faces) * interval < settings.least_seen * seconds:
            return "The mouth is out of sight too often to compare it with the voice."
        width = float(np.median([face.width for face in faces]))
        if width < settings.narrowest_px:
            return f"The face is {width:.0f} px wide; the lips can be followed from {settings.narrowest_px:.0f} px."
        return None


def mouth_opening(faces: Sequence[Face]) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced times in seconds and the opening of the mouth there, float64 (n,) in outer-eye distances.

    The mean of the inner and the outer lips' distance. Frames that are missing are interpolated.
    """
    openings = []
    for face in faces:
        points, eye = face.landmarks.astype(np.float64), max(face.eye_distance, 1e-6)
        gaps = [np.linalg.norm(points[above] - points[below]) for above, below in (*_INNER_LIPS, *_OUTER_LIPS)]
        openings.append(float(np.mean(gaps)) / eye)
    known = np.array([face.time_s for face in faces])
    times = np.arange(known[0], known[-1] + 1e-6, frame_interval(faces))
    return times, np.interp(times, known, openings)


def voice_envelope(clip: Clip, start_s: float, end_s: float, settings: LipsSettings) -> tuple[np.ndarray, np.ndarray]:
    """Times and root mean square of the voice band in every 10 ms between two times of ``clip``, each float64 (n,).

    The sound is streamed; before its beginning and after its end there is silence.
    """
    rate = clip.sample_rate or 1
    size = max(round(rate * _HOP_S), 1)
    low, high = settings.voice_hz[0], min(settings.voice_hz[1], 0.45 * rate)
    band = butter(2, [low, high], "bandpass", fs=rate, output="sos")
    state = np.zeros_like(sosfilt_zi(band))
    first, last = round(start_s / _HOP_S), round(end_s / _HOP_S)
    power = np.zeros(max(last - first, 1))
    left, position = np.zeros(0), 0
    for block in clip.samples(1):
        if position >= last:
            break
        heard, state = sosfilt(band, np.nan_to_num(block[:, 0].astype(np.float64)), zi=state)
        left = np.concatenate([left, heard])
        count = len(left) // size
        for index, value in enumerate((left[: count * size].reshape(count, size) ** 2).mean(axis=1), position):
            if first <= index < last:
                power[index - first] = value
        left, position = left[count * size :], position + count
    return (first + np.arange(len(power)) + 0.5) * size / rate, np.sqrt(power)


def modulation_db(envelope: np.ndarray) -> float:
    """How much louder the loud moments (95th percentile) of ``envelope`` (n,) are than the quiet ones (20th), in dB.

    0 for silence.
    """
    if len(envelope) == 0:
        return 0.0
    quiet, loud = np.quantile(envelope, [0.2, 0.95])
    return 0.0 if loud < _QUIET else float(20 * np.log10(loud / max(quiet, _QUIET)))


def agreement(
    times: np.ndarray, mouth: np.ndarray, voice_times: np.ndarray, voice: np.ndarray, settings: LipsSettings
) -> Agreement:
    """How well ``mouth`` (n,) at ``times`` goes with ``voice`` (m,) at ``voice_times``, at each lag of the voice."""

    def at(lags: np.ndarray) -> np.ndarray:
        return np.array([_correlation(mouth, np.interp(times + lag, voice_times, voice)) for lag in lags])

    near = np.arange(-settings.farthest_lag_s, settings.farthest_lag_s + 1e-9, _LAG_STEP_S)
    far = np.arange(settings.elsewhere_s[0], settings.elsewhere_s[1] + 1e-9, _LAG_STEP_S)
    found = at(near)
    best = int(np.argmax(found))
    return Agreement(float(found[best]), float(near[best]), float(at(np.concatenate([-far, far])).max()))


def disagreement_over_time(
    times: np.ndarray, mouth: np.ndarray, voice_times: np.ndarray, voice: np.ndarray, lag_s: float,
    settings: LipsSettings,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """1 − the correlation at ``lag_s`` in windows of ``window_s``, half overlapping; times of their middles."""
    aligned = np.interp(times + lag_s, voice_times, voice)
    size = max(round(settings.window_s / float(times[1] - times[0])), 4)
    starts = range(0, len(times) - size + 1, max(size // 4, 1))
    middles = np.array([times[start : start + size].mean() for start in starts])
    parts = [slice(start, start + size) for start in starts]
    return middles, np.array([1 - _correlation(mouth[part], aligned[part]) for part in parts])


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; 0 where one of the two does not vary."""
    one, other = one - one.mean(), other - other.mean()
    spread = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / spread if spread > _LEAST_SPREAD else 0.0


def _in_band(values: np.ndarray, interval_s: float, settings: LipsSettings) -> np.ndarray:
    """``values`` (n,) within the band of syllables, with no shift in time."""
    rate = 1 / interval_s
    low, high = settings.syllables_hz
    band = butter(2, [low, min(high, 0.45 * rate)], "bandpass", fs=rate, output="sos")
    return np.asarray(sosfiltfilt(band, values))


def _floor(envelope: np.ndarray) -> float:
    """What is added before taking logarithms, so that the depth of a pause does not count."""
    return 0.02 * float(np.quantile(envelope, 0.95)) + _QUIET


def _figure(times: np.ndarray, curve: np.ndarray, high: float | None) -> Figure:
    levels = {"no agreement": 1.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title="How little the lips' opening goes with the voice",
        y_label="1 − correlation",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) for v in curve],
        levels=levels,
    )
