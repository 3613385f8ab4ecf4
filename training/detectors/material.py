"""Make what the networks learn from: genuine bursts of faces, and beside each the same burst manipulated.

    LIKENESS_DATA=… python -m training.detectors.material PAIRS REDRAWERS -o MATERIAL --train 3000 --validation 300

Both of a couple were recorded by the same camera, published in the same way and are aligned by the same landmarks, so
that file, size, noise and place tell nothing; only the manipulation does. MATERIAL gets shards SPLIT_NUMBER.npy, uint8
(couples, 2 genuine and manipulated, FRAMES, 224, 224, 3) RGB, and SPLIT_NUMBER.json with the kind of each
manipulation, the kind of footage and the people. Finished shards are skipped.
"""

import argparse
import json
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import torch

from likeness.detect.networks.inputs import COVERAGE, CROP, SEQUENCE
from likeness.faces.align import TEMPLATE, aligned_crop, apply, square_in_crop
from likeness.files import atomic_write, write_text
from likeness.make.portraits.model import PortraitModel
from likeness.make.portraits.sheet import enlarged
from likeness.progress import tracked
from training.detectors.burst import Burst
from training.detectors.degrade import published, recorded
from training.detectors.manipulate import GENERATED, Decoders, manipulated
from training.detectors.redrawers import load_redrawers
from training.detectors.sources import Sources, Split, load_sources, moved_about

SHARD = 50  # couples
SHARES = {"blend": 0.2, "resolution": 0.05, "paste": 0.3, "autoencoder": 0.3, "flow": 0.1, GENERATED: 0.05}
_HALF_RATE = 0.2  # share of bursts of which every second frame was dropped
FIRST_SEED = 2_000_000  # of portraits of nobody: away from those that are tested
_GENERATED_PX = 256
_UNSURE = 0.006  # standard deviation of landmarks in widths of the face, the same for both of a couple


@dataclass(frozen=True)
class Work:
    """One shard to make: ``number`` of ``split``."""

    split: Split
    number: int
    pairs: Path
    redrawers: Path
    out: Path


def couple(sources: Sources, decoders: Decoders, kind: str, rng: np.random.Generator) -> tuple[Burst, Burst]:
    """A genuine burst and the same manipulated by ``kind``, as published; SEQUENCE frames each."""
    burst, donor = sources.draw(rng)
    filmed = recorded(burst, rng)
    made = generated(rng) if kind == GENERATED else manipulated(kind, filmed, donor, decoders, rng)
    genuine, fake = published([filmed, made], rng)
    rows = slice(None, None, 2) if rng.random() < _HALF_RATE else slice(len(genuine) - SEQUENCE, None)
    return genuine.taken(rows), fake.taken(rows)


def generated(rng: np.random.Generator) -> Burst:
    """A portrait of nobody, moved about as stills of portraits are."""
    seed = FIRST_SEED + int(rng.integers(2**30))
    picture = enlarged(_generator().portraits([seed])[0], _GENERATED_PX)
    points = apply(square_in_crop(_GENERATED_PX), TEMPLATE).astype(np.float32)
    return moved_about(Burst(picture[None], points[None], f"nobody {seed}", "portraits"), rng)


def crops_of(burst: Burst, shift: np.ndarray) -> np.ndarray:
    """Aligned crops uint8 (n, CROP, CROP, 3); landmarks are off by ``shift`` (n, 2) widths of the face."""
    off = shift[:, None] * burst.face_px
    return np.stack([
        aligned_crop(frame, points, CROP, COVERAGE)
        for frame, points in zip(burst.frames, burst.landmarks + off, strict=True)
    ])  # fmt: skip


def make_shard(work: Work) -> None:
    """Make one shard; what it holds follows from its split and number alone."""
    rng = np.random.default_rng((work.number, get_args(Split).index(work.split), 0xFACE))
    sources, decoders = _sources(work.pairs, work.split), _decoders(work.redrawers)
    images = np.empty((SHARD, 2, SEQUENCE, CROP, CROP, 3), np.uint8)
    told = []
    for row in range(SHARD):
        kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        genuine, fake = couple(sources, decoders, kind, rng)
        shift = rng.normal(0, _UNSURE, (SEQUENCE, 2))
        images[row] = crops_of(genuine, shift), crops_of(fake, shift)
        told.append({"kind": kind, "footage": genuine.kind, "person": genuine.person})
    with atomic_write(work.out / f"{work.split}_{work.number:04d}.npy") as temporary, temporary.open("wb") as file:
        np.save(file, images)
    write_text(work.out / f"{work.split}_{work.number:04d}.json", json.dumps(told))


@cache
def _sources(pairs: Path, split: Split) -> Sources:
    return load_sources(Path(os.environ["LIKENESS_DATA"]), pairs, split)


@cache
def _generator() -> PortraitModel:
    return PortraitModel.load()


@cache
def _decoders(redrawers: Path) -> Decoders:
    return Decoders.of(load_redrawers(redrawers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="what `python -m training.detectors.film` filmed")
    parser.add_argument("redrawers", type=Path, help="what `python -m training.detectors.redrawers` trained")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=3000, help="couples")
    parser.add_argument("--validation", type=int, default=300, help="couples")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    splits: list[tuple[Split, int]] = [("validation", options.validation), ("train", options.train)]
    shards = [
        Work(split, number, options.pairs, options.redrawers, options.out)
        for split, couples in splits
        for number in range(-(-couples // SHARD))
        if not (options.out / f"{split}_{number:04d}.json").is_file()
    ]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawning, initializer=_start_worker) as pool:
        try:
            for _ in tracked(pool.map(make_shard, shards), "Making", total=len(shards), unit="shards"):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the workers after their shard
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
