"""One training of a face swap, iteration by iteration: A' = D_A(E(warp A)), B' = D_B(E(warp B))."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from likeness.make.batches import Faces, draw_batch
from likeness.make.checkpoint import Parts, Progress
from likeness.make.compute import autocast, can_compile
from likeness.make.losses import Targets, face_error
from likeness.make.losses.perceptual import Features, foreign_features, own_features
from likeness.make.networks.autoencoder import Side, SwapNetwork
from likeness.make.parallel import Alone, Group
from likeness.make.phases import Phase
from likeness.make.rate_dropout import step_with_dropout
from likeness.make.recipes import Recipe
from likeness.make.steps import Objective, Views, critic_gradients, generator_gradients
from likeness.make.warp import Crops, Warped, centre_view, random_warp

ADAM_EPSILON = 1e-7  # of the 2018 recipe

_HELDOUT_FACES = 32  # a side at most; evaluating costs as much as so many faces of training
_FIRST_LOOK = 256  # faces a side that a network is shown before training
_PREVIEW_ROWS = 6

Start = Literal["faces", "noise"]


@dataclass(frozen=True)
class StepSettings:
    """How an iteration is made up.

    ``batch`` counts faces a side, None the recipe's; ``accumulate`` so many batches make one step. ``start`` begins
    from weights that know ``faces``, where the architecture has them, or from ``noise``. ``perceptual`` names a
    TorchScript file of feature maps for the perceptual loss instead of our own network.
    """

    batch: int | None = None
    accumulate: int = 1
    start: Start = "faces"
    perceptual: Path | None = None


class Losses(NamedTuple):
    """Each side's loss, and where there are discriminators theirs and the part they call rightly; scalars."""

    a: Tensor
    b: Tensor
    critic: Tensor | None = None
    accuracy: Tensor | None = None


