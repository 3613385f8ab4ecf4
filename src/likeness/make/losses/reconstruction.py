"""How far a rebuilt face is from the true one, pixel by pixel.

    L = p·Σ w|x' − x| + s·Σ w(x' − x)² + g·Σ w|∇x' − ∇x| + d·(1 − SSIM)/2 + f·Σ m|x' − x| + k·|mask' − hull|

w are the weights of `Targets.emphasis`, m those of eyes and mouth, sums are means. |x' − x| is the 2017 original's
loss; the gradient term is the edge loss of faceswap-GAN v2.2; 10·DSSIM + 10·(x' − x)² and the priority of eyes and
mouth are DeepFaceLab's.
"""

from dataclasses import replace

from torch import Tensor
from torch.nn import functional as F

from likeness.make.losses.dssim import dssim
from likeness.make.losses.settings import LossSettings
from likeness.make.losses.targets import Targets, coarse
from likeness.make.networks.autoencoder import Decoded


def reconstruction_loss(decoded: Decoded, targets: Targets, settings: LossSettings) -> Tensor:
    """The equation above for faces (n, 3, size, size); a scalar."""
    face = decoded.face.float()
    error = face - targets.images
    if settings.face:
        weight = targets.emphasis(settings.face)
        loss = settings.pixel * (coarse(error.abs()) * weight).mean()
    else:
        weight = targets.weight.new_ones(())
        loss = settings.pixel * error.abs().mean()
    if settings.square:
        loss = loss + settings.square * (coarse(error.square()) * weight).mean()
    if settings.gradient:
        loss = loss + settings.gradient * (coarse(_steps(error)) * weight).mean()
    if settings.dssim:
        loss = loss + settings.dssim * dssim(face, targets.images)
    if settings.features:
        loss = loss + settings.features * (coarse(error.abs()) * targets.features).mean()
    if decoded.masks is not None and settings.mask:
        loss = loss + settings.mask * (_at(decoded.masks.float(), targets.masks) - targets.masks).abs().mean()
    if decoded.draft is not None and settings.draft:
        draft = Decoded(decoded.draft, None)
        loss = loss + settings.draft * reconstruction_loss(draft, targets, replace(settings, draft=0.0))
    return loss


def _steps(error: Tensor) -> Tensor:
    """Absolute difference of the pictures' gradients, which is the gradient of their difference."""
    across = F.pad((error[..., 1:] - error[..., :-1]).abs(), (0, 1))
    down = F.pad((error[..., 1:, :] - error[..., :-1, :]).abs(), (0, 0, 0, 1))
    return across + down


def _at(masks: Tensor, like: Tensor) -> Tensor:
    """``masks`` at the size of ``like``."""
    return masks if masks.shape[-1] == like.shape[-1] else F.adaptive_avg_pool2d(masks, like.shape[-1])
