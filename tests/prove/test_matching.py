"""Laying clips along works: excerpts, other frame rates, cuts, insertions, replaced seconds and still clips."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictured import moving, scene

from likeness.prove.fingerprint import ClipFingerprinter, PictureFingerprint, SecondFingerprint
from likeness.prove.matching import Alignment, align

WHOLE = [("whole", "whole")]
LENGTH_S = 12


def _stored(
    film: Callable[[float], np.ndarray], seconds: float = LENGTH_S, rate: float = 10
) -> list[SecondFingerprint]:
    fingerprinter = ClipFingerprinter()
    for i in range(round(seconds * rate)):
        fingerprinter.update(film(i / rate), i / rate)
    return fingerprinter.finish()


def _asked(film: Callable[[float], np.ndarray], seconds: float, rate: float = 10) -> list[SecondFingerprint]:
    fingerprinter = ClipFingerprinter("asked")
    for i in range(round(seconds * rate)):
        fingerprinter.update(film(i / rate), i / rate)
    return fingerprinter.finish()


@pytest.fixture(scope="module")
def work() -> list[SecondFingerprint]:
    return _stored(lambda time_s: moving(7, time_s))


def _aligned(asked: list[SecondFingerprint], work: list[SecondFingerprint]) -> Alignment:
    found = align(asked, work, WHOLE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("start_s", "end_s", "rate"), [(0.0, 12.0, 10), (3.0, 9.0, 10), (2.4, 8.1, 13), (6.7, 11.9, 8)]
)
def test_an_excerpt_is_located_at_any_frame_rate(
    work: list[SecondFingerprint], start_s: float, end_s: float, rate: float
) -> None:
    found = _aligned(_asked(lambda time_s: moving(7, start_s + time_s), end_s - start_s, rate), work)
    assert len(found.spans) == 1
    assert found.located
    whole_seconds = [second for second in range(LENGTH_S) if start_s <= second + 0.5 < end_s]
    assert found.matched == found.compared == len(whole_seconds)
    assert found.spans[0].work_s == (whole_seconds[0], whole_seconds[-1] + 1)
    assert found.spans[0].work_s[1] - found.spans[0].asked_s[1] == pytest.approx(start_s, abs=0.2)
    assert not found.asked_unmatched_s


def test_a_replaced_stretch_is_named(work: list[SecondFingerprint]) -> None:
    asked = _asked(lambda time_s: moving(99 if 5 <= time_s < 7 else 7, time_s), LENGTH_S)
    found = _aligned(asked, work)
    assert [int(time_s) for time_s in found.spans[0].differing_s] == [5, 6]
    assert found.spans[0].work_s == (0, 12)
    assert len(found.asked_unmatched_s) == 1
    assert found.asked_unmatched_s[0] == pytest.approx((5, 7), abs=0.8)


def test_a_cut_breaks_the_clip_into_two_spans(work: list[SecondFingerprint]) -> None:
    found = _aligned(_asked(lambda time_s: moving(7, time_s if time_s < 4 else time_s + 3), 9), work)
    assert [span.work_s for span in found.spans] == [(0, 4), (7, 12)]
    assert found.work_unmatched_s[0] == pytest.approx((4, 7), abs=0.3)


def test_an_insertion_breaks_it_too(work: list[SecondFingerprint]) -> None:
    def film(time_s: float) -> np.ndarray:
        return moving(55, time_s) if 6 <= time_s < 9 else moving(7, time_s if time_s < 6 else time_s - 3)

    found = _aligned(_asked(film, 15), work)
    assert [span.work_s for span in found.spans] == [(0, 6), (6, 12)]
    assert found.asked_unmatched_s[0] == pytest.approx((6, 9), abs=0.8)


def test_another_film_does_not_match(work: list[SecondFingerprint]) -> None:
    assert align(_asked(lambda time_s: moving(8, time_s), 8), work, WHOLE) is None


def test_one_matching_second_of_a_long_clip_is_not_enough(work: list[SecondFingerprint]) -> None:
    asked = _asked(lambda time_s: moving(7 if 4 <= time_s < 5 else 60, time_s), 8)
    assert align(asked, work, WHOLE) is None


def test_a_clip_of_less_than_three_seconds_needs_what_it_covers(work: list[SecondFingerprint]) -> None:
    found = _aligned(_asked(lambda time_s: moving(7, 5.3 + time_s), 1.7), work)
    assert (found.spans[0].work_s, found.matched) == ((5, 7), 2)


def test_a_still_clip_is_one_piece_of_evidence_and_cannot_be_located() -> None:
    still = _stored(lambda _: scene(3, 128), 8)
    found = _aligned(_asked(lambda _: scene(3, 128), 5), still)
    assert found.matched == 5
    assert found.independent == 1
    assert not found.located


def test_still_seconds_do_not_make_up_for_evidence(work: list[SecondFingerprint]) -> None:
    """A frame of ours held for eight seconds in somebody else's film is one piece of evidence, not eight."""
    asked = _asked(lambda time_s: moving(7, 4.5) if time_s < 8 else moving(60, time_s), 14)
    assert align(asked, work, WHOLE) is None


def test_flat_seconds_are_not_compared(work: list[SecondFingerprint]) -> None:
    asked = _asked(lambda time_s: np.zeros((64, 64, 3), np.uint8) if 5 <= time_s < 7 else moving(7, time_s), LENGTH_S)
    found = _aligned(asked, work)
    assert (found.matched, found.compared, found.asked_unmatched_s) == (10, 10, ())


@given(
    hashes=st.lists(st.binary(min_size=32, max_size=32), min_size=6, max_size=15, unique=True),
    start=st.integers(0, 3),
    length=st.integers(3, 12),
    shift_s=st.floats(0, 100),
)
@settings(max_examples=40)
def test_any_run_of_a_work_is_found_where_it_is(hashes: list[bytes], start: int, length: int, shift_s: float) -> None:
    rng = np.random.default_rng(0)  # hypothesis likes hashes that are alike; these bits set them apart
    salt = rng.integers(0, 256, (len(hashes), 28), dtype=np.uint8)
    made = [PictureFingerprint(salt[i].tobytes() + value[:4], 100) for i, value in enumerate(hashes)]
    work = [SecondFingerprint(i + 0.5, {"whole": one}) for i, one in enumerate(made)]
    excerpt = [SecondFingerprint(m.time_s - start + shift_s, m.views) for m in work[start : start + length]]
    found = _aligned(excerpt, work)
    end = min(start + length, len(work))
    assert [span.work_s for span in found.spans] == [(start, end)]
    assert (found.matched, found.distance, found.located) == (end - start, 0, True)
