"""Train the network that makes soft faces sharp.

    python -m training.people.film -o PEOPLE --groups 250
    LIKENESS_DATA=… python -m training.sharpen.train PEOPLE -o RUN [--minutes 20] [--resume]

L1 between the answer and the sharp face, and L1 between their differences of neighbouring pixels: the first keeps
colours, the second is what sharpness is. No adversary and nothing else that would rather see a plausible face than the
true one. AdamW, the rate falling along half a cosine over the time allowed; what is kept is the weights' moving
average. Interrupted, `--resume` goes on with the time left.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.files import atomic_write
from likeness.progress import progress
from training.parts.train import batches
from training.sharpen.data import SoftenSettings, load_crops, load_people, sharp_patch, softened
from training.sharpen.network import SharpenNetwork


@dataclass(frozen=True)
class TrainSettings:
    """``minutes`` of wall time in all; ``edges``: weight of the differences; ``averaging``: how much of the moving
    average is kept a step."""

    minutes: float = 20.0
    batch: int = 16
    portrait_share: float = 0.4
    edges: float = 2.0
    learning_rate: float = 1e-3
    warm_up: int = 40
    averaging: float = 0.995
    seed: int = 1
    report_every: int = 25
    save_every_s: float = 120.0


@dataclass
class State:
    """All that a stopped run needs to go on."""

    network: SharpenNetwork
    average: SharpenNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    spent_s: float = 0.0


def edge_loss(made: Tensor, true: Tensor) -> Tensor:
    """Mean |Δx(made) − Δx(true)| + |Δy(made) − Δy(true)| over float (n, 3, h, w)."""
    apart = made - true
    return apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean()


def train(run: Path, people: Path, data: Path, settings: TrainSettings, resume: bool) -> None:
    """Train into ``run``: ``network.pt``, overwritten as it goes, and ``log.csv``."""
    torch.manual_seed(settings.seed)
    cv2.setNumThreads(1)
    state = _begin(run / "network.pt", settings, resume)
    filmed, real, soft = load_people(people, for_evaluation=False)[0], load_crops(data, "train"), SoftenSettings()

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        source = real if rng.random() < settings.portrait_share else filmed
        sharp = np.ascontiguousarray(sharp_patch(source[rng.integers(len(source))], rng))
        return softened(sharp, rng, soft), sharp

    run.mkdir(parents=True, exist_ok=True)
    source = batches(draw, settings.batch, np.random.default_rng((settings.seed, state.step)))
    try:
        _until_the_end(run, state, source, settings)
    finally:
        _save(run / "network.pt", state, settings)


def _until_the_end(run: Path, state: State, source: Iterator[tuple[Tensor, ...]], settings: TrainSettings) -> None:
    """Steps until the time is spent; the log gets the mean losses every ``report_every`` steps: ours, and bicubic's."""
    before, begun, saved, seen = state.spent_s, time.monotonic(), time.monotonic(), list[tuple[float, float]]()
    with progress("Training the sharpener", settings.minutes * 60, "s") as job:
        job.advance(before)
        while state.spent_s < settings.minutes * 60:
            seen.append(one_step(state, next(source), settings))
            now = before + time.monotonic() - begun
            job.advance(now - state.spent_s)
            state.spent_s = now
            if state.step % settings.report_every == 0:
                ours, bicubic = np.mean(seen, axis=0)
                with (run / "log.csv").open("a") as log:
                    log.write(f"{state.step},{now:.0f},{ours:.5f},{bicubic:.5f}\n")
                job.note(f"step {state.step}, loss {ours:.5f}, of bicubic {bicubic:.5f}")
                seen.clear()
            if time.monotonic() - saved > settings.save_every_s:
                _save(run / "network.pt", state, settings)
                saved = time.monotonic()


def one_step(state: State, batch: tuple[Tensor, ...], settings: TrainSettings) -> tuple[float, float]:
    """One batch, one step of the optimizer; returns the loss, and that of bicubic enlargement."""
    soft, sharp = (images.permute(0, 3, 1, 2).float() / 255 for images in batch)
    share = state.spent_s / (settings.minutes * 60)
    rate = min(1.0, (state.step + 1) / settings.warm_up) * (0.5 * (1 + np.cos(np.pi * min(share, 1.0))) + 0.005)
    for group in state.optimizer.param_groups:
        group["lr"] = float(settings.learning_rate * rate)
    inputs = soft.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        residual = state.network.residual(inputs)
    enlarged = state.network.enlarged(soft)  # in full precision: an 8-bit mantissa is too coarse for colours
    made = enlarged + residual.float()
    loss = F.l1_loss(made, sharp) + settings.edges * edge_loss(made, sharp)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    keep = min(settings.averaging, (state.step + 1) / (state.step + 10))
    with torch.no_grad():
        for mean, parameter in zip(state.average.parameters(), state.network.parameters(), strict=True):
            mean.lerp_(parameter, 1 - keep)
        bicubic = F.l1_loss(enlarged, sharp) + settings.edges * edge_loss(enlarged, sharp)
    return float(loss.detach()), float(bicubic)


def _begin(path: Path, settings: TrainSettings, resume: bool) -> State:
    network, average = SharpenNetwork(), SharpenNetwork()
    average.load_state_dict(network.state_dict())
    for each in (network, average):
        each.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-4)
    state = State(network, average, optimizer)
    if resume and path.exists():
        stored = torch.load(path, weights_only=True)
        network.load_state_dict(stored["network"])
        average.load_state_dict(stored["average"])
        optimizer.load_state_dict(stored["optimizer"])
        state.step, state.spent_s = int(stored["step"]), float(stored["spent_s"])
    return state


def _save(path: Path, state: State, settings: TrainSettings) -> None:
    stored = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "spent_s": state.spent_s,
        "settings": asdict(settings),
    }
    with atomic_write(path) as temporary:
        torch.save(stored, temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path, help="a folder that training.people.film wrote")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    for setting in fields(TrainSettings):
        parser.add_argument(f"--{setting.name.replace('_', '-')}", type=type(setting.default), default=setting.default)
    arguments = vars(parser.parse_args())
    people, run, resume = (arguments.pop(name) for name in ("people", "out", "resume"))
    train(run, people, Path(os.environ["LIKENESS_DATA"]), TrainSettings(**arguments), resume)


if __name__ == "__main__":
    main()
