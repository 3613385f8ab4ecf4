"""Train the network that tells a face's parts apart.

    python -m training.people.film -o PEOPLE --groups 250
    LIKENESS_DATA=… python -m training.parts.train PEOPLE -o RUN [--minutes 25] [--resume]

Cross entropy against the share of each part in a pixel, where known; AdamW, the rate falling along half a cosine over
the time allowed; what is kept is the weights' moving average. Interrupted, `--resume` goes on with the time left.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.faces.parts import BACKGROUND, FACE, HAIR
from likeness.files import atomic_write
from likeness.progress import progress
from training.parts.data import Sampler, SampleSettings, load_people, load_photos, load_real
from training.parts.network import PartsNetwork

_WEIGHTS = torch.tensor([0.7, 1.0, 1.1, 1.3, 0.7, 0.7])  # of the parts: the rare ones would be given up first


@dataclass(frozen=True)
class TrainSettings:
    """``minutes`` of wall time in all; ``averaging``: how much of the moving average is kept a step."""

    minutes: float = 25.0
    batch: int = 24
    learning_rate: float = 2e-3
    warm_up: int = 60
    averaging: float = 0.995
    seed: int = 1
    report_every: int = 25
    save_every_s: float = 120.0


@dataclass
class State:
    """All that a stopped run needs to go on."""

    network: PartsNetwork
    average: PartsNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    spent_s: float = 0.0


def loss_of(odds: Tensor, parts: Tensor) -> Tensor:
    """Weighted cross entropy of log-odds (n, 4, h, w) against shares (n, 6, h, w); the fifth is met by any mixture of
    background and hair, the sixth by any without an occluder; where all are 0, nothing is asked."""
    logs = F.log_softmax(odds, 1)
    either = torch.logaddexp(logs[:, BACKGROUND], logs[:, HAIR])
    none = torch.logaddexp(either, logs[:, FACE])
    answers = torch.cat([logs, either[:, None], none[:, None]], 1)
    return -(parts * _WEIGHTS[:, None, None] * answers).sum() / parts.sum().clamp_min(1)


def batches(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, ...]], count: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, ...]]:
    """Batches of ``count`` drawn samples for ever, each made in a thread while the last is learned from."""

    def one() -> tuple[Tensor, ...]:
        drawn = [draw(rng) for _ in range(count)]
        return tuple(torch.from_numpy(np.stack(column)) for column in zip(*drawn, strict=True))

    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(one)
        while True:
            ready = coming.result()
            coming = maker.submit(one)
            yield ready


def train(run: Path, people: Path, data: Path, settings: TrainSettings, resume: bool, start: Path | None) -> None:
    """Train into ``run``: ``network.pt``, overwritten as it goes, and ``log.csv``."""
    torch.manual_seed(settings.seed)
    cv2.setNumThreads(1)
    state = _begin(run / "network.pt", settings, resume)
    if start is not None and state.step == 0:
        for network in (state.network, state.average):
            network.load_state_dict(torch.load(start / "network.pt", weights_only=True)["network"])
    sampler = Sampler(
        load_people(people, for_evaluation=False),
        load_real(data),
        load_photos(data, for_evaluation=False),
        SampleSettings(),
    )

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        sample = sampler.draw(rng)
        return sample.image, sample.parts

    run.mkdir(parents=True, exist_ok=True)
    source = batches(draw, settings.batch, np.random.default_rng((settings.seed, state.step)))
    try:
        _until_the_end(run, state, source, settings)
    finally:
        _save(run / "network.pt", state, settings)


def _until_the_end(run: Path, state: State, source: Iterator[tuple[Tensor, ...]], settings: TrainSettings) -> None:
    """Steps until the time is spent; the log gets the mean loss every ``report_every`` steps."""
    before, begun, saved, seen = state.spent_s, time.monotonic(), time.monotonic(), list[float]()
    with progress("Training the parts", settings.minutes * 60, "s") as job:
        job.advance(before)
        while state.spent_s < settings.minutes * 60:
            seen.append(one_step(state, next(source), settings))
            now = before + time.monotonic() - begun
            job.advance(now - state.spent_s)
            state.spent_s = now
            if state.step % settings.report_every == 0:
                with (run / "log.csv").open("a") as log:
                    log.write(f"{state.step},{now:.0f},{np.mean(seen):.4f}\n")
                job.note(f"step {state.step}, loss {np.mean(seen):.4f}")
                seen.clear()
            if time.monotonic() - saved > settings.save_every_s:
                _save(run / "network.pt", state, settings)
                saved = time.monotonic()


def one_step(state: State, batch: tuple[Tensor, ...], settings: TrainSettings) -> float:
    """One batch, one step of the optimizer; returns the loss."""
    images, parts = batch
    share = state.spent_s / (settings.minutes * 60)
    rate = min(1.0, (state.step + 1) / settings.warm_up) * (0.5 * (1 + np.cos(np.pi * min(share, 1.0))) + 0.005)
    for group in state.optimizer.param_groups:
        group["lr"] = float(settings.learning_rate * rate)
    inputs = (images.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        odds = state.network(inputs)
    loss = loss_of(odds.float(), parts)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    keep = min(settings.averaging, (state.step + 1) / (state.step + 10))
    with torch.no_grad():
        for mean, parameter in zip(state.average.parameters(), state.network.parameters(), strict=True):
            mean.lerp_(parameter, 1 - keep)
    return float(loss.detach())


def _begin(path: Path, settings: TrainSettings, resume: bool) -> State:
    network, average = (PartsNetwork().to(memory_format=torch.channels_last) for _ in range(2))  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-3)
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
    parser.add_argument("--start-from", type=Path, help="a run whose network is the start")
    parser.add_argument("--resume", action="store_true")
    for setting in fields(TrainSettings):
        parser.add_argument(f"--{setting.name.replace('_', '-')}", type=type(setting.default), default=setting.default)
    arguments = vars(parser.parse_args())
    people, run, resume, start = (arguments.pop(name) for name in ("people", "out", "resume", "start_from"))
    train(run, people, Path(os.environ["LIKENESS_DATA"]), TrainSettings(**arguments), resume, start)


if __name__ == "__main__":
    main()
