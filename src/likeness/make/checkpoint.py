"""The state of a training between two iterations, complete enough to go on as if it had never stopped."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors
import torch
from safetensors import safe_open
from torch import Tensor, nn

from likeness.errors import ModelError
from likeness.make.history import Entry, Plateau
from likeness.make.model import RESUME, write_tensors

_STATE_KEY = "state"


@dataclass
class Progress:
    """What a training knows beside its tensors: iterations and seconds so far, its curve, its best moment."""

    seed: int
    iteration: int = 0
    seconds: float = 0.0
    plateau: Plateau = field(default_factory=Plateau)
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Parts:
    """The tensors of a training, by the names that the file has them under: networks, and optimisers with moments."""

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    def tensors(self) -> dict[str, Tensor]:
        """All of them by their names in the file."""
        tensors = {
            f"{name}.{key}": tensor for name, one in self.modules.items() for key, tensor in one.state_dict().items()
        }
        for name, optimizer in self.optimizers.items():
            for number, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{number}.{key}": tensor for key, tensor in moments.items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put ``tensors`` with those names into place. Raises RuntimeError, ValueError, IndexError or KeyError where
        they are of another training."""
        for name, module in self.modules.items():
            module.load_state_dict(_below(f"{name}.", tensors))
        for name, optimizer in self.optimizers.items():
            _restore_moments(optimizer, _below(f"{name}.", tensors))


def save_checkpoint(folder: Path, progress: Progress, parts: Parts) -> None:
    """Write all that resuming needs into one file, atomically; raises StorageError and keeps the last one."""
    write_tensors(folder / RESUME, parts.tensors(), {_STATE_KEY: json.dumps(asdict(progress))})


def load_checkpoint(folder: Path, parts: Parts) -> Progress:
    """Put the saved tensors into place and return the saved progress; raises ModelError where that is impossible."""
    path = folder / RESUME
    if not path.is_file():
        raise ModelError(f"{folder} has no training to resume ({RESUME} is missing). Train into a new folder.")
    try:
        with safe_open(path, framework="pt") as stored:
            progress = _progress(json.loads((stored.metadata() or {})[_STATE_KEY]))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
        parts.restore(tensors)
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(f"{path} is damaged, so training cannot be resumed. Train into a new folder.") from error
    return progress


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the optimiser's moments back in each parameter's own memory layout, which fused steps rely on."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".")
        parameter = parameters[int(number)]
        placed = tensor if tensor.dim() == 0 else torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        moments.setdefault(int(number), {})[name] = placed
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def _progress(stored: dict) -> Progress:
    entries = [Entry(**entry) for entry in stored.pop("entries")]
    return Progress(plateau=Plateau(**stored.pop("plateau")), entries=entries, **stored)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
