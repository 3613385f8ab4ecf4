"""Whose face a record is bound to: the person who is seen, or one line that asks who is meant.

People are told apart by a recogniser of the test's own (`colour_recogniser`); Bert is the other actor in odd colours.
"""

import logging
import shutil
from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from colour_recogniser import write_colour_recogniser
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.errors import BadMediaError, ConsentError
from likeness.faces.align import aligned_crop
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import OnnxRecogniser, recogniser
from likeness.files import sha256_of
from likeness.footage import footage
from likeness.make.consent import check, new_consent, portrait_consent, synthetic_consent
from likeness.make.consent_person import enough, person_in, told_apart
from likeness.make.consent_record import Use
from likeness.make.label import SyntheticLabel
from likeness.media.clip import open_clip
from likeness.media.frame import Frame
from likeness.media.writer import write_clip, write_picture

MOMENTS = (1.0, 5.0, 9.0)
SIZE = 144  # pixels: small pictures are searched faster


class _Unlabelled:
    """Stands in for a camera."""

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        return image

    def metadata(self) -> dict[str, str]:
        return {}

    def seal(self, path: Path, destination: Path) -> None:
        """Nothing to seal."""


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recogniser") / "colours.onnx"
    write_colour_recogniser(path)
    return path


@pytest.fixture(scope="module")
def by(onnx_file: Path) -> OnnxRecogniser:
    return OnnxRecogniser(onnx_file)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures of Anna and Bert, of both side by side, of Anna before a small Bert, and of nobody."""
    folder = tmp_path_factory.mktemp("people")
    anna, bert = _frames(footage().actor_a.path), [image[..., [1, 2, 0]] for image in _frames(footage().actor_b.path)]
    pictures = {f"anna{number}": image for number, image in enumerate(anna)}
    pictures |= {f"bert{number}": image for number, image in enumerate(bert)}
    pictures["both"] = np.hstack([anna[0], bert[0]])
    small = np.pad(_resized(bert[1], 64), ((SIZE // 2 - 32, SIZE // 2 - 32), (0, 0), (0, 0)), mode="edge")
    pictures["behind"] = np.hstack([anna[1], small])
    pictures["wall"] = np.full((120, 160, 3), (120, 140, 160), np.uint8)
    for name, image in pictures.items():
        Image.fromarray(image).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in pictures}


def _frames(clip: Path) -> list[np.ndarray]:
    return [_resized(next(open_clip(clip).frames(time)).image, SIZE) for time in MOMENTS]


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))


def _face(picture: Path, by: OnnxRecogniser) -> np.ndarray:
    image = np.asarray(Image.open(picture))
    (face,) = FaceFinder().find(image)
    vector: np.ndarray = by.embed(aligned_crop(image, face.landmarks, 256)[None])[0]
    return vector


def test_the_record_describes_who_is_seen(people: dict[str, Path], by: OnnxRecogniser) -> None:
    bound = person_in([people["anna0"], people["anna1"]], by=by)
    assert (bound.recogniser, bound.threshold) == (by.name, by.threshold)
    assert bound.vector @ _face(people["anna2"], by) > by.threshold, "another moment of the same person"
    assert bound.vector @ _face(people["bert0"], by) < by.threshold


def test_who_is_meant_is_asked_where_several_are_seen(people: dict[str, Path], by: OnnxRecogniser) -> None:
    for footage_ in (["both"], ["anna0", "bert0"]):
        with pytest.raises(ConsentError, match=r"several people.*--like"):
            person_in([people[name] for name in footage_], by=by)
    for like, other in (("anna", "bert"), ("bert", "anna")):
        bound = person_in([people["both"]], people[f"{like}2"], by)
        assert bound.vector @ _face(people[f"{like}1"], by) > by.threshold
        assert bound.vector @ _face(people[f"{other}1"], by) < by.threshold


def test_a_bystander_is_nobody_to_ask_about(people: dict[str, Path], by: OnnxRecogniser) -> None:
    bound = person_in([people["behind"]], by=by)
    assert bound.vector @ _face(people["anna0"], by) > by.threshold


def test_all_footage_must_show_the_one_face(people: dict[str, Path], by: OnnxRecogniser) -> None:
    with pytest.raises(ConsentError, match=r"bert0\.png does not show"):
        person_in([people["anna0"], people["bert0"]], people["anna1"], by)
    with pytest.raises(ConsentError, match=r"No face was found in .*wall"):
        person_in([people["anna0"], people["wall"]], by=by)


def test_a_picture_of_who_is_meant_shows_one_person_of_the_footage(people: dict[str, Path], by: OnnxRecogniser) -> None:
    for like, says in (("both", "shows 2 faces"), ("wall", "shows no faces"), ("bert0", "Nobody in the footage")):
        with pytest.raises(ConsentError, match=says):
            person_in([people["anna0"]], people[like], by)


def test_files_that_show_nothing_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(BadMediaError) as caught:
        new_consent("Anna", [tmp_path / "text.mp4"], purpose="film X")
    assert "\n" not in str(caught.value)


def test_the_shipped_recogniser_tells_the_actors_apart(people: dict[str, Path]) -> None:
    """Not the test's own recogniser but ours, on the faces as they are."""
    anna = [people["anna0"], people["anna1"], people["anna2"]]
    bound = person_in(anna)
    assert bound.recogniser == recogniser().name
    (seen,) = FaceFinder().find(_frames(footage().actor_b.path)[0])
    bert = recogniser().embed(aligned_crop(_frames(footage().actor_b.path)[0], seen.landmarks, 256)[None])[0]
    assert bound.vector @ bert < 0.3
    assert bound.vector @ person_in([anna[0]]).vector > bound.threshold


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), noise=st.floats(0.0, 1.0), seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_people_are_told_apart_whatever_their_order(sizes: list[int], noise: float, seed: int) -> None:
    """Faces around centres at right angles, with noise up to a cosine of a half within a person."""
    rng = np.random.default_rng(seed)
    whose = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    faces = np.eye(512, dtype=np.float32)[whose]
    faces += noise * rng.normal(size=faces.shape).astype(np.float32) / np.sqrt(512)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    found = told_apart(faces, np.arange(len(faces))[:, None], 0.5)
    assert sorted(row for person in found for row in person) == list(range(len(faces)))
    assert {frozenset(person.tolist()) for person in found} == {
        frozenset(np.flatnonzero(whose == one).tolist()) for one in range(len(sizes))
    }


