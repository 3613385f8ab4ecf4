"""Train marker, reader and tamper decoder together.

    LIKENESS_DATA=… python -m training.watermark.train -o RUN --actors CAST [--steps N] [--resume]

One step: pictures are marked at a random working size; one copy is distorted and cropped and the reader tells its
chips, another is altered in places, treated gently, and the tamper decoder tells where. The mark starts at twice its
strength. Real codecs stand in the way; the gradient passes them straight through (Bengio et al. 2013, arXiv 1308.3432).
"""

import argparse
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.files import atomic_write
from likeness.progress import progress
from likeness.prove.watermark.carrier import GRID, SECOND_GRID
from likeness.prove.watermark.strength import WORKING_SIZE, StrengthSettings, mask
from training.watermark.alter import altered
from training.watermark.data import Picture, pictures
from training.watermark.distort import GENTLE, Crop, Ranges, distorted, to_working
from training.watermark.network import Marker, Reader, TamperDecoder, budgeted

SIZES, SIZE_ODDS = (256, 384, 512), (0.2, 0.45, 0.35)


@dataclass(frozen=True)
class TrainSettings:
    """``loud_steps``: over these the mark falls from twice its strength to its budget. ``frozen_marker_share``: in the
    last part the marker rests and the decoders alone go on. ``enough``: pictures whose chips are read with more than
    this correlation (a message needs about 0.2) count little, so that the mark is shaped by the hard cases."""

    steps: int = 6000
    batch: int = 12
    learning_rate: float = 1.5e-3
    warm_up: int = 100
    loud_steps: int = 400
    frozen_marker_share: float = 0.25
    tamper_weight: float = 0.7
    tamper_every: int = 2
    enough: float = 0.4
    width: int = 24
    seed: int = 1
    report_every: int = 50


class Networks(torch.nn.Module):
    """The three networks under one roof."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.marker = Marker(width)
        self.reader = Reader(width)
        self.tamper = TamperDecoder(width)


def crops_of(images: list[Picture], count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` random parts of random pictures at ``size``: uint8 (count, size, size) luminance."""
    chosen = []
    for _ in range(count):
        image = images[rng.integers(len(images))].image
        height, width = image.shape[:2]
        rows = int(rng.uniform(0.55, 1.0) * height)
        columns = int(np.clip(rows * np.exp(rng.uniform(-0.3, 0.3)), 0.5 * width, width))
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        grey = cv2.cvtColor(image[top : top + rows, left : left + columns], cv2.COLOR_RGB2GRAY)
        how = cv2.INTER_AREA if rows > size else cv2.INTER_CUBIC
        grey = cv2.resize(grey, (size, size), interpolation=how)
        chosen.append(grey[:, ::-1] if rng.random() < 0.5 else grey)
    return np.stack(chosen)


def batch_to_working(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack([to_working(image) for image in images]).astype(np.float32))[:, None]


def seen_chips(chips: Tensor, crops: list[Crop]) -> Tensor:
    """The chips as they lie in what the crops left: bilinear, (B, 1, 64, 64)."""
    theta = torch.tensor(
        [[[c.right - c.left, 0.0, c.left + c.right - 1], [0.0, c.bottom - c.top, c.top + c.bottom - 1]] for c in crops],
        dtype=torch.float32,
    )
    grid = F.affine_grid(theta, [len(crops), 1, GRID, GRID], align_corners=False)
    return F.grid_sample(chips, grid, mode="bilinear", align_corners=False, padding_mode="border")


def surrogate(marked: Tensor, crops: list[Crop]) -> Tensor:
    """The smooth part of what happened, for the gradient: cut and scaled to 256 × 256."""
    size = marked.shape[-1]
    cut = []
    for i, c in enumerate(crops):
        rows, columns = (
            slice(round(c.top * size), round(c.bottom * size)),
            slice(round(c.left * size), round(c.right * size)),
        )
        part = marked[i : i + 1, :, rows, columns]
        cut.append(F.interpolate(part, (WORKING_SIZE, WORKING_SIZE), mode="bilinear", antialias=True))
    return torch.cat(cut)


