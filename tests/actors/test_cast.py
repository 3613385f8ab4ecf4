"""Casting: every clip with its truth, finished ones kept, an interrupt that loses nothing."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likeness.actors.cast import CastClip, CastSettings, cast, clips_of, person_of, take_of
from likeness.actors.truth import Truth
from likeness.errors import MissingDataError, SettingsError

needs_face_model = pytest.mark.skipif("LIKENESS_DATA" not in os.environ, reason="LIKENESS_DATA is not set")
SMALL = CastSettings(actors=2, seconds=0.08, size=64, supersampling=1, silent=True, workers=1)


@pytest.mark.parametrize(
    "wrong",
    [{"actors": 0}, {"seconds": 0.0}, {"size": 63}, {"size": 5000}, {"frame_rate": 0}, {"actors": 1, "paired": True}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError) as refusal:
        CastSettings(**wrong)
    assert "\n" not in str(refusal.value)


def test_names_are_given_once_and_pairs_share_the_performance() -> None:
    settings = CastSettings(actors=16, paired=True, silent=True, seconds=0.4)
    clips = clips_of(Path("out"), settings)
    assert len({clip.path for clip in clips}) == 32
    own, pair = take_of(clips[0], settings), take_of(clips[1], settings)
    assert own.person != pair.person
    assert own.scene == pair.scene
    assert np.array_equal(own.performance.expression, pair.performance.expression)
    other = take_of(clips[0], replace(settings, seed=1))
    assert not np.array_equal(own.performance.head, other.performance.head)


def test_there_are_at_least_twelve_people_by_name_and_more_by_seed() -> None:
    people = [person_of(number, CastSettings()) for number in range(14)]
    assert len({person.name for person in people}) == 14
    assert len({person.identity for person in people}) == 14


def test_without_the_face_model_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path))
    monkeypatch.delenv("LIKENESS_FACE_MODEL_URL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingDataError, match="LIKENESS_DATA") as refusal:
        cast(tmp_path / "out", SMALL)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


@needs_face_model
def test_a_cast_is_filmed_interrupted_and_resumed(tmp_path: Path) -> None:
    seen: list[CastClip] = []

    def stop_after_first(clip: CastClip) -> None:
        seen.append(clip)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cast(tmp_path, SMALL, on_clip=stop_after_first)
    assert seen[0].is_finished
    kept = seen[0].path.stat().st_mtime_ns
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "no half clips"

    finished: list[CastClip] = []
    planned = cast(tmp_path, SMALL, on_clip=finished.append)
    assert sorted(clip.path.name for clip in finished) == sorted(clip.path.name for clip in planned)
    assert all(clip.is_finished for clip in planned)
    assert seen[0].path.stat().st_mtime_ns == kept, "a finished clip is not filmed again"
    first, second = (Truth.load(clip.path.with_suffix(".npz")) for clip in planned)
    assert first.actor != second.actor
