"""Decode ahead: while one frame is looked at, the next ones are decoded on another core."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from likeness.media.frame import Frame

_FRAMES = 3  # decoded ahead: enough to even out frames that take long, few enough to hold


def ahead(frames: Iterator[Frame]) -> Iterator[Frame]:
    """``frames`` as they are and in their order, up to three of them decoded in a thread of their own before they are
    asked for; what goes wrong there is raised here. Both decoding and most of what looks at frames run outside Python.
    """
    with ThreadPoolExecutor(1, "decoding") as decoder:
        waiting = deque(decoder.submit(next, frames, None) for _ in range(_FRAMES))
        while (frame := waiting.popleft().result()) is not None:
            waiting.append(decoder.submit(next, frames, None))
            yield frame
