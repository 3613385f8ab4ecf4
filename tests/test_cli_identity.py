"""`likeness sign` and `likeness identity`, run as a user would."""

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from typer.testing import CliRunner, Result

from likeness.cli_identity import identity_app, sign
from likeness.errors import CredentialError, LikenessError, SettingsError, StorageError
from likeness.prove.certificates import key_pem
from likeness.prove.credentials import read

LIKENESS = (sys.executable, "-c", "from likeness.cli import main; main()")
app = typer.Typer()
app.add_typer(identity_app, name="identity")
app.command("sign")(sign)


def _run(*arguments: object, stdin: str | None = None) -> Result:
    """Run a verb; our own errors come through, as the program's ``main`` prints them."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if isinstance(result.exception, LikenessError):
        raise result.exception
    return result


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small unsigned picture."""
    path = tmp_path / "a.jpg"
    Image.effect_noise((64, 48), 60).convert("RGB").save(path)
    return path


def test_signs_without_claiming_an_origin(picture: Path, tmp_path: Path) -> None:
    result = _run("sign", picture, "-o", tmp_path / "out.jpg")
    assert result.exit_code == 0, result.output
    assert re.search(r"Signed as Likeness \w+: .*out\.jpg", result.output)
    found = read(tmp_path / "out.jpg")
    assert (found.state, found.digital_source_types, found.actions) == (
        "trusted",
        [],
        ["c2pa.opened", "c2pa.published"],
    )
    assert found.title == "out.jpg"


def test_signs_with_what_is_declared(picture: Path, tmp_path: Path) -> None:
    _run("identity", "new", "desk", "--organisation", "Daily Planet", "--years", 2)
    out = tmp_path / "out.jpg"
    _run("sign", picture, "-o", out, "--title", "Harbour", "--source-type", "digitalcapture", "--identity", "desk")
    found = read(out)
    assert (found.signer, found.issuer, found.title) == ("desk", "Daily Planet", "Harbour")
    assert found.digital_source_types == ["digitalCapture"]
    edited = tmp_path / "edited.jpg"
    _run("sign", picture, "-o", edited, "--source-type", "humanEdits", "--ingredient", out)
    assert [part.signer for part in read(edited).ingredients] == ["desk"]


def test_sidecar_is_announced(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as film:
        stream = film.add_stream("mpeg4", rate=25, width=64, height=48)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        film.mux(stream.encode(None))
    result = _run("sign", tmp_path / "a.mkv", "-o", tmp_path / "out.mkv")
    assert "out.c2pa. Pass both on." in result.output
    assert read(tmp_path / "out.mkv").state == "trusted"


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        (("-o", "a.jpg"), SettingsError, "would overwrite"),
        (("-o", "out.jpg", "--source-type", "truth"), SettingsError, "Choose one of: digitalCapture"),
        (("-o", "out.jpg", "--identity", "nobody"), CredentialError, "no identity “nobody”"),
        (("-o", "out.jpg", "--ingredient", "gone.jpg"), CredentialError, "cannot be read"),
        (("-o", "out.png"), SettingsError, "end in the same way"),
        (("-o", "folder"), StorageError, "is a folder"),
    ],
)
def test_bad_options_are_one_clear_line(
    picture: Path, monkeypatch: pytest.MonkeyPatch, options: tuple, error: type, complaint: str
) -> None:
    monkeypatch.chdir(picture.parent)
    Path("folder").mkdir()
    with pytest.raises(error, match=complaint) as caught:
        _run("sign", "a.jpg", *options)
    assert "\n" not in str(caught.value)
    assert not Path("out.jpg").exists()


def test_file_that_is_no_medium_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(CredentialError, match="cannot carry credentials"):
        _run("sign", tmp_path / "a.txt", "-o", tmp_path / "b.txt")
    with pytest.raises(LikenessError, match="There is no file"):
        _run("sign", tmp_path / "gone.jpg", "-o", tmp_path / "b.jpg")


def test_lists_shows_and_uses() -> None:
    assert "No identities yet" in _run("identity", "list").output
    _run("identity", "new", "desk")
    _run("identity", "new", "photo")
    _run("identity", "use", "photo")
    listed = _run("identity", "list").output.splitlines()
    assert [line[:2] for line in listed] == ["  ", "* "]
    shown = _run("identity", "show", "desk").output
    assert "es256" in shown
    assert re.search(r"serial [0-9a-f]{30,40}, SHA-256 [0-9a-f]{64}", shown)
    assert "PRIVATE" not in shown


