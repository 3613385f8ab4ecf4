"""Train the recogniser: one class a person, additive cosine margin, pictures disturbed as footage is.

    LIKENESS_DATA=… python -m training.identity.train PEOPLE -o RUN [--epochs 16] [--resume]

PEOPLE is what `python -m training.people.film` filmed. The training portraits join as classes of one picture each: what
tells real people apart beyond what the face model knows. Loss (CosFace, Wang et al. 2018, eq. 4): softmax over
s · (cos θ_j − m · [j = own]) with s = 32, m = 0.3.
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.faces.align import COVERAGE, aligned_crop
from likeness.faces.identity_network import EMBEDDING, SIZE, VIEW_COVERAGE, IdentityNetwork
from likeness.files import atomic_write
from likeness.make.compute import autocast, keep_freed_memory, pick_device
from likeness.progress import progress
from training.face_landmarks.data import load_portraits
from training.people.film import CROP
from training.people.groups import load_people
from training.schedule import half_cosine, rise, set_learning_rate


@dataclass(frozen=True)
class TrainSettings:
    """``portrait_share``: of a batch. ``degraded_share``: of the faces that are made small, noisy and compressed."""

    epochs: int = 16
    batch: int = 64
    learning_rate: float = 1.5e-3
    warm_up: int = 200
    margin: float = 0.3
    margin_from: float = 0.4  # of the training; before, the margin rises from 0, without which nothing is learnt
    scale: float = 32.0
    portrait_share: float = 0.125
    degraded_share: float = 0.6
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Examples:
    """``crops`` uint8 (n, 168, 168, 3) and each one's class; the portraits come last, from ``people`` on."""

    crops: np.ndarray
    labels: np.ndarray
    people: int

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


def load_examples(people: Path, data: Path) -> Examples:
    """All training people, and the training portraits."""
    images = load_people(people, "train").images
    crops = images.reshape(-1, CROP, CROP, 3)
    count = images.shape[0] * images.shape[1]
    labels = np.repeat(np.arange(count), images.shape[2] * images.shape[3])
    portraits = load_portraits(data, "train")
    real = np.stack([
        aligned_crop(image, points, CROP)
        for image, points in zip(portraits.images, portraits.landmarks, strict=True)
    ])  # fmt: skip
    return Examples(np.concatenate([crops, real]), np.concatenate([labels, count + np.arange(len(real))]), len(crops))


