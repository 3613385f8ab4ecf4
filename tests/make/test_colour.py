from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.make.colour import (
    LightSettings,
    Match,
    gamma,
    lab_transfer,
    linear,
    match_colour,
    observe,
    pooled,
    recolour,
    relight,
    smooth_within,
)


def _texture(seed: int, low: float = 0.25, high: float = 0.65) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(low, high, (16, 16, 3)).astype(np.float32)
    return cv2.resize(noise, (96, 96), interpolation=cv2.INTER_LINEAR)


MASK = np.zeros((96, 96), np.float32)
cv2.circle(MASK, (48, 48), 36, 1.0, -1)


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inside = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[MASK > 0]
    return inside.mean(0), inside.std(0)


def test_reinhard_brings_mean_and_spread() -> None:
    target = _texture(2) * np.float32([1.2, 1.0, 0.8])
    matched = lab_transfer(_texture(1), target, MASK, spread=True)
    for got, wanted in zip(_moments(matched), _moments(target), strict=True):
        assert np.allclose(got, wanted, atol=0.6)


def test_mean_brings_the_mean_and_keeps_the_spread() -> None:
    image, target = _texture(1), _texture(2) * np.float32(0.8)
    matched = lab_transfer(image, target, MASK, spread=False)
    assert np.allclose(_moments(matched)[0], _moments(target)[0], atol=0.5)
    assert np.allclose(_moments(matched)[1], _moments(image)[1], atol=0.5)


def test_light_carries_the_shade_and_leaves_the_skin() -> None:
    """B lit from nowhere in particular goes into a frame of A lit from the right."""
    ramp = np.linspace(0.6, 1.5, 96, dtype=np.float32)[None, :, None]
    skin_a, skin_b = np.float32([0.5, 0.35, 0.3]), np.float32([0.25, 0.2, 0.15])
    plain = np.ones((96, 96, 3), np.float32)
    only_shade = LightSettings(near=0, far=0, colour=0, shade=1)
    relit = relight(gamma(plain * skin_b), gamma(plain * skin_a * ramp), MASK, only_shade)
    truth = gamma(plain * skin_b * ramp)
    before = np.abs(gamma(plain * skin_b) - truth)[MASK > 0].mean()
    assert np.abs(relit - truth)[MASK > 0].mean() < 0.4 * before


def test_light_takes_over_the_chosen_part_of_level_and_colour() -> None:
    plain = np.ones((96, 96, 3), np.float32)
    skin_a, skin_b = np.float32([0.5, 0.35, 0.3]), np.float32([0.25, 0.2, 0.15])
    for part, wanted in ((0.0, skin_b), (0.5, np.sqrt(skin_a * skin_b)), (1.0, skin_a)):
        settings = LightSettings(near=part, far=part, colour=part, shade=0)
        relit = linear(relight(gamma(plain * skin_b), gamma(plain * skin_a), MASK, settings))
        assert np.allclose(relit[48, 48], wanted, atol=2e-3)


def test_a_small_difference_is_taken_for_light_and_a_large_one_for_skin() -> None:
    settings = LightSettings()
    assert settings.level(0.0) == settings.near
    assert settings.level(3.0) == pytest.approx(settings.far)
    assert settings.level(0.1) == settings.level(-0.1) > settings.level(0.5)


def test_light_changes_nothing_where_face_and_frame_agree() -> None:
    assert np.allclose(relight(_texture(1), _texture(1), MASK, LightSettings()), _texture(1), atol=1e-4)


def test_none_and_an_empty_mask_leave_the_face_alone() -> None:
    image = _texture(1)
    assert match_colour(image, _texture(2), MASK, "none") is image
    assert match_colour(image, _texture(2), np.zeros_like(MASK), "reinhard") is image


@pytest.mark.parametrize("match", get_args(Match))
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 50))
def test_every_match_stays_in_range_and_finite(match: str, seed: int) -> None:
    matched = match_colour(_texture(seed, 0, 1), _texture(seed + 1, 0, 1), MASK, match)
    assert matched.shape == (96, 96, 3)
    assert matched.dtype == np.float32
    assert matched.min() >= 0
    assert matched.max() <= 1


def test_smooth_within_does_not_see_what_lies_outside() -> None:
    values = np.where(MASK > 0, 2.0, 1e3).astype(np.float32)
    assert np.allclose(smooth_within(values, MASK, 8)[MASK > 0], 2.0, atol=1e-3)


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 1))
def test_gamma_undoes_linear(value: float) -> None:
    assert gamma(linear(np.float32([value])))[0] == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("match", get_args(Match))
def test_a_wavering_face_comes_out_steady(match: Match) -> None:
    """The network's colours are off by something else in each frame; the frames' own are not."""
    light, rng = LightSettings(), np.random.default_rng(0)
    target = _texture(2) * np.float32([1.1, 1.0, 0.9])
    made = [(_texture(1) * rng.normal(1, 0.08, 3)).astype(np.float32) for _ in range(7)]
    seen = [observe(face, target, MASK, match, light) for face in made]
    even = np.ones(7)
    out = [recolour(face, pooled(own, seen, even), match, light) for face, own in zip(made, seen, strict=True)]
    means = np.stack([face[MASK > 0].mean(axis=0) for face in out])
    before = np.stack([face[MASK > 0].mean(axis=0) for face in made])
    assert means.std(axis=0).max() < (2 if match == "none" else 0.25) * before.std(axis=0).max()


def test_frames_without_a_face_do_not_count() -> None:
    image, light = _texture(1), LightSettings()
    seen = observe(image, _texture(2), MASK, "linear", light)
    nobody = observe(image, _texture(2), 0 * MASK, "linear", light)
    assert np.array_equal(pooled(seen, [seen, nobody], np.array([0.1, 0.9])).mean, seen.mean)
    assert recolour(image, pooled(nobody, [seen, nobody], np.ones(2)), "linear", light) is image
