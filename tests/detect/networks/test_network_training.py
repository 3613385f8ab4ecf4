"""A small training learns, chooses by validation people, can be interrupted and goes on, and is stored whole."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.detect.networks import training
from likeness.detect.networks.examples import Example, Examples
from likeness.detect.networks.inputs import CROP
from likeness.detect.networks.stored import CONFIG, WEIGHTS, NetworkConfig, NetworkKind, build, load, save
from likeness.detect.networks.training import PLOT, STATE, TABLE, TrainSettings, predict, train
from likeness.errors import ModelError

SETTINGS = TrainSettings(minutes=0.12, couples=2, validate_every_s=3.0, validated=8, warm_up=1, threads=1)


def marked(person: str, seed: int) -> list[Example]:
    """A grey face, and the same with a bright square in it: nothing is easier to tell."""
    rng = np.random.default_rng(seed)
    genuine = rng.normal(110, 12, (2, CROP, CROP, 3)).clip(0, 255).astype(np.uint8)
    synthetic = genuine.copy()
    synthetic[:, 80:150, 80:150] = (240, 30, 30)
    source = f"{person}-{seed}"
    return [Example(genuine, False, source, person), Example(synthetic, True, source, person, "square")]


@pytest.fixture(scope="module")
def examples() -> tuple[Examples, Examples]:
    learnt = [row for seed in range(6) for row in marked(f"p{seed % 3}", seed)]
    return Examples(learnt), Examples([row for seed in (20, 21) for row in marked(f"v{seed}", seed)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, examples: tuple[Examples, Examples]) -> Path:
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("detector")
    train(build("frames"), NetworkConfig(kind="frames"), *examples, out, SETTINGS)
    return out


def test_a_training_leaves_weights_curves_and_a_state(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {CONFIG, WEIGHTS, TABLE, PLOT, STATE}
    with (trained / TABLE).open(encoding="utf-8") as file:
        curves = list(csv.DictReader(file))
    network, config = load(trained)
    assert config.validation_auc == pytest.approx(max(float(row["validation_auc"]) for row in curves), abs=1e-4)
    assert not network.training


def test_it_goes_on_where_it_stopped(trained: Path, examples: tuple[Examples, Examples]) -> None:
    before = torch.load(trained / STATE, weights_only=True)["step"]
    longer = replace(SETTINGS, minutes=SETTINGS.minutes * 1.3)
    train(build("frames"), NetworkConfig(kind="frames"), *examples, trained, longer, resume=True)
    after = torch.load(trained / STATE, weights_only=True)
    assert after["step"] > before
    assert after["spent_s"] >= longer.minutes * 60


def test_another_kind_is_not_resumed(trained: Path, examples: tuple[Examples, Examples]) -> None:
    with pytest.raises(ModelError, match="training of frames"):
        train(build("pairs"), NetworkConfig(kind="pairs"), *examples, trained, SETTINGS, resume=True)


def test_a_damaged_state_is_refused_in_one_line(tmp_path: Path, examples: tuple[Examples, Examples]) -> None:
    (tmp_path / STATE).write_bytes(b"not a state")
    with pytest.raises(ModelError, match="Start anew"):
        train(build("frames"), NetworkConfig(kind="frames"), *examples, tmp_path, SETTINGS, resume=True)


def test_a_training_that_diverges_says_so(tmp_path: Path, examples: tuple[Examples, Examples]) -> None:
    network = build("frames")
    with torch.no_grad():
        network.classify.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="smaller learning rate"):
        train(network, NetworkConfig(kind="frames"), *examples, tmp_path, SETTINGS)


def test_what_is_stored_answers_as_before(tmp_path: Path, examples: tuple[Examples, Examples]) -> None:
    torch.manual_seed(3)
    network = build("pairs").eval()
    with torch.no_grad():
        network.classify.weight.normal_()
    save(tmp_path, network, NetworkConfig(kind="pairs"))
    again, _ = load(tmp_path)
    rows = list(examples[1].rows)
    assert np.allclose(predict(network, "pairs", rows), predict(again, "pairs", rows))


@pytest.mark.parametrize("damage", ["no config", "cut off"])
def test_a_damaged_folder_is_refused(tmp_path: Path, damage: str) -> None:
    save(tmp_path, build("frames"), NetworkConfig(kind="frames"))
    if damage == "no config":
        (tmp_path / CONFIG).unlink()
    else:
        (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(ModelError, match="likeness fit"):
        load(tmp_path)


def test_short_sequences_repeat_their_last_frame() -> None:
    crops = np.arange(2, dtype=np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=3)
    shown = training._shown(crops, "recurrent")
    assert shown[:, 0, 0, 0].tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["pairs", "recurrent", "temporal"])
def test_the_other_kinds_train_as_well(kind: NetworkKind, examples: tuple[Examples, Examples], tmp_path: Path) -> None:
    brief = replace(SETTINGS, minutes=0.01)
    config = train(build(kind), NetworkConfig(kind=kind), *examples, tmp_path, brief)
    assert config.validation_auc is not None
    assert load(tmp_path)[1].kind == kind
