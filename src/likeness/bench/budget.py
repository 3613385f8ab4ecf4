"""A training whose budget is counted in processor time, so that figures do not depend on what else runs.

`likeness train` counts the clock on the wall, as people do; otherwise this trains as that does: the budget sets phases
and learning rate, and the weights that are kept are those that were best on held-out faces.
"""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from likeness.errors import ModelError, SettingsError
from likeness.make.checkpoint import load_checkpoint, save_checkpoint
from likeness.make.compute import prepare
from likeness.make.history import Entry, StopSettings, write_history
from likeness.make.model import (
    HISTORY,
    RESUME,
    WEIGHTS,
    ModelConfig,
    SwapModel,
    installed_versions,
    write_config,
    write_tensors,
)
from likeness.make.model_seal import seal
from likeness.make.recipes import Architecture
from likeness.make.train import interruptible
from likeness.make.training import Start, Training
from likeness.progress import progress

Clock = Literal["cpu", "wall"]

CLOCK_NAMES: dict[Clock, str] = {"cpu": "CPU", "wall": "wall-clock"}

_CLOCKS: dict[Clock, Callable[[], float]] = {"cpu": time.process_time, "wall": time.monotonic}
_FIRST_LOOK_S, _MOST_LOOKS = 2.0, 24  # at held-out faces, in one training
_SAVE_EVERY_S = 600.0  # on the wall; checkpoints of the larger networks are a gigabyte


@dataclass(frozen=True)
class Budget:
    """``minutes`` of steps, by the time of all threads of this process (``cpu``) or by the ``wall`` clock.

    Looking at held-out faces, scoring and saving do not count.
    """

    minutes: float
    clock: Clock = "cpu"

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise SettingsError("A training budget must be more than nothing. Give --minutes 2,10 for instance.")

    @property
    def seconds(self) -> float:
        return 60 * self.minutes

    def looks(self) -> list[float]:
        """When held-out faces are looked at: seconds, evenly on a logarithmic scale, the last at the end."""
        return np.geomspace(min(_FIRST_LOOK_S, self.seconds / 2), self.seconds, _MOST_LOOKS).tolist()


def train_within(
    training: Training,
    arch: Architecture,
    start: Start,
    folder: Path,
    budget: Budget,
    title: str = "Training",
    on_look: Callable[[Training], None] = lambda training: None,
) -> SwapModel:
    """Step ``training`` until ``budget`` is spent; returns the model that was best on held-out faces.

    ``folder`` then holds it with its history; a model that is finished there is returned at once. Interrupted
    (KeyboardInterrupt), the folder holds what the next call needs to go on. ``title`` stands beside the progress bar.
    ``on_look`` is called after each look at
    held-out faces, those of an earlier run left out. Raises StorageError, ModelError where the checkpoint is damaged or
    no weights were numbers.
    """
    if not is_trained(folder):
        _Session(training, arch, start, folder, budget).run(title, on_look)
    return SwapModel.load(folder)


def is_trained(folder: Path) -> bool:
    """Whether ``folder`` holds a model that has spent its budget."""
    return (folder / HISTORY).exists() and not (folder / RESUME).exists()


def config_of(training: Training, arch: Architecture, start: Start) -> ModelConfig:
    """What the model of ``training`` is, as it stands; ``start`` is what it began from."""
    best = training.progress.plateau.best
    return ModelConfig(
        arch=arch,
        size=training.recipe.size,
        coverage=training.recipe.coverage,
        iterations=training.progress.iteration,
        heldout_error=best if np.isfinite(best) else None,
        sides={side: faces.record for side, faces in training.faces.items()},
        versions=installed_versions(),
        start=start,
    )


def seconds_spent(folder: Path) -> float:
    """What the finished training in ``folder`` took of its clock, in seconds. Raises ModelError."""
    try:
        rows = list(csv.DictReader((folder / HISTORY).read_text(encoding="utf-8").splitlines()))
        return float(rows[-1]["seconds"])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelError(f"{folder / HISTORY} is missing or damaged. Delete {folder} and run again.") from error


class _Session:
    """One run of the program: steps, looks at held-out faces and saves until the budget is spent."""

    def __init__(self, training: Training, arch: Architecture, start: Start, folder: Path, budget: Budget) -> None:
        prepare(training.device)
        self.training, self.arch, self.start, self.folder, self.budget = training, arch, start, folder, budget
        if (folder / RESUME).exists():
            training.progress = load_checkpoint(folder, training.parts())
        self.state = training.progress
        self.best: dict[str, Tensor] | None = None  # weights better than those in the folder
        self.saved_at = time.monotonic()

    def run(self, title: str, on_look: Callable[[Training], None]) -> None:
        """Train to the end. Raises KeyboardInterrupt, with everything saved."""
        state, now = self.state, _CLOCKS[self.budget.clock]
        ahead = [look for look in self.budget.looks() if look > state.seconds]
        with interruptible() as interrupt, progress(title, self.budget.seconds, "s") as job:
            job.advance(state.seconds)
            while state.seconds < self.budget.seconds:
                before = now()
                losses = self.training.step(state.seconds / self.budget.seconds)
                took = now() - before
                state.seconds += took
                job.advance(took)
                if ahead and state.seconds >= ahead[0]:
                    ahead = [look for look in ahead if look > state.seconds]
                    self._look(float(losses.a), float(losses.b))
                    on_look(self.training)
                if interrupt.is_set():
                    self._save()
                    raise KeyboardInterrupt
                if time.monotonic() - self.saved_at > _SAVE_EVERY_S:
                    self._save()
        self._finish()

    def _look(self, loss_a: float, loss_b: float) -> None:
        """Judge held-out faces; keep the weights if they are the best so far."""
        rate = self.training.optimizer.param_groups[0]["lr"]
        errors = self.training.heldout_errors()
        entry = Entry(self.state.iteration, self.state.seconds, rate, loss_a, loss_b, *errors)
        self.state.entries.append(entry)
        if self.state.plateau.update(entry, StopSettings()):
            self.best = self.training.weights()

    def _save(self) -> None:
        save_checkpoint(self.folder, self.state, self.training.parts())
        self._save_best()
        self.saved_at = time.monotonic()

    def _save_best(self) -> None:
        if self.best is not None:
            write_tensors(self.folder / WEIGHTS, self.best)

    def _finish(self) -> None:
        """Write everything; the history, which is written last, says that it is all there and sealed."""
        self._save_best()
        if not (self.folder / WEIGHTS).exists():
            raise ModelError(f"The training into {self.folder} has come to no numbers. Delete it and use another seed.")
        write_config(self.folder, config_of(self.training, self.arch, self.start))
        seal(self.folder)
        write_history(self.folder / HISTORY, self.state.entries)
        (self.folder / RESUME).unlink(missing_ok=True)
