"""Speech with known phoneme times: text → sound, phonemes and visemes, spoken by espeak-ng.

espeak-ng is a system library that is called through ctypes and is optional: silent performances need none of this.
"""

import ctypes
import ctypes.util
import functools
from dataclasses import dataclass

import numpy as np

from likeness.errors import MissingDataError, SettingsError

VISEMES = (
    "silence", "bilabial", "labiodental", "alveolar", "sibilant",
    "postalveolar", "velar", "open", "spread", "rounded",
)  # fmt: skip
"""Ten mouth-shape groups, coarser than the 14 visemes of MPEG-4 (ISO/IEC 14496-2, table C-1); numbered by place."""

_IPA_OF_VISEME = {
    "bilabial": "pbm",
    "labiodental": "fv",
    "alveolar": "tdnlθðɾʔ",
    "sibilant": "sz",
    "postalveolar": "ʃʒɹrɚɝɜ",
    "velar": "kɡgŋhx",
    "open": "aɑæʌɐə",
    "spread": "iɪeɛjᵻ",
    "rounded": "oɔuʊwɒ",
}
_VISEME_OF_IPA = {symbol: VISEMES.index(name) for name, symbols in _IPA_OF_VISEME.items() for symbol in symbols}

SENTENCES = (
    "The morning train was almost empty when we left the station.",
    "She put five blue boxes on the table beside the window.",
    "Most people choose the path along the river in summer.",
    "We bought some bread, a bag of apples and fresh milk.",
    "The weather should be fine for the rest of the week.",
    "My brother fixed the old bicycle in the garage yesterday.",
    "Could you please move the chair a little closer to the wall?",
    "The museum opens at nine and closes early on Mondays.",
    "A small boat passed slowly under the wooden bridge.",
    "They usually have breakfast together before going to work.",
    "I would like a cup of coffee and a slice of cheese cake.",
    "The children played with a yellow ball behind the house.",
    "Five farmers brought fresh vegetables to the village market.",
    "He wrote a short letter to his aunt about the new garden.",
    "The library has a quiet room with a view of the park.",
    "Above the roof we saw a flock of birds flying south.",
    "Please remember to water the plants while we are away.",
    "The teacher showed us how to measure the height of a tree.",
    "On Thursday the shop offers a choice of soups and salads.",
    "It took about four hours to paint the whole kitchen white.",
    "Both of them enjoy cooking and walking in the mountains.",
    "The bus stops just around the corner from my office.",
    "We should think about the position of the lamp again.",
    "A warm wind moved through the open door of the cafe.",
)
"""Neutral sentences, our own, chosen so that a few of them cover all visemes."""

_PAUSE = " \n"  # between sentences; espeak-ng makes a pause at each full stop
_CHARACTERS_A_SECOND = 16.5  # measured on SENTENCES at 160 words a minute
_VOWELS = frozenset("aɑæʌɐəiɪeɛᵻoɔuʊɒɚɝɜ")


@dataclass(frozen=True)
class Voice:
    """How espeak-ng speaks. ``variant`` is one of its voice variants (m1–m8, f1–f5), ``pitch`` and ``pitch_range``
    0–100, ``words_a_minute`` 80–450."""

    variant: str = "m3"
    pitch: int = 45
    pitch_range: int = 50
    words_a_minute: int = 160
    language: str = "en-us"

    @classmethod
    def from_seed(cls, seed: int, feminine: bool) -> "Voice":
        """Draw a voice that fits how the actor looks."""
        rng = np.random.default_rng((seed, 0x701CE))
        variants = ("f1", "f2", "f3", "f4") if feminine else ("m1", "m2", "m3", "m4", "m7", "m8")
        return cls(
            variant=variants[rng.integers(len(variants))],
            pitch=int(rng.integers(42, 66) if feminine else rng.integers(28, 52)),
            pitch_range=int(rng.integers(35, 65)),
            words_a_minute=int(rng.integers(140, 178)),
        )


@dataclass(frozen=True)
class Phoneme:
    """One sound of speech: its IPA ``symbol``, its time span in seconds, its ``viseme`` (index into VISEMES)."""

    symbol: str
    start_s: float
    end_s: float
    viseme: int

    @property
    def is_vowel(self) -> bool:
        return self.symbol[:1] in _VOWELS


