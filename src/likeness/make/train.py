"""Train a face swap: A' = D_A(E(warp A)), B' = D_B(E(warp B)), until the budget is spent or held-out faces gain no
more."""

import math
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

import torch
from torch import Tensor

from likeness.errors import ModelError, SettingsError
from likeness.faces.faceset import TABLE
from likeness.make.batches import SplitSettings, load_faces
from likeness.make.checkpoint import load_checkpoint, save_checkpoint
from likeness.make.compute import keep_freed_memory, pick_device
from likeness.make.history import Entry, StopSettings, plot_history, write_history
from likeness.make.model import (
    CURVES,
    HISTORY,
    PREVIEW,
    RESUME,
    WEIGHTS,
    ModelConfig,
    installed_versions,
    read_config,
    write_config,
    write_tensors,
)
from likeness.make.preview import preview_sheet, write_sheet
from likeness.make.recipes import Architecture, recipe_for
from likeness.make.training import Training
from likeness.progress import Job, progress

_NOTE_S = 1.0  # between two updates of the line beside the progress bar


@dataclass(frozen=True)
class TrainSettings:
    """How long and how to train.

    The budget is ``minutes`` (of this and earlier runs together) or ``iterations``; without either, training goes on
    until held-out faces gain no more. ``batch`` counts faces a side, by default the recipe's. ``resume`` goes on with
    the model in the output folder. Checkpoint, curves and preview are written every ``save_s`` seconds, held-out faces
    judged every ``evaluate_every`` iterations.
    """

    arch: Architecture = "light"
    minutes: float | None = None
    iterations: int | None = None
    resume: bool = False
    stop_when_flat: bool = False
    batch: int | None = None
    seed: int = 0
    save_s: float = 60.0
    evaluate_every: int = 100
    split: SplitSettings = field(default_factory=SplitSettings)
    stop: StopSettings = field(default_factory=StopSettings)

    def __post_init__(self) -> None:
        if self.minutes is not None and self.iterations is not None:
            raise SettingsError("Give --minutes or --iterations, not both.")
        if (self.minutes is not None and not self.minutes > 0) or (self.iterations is not None and self.iterations < 1):
            raise SettingsError("The training budget must be more than nothing.")
        if (self.batch is not None and self.batch < 1) or self.evaluate_every < 1:
            raise SettingsError("The batch and the evaluation interval must be at least 1.")


Reason = Literal["budget", "flat", "interrupted"]


@dataclass(frozen=True)
class TrainResult:
    """How training ended: ``iterations`` and ``seconds`` in all, the best ``heldout_error``, and why it stopped."""

    iterations: int
    seconds: float
    heldout_error: float | None
    reason: Reason
    advice: str


def train(faces_a: Path, faces_b: Path, out: Path, settings: TrainSettings | None = None) -> TrainResult:
    """Train on two face sets into the model folder ``out``.

    Ctrl-C and SIGTERM save and end; ``resume`` then goes on as if nothing had been, to the last bit on a CPU with the
    same number of threads. The weights kept for swapping are those that were best on held-out faces. Raises
    FaceSetError for too few faces, ModelError where ``out`` holds another model or none to resume, StorageError; the
    last checkpoint stays.
    """
    settings, out = settings or TrainSettings(), Path(out)
    previous = _previous_model(out, settings)
    keep_freed_memory()
    recipe, device = recipe_for(settings.arch), pick_device()
    a, b = (load_faces(folder, recipe.crop, device, settings.split) for folder in (faces_a, faces_b))
    training = Training(recipe, a, b, settings.seed, settings.batch)
    if previous is not None:
        _check_same_people(out, previous, training)
        training.progress = load_checkpoint(out, training.network, training.averaged, training.optimizer)
    with interruptible() as interrupt, progress("Training", settings.iterations, "iterations") as job:
        session = _Session(training, settings, out, job)
        reason = session.run(interrupt)
    return session.result(reason, _resume_command(faces_a, faces_b, out, settings))


