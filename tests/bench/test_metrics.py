import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.bench.metrics import block_bootstrap, clustered_bootstrap, landmark_error, psnr, ssim

RANDOM = np.random.default_rng(5)
PICTURE = RANDOM.integers(0, 256, (40, 50, 3), dtype=np.uint8)


def test_psnr_of_a_known_error() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(grey, grey + 10) == pytest.approx(28.1308, abs=1e-3)
    assert psnr(PICTURE, PICTURE) == float("inf")


def test_figures_look_only_inside_the_mask() -> None:
    damaged = PICTURE.copy()
    damaged[:, 25:] = 0
    mask = np.zeros((40, 50))
    mask[8:32, 4:18] = 1  # a window's half width away from the damage
    assert psnr(damaged, PICTURE, mask) == float("inf")
    assert ssim(damaged, PICTURE, mask) == pytest.approx(1)
    assert ssim(damaged, PICTURE) < 0.8


def test_ssim_is_the_published_formula_at_one_pixel() -> None:
    other = np.clip(PICTURE * 0.7 + RANDOM.normal(0, 20, PICTURE.shape), 0, 255).astype(np.uint8)
    x, y = (picture[10:21, 20:31] @ [0.299, 0.587, 0.114] for picture in (PICTURE, other))
    ramp = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weight = np.outer(ramp, ramp) / ramp.sum() ** 2
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    covariance = (weight * (x - mean_x) * (y - mean_y)).sum()
    variances = (weight * (x - mean_x) ** 2).sum() + (weight * (y - mean_y) ** 2).sum()
    wanted = (2 * mean_x * mean_y + 6.5025) * (2 * covariance + 58.5225)
    wanted /= (mean_x**2 + mean_y**2 + 6.5025) * (variances + 58.5225)
    mask = np.zeros((40, 50))
    mask[15, 25] = 1
    assert ssim(PICTURE, other, mask) == pytest.approx(wanted, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99))
def test_ssim_is_symmetric_and_bounded(seed: int) -> None:
    other = np.random.default_rng(seed).integers(0, 256, PICTURE.shape, dtype=np.uint8)
    assert ssim(PICTURE, other) == pytest.approx(ssim(other, PICTURE))
    assert -1 <= ssim(PICTURE, other) <= 1


def test_landmark_error_is_in_percent_of_the_outer_eye_distance() -> None:
    truth = RANDOM.uniform(0, 100, (68, 2))
    truth[36], truth[45] = (10, 50), (60, 50)
    assert landmark_error(truth + np.array([3, 4]), truth) == pytest.approx(10)


def test_unlike_shapes_and_empty_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        psnr(PICTURE, PICTURE[:5])
    with pytest.raises(ValueError, match="empty"):
        ssim(PICTURE, PICTURE, np.zeros((40, 50)))


def test_bootstrap_interval_holds_the_mean_and_widens_for_runs() -> None:
    runs = np.repeat(RANDOM.normal(0, 1, 20), 10)
    single, blocked = block_bootstrap(runs, 1), block_bootstrap(runs, 10)
    assert single.low < single.mean < single.high
    assert blocked.high - blocked.low > 1.8 * (single.high - single.low)
    assert block_bootstrap(np.full(7, 3.0), 5) == block_bootstrap(np.full(7, 3.0), 50)


def test_bootstrap_over_clips_knows_that_frames_of_one_clip_are_alike() -> None:
    """Three clips that differ by 10 say little of clips in general, however many frames each has."""
    clips = [RANDOM.normal(centre, 0.1, 60) for centre in (0, 10, 20)]
    across, pooled = clustered_bootstrap(clips, 12), block_bootstrap(np.concatenate(clips), 12)
    assert across.mean == pytest.approx(10, abs=0.1)
    assert across.high - across.low > 12 > 1.5 * (pooled.high - pooled.low)


def test_bootstrap_over_clips_weights_clips_alike_and_takes_one_alone() -> None:
    assert clustered_bootstrap([np.zeros(10), np.full(90, 2.0)], 5).mean == 1
    alone = clustered_bootstrap([np.sin(np.arange(50))], 5)
    assert alone.low < alone.mean < alone.high
    assert alone.high - alone.low < 1
    with pytest.raises(ValueError, match="no values"):
        clustered_bootstrap([np.zeros(3), np.zeros(0)], 2)
