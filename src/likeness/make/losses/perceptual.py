"""The perceptual loss: faces are alike where a frozen network's feature maps are (Johnson et al. 2016, eq. 2).

    L = Σᵢ λᵢ · mean (φᵢ(x') − φᵢ(x))²

φᵢ are the maps of layer i, each channel standardised over its picture, so that colour and contrast do not count;
λ = (0.01, 0.1, 0.3, 0.1), fine to coarse, as faceswap-GAN v2.2 weighs four layers of VGGFace.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.errors import ModelError
from likeness.faces.identity_network import identity_view, load_identity_network

Features = Callable[[Tensor], Sequence[Tensor]]

WEIGHTS = (0.01, 0.1, 0.3, 0.1)
FOREIGN_SIZE = 224  # pixels a side that a user's extractor is shown, as VGGFace takes them


def perceptual_loss(made: Tensor, true: Tensor, features: Features) -> Tensor:
    """The equation above for pictures (n, 3, size, size) in [0, 1]; a scalar. Maps beyond the fourth weigh 0.1."""
    with torch.no_grad():
        wanted = features(true)
    loss = made.new_zeros((), dtype=torch.float32)
    for number, (one, other) in enumerate(zip(features(made), wanted, strict=True)):
        weight = WEIGHTS[min(number, len(WEIGHTS) - 1)]
        loss = loss + weight * F.mse_loss(F.instance_norm(one.float()), F.instance_norm(other.float()))
    return loss


def own_features(coverage: float, device: torch.device) -> Features:
    """Of our face recogniser, frozen. ``coverage`` is that of the pictures (`faces.align`)."""
    network = load_identity_network().to(device)
    return lambda pictures: network.features(identity_view(pictures, coverage))


def foreign_features(path: Path, device: torch.device) -> Features:
    """Of a user's network, a TorchScript file: pictures float (n, 3, 224, 224) RGB in [0, 1] to a list of maps
    (n, c, h, w), fine to coarse, such as VGGFace's.

    TorchScript, and not ONNX, as the loss has to be differentiated through it. Raises ModelError.
    """
    try:
        network = torch.jit.load(path, map_location=device).eval()
        for weight in network.parameters():  # a scripted module cannot be frozen at once
            weight.requires_grad_(False)
        maps = network(torch.zeros(1, 3, FOREIGN_SIZE, FOREIGN_SIZE, device=device))
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{path} is no TorchScript file of a network for {FOREIGN_SIZE} px faces.") from error
    if not isinstance(maps, list | tuple) or not maps or not all(_is_map(each) for each in maps):
        raise ModelError(f"{path} must return a list of feature maps (n, c, h, w), fine to coarse.")
    return lambda pictures: network(_resized(pictures))


def _is_map(value: object) -> bool:
    return isinstance(value, Tensor) and value.dim() == 4 and value[0, 0].numel() > 1


def _resized(pictures: Tensor) -> Tensor:
    return F.interpolate(pictures.float(), size=(FOREIGN_SIZE, FOREIGN_SIZE), mode="bilinear", antialias=True)
