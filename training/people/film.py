"""Film random synthetic people small, in groups who give the same moments, for the networks that learn from many faces.

    LIKENESS_DATA=… python -m training.people.film -o PEOPLE --groups 250

A group is eight people, two scenes and five poses; every person is filmed in every pose in both scenes. So any two
people of a group show what a perfect face swap between them would be, within one scene or across scenes, and a network
that is to tell people apart cannot do it by pose or light. Each group is one file, GROUP.npz:

`images` uint8 (people, scenes, poses, 168, 168, 3) RGB crops aligned as in a face set (coverage 0.625), `parts` uint8
of the same shape without colours (`actors.shot.Part`), `landmarks` float32 (people, scenes, poses, 68, 2) in pixels of
the crops, `head` float32 (poses, 3) yaw, pitch, roll in degrees, `people` int64 (people,) their seeds. Split by group,
never by picture. Finished groups are skipped, so that an interrupted run goes on where it stopped.
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

from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.shot import Pose, Shot
from likeness.actors.studio import Studio
from likeness.faces.align import alignment, apply, warp
from likeness.files import atomic_write
from likeness.progress import tracked
from training.face_landmarks.render_actors import random_pose

CROP = 168  # px, a little more than the 164 that `light` keeps
FIRST_SEED = 500_000  # away from the seeds that `likeness cast`, the landmark recipe and the tests use
_FACE_PX = 100.0  # width of a face in the picture that the crop is taken from
_FACE_CM = 13.6


@dataclass(frozen=True)
class GroupSettings:
    """What a group is, and how it is filmed: pictures of ``size``² pixels that the head nearly fills."""

    people: int = 8
    scenes: int = 2
    poses: int = 5
    size: int = 208
    supersampling: int = 2


def random_scene(rng: np.random.Generator, size: int) -> Scene:
    """Any light and background; the head fills the picture, so that a crop of it needs no enlarging."""
    scene = Scene.from_seed(int(rng.integers(2**31)))
    distance = scene.camera.distance_cm
    focal = 2 * distance * _FACE_PX / _FACE_CM / size * rng.uniform(0.95, 1.1)
    return replace(scene, camera=replace(scene.camera, focal=float(focal)))


def facing(scene: Scene, pose: Pose) -> Scene:
    """``scene`` with the camera aimed at the face, wherever ``pose`` moves it."""
    yaw = np.radians(float(pose.head[0]))
    aim = (float(pose.shift[0]) + 7.0 * float(np.sin(yaw)), float(pose.shift[1]) - 1.4)
    return replace(scene, camera=replace(scene.camera, aim_cm=aim))


def film_group(number: int, out: Path, settings: GroupSettings) -> None:
    """Film the people of group ``number``."""
    rng = np.random.default_rng((number, 0x9E0917E))
    scenes = [random_scene(rng, settings.size) for _ in range(settings.scenes)]
    poses = [random_pose(rng) for _ in range(settings.poses)]
    seeds = FIRST_SEED + number * settings.people + np.arange(settings.people)
    shape = (settings.people, settings.scenes, settings.poses)
    images = np.empty((*shape, CROP, CROP, 3), np.uint8)
    parts, landmarks = np.empty((*shape, CROP, CROP), np.uint8), np.empty((*shape, 68, 2), np.float32)
    for row, seed in enumerate(seeds):
        studio = Studio(Person.from_seed(int(seed)), scenes[0], settings.size, settings.supersampling)
        for column, scene in enumerate(scenes):
            studio.move_to(scene)
            for place, pose in enumerate(poses):
                studio.scene = facing(scene, pose)  # the backdrop hangs far behind and stays
                at = row, column, place
                images[at], parts[at], landmarks[at] = aligned(studio.shoot(pose))
    head = np.stack([pose.head for pose in poses])
    with atomic_write(group_path(out, number)) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, parts=parts, landmarks=landmarks, head=head, people=seeds)


def aligned(shot: Shot) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The crop, its parts and its landmarks; parts outside the picture repeat its edge, as the colours do."""
    matrix = alignment(shot.landmarks, CROP)
    parts = cv2.warpAffine(
        shot.parts, matrix, (CROP, CROP), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )  # fmt: skip
    return warp(shot.image, matrix, CROP), parts, apply(matrix, shot.landmarks).astype(np.float32)


def group_path(out: Path, number: int) -> Path:
    return out / f"group_{number:05d}.npz"


def film(out: Path, groups: int, settings: GroupSettings, workers: int) -> None:
    """Film every group that is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(groups) if not group_path(out, number).is_file()]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawning, initializer=_start_worker) as pool:
        try:
            filmed = pool.map(partial(film_group, out=out, settings=settings), missing)
            for _ in tracked(filmed, "Filming", total=len(missing), unit="groups"):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the workers after their group
    cv2.setNumThreads(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--groups", type=int, default=250)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    film(options.out, options.groups, GroupSettings(), options.workers)


if __name__ == "__main__":
    main()
