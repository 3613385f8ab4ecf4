"""What generator and discriminator are trained for: R3GAN's relativistic losses and zero-centred penalties.

With D the discriminator's logit, x a photograph and y a made picture, drawn in pairs (Jolicoeur-Martineau 2018):

    L_G = E softplus(−(D(y) − D(x)))
    L_D = E softplus(−(D(x) − D(y))) + γ/2 · (E‖∇D(x)‖² + E‖∇D(y)‖²)

The penalties on real and on made pictures, R1 and R2 (Mescheder et al. 2018; Roth et al. 2017), are what makes training
converge (Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", eqs. 2–4).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_REBUILDING = 2000.0


def relativistic_loss(better: Tensor, worse: Tensor) -> Tensor:
    """E softplus(−(better − worse)) over pairs of logits (n,): small where ``better`` is judged more real."""
    return F.softplus(worse - better).mean()


def zero_centred_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """E‖∇D‖² / 2 of ``logits`` (n,) by the ``pictures`` (n, 3, s, s) they were given to, itself differentiable."""
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean() / 2


def rebuilding_loss(rebuilt: Tensor, pictures: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """λ E|rebuilt − picture|² + KL(N(mean, e^log_variance) ‖ N(0, 1)): a variational autoencoder's, per picture.

    Kingma and Welling 2014, eq. 10. ``mean`` and ``log_variance`` are (n, latent); λ makes faces cost about as much as
    their latents.
    """
    error = _REBUILDING * (rebuilt - pictures).square().mean()
    surplus = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
    return error + surplus


def pair_accuracy(real: Tensor, made: Tensor) -> float:
    """How often the discriminator picks the photograph from a pair: the share of all pairs of logits (n,) and (m,) with
    D(x) > D(y), ties counting half.

    0.5 is chance. This is the area under the ROC curve (Mann and Whitney 1947); a relativistic discriminator has no
    threshold of its own, as it is trained on differences only.
    """
    differences = real[:, None] - made[None, :]
    return float(((differences > 0).float() + 0.5 * (differences == 0).float()).mean())
