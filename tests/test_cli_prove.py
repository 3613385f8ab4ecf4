"""`mark` and `verify` as a user meets them: exit codes, JSON, plain lines."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from likeness.cli import main
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.credentials import read

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def likeness(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process: exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["likeness", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return (end.value.code if isinstance(end.value.code, int) else 0, *capfd.readouterr())

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(next(open_clip(footage().heldout.path).frames()).image).save(path)
    return path


def test_the_id_that_mark_prints_comes_back_from_verify(likeness: Run, picture: Path, tmp_path: Path) -> None:
    code, out, err = likeness("mark", picture, "-o", tmp_path / "marked.png", "--json", "-")
    assert code == 0, err
    made = json.loads(out)
    assert set(made) == {"file", "id"}
    assert re.fullmatch(r"[0-9a-f]{10}", made["id"])
    Image.open(made["file"]).convert("RGB").save(tmp_path / "sent.jpg", quality=70)
    code, out, err = likeness("verify", made["file"], tmp_path / "sent.jpg", "--json", "-")
    assert code == 0, err
    finished, sent = map(json.loads, out.splitlines())
    assert finished["watermark"] == finished["watermark"] | {"state": "found", "id": made["id"]}
    assert sent["watermark"]["id"] == sent["fingerprint"]["id"] == made["id"]
    assert (finished["credentials"]["recovered"], sent["credentials"]["recovered"]) == (False, True)
    assert sent["credentials"]["state"] == "trusted"
    assert finished["contradictions"] == sent["contradictions"] == []


def test_plain_output_names_every_layer_and_gives_no_verdict(likeness: Run, picture: Path, tmp_path: Path) -> None:
    code, out, _ = likeness("mark", picture, "-o", tmp_path / "marked.png")
    assert code == 0
    assert "recorded" in out
    code, out, _ = likeness("verify", tmp_path / "marked.png", picture)
    assert code == 0
    for layer in ("credentials", "watermark", "alterations", "fingerprint", "seconds", "contradictions", "not known"):
        assert out.count(f"  {layer}:") == 2
    said = out.replace("not whether that is true", "")
    assert not re.search(r"\b(authentic|genuine|real|verified|fake|true)\b", said, re.IGNORECASE)
    assert "\x1b[" not in out  # no colours, least of all red and green


def test_exit_code_is_0_whatever_is_found(likeness: Run, picture: Path) -> None:
    content = bytearray(picture.read_bytes())
    picture.write_bytes(content + b"\0" * 100)
    assert likeness("verify", picture)[0] == 0


def test_bad_input_is_one_line_each_and_the_rest_is_reported(likeness: Run, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    code, out, err = likeness("verify", "nowhere.png", picture, tmp_path / "empty.mp4", "--json", "-")
    assert code == 2
    assert len(out.splitlines()) == 1
    assert sum(line.startswith("likeness: ") for line in err.splitlines()) == 2
    assert "Traceback" not in err


def test_json_goes_to_a_file_and_never_over_the_evidence(likeness: Run, picture: Path, tmp_path: Path) -> None:
    before = picture.read_bytes()
    assert likeness("verify", picture, "--json", picture)[0] == 2
    assert picture.read_bytes() == before
    assert likeness("verify", picture, "--json", tmp_path / "found.json")[0] == 0
    mark = json.loads((tmp_path / "found.json").read_text())["watermark"]
    assert (mark["state"], mark["id"]) == ("absent", None)


@pytest.mark.parametrize("bad", ["nowhere", "itself", "suffix", "text"])
def test_mark_refuses_in_one_line(likeness: Run, picture: Path, tmp_path: Path, bad: str) -> None:
    (tmp_path / "notes.txt").write_text("words")
    source = {"nowhere": tmp_path / "nowhere.png", "text": tmp_path / "notes.txt"}.get(bad, picture)
    out = {"itself": picture, "suffix": tmp_path / "out.bmp"}.get(bad, tmp_path / "out.png")
    before = picture.read_bytes()
    code, _, err = likeness("mark", source, "-o", out)
    assert code == 2
    assert [line.startswith("likeness: ") for line in err.splitlines()] == [True]
    assert picture.read_bytes() == before
    assert out == picture or not out.exists()


def test_mark_signs_as_the_named_identity(likeness: Run, picture: Path, tmp_path: Path) -> None:
    assert likeness("identity", "new", "press")[0] == 0
    out = tmp_path / "marked.png"
    code, _, err = likeness("mark", picture, "-o", out, "--identity", "nobody")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "no identity “nobody”" in err
    assert not out.exists()
    code, said, err = likeness("mark", picture, "-o", out, "--identity", "press")
    assert code == 0, err
    assert "signed by press" in said
    assert read(out).signer == "press"


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (300, 15)])
def test_mark_refuses_what_is_too_small_for_a_mark(likeness: Run, tmp_path: Path, size: tuple[int, int]) -> None:
    tiny, out = tmp_path / "tiny.png", tmp_path / "out.png"
    Image.new("RGB", size, (90, 90, 90)).save(tiny)
    code, said, err = likeness("mark", tiny, "-o", out)
    assert (code, said, len(err.splitlines())) == (2, "", 1)
    assert "too few for a mark" in err
    assert not out.exists()


def test_mark_of_the_smallest_picture_warns_that_it_cannot_be_read(
    likeness: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny = tmp_path / "tiny.png"
    Image.new("RGB", (16, 16), (90, 90, 90)).save(tiny)
    code, out, err = likeness("mark", tiny, "-o", tmp_path / "out.png", "--json", "-")
    assert code == 0, err
    assert "cannot be read back" in caplog.text
    assert json.loads(out)["id"]


@pytest.mark.parametrize("verb", ["mark", "sign"])
def test_a_name_that_is_too_long_is_one_line(likeness: Run, picture: Path, tmp_path: Path, verb: str) -> None:
    for folder, length in ((tmp_path, 300), (tmp_path, 252), (tmp_path / "new", 300)):
        code, _, err = likeness(verb, picture, "-o", folder / ("n" * length + ".png"))
        assert (code, len(err.splitlines())) == (2, 1)
        assert "File name too long" in err
