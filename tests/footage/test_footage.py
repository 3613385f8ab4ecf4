"""The shipped footage: complete, small, and what it says it is."""

from pathlib import Path

import numpy as np
import pytest

import likeness.footage
from likeness.actors.truth import Truth
from likeness.errors import ConsentError, MissingDataError
from likeness.faces.align import aligned_crop
from likeness.faces.faceset import CROP_SIZE
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import mean_embedding, recogniser
from likeness.files import sha256_of
from likeness.footage import Footage, footage, footage_in
from likeness.make import consent
from likeness.media.clip import open_clip

CLIPS = ("actor_a", "actor_b", "heldout", "answer")


@pytest.fixture(scope="module")
def shipped() -> Footage:
    return footage()


def test_it_is_small_enough_to_ship_and_carries_the_notice(shipped: Footage) -> None:
    folder = Path(likeness.footage.__file__).parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) <= 12_000_000
    assert "USC Institute for Creative Technologies" in shipped.notice.read_text()


@pytest.mark.parametrize("name", CLIPS)
def test_clips_have_sound_and_their_truth(shipped: Footage, name: str) -> None:
    clip = open_clip(getattr(shipped, name).path)
    truth = Truth.load(getattr(shipped, name).truth)
    assert (clip.width, clip.height, clip.frame_rate) == (384, 384, 25)
    assert clip.sample_rate
    assert clip.frame_count == len(truth)
    assert 4.9 <= clip.duration_s <= 15.1
    jaw_to_jaw = np.ptp(truth.landmarks[:, :17, 0], axis=1)
    assert np.median(jaw_to_jaw) >= 150, "pixels"


def test_actors_differ_and_the_answer_is_the_heldout_performance(shipped: Footage) -> None:
    a, b, heldout, answer = (Truth.load(getattr(shipped, name).truth) for name in CLIPS)
    assert a.actor == heldout.actor != b.actor == answer.actor
    for curve in ("expression", "gaze", "head", "shift", "blink", "viseme", "lights", "times_s"):
        assert np.array_equal(getattr(heldout, curve), getattr(answer, curve)), curve
    assert np.array_equal(heldout.lights, a.lights), "in A's own scene"


def test_the_heldout_take_stays_within_the_training_clips(shipped: Footage) -> None:
    a, b, heldout, _ = (Truth.load(getattr(shipped, name).truth) for name in CLIPS)
    for training in (a, b):
        assert (heldout.head >= training.head.min(axis=0)).all()
        assert (heldout.head <= training.head.max(axis=0)).all()
        assert training.blink.max() > 0.9
    assert heldout.blink.max() > 0.9, "at least one blink"


def test_consent_covers_each_actors_clips_and_no_other(shipped: Footage) -> None:
    for record_path, own, other in (
        (shipped.consent_a, (shipped.actor_a, shipped.heldout), shipped.actor_b),
        (shipped.consent_b, (shipped.actor_b, shipped.answer), shipped.actor_a),
    ):
        record = consent.load(record_path)
        assert record.kind == "synthetic"
        consent.check(record, {clip.path.name: sha256_of(clip.path) for clip in own})
        assert sha256_of(other.path) not in record.sources


def test_consent_opens_each_actors_face_and_no_other(shipped: Footage) -> None:
    """New weights of the recogniser ask for new records: training/footage/film.py --consents-only."""
    faces = {name: _face(getattr(shipped, name).path) for name in ("actor_a", "actor_b")}
    for path, own, other in ((shipped.consent_a, "actor_a", "actor_b"), (shipped.consent_b, "actor_b", "actor_a")):
        record = consent.load(path)
        sources = {"footage": sha256_of(getattr(shipped, own).path)}
        assert record.version == 2
        consent.check(record, sources, face=faces[own], recogniser=recogniser().name)
        with pytest.raises(ConsentError, match="another face"):
            consent.check(record, sources, face=faces[other], recogniser=recogniser().name)


def _face(clip: Path) -> np.ndarray:
    """The mean embedding of three faces in ``clip``."""
    images = [next(open_clip(clip).frames(time)).image for time in (1.0, 2.0, 3.0)]
    landmarks = [FaceFinder().find(image)[0].landmarks for image in images]
    crops = [aligned_crop(image, points, CROP_SIZE) for image, points in zip(images, landmarks, strict=True)]
    return mean_embedding(recogniser().embed(np.stack(crops)))


def test_an_incomplete_installation_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness.footage, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(MissingDataError, match="Install likeness again"):
        footage()
    assert footage_in(tmp_path).heldout.truth == tmp_path / "heldout.npz"
