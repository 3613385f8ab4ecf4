"""A training that lasts a given time, can be stopped at any moment and goes on with the time left.

AdamW, the rate falling along half a cosine over the time allowed; what is kept is the running mean of the weights.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from likeness.files import atomic_write
from likeness.progress import progress
from training.averaging import average, decay_at
from training.schedule import half_cosine, rise, set_learning_rate

STATE = "network.pt"

_LEAST_RATE = 0.005  # of the learning rate, at the end
_LONGEST_GRADIENT = 1.0

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class TimedSettings:
    """``minutes`` of wall time in all; ``averaging``: how much of the running mean is kept a step."""

    minutes: float
    batch: int
    learning_rate: float
    warm_up: int
    averaging: float = 0.995
    seed: int = 1
    report_every: int = 25
    save_every_s: float = 120.0


@dataclass
class TimedTraining(Generic[Network]):
    """All that a stopped run needs to go on: ``step`` steps were made, in ``spent_s`` seconds."""

    network: Network
    average: Network
    optimizer: torch.optim.Optimizer
    settings: TimedSettings
    step: int = 0
    spent_s: float = 0.0

    def learn(self, loss: Tensor) -> None:
        """One step of the optimizer down ``loss``."""
        settings = self.settings
        fall = half_cosine(self.spent_s / (settings.minutes * 60)) + _LEAST_RATE
        set_learning_rate(self.optimizer, settings.learning_rate * (rise(self.step, settings.warm_up) * fall))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_GRADIENT)
        self.optimizer.step()
        self.step += 1
        average(self.average, self.network, decay_at(self.step, settings.averaging))

    def run(self, folder: Path, title: str, one_step: Callable[[], dict[str, float]]) -> None:
        """Call ``one_step``, which learns and returns its losses by name, until the time is spent.

        ``folder`` gets network.pt, overwritten as it goes and when the run is stopped, and log.csv: step, seconds and
        the mean of each loss since the last line.
        """
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._until_the_end(folder, title, one_step)
        finally:
            self._save(folder)

    def _until_the_end(self, folder: Path, title: str, one_step: Callable[[], dict[str, float]]) -> None:
        before, begun, saved = self.spent_s, time.monotonic(), time.monotonic()
        seen = list[dict[str, float]]()
        with progress(title, self.settings.minutes * 60, "s") as job:
            job.advance(before)
            while self.spent_s < self.settings.minutes * 60:
                seen.append(one_step())
                now = before + time.monotonic() - begun
                job.advance(now - self.spent_s)
                self.spent_s = now
                if self.step % self.settings.report_every == 0:
                    means = {name: f"{np.mean([losses[name] for losses in seen]):.5f}" for name in seen[0]}
                    with (folder / "log.csv").open("a") as log:
                        log.write(",".join([str(self.step), f"{now:.0f}", *means.values()]) + "\n")
                    job.note(f"step {self.step}, " + ", ".join(f"{name} {mean}" for name, mean in means.items()))
                    seen.clear()
                if time.monotonic() - saved > self.settings.save_every_s:
                    self._save(folder)
                    saved = time.monotonic()

    def _save(self, folder: Path) -> None:
        stored = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
            "settings": asdict(self.settings),
        }
        with atomic_write(folder / STATE) as temporary:
            torch.save(stored, temporary)

    def resume(self, folder: Path) -> None:
        """Go on from what a run left in ``folder``; without one, from the start."""
        if not (folder / STATE).exists():
            return
        stored = torch.load(folder / STATE, weights_only=True)
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.step, self.spent_s = int(stored["step"]), float(stored["spent_s"])


def load_averaged(folder: Path, network: Network) -> Network:
    """``network`` with the running mean of the weights of the run in ``folder``, ready to use."""
    network.load_state_dict(torch.load(folder / STATE, weights_only=True)["average"])
    network.eval()
    return network
