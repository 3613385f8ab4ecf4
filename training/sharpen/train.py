"""Train the network that makes soft faces sharp.

    python -m training.people.film -o PEOPLE --groups 250
    LIKENESS_DATA=… python -m training.sharpen.train PEOPLE -o RUN [--minutes 20] [--resume]

L1 between the answer and the sharp face, and L1 between their differences of neighbouring pixels: the first keeps
colours, the second is what sharpness is. No adversary and nothing else that would rather see a plausible face than the
true one. Interrupted, `--resume` goes on with the time left.
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

from training.batches import batches
from training.sharpen.data import SoftenSettings, load_crops, load_people, sharp_patch, softened
from training.sharpen.network import SharpenNetwork
from training.timed_training import TimedSettings, TimedTraining


@dataclass(frozen=True)
class TrainSettings(TimedSettings):
    """``portrait_share``: of the patches, the others are filmed; ``edges``: weight of the differences."""

    minutes: float = 20.0
    batch: int = 16
    learning_rate: float = 1e-3
    warm_up: int = 40
    portrait_share: float = 0.4
    edges: float = 2.0


def edge_loss(made: Tensor, true: Tensor) -> Tensor:
    """Mean |Δx(made) − Δx(true)| + |Δy(made) − Δy(true)| over float (n, 3, h, w)."""
    apart = made - true
    return apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean()


def train(run: Path, people: Path, data: Path, settings: TrainSettings, resume: bool) -> None:
    """Train into ``run``: ``network.pt``, overwritten as it goes, and ``log.csv``, which has our loss and bicubic's."""
    torch.manual_seed(settings.seed)
    cv2.setNumThreads(1)
    training = begun(settings)
    if resume:
        training.resume(run)
    filmed, real, soft = load_people(people, for_evaluation=False)[0], load_crops(data, "train"), SoftenSettings()

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        source = real if rng.random() < settings.portrait_share else filmed
        sharp = np.ascontiguousarray(sharp_patch(source[rng.integers(len(source))], rng))
        return softened(sharp, rng, soft), sharp

    source = batches(draw, settings.batch, np.random.default_rng((settings.seed, training.step)))
    training.run(run, "Training the sharpener", lambda: one_step(training, next(source), settings.edges))


def begun(settings: TrainSettings) -> TimedTraining[SharpenNetwork]:
    """A training that has made no step."""
    network, average = SharpenNetwork(), SharpenNetwork()
    average.load_state_dict(network.state_dict())
    for each in (network, average):
        each.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-4)
    return TimedTraining(network, average, optimizer, settings)


def one_step(training: TimedTraining[SharpenNetwork], batch: tuple[Tensor, ...], edges: float) -> dict[str, float]:
    """Learn from one batch of soft and sharp patches, uint8 (n, h, w, 3) and (n, 2h, 2w, 3)."""
    soft, sharp = (images.permute(0, 3, 1, 2).float() / 255 for images in batch)
    inputs = soft.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        residual = training.network.residual(inputs)
    enlarged = training.network.enlarged(soft)  # in full precision: an 8-bit mantissa is too coarse for colours
    made = enlarged + residual.float()
    loss, bicubic = (F.l1_loss(image, sharp) + edges * edge_loss(image, sharp) for image in (made, enlarged))
    training.learn(loss)
    return {"loss": float(loss.detach()), "of bicubic": float(bicubic)}


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
