"""Batches for the landmark network, made in a thread of their own while the network computes."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from training.face_landmarks.augment import (
    AugmentSettings,
    Sample,
    box_sample,
    face_sample,
    off_face_sample,
    photo_sample,
)
from training.face_landmarks.data import LabelledFaces
from training.face_landmarks.network import LandmarkNetwork

_AHEAD = 4  # batches made in advance

Box = tuple[float, float, float, float]


class Batch(NamedTuple):
    """``crops`` uint8 (n, 3, 112, 112), ``landmarks`` float32 (n, 68, 2), NaN without a face; ``presence`` and
    ``actor`` (n,)."""

    crops: torch.Tensor
    landmarks: torch.Tensor
    presence: torch.Tensor
    actor: torch.Tensor


@dataclass(frozen=True)
class MixSettings:
    """How many of each kind are drawn for one step."""

    portraits: int = 18
    actors: int = 0
    photos: int = 1
    off_faces: int = 2
    hard: int = 3


class Pool:
    """The last ``size`` samples, as the frozen stages see them: each is used several times before it is replaced.

    On a CPU drawing a sample and running the frozen stages cost more than training the others does.
    """

    def __init__(self, network: LandmarkNetwork, size: int, device: torch.device) -> None:
        self.network, self.size, self.device = network, size, device
        self.parts: list[torch.Tensor] = []
        self.filled = self.next = 0

    @torch.no_grad()
    def put(self, batch: Batch) -> None:
        """Replace the oldest samples by those of ``batch``."""
        crops = batch.crops.to(self.device).float().contiguous(memory_format=torch.channels_last)
        fresh = [self.network.early_features(crops), *(part.to(self.device) for part in batch[1:])]
        if not self.parts:
            self.parts = [part.new_empty((self.size, *part.shape[1:])) for part in fresh]
        places = torch.arange(self.next, self.next + len(crops), device=self.device) % self.size
        for kept, part in zip(self.parts, fresh, strict=True):
            kept[places] = part
        self.next = int((self.next + len(crops)) % self.size)
        self.filled = min(self.filled + len(crops), self.size)

    def draw(self, count: int) -> Batch:
        """``count`` samples at random; ``crops`` are then maps (count, 32, 14, 14)."""
        places = torch.randint(self.filled, (count,), device=self.device)
        return Batch(*(part[places] for part in self.parts))


@dataclass(eq=False)
class Sources:
    """What batches are drawn from. ``hard`` holds (image, box) pairs that a finder took for faces; it may grow while
    batches are being drawn."""

    portraits: LabelledFaces
    actors: LabelledFaces | None
    photos: list[np.ndarray]
    hard: list[tuple[np.ndarray, Box]] = field(default_factory=list)


def draw_batch(sources: Sources, mix: MixSettings, augment: AugmentSettings, rng: np.random.Generator) -> Batch:
    """One batch in the proportions of ``mix``."""

    def photo() -> np.ndarray:
        return sources.photos[rng.integers(len(sources.photos))]

    def labelled(faces: LabelledFaces) -> tuple[np.ndarray, np.ndarray, bool]:
        row = int(rng.integers(len(faces.images)))
        return faces.images[row], faces.landmarks[row], bool(faces.actor[row])

    samples: list[Sample] = []
    groups = [(sources.portraits, mix.portraits)] + ([(sources.actors, mix.actors)] if sources.actors else [])
    for faces, count in groups:
        samples += [face_sample(*labelled(faces), photo(), rng, augment) for _ in range(count)]
    samples += [photo_sample(photo(), rng, augment) for _ in range(mix.photos)]
    samples += [off_face_sample(*labelled(sources.portraits)[:2], rng, augment) for _ in range(mix.off_faces)]
    if sources.hard:
        picks = rng.integers(len(sources.hard), size=mix.hard)
        samples += [box_sample(image, box, rng, augment) for image, box in (sources.hard[pick] for pick in picks)]
    return Batch(
        crops=torch.from_numpy(np.stack([sample.crop for sample in samples])).permute(0, 3, 1, 2),
        landmarks=torch.from_numpy(np.stack([sample.landmarks for sample in samples])),
        presence=torch.tensor([float(sample.presence) for sample in samples]),
        actor=torch.tensor([sample.actor for sample in samples]),
    )


def stream_batches(sources: Sources, mix: MixSettings, augment: AugmentSettings, seed: int) -> Iterator[Batch]:
    """Batches without end, a few of them always ready."""
    ready: queue.Queue[Batch] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def produce() -> None:
        rng = np.random.default_rng(seed)
        while not stop.is_set():
            batch = draw_batch(sources, mix, augment, rng)
            while not stop.is_set():
                try:
                    ready.put(batch, timeout=0.5)
                    break
                except queue.Full:
                    continue

    producer = threading.Thread(target=produce, daemon=True)
    producer.start()
    try:
        while True:
            yield ready.get()
    finally:
        stop.set()
        producer.join()
