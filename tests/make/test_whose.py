import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.errors import FaceSetError
from likeness.faces.faceset import FaceSet
from likeness.make.whose import check_pair, look_at, strangers


class ByColour:
    """A recogniser of drawn people, who differ in colour: the mean colour in deviations from grey."""

    name, threshold = "colour", 0.5

    def embed(self, crops: np.ndarray) -> np.ndarray:
        colours = crops[:, 64:192, 64:192].mean((1, 2)) - (150, 110, 90)
        return (colours / np.linalg.norm(colours, axis=1, keepdims=True)).astype(np.float32)


LIGHT, DARK = (230, 190, 170), (90, 60, 40)


def test_a_person_is_the_mean_of_the_faces(make_face_set: Callable[..., Path]):
    known = look_at(FaceSet.load(make_face_set("anna", LIGHT, count=90)), ByColour())
    assert len(known.files) == 64
    assert known.mean.shape == (3,)
    assert float(np.linalg.norm(known.mean)) == pytest.approx(1, abs=1e-5)
    assert strangers(known) == []


def test_strangers_are_named(make_face_set: Callable[..., Path], caplog: pytest.LogCaptureFixture):
    folder, other = make_face_set("anna", LIGHT), make_face_set("ben", DARK)
    for name in ("004.png", "011.png"):
        shutil.copy(other / name, folder / name)
    known = look_at(FaceSet.load(folder), ByColour())
    assert strangers(known) == ["004.png", "011.png"]
    with caplog.at_level(logging.WARNING):
        check_pair(known, look_at(FaceSet.load(other), ByColour()))
    [warning] = caplog.messages
    assert "2 of 24" in warning
    assert "004.png, 011.png" in warning


def test_where_no_one_is_in_the_majority_nobody_is_a_stranger(make_face_set: Callable[..., Path]):
    folder = make_face_set("crowd", LIGHT, count=12)
    for number in range(12):
        grey = np.full((256, 256, 3), (150, 110, 90), np.uint8)
        grey[..., number % 3] = 60 if number % 2 else 240
        Image.fromarray(grey).save(folder / f"{number:03}.png")
    assert strangers(look_at(FaceSet.load(folder), ByColour())) == []


def test_one_person_twice_is_warned_of(make_face_set: Callable[..., Path], caplog: pytest.LogCaptureFixture):
    known = [look_at(FaceSet.load(make_face_set(name, LIGHT)), ByColour()) for name in ("anna", "anna_again")]
    with caplog.at_level(logging.WARNING):
        check_pair(*known)
    assert "one person" in caplog.text


def test_one_person_in_the_same_footage_is_refused(make_face_set: Callable[..., Path], tmp_path: Path):
    folder = make_face_set("anna", LIGHT)
    shutil.copytree(folder, tmp_path / "copy")
    one, copy = (look_at(FaceSet.load(path), ByColour()) for path in (folder, tmp_path / "copy"))
    for pair in ((one, copy), (one, one)):
        with pytest.raises(FaceSetError, match="two people") as refusal:
            check_pair(*pair)
        assert "\n" not in str(refusal.value)
