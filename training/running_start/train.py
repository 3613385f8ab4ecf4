"""Train the running start of `light`: one encoder, one decoder for all, and a network that bends it to a person's
looks.

    LIKENESS_DATA=… python -m training.running_start.train PEOPLE -o RUN [--steps 12000] [--resume]

PEOPLE is what `python -m training.people.film` filmed. All people of a group give the same poses in the same scenes,
so a perfect swap is known: the network sees person A in one scene, a few pictures of B in a scene, and has to give B's
picture in that scene and in A's pose:

    B'(t, k) = D(E(warp A(s, k)); L(B(t, i)), …),   loss |B' − B(t, k)|, weighted as in `light`'s own recipe.

So its code cannot carry who A is, or A's light. In a third of the examples B is A, as in the training that follows.
"""

import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.faces.align import COVERAGE
from likeness.files import atomic_write
from likeness.make.batches import face_parts
from likeness.make.compute import autocast, keep_freed_memory, pick_device
from likeness.make.losses import Targets, face_error, reconstruction_loss
from likeness.make.networks.autoencoder import Decoded
from likeness.make.networks.layers import SLOPE
from likeness.make.networks.light import SIZE, Decoder, colours_within, encoder
from likeness.make.networks.looks import LookEncoder, Modulation
from likeness.make.recipes import recipe_for
from likeness.make.warp import Crops, Warped, centre_view, random_warp
from likeness.progress import progress
from training.people.film import CROP
from training.people.groups import People, load_people

RECIPE = recipe_for("light")
VIEW = COVERAGE / RECIPE.coverage


@dataclass(frozen=True)
class TrainSettings:
    """``batch`` people are looked at in a step, by ``looks`` pictures each; the other poses are to be made."""

    steps: int = 12000
    batch: int = 12
    looks: int = 2
    same_share: float = 0.33
    learning_rate: float = 1e-3
    warm_up: int = 100
    averaging: float = 0.999
    seed: int = 1
    report_every: int = 100
    save_every: int = 500


