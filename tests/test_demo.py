"""The demo, cut short: everything it writes is there, and it goes on where it stopped."""

import json
from pathlib import Path

import pytest

from likeness.demo import DemoFiles, DemoSettings, run_demo
from likeness.errors import SettingsError
from likeness.make.model import read_config
from likeness.prove.credentials import read
from likeness.prove.ledger import Ledger


@pytest.mark.slow
def test_the_demo_writes_everything_and_resumes(tmp_path: Path) -> None:
    said = run_demo(tmp_path / "demo", DemoSettings(minutes=0.2))
    files = DemoFiles(tmp_path / "demo")
    for path in (files.swapped, files.report, files.report_json, files.score, files.preview):
        assert path.is_file()
        assert str(path) in said
    swapped, genuine = json.loads(files.report_json.read_text())
    assert swapped["verdict"] == "synthetic"
    assert genuine["verdict"] != "synthetic"
    assert read(files.swapped).state == "trusted"
    assert Ledger().find(swapped["sha256"])
    assert {row["name"] for row in json.loads(files.score.read_text())["rows"]} >= {"swap", "unchanged clip"}
    trained = read_config(files.model).iterations
    run_demo(tmp_path / "demo", DemoSettings(minutes=0.3))
    assert read_config(files.model).iterations > trained


@pytest.mark.parametrize("minutes", [0.0, -1.0, 1e9])
def test_impossible_lengths_are_refused(minutes: float) -> None:
    with pytest.raises(SettingsError, match="The demo trains"):
        DemoSettings(minutes=minutes)
