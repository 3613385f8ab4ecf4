"""Learning rates over a training: a linear rise, then a fall along half a cosine."""

import math

import torch


def rise(step: int, warm_up: int) -> float:
    """From almost 0 at step 0 to 1 after ``warm_up`` steps, and 1 from then on."""
    return min(1.0, (step + 1) / warm_up)


def half_cosine(done: float, whole: float = 1.0) -> float:
    """From 1 to 0 while ``done``, in steps or in time, goes from 0 to ``whole``; 0 beyond."""
    return (1 + math.cos(math.pi * min(done, whole) / whole)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next steps of ``optimizer`` use ``rate`` for all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate
