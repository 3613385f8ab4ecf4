"""Train marker, reader and tamper decoder together.

    likeness cast -o CAST --actors 16 --seconds 2 --size 512 --silent
    LIKENESS_DATA=… python -m training.watermark.train -o RUN --actors CAST [--steps N] [--resume]
    LIKENESS_DATA=… python -m training.watermark.train -o RUN2 --actors CAST --start-from RUN --part tamper

One step: pictures are marked at a random working size; one copy is distorted and cropped and the reader tells its
chips, another is altered in places, treated gently, and the tamper decoder tells where. The mark starts at twice its
strength. Real codecs stand in the way; the gradient passes them straight through (Bengio et al. 2013, arXiv 1308.3432).
"""

import argparse
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.files import atomic_write
from likeness.progress import progress
from likeness.prove.watermark.carrier import GRID, SECOND_GRID
from likeness.prove.watermark.strength import WORKING_SIZE, StrengthSettings, mask
from likeness.prove.watermark.tamper import MAP_SIZE
from training.schedule import half_cosine, rise, set_learning_rate
from training.watermark.alter import altered
from training.watermark.data import Picture, pictures
from training.watermark.distort import GENTLE, Crop, Ranges, distorted, to_working
from training.watermark.network import Marker, Reader, TamperDecoder, budgeted

_SOFTNESS, _LEAST_WEIGHT = 0.08, 0.05  # of the step from pictures that are read well enough to the hard cases
SIZES, SIZE_ODDS = (256, 384, 512), (0.2, 0.45, 0.35)


@dataclass(frozen=True)
class TrainSettings:
    """``loud_steps``: over these the mark falls from twice its strength to its budget. ``frozen_marker_share``: in the
    last part the marker rests and the decoders alone go on. ``enough``: pictures whose chips are read with more than
    this correlation (a message needs about 0.2) count little, so that the mark is shaped by the hard cases. ``part``
    "tamper": the tamper decoder goes on alone, from a finished run.
    """

    steps: int = 3000
    batch: int = 8
    learning_rate: float = 1.5e-3
    warm_up: int = 100
    loud_steps: int = 400
    frozen_marker_share: float = 0.25
    tamper_weight: float = 0.7
    tamper_every: int = 2
    enough: float = 0.4
    width: int = 24
    part: Literal["all", "tamper"] = "all"
    seed: int = 1
    report_every: int = 50
    save_every: int = 250


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


def through(result: list[np.ndarray], marked: Tensor, crops: list[Crop]) -> Tensor:
    """The real result, with the gradient of the surrogate."""
    smooth = surrogate(marked, crops)
    real = torch.from_numpy(np.stack(result).astype(np.float32))[:, None]
    return smooth + (real - smooth).detach()


@dataclass(frozen=True, eq=False)
class MarkedBatch:
    """``originals`` uint8 (B, S, S); ``marked`` float (B, 1, S, S), unrounded, and ``copies``, rounded; both chip
    maps."""

    originals: np.ndarray
    marked: Tensor
    copies: list[np.ndarray]
    chips: Tensor
    second: Tensor


def mark_batch(networks: Networks, originals: np.ndarray, gain: float, rng: np.random.Generator) -> MarkedBatch:
    """``originals`` with two random chip maps each."""
    working = batch_to_working(originals)
    masks = torch.from_numpy(np.stack([mask(image) for image in working[:, 0].numpy()]))[:, None]
    chips, second = (
        torch.from_numpy(rng.choice(np.array([-1.0, 1.0], np.float32), (len(originals), 1, side, side)))
        for side in (GRID, SECOND_GRID)
    )
    with torch.autocast("cpu", torch.bfloat16):
        residual = networks.marker(working, masks, chips, second)
    residual = budgeted(residual.float(), working, originals.shape[-1], StrengthSettings(), gain)
    marked = torch.from_numpy(originals.astype(np.float32))[:, None] + residual
    copies = list(marked.detach().round().clamp(0, 255).to(torch.uint8)[:, 0].numpy())
    return MarkedBatch(originals, marked, copies, chips, second)


