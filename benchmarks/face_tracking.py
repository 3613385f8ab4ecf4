"""How fast one face is tracked at 640×360: python benchmarks/face_tracking.py [--clip CLIP] [--seconds S]

Everything counts: following, the search in each second, pose and quality. Given once for frames that are in memory and
once with opening and decoding the clip. CPU-milliseconds are printed too, since they mean something on a busy machine.
"""

import argparse
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from likeness.faces.finder import FaceFinder
from likeness.faces.landmarks import LandmarkModel
from likeness.faces.tracker import Tracker
from likeness.footage import footage
from likeness.media.clip import Frame, open_clip

WIDTH, HEIGHT = 640, 360


def widescreen(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames scaled to a height of 360 and set in the middle of 640×360; grey at the sides."""
    for frame in frames:
        width = min(WIDTH, round(frame.image.shape[1] * HEIGHT / frame.image.shape[0]))
        wide = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
        left = (WIDTH - width) // 2
        wide[:, left : left + width] = cv2.resize(frame.image, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        yield replace(frame, image=wide)


def timed(name: str, frames: Iterable[Frame], finder: FaceFinder) -> None:
    """Track ``frames`` and print the rate."""
    tracker, count, seen = Tracker(finder=finder), 0, 0
    cpu, wall = time.process_time(), time.perf_counter()
    for frame in frames:
        seen += len(tracker.update(frame))
        count += 1
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{name}: {count / wall:.0f} frames/s, {1000 * cpu / count:.1f} CPU-ms a frame, {seen} faces in {count} frames"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="a clip with one face; default: the shipped actor A")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    clip = open_clip(options.clip or footage().actor_a.path)
    finder = FaceFinder(model=LandmarkModel(threads=options.threads))
    in_memory = list(widescreen(clip.frames(end_s=options.seconds)))
    print(
        f"{options.threads} threads on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {WIDTH}×{HEIGHT} pixels"
    )
    timed("tracking, frames in memory", in_memory, finder)
    timed("tracking, with decoding and scaling", widescreen(clip.frames(end_s=options.seconds)), finder)


if __name__ == "__main__":
    main()
