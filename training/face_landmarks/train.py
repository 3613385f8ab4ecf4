"""Train the landmark network: python -m training.face_landmarks.train --data "$LIKENESS_DATA" -o OUT

On two CPU cores an hour gives the shipped quality; --minutes 1 shows that everything runs. A GPU is used if there.
"""

import argparse
import copy
import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional

from likeness.faces.align import TEMPLATE
from likeness.faces.face import OUTER_EYE_CORNERS, OUTER_LIPS
from training.averaging import average, decay_at
from training.face_landmarks.augment import AugmentSettings
from training.face_landmarks.batches import Batch, MixSettings, Pool, Sources, draw_batch, stream_batches
from training.face_landmarks.data import load_actors, load_portraits, photo_paths, read_rgb, shrunk
from training.face_landmarks.export import export
from training.face_landmarks.hard_negatives import mined, proposed
from training.face_landmarks.network import LandmarkNetwork, load_backbone
from training.schedule import half_cosine, rise, set_learning_rate

FACE_PX = 120.0  # side of TEMPLATE's square in the pictures that are drawn from


@dataclass(frozen=True)
class TrainSettings:
    """``minutes`` of the wall clock set the length: the learning rate falls to zero as they run out."""

    minutes: float = 45.0
    batch: int = 64
    pool: int = 3072  # samples, of which 24 are replaced in each step
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    warm_up_steps: int = 50
    average: float = 0.998  # of the weights, per step
    spread_weight: float = 0.1
    presence_weight: float = 0.25
    validate_every_s: float = 120.0
    mine_at: tuple[float, ...] = (
        0.2,
        0.4,
        0.6,
        0.8,
    )  # shares of the time at which the network looks for its own false alarms
    half: int = 0  # which half of the photographs is never trained on
    seed: int = 1


@dataclass
class Losses:
    """``places`` in units of the outer-eye distance; ``spread`` in nats; ``presence`` in nats."""

    places: torch.Tensor
    spread: torch.Tensor
    presence: torch.Tensor

    def total(self, settings: TrainSettings) -> torch.Tensor:
        """What is minimised."""
        return 10 * self.places + settings.spread_weight * self.spread + settings.presence_weight * self.presence


class ActorOffset(torch.nn.Module):
    """By how much the actors' 68 vertices differ, on average, from the portrait teacher's points.

    A constant (68, 2) in the frame of TEMPLATE, learned along and thrown away: what ships follows the teacher. The lips
    have none: actors talk where portraits smile, and a constant would take that for a difference of definition.
    """

    centred: torch.Tensor
    differs: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.offset = torch.nn.Parameter(torch.zeros(TEMPLATE.shape))
        self.register_buffer("centred", torch.from_numpy(TEMPLATE - TEMPLATE.mean(0)))
        self.register_buffer("differs", (torch.arange(len(TEMPLATE)) < OUTER_LIPS.start).float()[:, None])

    def forward(self, truth: torch.Tensor) -> torch.Tensor:
        """The offset (n, 68, 2) turned and scaled as the faces with landmarks ``truth`` (n, 68, 2) are."""
        centred = truth - truth.mean(1, keepdim=True)
        power = (self.centred**2).sum()
        cosine = (self.centred * centred).sum((1, 2)) / power
        sine = (self.centred[:, 0] * centred[..., 1] - self.centred[:, 1] * centred[..., 0]).sum(1) / power
        turn = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], -2)
        return (self.offset * self.differs) @ turn


def losses_of(network: LandmarkNetwork, offset: ActorOffset, batch: Batch, device: torch.device) -> Losses:
    """L1 of places, Laplace likelihood of their spread and cross entropy of presence on a draw from the pool."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        fine, coarse = network.late_features(batch.crops.contiguous(memory_format=torch.channels_last))
    logits, places, log_spread = network.heads(fine.float(), coarse.float())
    face = batch.presence == 1
    truth, actor = batch.landmarks[face], batch.actor[face]
    expected = places[face] + actor[:, None, None] * offset(truth)
    right, left = OUTER_EYE_CORNERS
    # Seen from the side, eyes draw together: the unit never falls below a third of the face's height.
    height = (truth[:, 8] - truth[:, 27]).norm(dim=-1)
    unit = torch.maximum((truth[:, left] - truth[:, right]).norm(dim=-1), height / 3)[:, None, None]
    error = (expected - truth) / unit
    distance, log_spread = error.detach().norm(dim=-1), log_spread[face].clamp(-6, 2)
    return Losses(
        places=functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.01),
        spread=(distance * torch.exp(-log_spread) + log_spread).mean(),
        presence=functional.binary_cross_entropy_with_logits(logits, batch.presence),
    )


@torch.no_grad()
def validate(network: LandmarkNetwork, batches: list[Batch], device: torch.device) -> dict[str, float]:
    """Mean landmark error in % of the outer-eye distance, share of faces missed and of other crops taken at logit 0."""
    errors, missed, taken = [], [], []
    for batch in batches:
        logits, places, _ = (part.cpu() for part in network(batch.crops.to(device).float()))
        face = batch.presence == 1
        truth = batch.landmarks[face]
        right, left = OUTER_EYE_CORNERS
        unit = (truth[:, left] - truth[:, right]).norm(dim=-1)
        errors.append((places[face] - truth).norm(dim=-1).mean(1) / unit)
        missed.append(logits[face] < 0)
        taken.append(logits[~face] >= 0)
    return {
        "error_percent": 100 * float(torch.cat(errors).median()),
        "missed": float(torch.cat(missed).float().mean()),
        "taken": float(torch.cat(taken).float().mean()),
    }


def learning_rate(settings: TrainSettings, share: float, step: int) -> float:
    """A short warm-up, then half a cosine over the ``share`` of time gone."""
    return settings.learning_rate * rise(step, settings.warm_up_steps) * half_cosine(share)


def sources_of(data: Path, stills: Path | None, settings: TrainSettings) -> tuple[Sources, list[Batch]]:
    """What is trained on, and fixed validation batches of other people and other photographs."""
    photos = [read_rgb(path) for path in photo_paths(data, "train", settings.half)]
    portraits = shrunk(load_portraits(data, "train"), FACE_PX)
    actors = shrunk(load_actors(stills), FACE_PX) if stills else None
    sources = Sources(portraits, actors, photos, proposed(photos))
    held_out = Sources(
        shrunk(load_portraits(data, "validation"), FACE_PX), None,
        [read_rgb(path) for path in photo_paths(data, "validation", settings.half)],
    )  # fmt: skip
    held_out.hard.extend(proposed(held_out.photos))
    rng = np.random.default_rng(0)
    return sources, [draw_batch(held_out, MixSettings(), AugmentSettings(), rng) for _ in range(18)]


def started_networks(data: Path, start: Path | None) -> tuple[LandmarkNetwork, ActorOffset]:
    """Fresh heads on ImageNet's layers, or everything as ``start`` left it."""
    network, offset = LandmarkNetwork(), ActorOffset()
    if start is None:
        load_backbone(network, data / "backbones" / "mobilenet_v2_imagenet.npz")
    else:
        before = torch.load(start, weights_only=True)
        network.load_state_dict(before["network"])
        offset.offset.data.copy_(before["actor_offset"])
    network.freeze_early()
    return network, offset