def reading_loss(
    networks: Networks, batch: MarkedBatch, settings: TrainSettings, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """How badly the chips of hard-treated copies are read, and their mean correlation with the true ones."""
    hard, crops = distorted(batch.copies, rng, Ranges())
    target = seen_chips(batch.chips, crops)
    with torch.autocast("cpu", torch.bfloat16):
        odds = networks.reader(through(hard, batch.marked, crops)).float()
    answers = F.binary_cross_entropy_with_logits(odds, (target + 1) / 2, reduction="none").mean((1, 2, 3))
    with torch.no_grad():
        read = correlation(odds, target)
        weight = torch.sigmoid((settings.enough - read) / _SOFTNESS) + _LEAST_WEIGHT
    return (weight * answers).mean(), float(read.mean())


def telling_loss(networks: Networks, batch: MarkedBatch, rng: np.random.Generator) -> Tensor:
    """How badly the places of alterations are told in gently treated copies."""
    changed, places = altered(batch.copies, batch.originals, rng)
    gently, whole = distorted(changed, rng, GENTLE)
    seen = through(gently, batch.marked, whole)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            agreement = networks.reader(seen) * batch.chips
        odds = networks.tamper(seen, batch.chips, batch.second, agreement)
    small = [cv2.resize(place, (MAP_SIZE, MAP_SIZE), interpolation=cv2.INTER_AREA) for place in places]
    return F.binary_cross_entropy_with_logits(odds.float(), torch.from_numpy(np.stack(small))[:, None])


def correlation(odds: Tensor, target: Tensor) -> Tensor:
    """Of soft chips with the true ones, for each picture: (B,)."""
    centred = odds - odds.mean((1, 2, 3), keepdim=True)
    return (centred * target).mean((1, 2, 3)) / (
        centred.square().mean((1, 2, 3)) * target.square().mean((1, 2, 3))
    ).sqrt()


def train(
    run: Path, data: Path, actors: Path | None, settings: TrainSettings, resume: bool, start: Path | None
) -> None:
    """Train into ``run``: ``networks.pt``, overwritten as it goes, and ``log.csv``."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    images = pictures(data, actors, for_evaluation=False)
    networks = Networks(settings.width).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(networks.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4)
    run.mkdir(parents=True, exist_ok=True)
    begun = 0
    if start is not None:
        networks.load_state_dict(torch.load(start / "networks.pt", weights_only=True)["networks"], strict=False)
    if resume and (run / "networks.pt").exists():
        state = torch.load(run / "networks.pt", weights_only=True)
        networks.load_state_dict(state["networks"])
        optimizer.load_state_dict(state["optimizer"])
        begun = int(state["step"])
        rng = np.random.default_rng((settings.seed, begun))
    log = _Log(run / "log.csv", settings.report_every)
    with progress("Training the watermark", settings.steps, "steps") as job:
        job.advance(begun)
        for step in range(begun, settings.steps):
            losses = one_step(networks, optimizer, images, settings, step, rng)
            job.advance()
            job.note(log.add(step + 1, losses))
            if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
                _save(run / "networks.pt", networks, optimizer, step + 1, settings)


def one_step(
    networks: Networks,
    optimizer: torch.optim.Optimizer,
    images: list[Picture],
    settings: TrainSettings,
    step: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """One batch, one step of the optimizer; returns the losses."""
    tamper_only = settings.part == "tamper"
    rest = tamper_only or step >= settings.steps * (1 - settings.frozen_marker_share)
    networks.marker.requires_grad_(not rest)
    networks.reader.requires_grad_(not tamper_only)
    fall = half_cosine(step, settings.steps) + 0.01
    set_learning_rate(optimizer, settings.learning_rate * (rise(step, settings.warm_up) * fall))
    gain = 1.0 if tamper_only else 1.0 + max(0.0, 1.0 - step / settings.loud_steps)
    originals = crops_of(images, settings.batch, int(rng.choice(SIZES, p=SIZE_ODDS)), rng)
    batch = mark_batch(networks, originals, gain, rng)
    loss, losses = torch.zeros(()), dict[str, float]()
    if not tamper_only:
        reading, losses["correlation"] = reading_loss(networks, batch, settings, rng)
        loss, losses["reading"] = loss + reading, float(reading.detach())
    if tamper_only or step % settings.tamper_every == 0:
        telling = telling_loss(networks, batch, rng)
        loss, losses["telling"] = loss + settings.tamper_weight * telling, float(telling.detach())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
    optimizer.step()
    return losses


class _Log:
    """Means of the losses since the last line: step, reading, telling, correlation, steps a second."""

    def __init__(self, path: Path, every: int) -> None:
        self._path, self._every = path, every
        self._seen: dict[str, list[float]] = {}
        self._since, self._last = time.monotonic(), ""

    def add(self, step: int, losses: dict[str, float]) -> str:
        """Take one step's losses; returns the last line as a note."""
        for name, value in losses.items():
            self._seen.setdefault(name, []).append(value)
        if step % self._every == 0:
            means = [float(np.mean(self._seen.get(name, [0.0]))) for name in ("reading", "telling", "correlation")]
            pace = self._every / (time.monotonic() - self._since)
            with self._path.open("a") as log:
                log.write(",".join([str(step), *(f"{mean:.5f}" for mean in means), f"{pace:.2f}"]) + "\n")
            self._last = f"reading {means[0]:.4f}, telling {means[1]:.4f}, correlation {means[2]:.3f}"
            self._seen, self._since = {}, time.monotonic()
        return self._last


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
    parser.add_argument("--start-from", type=Path, help="a run whose networks are the start")
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
