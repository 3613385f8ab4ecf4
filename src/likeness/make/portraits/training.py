"""One training of a portrait model, step by step: R3GAN with adaptive augmentation and an averaged generator.

First apart, then against each other. In the first iterations the generator rebuilds faces from what the discriminator's
own layers say of them, as a variational autoencoder does: the one learns what faces are made of before it has to
please, the other what to look at before it has to judge. The contest then begins between two that know faces, which
saves most of the pictures that a generator needs to arrive at anything like one.
"""

import copy
import math
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from likeness.make.compute import autocast
from likeness.make.portraits.augment import adapted, augmented, overfitting
from likeness.make.portraits.checkpoint import Progress
from likeness.make.portraits.data import Portraits, draw
from likeness.make.portraits.history import Entry
from likeness.make.portraits.losses import (
    pair_accuracy,
    rebuilding_loss,
    relativistic_loss,
    zero_centred_penalty,
)
from likeness.make.portraits.networks import Discriminator, Generator, Guess
from likeness.make.portraits.recipes import Recipe

_JUDGED = 256  # pictures of each kind that the discriminator's accuracy is taken from
_BATCH = 64  # pictures made together where nothing is learnt
_STYLES = 10_000  # latents whose mean style is w̄
_AVERAGE_RISE = 0.05  # the averaged generator looks back over this part of the training at most


Placed = TypeVar("Placed", bound=nn.Module)


class Losses(NamedTuple):
    """Of one step, scalars on the compute device."""

    generator: Tensor
    discriminator: Tensor


