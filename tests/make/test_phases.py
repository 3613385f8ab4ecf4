import pytest

from likeness.errors import SettingsError
from likeness.make.recipes import recipe_for


def test_the_published_schedule_of_gan():
    recipe = recipe_for("gan")
    losses = {done: recipe.phase(0, done).losses for done in (0.0, 0.19, 0.2, 0.3, 1.0)}
    assert all(each.adversarial == 0.1 for each in losses.values())
    assert [losses[done].perceptual > 0 for done in (0.0, 0.19, 0.2)] == [False, False, True]
    assert [losses[done].alpha_hinge for done in (0.2, 0.3, 1.0)] == [0, 0.1, 0.1]


def test_the_published_order_of_liae():
    recipe = recipe_for("liae")
    warp_on, dropout, warp_off, gan = recipe.phases
    assert warp_on.warp.grid_noise > 0
    assert warp_on.rate_dropout == 0
    assert dropout.warp.grid_noise > 0
    assert dropout.rate_dropout > 0
    assert warp_off.warp.grid_noise == 0
    assert [phase.losses.adversarial for phase in recipe.phases] == [0, 0, 0, 0.1]
    assert gan.start < 1


def test_without_a_budget_phases_go_by_iterations():
    recipe = recipe_for("gan")
    assert recipe.phase(7_999, None) is recipe.phases[0]
    assert recipe.phase(8_000, None) is recipe.phases[1]
    assert recipe.phase(10**6, None) is recipe.phases[-1]
    assert recipe.phase(10**6, 0.0) is recipe.phases[0]


@pytest.mark.parametrize(("arch", "size"), [("original", 128), ("light", 100), ("gan", 32), ("liae", 512)])
def test_sizes_that_an_architecture_has_not_got(arch, size: int):
    with pytest.raises(SettingsError, match="--size"):
        recipe_for(arch, size)
    with pytest.raises(SettingsError, match="--published"):
        recipe_for("light", published=True)
