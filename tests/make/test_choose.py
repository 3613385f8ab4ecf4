"""Choosing by number and by picture, with a recogniser that goes by colour: drawn people differ in nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from likeness.errors import NoFaceError
from likeness.faces.align import TEMPLATE
from likeness.faces.faceset import FaceSet
from likeness.faces.select import keep_person, likenesses
from likeness.make.choose import every_face, main_face, nearest, numbered
from likeness.make.fit import CROP, Sample
from likeness.make.follow import Sightings

PALE, DARK = (220, 180, 160), (90, 60, 45)


class ByColour:
    """The direction of the mean colour, away from grey, as an embedding."""

    name, threshold = "colour", 0.9

    def embed(self, crops: np.ndarray) -> np.ndarray:
        middle = crops[:, 100:156, 100:156].reshape(len(crops), -1, 3).mean(axis=1) - 128
        return (middle / np.linalg.norm(middle, axis=1, keepdims=True)).astype(np.float32)


def _seen(track: int, colour: tuple[int, int, int], frames: range, area: float = 1.0) -> Sightings:
    landmarks = TEMPLATE * 80 + 40
    return Sightings(list(frames), [landmarks] * len(frames), [Sample(_crop(colour), landmarks)], area, track)


def _crop(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((CROP, CROP, 3), colour, np.uint8)


@pytest.fixture
def crowd() -> dict[int, Sightings]:
    """Track 0 and 4 are one pale person, before and after a cut; the dark one, track 1, is larger."""
    return {0: _seen(0, PALE, range(20)), 1: _seen(1, DARK, range(60), area=9.0), 4: _seen(4, PALE, range(30, 60))}


def _reference(colour: tuple[int, int, int]) -> np.ndarray:
    return ByColour().embed(_crop(colour)[None])[0]


def test_by_number(crowd: dict[int, Sightings]) -> None:
    assert [seen.track for seen in numbered(4)(crowd)] == [4]
    with pytest.raises(NoFaceError, match="0, 1, 4"):
        numbered(2)(crowd)


def test_by_likeness_across_a_cut(crowd: dict[int, Sightings]) -> None:
    assert {seen.track for seen in nearest(_reference(PALE), ByColour())(crowd)} == {0, 4}
    assert [seen.track for seen in nearest(_reference(DARK), ByColour())(crowd)] == [1]
    assert [seen.track for seen in main_face(crowd)] == [1]
    assert len(every_face(crowd)) == 3


def test_of_two_who_look_alike_in_one_frame_only_one_is_taken(crowd: dict[int, Sightings]) -> None:
    crowd[7] = _seen(7, (215, 182, 158), range(10, 40))
    assert {seen.track for seen in nearest(_reference(PALE), ByColour())(crowd)} == {0, 4}


def test_nobody_alike_is_one_line(crowd: dict[int, Sightings]) -> None:
    del crowd[0], crowd[4]
    with pytest.raises(NoFaceError, match="track 1") as raised:
        nearest(_reference(PALE), ByColour())(crowd)
    assert "\n" not in str(raised.value)


def test_a_track_without_crops_is_nobody() -> None:
    pictures = {3: np.zeros((0, CROP, CROP, 3), np.uint8)}
    assert likenesses(pictures, _reference(PALE), ByColour()) == {}


def test_only_the_person_stays_in_a_face_set(make_face_set: Callable[..., Path]) -> None:
    folder = make_face_set("mixed", PALE, 6)
    faces = FaceSet.load(folder)
    tracks = [0, 0, 0, 1, 1, 1]
    rows = faces.rows.set_column(4, faces.rows.schema.field(4), pa.array(tracks, pa.int32()))
    for name in rows.column("file").to_pylist()[3:]:
        Image.fromarray(_crop(DARK)).save(folder / name)
    mixed = FaceSet(folder, rows, faces.recorded, faces.settings)
    with pytest.raises(NoFaceError, match="were kept"):
        keep_person(mixed, -_reference((128, 200, 128)), ByColour())
    assert len(list(folder.glob("0*.png"))) == 6
    kept = keep_person(mixed, _reference(DARK), ByColour())
    assert kept.rows.column("track").to_pylist() == [1, 1, 1]
    assert sorted(path.name for path in folder.glob("0*.png")) == ["003.png", "004.png", "005.png"]
    assert len(FaceSet.load(folder)) == 3
