"""Backbones: what turns a picture into maps of features. MobileNetV2 for everybody, any other through transformers."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.detect.networks.inputs import CHANNELS
from likeness.errors import MissingDataError, ModelError

# Sandler et al. 2018, "MobileNetV2", table 2: expansion, channels, repeats, first stride.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_STEM, _TOP = 32, 1280


class Backbone(nn.Module):
    """Float (n, 6, h, w) as made by `inputs` to maps (n, ``channels``, h / 32, w / 32) or about as small."""

    channels: int


class _Convolution(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: with stride 2, all padding goes to the right and below."""

    def forward(self, maps: Tensor) -> Tensor:
        if self.stride == (2, 2):
            maps = F.pad(maps, (0, 1, 0, 1))
        return super().forward(maps)


def _convolution(channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1) -> _Convolution:
    padding = 0 if stride == 2 else kernel // 2
    return _Convolution(channels, filters, kernel, stride, padding, groups=groups)


class _Bottleneck(nn.Module):
    """Expand, convolve each channel, project; added to what went in where the shapes agree."""

    def __init__(self, channels: int, filters: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = channels * expansion
        steps: list[nn.Module] = [_convolution(channels, wide, 1), nn.ReLU6()] if expansion > 1 else []
        steps += [_convolution(wide, wide, 3, stride, groups=wide), nn.ReLU6(), _convolution(wide, filters, 1)]
        self.steps = nn.Sequential(*steps)
        self.added = stride == 1 and channels == filters

    def forward(self, maps: Tensor) -> Tensor:
        made: Tensor = self.steps(maps)
        return made + maps if self.added else made


class MobileNetV2(Backbone):
    """MobileNetV2 1.0 with batch normalisation folded into its convolutions, over six channels."""

    channels = _TOP

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_convolution(CHANNELS, _STEM, 3, 2), nn.ReLU6()]
        width = _STEM
        for expansion, filters, repeats, stride in _STAGES:
            for number in range(repeats):
                blocks.append(_Bottleneck(width, filters, expansion, stride if number == 0 else 1))
                width = filters
        self.blocks = nn.Sequential(*blocks, _convolution(width, _TOP, 1), nn.ReLU6())

    def forward(self, shown: Tensor) -> Tensor:
        maps: Tensor = self.blocks(shown)
        return maps

    @torch.no_grad()
    def start_from(self, weights: Path) -> None:
        """Begin with ImageNet's weights: an .npz with the kernels and biases of the network's convolutions in order.

        The first convolution looks at the picture as ImageNet's does, and at the other three channels by the same
        filters, weakly. Raises MissingDataError, ModelError.
        """
        kernels = _stored(weights)
        for layer in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            kernel, bias = next(kernels, (torch.empty(0), torch.empty(0)))
            if layer.in_channels == CHANNELS and layer.groups == 1 and kernel.ndim == 4:
                kernel = torch.cat([kernel, 0.25 * kernel], dim=1)
            if kernel.shape != layer.weight.shape or bias.shape != layer.bias.shape:  # type: ignore[union-attr]
                raise ModelError(f"{weights} is not MobileNetV2 1.0. Name the file of ImageNet weights.")
            layer.weight.copy_(kernel)
            layer.bias.copy_(bias)  # type: ignore[union-attr]


def _stored(weights: Path) -> Iterator[tuple[Tensor, Tensor]]:
    try:
        with np.load(weights, allow_pickle=False) as stored:
            arrays = [torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files]
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise MissingDataError(f"{weights} is no file of backbone weights (.npz). Name one that is.") from error
    return zip(arrays[::2], arrays[1::2], strict=False)


class HubBackbone(Backbone):
    """Any vision model of transformers, from the hub or a folder, all its layers tuned.

    Tokens are put back on their grid; a class token is left out. The six channels are first mixed to the three that
    such models look at, at the beginning by leaving out the last three.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.mix = nn.Conv2d(CHANNELS, 3, 1, bias=False)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(3, CHANNELS)[:, :, None, None])
        self.model = _from_hub(name)
        sizes = getattr(self.model.config, "hidden_sizes", None) or [self.model.config.hidden_size]
        self.channels = int(sizes[-1])

    def forward(self, shown: Tensor) -> Tensor:
        hidden: Tensor = self.model(pixel_values=self.mix(shown)).last_hidden_state
        if hidden.ndim == 4:
            return hidden
        side = int(hidden.shape[1] ** 0.5)
        return hidden[:, -side * side :].transpose(1, 2).unflatten(2, (side, side))


def _from_hub(name: str) -> Any:
    try:
        from transformers import AutoModel
    except ImportError as error:
        raise MissingDataError("Backbones from a hub need transformers: pip install 'likeness[hub]'.") from error
    try:
        return AutoModel.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise MissingDataError(f"{name} is no vision model here or on the hub. Name a folder or a model.") from error


def backbone(name: str = "mobilenet", weights: Path | None = None) -> Backbone:
    """``mobilenet``, begun with ``weights`` (None: at random), or ``hub:NAME`` through transformers."""
    if name.startswith("hub:") and len(name) > len("hub:"):
        if weights is not None:
            raise ModelError("Models from a hub bring their own weights. Leave --pretrained out.")
        return HubBackbone(name.removeprefix("hub:"))
    if name != "mobilenet":
        raise ModelError(f"'{name}' is no backbone. Use mobilenet or hub:NAME.")
    network = MobileNetV2()
    if weights is not None:
        network.start_from(weights)
    return network
