"""Train the network that tells a face's parts apart.

    python -m training.people.film -o PEOPLE --groups 250
    LIKENESS_DATA=… python -m training.parts.train PEOPLE -o RUN [--minutes 25] [--resume]

Cross entropy against the share of each part in a pixel, where known. Interrupted, `--resume` goes on with the time
left.
"""

import argparse
import os
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.faces.parts import BACKGROUND, FACE, HAIR
from training.batches import batches
from training.parts.data import Sampler, SampleSettings, load_people, load_photos, load_real
from training.parts.network import PartsNetwork
from training.timed_training import STATE, TimedSettings, TimedTraining

_WEIGHTS = torch.tensor([0.7, 1.0, 1.1, 1.3, 0.7, 0.7])  # of the parts: the rare ones would be given up first


@dataclass(frozen=True)
class TrainSettings(TimedSettings):
    """The defaults for this network."""

    minutes: float = 25.0
    batch: int = 24
    learning_rate: float = 2e-3
    warm_up: int = 60


def loss_of(odds: Tensor, parts: Tensor) -> Tensor:
    """Weighted cross entropy of log-odds (n, 4, h, w) against shares (n, 6, h, w); the fifth is met by any mixture of
    background and hair, the sixth by any without an occluder; where all are 0, nothing is asked."""
    logs = F.log_softmax(odds, 1)
    either = torch.logaddexp(logs[:, BACKGROUND], logs[:, HAIR])
    none = torch.logaddexp(either, logs[:, FACE])
    answers = torch.cat([logs, either[:, None], none[:, None]], 1)
    return -(parts * _WEIGHTS[:, None, None] * answers).sum() / parts.sum().clamp_min(1)


def train(run: Path, people: Path, data: Path, settings: TrainSettings, resume: bool, start: Path | None) -> None:
    """Train into ``run``: ``network.pt``, overwritten as it goes, and ``log.csv``."""
    torch.manual_seed(settings.seed)
    cv2.setNumThreads(1)
    training = begun(settings)
    if resume:
        training.resume(run)
    if start is not None and training.step == 0:
        for network in (training.network, training.average):
            network.load_state_dict(torch.load(start / STATE, weights_only=True)["network"])
    sampler = Sampler(
        load_people(people, for_evaluation=False),
        load_real(data),
        load_photos(data, for_evaluation=False),
        SampleSettings(),
    )

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        sample = sampler.draw(rng)
        return sample.image, sample.parts

    source = batches(draw, settings.batch, np.random.default_rng((settings.seed, training.step)))
    training.run(run, "Training the parts", lambda: one_step(training, next(source)))


def begun(settings: TrainSettings) -> TimedTraining[PartsNetwork]:
    """A training that has made no step."""
    network, average = (PartsNetwork().to(memory_format=torch.channels_last) for _ in range(2))  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-3)
    return TimedTraining(network, average, optimizer, settings)


def one_step(training: TimedTraining[PartsNetwork], batch: tuple[Tensor, ...]) -> dict[str, float]:
    """Learn from one batch of crops uint8 (n, 128, 128, 3) and shares of the parts (n, 6, 128, 128)."""
    images, parts = batch
    inputs = (images.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        odds = training.network(inputs)
    loss = loss_of(odds.float(), parts)
    training.learn(loss)
    return {"loss": float(loss.detach())}


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