def test_faces_seen_together_are_two_people() -> None:
    """Twins in one frame; the same number of a frame in another file is another moment."""
    alike = np.repeat(np.eye(1, 64, dtype=np.float32), 4, axis=0)
    found = told_apart(alike, np.array([[0, 1], [0, 1], [0, 2], [1, 1]]), 0.5)
    assert len(found) == 2
    assert all(not {0, 1} <= set(person.tolist()) for person in found)


def test_fewer_faces_have_to_be_less_alike() -> None:
    counts = np.arange(1, 9)
    needed = enough(counts, counts, 0.5)
    assert (np.diff(needed[:5]) > 0).all()
    assert np.allclose(needed[4:], 0.5)
    assert needed[0] == pytest.approx(0.3)


@pytest.mark.slow
def test_clips_are_searched_too(people: dict[str, Path], by: OnnxRecogniser, tmp_path: Path) -> None:
    """Anna for most of it; Bert for one of the moments that are looked at."""
    images = [np.asarray(Image.open(people[name])) for name in ("anna0", "anna1", "anna2", "anna0", "anna1", "bert0")]
    frames = [Frame(images[index // 2], index / 2, index) for index in range(12)]
    write_clip(tmp_path / "c.mp4", frames, frame_rate=Fraction(2), sound=None, labelling=_Unlabelled())
    bound = person_in([tmp_path / "c.mp4"], by=by)
    assert bound.vector @ _face(people["anna0"], by) > by.threshold > bound.vector @ _face(people["bert0"], by)


def test_portraits_made_here_need_nobodys_signature(people: dict[str, Path], tmp_path: Path) -> None:
    portrait, photograph = tmp_path / "nobody.png", people["anna0"]
    write_picture(portrait, np.asarray(Image.open(photograph)), labelling=SyntheticLabel("portrait", model="m"))
    record = portrait_consent("Nobody 1", [portrait])
    assert record.kind == "synthetic"
    for use in get_args(Use):
        check(record, {"nobody.png": sha256_of(portrait)}, use)
    with pytest.raises(ConsentError, match=r"anna0\.png is no portrait"):
        portrait_consent("Nobody 1", [portrait, photograph])
    shutil.copy(photograph, portrait)
    with pytest.raises(ConsentError, match="is no portrait"):
        portrait_consent("Nobody 1", [portrait])
    with pytest.raises(ConsentError, match="cannot be read"):
        portrait_consent("Nobody 1", [tmp_path / "none.png"])


def test_a_record_for_one_face_does_not_open_another(
    people: dict[str, Path],
    onnx_file: Path,
    by: OnnxRecogniser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From the footage to the refusal, with the recogniser named as a user names it."""
    monkeypatch.setenv("LIKENESS_RECOGNISER", str(onnx_file))
    assert recogniser().name == by.name
    record = synthetic_consent("Anna", [people["anna0"], people["anna1"]])
    sources = dict(zip(("0", "1"), record.sources, strict=True))
    with caplog.at_level(logging.WARNING):
        check(record, sources, face=_face(people["anna2"], by), recogniser=by.name)
    assert not caplog.records
    with pytest.raises(ConsentError, match="another face"):
        check(record, sources, face=_face(people["bert0"], by), recogniser=by.name)
