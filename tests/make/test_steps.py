import pytest
import torch
from torch import Tensor, nn

from likeness.make.losses import LossSettings
from likeness.make.networks.discriminator import discriminators
from likeness.make.networks.gan import Gan
from likeness.make.rate_dropout import step_with_dropout
from likeness.make.steps import Objective, Views, critic_gradients, generator_gradients
from likeness.make.warp import Warped

SIZE, WIDTH = 64, 8


def views(count: int) -> Views:
    """Faces of noise, both sides."""
    random = torch.Generator().manual_seed(0)

    def warped() -> Warped:
        faces, parts = torch.rand(count, 3, SIZE, SIZE, generator=random), torch.ones(count, 2, 16, 16)
        return Warped(faces * 255, faces * 255, parts * 64)

    return {"a": warped(), "b": warped()}


def part_of(whole: Views, chosen: slice) -> Views:
    return {side: Warped(*(layer[chosen] for layer in warped)) for side, warped in whole.items()}


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


@pytest.fixture
def network() -> Gan:
    torch.manual_seed(0)
    return Gan(SIZE, WIDTH)


def test_two_small_batches_add_up_to_a_large_one(network: Gan):
    whole, objective = views(4), Objective(LossSettings(gradient=0.1, features=3.0, face=0.5, mask=0.1))
    generator_gradients(network, whole, objective)
    wanted = gradients(network)
    network.zero_grad()
    for chosen in (slice(0, 2), slice(2, 4)):
        generator_gradients(network, part_of(whole, chosen), objective, share=0.5)
    added = gradients(network)
    assert added.keys() == wanted.keys()
    for name, gradient in wanted.items():  # bf16 rounds each batch on its own
        assert float((added[name] - gradient).norm()) <= 0.05 * float(gradient.norm()) + 1e-4, name


def test_each_step_teaches_its_own_network(network: Gan):
    critics, whole = discriminators(SIZE, WIDTH), views(2)
    made, losses = generator_gradients(network, whole, Objective(LossSettings(adversarial=0.1), critics))
    assert not gradients(critics)
    assert losses.keys() == {"a", "b"}
    learnt = gradients(network)
    judged = critic_gradients(critics, made, whole, torch.Generator().manual_seed(0))
    assert all(torch.equal(gradient, learnt[name]) for name, gradient in gradients(network).items())
    assert any(float(gradient.abs().sum()) > 0 for gradient in gradients(critics).values())
    assert 0 <= float(judged.accuracy) <= 1
    assert float(judged.loss) > 0


def test_the_discriminators_pull_the_generator(network: Gan):
    critics, whole = discriminators(SIZE, WIDTH), views(2)
    generator_gradients(network, whole, Objective(LossSettings(pixel=0.0, adversarial=1.0), critics))
    assert sum(float(gradient.abs().sum()) for gradient in gradients(network).values()) > 0


def test_learning_rate_dropout_moves_some_weights_and_the_same_ones_again():
    def stepped(dropped: float, seed: int) -> Tensor:
        layer = nn.Linear(100, 100, bias=False)
        nn.init.zeros_(layer.weight)
        layer.weight.grad = torch.ones_like(layer.weight)
        step_with_dropout(torch.optim.Adam(layer.parameters(), lr=0.1), dropped, seed)
        return layer.weight.detach()

    moved = stepped(0.7, 1)
    assert 0.27 < float((moved != 0).float().mean()) < 0.33
    torch.testing.assert_close(moved[moved != 0], torch.full_like(moved[moved != 0], -0.1))
    assert torch.equal(moved, stepped(0.7, 1))
    assert not torch.equal(moved, stepped(0.7, 2))
    assert float((stepped(0.0, 1) != 0).float().mean()) == 1
