"""The two steps of training, as the papers write them.

Generator:      min over E, D_A, D_B of   Σ_side  L(D_side(E(warp x)), x)
Discriminator:  min over each C_side of   mean (C(λx + (1 − λ)x') − λ)²

L is the sum of the terms of `losses` that the phase gives weight to. Both functions add gradients and leave the step to
the optimisers, so that several small batches add up to a large one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from likeness.make.compute import autocast
from likeness.make.losses import LossSettings, Targets, adversarial, reconstruction_loss
from likeness.make.losses.alpha import alpha_loss
from likeness.make.losses.cycle import cycle_loss
from likeness.make.losses.perceptual import Features, perceptual_loss
from likeness.make.networks.autoencoder import Decoded, Side, SwapNetwork
from likeness.make.warp import Warped

Views = dict[Side, Warped]
Made = dict[Side, Decoded]


@dataclass(frozen=True, eq=False)
class Objective:
    """What is minimised now: the weights of the terms, and the networks that some of the terms ask."""

    losses: LossSettings
    critics: nn.ModuleDict | None = None
    features: Features | None = None


class Judgement(NamedTuple):
    """How the discriminators fare, scalars: their ``loss``, and the part of mixtures that they call rightly."""

    loss: Tensor
    accuracy: Tensor


def generator_gradients(
    network: SwapNetwork, views: Views, objective: Objective, share: float = 1.0
) -> tuple[Made, dict[Side, Tensor]]:
    """Add ``share`` of the gradient of L for faces float (n, 3, size, size) in [0, 255]; what was made, each side's
    loss."""
    if objective.critics is not None:
        objective.critics.requires_grad_(False)  # the generator learns from them, they do not learn here
    with autocast(views["a"].inputs.device):
        made_a, made_b = network(picture(views["a"].inputs), picture(views["b"].inputs))
    made: Made = {"a": made_a, "b": made_b}
    losses = {side: generator_loss(network, made[side], views[side], side, objective) for side in made}
    ((losses["a"] + losses["b"]) * share).backward()
    return made, {side: loss.detach() for side, loss in losses.items()}


def generator_loss(network: SwapNetwork, decoded: Decoded, warped: Warped, side: Side, objective: Objective) -> Tensor:
    """L of one side; a scalar."""
    settings, targets = objective.losses, Targets.of(warped)
    loss = reconstruction_loss(decoded, targets, settings)
    if decoded.masks is not None and (settings.alpha_hinge or settings.alpha_mean or settings.alpha_variation):
        loss = loss + alpha_loss(decoded.masks, settings)
    with autocast(warped.inputs.device):
        if settings.perceptual and objective.features is not None:
            true = targets.images.contiguous(memory_format=torch.channels_last)
            loss = loss + settings.perceptual * perceptual_loss(decoded.images, true, objective.features)
        if settings.adversarial and objective.critics is not None:
            fakes, inputs = _fakes(decoded, warped)
            for judged in objective.critics[side](fakes, inputs).split(len(warped.inputs)):
                loss = loss + settings.adversarial * adversarial.generator_loss(judged)
        if settings.cycle:
            loss = loss + settings.cycle * cycle_loss(network, picture(warped.inputs), targets.images, side)
    return loss


def critic_gradients(
    critics: nn.ModuleDict, made: Made, views: Views, random: torch.Generator, share: float = 1.0
) -> Judgement:
    """Add ``share`` of the gradient of the discriminators' loss on mixtures of the ``made`` faces and the true ones."""
    critics.requires_grad_(True)
    losses, right = [], []
    for side, decoded in made.items():
        warped = views[side]
        fakes, inputs = _fakes(decoded, warped)
        shares = adversarial.mixing_shares(len(fakes), random).to(fakes.device)
        true = (warped.colours / 255).repeat(len(fakes) // len(warped.colours), 1, 1, 1)
        with autocast(fakes.device):
            judged = critics[side](adversarial.mixed(true, fakes.detach().float(), shares), inputs)
        loss = adversarial.discriminator_loss(judged, shares)
        (loss * share).backward()
        losses.append(loss.detach())
        right.append(adversarial.accuracy(judged, shares))
    return Judgement(torch.stack(losses).mean(), torch.stack(right).mean())


def _fakes(decoded: Decoded, warped: Warped) -> tuple[Tensor, Tensor]:
    """What the discriminator is shown of ``decoded``, and the warped inputs beside it: the composed faces and, where
    the network paints under a mask, the painted ones too."""
    inputs = picture(warped.inputs)
    if decoded.painted is None:
        return decoded.images, inputs
    return torch.cat([decoded.images, decoded.painted]), torch.cat([inputs, inputs])


def picture(layers: Tensor) -> Tensor:
    """Colours in [0, 255] as a network takes them: in [0, 1], channels last."""
    return (layers / 255).contiguous(memory_format=torch.channels_last)