class Training:
    """Generator, discriminator, their optimisers and the averaged generator, which can be stepped, judged and saved.

    All random numbers of an iteration follow from (seed, iteration), so that a resumed training draws what an
    uninterrupted one would have drawn.
    """

    def __init__(self, recipe: Recipe, portraits: Portraits, seed: int, device: torch.device) -> None:
        self.recipe, self.portraits, self.device = recipe, portraits, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator, discriminator = Generator(recipe.network), Discriminator(recipe.network)
            guess = Guess(recipe.network)
        self.generator, self.discriminator = _placed(generator, device), _placed(discriminator, device)
        self.guess = _placed(guess, device)
        self.averaged = copy.deepcopy(self.generator).eval().requires_grad_(False)
        rate, betas = recipe.learning_rate[0], (0.0, recipe.beta2)
        self.improve_generator = torch.optim.Adam(self.generator.parameters(), rate, betas, fused=True)
        self.improve_discriminator = torch.optim.Adam(self.discriminator.parameters(), rate, betas, fused=True)
        self.improve_guess = torch.optim.Adam(self.guess.parameters(), rate, betas, fused=True)
        self.progress = Progress(seed)

    def step(self, done: float) -> Losses:
        """One iteration; ``done`` in [0, 1] is the part of the budget that is spent, which sets rates and γ."""
        state = self.progress
        for optimizer in (self.improve_generator, self.improve_discriminator, self.improve_guess):
            optimizer.param_groups[0]["lr"] = self.learning_rate(done)
        random = self._random(state.iteration)
        state.contest |= state.iteration >= self.recipe.apart or done >= self.recipe.apart_share
        losses = self._step_against(random, self.gamma(done)) if state.contest else self._step_apart(random)
        state.iteration += 1
        state.images += self.recipe.batch
        self._average()
        return losses

    def _step_against(self, random: torch.Generator, gamma: float) -> Losses:
        """L_D = E softplus(−(D(x) − D(y))) + γ/2 (E‖∇D(x)‖² + E‖∇D(y)‖²), then L_G = E softplus(−(D(y) − D(x)))."""
        real = self._disturbed(self._photographs(random), random)
        with autocast(self.device):
            made = self._disturbed(self.generator(self._latents(random)).float(), random)

            real_logits = self._logits(real)
            loss_discriminator = relativistic_loss(real_logits, self._logits(made.detach()))
            some = max(1, round(self.recipe.penalised * self.recipe.batch))
            pictures = torch.cat([real[:some], made[:some].detach()]).requires_grad_()
            penalty = zero_centred_penalty(self._logits(pictures), pictures)  # the mean of R1's and R2's
        self.improve_discriminator.zero_grad()
        (loss_discriminator + gamma * 2 * penalty).backward()
        self.improve_discriminator.step()

        self.discriminator.requires_grad_(False)
        with autocast(self.device):
            loss_generator = relativistic_loss(self._logits(made), real_logits.detach())
        self.improve_generator.zero_grad()
        loss_generator.backward()
        self.improve_generator.step()
        self.discriminator.requires_grad_(True)
        return Losses(loss_generator.detach(), loss_discriminator.detach())

    def _step_apart(self, random: torch.Generator) -> Losses:
        """Rebuild faces: z ~ N(mean, variance) as guessed from the discriminator's description of x, y = G(z)."""
        real = self._photographs(random)
        with autocast(self.device):
            mean, log_variance = self.guess(self.discriminator.describe(real))
            latents = mean + (log_variance / 2).exp() * self._latents(random)
            loss = rebuilding_loss(self.generator(latents).float(), real, mean, log_variance)
        optimizers = (self.improve_generator, self.improve_discriminator, self.improve_guess)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return Losses(loss.detach(), torch.zeros_like(loss))

    @torch.no_grad()
    def judge(self, losses: Losses, done: float) -> Entry:
        """How the discriminator does on held-out, on learnt and on freshly made pictures; moves the augmentation."""
        state, random = self.progress, self._random(-1 - self.progress.iteration)
        with autocast(self.device):
            heldout, learnt = (
                self._logits(draw(pictures, _JUDGED, self.recipe.mirror, random, self.device))
                for pictures in (self.portraits.heldout, self.portraits.learnt)
            )
            made = self._logits(self.generator(self._latents(random, _JUDGED)).float())
        r = overfitting(learnt, heldout, made)
        since = state.images - (state.entries[-1].images if state.entries else 0)
        state.p = adapted(state.p, r, since, self.recipe.augment)
        entry = Entry(
            iteration=state.iteration,
            images=state.images,
            seconds=state.seconds,
            learning_rate=self.learning_rate(done),
            gamma=self.gamma(done),
            loss_generator=float(losses.generator),
            loss_discriminator=float(losses.discriminator),
            accuracy=pair_accuracy(heldout, made),
            accuracy_learnt=pair_accuracy(learnt, made),
            r=r,
            p=state.p,
        )
        state.entries.append(entry)
        return entry

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> np.ndarray:
        """What the averaged generator makes of ``latents`` (n, latent): uint8 (n, size, size, 3)."""
        made = []
        for part in latents.split(_BATCH):
            with autocast(self.device):
                made.append(self.averaged(part.to(self.device)).float().cpu())
        return to_pixels(torch.cat(made))

    @torch.no_grad()
    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged generator, with the mean style w̄ that truncation draws faces to."""
        random = torch.Generator().manual_seed(0)
        latents = torch.randn(_STYLES, self.recipe.network.latent, generator=random).to(self.device)
        self.averaged.mean_style.copy_(self.averaged.style(latents).mean(0))
        return {name: tensor.detach().clone() for name, tensor in self.averaged.state_dict().items()}

    def learning_rate(self, done: float) -> float:
        rise = min(1.0, (self.progress.iteration + 1) / self.recipe.warmup)
        return rise * _along_cosine(self.recipe.learning_rate, done)

    def gamma(self, done: float) -> float:
        return _along_cosine(self.recipe.gamma, done)

    def _photographs(self, random: torch.Generator) -> Tensor:
        return draw(self.portraits.learnt, self.recipe.batch, self.recipe.mirror, random, self.device)

    def _disturbed(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        return augmented(pictures, self.progress.p, self.recipe.augment, random)

    def _latents(self, random: torch.Generator, count: int | None = None) -> Tensor:
        return torch.randn(count or self.recipe.batch, self.recipe.network.latent, generator=random).to(self.device)

    def _logits(self, pictures: Tensor) -> Tensor:
        return self.discriminator(pictures).float()

    def _random(self, iteration: int) -> torch.Generator:
        entropy = (self.progress.seed, abs(iteration), iteration < 0)
        return torch.Generator().manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))

    @torch.no_grad()
    def _average(self) -> None:
        """w̄ ← w̄ + (1 − decay)(w − w̄), the decay such that a step's part halves over so many pictures."""
        half_life = min(self.recipe.average_images, _AVERAGE_RISE * self.progress.images)
        decay = 0.5 ** (self.recipe.batch / max(half_life, 1e-6))
        for mean, current in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)


def to_pixels(pictures: Tensor) -> np.ndarray:
    """``pictures`` float (n, 3, s, s) in [−1, 1] as uint8 (n, s, s, 3)."""
    scaled = ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).numpy())


def _along_cosine(ends: tuple[float, float], done: float) -> float:
    return ends[1] + (ends[0] - ends[1]) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def _placed(network: Placed, device: torch.device) -> Placed:
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
