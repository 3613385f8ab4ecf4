"""A running start for `light`: weights that know faces, and how to turn them into one person's by a look at their
faces.

Over thousands of synthetic people one decoder was trained for all. A second network looks at a few faces of a person
and says by how much each of the decoder's layers scales its input channels and shifts its output (modulation, as in
StyleGAN2: Karras et al. 2020, eq. 1, without the demodulation). A scale of inputs is a scale of weights, so for one
person the modulation folds into an ordinary decoder, which training then goes on with. The recipe is
training/running_start, the card weights/running_start.md.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import safetensors
from safetensors.torch import load_file
from torch import Tensor, nn

from likeness.errors import ModelError
from likeness.make.networks.layers import conv

STYLE = 256  # numbers that describe the looks of a person in a light

_STEP = 4  # pixels, of space to depth


@dataclass(frozen=True)
class Modulation:
    """How a layer is bent to one person's looks: ``scale`` (..., inputs) about 1, ``shift`` (..., outputs) about 0."""

    scale: Tensor
    shift: Tensor


class LookEncoder(nn.Module):
    """Faces float (n, 3, 128, 128), standardised as `light` sees them, to styles (n, 256); styles to modulations.

    ``layers``: input and output channels of each modulated layer, by its name in the decoder.
    """

    def __init__(self, layers: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self.channels = layers
        self.look = nn.Sequential(
            nn.PixelUnshuffle(_STEP),
            conv(3 * _STEP**2, 64),
            conv(64, 96, stride=2),
            conv(96, 160, stride=2),
            conv(160, 256, stride=2),
            nn.Flatten(),
            nn.Linear(4 * 4 * 256, STYLE),
        )
        self.bend = nn.Linear(STYLE, sum(inputs + outputs for inputs, outputs in layers.values()))
        nn.init.zeros_(self.bend.bias)
        nn.init.normal_(self.bend.weight, std=0.01)

    def forward(self, faces: Tensor) -> Tensor:
        return self.look(faces)

    def scales(self, style: Tensor) -> dict[str, Modulation]:
        """The modulation of each layer for ``style`` (..., 256)."""
        sizes = [size for pair in self.channels.values() for size in pair]
        parts = iter(self.bend(style).split(sizes, dim=-1))
        return {name: Modulation(1 + next(parts), next(parts)) for name in self.channels}


def folded(layers: dict[str, nn.Conv2d], modulations: dict[str, Modulation]) -> dict[str, Tensor]:
    """State of ``layers`` with the modulations of one style in their weights: W·(s ⊙ x) + b + t = (W ⊙ s)·x + (b +
    t)."""
    state = {}
    for name, layer in layers.items():
        assert layer.bias is not None
        bent = modulations[name]
        state[f"{name}.weight"] = layer.weight * bent.scale[None, :, None, None]
        state[f"{name}.bias"] = layer.bias + bent.shift
    return state


@dataclass(frozen=True, eq=False)
class RunningStart:
    """States of the encoder and of the common decoder (without its picture), and the network that looks."""

    encoder: dict[str, Tensor]
    decoder: dict[str, Tensor]
    looks: LookEncoder


def load_running_start(weights: Path | None = None) -> RunningStart:
    """The shipped weights, or those of ``weights``. Raises ModelError."""
    path = weights or shipped_weights()
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
        encoder, decoder, looking = (_below(f"{part}.", tensors) for part in ("encoder", "decoder", "looks"))
        sizes = {
            name.removesuffix(".weight"): (weight.shape[1], weight.shape[0])
            for name, weight in decoder.items()
            if weight.dim() == 4
        }
        looks = LookEncoder(sizes)
        looks.load_state_dict(looking)
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"{path} holds no running start. Install Likeness again, or train with --start noise."
        ) from error
    return RunningStart(encoder, decoder, looks.eval().requires_grad_(False))


def shipped_weights() -> Path:
    """The weights in the package: weights/running_start.safetensors (bf16), described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "running_start.safetensors"))


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
