import io

import pytest

from likeness import progress as progress_module
from likeness.progress import progress, tracked


def test_tracked_yields_every_item_and_says_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked(range(5), "counting", total=5, unit="things")) == list(range(5))
    assert "counting: 5/5 things" in capsys.readouterr().err


def test_a_terminal_gets_a_bar_with_its_note(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = progress_module.Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(progress_module, "Console", lambda stderr: terminal)
    with progress("training", total=2, unit="steps") as job:
        job.advance()
        job.note("loss 0.1")
        job.advance()
    assert "training" in screen.getvalue()
    assert "loss 0.1" in screen.getvalue()
