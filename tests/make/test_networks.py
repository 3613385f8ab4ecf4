import pytest
import torch
from torch import nn

from likeness.make.networks import gan
from likeness.make.networks.attention import SelfAttention
from likeness.make.networks.gan import Gan
from likeness.make.networks.liae import Liae, Widths
from likeness.make.networks.light import SIZE, Light
from likeness.make.networks.original import MatmulConv2d, Original
from likeness.make.recipes import SIZES, Architecture, recipe_for


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_original_has_the_published_size():
    with torch.device("meta"):
        network = Original()
    assert count(network) == 82_062_470  # 82.06 M
    assert count(network.encoder) == 69_662_976  # 69.66 M
    assert count(network.decoder_a) == count(network.decoder_b) == 6_199_747  # 6.20 M


def test_original_shapes_layer_by_layer():
    with torch.device("meta"):
        network = Original()
        x, shapes = torch.zeros(2, 3, 64, 64), []
        for layer in network.encoder:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (16384,), (1024,), (16384,), (1024, 4, 4), (512, 8, 8)
    ]  # fmt: skip
    assert network.decode(x, "b").images.shape == (2, 3, 64, 64)


@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 1)])
def test_matmul_convolution_is_a_convolution(kernel: int, stride: int):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 10, kernel, stride=stride, padding=kernel // 2)
    ours = MatmulConv2d(6, 10, kernel, stride=stride, padding=kernel // 2)
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(3, 6, 8, 8)
    torch.testing.assert_close(ours(x), plain(x), atol=1e-5, rtol=1e-5)
    grads = [torch.autograd.grad(layer(x).square().sum(), layer.weight)[0] for layer in (plain, ours)]
    torch.testing.assert_close(grads[0], grads[1], atol=1e-3, rtol=1e-4)


def test_light_is_small_and_paints_faces_and_masks():
    network = Light()
    assert count(network) < 8_000_000
    with torch.no_grad():
        a, b = network(torch.rand(2, 3, SIZE, SIZE), torch.rand(3, 3, SIZE, SIZE))
    assert a.images.shape == (2, 3, SIZE, SIZE)
    assert b.masks is not None
    assert b.masks.shape == (3, 1, SIZE // 4, SIZE // 4)
    assert 0 <= float(b.masks.min()) <= float(b.masks.max()) <= 1


def test_both_faces_pass_the_encoder_as_if_alone():
    torch.manual_seed(0)
    network = Light().eval()
    faces_a, faces_b = torch.rand(2, 3, SIZE, SIZE), torch.rand(2, 3, SIZE, SIZE)
    together = network(faces_a, faces_b)[1].images
    torch.testing.assert_close(together, network.translate(faces_b, "b", "b").images, atol=1e-4, rtol=1e-4)


def test_light_starts_from_the_mean_face_and_looks_at_deviations_from_it():
    torch.manual_seed(0)
    network = Light().eval()
    masks = torch.ones(4, 1, SIZE // 4, SIZE // 4)
    pattern = (torch.randn(4, 3, SIZE // 4, SIZE // 4) * 0.05).repeat_interleave(4, 2).repeat_interleave(4, 3)
    network.start_from("a", 0.3 + pattern, masks)
    network.start_from("b", 0.7 + pattern, masks)
    # the same deviations from each side's own colours are the same face to the encoder
    torch.testing.assert_close(
        network.normalized(0.3 + pattern, "a"), network.normalized(0.7 + pattern, "b"), atol=1e-4, rtol=1e-3
    )
    # and before training a swap shows the other side's mean face
    swapped = network.translate(0.3 + pattern, "a", "b").images
    torch.testing.assert_close(swapped, (0.7 + pattern).mean(0).expand(4, -1, -1, -1), atol=1e-3, rtol=1e-3)


def test_recipes_state_the_view_they_train():
    assert recipe_for("original").view == pytest.approx(160 / 256)
    for arch, size in ((arch, size) for arch, sizes in SIZES.items() for size in sizes):
        recipe = recipe_for(arch, size)
        assert recipe.size == size
        assert recipe.crop % 4 == 0
        assert 0.5 < recipe.view <= 1
        assert recipe.phases[0].start == 0
        assert [phase.start for phase in recipe.phases] == sorted(phase.start for phase in recipe.phases)


@pytest.mark.parametrize("arch", ["gan", "liae"])
@pytest.mark.parametrize(("size", "published"), [(64, False), (64, True), (128, False), (256, False)])
def test_adversarial_networks_paint_faces_and_masks_at_every_size(arch: Architecture, size: int, published: bool):
    recipe = recipe_for(arch, size, published)
    assert recipe.critic is not None
    with torch.device("meta"):
        network, critics = recipe.build(), recipe.critic()
        faces = torch.zeros(2, 3, size, size)
        made, _ = network(faces, faces[:1])
    assert made.images.shape == faces.shape
    assert made.masks is not None
    assert made.masks.shape == (2, 1, size, size)
    assert critics["a"](made.images, faces).shape == (2, 1, 8, 8)


def test_published_widths_are_the_published_ones():
    with torch.device("meta"):
        network = Gan(64, gan.PUBLISHED_WIDTH)
        x, shapes = torch.zeros(1, 3, 64, 64), []
        for layer in network.encoder:
            x = layer(x)
            if isinstance(layer, nn.Sequential | nn.Conv2d):
                shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (512, 8, 8)]
    attending = [name for name, layer in network.named_modules() if isinstance(layer, SelfAttention)]
    assert len(attending) == 2 + 2 * 2  # in the encoder at 16 and 8 pixels, in each decoder at 32 and 64


def test_gan_lays_its_face_over_the_input():
    torch.manual_seed(0)
    network, faces = Gan(64, width=8).eval(), torch.rand(2, 3, 64, 64)
    made = network.translate(faces, "a", "b")
    assert made.painted is not None
    assert made.masks is not None
    torch.testing.assert_close(made.images, made.masks * made.painted + (1 - made.masks) * faces)
    assert 0 <= float(made.painted.min()) <= float(made.painted.max()) <= 1


def test_attention_starts_as_nothing_and_then_looks_everywhere():
    torch.manual_seed(0)
    attention, maps = SelfAttention(16), torch.randn(1, 16, 8, 8)
    torch.testing.assert_close(attention(maps), maps)
    nn.init.ones_(attention.gamma)
    changed = maps.clone()
    changed[..., 0, 0] += 5
    assert float((attention(changed) - attention(maps))[..., 7, 7].abs().max()) > 1e-4  # the far corner noticed


def test_liae_swaps_with_the_code_that_both_faces_share():
    torch.manual_seed(0)
    network, faces = Liae(64, Widths(8, 16, 8, 4)).eval(), torch.rand(2, 3, 64, 64)
    swapped, own = network.translate(faces, "a", "b").images, network.translate(faces, "a", "a").images
    nn.init.zeros_(network.inter_b[0].weight)
    torch.testing.assert_close(network.translate(faces, "a", "b").images, swapped)  # src and swap: [AB, AB]
    assert float((network.translate(faces, "a", "a").images - own).abs().max()) > 1e-6  # dst: [B, AB]


def test_a_network_without_a_running_start_says_so():
    assert Liae(64, Widths(8, 16, 8, 4)).running_start() is False