def test_damaged_identity_does_not_hide_the_others(own_home: Path) -> None:
    _run("identity", "new", "desk")
    _run("identity", "new", "photo")
    (own_home / "identities" / "desk" / "signer.pem").write_bytes(b"garbage")
    listed = _run("identity", "list").output
    assert "damaged" in listed
    assert "photo (Likeness user)" in listed


def test_export_and_trust(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _run("identity", "new", "desk")
    _run("sign", picture, "-o", "out.jpg", "--identity", "desk")
    assert "trust add desk.pem" in _run("identity", "export", "desk").output
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "elsewhere"))
    assert "Nobody is known" in _run("identity", "trust", "list").output
    assert "Known from now on: desk root" in _run("identity", "trust", "add", "desk.pem").output
    assert "All of them were known" in _run("identity", "trust", "add", "desk.pem").output
    assert "user: desk root, to 20" in _run("identity", "trust", "list").output
    assert read(Path("out.jpg")).known_by == "user"
    assert "names 1 certificates" in _run("identity", "trust", "official", "desk.pem").output


def test_keys_leave_and_arrive_with_a_password_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run("identity", "new", "desk")
    copy = tmp_path / "desk.pem"
    with pytest.raises(SettingsError, match="only with a password"):
        _run("identity", "export", "desk", "-o", copy, "--with-key")
    with pytest.raises(SettingsError, match="EMPTY_ONE is empty"):
        _run("identity", "export", "desk", "-o", copy, "--with-key", "--password-env", "EMPTY_ONE")
    assert not copy.exists()
    monkeypatch.setenv("KEY_PASSWORD", "secret")
    _run("identity", "export", "desk", "-o", copy, "--with-key", "--password-env", "KEY_PASSWORD")
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "elsewhere"))
    arguments = ("identity", "import", "desk", "--chain", copy, "--key", copy)
    with pytest.raises(CredentialError, match="has a password"):
        _run(*arguments)
    assert "Imported desk" in _run(*arguments, "--password-env", "KEY_PASSWORD").output
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "a third one"))
    assert "Imported desk" in _run(*arguments, "--ask-password", stdin="secret\n").output


def test_end_of_input_at_the_password_prompt_is_one_line() -> None:
    command = [*LIKENESS, "identity", "import", "desk", "--pkcs12", "desk.p12", "--ask-password"]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True, check=False
    )
    assert ended.returncode == 2
    assert re.fullmatch(r"likeness: No password was given\. .*\n", ended.stderr)


def test_ctrl_c_at_the_password_prompt_interrupts(tmp_path: Path) -> None:
    """In a terminal of its own, as the prompt is read from there."""
    command = [*LIKENESS, "identity", "import", "desk", "--pkcs12", str(tmp_path / "desk.p12"), "--ask-password"]
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # background jobs inherit that it is ignored
        os.execv(sys.executable, command)
    shown = b""
    while b"Password" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    with suppress(OSError):  # the end of a terminal
        while block := os.read(terminal, 1000):
            shown += block
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130, shown
    assert b"interrupted" in shown
    assert b"Abort" not in shown
    assert b"Traceback" not in shown


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "Name one place of the key"),
        (("--key", "k", "--pkcs11"), "Name one place of the key"),
        (("--key", "k"), "Give --chain"),
        (("--pkcs12", "p", "--chain", "c"), "Give --chain"),
    ],
)
def test_import_wants_one_key_and_its_chain(options: tuple, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        _run("identity", "import", "desk", *options)


def test_key_on_a_token_that_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIKENESS_PKCS11_TOKEN", raising=False)
    (tmp_path / "chain.pem").write_bytes(key_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(CredentialError, match="set LIKENESS_PKCS11_TOKEN"):
        _run("identity", "import", "desk", "--pkcs11", "--chain", tmp_path / "chain.pem")


def test_revocation_list_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"garbage")
    with pytest.raises(CredentialError, match="no usable certificate revocation list"):
        _run("identity", "trust", "revoke", tmp_path / "list")
