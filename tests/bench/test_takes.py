import os
from pathlib import Path

import numpy as np
import pytest

from likeness.actors.take import truth_path
from likeness.actors.truth import Truth
from likeness.bench.takes import ACTORS, TakeSettings, clips_of, film, heldout_performance, pairs, training_performance
from likeness.errors import SettingsError
from likeness.media.clip import open_clip

needs_face_model = pytest.mark.skipif("LIKENESS_DATA" not in os.environ, reason="LIKENESS_DATA is not set")
TINY = TakeSettings(seconds=0.2, heldout_s=0.12, size=64, supersampling=1)


def test_everyone_is_swapped_once_each_way_and_the_first_pairs_share_nobody() -> None:
    chosen = pairs(ACTORS)
    assert sorted(pair.a for pair in chosen) == sorted(pair.b for pair in chosen) == list(range(ACTORS))
    assert len({person for pair in chosen[:6] for person in (pair.a, pair.b)}) == ACTORS
    assert all(pair.a != pair.b for pair in chosen)
    assert len({pair.name for pair in chosen}) == ACTORS
    for count in (0, ACTORS + 1):
        with pytest.raises(SettingsError, match="pairs"):
            pairs(count)


def test_the_heldout_performance_is_another_one_within_what_both_clips_show() -> None:
    settings, pair = TakeSettings(), pairs(3)[2]
    training = [training_performance(number, settings) for number in (pair.a, pair.b)]
    heldout = heldout_performance(pair.a, training, settings)
    assert len(heldout) == 75
    assert np.abs(heldout.head - training[0].head[:75]).mean() > 1
    for clip in training:
        inside = (heldout.head >= clip.head.min(0)) & (heldout.head <= clip.head.max(0))
        assert inside.all(axis=1).mean() > 0.75
    again = heldout_performance(pair.a, training, settings)
    assert np.array_equal(again.expression, heldout.expression)


def test_settings_that_cannot_be_filmed_are_refused() -> None:
    for wrong in ({"seconds": 0}, {"size": 65}, {"size": 32}, {"heldout_s": -1}):
        with pytest.raises(SettingsError):
            TakeSettings(**wrong)


@needs_face_model
def test_the_answer_is_b_in_the_scene_and_performance_of_a(tmp_path: Path) -> None:
    [pair] = pairs(1)
    film([pair], tmp_path, TINY)
    clips = clips_of(pair, tmp_path)
    heldout, answer = Truth.load(truth_path(clips.heldout)), Truth.load(truth_path(clips.answer))
    assert (heldout.actor, answer.actor) == ("Ada", "Bruno")
    assert np.array_equal(heldout.head, answer.head)
    assert np.array_equal(heldout.lights, answer.lights)
    assert np.array_equal(heldout.lights, Truth.load(truth_path(clips.training_a)).lights)
    assert not np.array_equal(heldout.lights, Truth.load(truth_path(clips.training_b)).lights)
    assert not np.array_equal(heldout.landmarks, answer.landmarks)
    corner = [next(open_clip(clip).frames()).image[:8, :8].astype(int) for clip in (clips.heldout, clips.answer)]
    assert np.abs(corner[0] - corner[1]).mean() < 12  # one room, and each its own sensor noise and coding
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(stamps) == 8
    film([pair], tmp_path, TINY)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
