"""Autoencoders that redraw any face: the hand of a swap program, without the months of training for one pair.

    LIKENESS_DATA=… python -m training.detectors.redrawers PAIRS -o REDRAWERS --minutes 6

Every swap by an autoencoder leaves through a decoder that has seen many faces pass a narrow place. What that does to
noise, pores, edges and frames is learnt by a few small autoencoders of different make (width of the narrow place, way
of enlarging), each kept at several stages of its training, on portraits and synthetic people together. They change
nobody's identity: `manipulate.py` gives them a face that has already been exchanged. REDRAWERS gets NAME.pt a stage.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.faces.align import aligned_crop
from likeness.files import atomic_write
from likeness.make.compute import autocast, keep_freed_memory
from likeness.progress import progress
from training.face_landmarks.data import load_portraits
from training.schedule import half_cosine, set_learning_rate

SIZE = 128
Rise = Literal["shuffle", "transposed", "bilinear"]


@dataclass(frozen=True)
class Make:
    """``code`` channels in a narrow place of ``side``² at 128 px; ``rise``: how the decoder enlarges; ``critic``:
    weight of a discriminator's word, which sharpens and invents."""

    name: str
    code: int
    side: int
    rise: Rise
    critic: float


MAKES = (
    Make("shuffle8", 96, 8, "shuffle", 0.0),
    Make("transposed16", 24, 16, "transposed", 0.0),
    Make("bilinear8", 128, 8, "bilinear", 0.03),
)
STAGES = (0.25, 0.55, 1.0)  # parts of the training after which the network is kept


def _block(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, 3, stride, 1), nn.LeakyReLU(0.1))


def _rise(channels: int, filters: int, how: Rise) -> nn.Module:
    if how == "shuffle":
        return nn.Sequential(nn.Conv2d(channels, 4 * filters, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(2))
    if how == "transposed":
        return nn.Sequential(nn.ConvTranspose2d(channels, filters, 4, 2, 1), nn.LeakyReLU(0.1))
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), *_block(channels, filters))


class Redrawer(nn.Module):
    """Faces float (n, 3, size, size) in [0, 1], size a multiple of 16, to the same redrawn."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        self.make = make
        downs = [_block(3, 24, 2), _block(24, 48, 2), _block(48, 96, 2)]
        ups = [_rise(96, 64, make.rise), _rise(64, 48, make.rise), _rise(48, 32, make.rise)]
        if make.side == 8:
            downs.append(_block(96, 128, 2))
            ups.insert(0, _rise(128, 96, make.rise))
        deep = 128 if make.side == 8 else 96
        self.encoder = nn.Sequential(*downs, nn.Conv2d(deep, make.code, 3, padding=1))
        self.decoder = nn.Sequential(_block(make.code, deep), *ups, nn.Conv2d(32, 3, 3, padding=1))

    def forward(self, faces: Tensor) -> Tensor:
        return self.decoder(self.encoder(faces)).sigmoid()


def _critic() -> nn.Sequential:
    return nn.Sequential(
        _block(3, 32, 2), _block(32, 64, 2), _block(64, 96, 2), nn.Conv2d(96, 1, 3, padding=1)
    )  # fmt: skip


def reconstruction_error(drawn: Tensor, faces: Tensor) -> Tensor:
    """Mean absolute error, and that of the differences between neighbouring pixels, which blur would take away."""
    error = (drawn - faces).abs().mean()
    for axis in (2, 3):
        error = error + (drawn.diff(dim=axis) - faces.diff(dim=axis)).abs().mean()
    return error


def faces_to_redraw(data: Path, pairs: Path) -> np.ndarray:
    """Portraits to train on and some frames of filmed people, as crops uint8 (n, 128, 128, 3)."""
    portraits = load_portraits(data, "train")
    crops = [aligned_crop(*pair, SIZE) for pair in zip(portraits.images, portraits.landmarks, strict=True)]
    for path in sorted(pairs.glob("pair_*.npz")):
        stored = np.load(path)
        images, landmarks = stored["images"][:, :, ::6], stored["landmarks"][:, :, ::6]
        for image, points in zip(images.reshape(-1, *images.shape[-3:]), landmarks.reshape(-1, 68, 2), strict=True):
            crops.append(aligned_crop(image, points, SIZE))
    return np.stack(crops)


def train(make: Make, crops: np.ndarray, minutes: float, out: Path, seed: int) -> None:
    """Train one redrawer for ``minutes`` of processor time and write it at every stage."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Redrawer(make)
    critic = _critic()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    critic_optimizer = torch.optim.AdamW(critic.parameters(), lr=4e-4, betas=(0.5, 0.99))
    cpu = torch.device("cpu")
    begun, kept, step = _seconds(), 0, 0
    with progress(make.name, minutes * 60, "s") as job:
        shown = 0.0
        while kept < len(STAGES):
            done = (_seconds() - begun) / (60 * minutes)
            set_learning_rate(optimizer, 1e-3 * (0.02 + half_cosine(min(done, 1.0))))
            chosen = crops[rng.integers(len(crops), size=16)]
            if rng.random() < 0.5:
                chosen = chosen[:, :, ::-1]
            faces = torch.from_numpy(np.ascontiguousarray(chosen)).permute(0, 3, 1, 2).float() / 255
            with autocast(cpu):
                drawn = network(faces)
            loss = reconstruction_error(drawn.float(), faces)
            if make.critic and done > 0.3:
                with autocast(cpu):
                    word = critic(drawn)
                loss = loss + make.critic * F.softplus(-word.float()).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if make.critic and done > 0.25:
                with autocast(cpu):
                    of_true, of_drawn = critic(faces), critic(drawn.detach())
                worth = F.softplus(-of_true.float()).mean() + F.softplus(of_drawn.float()).mean()
                critic_optimizer.zero_grad(set_to_none=True)
                worth.backward()
                critic_optimizer.step()
            step += 1
            job.advance(60 * minutes * done - shown)
            shown = 60 * minutes * done
            if step % 50 == 0:
                job.note(f"step {step}, error {loss.item():.4f}")
            while kept < len(STAGES) and done >= STAGES[kept]:
                with atomic_write(out / f"{make.name}_{kept}.pt") as temporary:
                    torch.save({"make": vars(make), "network": network.state_dict()}, temporary)
                print(f"{make.name} stage {kept}: step {step}, error {loss.item():.4f}", flush=True)
                kept += 1


def load_redrawers(folder: Path) -> dict[str, Redrawer]:
    """All redrawers in ``folder``, by name and stage."""
    networks = {}
    for path in sorted(folder.glob("*.pt")):
        stored = torch.load(path, weights_only=True)
        network = Redrawer(Make(**stored["make"]))
        network.load_state_dict(stored["network"])
        networks[path.stem] = network.eval()
    return networks


def _seconds() -> float:
    times = os.times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="what `python -m training.detectors.film` filmed")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0, help="of processor time for each")
    options = parser.parse_args()
    keep_freed_memory()
    options.out.mkdir(parents=True, exist_ok=True)
    crops = faces_to_redraw(Path(os.environ["LIKENESS_DATA"]), options.pairs)
    print(f"{len(crops)} faces", flush=True)
    for seed, make in enumerate(MAKES):
        if not (options.out / f"{make.name}_{len(STAGES) - 1}.pt").is_file():
            train(make, crops, options.minutes, options.out, seed)


if __name__ == "__main__":
    main()
