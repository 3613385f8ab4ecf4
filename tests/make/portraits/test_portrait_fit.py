import datetime as dt
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from drawn_portraits import TINY, Averages, drawn
from PIL import Image

from likeness.errors import ConsentError, FaceSetError, ModelError, SettingsError
from likeness.faces.faceset import FaceSet
from likeness.make import consent
from likeness.make.consent import Consent
from likeness.make.model import CONFIG, HISTORY, PREVIEW, RESUME, WEIGHTS
from likeness.make.portraits.checkpoint import Progress
from likeness.make.portraits.data import Portraits, draw, load_portraits
from likeness.make.portraits.history import ChanceSettings
from likeness.make.portraits.model import CURVES, PortraitModel
from likeness.make.portraits.permission import CONSENTS, nobodys_record, permitted
from likeness.make.portraits.train import FitSettings, fit, train_portraits
from likeness.make.portraits.training import Training

_LONG_AGO, _IN_A_CENTURY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2120, 1, 1, tzinfo=dt.UTC)


def run(portraits: Portraits, record: Consent, out: Path, **changed: object):
    settings = FitSettings(
        **{"iterations": 4, "evaluate_every": 1, "distance_every": 2, "compared": 32, "measured": 4, **changed}
    )
    return train_portraits(portraits, [record], out, settings, recipe=TINY, by=Averages())


def test_a_training_writes_a_model_folder_with_its_history(fitted: Path):
    assert {path.name for path in fitted.iterdir()} == {CONFIG, WEIGHTS, RESUME, HISTORY, CURVES, PREVIEW, CONSENTS}
    rows = [line.split(",") for line in (fitted / HISTORY).read_text().splitlines()]
    assert [row[0] for row in rows[1:]] == ["3", "4"]  # while they are apart there is no contest to judge
    assert all(0 <= float(row[rows[0].index("accuracy")]) <= 1 for row in rows[1:])
    with Image.open(fitted / PREVIEW) as sheet:
        assert sheet.width > 8 * 128
    assert json.loads((fitted / CONFIG).read_text())["kind"] == "portrait"


def test_the_generator_alone_is_taken_out(fitted: Path):
    assert (fitted / WEIGHTS).stat().st_size < (fitted / RESUME).stat().st_size / 4
    assert PortraitModel.load(fitted).portraits([1, 2]).shape == (2, 64, 64, 3)


def test_a_resumed_training_ends_as_an_uninterrupted_one(portraits: Portraits, record: Consent, tmp_path: Path):
    run(portraits, record, tmp_path / "whole")
    halves = tmp_path / "halves"
    with pytest.MonkeyPatch.context() as patch:
        _interrupt_after(patch, 3)
        assert run(portraits, record, halves).reason == "interrupted"
    assert run(portraits, record, halves, resume=True).reason == "budget"
    whole, resumed = ((tmp_path / name / RESUME).read_bytes() for name in ("whole", "halves"))
    assert len(whole) > 1000
    one, other = PortraitModel.load(tmp_path / "whole"), PortraitModel.load(halves)
    assert np.array_equal(one.portraits([5]), other.portraits([5]))
    assert len(resumed) - len(whole) < 500  # the times in the state differ, no tensor is missing


def _interrupt_after(patch: pytest.MonkeyPatch, iteration: int) -> None:
    whole_step = Training.step

    def step(self: Training, done: float):
        if self.progress.iteration == iteration - 1:
            signal.raise_signal(signal.SIGTERM)
        return whole_step(self, done)

    patch.setattr(Training, "step", step)


def test_it_ends_when_the_discriminator_is_at_chance(portraits: Portraits, record: Consent, tmp_path: Path):
    always = ChanceSettings(window=2, margin=0.5, learnt=0.0)
    result = run(portraits, record, tmp_path / "model", iterations=50, chance=always)
    assert (result.reason, result.iterations) == ("chance", 4)  # two apart, two judged
    assert "chance" in result.advice


def test_training_apart_teaches_to_rebuild_faces():
    one = Portraits.of(drawn(1), drawn(1), {})
    alone = replace(TINY, apart=10**6, learning_rate=(5e-3, 5e-3), warmup=1)
    training = Training(alone, one, 0, torch.device("cpu"))
    losses = [float(training.step(0.0).generator) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_the_contest_begins_after_its_part_of_the_budget_and_never_ends_again(portraits: Portraits):
    training = Training(replace(TINY, apart=10**6, apart_share=0.4), portraits, 0, torch.device("cpu"))
    training.step(0.0)
    assert not training.progress.contest
    training.step(0.5)
    training.step(0.1)  # as after resuming with a larger budget
    assert training.progress.contest


def test_the_contest_moves_both_and_the_average_follows(portraits: Portraits):
    training = Training(replace(TINY, apart=0), portraits, 0, torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in training.generator.state_dict().items()}
    judged = {name: tensor.clone() for name, tensor in training.discriminator.state_dict().items()}
    for _ in range(2):
        losses = training.step(0.0)
    assert all(np.isfinite(float(loss)) for loss in losses)
    assert any((before[name] != tensor).any() for name, tensor in training.generator.state_dict().items())
    assert any((judged[name] != tensor).any() for name, tensor in training.discriminator.state_dict().items())
    assert all(parameter.requires_grad for parameter in training.discriminator.parameters())
    assert (training.averaged.basis != training.generator.basis).any()


def test_no_number_any_more_ends_with_a_line_and_keeps_the_last_model(
    portraits: Portraits, record: Consent, tmp_path: Path
):
    out = tmp_path / "model"
    run(portraits, record, out)
    good = (out / WEIGHTS).read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "learning_rate", lambda self, done: float("nan"))
        with pytest.raises(ModelError, match="resume"):
            run(portraits, record, out, iterations=8, resume=True)
    assert (out / WEIGHTS).read_bytes() == good


