"""Consent from the footage to the refusal, by the command line: the right record opens a model, nothing else does."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.cli import main
from likeness.footage import footage
from likeness.make import consent
from likeness.make.consent_face import BoundFace
from likeness.make.model import CONFIG
from likeness.make.model_seal import SEAL
from likeness.media.clip import open_clip
from likeness.media.frame import Frame
from likeness.media.writer import write_clip

pytestmark = pytest.mark.slow
SIZE, FRAMES = 192, 30

Run = Callable[..., str | None]


class _Camera:
    """Footage as a camera leaves it."""

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        return image

    def metadata(self) -> dict[str, str]:
        return {}

    def seal(self, path: Path, destination: Path) -> None:
        """Nothing to seal."""


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A verb of `likeness`: None where it does what was asked, else its one line of complaint."""

    def run(*arguments: object) -> str | None:
        monkeypatch.setattr(sys, "argv", ["likeness", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        complaints = [line for line in capfd.readouterr().err.splitlines() if line.startswith("likeness: ")]
        assert (end.value.code, len(complaints)) in ((0, 0), (None, 0), (2, 1))
        return complaints[0] if complaints else None

    return run


def _filmed(clip: Path, out: Path) -> Path:
    frames = [
        Frame(np.asarray(Image.fromarray(frame.image).resize((SIZE, SIZE))), index / 25, index)
        for index, (frame, _) in enumerate(zip(open_clip(clip).frames(2.0), range(FRAMES), strict=False))
    ]
    write_clip(out, frames, frame_rate=Fraction(25), sound=None, labelling=_Camera())
    return out


def test_the_right_record_opens_the_model_and_nothing_else_does(tmp_path: Path, run: Run) -> None:
    clips = {"a": _filmed(footage().actor_a.path, tmp_path / "a.mp4"),
             "b": _filmed(footage().actor_b.path, tmp_path / "b.mp4")}  # fmt: skip
    for side, clip in clips.items():
        assert run("extract", clip, "-o", tmp_path / f"faces_{side}") is None
        made = ("consent", "new", clip, "--person", side, "--purpose", "a test", "-o", tmp_path / f"{side}.json")
        assert run(*made) is None
        key = ("--key", tmp_path / f"{side}.pem")
        assert run("consent", "sign", tmp_path / f"{side}.json", *key, "--new-key") is None
    model = tmp_path / "model"
    assert run("train", tmp_path / "faces_a", tmp_path / "faces_b", "-o", model, "--iterations", 1) is None

    def swap(record: Path) -> str | None:
        out = tmp_path / "swapped.mp4"
        complaint = run("swap", clips["a"], "--model", model, "--consent", record, "-o", out)
        assert out.exists() == (complaint is None)
        out.unlink(missing_ok=True)
        return complaint

    assert "does not cover the footage" in str(swap(tmp_path / "a.json"))
    key_a, record_a = consent.load_key(tmp_path / "a.pem"), consent.load(tmp_path / "a.json")
    record_b = consent.load(tmp_path / "b.json")
    stolen = record_a.model_copy(update={"sources": record_b.sources})
    consent.save(consent.sign(stolen, key_a), tmp_path / "stolen.json")
    assert "for another face" in str(swap(tmp_path / "stolen.json")), "A signs for B's footage, but is A"
    assert record_b.face is not None
    foreign = BoundFace.of(record_b.face.vector, "another-1", 0.5)
    consent.save(consent.sign(record_b.model_copy(update={"face": foreign}), key_a), tmp_path / "foreign.json")
    assert "another recogniser" in str(swap(tmp_path / "foreign.json"))
    assert swap(tmp_path / "b.json") is None

    before = (model / CONFIG).read_text()
    stated = json.loads(before)
    stated["sides"]["b"]["face"] = record_a.face.vector.tolist() if record_a.face else None
    (model / CONFIG).write_text(json.dumps(stated))
    assert "changed after training" in str(swap(tmp_path / "stolen.json")), "the model says that B looks like A"
    (model / CONFIG).write_text(before)
    sealed = (model / SEAL).read_text()
    (model / SEAL).unlink()
    assert "has no seal" in str(swap(tmp_path / "b.json"))
    (model / SEAL).write_text(sealed)
    assert swap(tmp_path / "b.json") is None

    assert run("consent", "revoke", tmp_path / "b.json", "--key", tmp_path / "b.pem") is None
    assert "b withdrew this consent" in str(swap(tmp_path / "b.json"))
