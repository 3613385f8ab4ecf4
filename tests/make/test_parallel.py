import importlib.util

import pytest
import torch
from torch import nn

from likeness.errors import MissingDataError, SettingsError
from likeness.make.parallel import Alone, group_of


def test_one_process_is_its_own_mean():
    layer = nn.Linear(2, 1)
    layer.weight.grad = torch.ones_like(layer.weight)
    group = group_of(1)
    group.average_gradients(layer)
    assert isinstance(group, Alone)
    assert float(layer.weight.grad.sum()) == 2
    assert group.agree(0.25) == 0.25


def test_several_gpus_need_lightning_and_so_many_gpus():
    wanted = torch.cuda.device_count() + 2
    installed = importlib.util.find_spec("lightning") is not None
    with pytest.raises(SettingsError if installed else MissingDataError) as refusal:
        group_of(wanted)
    assert "\n" not in str(refusal.value)
    assert "--gpus" in str(refusal.value) or "multi-gpu" in str(refusal.value)
