import numpy as np

from likeness.faces.align import TEMPLATE, alignment, apply
from likeness.faces.parts import BACKGROUND, FACE, HAIR, OCCLUDER
from likeness.make.composite import Made, SteadySettings, look, put_back, steadied
from likeness.make.fit import CROP, view_matrix
from likeness.make.follow import Placed
from likeness.make.occlusion import in_front, placed
from likeness.make.occlusion import steadied as median
from likeness.make.swap import SwapSettings

VIEW = 0.78125


def _parts(front: np.ndarray, what: int) -> np.ndarray:
    parts = np.zeros((4, *front.shape), np.float32)
    parts[what] = front
    parts[FACE] = 1 - front
    return parts


def test_hair_and_occluders_are_in_front_and_face_and_background_are_not() -> None:
    some = np.zeros((16, 16), np.float32)
    some[4:8, 4:8] = 1
    every = np.stack([_parts(some, what) for what in (BACKGROUND, HAIR, OCCLUDER)])
    assert in_front(every).sum(axis=(1, 2)).tolist() == [0, 16, 16]


def test_what_the_segmenter_doubts_is_partly_in_front() -> None:
    doubtful = in_front(_parts(np.full((4, 4), 0.55, np.float32), OCCLUDER)[None])
    assert 0 < doubtful.min() == doubtful.max() < 1


def test_what_is_in_front_lies_where_the_crop_has_it() -> None:
    front = np.zeros((128, 128), np.float32)
    front[40:60, 70:90] = 1
    seen = placed(front, view_matrix(96, VIEW), 96)
    x, y = apply(view_matrix(96, VIEW), np.array([2 * 79.5 + 0.5, 2 * 49.5 + 0.5]))
    rows, columns = np.nonzero(seen > 0.5)
    assert abs(columns.mean() - x) < 0.5
    assert abs(rows.mean() - y) < 0.5


def test_a_frame_that_errs_alone_is_outvoted_and_a_moving_edge_stays() -> None:
    none, all_ = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    assert median([none, all_, none]).max() == 0
    edges = [np.tile(np.arange(8) < 2 + step, (4, 1)).astype(np.float32) for step in range(3)]
    assert np.array_equal(median(edges), edges[1])


def test_a_hand_before_the_face_is_kept_out_of_it() -> None:
    frame = np.full((160, 160, 3), 120, np.uint8)
    frame[60:110, 80:100] = (230, 20, 20)
    landmarks = TEMPLATE.astype(np.float64) * 80 + 40
    matrix = alignment(landmarks, CROP)
    place = Placed(matrix, apply(matrix, landmarks), np.eye(2, 3))
    red = np.zeros((160, 160), np.float32)
    red[60:110, 80:100] = 1
    hand = np.zeros((CROP, CROP), np.float32)
    (x0, y0), (x1, y1) = apply(matrix, np.array([[80.0, 60.0], [100.0, 110.0]])).round().astype(int)
    hand[y0:y1, x0:x1] = 1
    image = np.full((128, 128, 3), 0.9, np.float32)
    settings = SwapSettings(mask="hull", match="none", detail=False, steady=SteadySettings(0, 0))
    results = []
    for front in (None, hand):
        result = frame.copy()
        seen = look(frame, place, Made(image, np.ones((128, 128), np.float32), front), VIEW, settings)
        put_back(result, steadied(seen, [seen], np.zeros(1), settings), settings)
        results.append(result)
    covered, kept = results
    assert covered[70:100, 84:96, 2].min() > 200
    assert np.abs(kept[64:106, 84:96].astype(int) - frame[64:106, 84:96]).max() <= 3
    assert kept[70:100, 60:70].min() > 200
