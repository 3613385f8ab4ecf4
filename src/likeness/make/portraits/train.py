"""Fit a portrait model: until the discriminator is at chance, or the budget is spent; then the generator is taken out.

First generator and discriminator are trained apart, as the founding texts have it, then against each other
(`training`). Apart they rebuild faces; a discriminator that is instead trained alone to tell made pictures from
photographs tells them at a glance, its loss is flat there and teaches the generator nothing (Arjovsky and Bottou 2017,
"Towards Principled Methods for Training Generative Adversarial Networks", theorem 2.4). What keeps the two in step
later are the zero-centred penalties (`losses`).
"""

import dataclasses
import math
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from likeness.errors import ModelError, SettingsError
from likeness.faces.faceset import TABLE, FaceSet
from likeness.faces.identity import Recogniser, recogniser
from likeness.make import consent
from likeness.make.compute import keep_freed_memory, pick_device
from likeness.make.consent import Consent
from likeness.make.model import HISTORY, PREVIEW, RESUME, WEIGHTS, installed_versions
from likeness.make.portraits.checkpoint import load_checkpoint, save_checkpoint
from likeness.make.portraits.data import Portraits, load_portraits
from likeness.make.portraits.directions import find_changes
from likeness.make.portraits.distance import distance
from likeness.make.portraits.history import ChanceSettings, is_at_chance, plot_history, write_history
from likeness.make.portraits.model import (
    CURVES,
    PortraitConfig,
    PortraitModel,
    read_config,
    write_config,
    write_weights,
)
from likeness.make.portraits.permission import permitted, save_records
from likeness.make.portraits.recipes import Recipe, Size, recipe_for
from likeness.make.portraits.sheet import portrait_sheet
from likeness.make.portraits.training import Losses, Training
from likeness.make.preview import write_sheet
from likeness.make.train import interruptible
from likeness.progress import Job, progress

Reason = Literal["chance", "budget", "interrupted"]

_NOTE_S = 1.0  # between two updates of the line beside the progress bar
_SHEET = 64  # faces on the preview


@dataclass(frozen=True)
class FitSettings:
    """How long and how to train.

    The budget is ``minutes`` (of this and earlier runs together) or ``iterations``; without either, training goes on
    until the discriminator is at chance. ``size`` is the side of the portraits in pixels. The model is saved every
    ``save_s`` seconds, the discriminator judged every ``evaluate_every`` iterations and the Fréchet distance measured
    every ``distance_every``, from ``compared`` made and held-out faces at most. ``measured`` faces are made in the end
    to find what changes their traits.
    """

    size: Size = 64
    minutes: float | None = None
    iterations: int | None = None
    resume: bool = False
    seed: int = 0
    save_s: float = 120.0
    evaluate_every: int = 100
    distance_every: int = 1000
    compared: int = 1000
    measured: int = 1500
    chance: ChanceSettings = field(default_factory=ChanceSettings)

    def __post_init__(self) -> None:
        if self.minutes is not None and self.iterations is not None:
            raise SettingsError("Give --minutes or --iterations, not both.")
        if (self.minutes is not None and not self.minutes > 0) or (self.iterations is not None and self.iterations < 1):
            raise SettingsError("The training budget must be more than nothing.")
        if self.evaluate_every < 1 or self.distance_every < 1:
            raise SettingsError("The intervals between evaluations must be at least 1 iteration.")


@dataclass(frozen=True)
class FitResult:
    """How training ended: ``iterations``, ``images`` shown and ``seconds`` in all, the discriminator's last accuracy,
    the least Fréchet ``distance`` seen, and why it stopped."""

    iterations: int
    images: int
    seconds: float
    accuracy: float | None
    distance: float | None
    reason: Reason
    advice: str


def fit(faces: Path, out: Path, consents: Sequence[Path], settings: FitSettings | None = None) -> FitResult:
    """Train on the face set ``faces`` into the model folder ``out``; ``consents`` are the records of all its people.

    Ctrl-C and SIGTERM save and end; ``resume`` then goes on. Raises ConsentError unless every source of the faces is
    covered for portraits, FaceSetError for too few faces, ModelError where ``out`` holds another model or none to
    resume, StorageError; the last checkpoint stays.
    """
    settings, out = settings or FitSettings(), Path(out)
    face_set, by = FaceSet.load(faces), recogniser()
    records = permitted({path: consent.load(path) for path in consents}, face_set, by)
    result = train_portraits(load_portraits(face_set, settings.size), records, out, settings, by=by)
    return dataclasses.replace(result, advice=f"{result.advice} {_resume_command(faces, out, consents, settings)}")


