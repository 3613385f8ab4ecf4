"""The adversarial losses: least squares (LSGAN: Mao et al. 2017, eq. 9) on mixed pictures (mixup: Zhang et al. 2018).

    L_D = mean (D(λx + (1 − λ)x') − λ)²,  λ ~ Beta(0.2, 0.2)          L_G = mean (D(x') − 1)²

D sees [picture ‖ warped input]. A discriminator that has to say how much of a mixture is filmed cannot grow as certain
as one that sees only the two ends: what faceswap-GAN v2.2 calls mixup LSGAN.
"""

import numpy as np
import torch
from torch import Tensor

BETA = 0.2  # both parameters of the distribution of λ


def mixing_shares(count: int, random: torch.Generator) -> Tensor:
    """λ for each of ``count`` faces, float (n, 1, 1, 1) on the CPU; ``random`` lives there too."""
    seed = int(torch.randint(1 << 62, (), generator=random))
    return torch.from_numpy(np.random.default_rng(seed).beta(BETA, BETA, (count, 1, 1, 1)).astype(np.float32))


def mixed(true: Tensor, made: Tensor, shares: Tensor) -> Tensor:
    """λx + (1 − λ)x'."""
    return made + shares * (true - made)


def discriminator_loss(judged: Tensor, shares: Tensor) -> Tensor:
    """L_D of what D said of the mixtures, (n, 1, p, p); a scalar."""
    return (judged.float() - shares).square().mean()


def generator_loss(judged: Tensor) -> Tensor:
    """L_G of what D said of the painted faces, (n, 1, p, p); a scalar."""
    return (judged.float() - 1).square().mean()


@torch.no_grad()
def accuracy(judged: Tensor, shares: Tensor) -> Tensor:
    """The part of the mixtures of which D says rightly whether more is filmed or painted; ½ is chance. A scalar."""
    said = judged.float().mean((1, 2, 3)) > 0.5
    return (said == (shares.flatten() > 0.5)).float().mean()
