"""How far two faces lie apart in what a network sees of them: distances of feature maps.

    d(x, y) = mean over layers l of Σ_p w_l(p) ‖ x̂_l(p) − ŷ_l(p) ‖²,    x̂(p) = x(p) / ‖x(p)‖ over the channels at p

After Zhang, Isola, Efros, Shechtman and Wang 2018, "The unreasonable effectiveness of deep features as a perceptual
metric", eq. 1, whose channel weights are learnt from people's judgements; here they are all 1, and the sum over places
p is weighted by the face's mask, Σ_p w_l(p) = 1. So these are not that paper's LPIPS and carry names of their own. Each
figure lies in [0, 4]; 0 is the same.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from likeness.errors import MissingDataError
from likeness.faces.align import aligned_crop
from likeness.faces.hull import hull_mask
from likeness.faces.identity_network import identity_view, load_identity_network

IDENTITY_FEATURES, IMAGENET_FEATURES = "identity-feature distance", "ImageNet-feature distance"

Features = Callable[[Tensor], list[Tensor]]

_BACKBONE = Path("backbones") / "mobilenet_v2_imagenet.npz"
# expansion, output channels, repeats, stride of MobileNetV2: Sandler et al. 2018, table 2.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_COMPARED = (0, 1, 2, 4, 6)  # the last stage at each of 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's side
_CROP, _COVERAGE = 160, 0.8
_BATCH = 32


class FeatureDistance:
    """One such distance, by what ``features`` makes of upright faces float (n, 3, s, s) in [0, 1]."""

    def __init__(self, features: Features) -> None:
        self._features = features

    @torch.inference_mode()
    def __call__(self, images: np.ndarray, truth: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Distance of each of ``images`` from ``truth``, both uint8 (T, h, w, 3), inside the face: float64 (T,).

        Both are cut out by the true answer's ``landmarks`` (T, 68, 2), so that a face in the wrong place is far off.
        """
        figures = []
        for start in range(0, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            one, other = (self._features(upright_faces(clip[part], landmarks[part])) for clip in (images, truth))
            masks = _masks(landmarks[part], images.shape[1:3])
            layers = [_layer_distance(x, y, masks) for x, y in zip(one, other, strict=True)]
            figures.append(torch.stack(layers).mean(0).double().numpy())
        return np.concatenate(figures)


def distances() -> dict[str, FeatureDistance]:
    """The distances that can be taken here, by name: on our own recogniser's features always, on ImageNet features
    where LIKENESS_DATA has the backbone."""
    network = load_identity_network()
    found = {IDENTITY_FEATURES: FeatureDistance(lambda faces: network.features(identity_view(faces, _COVERAGE)))}
    backbone = Path(os.environ.get("LIKENESS_DATA", "")) / _BACKBONE
    if backbone.is_file():
        found[IMAGENET_FEATURES] = FeatureDistance(ImageNetFeatures(backbone))
    return found


def upright_faces(images: np.ndarray, landmarks: np.ndarray) -> Tensor:
    """The faces at ``landmarks`` (n, 68, 2) of ``images`` uint8 (n, h, w, 3): float (n, 3, 160, 160) in [0, 1]."""
    crops = [aligned_crop(*frame, _CROP, _COVERAGE) for frame in zip(images, landmarks, strict=True)]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


def _masks(landmarks: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """The hulls of ``landmarks`` in the same crops: float (n, 1, 160, 160)."""
    masks = [aligned_crop(hull_mask(points, shape), points, _CROP, _COVERAGE) for points in landmarks]
    return torch.from_numpy(np.stack(masks))[:, None]


def _layer_distance(one: Tensor, other: Tensor, masks: Tensor) -> Tensor:
    """One layer's part of the sum (n,), of maps (n, c, h, w)."""
    squares = (F.normalize(one, dim=1) - F.normalize(other, dim=1)).square().sum(1, keepdim=True)
    weights = F.adaptive_avg_pool2d(masks, (squares.shape[-2], squares.shape[-1]))
    return (squares * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3))


class ImageNetFeatures:
    """MobileNetV2 (Sandler et al. 2018) trained on ImageNet: five maps at 1/2 to 1/32 of the side.

    ``weights`` holds each convolution's weight and bias, batch norm folded, in the network's order, for TensorFlow's
    'SAME' padding and RGB as (x − 128) / 128. Raises MissingDataError.
    """

    def __init__(self, weights: Path) -> None:
        try:
            with np.load(weights, allow_pickle=False) as stored:
                names = [name.removesuffix(".weight") for name in stored.files if name.endswith(".weight")]
                pairs = [(stored[f"{name}.weight"], stored[f"{name}.bias"]) for name in names]
        except (OSError, ValueError, KeyError) as error:
            raise MissingDataError(f"{weights} is damaged. Fetch it again, or do without LIKENESS_DATA.") from error
        self._layers = [
            (torch.from_numpy(weight.astype(np.float32)), torch.from_numpy(bias.astype(np.float32)))
            for weight, bias in pairs
        ]

    def __call__(self, faces: Tensor) -> list[Tensor]:
        """Faces float (n, 3, s, s) in [0, 1] to the outputs of the stages at each scale."""
        layers = iter(self._layers)
        maps, outputs = F.relu6(_same_convolution((255 * faces - 128) / 128, next(layers), stride=2)), []
        for expansion, channels, repeats, stride in _STAGES:
            for block in range(repeats):
                inner = maps if expansion == 1 else F.relu6(_same_convolution(maps, next(layers)))
                inner = F.relu6(_same_convolution(inner, next(layers), stride=stride if block == 0 else 1))
                inner = _same_convolution(inner, next(layers))
                maps = maps + inner if block else inner
            outputs.append(maps)
            if maps.shape[1] != channels:
                raise MissingDataError("The ImageNet backbone is not MobileNetV2 1.0. Do without LIKENESS_DATA.")
        return [outputs[stage] for stage in _COMPARED]


def _same_convolution(maps: Tensor, layer: tuple[Tensor, Tensor], stride: int = 1) -> Tensor:
    """TensorFlow's 'SAME' padding, the odd pixel right and below; one channel in means one filter a channel."""
    weight, bias = layer
    kernel = weight.shape[-1]
    before = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in maps.shape[-2:]]
    (top, bottom), (left, right) = ((total // 2, total - total // 2) for total in before)
    groups = maps.shape[1] if weight.shape[1] == 1 and kernel > 1 else 1
    return F.conv2d(F.pad(maps, (left, right, top, bottom)), weight, bias, stride, groups=groups)
