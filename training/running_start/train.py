"""Train the running start of `flow`: one network that draws anybody, from a few pictures, in anybody's pose and light.

    LIKENESS_DATA=… python -m training.running_start.train PEOPLE -o RUN [--steps 12000] [--resume]

PEOPLE is what `python -m training.people.film` filmed. All people of a group give the same poses in the same scenes,
so a perfect swap is known: the network sees person A in scene s and pose k, a few pictures of B in scene t, and has to
give B in scene s and pose k,

    B'(s, k) = G(warp A(s, k); B(t, i), B(t, j)),   loss |B' − B(s, k)|, weighted as in `flow`'s own recipe,

all in colours standardised by each person's own in each scene. So it takes pose, expression and shading from A and all
else from B. In some of the examples A is B, as in the training that follows. A second, small task is to say how a face
is turned and how far eyes and mouth are open, by which `flow` chooses its references.
"""

import argparse
import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from likeness.faces.align import COVERAGE
from likeness.files import atomic_write
from likeness.make.batches import face_parts
from likeness.make.compute import autocast, keep_freed_memory, pick_device
from likeness.make.losses import Targets, face_error, reconstruction_loss
from likeness.make.networks.autoencoder import Decoded
from likeness.make.networks.flow import SIZE, Drawer
from likeness.make.networks.standardise import colours_within
from likeness.make.recipes import recipe_for
from likeness.make.warp import Crops, Warped, centre_view, random_warp
from likeness.progress import progress
from training.averaging import average, decay_at
from training.people.film import CROP
from training.people.groups import People, load_people
from training.running_start.critic import Critic, critic_loss, drawer_loss
from training.schedule import half_cosine, rise, set_learning_rate

RECIPE = recipe_for("flow")
VIEW = COVERAGE / RECIPE.coverage
POSE_DEG = 30.0  # a measure of 1
_MIRRORED = (-1.0, 1.0, -1.0)  # yaw, pitch and roll of a face in the mirror


@dataclass(frozen=True)
class TrainSettings:
    """In a step, about ``batch`` faces are drawn: people from as many pictures each as ``references`` has at random, in
    their other poses.

    ``same_share`` of the examples are driven by the person who is drawn, ``blurred`` of the driving faces are small or
    noisy, and half of all are mirrored. ``measures`` weighs the second task, ``adversarial`` the critic's word from the
    part ``adversarial_from`` of the steps on.
    """

    steps: int = 12000
    batch: int = 24
    references: tuple[int, ...] = (2, 3)
    same_share: float = 0.25
    blurred: float = 0.3
    measures: float = 0.02
    adversarial: float = 0.02
    adversarial_from: float = 0.4
    learning_rate: float = 1e-3
    final_rate: float = 0.02
    warm_up: int = 100
    averaging: float = 0.998
    seed: int = 1
    report_every: int = 100
    save_every: int = 500


@dataclass(frozen=True, eq=False)
class Filmed:
    """Groups in memory: ``colours`` uint8 (g, p, s, k, 3, 168, 168), ``parts`` uint8 (g, p, s, k, 2, 42, 42).

    ``views`` uint8 (g, p, s, k, 3, size, size) are what the network sees of them; ``mean`` and ``deviation`` (g, p, s,
    3, 1, 1) describe each person's colours in each scene, ``measures`` float32 (g, p, s, k, 7) pose and expression.
    """

    colours: Tensor
    parts: Tensor
    views: Tensor
    mean: Tensor
    deviation: Tensor
    measures: Tensor

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
        mean, deviation = (torch.stack(column).view(*shape[:3], 3, 1, 1) for column in (means, deviations))
        return cls(
            colours,
            parts.view(*shape, *parts.shape[1:]),
            torch.stack(views).view(*shape, 3, SIZE, SIZE),
            mean,
            deviation,
            torch.from_numpy(measured(people)),
        )