class Training:
    """A network with its optimiser, its running mean and its faces, which can be stepped, judged and saved.

    All random numbers of an iteration follow from (seed, iteration), so a resumed training draws what an uninterrupted
    one would have drawn. ``group`` are the processes that train together, each on a GPU of its own.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces_a: Faces,
        faces_b: Faces,
        seed: int,
        settings: StepSettings | None = None,
        group: Group | None = None,
    ) -> None:
        settings = settings or StepSettings()
        self.recipe, self.group = recipe, group or Alone()
        self.faces: dict[Side, Faces] = {"a": faces_a, "b": faces_b}
        self.batch, self.accumulate = settings.batch or recipe.batch, settings.accumulate
        self.device = faces_a.crops.colours.device
        self.network = _fresh_network(recipe, self.faces, seed, settings.start).placed_on(self.device)
        self.averaged = copy.deepcopy(self.network).eval() if recipe.averaging else self.network
        self.optimizer = _adam(self.network, recipe.learning_rate, recipe)
        self.critics = _fresh_critics(recipe, seed, self.device)
        self.critic_optimizer = None if self.critics is None else _adam(self.critics, recipe.critic_rate, recipe)
        self.features = _features(recipe, settings.perceptual, self.device)
        self.progress = Progress(seed)
        self._views = {side: self._heldout_view(faces) for side, faces in self.faces.items()}
        if can_compile(self.device):
            self.network.compile()

    def step(self, done: float | None) -> Losses:
        """One iteration. ``done`` in [0, 1] is the part of the budget that is spent, which sets phase and learning
        rate; None where there is no budget."""
        state, recipe = self.progress, self.recipe
        phase = recipe.phase(state.iteration, done)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, state.iteration, done or 0.0)
        seed = _seed_of(state.seed, state.iteration, self.group.rank)
        random = torch.Generator().manual_seed(seed)
        critics = self.critics if phase.losses.adversarial else None
        objective = Objective(phase.losses, critics, self.features)
        made_of = [self._gradients(objective, phase, random) for _ in range(self.accumulate)]
        self._move(phase, critics, seed)
        state.iteration += 1
        if recipe.averaging:
            self._average()
        return _mean(made_of)

    def _gradients(self, objective: Objective, phase: Phase, random: torch.Generator) -> Losses:
        """One batch: gradients for the generator and, where there are discriminators, for them."""
        views, share = self._draw(phase, random), 1 / self.accumulate
        made, losses = generator_gradients(self.network, views, objective, share)
        if objective.critics is None:
            return Losses(losses["a"], losses["b"])
        judged = critic_gradients(objective.critics, made, views, random, share)
        return Losses(losses["a"], losses["b"], judged.loss, judged.accuracy)

    def _move(self, phase: Phase, critics: nn.ModuleDict | None, seed: int) -> None:
        """Step along the gradients, averaged over all processes."""
        self.group.average_gradients(self.network)
        if phase.rate_dropout:
            step_with_dropout(self.optimizer, phase.rate_dropout, seed)
        else:
            self.optimizer.step()
        self.optimizer.zero_grad()
        if critics is not None and self.critic_optimizer is not None:
            self.group.average_gradients(critics)
            self.critic_optimizer.step()
            self.critic_optimizer.zero_grad()

    def _draw(self, phase: Phase, random: torch.Generator) -> Views:
        """A batch of both sides, disturbed as the phase says."""
        drawn = [draw_batch(faces, self.batch, random) for faces in self.faces.values()]
        crops = Crops(*(torch.cat(sides) for sides in zip(*drawn, strict=True)))
        warped = random_warp(crops, self.recipe.size, self.recipe.view, phase.warp, random)
        halves = zip(*(part.split(self.batch) for part in warped), strict=True)
        warped_a, warped_b = (Warped(*half) for half in halves)
        return {"a": warped_a, "b": warped_b}

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

    def parts(self) -> Parts:
        """Everything that a checkpoint holds."""
        modules: dict[str, nn.Module] = {"network": self.network}
        optimizers: dict[str, torch.optim.Optimizer] = {"optimizer": self.optimizer}
        if self.averaged is not self.network:
            modules["averaged"] = self.averaged
        if self.critics is not None and self.critic_optimizer is not None:
            modules["critics"], optimizers["critic_optimizer"] = self.critics, self.critic_optimizer
        return Parts(modules, optimizers)

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        modules = self.parts().modules.values()
        return all(bool(weight.isfinite().all()) for module in modules for weight in module.parameters())

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


def _fresh_network(recipe: Recipe, faces: dict[Side, Faces], seed: int, start: Start) -> SwapNetwork:
    """A network with weights that follow from ``seed`` or know faces, shown the ones it is to learn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = recipe.build()
    if start == "faces":
        network.running_start()
    for side, own in faces.items():
        sample = own.take(own.learnt[_evenly(len(own.learnt), _FIRST_LOOK)])
        view = centre_view(sample, recipe.size, recipe.view)
        network.start_from(side, view.colours.cpu() / 255, view.parts[:, :1].cpu() / 255)
    return network


def _fresh_critics(recipe: Recipe, seed: int, device: torch.device) -> nn.ModuleDict | None:
    """Discriminators with random weights that follow from ``seed``, where a phase asks them."""
    if recipe.critic is None or not recipe.uses("adversarial"):
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critics = recipe.critic()
    return critics.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _features(recipe: Recipe, file: Path | None, device: torch.device) -> Features | None:
    if not recipe.uses("perceptual"):
        return None
    return own_features(recipe.coverage, device) if file is None else foreign_features(file, device)


def _adam(module: nn.Module, rate: float, recipe: Recipe) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=rate, betas=recipe.betas, eps=ADAM_EPSILON, fused=True)


def _mean(batches: list[Losses]) -> Losses:
    """The mean of the losses of several batches."""
    if len(batches) == 1:
        return batches[0]
    columns = zip(*batches, strict=True)
    return Losses(*(None if column[0] is None else torch.stack(column).mean() for column in columns))  # type: ignore[arg-type]


def _seed_of(seed: int, iteration: int, rank: int = 0) -> int:
    """A seed for each iteration's random numbers, unlike that of any other seed, iteration and process."""
    words = (seed, iteration, rank) if rank else (seed, iteration)
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])


def _pixels(pictures: Tensor) -> np.ndarray:
    return pictures.float().permute(0, 2, 3, 1).cpu().numpy()


def _evenly(length: int, count: int) -> Tensor:
    """Up to ``count`` indices spread evenly over ``length`` things."""
    return torch.linspace(0, length - 1, min(count, length)).round().long()