def test_a_folder_in_use_is_not_overwritten(fitted: Path, portraits: Portraits, record: Consent):
    with pytest.raises(ModelError, match="resume"):
        run(portraits, record, fitted)


def test_other_faces_or_another_size_cannot_resume(fitted: Path, portraits: Portraits, record: Consent):
    others = Portraits.of(drawn(64, seed=9), drawn(16), portraits.sources)
    with pytest.raises(ModelError, match="other faces"):
        run(others, record, fitted, resume=True)
    with pytest.raises(ModelError, match="--size 64"):
        run(portraits, record, fitted, resume=True, size=128)


def test_a_damaged_checkpoint_is_named(fitted: Path, portraits: Portraits, record: Consent):
    (fitted / RESUME).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        run(portraits, record, fitted, resume=True, iterations=9)


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"iterations": 0}, {"minutes": 1.0, "iterations": 1}])
def test_budgets_that_make_no_sense(wrong: dict):
    with pytest.raises(SettingsError):
        FitSettings(**wrong)


def test_too_few_faces(make_face_set: Callable[..., Path]):
    with pytest.raises(FaceSetError, match="100"):
        load_portraits(FaceSet.load(make_face_set("few", (1, 2, 3), 24)), 64)


def test_faces_are_held_out_and_every_picture_is_on_one_side(real_face_set: Path):
    loaded = load_portraits(FaceSet.load(real_face_set), 64)
    assert loaded.learnt.shape[1:] == (3, 64, 64)
    assert 0 < len(loaded.heldout) < len(loaded.learnt) < 110


def test_drawn_photographs_are_scaled_and_half_are_mirrored(portraits: Portraits):
    random = torch.Generator().manual_seed(0)
    plain = draw(portraits.learnt[:1], 64, False, random, torch.device("cpu"))
    mirrored = draw(portraits.learnt[:1], 64, True, random, torch.device("cpu"))
    assert -1 <= plain.min() < plain.max() <= 1
    turned = [bool((picture != plain[0]).any()) for picture in mirrored]
    assert 0 < sum(turned) < 64


def test_real_faces_need_consent_for_portraits(real_face_set: Path, tmp_path: Path):
    with pytest.raises(ConsentError, match="No consent covers"):
        fit(real_face_set, tmp_path / "model", [], FitSettings(iterations=1))
    assert not (tmp_path / "model").exists()


def test_faces_whose_people_agreed_become_a_model_that_carries_their_record(real_face_set: Path, tmp_path: Path):
    [digest] = FaceSet.load(real_face_set).sources.values()
    record = nobodys_record("Nobody", [digest], _LONG_AGO, _IN_A_CENTURY)
    consent.save(record, tmp_path / "people.json")
    settings = FitSettings(iterations=2, compared=4, measured=2, evaluate_every=1)
    result = fit(real_face_set, tmp_path / "model", [tmp_path / "people.json"], settings)
    assert (result.reason, result.images) == ("budget", 32)
    assert "--resume --iterations 2 --consent" in result.advice
    assert PortraitModel.load(tmp_path / "model").record.digest() == record.digest()


def test_a_record_for_another_use_does_not_open_portraits(real_face_set: Path):
    faces = FaceSet.load(real_face_set)
    [digest] = faces.sources.values()
    synthetic = nobodys_record("Nobody", [digest], _LONG_AGO, _IN_A_CENTURY)
    assert permitted({Path("a"): synthetic}, faces, Averages()) == [synthetic]
    person = consent.sign(
        synthetic.model_copy(update={"kind": "person", "uses": ("swap",)}), Ed25519PrivateKey.generate()
    )
    with pytest.raises(ConsentError, match="not portrait"):
        permitted({Path("a"): person}, faces, Averages())
    foreign = nobodys_record("Nobody", ["f" * 64], _LONG_AGO, _IN_A_CENTURY)
    with pytest.raises(ConsentError, match=r"people\.mp4"):
        permitted({Path("a"): foreign}, faces, Averages())


def test_progress_starts_before_the_contest():
    assert not Progress(0).contest