def mark_batch(
    networks: Networks, originals: np.ndarray, gain: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Marked pictures float (B, 1, S, S), unrounded, and their two random chip maps."""
    size = originals.shape[-1]
    working = batch_to_working(originals)
    masks = torch.from_numpy(np.stack([mask(image) for image in working[:, 0].numpy()]))[:, None]
    chips, second = (
        torch.from_numpy(rng.choice(np.array([-1.0, 1.0], np.float32), (len(originals), 1, side, side)))
        for side in (GRID, SECOND_GRID)
    )
    with torch.autocast("cpu", torch.bfloat16):
        residual = networks.marker(working, masks, chips, second)
    residual = budgeted(residual.float(), working, size, StrengthSettings(), gain)
    return torch.from_numpy(originals.astype(np.float32))[:, None] + residual, chips, second


def rounded(marked: Tensor) -> list[np.ndarray]:
    return list(marked.detach().round().clamp(0, 255).to(torch.uint8)[:, 0].numpy())


def through(result: list[np.ndarray], marked: Tensor, crops: list[Crop]) -> Tensor:
    """The real result, with the gradient of the surrogate."""
    smooth = surrogate(marked, crops)
    real = torch.from_numpy(np.stack(result).astype(np.float32))[:, None]
    return smooth + (real - smooth).detach()


def step_losses(
    networks: Networks,
    images: list[Picture],
    settings: TrainSettings,
    gain: float,
    with_tamper: bool,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor | None, float]:
    """The reader's and the tamper decoder's loss of one batch, and the reader's correlation with the true chips."""
    size = int(rng.choice(SIZES, p=SIZE_ODDS))
    originals = crops_of(images, settings.batch, size, rng)
    marked, chips, second = mark_batch(networks, originals, gain, rng)
    copies = rounded(marked)

    hard, crops = distorted(copies, rng, Ranges())
    received = through(hard, marked, crops)
    target = seen_chips(chips, crops)
    with torch.autocast("cpu", torch.bfloat16):
        odds = networks.reader(received)
    answers = F.binary_cross_entropy_with_logits(odds.float(), (target + 1) / 2, reduction="none").mean((1, 2, 3))
    with torch.no_grad():
        truth = correlation(odds.float(), target)
        weight = torch.sigmoid((settings.enough - truth) / 0.08) + 0.05
    reading = (weight * answers).mean()

    if not with_tamper:
        return reading, None, float(truth.mean())
    changed, places = altered(copies, originals, rng)
    gently, whole = distorted(changed, rng, GENTLE)
    received = through(gently, marked, whole)
    with torch.autocast("cpu", torch.bfloat16):
        odds = networks.tamper(received, chips, second)
    places_seen = torch.from_numpy(np.stack([cv2.resize(p, (64, 64), interpolation=cv2.INTER_AREA) for p in places]))[
        :, None
    ]
    telling = F.binary_cross_entropy_with_logits(odds.float(), places_seen)
    return reading, telling, float(truth.mean())


def correlation(odds: Tensor, target: Tensor) -> Tensor:
    """Of soft chips with the true ones, for each picture: (B,)."""
    centred = odds - odds.mean((1, 2, 3), keepdim=True)
    return (centred * target).mean((1, 2, 3)) / (
        centred.square().mean((1, 2, 3)) * target.square().mean((1, 2, 3))
    ).sqrt()


def train(
    run: Path, data: Path, actors: Path | None, settings: TrainSettings, resume: bool, start: Path | None = None
) -> None:
    """Train into ``run``: ``networks.pt``, overwritten as it goes, and ``log.csv``."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    images = pictures(data, actors, for_evaluation=False)
    networks = Networks(settings.width).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(networks.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4)
    run.mkdir(parents=True, exist_ok=True)
    if start is not None:
        state = torch.load(start / "networks.pt", weights_only=True)["networks"]
        networks.load_state_dict({name: value for name, value in state.items() if not name.startswith("marker")}, False)
    begun = 0
    if resume and (run / "networks.pt").exists():
        state = torch.load(run / "networks.pt", weights_only=True)
        networks.load_state_dict(state["networks"])
        optimizer.load_state_dict(state["optimizer"])
        begun = int(state["step"])
        rng = np.random.default_rng((settings.seed, begun))
    sums, since = np.zeros(3), time.monotonic()
    with progress("Training the watermark", settings.steps, "steps") as job:
        job.advance(begun)
        for step in range(begun, settings.steps):
            rest = step >= settings.steps * (1 - settings.frozen_marker_share)
            for parameter in networks.marker.parameters():
                parameter.requires_grad_(not rest)
            rate = min(1.0, (step + 1) / settings.warm_up) * (0.5 * (1 + np.cos(np.pi * step / settings.steps)) + 0.01)
            for group in optimizer.param_groups:
                group["lr"] = float(settings.learning_rate * rate)
            gain = 1.0 + max(0.0, 1.0 - step / settings.loud_steps)
            with_tamper = step % settings.tamper_every == 0
            reading, telling, truth = step_losses(networks, images, settings, gain, with_tamper, rng)
            optimizer.zero_grad(set_to_none=True)
            (reading if telling is None else reading + settings.tamper_weight * telling).backward()
            torch.nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
            optimizer.step()
            sums += (
                float(reading.detach()),
                0.0 if telling is None else float(telling.detach()) * settings.tamper_every,
                truth,
            )
            job.advance()
            if (step + 1) % settings.report_every == 0:
                means, pace = sums / settings.report_every, settings.report_every / (time.monotonic() - since)
                job.note(f"reader {means[0]:.4f} tamper {means[1]:.4f} correlation {means[2]:.3f}")
                with (run / "log.csv").open("a") as log:
                    log.write(f"{step + 1},{means[0]:.5f},{means[1]:.5f},{means[2]:.4f},{pace:.2f}\n")
                sums, since = np.zeros(3), time.monotonic()
            if (step + 1) % 250 == 0 or step + 1 == settings.steps:
                _save(run / "networks.pt", networks, optimizer, step + 1, settings)


def _save(path: Path, networks: Networks, optimizer: torch.optim.Optimizer, step: int, settings: TrainSettings) -> None:
    state = {
        "networks": networks.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "settings": asdict(settings),
    }
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--actors", type=Path, help="a folder that `likeness cast` wrote")
    parser.add_argument("--start-from", type=Path, help="a run whose decoders are the start")
    parser.add_argument("--resume", action="store_true")
    for setting in fields(TrainSettings):
        parser.add_argument(f"--{setting.name.replace('_', '-')}", type=type(setting.default), default=setting.default)
    arguments = vars(parser.parse_args())
    data, run, actors, resume, start = (
        Path(os.environ["LIKENESS_DATA"]),
        *(arguments.pop(name) for name in ("out", "actors", "resume", "start_from")),
    )
    train(run, data, actors, TrainSettings(**arguments), resume, start)


if __name__ == "__main__":
    main()
