"""`likeness fit` as people use it: data in, a folder with a model and its figures out, one line where data are bad."""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from likeness.cli import main
from likeness.footage import footage
from likeness.media.clip import open_clip

Fit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fit:
    """`likeness fit` in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["likeness", "fit", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return (code if isinstance(code, int) else 0, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two actors, each moment under a name of its own; the synthetic ones are softened."""
    root = tmp_path_factory.mktemp("pictures")
    for place in ("genuine", "synthetic"):
        (root / place).mkdir()
    for actor, clip in (("a", footage().actor_a), ("b", footage().actor_b)):
        for frame in open_clip(clip.path).frames(0, 0.17):
            image = cv2.resize(frame.image, (224, 224), interpolation=cv2.INTER_AREA)
            soft = cv2.GaussianBlur(image, (0, 0), 1.2)
            Image.fromarray(image).save(root / "genuine" / f"{actor}{frame.index}.png")
            Image.fromarray(soft).save(root / "synthetic" / f"{actor}{frame.index}-soft.png")
    return root


def test_handmade_from_pictures_to_a_model(fit: Fit, data: Path, tmp_path: Path) -> None:
    code, out, err = fit("handmade", data, "-o", tmp_path / "model")
    assert code == 0, err
    assert "20 samples, 10 of them synthetic" in out
    assert "picture_svm: AUC 1.000" in out
    assert "clip_svm" not in out, "there were no clips"
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        *("handmade.npz", "validation.json", "samples.csv", "vectors")
    }
    with np.load(tmp_path / "model" / "handmade.npz", allow_pickle=False) as stored:
        assert any(name.startswith("picture_mlp/") for name in stored.files)
    assert fit("handmade", data, "-o", tmp_path / "model")[0] == 2
    assert fit("handmade", data, "-o", tmp_path / "model", "--resume")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("handmade", "{tmp}/none"), "no folder"),
        (("handmade", "{tmp}"), "no layout"),
        (("handmade", "{data}", "--pretrained", "weights.npz"), "--pretrained is for networks"),
        (("handmade", "{data}", "--backbone", "mobilenet"), "--backbone is for networks"),
        (("handmade", "{data}", "--minutes", "0"), "--minutes"),
        (("frames", "{data}", "--threads", "0"), "--threads"),
    ],
)
def test_bad_input_is_one_line(fit: Fit, data: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = fit(*(argument.format(tmp=tmp_path, data=data) for argument in arguments), "-o", tmp_path / "model")
    assert code == 2
    assert err.startswith("likeness: ")
    assert err.count("\n") == 1
    assert said in err
    assert not (tmp_path / "model").exists()


def test_an_unknown_kind_is_bad_input(fit: Fit, data: Path, tmp_path: Path) -> None:
    assert fit("oracle", data, "-o", tmp_path / "model")[0] == 2
