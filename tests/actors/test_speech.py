"""Speech: what espeak-ng says and when, and how it maps onto ten visemes."""

import ctypes
import ctypes.util

import numpy as np
import pytest

from likeness.actors import speech
from likeness.actors.speech import SENTENCES, VISEMES, Voice, monologue, speak, speech_available, viseme_of
from likeness.errors import MissingDataError, SettingsError

needs_espeak = pytest.mark.skipif(not speech_available(), reason="espeak-ng is not installed")


def test_there_are_ten_visemes_and_every_symbol_has_one() -> None:
    assert len(VISEMES) == 10
    groups = {VISEMES[viseme_of(symbol)] for symbol in ("p", "f", "t", "s", "tʃ"[1], "k", "ɑː", "iː", "uː")}
    assert groups == set(VISEMES) - {"silence"}
    assert viseme_of("ˈɑː") == VISEMES.index("open")
    assert viseme_of("?") == 0


def test_a_monologue_is_as_long_as_asked_and_differs_by_seed() -> None:
    short, long = monologue(3.0, seed=1), monologue(60.0, seed=1)
    assert len(short) < 90
    assert 700 < len(long) < 1100
    assert monologue(10.0, seed=1) == monologue(10.0, seed=1) != monologue(10.0, seed=2)
    assert monologue(0.1, seed=5) in SENTENCES


def test_voices_differ_by_seed_and_fit_the_actor() -> None:
    voices = {Voice.from_seed(seed, feminine=bool(seed % 2)) for seed in range(12)}
    assert len(voices) == 12
    assert Voice.from_seed(3, feminine=True).variant.startswith("f")
    assert Voice.from_seed(3, feminine=False).variant.startswith("m")


@needs_espeak
def test_phonemes_are_in_order_inside_the_sound_and_where_the_sound_is_loud() -> None:
    said = speak("The boy bought a phone.")
    assert said.samples.dtype == np.float32
    assert np.abs(said.samples).max() <= 1.0
    starts = [phoneme.start_s for phoneme in said.phonemes]
    assert starts == sorted(starts)
    assert all(0 <= phoneme.start_s < phoneme.end_s <= said.duration_s for phoneme in said.phonemes)
    heard = "".join(phoneme.symbol for phoneme in said.phonemes)
    assert heard.startswith("ðəb")
    assert heard.endswith("n")
    vowel = max((p for p in said.phonemes if p.is_vowel), key=lambda p: p.end_s - p.start_s)
    inside = said.samples[int(vowel.start_s * said.sample_rate) : int(vowel.end_s * said.sample_rate)]
    assert np.std(inside) > np.std(said.samples)


@needs_espeak
def test_the_sentences_cover_all_visemes() -> None:
    seen = {phoneme.viseme for phoneme in speak(" ".join(SENTENCES[:6])).phonemes}
    assert seen == set(range(1, 10))


@needs_espeak
def test_an_unknown_language_is_refused_in_one_line() -> None:
    with pytest.raises(SettingsError, match="no voice") as refusal:
        speak("Hello.", Voice(language="martian"))
    assert "\n" not in str(refusal.value)


def test_without_espeak_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", not_installed)
    speech._load_espeak.cache_clear()
    try:
        with pytest.raises(MissingDataError, match="--silent") as refusal:
            speak("Hello.")
        assert not speech_available()
    finally:
        speech._load_espeak.cache_clear()
    assert "\n" not in str(refusal.value)
