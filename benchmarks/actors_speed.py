"""How fast actors are filmed: frames a second for each cast member, one thread.

    OMP_NUM_THREADS=1 python benchmarks/actors_speed.py [--size 256] [--frames 20]

Prints wall-clock and CPU time, since filming usually shares the machine with other work.
"""

import argparse
import time

import cv2
import numpy as np

from likeness.actors.face_model import face_model
from likeness.actors.person import CAST, Person
from likeness.actors.scene import Scene
from likeness.actors.studio import Pose, Studio
from likeness.errors import MissingDataError


def poses(count: int) -> list[Pose]:
    """A head that turns, nods, talks and blinks."""
    expression = face_model().expression
    phase = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return [
        Pose(
            expression(jawOpen=0.2 + 0.2 * np.sin(3 * p), eyeBlink_L=float(p > 6), eyeBlink_R=float(p > 6)),
            np.array([8 * np.cos(p), 0], np.float32),
            np.array([25 * np.sin(p), 8 * np.cos(p), 4 * np.sin(2 * p)], np.float32),
        )
        for p in phase
    ]


def measure(person: Person, size: int, frames: int) -> tuple[float, float, float]:
    """Seconds to set up the studio, wall-clock and CPU seconds a frame."""
    start = time.perf_counter()
    studio = Studio(person, Scene(), size)
    ready = time.perf_counter() - start
    wall, busy = time.perf_counter(), time.process_time()
    for pose in poses(frames):
        studio.shoot(pose)
    return ready, (time.perf_counter() - wall) / frames, (time.process_time() - busy) / frames


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Frames a second of filming actors, one thread.")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    Studio(CAST[0], Scene(), options.size).shoot(Pose())  # compiles the kernels
    print(f"{'person':10} {'hair':10} {'set-up s':>8} {'frames/s':>9} {'CPU s/frame':>12}")
    rates = []
    for person in CAST:
        ready, wall, busy = measure(person, options.size, options.frames)
        rates.append((1 / wall, busy))
        print(f"{person.name:10} {person.hair.style:10} {ready:8.2f} {1 / wall:9.1f} {busy:12.3f}")
    mean_rate, mean_busy = np.mean(rates, axis=0)
    print(f"{'mean':10} {'':10} {'':8} {mean_rate:9.1f} {mean_busy:12.3f}")


if __name__ == "__main__":
    try:
        main()
    except MissingDataError as error:
        print(f"Skipped: {error}")
