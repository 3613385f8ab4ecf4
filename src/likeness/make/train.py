"""Train a face swap: rebuild A from warped A and B from warped B, until the budget is spent or held-out faces gain no
more."""

import math
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Literal

import torch
from torch import Tensor

from likeness.errors import ModelError, SettingsError
from likeness.faces.faceset import TABLE
from likeness.faces.identity import recogniser
from likeness.make.batches import Faces, SplitSettings, faces_of, open_faces
from likeness.make.checkpoint import Progress, load_checkpoint, save_checkpoint
from likeness.make.compute import pick_device, prepare
from likeness.make.history import Entry, StopSettings, plot_history, write_history
from likeness.make.memory import advice, check_fits, free_bytes, is_out_of_memory, need_of
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
from likeness.make.model_seal import is_intact, seal
from likeness.make.networks.autoencoder import Side
from likeness.make.parallel import group_of
from likeness.make.preview import preview_sheet, write_sheet
from likeness.make.recipes import Architecture, Recipe, recipe_for
from likeness.make.training import Losses, Start, StepSettings, Training
from likeness.make.whose import check_pair, look_at
from likeness.progress import Job, progress

_NOTE_S = 1.0  # between two updates of the line beside the progress bar


@dataclass(frozen=True)
class TrainSettings:
    """How long and how to train.

    ``arch`` and ``size`` choose the network (`recipe_for`), ``published`` its published widths; None is the
    architecture's own size or, resuming, the model's. The budget is ``minutes`` (of this and earlier runs together) or
    ``iterations``; without either, training goes on until held-out faces gain no more, and so it does within a budget
    with ``stop_when_flat``. ``resume`` goes on with the model in the output folder. ``batch`` counts faces a side, by
    default the recipe's, and ``accumulate`` so many batches make one step. ``start``: from weights that know "faces"
    where there are any, or from "noise". ``learning_rate`` replaces the recipe's. ``perceptual`` is a TorchScript file
    of feature maps for the perceptual loss (`losses.perceptual`), ``recogniser`` an ONNX file that knows people
    (`faces.identity`), both by default our own. ``gpus`` train together. Checkpoint, curves and preview are written
    every ``save_s`` seconds, held-out faces judged every ``evaluate_every`` iterations.
    """

    arch: Architecture = "flow"
    size: int | None = None
    published: bool = False
    minutes: float | None = None
    iterations: int | None = None
    resume: bool = False
    stop_when_flat: bool = False
    batch: int | None = None
    accumulate: int = 1
    start: Start = "faces"
    learning_rate: float | None = None
    perceptual: Path | None = None
    recogniser: Path | None = None
    gpus: int = 1
    seed: int = 0
    save_s: float = 60.0
    evaluate_every: int = 100
    split: SplitSettings = field(default_factory=SplitSettings)
    stop: StopSettings = field(default_factory=StopSettings)

    def __post_init__(self) -> None:
        if self.minutes is not None and self.iterations is not None:
            raise SettingsError("Give --minutes or --iterations, not both.")
        if (self.minutes is not None and not 0 < self.minutes < math.inf) or (
            self.iterations is not None and self.iterations < 1
        ):
            raise SettingsError("The training budget must be more than nothing, and a number.")
        if (self.batch is not None and self.batch < 1) or self.evaluate_every < 1:
            raise SettingsError("The batch and the evaluation interval must be at least 1.")
        if self.accumulate < 1 or self.gpus < 1:
            raise SettingsError("At least one batch makes a step, and at least one GPU or CPU trains.")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise SettingsError("The learning rate must be more than nothing, and a number.")
        if not 0 <= self.seed < 2**63:
            raise SettingsError("A seed is a whole number from 0 to 2^63 - 1. Choose another --seed.")
        recipe = recipe_for(self.arch, self.size, self.published)  # a size that it has not got is refused now
        if self.perceptual is not None and not recipe.uses("perceptual"):
            raise SettingsError(f"'{self.arch}' has no perceptual loss. Leave --perceptual out, or use --arch gan.")


