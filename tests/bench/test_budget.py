import logging
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.bench.budget import Budget, is_trained, seconds_spent, train_within
from likeness.bench.takes import clips_of, pairs
from likeness.errors import ModelError, SettingsError, StorageError
from likeness.faces.extract import extract
from likeness.make.batches import Faces, load_faces
from likeness.make.model import CONFIG, RESUME, SwapModel
from likeness.make.model_seal import check_seal
from likeness.make.recipes import recipe_for
from likeness.make.training import StepSettings, Training

RECIPE = recipe_for("light", 64)
BUDGET = Budget(1 / 60)  # a CPU-second: some steps of 2 faces a side, on any machine


@pytest.fixture(scope="module")
def faces(short_pair: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Faces]:
    """A dozen faces of each of two people."""
    clips, folder = clips_of(pairs(1)[0], short_pair / "clips"), tmp_path_factory.mktemp("faces")
    sets = []
    for clip in (clips.training_a, clips.training_b):
        extract([clip], folder / clip.stem)
        sets.append(load_faces(folder / clip.stem, RECIPE.crop, torch.device("cpu")))
    return sets


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _training(faces: list[Faces]) -> Training:
    return Training(RECIPE, *faces, 0, StepSettings(batch=2, start="noise"))


def test_a_budget_is_spent_and_little_more(faces: list[Faces], tmp_path: Path) -> None:
    training, looks = _training(faces), []
    model = train_within(
        training, "light", "noise", tmp_path / "m", BUDGET, on_look=lambda now: looks.append(now.progress.seconds)
    )
    assert BUDGET.seconds <= training.progress.seconds < 2 * BUDGET.seconds
    assert looks == sorted(looks)
    assert looks[-1] == training.progress.seconds
    assert is_trained(tmp_path / "m")
    assert seconds_spent(tmp_path / "m") == pytest.approx(training.progress.seconds, rel=1e-4)
    assert model.config.start == "noise"
    assert model.config.heldout_error == min(entry.heldout for entry in training.progress.entries)
    again = train_within(
        _training(faces), "light", "noise", tmp_path / "m", BUDGET, on_look=lambda now: looks.append(-1)
    )
    assert looks[-1] > 0
    assert again.config == model.config


def test_an_interrupted_training_goes_on_where_it_was(faces: list[Faces], tmp_path: Path) -> None:
    def interrupt(now: Training) -> None:
        if now.progress.seconds > BUDGET.seconds / 3:
            os.kill(os.getpid(), signal.SIGINT)

    first = _training(faces)
    with pytest.raises(KeyboardInterrupt):
        train_within(first, "light", "noise", tmp_path / "m", BUDGET, on_look=interrupt)
    assert not is_trained(tmp_path / "m")
    assert (tmp_path / "m" / RESUME).exists()
    second, seen = _training(faces), []
    model = train_within(
        second, "light", "noise", tmp_path / "m", BUDGET, on_look=lambda now: seen.append(now.progress.iteration)
    )
    assert seen[0] > first.progress.iteration
    assert second.progress.seconds >= BUDGET.seconds
    assert second.progress.entries[: len(first.progress.entries)] == first.progress.entries
    assert model.config.iterations == second.progress.iteration
    assert not (tmp_path / "m" / RESUME).exists()


def test_a_training_that_comes_to_no_numbers_says_so(faces: list[Faces], tmp_path: Path) -> None:
    training = _training(faces)
    with torch.no_grad():
        for weights in training.network.parameters():
            weights.fill_(float("nan"))
    with pytest.raises(ModelError, match="no numbers"):
        train_within(training, "light", "noise", tmp_path / "m", BUDGET)
    assert not (tmp_path / "m" / CONFIG).exists()


def test_what_is_kept_can_swap(faces: list[Faces], tmp_path: Path) -> None:
    train_within(_training(faces), "light", "noise", tmp_path / "m", Budget(0.001))
    images, _ = SwapModel.load(tmp_path / "m").swap(np.zeros((1, 256, 256, 3), np.uint8), "a2b")
    assert np.isfinite(images).all()


def test_a_finished_model_is_sealed(
    faces: list[Faces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`likeness swap` takes it without a word; one that could not be sealed does not count as finished."""

    def full_disk(folder: Path) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("likeness.bench.budget.seal", full_disk)
        with pytest.raises(StorageError):
            train_within(_training(faces), "light", "noise", tmp_path / "m", Budget(0.001))
    assert not is_trained(tmp_path / "m")
    train_within(_training(faces), "light", "noise", tmp_path / "m", Budget(0.001))
    assert is_trained(tmp_path / "m")
    with caplog.at_level(logging.WARNING):
        check_seal(tmp_path / "m")
    assert not caplog.records


def test_looks_are_denser_at_first_and_end_with_the_budget() -> None:
    looks = Budget(10).looks()
    assert looks[-1] == 600
    assert np.diff(looks)[0] < np.diff(looks)[-1] / 20
    assert looks[0] > 0
    with pytest.raises(SettingsError):
        Budget(0)
