import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.faces.align import TEMPLATE, alignment, apply
from likeness.make.approval import spread
from likeness.make.fit import CROP
from likeness.make.follow import FacePath


def _path(frames: np.ndarray, turned: np.ndarray) -> FacePath:
    points = []
    for turn in turned:
        landmarks = TEMPLATE.astype(np.float64) * 60 + 40
        landmarks[17:] += (turn, 0)  # brows, eyes, nose and mouth shift within the jaw: the head turns
        points.append(landmarks)
    matrices = np.stack([alignment(landmarks, CROP) for landmarks in points])
    inside = np.stack([apply(matrix, landmarks) for matrix, landmarks in zip(matrices, points, strict=True)])
    return FacePath(frames, matrices, inside, samples=())


def test_frames_are_spread_over_time_and_poses() -> None:
    turned = np.zeros(200)
    turned[60:64] = 9.0  # a short turn of the head that even steps in time would miss
    chosen = [one.index for one in spread([_path(np.arange(200), turned)], 5)]
    assert chosen == sorted(chosen)
    assert any(60 <= index < 64 for index in chosen)
    assert min(chosen) < 30
    assert max(chosen) > 170


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 30))
def test_each_frame_is_shown_once_and_only_where_there_is_a_face(count: int, length: int, gap: int) -> None:
    one = _path(np.arange(length), np.zeros(length))
    other = _path(np.arange(length + gap, 2 * length + gap), np.zeros(length))
    shown = spread([one, other], count)
    assert len({item.index for item in shown}) == len(shown) == min(count, 2 * length)
    assert all(item.index in (one, other)[item.path].frames for item in shown)
