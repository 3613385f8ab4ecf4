"""The whole story on the shipped footage: two synthetic people exchange faces, and the result says what it is."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.bench.swap_quality import SwapScore, score_swap
from likeness.check.examine import check_file
from likeness.check.html import write_html
from likeness.check.report import Report
from likeness.errors import SettingsError
from likeness.faces.extract import extract
from likeness.files import atomic_write, write_text
from likeness.footage import Footage, footage
from likeness.make.model import PREVIEW, RESUME, read_config
from likeness.make.swap import SwapSettings, swap_clip
from likeness.make.train import TrainSettings, train
from likeness.media.clip import open_clip
from likeness.prove.verification import Verification
from likeness.prove.verify import verify

_PREVIEW_COLUMNS = 5
_CAPTION_HEIGHT = 28  # px
_LONGEST_TRAINING_MIN = 24 * 60


@dataclass(frozen=True)
class DemoSettings:
    """``minutes`` of training; the rest takes about two more on two cores."""

    minutes: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= _LONGEST_TRAINING_MIN:
            raise SettingsError(f"The demo trains for more than 0 and up to {_LONGEST_TRAINING_MIN} minutes.")


@dataclass(frozen=True)
class DemoFiles:
    """What the demo writes into its folder ``out``."""

    out: Path

    @property
    def swapped(self) -> Path:
        return self.out / "swapped.mp4"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def report_json(self) -> Path:
        return self.out / "report.json"

    @property
    def verification(self) -> Path:
        return self.out / "verify.json"

    @property
    def score(self) -> Path:
        return self.out / "score.json"

    @property
    def preview(self) -> Path:
        return self.out / "preview.png"

    @property
    def model(self) -> Path:
        return self.out / "model"


def run_demo(out: Path, settings: DemoSettings | None = None) -> str:
    """Extract, train, swap, score, check, verify into ``out``; returns what to tell the user, the paths to open last.

    Interrupted, it goes on where it stopped when it is run again. Raises StorageError.
    """
    settings = settings or DemoSettings()
    started = time.monotonic()
    clips, files = footage(), DemoFiles(Path(out))
    faces_a, faces_b = files.out / "faces_a", files.out / "faces_b"
    for clip, faces in ((clips.actor_a, faces_a), (clips.actor_b, faces_b)):
        extract([clip.path], faces)
    begun = (files.model / RESUME).exists()
    arch = read_config(files.model).arch if begun else TrainSettings.arch  # of an earlier version, go on with that
    training = TrainSettings(arch=arch, minutes=settings.minutes, resume=begun)
    if train(faces_a, faces_b, files.model, training).reason == "interrupted":
        raise KeyboardInterrupt  # the trainer has saved; the demo ends as it does on Ctrl-C anywhere else
    swap_clip(clips.heldout.path, files.model, clips.consent_b, files.swapped, SwapSettings())
    score = score_swap(files.swapped, clips.answer.path, clips.heldout.path, clips.actor_b.path, clips.answer.truth)
    write_text(files.score, score.model_dump_json(indent=2) + "\n")
    reports = [check_file(files.swapped), check_file(clips.heldout.path)]
    write_html(reports, files.report)
    write_text(files.report_json, json.dumps([report.record() for report in reports], indent=2) + "\n")
    verified = verify(files.swapped)
    write_text(files.verification, verified.model_dump_json(indent=2) + "\n")
    write_preview(clips, files)
    return summary(files, score, reports, verified, time.monotonic() - started)


def summary(files: DemoFiles, score: SwapScore, reports: list[Report], verified: Verification, seconds: float) -> str:
    """The demo's last words: the score, the verdicts, what the swap says of itself, and the paths to open."""
    verdicts = [f"{Path(report.file).name}: {report.verdict}. {report.reason}" for report in reports]
    views = (files.preview, files.report, files.model / PREVIEW)
    paths = (files.swapped, *views, files.report_json, files.verification, files.score)
    return "\n".join(
        [
            "",
            score.table(),
            "",
            *verdicts,
            "",
            *verified.lines(),
            "",
            f"Done in {seconds / 60:.1f} minutes. Open:",
            *(f"  {p}" for p in paths),
        ]
    )


def write_preview(clips: Footage, files: DemoFiles) -> None:
    """A contact sheet: the held-out performance, the swap, and the true answer, at five times."""
    rows = {
        "A's performance": clips.heldout.path,
        "swapped: B's face, AI-generated": files.swapped,
        "the true answer: B gives that performance": clips.answer.path,
    }
    strips = [_strip(caption, path) for caption, path in rows.items()]
    with atomic_write(files.preview) as temporary:
        Image.fromarray(np.vstack(strips)).save(temporary)


def _strip(caption: str, path: Path) -> np.ndarray:
    """Five frames of ``path`` side by side under ``caption``: uint8 (height, width, 3)."""
    clip = open_clip(path)
    times = [(i + 0.5) * clip.duration_s / _PREVIEW_COLUMNS for i in range(_PREVIEW_COLUMNS)]
    frames = np.hstack([next(clip.frames(time)).image for time in times])
    head = Image.new("RGB", (frames.shape[1], _CAPTION_HEIGHT), "white")
    ImageDraw.Draw(head).text((8, 5), caption, fill="black", font=ImageFont.load_default(16))
    return np.vstack([np.asarray(head), frames])
