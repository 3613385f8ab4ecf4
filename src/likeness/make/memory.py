"""How much memory a training will take, before it takes it, and the batch that fits.

Weights, gradients, Adam's two moments, the running mean and the best weights are counted from the parameters. What the
backward pass keeps of a face is counted by running one through the very same loss on PyTorch's "meta" device, which
has shapes but no memory. What the two leave out (workspaces, results in between) is a measured factor.
"""

import os
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from likeness.errors import SettingsError
from likeness.faces.identity_network import IdentityNetwork, identity_view
from likeness.make.compute import computes_in_bf16
from likeness.make.networks.autoencoder import SwapNetwork
from likeness.make.phases import Phase
from likeness.make.recipes import Recipe
from likeness.make.steps import Objective, Views, generator_loss, picture
from likeness.make.warp import PART_STEP, Warped

_FLOAT = 4  # bytes
_MOMENTS = 2  # of Adam, for each weight
_HALF = 0.6  # of the kept bytes where layers compute in bf16: activations halve, what the losses keep does not
_BETWEEN = 1.5  # peak over kept bytes, measured: benchmarks/training_memory.py
_FIXED = 256 << 20  # bytes: the libraries' workspaces, held-out faces, previews
_MOST = 0.9  # of the free memory; what is left keeps the system alive


@dataclass(frozen=True)
class Need:
    """Bytes that a training takes: ``fixed``, whatever the batch, and ``each`` for every face a side of a batch."""

    fixed: int
    each: int

    def total(self, batch: int) -> int:
        """Bytes at the peak, for ``batch`` faces a side."""
        return self.fixed + batch * self.each

    def fitting(self, free: int) -> int:
        """The largest batch that stays within ``free`` bytes; 0 where none does."""
        return max(0, int((_MOST * free - self.fixed) // self.each))


def need_of(recipe: Recipe, faces: int, device: torch.device) -> Need:
    """What training by ``recipe`` on ``faces`` faces, of both sides together, takes on ``device``."""
    with torch.device("meta"):
        network = recipe.build().placed_on(torch.device("meta"))
    critics = None
    if recipe.critic is not None and recipe.uses("adversarial"):
        critics = recipe.critic().to("meta").eval()  # spectral normalisation is slow to set up without contents
    weights = _count(network) * (2 + _MOMENTS + (2 if recipe.averaging else 1))
    weights += 0 if critics is None else _count(critics) * (2 + _MOMENTS)
    pictures = faces * recipe.crop**2 * (3 + 2 / PART_STEP**2)
    drawn = 2 * 3 * (recipe.crop**2 + 2 * recipe.size**2) * _FLOAT
    one, two = (_kept_bytes(recipe, network, critics, count) for count in (1, 2))
    share = _BETWEEN * (_HALF if computes_in_bf16(device) else 1.0)
    fixed = weights * _FLOAT + pictures + _FIXED + max(0, 2 * one - two) * share
    return Need(int(fixed), int((two - one) * share + drawn))


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free for ``device``; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
        return min([free, *_container_bytes()])
    except (OSError, KeyError, ValueError):
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" not in names:
            return None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_fits(need: Need, batch: int, free: int | None, name: str) -> None:
    """Raise SettingsError where ``batch`` faces a side do not fit into ``free`` bytes; ``name`` says what is
    trained."""
    if free is None or batch <= need.fitting(free):
        return
    total, there = need.total(batch) / 1e9, free / 1e9
    raise SettingsError(
        f"Training {name} with {batch} faces a side takes about {total:.1f} GB, and {there:.1f} GB are free. "
        f"{advice(batch, need.fitting(free))}"
    )


def advice(batch: int, fitting: int) -> str:
    """What to do where ``batch`` faces a side are too many and ``fitting`` would fit."""
    if fitting < 1:
        return "Choose a smaller --size or another --arch, or close other programs."
    times = -(-batch // fitting)
    return f"Use --batch {fitting}; --batch {-(-batch // times)} --accumulate {times} learns the same in smaller bites."


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU or not."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def _kept_bytes(recipe: Recipe, network: SwapNetwork, critics: nn.ModuleDict | None, count: int) -> int:
    """Bytes in float32 that the backward pass keeps of ``count`` faces a side, in the phase that keeps most."""
    with torch.device("meta"):
        identity = IdentityNetwork().requires_grad_(False)
        side, part = recipe.size, recipe.size // PART_STEP
        faces, parts = torch.zeros(count, 3, side, side), torch.zeros(count, 2, part, part)
    views: Views = {"a": Warped(faces, faces, parts), "b": Warped(faces, faces, parts)}
    own = {weight.untyped_storage()._cdata for module in (network, identity) for weight in module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    def features(pictures: Tensor) -> list[Tensor]:
        return identity.features(identity_view(pictures, recipe.coverage))

    objective = Objective(costliest_phase(recipe).losses, critics, features)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = dict(zip(views, network(*(picture(view.inputs) for view in views.values())), strict=True))
        losses = [generator_loss(network, decoded, views[name], name, objective) for name, decoded in made.items()]
    total = sum(kept.values())
    del losses  # what they keep had to stay, or its storage would have been counted as the next one's
    return total


def costliest_phase(recipe: Recipe) -> Phase:
    """The phase with most terms, which keeps most."""
    return max(recipe.phases, key=lambda phase: sum(value > 0 for value in astuple(phase.losses)))


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _container_bytes() -> list[int]:
    """What the limits of a container (control group, version 2 or 1) leave."""
    places = (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    )
    left = []
    for limit, used in places:
        try:
            left.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return left
