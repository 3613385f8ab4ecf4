import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.faces.align import umeyama
from likeness.make import warp
from likeness.make.warp import Crops, WarpSettings, centre_view, random_warp

STILL = WarpSettings(rotation_deg=0, zoom=0, shift=0, flip=0, grid_noise=0)


def ramp(side: int = 64) -> Crops:
    """Crops whose colours tell the place: red grows with x, green with y, both in [0, 255)."""
    line = (np.arange(side) + 0.5) / side * 255
    picture = np.stack([np.tile(line, (side, 1)), np.tile(line[:, None], (1, side)), np.full((side, side), 128)])
    parts = np.stack([picture[0], picture[1]])[:, ::4, ::4]
    return Crops(torch.from_numpy(picture[None]).float(), torch.from_numpy(parts[None]).float())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_noise_input_and_target_are_the_middle_of_the_crop():
    warped = random_warp(ramp(), 32, 0.625, STILL, generator())
    middle = centre_view(ramp(), 32, 0.625)
    torch.testing.assert_close(warped.inputs, warped.colours, atol=1e-2, rtol=0)
    torch.testing.assert_close(warped.colours, middle.colours, atol=1e-2, rtol=0)
    left = float(middle.colours[0, 0, 16, 0])
    # the first pixel's centre lies at half a pixel of 32 into the middle 62.5 %
    assert left == np.float32(left)
    np.testing.assert_allclose(left, 255 * (0.1875 + 0.625 / 64), atol=0.5)


@given(seed=st.integers(0, 2**31), noise=st.floats(0.001, 0.06))
@settings(max_examples=25, deadline=None)
def test_target_is_the_umeyama_fit_of_the_warped_grid(seed: int, noise: float):
    regular = warp._control_grid(0.625)
    bent = regular + torch.randn(regular.shape, generator=generator(seed)) * noise
    fitted = warp._fit_similarity(regular, bent)[0].double().numpy()
    exact = umeyama(bent[0].reshape(-1, 2).numpy(), regular[0].reshape(-1, 2).numpy())
    both = fitted[:, :2] @ exact[:, :2]
    np.testing.assert_allclose(both, np.eye(2), atol=1e-4)
    np.testing.assert_allclose(fitted[:, :2] @ exact[:, 2] + fitted[:, 2], 0, atol=1e-4)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_moves_stay_within_the_recipe(seed: int):
    places = warp._random_similarity(50, WarpSettings(), generator(seed))
    scale = torch.linalg.det(places[:, :, :2]).abs().sqrt()
    assert bool(((scale > 0.949) & (scale < 1.051)).all())
    assert bool((places[:, :, 2].abs() <= 0.1001).all())  # 5 % of the side, in half sides
    angle = torch.rad2deg(torch.atan2(-places[:, 0, 1], places[:, 1, 1]))
    assert float(angle.abs().max()) <= 10.001


def test_grid_noise_and_flips_are_those_of_the_recipe():
    settings = WarpSettings(rotation_deg=0, zoom=0, shift=0)
    places = warp._random_similarity(4000, settings, generator())
    assert abs(float((places[:, 0, 0] < 0).float().mean()) - 0.4) < 0.03
    # 5 px of a 256 px crop, in half crops
    assert np.isclose(2 * 0.625 * settings.grid_noise, 5 / 128)


def test_parts_follow_the_colours():
    settings = WarpSettings(flip=0.5)
    warped = random_warp(ramp(), 64, 0.625, settings, generator(3))
    coarse = torch.nn.functional.avg_pool2d(warped.colours[:, :2], warp.PART_STEP)
    difference = (coarse - warped.parts).abs().mean()
    assert float(difference) < 6.0  # of 255: parts were kept four times coarser, without averaging


def test_same_seed_same_warp():
    first = random_warp(ramp(), 32, 0.625, WarpSettings(), generator(7))
    again = random_warp(ramp(), 32, 0.625, WarpSettings(), generator(7))
    assert all(torch.equal(x, y) for x, y in zip(first, again, strict=True))
