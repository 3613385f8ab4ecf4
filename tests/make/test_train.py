import json
import math
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from likeness.cli import app
from likeness.errors import FaceSetError, ModelError, SettingsError, StorageError
from likeness.make.history import StopSettings
from likeness.make.model import CONFIG, CURVES, HISTORY, PREVIEW, RESUME, WEIGHTS, SwapModel, write_tensors
from likeness.make.model_seal import SEAL, check_seal
from likeness.make.recipes import recipe_for
from likeness.make.train import TrainSettings, interruptible, train
from likeness.make.training import Training, learning_rate

TINY = {"batch": 2, "evaluate_every": 3, "save_s": 1e9}


@pytest.fixture
def pair(make_face_set: Callable[..., Path]) -> tuple[Path, Path]:
    """Two small face sets."""
    return make_face_set("anna", (210, 150, 120)), make_face_set("ben", (120, 90, 70))


@pytest.fixture
def trained(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    """A model of the pair after two iterations."""
    train(*pair, tmp_path / "model", TrainSettings(iterations=2, batch=1))
    return tmp_path / "model"


def interrupt_after(monkeypatch: pytest.MonkeyPatch, iteration: int, number: signal.Signals) -> None:
    """Have ``number`` arrive in the middle of the given iteration."""
    whole_step = Training.step

    def step(self: Training, done: float | None):
        if self.progress.iteration == iteration - 1:
            signal.raise_signal(number)
        return whole_step(self, done)

    monkeypatch.setattr(Training, "step", step)


def test_training_writes_a_model_that_swaps(pair: tuple[Path, Path], tmp_path: Path):
    out = tmp_path / "model"
    result = train(*pair, out, TrainSettings(iterations=16, batch=2, evaluate_every=5))
    assert (result.iterations, result.reason) == (16, "budget")
    assert {path.name for path in out.iterdir()} == {CONFIG, WEIGHTS, RESUME, SEAL, HISTORY, CURVES, PREVIEW}
    config = json.loads((out / CONFIG).read_text())
    assert set(config["sides"]["a"]["sources"]) == {"anna.mp4"}
    assert set(config["sides"]["b"]["sources"]) == {"ben.mp4"}
    rows = [line.split(",") for line in (out / HISTORY).read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["5", "10", "15", "16"]
    assert float(rows[-1][5]) < float(rows[0][5])  # held-out faces have got better
    with Image.open(out / PREVIEW) as sheet:
        size = recipe_for("flow").size
        assert sheet.width == 6 * (size + 2) - 2
    images, _ = SwapModel.load(out).swap(np.zeros((1, 256, 256, 3), np.uint8), "a2b")
    assert np.isfinite(images).all()


def test_a_model_is_sealed_and_exchanged_weights_do_not_outlive_a_resumption(pair: tuple[Path, Path], trained: Path):
    check_seal(trained)
    learnt = load_file(trained / WEIGHTS)
    write_tensors(trained / WEIGHTS, recipe_for("flow").build().state_dict())
    with pytest.raises(ModelError, match="changed after training"):
        check_seal(trained)
    train(*pair, trained, TrainSettings(iterations=2, batch=1, resume=True))
    check_seal(trained)
    again = load_file(trained / WEIGHTS)
    assert all(torch.allclose(again[name], learnt[name], atol=1e-3) for name in learnt)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_resumes_to_the_same_bits(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train(*pair, straight, TrainSettings(iterations=8, **TINY))
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4, number)
        result = train(*pair, stopped, TrainSettings(iterations=8, **TINY))
    assert (result.iterations, result.reason) == (4, "interrupted")
    assert "--resume" in result.advice
    train(*pair, stopped, TrainSettings(iterations=8, resume=True, **TINY))
    for name in (WEIGHTS, RESUME):
        one, other = load_file(straight / name), load_file(stopped / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_signals_are_handed_back(pair: tuple[Path, Path]):
    before = signal.getsignal(signal.SIGTERM)
    with interruptible() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.is_set()
        assert signal.getsignal(signal.SIGTERM) is before  # a second one ends at once
    assert signal.getsignal(signal.SIGTERM) is before


def test_training_works_beside_the_main_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(interruptible().__enter__().is_set()))
    thread.start()
    thread.join()
    assert seen == [False]


def test_it_stops_when_held_out_faces_gain_no_more(pair: tuple[Path, Path], tmp_path: Path):
    stop = StopSettings(gain=0.9, patience_s=0.0, evaluations=2)
    settings = TrainSettings(stop_when_flat=True, iterations=100, batch=2, evaluate_every=2, stop=stop)
    result = train(*pair, tmp_path / "model", settings)
    assert result.reason == "flat"
    assert result.iterations < 20
    assert "No gain on held-out faces" in result.advice


def test_a_time_budget_is_kept(pair: tuple[Path, Path], tmp_path: Path):
    result = train(*pair, tmp_path / "model", TrainSettings(minutes=0.02, batch=1))
    assert result.reason == "budget"
    assert 1.2 <= result.seconds < 10


def test_learning_rate_rises_then_falls():
    recipe = recipe_for("light")
    rates = [learning_rate(recipe, iteration, iteration / 1000) for iteration in range(1001)]
    assert rates[0] < 0.1 * recipe.learning_rate
    assert max(rates) <= recipe.learning_rate
    assert rates[1000] == pytest.approx(recipe.learning_rate * recipe.final_rate)
    original = recipe_for("original")
    assert learning_rate(original, 0, 0) == learning_rate(original, 9999, 0.9) == 5e-5


def test_a_model_is_not_overwritten(pair: tuple[Path, Path], trained: Path):
    before = (trained / WEIGHTS).read_bytes()
    with pytest.raises(ModelError, match=r"already holds a model.*--resume"):
        train(*pair, trained, TrainSettings(iterations=1, batch=1))
    with pytest.raises(ModelError, match="--arch flow"):
        train(*pair, trained, TrainSettings(arch="original", iterations=1, resume=True))
    with pytest.raises(ModelError, match="other footage"):
        train(pair[1], pair[0], trained, TrainSettings(iterations=3, batch=1, resume=True))
    assert (trained / WEIGHTS).read_bytes() == before


def test_resuming_after_weeding_out_faces(pair: tuple[Path, Path], trained: Path):
    (pair[0] / "005.png").unlink()
    (pair[0] / "cat.png").write_bytes(b"")
    result = train(*pair, trained, TrainSettings(iterations=3, batch=1, resume=True))
    assert result.iterations == 3
    assert json.loads((trained / CONFIG).read_text())["sides"]["a"]["faces"] == 23


def test_resuming_what_is_not_there(pair: tuple[Path, Path], trained: Path, tmp_path: Path):
    with pytest.raises(ModelError, match="no model"):
        train(*pair, tmp_path / "nothing", TrainSettings(iterations=3, resume=True))
    (trained / RESUME).write_bytes((trained / RESUME).read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        train(*pair, trained, TrainSettings(iterations=3, batch=1, resume=True))


def test_too_few_faces(make_face_set: Callable[..., Path], tmp_path: Path):
    few, enough = make_face_set("few", count=4), make_face_set("enough")
    with pytest.raises(FaceSetError, match="4 faces"):
        train(few, enough, tmp_path / "model", TrainSettings(iterations=1))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 1, "iterations": 1},
        {"minutes": 0},
        {"iterations": 0},
        {"batch": 0},
        {"accumulate": 0},
        {"size": 100},
        {"learning_rate": 0.0},
        {"minutes": math.inf},
        {"minutes": math.nan},
        {"learning_rate": math.inf},
        {"seed": -1},
        {"seed": 2**70},
        {"arch": "light", "size": 0},
        {"perceptual": Path("vgg.pt")},
    ],
)
def test_settings_that_make_no_sense(wrong: dict):
    with pytest.raises(SettingsError):
        TrainSettings(**wrong)