Reason = Literal["budget", "flat", "interrupted"]


@dataclass(frozen=True)
class TrainResult:
    """How training ended: ``iterations`` and ``seconds`` in all, the best ``heldout_error``, and why it stopped."""

    iterations: int
    seconds: float
    heldout_error: float | None
    reason: Reason
    advice: str


OnSave = Callable[[Path, Progress], None]


def train(
    faces_a: Path, faces_b: Path, out: Path, settings: TrainSettings | None = None, on_save: OnSave | None = None
) -> TrainResult:
    """Train on two face sets into the model folder ``out``.

    Ctrl-C and SIGTERM save and end; ``resume`` then goes on as if nothing had been, to the last bit on a CPU with the
    same number of threads. The weights kept for swapping are those that were best on held-out faces. ``on_save`` is
    called after each time that the folder was brought up to date. Raises FaceSetError for too few faces or one
    person's twice, SettingsError where the memory does not do, ModelError where ``out`` holds another model or none to
    resume, or where training breaks down; StorageError. The last good checkpoint and weights always stay.
    """
    settings, out = settings or TrainSettings(), Path(out)
    previous = _previous_model(out, settings)
    if previous is not None:
        settings = replace(settings, size=previous.size, published=previous.published, start=previous.start)
    recipe = _recipe(settings)
    group = group_of(settings.gpus)
    device = group.device or pick_device()
    prepare(device)
    faces = _checked_faces(faces_a, faces_b, recipe, device, settings, previous)
    step = StepSettings(settings.batch, settings.accumulate, settings.start, settings.perceptual)
    training = Training(recipe, faces["a"], faces["b"], settings.seed, step, group)
    if previous is not None:
        _check_same_people(out, previous, training)
        training.progress = load_checkpoint(out, training.parts())
    with interruptible() as interrupt, progress("Training", settings.iterations, "iterations") as job:
        session = _Session(training, settings, out, job, on_save)
        reason = session.run(interrupt)
    return session.result(reason, _resume_command(faces_a, faces_b, out, settings))


def _recipe(settings: TrainSettings) -> Recipe:
    recipe = recipe_for(settings.arch, settings.size, settings.published)
    return recipe if settings.learning_rate is None else replace(recipe, learning_rate=settings.learning_rate)


def _checked_faces(
    faces_a: Path,
    faces_b: Path,
    recipe: Recipe,
    device: torch.device,
    settings: TrainSettings,
    previous: ModelConfig | None,
) -> dict[Side, Faces]:
    """Both sides' faces in memory, after looking whose they are and whether there is room for them."""
    opened = [open_faces(folder) for folder in (faces_a, faces_b)]
    need = need_of(recipe, sum(map(len, opened)), device)
    name = f"'{settings.arch}' at {recipe.size} px"
    check_fits(need, settings.batch or recipe.batch, free_bytes(device), name)
    recognise = recogniser(settings.recogniser)
    known = [look_at(faces, recognise) for faces in opened]
    if previous is None:
        check_pair(*known)
    loaded: dict[Side, Faces] = {}
    sides: tuple[Side, ...] = ("a", "b")
    for side, faces, seen in zip(sides, opened, known, strict=True):
        own = faces_of(faces, recipe.crop, device, settings.split)
        face = {"face": seen.mean.tolist(), "recogniser": recognise.name}
        loaded[side] = replace(own, record=own.record.model_copy(update=face))
    return loaded


