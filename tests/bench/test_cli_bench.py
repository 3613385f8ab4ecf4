from pathlib import Path

import pytest
from typer.testing import CliRunner

from likeness.cli import app
from likeness.errors import MissingDataError, SettingsError

RUN = CliRunner()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["swaps", "--arch", "light,lite"], "lite"),
        (["swaps", "--minutes", "2,ten"], "--minutes"),
        (["swaps", "--minutes", "0"], "budget"),
        (["swaps", "--pairs", "13"], "13"),
        (["swaps", "--size", "99"], "99"),
        (["time", "--start", "nothing"], "nothing"),
        (["time", "--pair", "0"], "pairs"),
        (["time", "--shares", "0.1,2"], "--shares"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(options: list[str], named: str, tmp_path: Path) -> None:
    result = RUN.invoke(app, ["bench", *options, "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, SettingsError)
    assert named in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_both_benchmarks_are_among_the_verbs() -> None:
    text = RUN.invoke(app, ["bench", "--help"]).output
    assert "swaps" in text
    assert "time" in text


def test_without_the_face_model_no_folder_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was, and the next call with other options was then refused."""
    for name in ("LIKENESS_DATA", "LIKENESS_FACE_MODEL_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = RUN.invoke(app, ["bench", "swaps", "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, MissingDataError)
    assert not (tmp_path / "out").exists()