def train_portraits(
    portraits: Portraits,
    records: list[Consent],
    out: Path,
    settings: FitSettings,
    *,
    recipe: Recipe | None = None,
    by: Recogniser | None = None,
    on_distance: Callable[[Training], None] | None = None,
) -> FitResult:
    """Train on ``portraits`` that ``records`` allow; ``on_distance`` is called after each measured distance."""
    _check_output(out, portraits, settings)
    keep_freed_memory()
    device = pick_device()
    training = Training(recipe or recipe_for(settings.size, device), portraits, settings.seed, device)
    if settings.resume:
        training.progress = load_checkpoint(out, *_parts(training))
    save_records(out, records)
    with interruptible() as interrupt, progress("Fitting", settings.iterations, "iterations") as job:
        session = _Session(training, settings, out, job, by or recogniser(), on_distance)
        reason = session.run(interrupt)
    return session.finish(reason)


class _Session:
    """One run of the program: steps, judges and saves until there is a reason to stop."""

    def __init__(
        self,
        training: Training,
        settings: FitSettings,
        out: Path,
        job: Job,
        by: Recogniser,
        on_distance: Callable[[Training], None] | None,
    ) -> None:
        self.training, self.settings, self.out, self.job, self.by = training, settings, out, job, by
        self.state, self.on_distance = training.progress, on_distance
        self.saved_at = self.noted_at = self.clock = time.monotonic()
        self.losses = Losses(torch.zeros(()), torch.zeros(()))
        self.best: dict[str, Tensor] | None = None  # weights better than those on disk
        self.heldout = self._embedded(_evenly(portraits_of(training.portraits.heldout), settings.compared))
        job.advance(self.state.iteration)
        self._write_config()  # an output that cannot be written is found now, not after the first minutes

    def run(self, interrupt: Event) -> Reason:
        """Train, and return why it ended."""
        while (reason := self._reason_to_stop(interrupt)) is None:
            self.losses = self.training.step(self._done())
            now = time.monotonic()
            self.state.seconds, self.clock = self.state.seconds + now - self.clock, now
            if self.state.contest and self.state.iteration % self.settings.evaluate_every == 0:
                self._judge(measured=self.state.iteration % self.settings.distance_every == 0)
            if now - self.saved_at > self.settings.save_s:
                self._save()
            self._tell()
        if reason != "interrupted" and self.state.contest and not self._is_measured():
            self._judge(measured=True)
        self._save()
        return reason

    def finish(self, reason: Reason) -> FitResult:
        """Take the generator out: find what changes its faces, and say how it ended."""
        if reason != "interrupted":
            model = PortraitModel.load(self.out)
            changes = find_changes(model, self.settings.measured)
            write_weights(self.out / WEIGHTS, model.generator.state_dict(), changes)
        state = self.state
        accuracy = state.entries[-1].accuracy if state.entries else None
        said = {
            "chance": f"The discriminator is right in {accuracy or 0.5:.0%} of the pairs, which is chance: the "
            f"generator is ready after {state.iteration} iterations. To train more nevertheless:",
            "budget": f"Trained for {state.iteration} iterations. To go on with a larger budget:",
            "interrupted": f"Stopped and saved at iteration {state.iteration}. To go on:",
        }
        best = state.best if math.isfinite(state.best) else None
        return FitResult(state.iteration, state.images, state.seconds, accuracy, best, reason, said[reason])

    def _is_measured(self) -> bool:
        last = self.state.entries[-1:]
        return bool(last) and last[0].iteration == self.state.iteration and not math.isnan(last[0].distance)

    def _reason_to_stop(self, interrupt: Event) -> Reason | None:
        if interrupt.is_set():
            return "interrupted"
        if self._done() >= 1:
            return "budget"
        return "chance" if is_at_chance(self.state.entries, self.settings.chance) else None

    def _done(self) -> float:
        """The part of the budget that is spent, 0 where there is none."""
        if self.settings.iterations is not None:
            return self.state.iteration / self.settings.iterations
        return 0.0 if self.settings.minutes is None else self.state.seconds / (60 * self.settings.minutes)

    def _judge(self, measured: bool) -> None:
        """Judge the discriminator and, where ``measured``, the generator, whose best weights are kept."""
        entry = self.training.judge(self.losses, self._done())
        if not all(math.isfinite(value) for value in (entry.loss_generator, entry.loss_discriminator)):
            raise ModelError(
                f"Training broke down (loss no longer a number) at iteration {entry.iteration}. The model saved before "
                f"that is in {self.out}; go on from it with --resume."
            )
        if measured:
            apart = distance(self._embedded(self._made(self.settings.compared)), self.heldout)
            self.state.entries[-1] = dataclasses.replace(entry, distance=apart)
            if apart < self.state.best:
                self.state.best, self.best = apart, self.training.weights()
            if self.on_distance is not None:
                self.on_distance(self.training)
        self.clock = time.monotonic()  # judging is no training

    def _made(self, count: int) -> np.ndarray:
        random = torch.Generator().manual_seed(0)
        return self.training.pictures(torch.randn(count, self.training.recipe.network.latent, generator=random))

    def _embedded(self, pictures: np.ndarray) -> np.ndarray:
        return self.by.embed(pictures)

    def _tell(self) -> None:
        """Move the bar; beside it how the discriminator does."""
        self.job.advance()
        if self.clock - self.noted_at < _NOTE_S:
            return
        self.noted_at = self.clock
        notes = [f"{self.state.images / 1000:.0f} thousand faces, {self.state.seconds / 60:.1f} min"]
        if self.state.entries:
            last = self.state.entries[-1]
            notes.append(f"discriminator right {last.accuracy:.0%}, p {last.p:.2f}")
        if math.isfinite(self.state.best):
            notes.append(f"distance {self.state.best:.3f}")
        self.job.note(", ".join(notes))

    def _save(self) -> None:
        """Write everything: first what resuming needs, then what people look at."""
        save_checkpoint(self.out, self.state, *_parts(self.training))
        if self.best is not None or not (self.out / WEIGHTS).exists():
            write_weights(self.out / WEIGHTS, self.best or self.training.weights())
            self.best = None
        self._write_config()
        note = f"{self.state.images / 1000:.0f} thousand faces shown"
        write_sheet(self.out / PREVIEW, portrait_sheet(self._made(_SHEET), note))
        if self.state.entries:
            write_history(self.out / HISTORY, self.state.entries)
            plot_history(self.out / CURVES, self.state.entries)
        self.saved_at = self.clock = time.monotonic()

    def _write_config(self) -> None:
        portraits, state = self.training.portraits, self.state
        config = PortraitConfig(
            network=dataclasses.asdict(self.training.recipe.network),
            iterations=state.iteration,
            images=state.images,
            faces=len(portraits.learnt),
            sources=len(portraits.sources),
            digest=portraits.digest,
            distance=state.best if math.isfinite(state.best) else None,
            recogniser=self.by.name,
            versions=installed_versions(),
        )
        write_config(self.out, config)


