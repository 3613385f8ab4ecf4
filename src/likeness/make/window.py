"""Look a little ahead and back in a stream, so that what is measured frame by frame can be steadied."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def windows(
    items: Iterable[Item], time_of: Callable[[Item], float], reach_s: float, most: int
) -> Iterator[tuple[Item, list[Item]]]:
    """Each item in order with its neighbours in time, itself among them: up to ``most`` and ``reach_s`` to each side.

    At most ``2 * most + 1`` items are held, so memory does not grow with the stream.
    """
    stream = iter(items)
    held: deque[Item] = deque()
    place, ended = 0, False
    while True:
        while not ended and (len(held) <= place or _room(held, place, time_of, reach_s, most)):
            following = next(stream, None)
            if following is None:
                ended = True
            else:
                held.append(following)
        if place >= len(held):
            return
        middle = time_of(held[place])
        first = max(place - most, 0)
        near = [item for item in list(held)[first : place + most + 1] if abs(time_of(item) - middle) <= reach_s]
        yield held[place], near
        place += 1
        while place > most:
            held.popleft()
            place -= 1


def _room(held: deque[Item], place: int, time_of: Callable[[Item], float], reach_s: float, most: int) -> bool:
    """Whether an item that is still to come could be a neighbour of the one at ``place``."""
    return len(held) - 1 - place < most and time_of(held[-1]) - time_of(held[place]) <= reach_s
