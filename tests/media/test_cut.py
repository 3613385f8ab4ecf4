from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_media import Recipe, make_clip, number_in, numbered

from likeness.errors import SettingsError
from likeness.media.clip import Clip, open_clip

RATE = 8000  # Hz
LENGTH_S = 2.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Two seconds: numbered frames, and sound that grows louder evenly, so that each moment has its own level."""
    time_s = np.arange(int(LENGTH_S * RATE)) / RATE
    samples = (0.8 * time_s / LENGTH_S * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32)
    recipe = Recipe("matroska", audio="pcm_s16le", sample_rate=RATE, options=(("g", "10"),))
    path = make_clip(
        tmp_path_factory.mktemp("cut") / "a.mkv", recipe, [numbered(k) for k in range(50)], samples=samples
    )
    return open_clip(path)


def _sound(clip: Clip) -> np.ndarray:
    return np.concatenate([np.zeros((0, 1), np.float32), *clip.samples(1)])[:, 0]


@settings(max_examples=20)
@given(st.floats(0, 1.9), st.floats(0.05, 2.5))
def test_pictures_and_sound_are_those_of_the_part_and_in_step(clip: Clip, start_s: float, length_s: float) -> None:
    end_s = start_s + length_s
    part = clip.cut(start_s, end_s)
    frames = list(part.frames())
    first = int((start_s + 1e-4) * 25)
    assert number_in(frames[0].image) == first
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert frames[0].time_s == 0
    assert np.allclose(np.diff([frame.time_s for frame in frames]), 0.04, atol=2e-3)
    assert abs(len(frames) - (min(end_s, LENGTH_S) - first / 25) * 25) <= 1.01
    begin = round(part.part[0] * RATE) if part.part else 0
    whole, sound = _sound(clip), _sound(part)
    assert np.array_equal(sound, whole[begin : begin + len(sound)])
    assert abs(len(sound) / RATE - (min(end_s, LENGTH_S) - first / 25)) < 0.01
    assert part.duration_s == pytest.approx(min(end_s, LENGTH_S) - first / 25, abs=0.01)


def test_a_part_is_asked_for_parts_on_its_own_clock(clip: Clip) -> None:
    part = clip.cut(0.4, 1.6)
    middle = list(part.frames(0.4, 0.8))
    assert [number_in(frame.image) for frame in middle] == list(range(20, 30))
    assert middle[0].index == 10


def test_all_of_it_is_the_clip_itself(clip: Clip) -> None:
    assert clip.cut() is clip
    assert [frame.time_s for frame in clip.cut(0, 100).frames()] == [frame.time_s for frame in clip.frames()]


def test_what_lies_outside_is_refused(clip: Clip) -> None:
    for start_s, end_s in ((2.5, 3.0), (1.0, 0.9), (5.0, None)):
        with pytest.raises(SettingsError):
            clip.cut(start_s, end_s)


def test_a_picture_has_no_seconds(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(numbered(3)).save(tmp_path / "a.png")
    with pytest.raises(SettingsError, match="no video"):
        open_clip(tmp_path / "a.png").cut(0.5)