def random_views(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Crops float (n, 3, 168, 168) in [0, 255] as the network sees them, a little turned, zoomed, moved and
    mirrored."""
    count = len(crops)
    angle = torch.from_numpy(rng.normal(0, np.radians(4), count)).float()
    zoom = torch.from_numpy(np.exp(rng.normal(0, 0.05, count))).float() * (COVERAGE / VIEW_COVERAGE)
    mirror = torch.from_numpy(rng.choice([-1.0, 1.0], count)).float()
    shift = torch.from_numpy(rng.normal(0, 0.03, (count, 2))).float()
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    matrix = torch.stack([cosine * mirror, -sine, shift[:, 0], sine * mirror, cosine, shift[:, 1]], 1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, [count, 3, SIZE, SIZE], align_corners=False)
    return F.grid_sample(crops, grid, padding_mode="border", align_corners=False)


def relit(views: Tensor, rng: np.random.Generator) -> Tensor:
    """Other exposure, contrast and tint, and light that falls off across the face."""
    count = len(views)

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, *shape))).float()

    level = (views / 255).clamp(1e-3, 1) ** drawn(-0.35, 0.35, 1, 1, 1).exp()
    slope = torch.linspace(-1, 1, SIZE)
    across = drawn(-0.35, 0.35, 1, 1, 1) * slope[None, None, None, :] + drawn(-0.2, 0.2, 1, 1, 1) * slope[:, None]
    tint = drawn(-0.1, 0.1, 3, 1, 1)
    return (255 * level * (across + tint + drawn(-0.2, 0.2, 1, 1, 1)).exp()).clamp(0, 255)


def degraded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A view uint8 (112, 112, 3) as a small, noisy, compressed clip shows it."""
    side = int(rng.uniform(20, SIZE))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + rng.normal(0, rng.uniform(0, 8), small.shape), 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(35, 95))])[1]
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return cv2.resize(decoded, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def batch_of(crops: np.ndarray, rng: np.random.Generator, settings: TrainSettings) -> Tensor:
    """Disturbed views float (n, 3, 112, 112) in [0, 1] of uint8 ``crops``."""
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    views = relit(random_views(pixels, rng), rng).byte().permute(0, 2, 3, 1).numpy().copy()
    for row in np.flatnonzero(rng.random(len(views)) < settings.degraded_share):
        views[row] = degraded(views[row], rng)
    return torch.from_numpy(views).permute(0, 3, 1, 2).float() / 255


class Classifier(nn.Module):
    """The network with one unit vector a class: only the network is kept."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = IdentityNetwork()
        self.centres = nn.Parameter(torch.randn(classes, EMBEDDING) / EMBEDDING**0.5)

    def loss(self, images: Tensor, labels: Tensor, margin: float, scale: float) -> tuple[Tensor, Tensor]:
        """The margin loss, and the share of faces whose own class is nearest."""
        with autocast(images.device):
            vectors = self.network(images)
        cosine = vectors.float() @ F.normalize(self.centres, dim=1).T
        right = (cosine.argmax(1) == labels).float().mean()
        return F.cross_entropy(scale * (cosine - margin * F.one_hot(labels, cosine.shape[1])), labels), right


def epoch_order(examples: Examples, settings: TrainSettings, rng: np.random.Generator) -> np.ndarray:
    """Indices int64 (batches, batch): every person's picture once, portraits in between."""
    own = settings.batch - round(settings.portrait_share * settings.batch)
    order = rng.permutation(examples.people)
    batches = len(order) // own
    real = rng.integers(examples.people, len(examples.crops), (batches, settings.batch - own))
    return np.concatenate([order[: batches * own].reshape(batches, own), real], axis=1)


def train(people: Path, data: Path, out: Path, settings: TrainSettings, resume: bool) -> None:
    """Train, and write RUN/state.pt and RUN/face_identity.safetensors after every epoch."""
    keep_freed_memory()
    torch.manual_seed(settings.seed)
    examples, device = load_examples(people, data), pick_device()
    model = Classifier(examples.classes).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-2)
    begun = 0
    if resume:
        state = torch.load(out / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        begun = state["epoch"]
    batches = len(epoch_order(examples, settings, np.random.default_rng(0)))
    total = settings.epochs * batches
    out.mkdir(parents=True, exist_ok=True)
    print(f"{examples.classes} people, {len(examples.crops)} pictures, {total} steps", flush=True)
    with progress("Training", total=total, unit="steps") as job:
        job.advance(begun * batches)
        for epoch in range(begun, settings.epochs):
            rng = np.random.default_rng((settings.seed, epoch))
            sums, started = torch.zeros(2), time.monotonic()
            for number, rows in enumerate(epoch_order(examples, settings, rng)):
                step = epoch * batches + number
                fall = 0.01 + 0.99 * half_cosine(step, total)
                set_learning_rate(optimizer, settings.learning_rate * rise(step, settings.warm_up) * fall)
                images = batch_of(examples.crops[rows], rng, settings).to(device)
                labels = torch.from_numpy(examples.labels[rows]).to(device)
                margin = settings.margin * min(1.0, step / total / settings.margin_from)
                images = images.contiguous(memory_format=torch.channels_last)
                loss, right = model.loss(images, labels, margin, settings.scale)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                sums += torch.stack([loss.detach(), right]).cpu()
                if (number + 1) % 50 == 0:
                    job.note(f"loss {sums[0] / (number + 1):.3f}, right {sums[1] / (number + 1):.3f}")
                job.advance()
            loss_mean, right_mean = (sums / batches).tolist()
            seconds = time.monotonic() - started
            print(f"epoch {epoch + 1}: loss {loss_mean:.3f}, right {right_mean:.3f}, {seconds:.0f} s", flush=True)
            save(out, model, optimizer, epoch + 1)


def save(out: Path, model: Classifier, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """What resuming needs, and the weights to ship in bf16."""
    with atomic_write(out / "state.pt") as temporary:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, temporary)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    weights = {name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    with atomic_write(out / "face_identity.safetensors") as temporary:
        save_file(weights, temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=TrainSettings.epochs)
    parser.add_argument("--batch", type=int, default=TrainSettings.batch)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    settings = TrainSettings(epochs=options.epochs, batch=options.batch)
    train(options.people, Path(os.environ["LIKENESS_DATA"]), options.out, settings, options.resume)


if __name__ == "__main__":
    main()
