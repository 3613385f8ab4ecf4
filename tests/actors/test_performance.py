"""Performances: human ranges, repeatable, and lips that follow the sound."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.actors.expressions import EXPRESSION_NAMES
from likeness.actors.performance import Style, perform
from likeness.actors.speech import VISEMES, monologue, speech_available
from likeness.errors import SettingsError

needs_espeak = pytest.mark.skipif(not speech_available(), reason="espeak-ng is not installed")


def weight(performance, name: str) -> np.ndarray:
    return performance.expression[:, EXPRESSION_NAMES.index(name)]


def blinks(performance) -> np.ndarray:
    """First frames of the blinks."""
    return np.flatnonzero(np.diff((performance.blink > 0.5).astype(int)) == 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 6.0), st.sampled_from([Fraction(25), Fraction(30000, 1001), 50]))
def test_curves_have_one_row_a_frame_and_stay_in_range(seed: int, duration_s: float, rate: Fraction) -> None:
    style = Style.from_seed(seed, feminine=bool(seed % 2))
    performance = perform(None, duration_s, seed, style, rate)
    count = max(1, round(duration_s * rate))
    assert len(performance) == count
    assert performance.expression.shape == (count, 57)
    assert performance.expression.min() >= 0
    assert performance.expression.max() <= 1
    assert (np.abs(performance.head) <= style.head_deg).all()
    assert (np.abs(performance.gaze) <= (26, 18)).all()
    assert performance.blink.min() >= 0
    assert performance.blink.max() <= 1
    assert np.allclose(np.diff(performance.times_s), 1 / float(rate))
    assert performance.sound is None


def test_the_same_seed_acts_the_same_and_another_differently() -> None:
    first, again, other = (perform(None, 3.0, seed) for seed in (4, 4, 5))
    assert np.array_equal(first.expression, again.expression)
    assert np.array_equal(first.head, again.head)
    assert not np.allclose(first.head, other.head)


def test_people_blink_ten_to_twenty_five_times_a_minute_and_close_faster_than_they_open() -> None:
    rates, closing, opening, lengths = [], [], [], []
    for seed in range(8):
        performance = perform(None, 60.0, seed, frame_rate=100)
        starts = blinks(performance)
        rates.append(len(starts))
        for start in starts[1:-1]:
            around = performance.blink[start - 30 : start + 40]
            shut = np.flatnonzero(around > 0.9)
            moving = np.flatnonzero(around > 0.02)
            closing.append(shut[0] - moving[0])
            opening.append(moving[-1] - shut[-1])
            lengths.append((moving[-1] - moving[0]) / 100)
    assert min(rates) >= 10
    assert max(rates) <= 25
    assert np.mean(closing) < 0.75 * np.mean(opening)
    assert min(lengths) >= 0.1
    assert max(lengths) <= 0.36


def test_shut_eyes_are_shut_on_both_sides() -> None:
    performance = perform(None, 20.0, 2)
    assert np.array_equal(weight(performance, "eyeBlink_L"), performance.blink)
    assert np.array_equal(weight(performance, "eyeBlink_R"), performance.blink)


def test_the_head_turns_and_the_eyes_turn_against_it() -> None:
    performance = perform(None, 60.0, 3)
    assert np.ptp(performance.head[:, 0]) > 30
    assert np.corrcoef(performance.head[:, 0], performance.gaze[:, 0])[0, 1] < -0.4
    fastest = np.abs(np.diff(performance.head, axis=0)).max() * 25
    assert fastest < 120, "degrees a second"


def test_a_take_without_length_is_refused() -> None:
    with pytest.raises(SettingsError, match="positive duration"):
        perform(None, 0.0, 1)
    with pytest.raises(SettingsError):
        perform(None, 1.0, 1, frame_rate=0)


@needs_espeak
def test_the_sound_is_as_long_as_the_take_and_the_silent_one_is_still() -> None:
    spoken, silent = perform("Open the big door.", 4.0, 1), perform(None, 4.0, 1)
    assert spoken.sound is not None
    assert len(spoken.sound) == 4 * spoken.sample_rate
    assert set(silent.viseme) == {0}
    assert np.array_equal(spoken.head, silent.head), "words change the mouth, not the head"


@needs_espeak
def test_lips_meet_in_bilabials_and_the_jaw_drops_in_open_vowels() -> None:
    performance = perform("Papa and mama. Papa and mama.", 4.0, 1, Style(mood=0.0))
    lead = 1  # the mouth is one frame of 25 ahead of the sound
    viseme = np.roll(performance.viseme, -lead)
    pressed, jaw = weight(performance, "mouthPress_L"), weight(performance, "jawOpen")
    closed, opened = viseme == VISEMES.index("bilabial"), viseme == VISEMES.index("open")
    assert pressed[closed].mean() > 2 * pressed[opened].mean()
    assert jaw[opened].mean() > 1.8 * jaw[closed].mean()
    assert jaw[-10:].max() < 0.02, "the mouth rests after the words"


@needs_espeak
def test_lips_lead_the_sound_by_forty_milliseconds() -> None:
    performance = perform(monologue(20.0, seed=1), 20.0, 1, Style(mood=0.0), frame_rate=100)
    edges = np.linspace(0, len(performance.sound), len(performance) + 1).astype(int)
    loud = np.convolve(np.add.reduceat(np.abs(performance.sound), edges[:-1]), np.hanning(9), mode="same")
    jaw = weight(performance, "jawOpen")
    lags = range(-15, 16)
    agreement = [np.corrcoef(jaw, np.roll(loud, -lag))[0, 1] for lag in lags]
    assert 0 <= lags[int(np.argmax(agreement))] <= 8, "frames of 10 ms"


@needs_espeak
def test_words_that_do_not_fit_are_cut_without_a_click() -> None:
    performance = perform("This sentence is much longer than the time there is for it.", 1.0, 1)
    assert len(performance.sound) == performance.sample_rate
    assert abs(performance.sound[-1]) < 1e-3
