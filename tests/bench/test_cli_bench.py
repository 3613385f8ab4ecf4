from pathlib import Path

import pytest
from typer.testing import CliRunner

from likeness.cli import app
from likeness.errors import SettingsError

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