def train(
    data: Path, out: Path, stills: Path | None, start: Path | None, settings: TrainSettings, mix: MixSettings
) -> None:
    """Train for ``settings.minutes``; ``out`` gets the averaged weights (.pt and .onnx) and history.csv."""
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sources, validation = sources_of(data, stills, settings)
    network, offset = started_networks(data, start)
    network.to(device)
    offset.to(device)
    averaged = copy.deepcopy(network)
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": offset.parameters(), "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    out.mkdir(parents=True, exist_ok=True)
    started = validated = time.monotonic()
    to_mine = list(settings.mine_at)
    pool = Pool(network, settings.pool, device)
    running = np.zeros(3)
    for step, batch in enumerate(stream_batches(sources, mix, AugmentSettings(), settings.seed)):
        share = (time.monotonic() - started) / (60 * settings.minutes)
        if share >= 1:
            break
        set_learning_rate(optimizer, learning_rate(settings, share, step))
        pool.put(batch)
        if pool.filled < settings.pool // 4:
            continue
        losses = losses_of(network, offset, pool.draw(settings.batch), device)
        optimizer.zero_grad()
        losses.total(settings).backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        optimizer.step()
        average(averaged, network, decay_at(step, settings.average))
        parts = np.array([part.item() for part in (losses.places, losses.spread, losses.presence)])
        running = parts if step == 0 else 0.98 * running + 0.02 * parts
        if time.monotonic() - validated > settings.validate_every_s:
            validated = time.monotonic()
            _report(out, step, share, running, validate(averaged, validation, device))
            save(averaged, offset, out)
        if to_mine and share > to_mine[0]:
            to_mine.pop(0)
            if stills:
                sources.actors = shrunk(load_actors(stills), FACE_PX)  # more may have been rendered meanwhile
            sources.hard.extend(mined(averaged, sources.photos, list(sources.hard), np.random.default_rng(step)))
            print(f"step {step}: {len(sources.hard)} hard negatives", flush=True)
    _report(out, step, 1.0, running, validate(averaged, validation, device))
    save(averaged, offset, out)


def save(network: LandmarkNetwork, offset: ActorOffset, out: Path) -> None:
    """Write the weights as they are, and the ONNX file that ships."""
    torch.save(
        {"network": network.state_dict(), "actor_offset": offset.offset.detach().cpu()}, out / "face_landmarks.pt"
    )
    export(network, out / "face_landmarks.onnx")


def _report(out: Path, step: int, share: float, running: np.ndarray, held_out: dict[str, float]) -> None:
    row = {"step": step, "share": round(share, 4), "places": running[0], "spread": running[1], "presence": running[2]}
    row |= held_out
    print(" ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    path = out / "history.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)


def main() -> None:
    """Read the options and train."""
    defaults, mix = TrainSettings(), MixSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data folder (LIKENESS_DATA)")
    parser.add_argument("--stills", type=Path, help="actors' stills of render_actors.py; without, portraits alone")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=defaults.minutes)
    parser.add_argument(
        "--half", type=int, choices=(0, 1), default=defaults.half, help="half of the photographs kept for the test"
    )
    parser.add_argument(
        "--actors", type=int, default=9, help="actors among the 18 faces drawn for a step, where there are stills"
    )
    parser.add_argument("--start", type=Path, help="a face_landmarks.pt to go on from, instead of ImageNet")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    if options.stills:
        mix = MixSettings(portraits=mix.portraits - options.actors, actors=options.actors)
    train(
        options.data,
        options.out,
        options.stills,
        options.start,
        TrainSettings(minutes=options.minutes, half=options.half),
        mix,
    )


if __name__ == "__main__":
    main()
