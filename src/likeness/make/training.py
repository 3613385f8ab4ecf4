"""One training of a face swap, step by step: A' = D_A(E(warp A)), B' = D_B(E(warp B))."""

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from likeness.make.batches import Faces, draw_batch
from likeness.make.checkpoint import Progress
from likeness.make.compute import autocast
from likeness.make.losses import LossSettings, Targets, face_error, reconstruction_loss
from likeness.make.networks.autoencoder import SharedEncoderAutoencoder, Side
from likeness.make.recipes import Recipe
from likeness.make.warp import Crops, Warped, centre_view, random_warp

_ADAM_EPSILON = 1e-7  # of the 2018 recipe
_HELDOUT_FACES = 32  # a side at most; evaluating costs as much as so many faces of training
_FIRST_LOOK = 256  # faces a side that a network is shown before training
_PREVIEW_ROWS = 6


class Losses(NamedTuple):
    """Each side's reconstruction loss, scalars on the compute device."""

    a: Tensor
    b: Tensor


def reconstruction_step(
    network: SharedEncoderAutoencoder, warped_a: Warped, warped_b: Warped, settings: LossSettings,
    optimizer: torch.optim.Optimizer,
) -> Losses:  # fmt: skip
    """One step of L(D_A(E(warp a)), a) + L(D_B(E(warp b)), b), for faces float (n, 3, size, size) in [0, 255]."""
    with autocast(warped_a.inputs.device):
        decoded_a, decoded_b = network(_picture(warped_a.inputs), _picture(warped_b.inputs))
    loss_a = reconstruction_loss(decoded_a, Targets.of(warped_a), settings)
    loss_b = reconstruction_loss(decoded_b, Targets.of(warped_b), settings)
    optimizer.zero_grad()
    (loss_a + loss_b).backward()
    optimizer.step()
    return Losses(loss_a.detach(), loss_b.detach())


def _picture(inputs: Tensor) -> Tensor:
    return (inputs / 255).contiguous(memory_format=torch.channels_last)


class Training:
    """A network with its optimiser, its running mean and its faces, which can be stepped, judged and saved.

    All random numbers of an iteration follow from (seed, iteration), so a resumed training draws what an uninterrupted
    one would have drawn.
    """

    def __init__(self, recipe: Recipe, faces_a: Faces, faces_b: Faces, seed: int, batch: int | None = None) -> None:
        self.recipe = recipe
        self.faces: dict[Side, Faces] = {"a": faces_a, "b": faces_b}
        self.batch = batch or recipe.batch
        self.device = faces_a.crops.colours.device
        self.network = _fresh_network(recipe, self.faces, seed).placed_on(self.device)
        self.averaged = copy.deepcopy(self.network).eval() if recipe.averaging else self.network
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=recipe.learning_rate, betas=recipe.betas, eps=_ADAM_EPSILON, fused=True
        )
        self.progress = Progress(seed)
        self._views = {side: self._heldout_view(faces) for side, faces in self.faces.items()}

    def step(self, done: float) -> Losses:
        """One iteration; ``done`` in [0, 1] is the part of the budget that is spent, which sets the learning rate."""
        state, recipe = self.progress, self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, state.iteration, done)
        random = torch.Generator().manual_seed(_seed_of(state.seed, state.iteration))
        drawn = [draw_batch(faces, self.batch, random) for faces in self.faces.values()]
        crops = Crops(*(torch.cat(sides) for sides in zip(*drawn, strict=True)))
        warped = random_warp(crops, recipe.size, recipe.view, recipe.warp, random)
        warped_a, warped_b = (
            Warped(*halves) for halves in zip(*(part.split(self.batch) for part in warped), strict=True)
        )
        losses = reconstruction_step(self.network, warped_a, warped_b, recipe.losses, self.optimizer)
        state.iteration += 1
        if recipe.averaging:
            self._average()
        return losses

    @torch.no_grad()
    def heldout_errors(self) -> tuple[float, float]:
        """Mean absolute error inside the held-out faces of A and of B, undisturbed, in [0, 1]."""
        errors = []
        side: Side
        for side in ("a", "b"):
            targets = Targets.of(self._views[side])
            with autocast(self.device):
                rebuilt = self.averaged.translate(targets.images, side, side)
            errors.append(float(face_error(rebuilt, targets).mean()))
        return errors[0], errors[1]

    @torch.no_grad()
    def preview(self) -> list[np.ndarray]:
        """Six columns of held-out faces, float (rows, size, size, 3): A, A', A→B, B, B', B→A."""
        columns, count = [], min(_PREVIEW_ROWS, *(len(view.inputs) for view in self._views.values()))
        orders: tuple[tuple[Side, Side], ...] = (("a", "b"), ("b", "a"))
        for own, other in orders:
            faces = self._views[own].inputs
            faces = faces[_evenly(len(faces), count)] / 255
            with autocast(self.device):
                made = [self.averaged.translate(faces, own, side).images for side in (own, other)]
            columns += [_pixels(pictures) for pictures in (faces, *made)]
        return columns

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights that swaps use now."""
        return {name: tensor.detach().clone() for name, tensor in self.averaged.state_dict().items()}

    def _heldout_view(self, faces: Faces) -> Warped:
        """Up to 32 held-out faces evenly over their time, undisturbed."""
        chosen = faces.heldout[_evenly(len(faces.heldout), _HELDOUT_FACES)]
        return centre_view(faces.take(chosen), self.recipe.size, self.recipe.view)

    @torch.no_grad()
    def _average(self) -> None:
        """The running mean w̄ ← w̄ + (1 − decay)(w − w̄); its decay rises from the start, so that it soon forgets
        chance."""
        decay = min(self.recipe.averaging, (1 + self.progress.iteration) / (10 + self.progress.iteration))
        for mean, current in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)


def learning_rate(recipe: Recipe, iteration: int, done: float) -> float:
    """Linear warm-up over the first iterations, then, where the recipe decays, half a cosine over the budget."""
    rise = min(1.0, (iteration + 1) / recipe.warmup) if recipe.warmup else 1.0
    fall = recipe.final_rate + (1 - recipe.final_rate) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
    return recipe.learning_rate * rise * (fall if recipe.decay else 1.0)


def _fresh_network(recipe: Recipe, faces: dict[Side, Faces], seed: int) -> SharedEncoderAutoencoder:
    """A network with random weights that follow from ``seed``, shown the faces it is to learn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = recipe.build()
    for side, own in faces.items():
        sample = own.take(own.learnt[_evenly(len(own.learnt), _FIRST_LOOK)])
        view = centre_view(sample, recipe.size, recipe.view)
        network.start_from(side, view.colours.cpu() / 255, view.parts[:, :1].cpu() / 255)
    return network


def _seed_of(seed: int, iteration: int) -> int:
    """A seed for each iteration's random numbers, unlike that of any other seed and iteration."""
    return int(np.random.SeedSequence((seed, iteration)).generate_state(1, np.uint64)[0])


def _pixels(pictures: Tensor) -> np.ndarray:
    return pictures.float().permute(0, 2, 3, 1).cpu().numpy()


def _evenly(length: int, count: int) -> Tensor:
    """Up to ``count`` indices spread evenly over ``length`` things."""
    return torch.linspace(0, length - 1, min(count, length)).round().long()
