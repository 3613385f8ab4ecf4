"""Several GPUs, by Lightning Fabric: each process trains a replica on batches of its own, and all step alike.

Replicas start from the same seed. After each iteration's gradients are averaged over the processes, every optimiser
takes the same step, so the weights stay equal without ever being sent: data-parallel stochastic gradient descent. The
first process keeps the clock and the files.
"""

from typing import Protocol

import torch
from torch import nn

from likeness.errors import MissingDataError, SettingsError


class Group(Protocol):
    """The processes that train together; ``rank`` 0 is the first of ``size``."""

    rank: int
    size: int

    @property
    def device(self) -> torch.device | None:
        """This process's own device; None where it may choose."""
        ...

    def average_gradients(self, module: nn.Module) -> None:
        """Replace each gradient of ``module`` by its mean over the processes."""
        ...

    def agree(self, value: float) -> float:
        """The ``value`` of the first process, for all."""
        ...


class Alone:
    """One process."""

    rank, size = 0, 1
    device: torch.device | None = None

    def average_gradients(self, module: nn.Module) -> None:
        """Its gradients are the mean."""

    def agree(self, value: float) -> float:
        """It agrees with itself."""
        return value


class FabricGroup:
    """``size`` processes on as many GPUs (or, for tests, on the CPU), started by Lightning Fabric.

    Fabric starts the other processes by running this program's command line again. Raises MissingDataError where
    Lightning is not installed, SettingsError where there are fewer GPUs.
    """

    def __init__(self, size: int, accelerator: str = "cuda") -> None:
        try:
            from lightning.fabric import Fabric
        except ImportError as error:
            raise MissingDataError(
                "Training on several GPUs needs Lightning Fabric. Install it: pip install 'likeness[multi-gpu]'."
            ) from error
        if accelerator == "cuda" and torch.cuda.device_count() < size:
            raise SettingsError(
                f"--gpus {size} was asked for, and this machine has {torch.cuda.device_count()}. Ask for fewer."
            )
        self._fabric = Fabric(accelerator=accelerator, devices=size, strategy="ddp")
        self._fabric.launch()
        self.rank, self.size = self._fabric.global_rank, self._fabric.world_size

    @property
    def device(self) -> torch.device | None:
        return self._fabric.device

    def average_gradients(self, module: nn.Module) -> None:
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        mean = self._fabric.all_reduce(flat, reduce_op="mean")
        assert isinstance(mean, torch.Tensor)
        for gradient, part in zip(gradients, mean.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def agree(self, value: float) -> float:
        return float(self._fabric.broadcast(torch.tensor(value, dtype=torch.float64, device=self._fabric.device)))


def group_of(gpus: int) -> Group:
    """The processes for ``gpus`` GPUs."""
    return Alone() if gpus == 1 else FabricGroup(gpus)
