"""Couples of one source, changed alike; nothing is drawn that is not there."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.detect.networks.examples import AugmentSettings, Example, Examples, augmented
from likeness.detect.networks.inputs import CROP
from likeness.errors import MissingDataError


def example(synthetic: bool, source: str, person: str, level: int = 0) -> Example:
    return Example(np.full((2, CROP, CROP, 3), level, np.uint8), synthetic, source, person, "x" if synthetic else "")


COUPLES = [example(kind, f"s{i}", f"p{i % 3}") for i in range(9) for kind in (False, True)]


def test_couples_come_from_one_source_and_hold_both_kinds() -> None:
    examples, rng = Examples(COUPLES), np.random.default_rng(0)
    for _ in range(50):
        genuine, synthetic = examples.couple(rng, same_source=1.0)
        assert (genuine.synthetic, synthetic.synthetic) == (False, True)
        assert genuine.source == synthetic.source


def test_every_person_is_drawn_alike_however_many_clips_show_them() -> None:
    rows = COUPLES[:2] + [example(kind, f"t{i}", "busy") for i in range(20) for kind in (False, True)]
    examples, rng = Examples(rows), np.random.default_rng(0)
    drawn = Counter(examples.couple(rng, same_source=1.0)[0].person for _ in range(400))
    assert 140 < drawn["busy"] < 260


def test_without_couples_genuine_and_synthetic_are_drawn_apart() -> None:
    examples = Examples([example(False, "a", "one"), example(True, "b", "other")])
    genuine, synthetic = examples.couple(np.random.default_rng(0), same_source=1.0)
    assert (genuine.person, synthetic.person) == ("one", "other")


@pytest.mark.parametrize("kind", [False, True])
def test_one_kind_alone_is_refused(kind: bool) -> None:
    with pytest.raises(MissingDataError, match="Add clips"):
        Examples([example(kind, "a", "one")])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_same_seed_changes_both_of_a_couple_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, (2, CROP, CROP, 3), np.uint8)
    once, again = (augmented(crops, AugmentSettings(), seed) for _ in range(2))
    assert np.array_equal(once, again)
    assert once.shape == crops.shape
    assert once.dtype == np.uint8


def test_frames_of_a_sequence_are_changed_alike() -> None:
    crop = np.random.default_rng(3).integers(0, 256, (1, CROP, CROP, 3), np.uint8)
    for seed in range(10):
        first, second = augmented(np.repeat(crop, 2, axis=0), AugmentSettings(), seed)
        assert np.array_equal(first, second)


def test_different_seeds_change_differently() -> None:
    crops = np.random.default_rng(4).integers(0, 256, (1, CROP, CROP, 3), np.uint8)
    assert len({augmented(crops, AugmentSettings(), seed).tobytes() for seed in range(6)}) == 6
