"""What keeps the α mask of the GAN variant honest (faceswap-GAN v2.2).

    L = h·mean max(0, ½ − α) + a·mean α + v·mean |∇α|

The hinge keeps the network from painting nothing and passing its input on; the mean keeps the mask from taking in the
background; the total variation keeps its edge simple.
"""

from torch import Tensor

from likeness.make.losses.settings import LossSettings


def alpha_loss(alpha: Tensor, settings: LossSettings) -> Tensor:
    """The equation above for masks (n, 1, m, m) in [0, 1]; a scalar."""
    alpha = alpha.float()
    across, down = (
        (alpha[..., 1:] - alpha[..., :-1]).abs().mean(),
        (alpha[..., 1:, :] - alpha[..., :-1, :]).abs().mean(),
    )
    hinge, variation = (0.5 - alpha).clamp_min(0).mean(), across + down
    return settings.alpha_hinge * hinge + settings.alpha_mean * alpha.mean() + settings.alpha_variation * variation