class _Session:
    """One run of the program: steps, judges and saves until there is a reason to stop."""

    def __init__(self, training: Training, settings: TrainSettings, out: Path, job: Job) -> None:
        self.training, self.settings, self.out, self.job = training, settings, out, job
        self.state = training.progress
        self.sums, self.summed = [torch.zeros((), device=training.device) for _ in range(2)], 0
        self.saved_at = self.noted_at = self.clock = time.monotonic()
        self.best: dict[str, Tensor] | None = None  # weights better than those on disk
        job.advance(self.state.iteration)
        self._write_config()  # an output that cannot be written is found now, not after the first minute

    def run(self, interrupt: threading.Event) -> Reason:
        """Train, and return why it ended."""
        while (reason := self._reason_to_stop(interrupt)) is None:
            losses = self.training.step(self._done())
            self.sums, self.summed = (
                [total + loss for total, loss in zip(self.sums, losses, strict=True)],
                self.summed + 1,
            )
            now = time.monotonic()
            self.state.seconds, self.clock = self.state.seconds + now - self.clock, now
            if self.state.iteration % self.settings.evaluate_every == 0:
                self._judge()
            if now - self.saved_at > self.settings.save_s:
                self._save()
            self._tell()
        if reason == "budget" and self.summed:
            self._judge()
        self._save()
        return reason

    def result(self, reason: Reason, resume: str) -> TrainResult:
        """What to tell the user of how it ended; ``resume`` is the command that goes on."""
        state = self.state
        error = state.plateau.best if math.isfinite(state.plateau.best) else None
        flat = _minutes(state.plateau.flat_s(state.seconds))
        said = {
            "budget": f"Trained for {state.iteration} iterations. To go on with a larger budget: {resume}",
            "flat": f"No gain on held-out faces for {flat}, so training has ended at iteration {state.iteration}.",
            "interrupted": f"Stopped and saved at iteration {state.iteration}. To go on: {resume}",
        }
        return TrainResult(state.iteration, state.seconds, error, reason, said[reason])

    def _reason_to_stop(self, interrupt: threading.Event) -> Reason | None:
        if interrupt.is_set():
            return "interrupted"
        if self._done() >= 1:
            return "budget"
        endless = self.settings.minutes is None and self.settings.iterations is None
        if (self.settings.stop_when_flat or endless) and self._is_flat():
            return "flat"
        return None

    def _done(self) -> float:
        """The part of the budget that is spent, 0 where there is none."""
        if self.settings.iterations is not None:
            return self.state.iteration / self.settings.iterations
        return 0.0 if self.settings.minutes is None else self.state.seconds / (60 * self.settings.minutes)

    def _is_flat(self) -> bool:
        return self.state.plateau.is_flat(self.state.seconds, self.settings.stop)

    def _judge(self) -> None:
        """Evaluate on held-out faces, extend the curve and keep the weights if they are the best."""
        loss_a, loss_b = (float(total) / self.summed for total in self.sums)
        self.sums, self.summed = [torch.zeros_like(total) for total in self.sums], 0
        rate = self.training.optimizer.param_groups[0]["lr"]
        errors = self.training.heldout_errors()
        entry = Entry(self.state.iteration, self.state.seconds, rate, loss_a, loss_b, *errors)
        self.state.entries.append(entry)
        if self.state.plateau.update(entry, self.settings.stop):
            self.best = self.training.weights()

    def _tell(self) -> None:
        """Move the bar; beside it the time left, the last losses and, in time, that it is enough."""
        self.job.advance()
        if self.clock - self.noted_at < _NOTE_S:
            return
        self.noted_at = self.clock
        notes = []
        if self.settings.minutes is not None:
            notes.append(f"{_minutes(60 * self.settings.minutes - self.state.seconds)} left")
        if self.state.entries:
            last = self.state.entries[-1]
            notes.append(
                f"loss {last.loss_a:.4f} {last.loss_b:.4f}, held out {last.heldout_a:.4f} {last.heldout_b:.4f}"
            )
        if self._is_flat():
            notes.append(
                f"no gain on held-out faces for {_minutes(self.state.plateau.flat_s(self.state.seconds))}: you can stop"
            )
        self.job.note(", ".join(notes))

    def _save(self) -> None:
        """Write everything: first what resuming needs, then what people look at. All of it or, on a full disk, none is
        replaced."""
        training, out = self.training, self.out
        save_checkpoint(out, self.state, training.network, training.averaged, training.optimizer)
        if self.best is not None or not (out / WEIGHTS).exists():
            write_tensors(out / WEIGHTS, self.best or training.weights())
            self.best = None
        self._write_config()
        note = f"{self.settings.arch}, iteration {self.state.iteration}, {_minutes(self.state.seconds)}"
        write_sheet(out / PREVIEW, preview_sheet(training.preview(), note))
        if self.state.entries:
            write_history(out / HISTORY, self.state.entries)
            plot_history(out / CURVES, self.state.entries)
        self.saved_at = time.monotonic()

    def _write_config(self) -> None:
        best = self.state.plateau.best
        recipe = self.training.recipe
        config = ModelConfig(
            arch=self.settings.arch,
            size=recipe.size,
            coverage=recipe.coverage,
            iterations=self.state.iteration,
            heldout_error=best if math.isfinite(best) else None,
            sides={side: faces.record for side, faces in self.training.faces.items()},
            versions=installed_versions(),
        )
        write_config(self.out, config)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets, so that the current step is finished; a second one ends at once."""
    interrupt = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # only the main thread receives signals
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        interrupt.set()
        restore()

    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield interrupt
    finally:
        restore()


def _resume_command(faces_a: Path, faces_b: Path, out: Path, settings: TrainSettings) -> str:
    """What to type to go on with the same budget, on which the learning rate depends."""
    words = ["likeness", "train", faces_a, faces_b, "-o", out, "--arch", settings.arch, "--resume"]
    if settings.minutes is not None:
        words += ["--minutes", f"{settings.minutes:g}"]
    if settings.iterations is not None:
        words += ["--iterations", settings.iterations]
    return shlex.join(map(str, words))


def _previous_model(out: Path, settings: TrainSettings) -> ModelConfig | None:
    """The model in ``out`` to go on with, or None where a new one begins. Raises ModelError where either cannot be."""
    if settings.resume:
        previous = read_config(out)
        if previous.arch != settings.arch:
            raise ModelError(f"The model in {out} is '{previous.arch}'. Resume it with --arch {previous.arch}.")
        return previous
    if (out / TABLE).exists():
        raise ModelError(f"{out} is a face set. Choose another folder for the model.")
    if (out / WEIGHTS).exists() or (out / RESUME).exists():
        raise ModelError(f"{out} already holds a model. Add --resume to go on with it, or choose another folder.")
    return None


def _check_same_people(out: Path, previous: ModelConfig, training: Training) -> None:
    """Raise ModelError unless the faces come from the footage that the model was trained on; sets may shrink."""
    for side, faces in training.faces.items():
        known = set(previous.sides[side].sources.values())
        if set(faces.record.sources.values()) != known:
            raise ModelError(
                f"The model in {out} learnt side {side.upper()} from other footage. "
                "Resume with its faces, or choose another folder."
            )


def _minutes(seconds: float) -> str:
    seconds = max(0, round(seconds))
    return f"{seconds // 60}:{seconds % 60:02d} min"
