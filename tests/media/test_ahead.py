"""Frames decoded ahead are the same frames; what goes wrong while decoding is raised where they are looked at."""

import threading
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from likeness.errors import BadMediaError
from likeness.footage import footage
from likeness.media.ahead import ahead
from likeness.media.clip import open_clip
from likeness.media.frame import Frame


def numbered(count: int, decoded: list[int]) -> Iterator[Frame]:
    for i in range(count):
        decoded.append(i)
        yield Frame(np.full((2, 2, 3), i, np.uint8), i / 25, i)


def test_a_clip_is_the_same() -> None:
    clip = open_clip(footage().heldout.path)
    together = zip(clip.frames(0.0, 0.6), ahead(clip.frames(0.0, 0.6)), strict=True)
    for frame, other in together:
        assert (frame.time_s, frame.index) == (other.time_s, other.index)
        assert np.array_equal(frame.image, other.image)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 20])
def test_any_number_of_frames_comes_in_order(count: int) -> None:
    assert [frame.index for frame in ahead(numbered(count, []))] == list(range(count))


def test_few_are_held_and_nothing_goes_on_once_nobody_looks() -> None:
    decoded: list[int] = []
    frames = ahead(numbered(1000, decoded))
    assert [frame.index for frame in islice(frames, 5)] == [0, 1, 2, 3, 4]
    frames.close()  # type: ignore[attr-defined]
    assert len(decoded) <= 5 + 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decoding")]


def test_errors_come_after_the_frames_before_them() -> None:
    def failing() -> Iterator[Frame]:
        yield from numbered(4, [])
        raise BadMediaError("It goes on beyond the limit. Cut it.")

    frames = ahead(failing())
    assert [next(frames).index for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(BadMediaError, match="limit"):
        next(frames)
