"""Render stills of random synthetic people with exact landmarks, for training the face finder's landmark network.

    LIKENESS_DATA=… python training/face_landmarks/render_actors.py -o STILLS --people 1500

Each shard holds the stills of a few people: `images` uint8 (n, size, size, 3) RGB, `landmarks` float32 (n, 68, 2) in
pixels, `visible` bool (n, 68), `person` int32 (n,) the person's seed and `head` float32 (n, 3) yaw, pitch, roll in
degrees. Split by person, never by still.
Finished shards are skipped, so that an interrupted run goes on where it stopped.
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

from likeness.actors.expressions import EXPRESSION_NAMES
from likeness.actors.performance import perform
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.shot import Pose
from likeness.actors.studio import Studio
from likeness.files import atomic_write
from likeness.progress import tracked

HEAD_SPREAD_DEG, HEAD_LIMIT_DEG = (20.0, 9.0, 9.0), (45.0, 25.0, 30.0)  # yaw, pitch, roll
GAZE_SPREAD_DEG, GAZE_LIMIT_DEG = (10.0, 6.0), (28.0, 18.0)
SHUT_SHARE, HALF_SHUT_SHARE = 0.2, 0.15  # of the stills
FOCAL = (3.4, 7.4)  # in half picture heights: heads from a third of the picture to beyond its edges


@dataclass(frozen=True)
class StillSettings:
    people: int = 1500
    stills_a_person: int = 6
    people_a_shard: int = 5
    size: int = 192
    supersampling: int = 2
    first_seed: int = 100_000  # away from the seeds that `likeness cast` and the tests use


def random_pose(rng: np.random.Generator) -> Pose:
    """A pose from all over what a head can do: a moment of a performance, odd single muscles, often shut eyes."""
    moment = perform(None, 4.0, int(rng.integers(2**31)))
    expression = 1.2 * moment.expression[rng.integers(len(moment))]
    for name in rng.choice(EXPRESSION_NAMES, size=rng.integers(0, 5), replace=False):
        expression[EXPRESSION_NAMES.index(name)] += rng.uniform(0, 0.7)
    if rng.random() < 0.6:
        expression[EXPRESSION_NAMES.index("jawOpen")] += rng.uniform(0, 0.8) ** 1.5
    draw = rng.random()
    shut = rng.uniform(0.9, 1.0) if draw < SHUT_SHARE else rng.uniform(0, 0.9) * (draw < SHUT_SHARE + HALF_SHUT_SHARE)
    expression[[EXPRESSION_NAMES.index("eyeBlink_L"), EXPRESSION_NAMES.index("eyeBlink_R")]] = shut
    head = np.clip(rng.normal(0, HEAD_SPREAD_DEG), np.negative(HEAD_LIMIT_DEG), HEAD_LIMIT_DEG)
    gaze = np.clip(rng.normal(0, GAZE_SPREAD_DEG), np.negative(GAZE_LIMIT_DEG), GAZE_LIMIT_DEG)
    shift = rng.normal(0, (1.0, 1.0, 2.0))
    return Pose(*(part.astype(np.float32) for part in (expression.clip(0, 1), gaze, head, shift)))


def random_scene(rng: np.random.Generator) -> Scene:
    """Any light and background, at any scale and a little off the centre."""
    scene = Scene.from_seed(int(rng.integers(2**31)))
    aim_x, aim_y = rng.normal(0, (1.5, 1.5))
    return replace(scene, camera=replace(scene.camera, focal=rng.uniform(*FOCAL), aim_cm=(aim_x, aim_y - 0.5)))


def render_shard(first: int, out: Path, settings: StillSettings) -> None:
    """Render the people ``first``, ``first`` + 1, … of one shard."""
    rows = []
    for seed in range(first, min(first + settings.people_a_shard, settings.first_seed + settings.people)):
        rng = np.random.default_rng((seed, 0x5711))
        person = Person.from_seed(seed)
        studio = Studio(person, random_scene(rng), settings.size, settings.supersampling)
        for _ in range(settings.stills_a_person):
            studio.move_to(random_scene(rng))
            shot = studio.shoot(random_pose(rng))
            rows.append((shot.image, shot.landmarks, shot.landmark_visible, seed, shot.head))
    images, landmarks, visible, person_of_row, head = (np.stack(column) for column in zip(*rows, strict=True))
    with atomic_write(shard_path(out, first)) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, landmarks=landmarks, visible=visible, person=person_of_row.astype(np.int32),
                 head=head)  # fmt: skip


def shard_path(out: Path, first: int) -> Path:
    return out / f"actors_{first:07d}.npz"


def render(out: Path, settings: StillSettings, workers: int) -> None:
    """Render every shard that is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    firsts = range(settings.first_seed, settings.first_seed + settings.people, settings.people_a_shard)
    missing = [first for first in firsts if not shard_path(out, first).is_file()]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawning, initializer=_start_worker) as pool:
        try:
            shards = pool.map(partial(render_shard, out=out, settings=settings), missing)
            for _ in tracked(shards, "Rendering", total=len(missing), unit="shards"):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the workers after their shard
    cv2.setNumThreads(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=StillSettings.people)
    parser.add_argument("--stills-a-person", type=int, default=StillSettings.stills_a_person)
    parser.add_argument("--size", type=int, default=StillSettings.size)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    settings = StillSettings(people=options.people, stills_a_person=options.stills_a_person, size=options.size)
    render(options.out, settings, options.workers)


if __name__ == "__main__":
    main()
