"""Takes: frames with truth, clips that carry the note, and the pair that differs in the person only."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from likeness.actors.performance import Performance, perform
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.take import ComputerGraphicsNote, Take, film, film_to
from likeness.actors.truth import Truth
from likeness.media.clip import open_clip

needs_face_model = pytest.mark.skipif("LIKENESS_DATA" not in os.environ, reason="LIKENESS_DATA is not set")


def short_take(performance: Performance | None = None) -> Take:
    return Take(Person.from_seed(21), Scene.from_seed(3), performance or perform(None, 0.2, 7), 96, 1)


def test_the_note_changes_no_pixel_and_says_what_this_is() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert np.array_equal(ComputerGraphicsNote().draw(image, 0.0), image)
    assert "a person who does not exist" in ComputerGraphicsNote().metadata()["comment"]


@needs_face_model
def test_a_take_streams_frames_with_their_truth() -> None:
    take = short_take()
    shots = list(film(take))
    assert [frame.index for frame, _ in shots] == list(range(5))
    assert np.allclose([frame.time_s for frame, _ in shots], take.performance.times_s)
    for frame, shot in shots:
        assert frame.image.shape == (96, 96, 3)
        assert frame.image.dtype == np.uint8
        assert shot.landmarks.shape == (68, 2)


@needs_face_model
def test_the_pair_has_the_same_performance_and_scene_but_another_face() -> None:
    take = short_take()
    pair = take.given_by(Person.from_seed(22))
    assert pair.performance is take.performance
    assert pair.scene is take.scene
    (frame, shot), (other_frame, other_shot) = next(film(take)), next(film(pair))
    assert np.array_equal(shot.head, other_shot.head)
    assert np.abs(frame.image.astype(int) - other_frame.image).mean() > 2
    assert 0.1 < np.abs(shot.landmarks - other_shot.landmarks).mean() < 8, "other features in the same place"


@needs_face_model
def test_a_filmed_clip_has_its_note_and_its_truth(tmp_path: Path) -> None:
    truth = film_to(tmp_path / "take.mp4", short_take())
    clip = open_clip(tmp_path / "take.mp4")
    assert (clip.width, clip.height, clip.frame_rate, sum(1 for _ in clip.frames())) == (96, 96, 25, 5)
    assert len(Truth.load(tmp_path / "take.npz")) == len(truth) == 5
    with av.open(str(tmp_path / "take.mp4")) as container:
        assert "does not exist" in container.metadata["comment"]


@needs_face_model
def test_an_interrupted_take_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film_to(tmp_path / "take.mp4", short_take(), on_frame=interrupt)
    assert list(tmp_path.iterdir()) == []
