"""The z-buffer, the shadow map and the strands on shapes whose answer is known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from likeness.actors.rasterize import NOTHING, draw_triangles, vertex_normals
from likeness.actors.shadows import ShadowMap, transmitted
from likeness.actors.strands import back_to_front, draw_strands


def _draw(screen: np.ndarray, triangles: np.ndarray, side: int = 16) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    depth = np.full((side, side), np.inf, np.float32)
    triangle_at = np.full((side, side), NOTHING, np.int32)
    weights = np.zeros((side, side, 2), np.float32)
    draw_triangles(screen.astype(np.float32), triangles.astype(np.int32), depth, triangle_at, weights)
    return depth, triangle_at, weights


def test_a_front_triangle_covers_its_half_of_the_square_and_a_back_one_nothing() -> None:
    corners = np.array([[0, 0, 5], [0, 15, 5], [15, 15, 5]])
    _, front, _ = _draw(corners, np.array([[0, 1, 2]]))
    _, back, _ = _draw(corners, np.array([[0, 2, 1]]))
    assert (front == 0).sum() == 16 * 17 // 2
    assert (back == NOTHING).all()


def test_the_nearer_triangle_wins_in_any_order() -> None:
    near, far = [[0, 0, 1], [0, 15, 1], [15, 15, 1]], [[0, 0, 2], [0, 15, 2], [15, 15, 2]]
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    depth, first, _ = _draw(np.array(near + far), triangles)
    _, second, _ = _draw(np.array(far + near), triangles)
    assert first[10, 5] == 0
    assert second[10, 5] == 1
    assert depth[10, 5] == 1


@given(st.floats(0.5, 14.5), st.floats(0.5, 14.5))
def test_weights_give_back_the_pixel(x: float, y: float) -> None:
    corners = np.array([[-20, -20, 1], [x, 60, 1], [60, y, 1]])
    _, found, weights = _draw(corners, np.array([[0, 1, 2]]))
    row, column = np.nonzero(found == 0)
    w = np.concatenate([weights[row, column], 1 - weights[row, column].sum(axis=1, keepdims=True)], axis=1)
    np.testing.assert_allclose(w @ corners[:, :2], np.stack([column, row], axis=1), atol=1e-3)


def test_normals_point_out_of_the_front() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    normals = vertex_normals(square, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    np.testing.assert_allclose(normals, np.tile([0, 0, 1], (4, 1)))


def test_a_shadow_falls_behind_and_not_before_a_blocker() -> None:
    shadow = ShadowMap.empty(np.array([0, 0, 1], np.float32), 64)
    wall = np.array([[-5, -8, 0], [5, -8, 0], [0, 6, 0]], np.float32)
    shadow.add_triangles(wall, np.array([[0, 1, 2]], np.int32))
    points = np.array([[0, -4, -4], [0, -4, 4], [12, -4, -4]], np.float32)
    share = transmitted(shadow.place(points), shadow.depth, 0.2, 0.4)
    assert share[0] < 0.01
    assert share[1] == share[2] == 1


def test_hair_is_counted_where_it_crosses() -> None:
    shadow = ShadowMap.empty(np.array([0, 0, 1], np.float32), 64)
    strand = np.array([[-3, -3, 0], [3, -3, 0]], np.float32)
    shadow.add_strands(np.concatenate([strand, strand]), 2)
    assert shadow.count.max() == 2
    assert (shadow.count > 0).sum() == np.isfinite(shadow.depth).sum() > 4


def test_strands_are_drawn_from_the_far_to_the_near_and_behind_nothing_nearer() -> None:
    screen = np.array([[2, 8, 3], [13, 8, 3], [2, 8, 9], [13, 8, 9]], np.float32)
    order = back_to_front(screen[:, 2].copy(), 2)
    assert order.tolist() == [2, 0]
    light = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    wall = np.full((16, 16), np.inf, np.float32)
    wall[:, 10:] = 1
    canvas, cover = np.zeros((16, 16, 3), np.float32), np.zeros((16, 16), np.float32)
    solid, width = np.ones(4, np.float32), np.full(2, 2.0, np.float32)
    draw_strands(screen, 2, light, solid, width, order, 0.0, wall, canvas, cover)
    np.testing.assert_allclose(canvas[8, 6], [1, 0, 0])
    assert cover[8, 6] == 1
    assert not canvas[:, 10:].any()
