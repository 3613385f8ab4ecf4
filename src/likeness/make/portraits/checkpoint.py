"""The state of a portrait training between two iterations, complete enough to go on as if it had never stopped."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors
import torch
from safetensors import safe_open
from torch import nn

from likeness.errors import ModelError
from likeness.make.checkpoint import Parts
from likeness.make.model import RESUME, write_tensors
from likeness.make.portraits.history import Entry

_STATE_KEY = "portraits"


@dataclass
class Progress:
    """What a training knows beside its tensors; ``p`` is the augmentation's probability, ``best`` the least Fréchet
    distance so far, ``contest`` whether the two are trained against each other already."""

    seed: int
    iteration: int = 0
    images: int = 0
    seconds: float = 0.0
    contest: bool = False
    p: float = 0.0
    best: float = float("inf")
    entries: list[Entry] = field(default_factory=list)


def save_checkpoint(
    folder: Path,
    progress: Progress,
    networks: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
) -> None:
    """Write all that resuming needs into one file, atomically; raises StorageError and keeps the last one."""
    write_tensors(folder / RESUME, Parts(networks, optimizers).tensors(), {_STATE_KEY: json.dumps(asdict(progress))})


def load_checkpoint(
    folder: Path, networks: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer]
) -> Progress:
    """Put the saved tensors into place and return the saved progress; raises ModelError where that is impossible."""
    path = folder / RESUME
    if not path.is_file():
        raise ModelError(f"{folder} has no training to resume ({RESUME} is missing). Train into a new folder.")
    try:
        with safe_open(path, framework="pt") as stored:
            state = json.loads((stored.metadata() or {})[_STATE_KEY])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
        entries = [Entry(**entry) for entry in state.pop("entries")]
        Parts(networks, optimizers).restore(tensors)
        return Progress(entries=entries, **state)
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(f"{path} is damaged, so training cannot be resumed. Train into a new folder.") from error
