"""What an actor does over time: speech on the lips, blinks, gaze, brows, moods and head motion, as plain curves.

A performance knows nothing of who gives it or in which light, so that any actor can give any performance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from scipy.ndimage import gaussian_filter1d

from likeness.actors.expressions import EXPRESSION_NAMES
from likeness.actors.shot import Pose
from likeness.actors.speech import VISEMES, Speech, Voice, speak
from likeness.errors import SettingsError

_FINE_HZ = 200  # curves are made on this grid and then read at the frame times
_COARTICULATION_S = 0.060  # σ of the Gaussian that blends neighbouring mouth shapes
_LIP_CLOSURE_S = 0.028  # σ for lips that meet, which are quicker
_LIPS_LEAD_S = 0.040  # the mouth takes its shape this long before the sound is heard
_SPEECH_STARTS_S = 0.35
_FADE_S = 0.05  # where the sound is cut at the end of the take
_EYE_RANGE_DEG = (26.0, 18.0)  # how far the eyes turn in the head, yaw and pitch

_SIDES = ("_L", "_R")


@dataclass(frozen=True)
class Style:
    """A manner of acting; two takes in one style cover the same range of poses and expressions.

    ``head_deg``: limits of yaw, pitch and roll in degrees. ``sway_cm``: spread of the head's shift in cm.
    ``blinks_a_minute``: 10–25 is human. ``articulation`` and ``mood`` scale mouth shapes and expressions, 1 is average.
    """

    voice: Voice = field(default_factory=Voice)
    head_deg: tuple[float, float, float] = (28.0, 12.0, 8.0)
    sway_cm: tuple[float, float, float] = (0.8, 0.5, 1.5)
    blinks_a_minute: float = 17.0
    articulation: float = 1.0
    mood: float = 1.0

    @classmethod
    def from_seed(cls, seed: int, feminine: bool) -> "Style":
        """Draw a manner and a voice."""
        rng = np.random.default_rng((seed, 0x57E1))
        return cls(
            voice=Voice.from_seed(seed, feminine),
            head_deg=(rng.uniform(20, 29), rng.uniform(8, 12), rng.uniform(5, 8)),
            blinks_a_minute=rng.uniform(12, 22),
            articulation=rng.uniform(0.85, 1.15),
            mood=rng.uniform(0.8, 1.15),
        )


@dataclass(frozen=True, eq=False)
class Performance:
    """Curves sampled at the T frame times.

    ``times_s`` float64 (T,); ``expression`` float32 (T, 57) in [0, 1], in the order of EXPRESSION_NAMES; ``gaze``
    float32 (T, 2) yaw and pitch of the eyes in the head, degrees; ``head`` float32 (T, 3) yaw, pitch, roll, degrees;
    ``shift`` float32 (T, 3) cm; ``blink`` float32 (T,) 0 open … 1 closed; ``viseme`` int8 (T,), index into VISEMES;
    ``sound`` float32 (n,) mono in [-1, 1] as long as the take, or None for a silent one; ``sample_rate`` Hz.
    """

    frame_rate: Fraction
    times_s: np.ndarray
    expression: np.ndarray
    gaze: np.ndarray
    head: np.ndarray
    shift: np.ndarray
    blink: np.ndarray
    viseme: np.ndarray
    sound: np.ndarray | None
    sample_rate: int

    def __len__(self) -> int:
        return len(self.times_s)

    def pose(self, index: int) -> Pose:
        """The actor's pose in frame ``index``."""
        return Pose(self.expression[index], self.gaze[index], self.head[index], self.shift[index])