def measured(people: People) -> np.ndarray:
    """What `Drawer.measures` is to say: float32 (groups, people, scenes, poses, 7)."""
    points = people.landmarks

    def apart(one: int, other: int) -> np.ndarray:
        return np.linalg.norm(points[..., one, :] - points[..., other, :], axis=-1)

    right, left = (
        (apart(first + 1, first + 5) + apart(first + 2, first + 4)) / apart(first, first + 3) - 0.5
        for first in (36, 42)
    )
    across = apart(36, 45)  # from outer to outer corner of the eyes
    head = np.broadcast_to(people.head[:, None, None] / POSE_DEG, (*points.shape[:4], 3))
    mouth = np.stack([right, left, 4 * apart(62, 66) / across, 4 * (apart(48, 54) / across - 0.6)], axis=-1)
    return np.concatenate([head, mouth], axis=-1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Batch:
    """``warped``: inputs are A's, straight views B's (n, …); ``driver`` and ``drawn`` are mean and deviation, each (n,
    3, 1, 1), of A's and B's colours in that scene; ``measures`` (n, 7) A's.

    For each of the m people to be drawn: ``references`` (m, r, 3, size, size) standardised by their own colours;
    ``of`` int64 (n,) says who is in which example.
    """

    warped: Warped
    driver: tuple[Tensor, Tensor]
    drawn: tuple[Tensor, Tensor]
    references: Tensor
    of: Tensor
    measures: Tensor


def draw(filmed: Filmed, settings: TrainSettings, rng: np.random.Generator) -> Batch:
    """A random batch: people in a scene, and for each pose that is not a reference one example."""
    groups, people, scenes, poses = filmed.colours.shape[:4]
    count = int(rng.choice(settings.references))
    inputs, targets, parts, references, of, measures = [], [], [], [], [], []
    colours: list[tuple[Tensor, ...]] = []
    for number in range(settings.batch // (poses - count)):
        group, b, t = (int(rng.integers(count)) for count in (groups, people, scenes))
        mirrored = (lambda maps: maps.flip(-1)) if rng.random() < 0.5 else (lambda maps: maps)
        order = rng.permutation(poses)
        shown = mirrored(filmed.views[group, b, t][order[:count]].float() / 255)
        references.append((shown - filmed.mean[group, b, t]) / filmed.deviation[group, b, t])
        for k in order[count:]:
            a = b if rng.random() < settings.same_share else int(rng.integers(people))
            s = int(rng.integers(scenes))
            inputs.append(mirrored(filmed.colours[group, a, s, k]))
            targets.append(mirrored(filmed.colours[group, b, s, k]))
            parts.append(mirrored(filmed.parts[group, b, s, k]))
            colours.append(tuple(stored[group, who, s] for who in (a, b) for stored in (filmed.mean, filmed.deviation)))
            said = filmed.measures[group, a, s, k]
            measures.append(in_mirror(said) if mirrored(torch.arange(2))[0] else said)
            of.append(number)
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    made = Crops(torch.stack(targets), torch.stack(parts))
    shown = random_warp(made, SIZE, VIEW, RECIPE.warp, random, torch.stack(inputs))
    worse = [degraded(face, rng) if rng.random() < settings.blurred else face for face in shown.inputs]
    a_mean, a_deviation, b_mean, b_deviation = (torch.stack(column) for column in zip(*colours, strict=True))
    return Batch(
        shown._replace(inputs=torch.stack(worse)),
        (a_mean, a_deviation),
        (b_mean, b_deviation),
        torch.stack(references),
        torch.tensor(of),
        torch.stack(measures),
    )


def in_mirror(said: Tensor) -> Tensor:
    """Measures (7,) of the same face in a mirror."""
    return torch.cat([said[:3] * torch.tensor(_MIRRORED), said[[4, 3]], said[5:]])


def degraded(face: Tensor, rng: np.random.Generator) -> Tensor:
    """``face`` (3, size, size) in [0, 255] as if filmed smaller, by a worse camera."""
    small = F.interpolate(face[None], scale_factor=float(rng.uniform(0.3, 1.0)), mode="area")
    large = F.interpolate(small, size=face.shape[-1], mode="bilinear", align_corners=False)[0]
    noise = torch.from_numpy(rng.standard_normal(face.shape, dtype=np.float32)) * float(rng.uniform(0, 8))
    return (large + noise).clamp(0, 255)


def made(model: Drawer, batch: Batch) -> tuple[Decoded, Tensor]:
    """The faces that ``model`` draws, in the targets' colours, and what it measures."""
    mean, deviation = batch.drawn
    with autocast(mean.device):
        features = model.seen((batch.warped.inputs / 255 - batch.driver[0]) / batch.driver[1])
        drawn = model(features, model.references(batch.references), batch.of)
        measures = model.measures(features)
    face, draft = (colours * deviation + mean for colours in (drawn.face, drawn.moved))
    return Decoded(face, drawn.mask, draft=draft), measures.float()


def train(people: Path, out: Path, settings: TrainSettings, resume: bool) -> None:
    """Train, and write RUN/state.pt, RUN/running_start.safetensors and RUN/preview.png now and then."""
    keep_freed_memory()
    torch.manual_seed(settings.seed)
    device = pick_device()
    filmed, held = Filmed.of(load_people(people, "train")), Filmed.of(load_people(people, "validation"))
    model = Drawer().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(model).eval()
    critic = Critic().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), betas=RECIPE.betas, fused=True)
    critic_optimizer = torch.optim.Adam(critic.parameters(), betas=(0.0, 0.99), fused=True)  # R3GAN's
    parts: dict[str, Any] = {"model": model, "averaged": averaged, "optimizer": optimizer, "critic": critic,
             "critic_optimizer": critic_optimizer}  # fmt: skip
    begun = 0
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        state = torch.load(out / "state.pt", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        begun = state["step"]
    total, started = torch.zeros(()), time.monotonic()
    with progress("Training", total=settings.steps, unit="steps") as job:
        job.advance(begun)
        for step in range(begun, settings.steps):
            fall = settings.final_rate + (1 - settings.final_rate) * half_cosine(step, settings.steps)
            for one in (optimizer, critic_optimizer):
                set_learning_rate(one, settings.learning_rate * rise(step, settings.warm_up) * fall)
            batch = draw(filmed, settings, np.random.default_rng((settings.seed, step)))
            decoded, measures = made(model, batch)
            loss = reconstruction_loss(decoded, Targets.of(batch.warped), RECIPE.losses)
            loss = loss + settings.measures * (measures - batch.measures).abs().mean()
            if step >= settings.adversarial_from * settings.steps:
                loss = loss + settings.adversarial * critic_step(critic, critic_optimizer, batch, decoded)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average(averaged, model, decay_at(step, settings.averaging))
            total += loss.detach()
            job.advance()
            if (step + 1) % settings.report_every == 0:
                mean, total = float(total) / settings.report_every, torch.zeros(())
                print(f"step {step + 1}: loss {mean:.4f}, {time.monotonic() - started:.0f} s", flush=True)
            if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
                print(f"step {step + 1}: {held_out(averaged, held, settings)}", flush=True)
                save(out, parts, averaged, step + 1)
                save_preview(out / "preview.png", averaged, held, settings)


def critic_step(critic: Critic, optimizer: torch.optim.Optimizer, batch: Batch, decoded: Decoded) -> Tensor:
    """One step of the critic; what it then says of the faces drawn."""
    true = batch.warped.colours / 255
    with autocast(true.device):
        critic.requires_grad_(True)
        loss = critic_loss(critic, true, decoded.images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        critic.requires_grad_(False)
        return drawer_loss(critic, true, decoded.images)


@torch.no_grad()
def held_out(model: Drawer, held: Filmed, settings: TrainSettings) -> str:
    """Mean absolute errors for people never trained on, who are given another's pose: inside the face, of the moved
    references alone, and of the measures."""
    errors, drafts, said = [], [], []
    for number in range(8):
        batch = draw(held, TrainSettings(batch=settings.batch, same_share=0), np.random.default_rng((7, number)))
        decoded, measures = made(model, batch)
        targets = Targets.of(batch.warped)
        assert decoded.draft is not None
        errors.append(face_error(decoded, targets))
        drafts.append(face_error(Decoded(decoded.draft, None), targets))
        said.append((measures - batch.measures).abs().mean(1))
    face, draft, measure = (float(torch.cat(column).mean()) for column in (errors, drafts, said))
    return f"held out {face:.4f}, moved only {draft:.4f}, measures {measure:.3f}"


def save(out: Path, parts: dict[str, Any], averaged: Drawer, step: int) -> None:
    """What resuming needs, and the weights to ship, in bf16."""
    with atomic_write(out / "state.pt") as temporary:
        torch.save({**{name: part.state_dict() for name, part in parts.items()}, "step": step}, temporary)
    weights = {
        name: tensor.detach().cpu().to(torch.bfloat16).contiguous() for name, tensor in averaged.state_dict().items()
    }
    with atomic_write(out / "running_start.safetensors") as temporary:
        save_file(weights, temporary)


@torch.no_grad()
def save_preview(path: Path, model: Drawer, held: Filmed, settings: TrainSettings) -> None:
    """Rows: driving faces, a reference, the moved references, the face drawn, the true one."""
    batch = draw(held, TrainSettings(batch=settings.batch, same_share=0), np.random.default_rng(5))
    decoded, _ = made(model, batch)
    assert decoded.draft is not None
    reference = batch.references[batch.of, 0] * batch.drawn[1] + batch.drawn[0]
    rows = (batch.warped.inputs / 255, reference, decoded.draft, decoded.images, batch.warped.colours / 255)
    sheet = torch.cat([torch.cat(list(row[::3].clamp(0, 1)), 2) for row in rows], 1)
    with atomic_write(path) as temporary:
        Image.fromarray((255 * sheet).byte().permute(1, 2, 0).numpy()).save(temporary, "PNG")


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
