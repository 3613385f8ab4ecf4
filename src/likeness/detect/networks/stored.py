"""A trained detector as a folder: config.json says what it is, model.safetensors holds its weights."""

from pathlib import Path
from typing import Literal

import safetensors
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from likeness.detect.networks.backbones import backbone
from likeness.detect.networks.frames import FrameNetwork
from likeness.detect.networks.pairs import PairNetwork
from likeness.detect.networks.sequences import SequenceNetwork
from likeness.errors import ModelError
from likeness.files import atomic_write, write_text

NetworkKind = Literal["frames", "pairs", "recurrent", "temporal"]
CONFIG, WEIGHTS = "config.json", "model.safetensors"
LEAST_FRAMES: dict[NetworkKind, int] = {"frames": 1, "pairs": 2, "recurrent": 5, "temporal": 5}
"""How many consecutive frames each kind looks at at once."""


class NetworkConfig(BaseModel):
    """What a stored detector is, and the validation figure by which its weights were chosen."""

    model_config = ConfigDict(frozen=True)

    kind: NetworkKind
    backbone: str = "mobilenet"
    step: int = 0
    validation_auc: float | None = None


def build(kind: NetworkKind, backbone_name: str = "mobilenet", weights: Path | None = None) -> nn.Module:
    """A new network of ``kind``; its backbone begins with ``weights`` (see `backbone`)."""
    if kind == "pairs":
        return PairNetwork(backbone(backbone_name, weights))
    frames = FrameNetwork(backbone(backbone_name, weights))
    return frames if kind == "frames" else SequenceNetwork(frames, kind)


def save(folder: Path, network: nn.Module, config: NetworkConfig) -> None:
    """Write ``network`` to ``folder``, the weights first. Raises StorageError."""
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, temporary)
    write_text(folder / CONFIG, config.model_dump_json(indent=1) + "\n")


def load(folder: Path) -> tuple[nn.Module, NetworkConfig]:
    """The network in ``folder``, ready to use. Raises ModelError."""
    try:
        config = NetworkConfig.model_validate_json((folder / CONFIG).read_text("utf-8"))
        network = build(config.kind, config.backbone)
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValidationError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"{folder} holds no trained detector, or a damaged one. Train it with `likeness fit`."
        ) from error
    return network.eval(), config
