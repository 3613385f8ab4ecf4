import pytest
import torch

from likeness.errors import SettingsError
from likeness.make.memory import Need, check_fits, free_bytes, is_out_of_memory, need_of
from likeness.make.recipes import recipe_for

CPU = torch.device("cpu")


def test_what_is_needed_grows_with_size_batch_and_faces():
    small, large = (need_of(recipe_for("light", size), 100, CPU) for size in (64, 128))
    assert large.each > 2 * small.each
    assert large.total(32) - large.total(16) == 16 * large.each
    assert need_of(recipe_for("light", 128), 10_000, CPU).fixed - large.fixed > 9_900 * 164 * 164 * 3


def test_what_is_needed_holds_at_least_weights_gradients_and_moments():
    recipe = recipe_for("liae", 64)
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in recipe.build().parameters())
    need = need_of(recipe, 100, CPU)
    assert need.fixed > 5 * 4 * weights  # and the running mean
    assert 1e6 < need.each < 1e8


def test_the_batch_that_fits_is_named():
    need = Need(fixed=1_000_000_000, each=100_000_000)
    fitting = need.fitting(2_000_000_000)
    assert fitting == 8
    check_fits(need, fitting, 2_000_000_000, "'gan' at 64 px")
    check_fits(need, 1000, None, "'gan' at 64 px")  # a system that does not say
    with pytest.raises(SettingsError, match=r"'gan' at 64 px.*2\.6 GB.*--batch 8.*--batch 8 --accumulate 2") as refusal:
        check_fits(need, 16, 2_000_000_000, "'gan' at 64 px")
    assert "\n" not in str(refusal.value)
    with pytest.raises(SettingsError, match="smaller --size"):
        check_fits(need, 16, 900_000_000, "'gan' at 64 px")


def test_free_memory_is_known_here():
    free = free_bytes(CPU)
    assert free is not None
    assert 1e8 < free < 1e14


def test_running_out_of_memory_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as out:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(out.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
