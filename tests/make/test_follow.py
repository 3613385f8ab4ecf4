import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.faces.align import TEMPLATE, alignment
from likeness.make.follow import CROP, Sightings, apart, steadied
from likeness.make.smooth import SmoothSettings

TIMES = np.arange(200) / 25


def _seen(frames: list[int], width: float = 50.0) -> Sightings:
    landmarks = [(TEMPLATE * width + (30 + frame, 40)).astype(np.float32) for frame in frames]
    return Sightings(frames, landmarks, area=len(frames) * width**2)


def test_the_main_face_is_followed_across_a_cut_and_bystanders_are_not() -> None:
    first_shot, second_shot = _seen(list(range(50))), _seen(list(range(60, 90)))
    bystander = _seen(list(range(20, 80)), width=20)
    assert apart([bystander, second_shot, first_shot]) == [first_shot, second_shot]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=6))
def test_chosen_sightings_never_share_a_frame(frames: list[set[int]]) -> None:
    kept = apart([_seen(sorted(some)) for some in frames])
    together = [frame for seen in kept for frame in seen.frames]
    assert len(together) == len(set(together))
    assert kept


def test_a_short_loss_is_filled_and_a_long_one_is_not() -> None:
    frames = [*range(20), *range(22, 40), *range(60, 80)]
    short, long = steadied(_seen(frames), TIMES, SmoothSettings(bridge_s=0.12))
    assert short.frames.tolist() == list(range(40))
    assert long.frames.tolist() == list(range(60, 80))
    wanted = alignment(TEMPLATE * 50.0 + (30 + 20, 40), CROP)
    assert np.allclose(short.at(20).matrix, wanted, atol=1e-3)
    assert short.at(50) is None
    assert long.at(59) is None


def test_a_single_sighting_is_a_path() -> None:
    [path] = steadied(_seen([7]), TIMES, SmoothSettings())
    assert path.at(7) is not None
    assert path.at(6) is None
    assert path.at(8) is None


def test_jitter_shrinks_and_the_landmarks_stay_on_the_face() -> None:
    rng = np.random.default_rng(0)
    frames = list(range(100))
    still = Sightings(
        frames, [(TEMPLATE * 50 + 40 + rng.normal(0, 0.7, (68, 2))).astype(np.float32) for _ in frames], area=1.0
    )
    raw = np.stack([alignment(points, CROP) for points in still.landmarks])
    [path] = steadied(still, TIMES, SmoothSettings())
    assert np.diff(path.matrices[:, :, 2], axis=0).std() < 0.3 * np.diff(raw[:, :, 2], axis=0).std()
    centre = CROP * (1 - 0.625) / 2 + CROP * 0.625 * TEMPLATE
    assert np.abs(path.landmarks.mean(axis=0) - centre).max() < 1.5