@dataclass(frozen=True, eq=False)
class Speech:
    """``samples`` float32 (n,) mono in [-1, 1] at ``sample_rate`` Hz; ``phonemes`` in order, gaps being silence."""

    samples: np.ndarray
    sample_rate: int
    phonemes: tuple[Phoneme, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate


def speech_available() -> bool:
    """Whether espeak-ng and its voice data are installed."""
    try:
        _load_espeak()
    except MissingDataError:
        return False
    return True


def speak(text: str, voice: Voice | None = None) -> Speech:
    """Say ``text``. Raises MissingDataError without espeak-ng, SettingsError for an unknown language."""
    voice = voice or Voice()
    library, sample_rate = _load_espeak()
    if library.espeak_SetVoiceByName(f"{voice.language}+{voice.variant}".encode()) != 0:
        raise SettingsError(f"espeak-ng has no voice {voice.language!r}. Choose one that `espeak-ng --voices` lists.")
    for parameter, value in ((_RATE, voice.words_a_minute), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)

    blocks: list[bytes] = []
    events: list[tuple[int, str]] = []

    def collect(wave: int | None, count: int, event: "ctypes._Pointer[_Event]") -> int:
        if wave and count > 0:
            blocks.append(ctypes.string_at(wave, 2 * count))
        index = 0
        while event and event[index].type != _EVENT_LIST_ENDS:
            if event[index].type == _EVENT_PHONEME:
                events.append((event[index].sample, event[index].symbol()))
            index += 1
        return 0

    callback = _SYNTHESIS_CALLBACK(collect)  # keep a reference: espeak-ng calls it until Synth returns
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
    samples = np.frombuffer(b"".join(blocks), dtype="<i2").astype(np.float32) / 32768.0
    return Speech(samples, sample_rate, _phonemes(events, len(samples), sample_rate))


def monologue(duration_s: float, seed: int, voice: Voice | None = None) -> str:
    """Shuffle SENTENCES and return as many as ``voice`` can say in about ``duration_s`` seconds, at least one."""
    words_a_minute = (voice or Voice()).words_a_minute
    budget = duration_s * _CHARACTERS_A_SECOND * words_a_minute / 160
    chosen: list[str] = []
    order = np.random.default_rng((seed, 0x7E47)).permutation(len(SENTENCES))
    for index in np.resize(order, max(len(order), int(budget / 30) + 1)):
        sentence = SENTENCES[index]
        if budget >= len(sentence) or not chosen:
            chosen.append(sentence)
            budget -= len(sentence)
    return _PAUSE.join(chosen)


def viseme_of(symbol: str) -> int:
    """Viseme of one IPA symbol; stress and length marks are ignored. Unknown symbols count as silence."""
    return next((_VISEME_OF_IPA[character] for character in symbol if character in _VISEME_OF_IPA), 0)


def _phonemes(events: list[tuple[int, str]], sample_count: int, sample_rate: int) -> tuple[Phoneme, ...]:
    """Turn onset events into spans; a diphthong or affricate gives each of its parts half of the span."""
    phonemes = []
    ends = [sample for sample, _ in events[1:]] + [sample_count]
    for (start, symbol), end in zip(events, ends, strict=True):
        parts = [character for character in symbol if character in _VISEME_OF_IPA]
        if not parts or end <= start:
            continue
        edges = np.linspace(start, end, len(parts) + 1) / sample_rate
        phonemes += [
            Phoneme(part, float(first), float(last), _VISEME_OF_IPA[part])
            for part, first, last in zip(parts, edges[:-1], edges[1:], strict=True)
        ]
    return tuple(phonemes)


# The part of espeak-ng's C interface (speak_lib.h, API revision 12) that is used above.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS, _INITIALIZE_PHONEME_IPA, _INITIALIZE_DONT_EXIT = 0x0001, 0x0002, 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_EVENT_LIST_ENDS, _EVENT_PHONEME = 0, 7
_POSITION_CHARACTER, _UTF8 = 1, 1


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )

    def symbol(self) -> str:
        """The phoneme's name: at most eight bytes of UTF-8, not always terminated."""
        raw = bytes(ctypes.string_at(ctypes.addressof(self.id), 8))
        return raw.split(b"\0")[0].decode("utf-8", errors="ignore")


_SYNTHESIS_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@functools.cache
def _load_espeak() -> tuple[ctypes.CDLL, int]:
    """Load and initialise espeak-ng once a process; returns the library and its sample rate in Hz."""
    advice = "Install it (Debian: `apt install libespeak-ng1`, macOS: `brew install espeak-ng`) or use `--silent`."
    try:
        library = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    except OSError as error:
        raise MissingDataError(f"Speaking needs espeak-ng, which is not installed. {advice}") from error
    options = _INITIALIZE_PHONEME_EVENTS | _INITIALIZE_PHONEME_IPA | _INITIALIZE_DONT_EXIT
    sample_rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, None, options)
    if sample_rate <= 0:
        raise MissingDataError(f"espeak-ng is there but its voice data is not. {advice}")
    return library, sample_rate
