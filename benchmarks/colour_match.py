"""Which way of matching colours comes nearest to the true answer, over random pairs of actors in two scenes each.

    LIKENESS_DATA=… python benchmarks/colour_match.py [--pairs 22] [--poses 3]

B filmed in B's own scene stands for what a perfect decoder makes, A in A's scene for the frame that it goes into, and
B in A's scene is the answer. All three are aligned crops, so that nothing but colour differs. Nobody in the shipped
footage takes part.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from likeness.actors.person import Person
from likeness.actors.scene import Camera, Scene
from likeness.actors.shot import Pose, Shot
from likeness.actors.studio import Studio
from likeness.bench.metrics import psnr
from likeness.faces.align import alignment, apply, warp
from likeness.faces.hull import hull_mask
from likeness.make.colour import LightSettings, Match, match_colour
from likeness.progress import tracked

FRAME, CROP, COVERAGE = 160, 128, 0.8  # pixels, pixels, part of the crop that the face takes


@dataclass(frozen=True, eq=False)
class Case:
    """``made``, ``frame`` and ``answer`` float32 (CROP, CROP, 3) in [0, 1]; ``mask`` where the first two show face."""

    made: np.ndarray
    frame: np.ndarray
    answer: np.ndarray
    mask: np.ndarray
    face: np.ndarray


def cases(pairs: int, poses: int) -> Iterator[Case]:
    """Film ``pairs`` of random people, each in two random scenes, in ``poses`` poses."""
    for number in range(pairs):
        rng = np.random.default_rng(number)
        a, b = (Person.from_seed(1000 + 2 * number + k) for k in (0, 1))
        scene_a, scene_b = (replace(Scene.from_seed(2000 + 2 * number + k), camera=Camera(85.0)) for k in (0, 1))
        studios = [Studio(*who_where, FRAME, 1) for who_where in ((b, scene_b), (a, scene_a), (b, scene_a))]
        for _ in range(poses):
            head = np.array([rng.uniform(-20, 20), rng.uniform(-8, 8), rng.uniform(-5, 5)], np.float32)
            (made, face), (frame, own), (answer, _) = (_aligned(studio.shoot(Pose(head=head))) for studio in studios)
            yield Case(made, frame, answer, face * own, face)


def _aligned(shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    matrix = alignment(shot.landmarks, CROP, COVERAGE)
    mask = hull_mask(apply(matrix, shot.landmarks), (CROP, CROP))
    return warp(shot.image, matrix, CROP).astype(np.float32) / 255, mask


def quality(filmed: list[Case], match: Match, light: LightSettings | None = None) -> float:
    """Mean PSNR in dB of the matched face against the answer."""
    values = []
    for case in filmed:
        matched = match_colour(case.made, case.frame, case.mask, match, light)
        values.append(psnr(np.rint(255 * matched), np.rint(255 * case.answer), case.face))
    return float(np.mean(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=22)
    parser.add_argument("--poses", type=int, default=3)
    options = parser.parse_args()
    total = options.pairs * options.poses
    filmed = list(tracked(cases(options.pairs, options.poses), "Filming the pairs", total=total, unit="poses"))
    print(f"{options.pairs} pairs of actors, {total} poses\n\n| match | PSNR dB |\n|---|---|")
    for match in get_args(Match):
        print(f"| {match} | {quality(filmed, match):.2f} |")
    defaults = LightSettings()
    for name, values in (
        ("near", (0.1, 0.3, 0.6, 1.0)),
        ("far", (0.0, 0.1, 0.3, 0.6)),
        ("apart", (0.15, 0.25, 0.4)),
        ("colour", (0.0, 0.1, 0.3, 1.0)),
        ("shade", (0.0, 0.4, 0.8, 1.0)),
        ("width", (0.05, 0.08, 0.12, 0.2)),
    ):
        for value in values:
            print(f"| light, {name} {value} | {quality(filmed, 'light', replace(defaults, **{name: value})):.2f} |")


if __name__ == "__main__":
    main()