def perform(
    text: str | None,
    duration_s: float,
    seed: int,
    style: Style | None = None,
    frame_rate: Fraction | int = 25,
) -> Performance:
    """Act for ``duration_s`` seconds, saying ``text`` (None: silently) once, from 0.35 s on; what does not fit is cut.

    The same arguments give the same curves. Raises MissingDataError where ``text`` is given without espeak-ng,
    SettingsError for a duration or rate that is not positive.
    """
    if duration_s <= 0 or frame_rate <= 0:
        raise SettingsError("A take needs a positive duration and frame rate. Give for example 10 seconds at 25.")
    style = style or Style()
    rate = Fraction(frame_rate)
    times = np.arange(max(1, round(duration_s * rate))) / float(rate)
    fine = np.arange(int(duration_s * _FINE_HZ) + _FINE_HZ) / _FINE_HZ
    rng = np.random.default_rng((seed, 0xAC7))

    speech = _from_start(speak(text, style.voice), duration_s) if text else None
    head = _head_motion(rng, fine, style)
    blink = _blinks(rng, fine, style.blinks_a_minute)
    gaze = _gaze(rng, fine, head)
    layers = [_moods(rng, fine, style.mood), _accents(rng, fine, speech, style.mood), _lids(blink)]
    viseme = np.zeros(len(times), dtype=np.int8)
    if speech:
        layers.append(_mouth(speech, fine, style.articulation))
        viseme = _viseme_curve(speech, times)
    expression = np.clip(np.sum(layers, axis=0), 0.0, 1.0)
    shift = _smooth_noise(rng, len(fine), 3, 1.1) * style.sway_cm

    def at_frames(curve: np.ndarray) -> np.ndarray:
        indices = np.round(times * _FINE_HZ).astype(int)
        return curve[indices].astype(np.float32)

    return Performance(
        rate, times, at_frames(expression), at_frames(gaze), at_frames(head), at_frames(shift), at_frames(blink),
        viseme, speech.samples if speech else None, speech.sample_rate if speech else 0,
    )  # fmt: skip


# --- the mouth

_MOUTH_SHAPES: Mapping[str, Mapping[str, float]] = {
    "silence": {},
    "bilabial": {"mouthPress": 0.30, "mouthRollLower": 0.22, "mouthRollUpper": 0.16},
    "labiodental": {"mouthRollLower": 0.50, "mouthUpperUp": 0.20, "jawOpen": 0.06},
    "alveolar": {"jawOpen": 0.15, "mouthLowerDown": 0.22, "mouthUpperUp": 0.10},
    "sibilant": {"jawOpen": 0.05, "mouthStretch": 0.28, "mouthLowerDown": 0.35, "mouthUpperUp": 0.16},
    "postalveolar": {"jawOpen": 0.10, "mouthFunnel": 0.50, "mouthPucker": 0.18},
    "velar": {"jawOpen": 0.24, "mouthLowerDown": 0.14},
    "open": {"jawOpen": 0.52, "mouthLowerDown": 0.18, "mouthUpperUp": 0.12},
    "spread": {"jawOpen": 0.22, "mouthSmile": 0.20, "mouthStretch": 0.22, "mouthLowerDown": 0.18},
    "rounded": {"jawOpen": 0.24, "mouthPucker": 0.52, "mouthFunnel": 0.30},
}
# How firmly each group holds its shape against its neighbours (Cohen & Massaro 1993, "Modeling coarticulation"): tongue
# sounds take the lips of the vowel beside them, and lip sounds leave the slow gesture to their neighbours altogether.
_DOMINANCE = {"silence": 0.6, "bilabial": 0.2, "labiodental": 0.3, "postalveolar": 1.6, "alveolar": 0.7, "velar": 0.6}


def _mouth(speech: Speech, fine: np.ndarray, articulation: float) -> np.ndarray:
    """Mouth shapes over the fine grid, (F, 57): slow gestures from vowel to vowel, and quick closures of the lips on
    top of them (Öhman 1966, "Coarticulation in VCV utterances")."""
    viseme = _viseme_curve(speech, fine + _LIPS_LEAD_S)
    shapes = np.stack([_expression(_MOUTH_SHAPES[name]) for name in VISEMES])
    dominance = np.array([_DOMINANCE.get(name, 1.0) for name in VISEMES])[viseme]
    sigma = _COARTICULATION_S * _FINE_HZ
    weighted = gaussian_filter1d(shapes[viseme] * dominance[:, None], sigma, axis=0)
    curves = weighted / gaussian_filter1d(dominance, sigma)[:, None]
    for name in ("bilabial", "labiodental"):
        closing = gaussian_filter1d((viseme == VISEMES.index(name)).astype(float), _LIP_CLOSURE_S * _FINE_HZ)
        share = np.minimum(1.25 * closing, 1.0)[:, None]
        curves = (1.0 - share) * curves + share * shapes[VISEMES.index(name)]
    return articulation * curves


def _viseme_curve(speech: Speech, times: np.ndarray) -> np.ndarray:
    """Viseme heard at each time, int8 (n,)."""
    curve = np.zeros(len(times), dtype=np.int8)
    for phoneme in speech.phonemes:
        curve[(times >= phoneme.start_s) & (times < phoneme.end_s)] = phoneme.viseme
    return curve


