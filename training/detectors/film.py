"""Film random pairs of synthetic people in motion: what a detector sees of genuine people, and perfect swaps of them.

    LIKENESS_DATA=… python -m training.detectors.film -o PAIRS --pairs 150

Two people give the same performance in the same scene, in two short bursts of consecutive frames. Each is genuine
footage; one's face laid into the other's picture is a swap by a decoder without any error, which the recipes of
`material.py` then spoil as decoders do. Each pair is one file, PAIR.npz: `images` uint8 (2 people, bursts, frames,
288, 288, 3) RGB, `landmarks` float32 (2, bursts, frames, 68, 2) in pixels, `people` int64 (2,) their seeds. Nobody of
them is in the cast or in another recipe. Finished pairs are skipped.
"""

import argparse
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from likeness.actors.performance import Style, perform
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.studio import Studio
from likeness.files import atomic_write
from likeness.progress import tracked

FIRST_SEED = 1_200_000
_FACE_CM = 13.6


@dataclass(frozen=True)
class FilmSettings:
    """``size`` pixels square, faces of ``face_px`` (least, most); ``bursts`` of ``frames`` at 25 a second, taken from a
    performance of ``seconds``."""

    size: int = 288
    face_px: tuple[float, float] = (80.0, 145.0)
    bursts: int = 2
    frames: int = 12
    seconds: float = 6.0


def film_pair(number: int, out: Path, settings: FilmSettings) -> None:
    """Film pair ``number``."""
    rng = np.random.default_rng((number, 0xD7EC7))
    seeds = FIRST_SEED + 2 * number, FIRST_SEED + 2 * number + 1
    people = [Person.from_seed(seed) for seed in seeds]
    style = Style.from_seed(seeds[0], feminine=people[0].identity[0] > 0)
    performance = perform(None, settings.seconds, int(rng.integers(2**31)), style)
    scene = Scene.from_seed(int(rng.integers(2**31)))
    focal = 2 * scene.camera.distance_cm * rng.uniform(*settings.face_px) / _FACE_CM / settings.size
    scene = replace(scene, camera=replace(scene.camera, focal=float(focal)))
    starts = rng.integers(0, len(performance) - settings.frames, settings.bursts)
    shape = (2, settings.bursts, settings.frames)
    images = np.empty((*shape, settings.size, settings.size, 3), np.uint8)
    landmarks = np.empty((*shape, 68, 2), np.float32)
    for row, person in enumerate(people):
        studio = Studio(person, scene, settings.size, 2)
        for burst, start in enumerate(starts):
            for frame in range(settings.frames):
                shot = studio.shoot(performance.pose(int(start) + frame))
                images[row, burst, frame], landmarks[row, burst, frame] = shot.image, shot.landmarks
    with atomic_write(pair_path(out, number)) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, landmarks=landmarks, people=np.array(seeds))


def pair_path(out: Path, number: int) -> Path:
    """The file of pair ``number``."""
    return out / f"pair_{number:05d}.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(options.pairs) if not pair_path(options.out, number).is_file()]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawning, initializer=_start_worker) as pool:
        try:
            filmed = pool.map(partial(film_pair, out=options.out, settings=FilmSettings()), missing)
            for _ in tracked(filmed, "Filming", total=len(missing), unit="pairs"):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the workers after their pair
    cv2.setNumThreads(1)


if __name__ == "__main__":
    main()
