"""Tiles are found again after crops, from their chips alone."""

import cv2
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from likeness.prove.watermark.carrier import GRID, TILE, chips, despread, second_chips, sync_tile, tile
from likeness.prove.watermark.message import Message, decode
from likeness.prove.watermark.place import WHOLE, Place, find, fold, refined, upright

MESSAGE = Message("5ca1ab1e00")


def _received(rows: float, columns: float, top: float, left: float, noise: float, seed: int = 0) -> np.ndarray:
    """Soft chips of a picture of which that share of rows and columns is left, from ``top`` and ``left`` on."""
    matrix = np.array([[columns, 0, left + 0.5 * columns - 0.5], [0, rows, top + 0.5 * rows - 0.5]])
    seen = cv2.warpAffine(chips(MESSAGE), matrix, (GRID, GRID), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return seen + np.random.default_rng(seed).normal(0, noise, seen.shape)


def test_the_layout_is_fixed() -> None:
    """Marks written by earlier versions must stay readable: these numbers may never change."""
    assert [int(value) for value in np.flatnonzero(sync_tile().ravel())[:6]] == [0, 4, 7, 9, 29, 30]
    assert [int(value) for value in tile(MESSAGE)[0, :12]] == [-1, -1, -1, -1, 1, -1, -1, 1, -1, -1, -1, 1]
    assert [int(value) for value in second_chips(MESSAGE.mark_id)[0, :12]] == [
        1,
        -1,
        -1,
        1,
        1,
        -1,
        1,
        -1,
        -1,
        -1,
        1,
        -1,
    ]


def test_a_tile_holds_the_message_and_the_synchronisation() -> None:
    assert decode(despread(tile(MESSAGE))) == MESSAGE
    assert np.array_equal(tile(MESSAGE)[sync_tile() != 0], sync_tile()[sync_tile() != 0])
    assert np.count_nonzero(sync_tile()) == TILE * TILE // 4


@given(
    rows=st.floats(0.75, 1.0),
    columns=st.floats(0.75, 1.0),
    top=st.floats(0.0, 1.0),
    left=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
@example(rows=0.8984375, columns=0.875, top=0.0625, left=0.0, seed=0)  # between two steps of the search
@settings(max_examples=15)
def test_any_crop_is_found(rows: float, columns: float, top: float, left: float, seed: int) -> None:
    """To within a share of a chip at the picture's far edge, or the message could not be read."""
    top, left = top * GRID * (1 - rows), left * GRID * (1 - columns)
    places = find(_received(rows, columns, top, left, 1.0, seed), least_peak=4.5)
    assert places, "no place at all"
    best = places[0]
    assert abs(best.rows - rows) * GRID < 1.0
    assert abs(best.columns - columns) * GRID < 1.0
    for found, true in ((best.top, top), (best.left, left)):
        away = (found - true) % TILE
        assert min(away, TILE - away) < 1.3


def test_noise_has_no_place() -> None:
    rng = np.random.default_rng(1)
    assert [len(find(rng.normal(0, 1, (GRID, GRID)), least_peak=6.0)) for _ in range(10)] == [0] * 10


def test_upright_undoes_a_crop_and_the_rest_is_whole() -> None:
    place = Place(0.9, 0.85, 3.0, 5.0)
    seen = _received(place.rows, place.columns, place.top, place.left, 0.0)
    moved, _ = upright(seen.astype(np.float32), place, GRID)
    inside = np.s_[6:58, 8:58]
    assert np.corrcoef(moved[inside].ravel(), chips(MESSAGE)[inside].ravel())[0, 1] > 0.8
    rest = refined(moved)
    assert abs(rest.rows - 1) < 0.01
    assert decode(despread(fold(moved, rest))) == MESSAGE
    assert place.then(WHOLE) == Place(0.9, 0.85, 3.0, 5.0)
