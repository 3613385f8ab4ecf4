"""The discriminator that keeps drawn faces from going soft: it compares a face with the true one, patch by patch.

Absolute errors are least for the mean of all that could be, which is a blur. The relativistic pairing loss (Jolicoeur-
Martineau 2019; paired as in Huang et al. 2024, "The GAN is dead", eq. 2) asks of each patch which of two pictures of
one moment is the true one,

    critic:   softplus(D(x') − D(x)),        drawer:   softplus(D(x) − D(x')) + f · mean |φ(x') − φ(x)|,

where φ are the critic's own features (feature matching: Wang et al. 2018, "pix2pixHD", eq. 4). Its layers are
spectrally normalised (Miyato et al. 2018).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from likeness.make.networks.layers import SLOPE

MATCHING = 1.0  # f


class Critic(nn.Module):
    """Pictures float (n, 3, 128, 128) in [0, 1] to one logit a patch (n, 1, 8, 8) and the feature maps below."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((48, 64, 1), (64, 128, 2), (128, 192, 2))
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 3, stride=stride, padding=1)) for before, after, stride in widths
        )
        self.say = spectral_norm(nn.Conv2d(192, 1, 3, padding=1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps = F.pixel_unshuffle(4 * pictures - 2, 4).contiguous(memory_format=torch.channels_last)
        seen = []
        for layer in self.layers:
            maps = F.leaky_relu(layer(maps), SLOPE)
            seen.append(maps)
        return self.say(maps).float(), seen


def critic_loss(critic: Critic, true: Tensor, drawn: Tensor) -> Tensor:
    """What the critic minimises; a scalar."""
    said, _ = critic(torch.cat([true, drawn.detach()]))
    real, fake = said.chunk(2)
    return F.softplus(fake - real).mean()


def drawer_loss(critic: Critic, true: Tensor, drawn: Tensor) -> Tensor:
    """What the drawer minimises; a scalar."""
    with torch.no_grad():
        real, seen = critic(true)
    fake, made = critic(drawn)
    matching = torch.stack([(one.float() - other.float()).abs().mean() for one, other in zip(made, seen, strict=True)])
    return F.softplus(real - fake).mean() + MATCHING * matching.mean()
