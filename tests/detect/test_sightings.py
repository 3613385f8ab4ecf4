"""Every face meets the frame it was found in, also across seeks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import clip_of, face, landmarks_at

from likeness.detect.sightings import consecutive, frame_interval, sightings, spans_above, spread, spread_pairs

POINTS = landmarks_at()


def faces_at(frames: list[int]) -> list:
    return [face(POINTS, i) for i in frames]


def test_each_face_meets_its_own_frame_once(tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [np.full((64, 64, 3), i, np.uint8) for i in range(150)])
    wanted = [(1, f) for f in faces_at([0, 1, 5, 120, 149])] + [(2, f) for f in faces_at([5, 6, 121])]
    met = [(s.track, s.face.frame, int(s.frame.image.mean())) for s in sightings(clip, wanted)]
    assert sorted(met) == sorted((track, f.frame, f.frame) for track, f in wanted)
    assert [frame for _, frame, _ in met] == sorted(frame for _, frame, _ in met)


def test_nothing_wanted_is_nothing_decoded(tmp_path: Path) -> None:
    assert list(sightings(clip_of(tmp_path / "a.mkv", [np.zeros((64, 64, 3), np.uint8)] * 3), [])) == []


@given(st.integers(0, 80), st.integers(1, 60))
def test_a_spread_keeps_ends_and_order(count: int, most: int) -> None:
    faces = faces_at(list(range(count)))
    chosen = [f.frame for f in spread(faces, most)]
    assert len(chosen) == min(count, most)
    assert chosen == sorted(set(chosen))
    if count and most > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)


@given(st.integers(0, 200), st.integers(2, 60))
def test_pairs_are_bounded_in_order_and_neighbours(length: int, count: int) -> None:
    faces = faces_at(list(range(length)))
    chosen = [f.frame for f in spread_pairs(faces, count, 0.1)]
    assert len(chosen) <= max(count, 1)
    assert chosen == sorted(set(chosen))
    if length > count:
        assert all(frame + 1 in chosen or frame - 1 in chosen for frame in chosen)


def test_a_slow_clip_has_no_pairs() -> None:
    faces = [face(POINTS, i, rate=2.0) for i in range(100)]
    assert len(spread_pairs(faces, 20, 0.1)) == 20


def test_a_track_is_cut_where_the_face_was_lost() -> None:
    pieces = consecutive(faces_at([0, 1, 2, 10, 11, 30]), 0.1)
    assert [[f.frame for f in piece] for piece in pieces] == [[0, 1, 2], [10, 11], [30]]
    assert frame_interval(faces_at([0, 1, 2, 10])) == pytest.approx(0.04)
    assert frame_interval(faces_at([3])) == 0


def test_spans_are_where_values_stay_high_long_enough() -> None:
    times, values = np.arange(8.0), np.array([0, 5, 5, 5, 0, 5, np.nan, 5])
    assert spans_above(times, values, 4, 2.0) == [(1.0, 3.0)]
    assert spans_above(times, values, 4, 0.0) == [(1.0, 3.0), (5.0, 5.0), (7.0, 7.0)]
