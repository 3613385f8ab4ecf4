import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from likeness.faces.align import (
    COVERAGE,
    MIRROR,
    TEMPLATE,
    aligned_crop,
    alignment,
    apply,
    invert,
    scale_of,
    umeyama,
    warp,
)

points = arrays(np.float64, (12, 2), elements=st.floats(-500, 500, width=32))
angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-300, 300), st.floats(-300, 300))


def similarity(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, shift])


def umeyama_by_svd(src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Equations 40–42 of the paper, word for word."""
    mean_src, mean_dst = src.mean(0), dst.mean(0)
    a, b = src - mean_src, dst - mean_dst
    left, singular, right = np.linalg.svd(b.T @ a / len(src))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    linear = (singular * signs).sum() / (a**2).sum() * len(src) * (left * signs) @ right
    return np.column_stack([linear, mean_dst - linear @ mean_src])


@given(points, angles, scales, shifts)
def test_umeyama_recovers_a_similarity(src, angle, scale, shift):
    if np.ptp(src, axis=0).max() < 1:
        return
    truth = similarity(angle, scale, shift)
    found = umeyama(src, apply(truth, src))
    np.testing.assert_allclose(apply(found, src), apply(truth, src), atol=1e-6 * scale * 1000)


@given(points, points)
def test_umeyama_is_the_published_solution(src, dst):
    if np.ptp(src, axis=0).max() < 1:
        return
    ours, published = umeyama(src, dst), umeyama_by_svd(src, dst)
    error, best = (((apply(m, src) - dst) ** 2).sum() for m in (ours, published))
    assert error <= best * (1 + 1e-9) + 1e-6


@given(points)
def test_umeyama_never_mirrors(src):
    if np.ptp(src, axis=0).max() < 1:
        return
    assert np.linalg.det(umeyama(src, src * [-1, 1])[:, :2]) >= 0


def test_umeyama_refuses_what_has_no_answer():
    with pytest.raises(ValueError, match="two different points"):
        umeyama(np.ones((5, 2)), np.zeros((5, 2)))
    with pytest.raises(ValueError, match="one shape"):
        umeyama(np.ones((5, 2)), np.zeros((4, 2)))


@given(angles, scales, shifts, points)
def test_invert_undoes(angle, scale, shift, some):
    matrix = similarity(angle, scale, shift)
    np.testing.assert_allclose(apply(invert(matrix), apply(matrix, some)), some, atol=1e-4)


def test_mirror_is_its_own_inverse_and_keeps_the_template():
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    np.testing.assert_allclose(TEMPLATE[MIRROR] * [-1, 1] + [1, 0], TEMPLATE, atol=2e-3)


@given(angles, st.floats(0.5, 3), shifts)
def test_an_aligned_face_is_the_template(angle, scale, shift):
    face = apply(similarity(angle, 100 * scale, shift), TEMPLATE)
    crop = apply(alignment(face, 256), face)
    np.testing.assert_allclose(crop, 256 * (TEMPLATE * COVERAGE + (1 - COVERAGE) / 2), atol=1e-3)
    assert scale_of(alignment(face, 256)) == pytest.approx(256 * COVERAGE / (100 * scale), rel=1e-4)


@pytest.mark.parametrize("side", [60.0, 160.0, 700.0])
def test_a_crop_shows_the_face_where_the_matrix_says(side):
    """A dot at one landmark is brightest there in the crop, for faces smaller, equal and much larger than the crop."""
    face = apply(similarity(0.4, side, (300.0, 150.0)), TEMPLATE)
    image = np.zeros((1200, 1200, 3), np.uint8)
    radius = max(2, round(side / 40))
    x, y = np.round(face[30]).astype(int)
    image[y - radius : y + radius + 1, x - radius : x + radius + 1] = 255
    crop = aligned_crop(image, face, 128)[..., 0].astype(float)
    rows, columns = np.mgrid[:128, :128]
    centre = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(centre, apply(alignment(face, 128), np.array([[x, y]]))[0], atol=0.35)


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = warp(stripes, np.array([[0.25, 0, 0], [0, 0.25, 0.0]]), 100)
    assert abs(small[10:90, 10:90].astype(int) - 128).max() <= 8