def portraits_of(pictures: Tensor) -> np.ndarray:
    """uint8 (n, 3, s, s) as pictures (n, s, s, 3)."""
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).cpu().numpy())


def _parts(training: Training) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
    """What a checkpoint holds, by name."""
    networks: dict[str, nn.Module] = {
        "generator": training.generator,
        "discriminator": training.discriminator,
        "guess": training.guess,
        "averaged": training.averaged,
    }
    optimizers: dict[str, torch.optim.Optimizer] = {
        "improve_generator": training.improve_generator,
        "improve_discriminator": training.improve_discriminator,
        "improve_guess": training.improve_guess,
    }
    return networks, optimizers


def _evenly(pictures: np.ndarray, count: int) -> np.ndarray:
    return pictures[np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int)]


def _check_output(out: Path, portraits: Portraits, settings: FitSettings) -> None:
    """Raise ModelError where ``out`` is taken, or holds nothing to resume that learnt these faces at this size."""
    if settings.resume:
        previous = read_config(out)
        if previous.network_settings.size != settings.size:
            size = previous.network_settings.size
            raise ModelError(f"The model in {out} makes portraits of {size} px. Resume it with --size {size}.")
        if previous.digest != portraits.digest:
            raise ModelError(f"The model in {out} learnt other faces. Resume with its faces, or choose another folder.")
        return
    if (out / TABLE).exists():
        raise ModelError(f"{out} is a face set. Choose another folder for the model.")
    if (out / WEIGHTS).exists() or (out / RESUME).exists():
        raise ModelError(f"{out} already holds a model. Add --resume to go on with it, or choose another folder.")


def _resume_command(faces: Path, out: Path, consents: Sequence[Path], settings: FitSettings) -> str:
    """What to type to go on with the same budget, on which the learning rate depends."""
    words = ["likeness", "portrait", "fit", faces, "-o", out, "--size", settings.size, "--resume"]
    if settings.minutes is not None:
        words += ["--minutes", f"{settings.minutes:g}"]
    if settings.iterations is not None:
        words += ["--iterations", settings.iterations]
    for path in consents:
        words += ["--consent", path]
    return shlex.join(map(str, words))