def _from_start(speech: Speech, duration_s: float) -> Speech:
    """Move the speech to its place in the take, and make its sound exactly as long as the take."""
    count, offset = round(duration_s * speech.sample_rate), round(_SPEECH_STARTS_S * speech.sample_rate)
    samples = np.zeros(count, dtype=np.float32)
    kept = speech.samples[: max(count - offset, 0)]
    samples[offset : offset + len(kept)] = kept
    fade = min(round(_FADE_S * speech.sample_rate), count)
    samples[count - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    phonemes = tuple(
        replace(phoneme, start_s=phoneme.start_s + _SPEECH_STARTS_S, end_s=phoneme.end_s + _SPEECH_STARTS_S)
        for phoneme in speech.phonemes
        if phoneme.start_s + _SPEECH_STARTS_S < duration_s
    )
    return Speech(samples, speech.sample_rate, phonemes)


# --- eyes

_BLINK_S = (0.15, 0.35)  # whole duration; spontaneous blinks, Bentivoglio et al. 1997 and Stern et al. 1984
_CLOSING_SHARE, _CLOSED_SHARE = 0.33, 0.12  # lids fall about twice as fast as they rise (Guitton et al. 1991)
_MIN_BETWEEN_BLINKS_S = 0.8


def _blinks(rng: np.random.Generator, fine: np.ndarray, blinks_a_minute: float) -> np.ndarray:
    """Closure of the lids over the fine grid, (F,), 0 open … 1 closed; intervals are log-normal."""
    closure = np.zeros(len(fine))
    mean_s = 60.0 / blinks_a_minute
    onset = mean_s * rng.uniform(0.2, 0.8)
    while onset < fine[-1]:
        duration = rng.uniform(*_BLINK_S)
        phase = (fine - onset) / duration
        falling = np.clip(phase / _CLOSING_SHARE, 0.0, 1.0)
        rising = np.clip((1.0 - phase) / (1.0 - _CLOSING_SHARE - _CLOSED_SHARE), 0.0, 1.0)
        closure = np.maximum(closure, rng.uniform(0.94, 1.0) * _ease(np.minimum(falling, rising)))
        interval = mean_s * rng.lognormal(-0.06, 0.35)  # mean of this log-normal is 1
        onset += duration + max(interval - duration, _MIN_BETWEEN_BLINKS_S)
    return closure


def _gaze(rng: np.random.Generator, fine: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Eyes in the head, (F, 2) yaw and pitch in degrees: fixations joined by saccades, turning against the head.

    The saccade's duration follows the main sequence, 2.2 ms a degree + 21 ms (Carpenter 1988).
    """
    target = np.zeros((len(fine), 2))
    here, start = np.zeros(2), 0.0
    while start < fine[-1]:
        looks_away = rng.random() < 0.3
        there = rng.normal(0, (9, 5) if looks_away else (1.0, 0.7))
        duration = 0.021 + 0.0022 * float(np.hypot(*(there - here)))
        progress = _ease(np.clip((fine - start) / duration, 0.0, 1.0))[:, None]
        target = np.where(fine[:, None] >= start, here + progress * (there - here), target)
        here, start = there, start + rng.uniform(0.4, 1.0 if looks_away else 2.6)
    limits = np.array(_EYE_RANGE_DEG)
    return limits * np.tanh((target - 0.85 * head[:, :2]) / limits)


def _lids(blink: np.ndarray) -> np.ndarray:
    """Blinks over the fine grid, (F, 57). That the lids follow the gaze is the studio's work."""
    curves = np.zeros((len(blink), len(EXPRESSION_NAMES)))
    _add(curves, "eyeBlink", blink)
    return curves


# --- moods, brows and the head

_MOODS: tuple[Mapping[str, float], ...] = (
    {"mouthSmile": 0.65, "cheekSquint": 0.40, "eyeSquint": 0.25, "mouthDimple": 0.15},
    {"mouthSmile": 0.35, "browOuterUp": 0.30, "browInnerUp": 0.20},
    {"browInnerUp": 0.55, "browOuterUp": 0.55, "eyeWide": 0.40, "jawOpen": 0.10},
    {"browDown": 0.55, "eyeSquint": 0.30, "mouthPress": 0.20},
    {"browInnerUp": 0.50, "mouthFrown": 0.40, "mouthShrugLower": 0.20},
    {"noseSneer": 0.35, "mouthUpperUp": 0.15, "browDown": 0.25, "cheekSquint": 0.20},
    {"mouthPucker": 0.30, "browDown": 0.20, "mouthShrugUpper": 0.20},
)


def _moods(rng: np.random.Generator, fine: np.ndarray, strength: float) -> np.ndarray:
    """Passing expressions, (F, 57), each 1.2–3 s long, slightly stronger on one side."""
    curves = np.zeros((len(fine), len(EXPRESSION_NAMES)))
    order, start = rng.permutation(len(_MOODS)), rng.uniform(0.2, 1.2)
    turn = 0
    while start < fine[-1]:
        duration = rng.uniform(1.2, 3.0)
        flicker = 1.0 + 0.12 * _smooth_noise(rng, len(fine), 1, 0.25)[:, 0]  # no face holds perfectly still
        envelope = _bump(fine, start, duration, edge_s=0.45) * flicker * strength * rng.uniform(0.5, 1.1)
        left, right = 1.0 + np.array([1, -1]) * rng.uniform(-0.18, 0.18)
        curves += envelope[:, None] * _expression(_MOODS[order[turn % len(order)]], left, right)
        start, turn = start + duration + rng.uniform(0.2, 1.8), turn + 1
    return curves


def _accents(rng: np.random.Generator, fine: np.ndarray, speech: Speech | None, strength: float) -> np.ndarray:
    """Quick brow raises, (F, 57), on about a third of the long vowels when speaking, else every 2–5 s."""
    if speech:
        long_vowels = [p.start_s for p in speech.phonemes if p.is_vowel and p.end_s - p.start_s > 0.11]
        starts = [start - 0.1 for start in long_vowels if rng.random() < 0.33]
    else:
        starts = list(np.cumsum(rng.uniform(2.0, 5.0, size=int(fine[-1] / 2) + 1)))
    curves = np.zeros((len(fine), len(EXPRESSION_NAMES)))
    for start in starts:
        height = strength * rng.uniform(0.15, 0.5)
        bump = _bump(fine, start, rng.uniform(0.3, 0.55), edge_s=0.14) * height
        _add(curves, "browInnerUp", bump)
        _add(curves, "browOuterUp", bump * rng.uniform(0.4, 1.0))
    return curves


def _head_motion(rng: np.random.Generator, fine: np.ndarray, style: Style) -> np.ndarray:
    """Yaw, pitch and roll, (F, 3) degrees: slow turns plus a little quick motion, kept softly inside the limits."""
    slow = _smooth_noise(rng, len(fine), 3, sigma_s=0.75)
    quick = _smooth_noise(rng, len(fine), 3, sigma_s=0.18)
    return np.tanh(0.62 * slow + 0.07 * quick) * style.head_deg


def _smooth_noise(rng: np.random.Generator, count: int, width: int, sigma_s: float) -> np.ndarray:
    """Gaussian noise (count, width) of unit variance whose correlation has the width ``sigma_s``."""
    sigma = sigma_s * _FINE_HZ
    white = rng.standard_normal((count, width)) * np.sqrt(2.0 * np.sqrt(np.pi) * sigma)
    return gaussian_filter1d(white, sigma, axis=0, mode="wrap")


def _bump(fine: np.ndarray, start_s: float, duration_s: float, edge_s: float) -> np.ndarray:
    """0 → 1 → 0 with eased edges."""
    rise = np.clip((fine - start_s) / edge_s, 0.0, 1.0)
    fall = np.clip((start_s + duration_s - fine) / edge_s, 0.0, 1.0)
    return _ease(np.minimum(rise, fall))


def _ease(share: np.ndarray) -> np.ndarray:
    """Raised cosine: 0 … 1 with no kink at either end."""
    return 0.5 - 0.5 * np.cos(np.pi * share)


def _expression(weights: Mapping[str, float], left: float = 1.0, right: float = 1.0) -> np.ndarray:
    """Expression vector (57,) from names without side; two-sided ones are set on both sides."""
    vector = np.zeros((1, len(EXPRESSION_NAMES)))
    for name, weight in weights.items():
        _add(vector, name, np.array([weight]), left, right)
    return vector[0]


def _add(curves: np.ndarray, name: str, values: np.ndarray, left: float = 1.0, right: float = 1.0) -> None:
    """Add ``values`` (n,) to the expression ``name`` of ``curves`` (n, 57), on both sides where it has sides."""
    if name in EXPRESSION_NAMES:
        curves[:, EXPRESSION_NAMES.index(name)] += values
        return
    for side, scale in zip(_SIDES, (left, right), strict=True):
        curves[:, EXPRESSION_NAMES.index(name + side)] += values * scale