class _Session:
    """One run of the program: steps, judges and saves until there is a reason to stop."""

    def __init__(
        self, training: Training, settings: TrainSettings, out: Path, job: Job, on_save: OnSave | None = None
    ) -> None:
        self.training, self.settings, self.out, self.job, self.on_save = training, settings, out, job, on_save
        self.state = training.progress
        self.is_first = training.group.rank == 0  # of the processes that train together; it keeps clock and files
        self.sums: dict[str, tuple[Tensor, int]] = {}  # of the losses since the last judgement, and how many
        self.broken_at = torch.full((), -1, device=training.device)  # the iteration whose loss was no number
        self.saved_at = self.noted_at = self.clock = time.monotonic()
        self.best: dict[str, Tensor] | None = None  # weights better than those on disk
        job.advance(self.state.iteration)
        if self.is_first:
            self._begin()

    def run(self, interrupt: threading.Event) -> Reason:
        """Train, and return why it ended."""
        while (reason := self._reason_to_stop(interrupt)) is None:
            self._add(self._step())
            now = time.monotonic()
            self.state.seconds, self.clock = self.state.seconds + now - self.clock, now
            if self.training.device.type == "cpu":
                self._check_losses()
            if self.state.iteration % self.settings.evaluate_every == 0:
                self._judge()
            if now - self.saved_at > self.settings.save_s:
                self._save()
            self._tell()
        if reason == "budget" and self.sums:
            self._judge()
        self._save()
        return reason

    def _step(self) -> Losses:
        """One iteration. Raises SettingsError with the batch that fits, where memory runs out."""
        try:
            return self.training.step(self._done())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            batch = self.training.batch
            raise SettingsError(
                f"Memory ran out at iteration {self.state.iteration + 1} with {batch} faces a side. "
                f"{advice(batch, batch // 2)} {self._what_is_kept()}"
            ) from error

    def _add(self, losses: Losses) -> None:
        """Add up the losses until the next judgement, and note the first that is no number, without waiting for it."""
        total = losses.a + losses.b
        for name, loss in losses._asdict().items():
            if loss is not None:
                added, count = self.sums.get(name, (torch.zeros_like(loss), 0))
                self.sums[name] = (added + loss, count + 1)
        failed = (self.broken_at < 0) & ~total.isfinite()
        self.broken_at = torch.where(failed, self.state.iteration, self.broken_at)

    def _check_losses(self) -> None:
        """Raise ModelError where a loss was no number."""
        iteration = int(self.broken_at)
        if iteration >= 0:
            raise ModelError(self._breakdown(f"the loss of iteration {iteration} is not a number"))

    def _breakdown(self, what: str) -> str:
        rate = self.training.recipe.learning_rate / 2
        return f"Training broke down: {what}. {self._what_is_kept()} Try --learning-rate {rate:g}."

    def _what_is_kept(self) -> str:
        """Which state a resumed training would go on from."""
        if (self.out / RESUME).exists():
            return f"The last good model stays in {self.out}; --resume goes on from it."
        return "Nothing had been saved yet."

    def result(self, reason: Reason, resume: str) -> TrainResult:
        """What to tell the user of how it ended; ``resume`` is the command that goes on."""
        state = self.state
        error = state.plateau.best if math.isfinite(state.plateau.best) else None
        flat = _minutes(state.plateau.flat_s(state.seconds))
        said = {
            "budget": f"Trained for {state.iteration} iterations. To go on, raise the budget in: {resume}",
            "flat": f"No gain on held-out faces for {flat}, so training has ended at iteration {state.iteration}.",
            "interrupted": f"Stopped and saved at iteration {state.iteration}. To go on: {resume}",
        }
        return TrainResult(state.iteration, state.seconds, error, reason, said[reason])

    def _reason_to_stop(self, interrupt: threading.Event) -> Reason | None:
        reasons: list[Reason | None] = [None, "interrupted", "budget", "flat"]
        own = reasons.index(self._own_reason(interrupt))
        return reasons[int(self.training.group.agree(own))]  # as the first process says, so that all end together

    def _own_reason(self, interrupt: threading.Event) -> Reason | None:
        if interrupt.is_set():
            return "interrupted"
        if (self._own_done() or 0.0) >= 1:
            return "budget"
        endless = self.settings.minutes is None and self.settings.iterations is None
        if (self.settings.stop_when_flat or endless) and self._is_flat():
            return "flat"
        return None

    def _done(self) -> float | None:
        """The part of the budget that is spent by the first process's clock, None where there is no budget."""
        own = self._own_done()
        return None if own is None else self.training.group.agree(own)

    def _own_done(self) -> float | None:
        if self.settings.iterations is not None:
            return self.state.iteration / self.settings.iterations
        return None if self.settings.minutes is None else self.state.seconds / (60 * self.settings.minutes)

    def _is_flat(self) -> bool:
        return self.state.plateau.is_flat(self.state.seconds, self.settings.stop)

    def _judge(self) -> None:
        """Evaluate on held-out faces, extend the curve and keep the weights if they are the best."""
        self._check_losses()
        mean = {name: float(total) / count for name, (total, count) in self.sums.items()}
        self.sums = {}
        rate = self.training.optimizer.param_groups[0]["lr"]
        errors = self.training.heldout_errors()
        critic = (mean.get("critic"), mean.get("accuracy"))
        entry = Entry(self.state.iteration, self.state.seconds, rate, mean["a"], mean["b"], *errors, *critic)
        self.state.entries.append(entry)
        if self.state.plateau.update(entry, self.settings.stop):
            self.best = self.training.weights()

    def _tell(self) -> None:
        """Move the bar; beside it the time left, the last losses and, in time, that it is enough."""
        self.job.advance()
        if self.clock - self.noted_at < _NOTE_S:
            return
        self.noted_at = self.clock
        self._check_losses()
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
        self._check_losses()
        if not training.is_finite():
            raise ModelError(self._breakdown(f"at iteration {self.state.iteration} a weight is not a number"))
        self.saved_at = time.monotonic()
        if not self.is_first:
            return
        save_checkpoint(out, self.state, training.parts())
        if self.best is not None or not (out / WEIGHTS).exists():
            write_tensors(out / WEIGHTS, self.best or training.weights())
            self.best = None
        self._write_config()
        seal(out)
        note = f"{self.settings.arch}, iteration {self.state.iteration}, {_minutes(self.state.seconds)}"
        write_sheet(out / PREVIEW, preview_sheet(training.preview(), note))
        if self.state.entries:
            write_history(out / HISTORY, self.state.entries)
            plot_history(out / CURVES, self.state.entries)
        if self.on_save is not None:
            before = time.monotonic()
            self.on_save(out, self.state)
            self.clock += time.monotonic() - before  # looking on takes nothing of the training's time
        self.saved_at = time.monotonic()

    def _begin(self) -> None:
        """Bring the folder to where the training stands; an output that cannot be written is found now, not after the
        first minute. Weights that are not those that were saved here are replaced at the next save."""
        intact = is_intact(self.out) if (self.out / WEIGHTS).exists() else None
        self._write_config()
        if intact:
            seal(self.out)
        elif intact is not None:
            self.best = self.training.weights()

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
            published=self.settings.published,
            start=self.settings.start,
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
    """What to type to go on as before, with the same budget, on which learning rate and phases depend."""
    words: list[object] = ["likeness", "train", faces_a, faces_b, "-o", out, "--arch", settings.arch, "--resume"]
    if settings.minutes is not None:
        words += ["--minutes", f"{settings.minutes:g}"]
    changed = ("iterations", "batch", "accumulate", "learning_rate", "perceptual", "recogniser", "gpus")
    for name in changed:
        value, usual = getattr(settings, name), TrainSettings.__dataclass_fields__[name].default
        if value != usual:
            words += [f"--{name.replace('_', '-')}", value]
    if settings.stop_when_flat:
        words.append("--until-flat")
    return shlex.join(map(str, words))


def _previous_model(out: Path, settings: TrainSettings) -> ModelConfig | None:
    """The model in ``out`` to go on with, or None where a new one begins. Raises ModelError where either cannot be."""
    if settings.resume:
        previous = read_config(out)
        if previous.arch != settings.arch:
            raise ModelError(f"The model in {out} is '{previous.arch}'. Resume it with --arch {previous.arch}.")
        if settings.size not in (None, previous.size):
            raise ModelError(f"The model in {out} makes {previous.size} px. Resume it with --size {previous.size}.")
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
