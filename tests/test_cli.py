"""The command line as people use it: a process, its exit code, its one line on standard error."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from likeness.cli import main
from likeness.footage import footage
from likeness.media.clip import open_clip

VERBS = ("demo", "cast", "extract", "train", "swap", "consent", "check")


class Run(NamedTuple):
    """What a call of `likeness` left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Likeness = Callable[..., Run]


@pytest.fixture
def likeness(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Likeness:
    """The command line, run in this process: a new one would load PyTorch each time."""

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["likeness", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Run(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "wall.png"
    Image.fromarray(np.full((120, 160, 3), (120, 140, 160), np.uint8)).save(path)
    return path


def test_help_names_every_verb(likeness: Likeness) -> None:
    shown = likeness("--help")
    assert shown.returncode == 0
    for verb in VERBS:
        assert verb in shown.stdout


def test_version(likeness: Likeness) -> None:
    assert re.fullmatch(r"likeness \d+\.\d+\.\d+\n", likeness("--version").stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "nowhere.mp4"),
        ("extract", "nowhere.mp4", "-o", "{tmp}/faces"),
        ("train", "{tmp}/a", "{tmp}/b", "-o", "{tmp}/model"),
        ("train", "{tmp}/a", "{tmp}/b", "-o", "{tmp}/model", "--minutes", "1", "--iterations", "5"),
        ("train", "{tmp}/a", "{tmp}/b", "-o", "{tmp}/model", "--resume"),
        ("swap", "{faceless}", "--model", "{tmp}/none", "--consent", "{tmp}/none.json", "-o", "{tmp}/out.png"),
        ("consent", "show", "{faceless}"),
        ("consent", "new", "nowhere.mp4", "--person", "Ada", "--purpose", "film X", "-o", "{tmp}/record.json"),
        ("consent", "new", "{faceless}", "--person", "Ada", "--purpose", "film X", "-o", "{tmp}/record.json"),
        ("consent", "new", "{faceless}", "--person", "Ada", "-o", "{tmp}/record.json"),
        ("consent", "new", "{faceless}", "--person", "Nobody", "--portrait", "-o", "{tmp}/record.json"),
        ("consent", "import-revocation", "{faceless}"),
        ("cast", "-o", "{tmp}/cast", "--size", "3"),
        ("extract", "{faceless}", "-o", "{tmp}/faces"),
        ("check", "{tmp}"),
        ("check", "{faceless}", "--reference", "{tmp}/nobody"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    likeness: Likeness, tmp_path: Path, faceless: Path, arguments: tuple[str, ...]
) -> None:
    filled = [argument.format(tmp=tmp_path, faceless=faceless) for argument in arguments]
    run = likeness(*filled)
    assert run.returncode == 2, run.stderr
    complaint = [line for line in run.stderr.splitlines() if line.startswith("likeness: ")]
    assert len(complaint) == 1
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out.png").exists()


def test_an_unknown_option_is_bad_input(likeness: Likeness) -> None:
    assert likeness("check", "--frobnicate").returncode == 2


def test_check_prints_one_json_object_a_file(likeness: Likeness, tmp_path: Path, faceless: Path) -> None:
    run = likeness("check", faceless, faceless, "--json", "-", "-o", tmp_path / "report.html")
    assert run.returncode == 0, run.stderr
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(records) == 2
    assert records[0]["verdict"] == "cannot_tell"
    assert set(records[0]) == {
        *("file", "sha256", "kind", "verdict", "llr", "probability", "reason", "faces", "findings", "versions")
    }
    assert (tmp_path / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_check_writes_a_pdf_where_one_is_asked_for(likeness: Likeness, tmp_path: Path, faceless: Path) -> None:
    run = likeness("check", faceless, "-o", tmp_path / "report.PDF")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "report.PDF").read_bytes().startswith(b"%PDF-")


def test_check_refuses_a_report_of_an_unknown_kind(likeness: Likeness, tmp_path: Path, faceless: Path) -> None:
    run = likeness("check", faceless, "-o", tmp_path / "report.txt")
    assert run.returncode == 2
    assert "End it in .html" in run.stderr
    assert not list(tmp_path.glob("report*"))


def test_check_never_overwrites_the_evidence(likeness: Likeness, faceless: Path) -> None:
    before = faceless.read_bytes()
    for option in ("-o", "--json"):
        assert likeness("check", faceless, option, faceless).returncode == 2
    assert faceless.read_bytes() == before


def test_a_bad_file_does_not_hide_the_good_ones(likeness: Likeness, tmp_path: Path, faceless: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    run = likeness("check", faceless, tmp_path / "empty.mp4", tmp_path / "none.mp4", "--json", "-")
    assert run.returncode == 2
    assert len(run.stdout.splitlines()) == 1
    assert sum(line.startswith("likeness: ") for line in run.stderr.splitlines()) == 2


def test_an_unknown_home_makes_credentials_abstain(
    likeness: Likeness, faceless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", "~nobody-of-that-name/likeness")
    run = likeness("check", faceless)
    assert run.returncode == 0
    assert "there is no such user" in run.stdout


def test_a_pipe_is_no_consent_record_and_no_footage(likeness: Likeness, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert likeness("consent", "show", tmp_path / "pipe").returncode == 2
    assert likeness(*_new_record(tmp_path / "pipe", tmp_path / "record.json")).returncode == 2


def test_a_record_is_not_overwritten(likeness: Likeness, tmp_path: Path, faceless: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text("signed")
    assert likeness(*_new_record(faceless, record)).returncode == 2
    assert record.read_text() == "signed"


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small picture with a face in it."""
    frame = Image.fromarray(next(open_clip(footage().actor_a.path).frames()).image)
    path = tmp_path_factory.mktemp("cli") / "ada.png"
    frame.resize((192, 192)).save(path)
    return path


def _new_record(picture: Path, record: Path) -> tuple[object, ...]:
    return ("consent", "new", picture, "--person", "Ada", "--purpose", "short film X", "-o", record)


def test_consent_is_written_signed_and_shown(likeness: Likeness, tmp_path: Path, portrait: Path) -> None:
    record, key = tmp_path / "ada.json", tmp_path / "ada.pem"
    assert likeness(*_new_record(portrait, record)).returncode == 0
    assert "not signed" in likeness("consent", "show", record).stdout
    signed = likeness("consent", "sign", record, "--key", key, "--new-key")
    assert signed.returncode == 0, signed.stderr
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    shown = likeness("consent", "show", record).stdout
    assert "signed, in force" in shown
    assert "short film X" in shown
    altered = record.read_text().replace("Ada", "Eve")
    record.write_text(altered)
    assert "altered" in likeness("consent", "show", record).stdout


def test_consent_is_withdrawn_here_and_elsewhere(
    likeness: Likeness, tmp_path: Path, portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, key, revoked = tmp_path / "ada.json", tmp_path / "ada.pem", tmp_path / "sent" / "ada.json"
    likeness(*_new_record(portrait, record))
    likeness("consent", "sign", record, "--key", key, "--new-key")
    assert likeness("consent", "revoke", record, "--key", key, "-o", record).returncode == 2
    assert likeness("consent", "revoke", record, "--key", key, "-o", revoked).returncode == 0
    assert "withdrawn" in likeness("consent", "show", record).stdout
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "elsewhere"))
    assert "in force" in likeness("consent", "show", record).stdout, "nobody has told that computer"
    assert "withdrawn" in likeness("consent", "show", record, "--revocations", revoked.parent).stdout
    assert "Ada withdrew" in likeness("consent", "import-revocation", revoked).stdout
    assert "withdrawn" in likeness("consent", "show", record).stdout


def test_ctrl_c_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    program = """
import signal
import time
from likeness import cli
@cli.app.command()
def wait() -> None:
    print("waiting", flush=True)
    time.sleep(60)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to it
cli.main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
