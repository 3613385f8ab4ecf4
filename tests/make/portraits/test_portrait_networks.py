import pytest
import torch

from likeness.make.portraits.networks import Discriminator, Generator, NetworkSettings

SMALL = NetworkSettings(widths=(16, 8, 8, 8), style=16)


@pytest.mark.parametrize(("widths", "size"), [((8, 8, 8, 8), 64), ((8, 8, 8, 8, 8), 128)])
def test_pictures_have_the_size_that_the_widths_say(widths: tuple[int, ...], size: int):
    settings = NetworkSettings(widths, (1,) * len(widths), (1,) * len(widths), style=16)
    assert settings.size == size
    pictures = Generator(settings)(torch.randn(2, settings.latent))
    assert pictures.shape == (2, 3, size, size)
    assert Discriminator(settings)(pictures).shape == (2,)


def test_other_numbers_make_another_face_and_longer_ones_the_same():
    torch.manual_seed(0)
    generator, latents = Generator(SMALL), torch.randn(2, SMALL.latent)
    first, second = generator(latents)
    assert (first - second).abs().max() > 0.01
    assert torch.allclose(generator(3 * latents), generator(latents), atol=1e-4)


def test_blocks_start_as_the_identity():
    torch.manual_seed(0)
    discriminator = Discriminator(SMALL)
    maps = torch.randn(1, 8, 32, 32)
    assert torch.equal(discriminator.stages[0](maps), maps)


def test_every_parameter_of_both_is_reached_by_training():
    torch.manual_seed(0)
    generator, discriminator = Generator(SMALL), Discriminator(SMALL)
    for parameter in [*generator.parameters(), *discriminator.parameters()]:
        torch.nn.init.normal_(parameter, std=0.1)
    discriminator(generator(torch.randn(4, SMALL.latent))).sum().backward()
    unmoved = [
        name
        for network in (generator, discriminator)
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert unmoved == ["judge.bias"] or unmoved == []
