from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.make.window import windows

STEPS = st.lists(st.floats(0.01, 0.3), max_size=30)


@settings(max_examples=100)
@given(STEPS, st.floats(0, 1), st.integers(1, 6))
def test_each_item_comes_once_with_all_its_neighbours(steps: list[float], reach_s: float, most: int) -> None:
    times = [sum(steps[:count]) for count in range(len(steps))]
    seen = list(windows(times, lambda time_s: time_s, reach_s, most))
    assert [item for item, _ in seen] == times
    for place, (item, near) in enumerate(seen):
        around = times[max(place - most, 0) : place + most + 1]
        assert near == [time_s for time_s in around if abs(time_s - item) <= reach_s]


def test_memory_stays_flat() -> None:
    asked = 0

    def stream() -> object:
        nonlocal asked
        for number in range(1000):
            asked += 1
            yield number

    for item, near in windows(stream(), float, reach_s=1e9, most=4):
        assert asked <= item + 5
        assert len(near) <= 9


def test_nothing_is_nothing() -> None:
    assert list(windows([], float, 1.0, 3)) == []