@dataclass(frozen=True, eq=False)
class Filmed:
    """Groups in memory: ``colours`` uint8 (g, p, s, k, 3, 168, 168), ``parts`` uint8 (g, p, s, k, 2, 42, 42).

    ``views`` uint8 (g, p, s, k, 3, size, size) are what the network sees of them; ``mean`` and ``deviation`` (g, p, s,
    3, 1, 1) describe each person's colours in each scene.
    """

    colours: Tensor
    parts: Tensor
    views: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, people: People) -> "Filmed":
        shape = people.landmarks.shape[:4]
        parts = torch.from_numpy(np.stack([face_parts(one, CROP) for one in people.landmarks.reshape(-1, 68, 2)]))
        colours = torch.from_numpy(people.images).permute(0, 1, 2, 3, 6, 4, 5).contiguous()
        views, means, deviations = [], [], []
        sets = zip(colours.flatten(0, 2), parts.view(-1, shape[3], *parts.shape[1:]), strict=True)
        for crops in sets:
            seen = centre_view(Crops(*crops), SIZE, VIEW)
            mean, deviation = colours_within(seen.colours / 255, seen.parts[:, :1] / 255)
            views.append(seen.colours.round().byte())
            means.append(mean)
            deviations.append(deviation)
        return cls(
            colours,
            parts.view(*shape, *parts.shape[1:]),
            torch.stack(views).view(*shape, 3, SIZE, SIZE),
            *(torch.stack(column).view(*shape[:3], 3, 1, 1) for column in (means, deviations)),
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """``warped``: inputs are A's, the straight views B's (n, …); ``mean`` and ``deviation`` (n, 3, 1, 1) of A's
    colours.

    For each of the m people to be made: ``looks`` (m, l, 3, size, size) standardised by their own colours, and their
    mean ``face`` (m, 3, size, size); ``of`` int64 (n,) says who is in which example.
    """

    warped: Warped
    mean: Tensor
    deviation: Tensor
    looks: Tensor
    face: Tensor
    of: Tensor


def draw(filmed: Filmed, settings: TrainSettings, rng: np.random.Generator) -> Batch:
    """A random batch: ``batch`` people in a scene, and for each pose that is not looked at one example."""
    groups, people, scenes, poses = filmed.colours.shape[:4]
    inputs, targets, parts, means, deviations, looks, faces, of = [], [], [], [], [], [], [], []
    for number in range(settings.batch):
        group, b, t = (int(rng.integers(count)) for count in (groups, people, scenes))
        order = rng.permutation(poses)
        views = filmed.views[group, b, t].float() / 255
        own = filmed.mean[group, b, t], filmed.deviation[group, b, t]
        looks.append((views[order[: settings.looks]] - own[0]) / own[1])
        faces.append(views.mean(0))
        for k in order[settings.looks :]:
            a = b if rng.random() < settings.same_share else int(rng.integers(people))
            s = int(rng.integers(scenes))
            inputs.append(filmed.colours[group, a, s, k])
            targets.append(filmed.colours[group, b, t, k])
            parts.append(filmed.parts[group, b, t, k])
            means.append(filmed.mean[group, a, s])
            deviations.append(filmed.deviation[group, a, s])
            of.append(number)
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    made = Crops(torch.stack(targets), torch.stack(parts))
    shown = random_warp(made, SIZE, VIEW, RECIPE.warp, random, torch.stack(inputs))
    colours = torch.stack(means), torch.stack(deviations)
    return Batch(shown, *colours, torch.stack(looks), torch.stack(faces), torch.tensor(of))


class Conditional(nn.Module):
    """Encoder, decoder for all, and looks."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder(), Decoder()
        sizes = {name: (layer.in_channels, layer.out_channels) for name, layer in self.decoder.layers().items()}
        self.looks = LookEncoder(sizes)
        self.decoder.face.requires_grad_(False)

    def forward(self, batch: Batch) -> Decoded:
        codes = self.encoder((batch.warped.inputs / 255 - batch.mean) / batch.deviation)
        people, looks = batch.looks.shape[:2]
        style = self.looks(batch.looks.flatten(0, 1)).view(people, looks, -1).mean(1)
        return self.decoded(codes, self.looks.scales(style[batch.of]), batch.face[batch.of])

    def decoded(self, codes: Tensor, bent: dict[str, Modulation], face: Tensor) -> Decoded:
        """The decoder on ``codes`` with its layers bent for each example, over each one's mean ``face``."""
        maps = codes
        layers = self.decoder.layers()
        for name in list(layers)[:-1]:
            maps = F.pixel_shuffle(_bent(maps, layers[name], bent[name], SLOPE), 2)
        painted = _bent(maps, self.decoder.paint, bent["paint"], 1.0)
        return Decoded(face + self.decoder.unfold(painted[:, 1:]), painted[:, :1].sigmoid())


def _bent(maps: Tensor, layer: nn.Conv2d, bent: Modulation, slope: float) -> Tensor:
    result = layer(maps * bent.scale[:, :, None, None].to(maps.dtype)) + bent.shift[:, :, None, None].to(maps.dtype)
    return F.leaky_relu(result, slope) if slope < 1 else result


def train(people: Path, out: Path, settings: TrainSettings, resume: bool) -> None:
    """Train, and write RUN/state.pt, RUN/running_start.safetensors and RUN/preview.png now and then."""
    keep_freed_memory()
    torch.manual_seed(settings.seed)
    device = pick_device()
    filmed, held = Filmed.of(load_people(people, "train")), Filmed.of(load_people(people, "validation"))
    model = Conditional().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(model).eval()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], betas=RECIPE.betas, fused=True)
    begun = 0
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        state = torch.load(out / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        begun = state["step"]
    total, started = torch.zeros(()), time.monotonic()
    with progress("Training", total=settings.steps, unit="steps") as job:
        job.advance(begun)
        for step in range(begun, settings.steps):
            fall = 0.02 + 0.98 * (1 + math.cos(math.pi * step / settings.steps)) / 2
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * min(1.0, (step + 1) / settings.warm_up) * fall
            batch = draw(filmed, settings, np.random.default_rng((settings.seed, step)))
            with autocast(device):
                decoded = model(batch)
            loss = reconstruction_loss(decoded, Targets.of(batch.warped), RECIPE.losses)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average(averaged, model, min(settings.averaging, (1 + step) / (10 + step)))
            total += loss.detach()
            job.advance()
            if (step + 1) % settings.report_every == 0:
                mean, total = float(total) / settings.report_every, torch.zeros(())
                print(f"step {step + 1}: loss {mean:.4f}, {time.monotonic() - started:.0f} s", flush=True)
            if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
                print(f"step {step + 1}: held out {held_out(averaged, held, settings):.4f}", flush=True)
                save(out, model, averaged, optimizer, step + 1)


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """The running mean of the weights."""
    for mean, current in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)


@torch.no_grad()
def held_out(model: Conditional, held: Filmed, settings: TrainSettings) -> float:
    """Mean absolute error inside the faces of people never trained on, who are given another's pose."""
    errors = []
    for number in range(8):
        batch = draw(held, TrainSettings(batch=settings.batch, same_share=0), np.random.default_rng((7, number)))
        with autocast(batch.face.device):
            decoded = model(batch)
        errors.append(face_error(decoded, Targets.of(batch.warped)))
    return float(torch.cat(errors).mean())


def save(out: Path, model: Conditional, averaged: Conditional, optimizer: torch.optim.Optimizer, step: int) -> None:
    """What resuming needs, and the weights to ship in bf16, without the picture that every person brings."""
    state = {"model": model.state_dict(), "averaged": averaged.state_dict(), "optimizer": optimizer.state_dict()}
    with atomic_write(out / "state.pt") as temporary:
        torch.save({**state, "step": step}, temporary)
    weights = {
        name: tensor.detach().cpu().to(torch.bfloat16).contiguous()
        for name, tensor in averaged.state_dict().items()
        if name != "decoder.face"
    }
    with atomic_write(out / "running_start.safetensors") as temporary:
        save_file(weights, temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=TrainSettings.steps)
    parser.add_argument("--batch", type=int, default=TrainSettings.batch)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    settings = TrainSettings(steps=options.steps, batch=options.batch)
    train(options.people, options.out, settings, options.resume)


if __name__ == "__main__":
    main()