def test_a_full_disk_keeps_the_last_checkpoint(pair: tuple[Path, Path], trained: Path):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))  # no file may grow beyond 1 MiB
    try:
        with pytest.raises(StorageError) as refusal:
            train(*pair, trained, TrainSettings(iterations=4, batch=1, resume=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(refusal.value)
    after = {path.name: path.read_bytes() for path in trained.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in (RESUME, WEIGHTS))


def test_gan_resumes_to_the_same_bits_with_its_discriminators(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    settings = {"arch": "gan", "iterations": 4, "batch": 1, "accumulate": 2, "evaluate_every": 2}
    train(*pair, straight, TrainSettings(**settings))
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2, signal.SIGINT)
        assert train(*pair, stopped, TrainSettings(**settings)).reason == "interrupted"
    train(*pair, stopped, TrainSettings(resume=True, **settings))
    one, other = (load_file(folder / RESUME) for folder in (straight, stopped))
    assert one.keys() == other.keys()
    assert {key.split(".")[0] for key in one} == {
        "network", "averaged", "optimizer", "critics", "critic_optimizer"
    }  # fmt: skip
    assert all(torch.equal(one[key], other[key]) for key in one)
    header, *rows = (straight / HISTORY).read_text().splitlines()
    assert header.endswith("critic_loss,critic_accuracy")
    assert all(0 <= float(row.split(",")[-1]) <= 1 for row in rows)
    model = SwapModel.load(straight)
    images, masks = model.swap(np.zeros((1, 256, 256, 3), np.uint8), "a2b")
    assert images.shape == (1, 64, 64, 3)
    assert 0 < masks.mean() < 1
    face = model.face("a")
    assert face is not None
    assert float(np.linalg.norm(face)) == pytest.approx(1, abs=1e-5)
    assert model.config.sides["a"].recogniser


def test_liae_goes_through_its_phases(pair: tuple[Path, Path], tmp_path: Path):
    seen = []
    settings = TrainSettings(arch="liae", iterations=10, batch=1, evaluate_every=5, save_s=1e9)
    result = train(*pair, tmp_path / "model", settings, on_save=lambda out, state: seen.append((out, state.iteration)))
    assert result.iterations == 10
    assert seen == [(tmp_path / "model", 10)]
    rows = [line.split(",") for line in (tmp_path / "model" / HISTORY).read_text().splitlines()]
    assert rows[1][-1] == ""  # no discriminator yet
    assert rows[2][-1] != ""


@pytest.fixture
def format_1(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    """A model as the first version wrote it: from noise, all of it learning."""
    trained = tmp_path / "model"
    train(*pair, trained, TrainSettings(arch="light", iterations=2, batch=1))
    config = json.loads((trained / CONFIG).read_text())
    config["format"] = 1
    del config["published"], config["start"]
    for side in config["sides"].values():
        del side["face"], side["recogniser"]
    (trained / CONFIG).write_text(json.dumps(config))
    with safe_open(trained / RESUME, framework="pt") as stored:
        state, names = json.loads(stored.metadata()["state"]), set(stored.keys())
    for entry in state["entries"]:
        del entry["critic_loss"], entry["critic_accuracy"]
    assert state.keys() == {"seed", "iteration", "seconds", "plateau", "entries"}
    assert {name.split(".")[0] for name in names} == {"network", "averaged", "optimizer"}
    assert {"optimizer.0.exp_avg", "optimizer.0.exp_avg_sq", "optimizer.0.step"} <= names
    assert {"network.encoder.1.0.weight", "averaged.decoder_b.face", "network.mean"} <= names
    save_file(load_file(trained / RESUME), trained / RESUME, {"state": json.dumps(state)})
    return trained


def test_models_of_the_first_version_load_and_resume(pair: tuple[Path, Path], format_1: Path):
    model = SwapModel.load(format_1)
    assert model.config.format == 1
    assert model.face("a") is None
    assert np.isfinite(model.swap(np.zeros((1, 256, 256, 3), np.uint8), "a2b")[0]).all()
    words = [*map(str, pair), "-o", str(format_1), "--iterations", "3", "--batch", "1", "--resume"]
    done = CliRunner().invoke(app, ["train", *words])  # without --arch, as it was begun
    assert done.exit_code == 0, done.output
    assert json.loads((format_1 / CONFIG).read_text())["iterations"] == 3
    assert json.loads((format_1 / CONFIG).read_text())["format"] == 2
    assert SwapModel.load(format_1).face("a") is not None


def test_a_training_that_breaks_down_says_so_and_keeps_the_last_good_model(pair: tuple[Path, Path], trained: Path):
    before = {name: (trained / name).read_bytes() for name in (WEIGHTS, RESUME)}
    settings = TrainSettings(iterations=50, batch=1, resume=True, learning_rate=1e38)
    with pytest.raises(ModelError, match=r"broke down.*iteration \d+.*--resume.*--learning-rate") as refusal:
        train(*pair, trained, settings)
    assert "\n" not in str(refusal.value)
    assert {name: (trained / name).read_bytes() for name in before} == before
    assert train(*pair, trained, TrainSettings(iterations=3, batch=1, resume=True)).iterations == 3


def test_broken_weights_are_never_saved(pair: tuple[Path, Path], trained: Path, monkeypatch: pytest.MonkeyPatch):
    before = {name: (trained / name).read_bytes() for name in (WEIGHTS, RESUME)}
    whole_step = Training.step

    def step(self: Training, done: float | None):
        losses = whole_step(self, done)
        next(self.network.parameters()).data[0] = math.nan
        return losses

    monkeypatch.setattr(Training, "step", step)
    with pytest.raises(ModelError, match="weight is not a number"):
        train(*pair, trained, TrainSettings(iterations=3, batch=1, resume=True))
    assert {name: (trained / name).read_bytes() for name in before} == before


def test_too_large_a_batch_is_refused_before_the_work(pair: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(SettingsError, match=r"GB are free.*--batch \d+.*--accumulate") as refusal:
        train(*pair, tmp_path / "model", TrainSettings(iterations=1, batch=1_000_000))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "model").exists()


def test_memory_that_runs_out_later_names_a_batch_too(
    pair: tuple[Path, Path], trained: Path, monkeypatch: pytest.MonkeyPatch
):
    before = (trained / RESUME).read_bytes()
    monkeypatch.setattr(Training, "step", lambda self, done: torch.empty(1 << 60, dtype=torch.uint8))
    with pytest.raises(SettingsError, match=r"Memory ran out at iteration 3 with 8 faces.*--batch 4.*--resume"):
        train(*pair, trained, TrainSettings(iterations=3, batch=8, resume=True))
    assert (trained / RESUME).read_bytes() == before


def test_a_model_is_resumed_at_its_own_size(pair: tuple[Path, Path], tmp_path: Path):
    train(*pair, tmp_path / "model", TrainSettings(arch="light", size=64, iterations=1, batch=1))
    with pytest.raises(ModelError, match="--size 64"):
        train(*pair, tmp_path / "model", TrainSettings(arch="light", size=128, iterations=2, resume=True))
    result = train(*pair, tmp_path / "model", TrainSettings(arch="light", iterations=2, batch=1, resume=True))
    assert result.iterations == 2
    assert SwapModel.load(tmp_path / "model").size == 64
