"""Learning-rate dropout: each step moves only some of the weights, chosen anew by chance.

    w ← w + m ⊙ Δw,  m ~ Bernoulli(1 − p) for every single weight

Δw is the optimiser's whole step; its moments take in every gradient. Lin et al. 2019, "Learning rate dropout",
algorithm 2; DeepFaceLab keeps 30 % of the weights moving, late in training.
"""

import torch


@torch.no_grad()
def step_with_dropout(optimizer: torch.optim.Optimizer, dropped: float, seed: int) -> None:
    """Step, and take back the step of the part ``dropped`` of all weights; which ones follows from ``seed``."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    before = [parameter.clone() for parameter in parameters]
    optimizer.step()
    randoms: dict[torch.device, torch.Generator] = {}
    for parameter, old in zip(parameters, before, strict=True):
        if parameter.device not in randoms:
            randoms[parameter.device] = torch.Generator(parameter.device).manual_seed(seed)
        moving = torch.empty_like(parameter).bernoulli_(1 - dropped, generator=randoms[parameter.device])
        parameter.copy_(torch.where(moving > 0, parameter, old))
