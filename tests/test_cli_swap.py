"""The options of `likeness swap`, as far as they are refused before any work."""

import sys
from fractions import Fraction
from pathlib import Path

import pytest

from likeness.cli import main
from likeness.cli_swap import _rate, _span
from likeness.errors import SettingsError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--only", "soon"), "FROM-TO"),
        (("--only", "5-2"), "5 to 2"),
        (("--only", "1-3", "--only", "2-4"), "overlap"),
        (("--from", "4", "--to", "4"), "4 to 4"),
        (("--all-faces", "--track", "2"), "one of the three"),
        (("--track", "2", "--face-like", "a.png"), "one of the three"),
        (("--fps", "0"), "--fps 0"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    needed = ("clip.mp4", "--model", "m", "--consent", "c.json", "-o", str(tmp_path / "out.mp4"))
    monkeypatch.setattr(sys, "argv", ["likeness", "swap", *needed, *options])
    with pytest.raises(SystemExit) as end:
        main()
    error = capfd.readouterr().err
    assert end.value.code == 2
    assert error.count("\n") == 1
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_broadcast_rates_are_exact() -> None:
    assert _rate(23.976) == Fraction(24000, 1001)
    assert _rate(29.97) == Fraction(30000, 1001)
    assert _rate(25) == 25
    assert _rate(12.5) == Fraction(25, 2)
    assert _rate(None) is None


def test_spans() -> None:
    assert _span("12.5-20") == (12.5, 20.0)
    for text in ("12.5", "a-b", "-", "3-"):
        with pytest.raises(SettingsError):
            _span(text)
