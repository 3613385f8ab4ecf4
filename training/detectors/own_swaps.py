"""Train swaps by our own MAKE, between people whom no detector learns from: to calibrate on some, to test on others.

    LIKENESS_DATA=… python -m training.detectors.own_swaps ACTORS -o SWAPS --minutes 2.5

Pairs of GRID's speakers and of filmed actors (`training.running_start.film_pairs` into ACTORS). SWAPS gets a model
folder PART/PAIR/ARCH each. The swapped clips themselves are made in memory where they are looked at, and never
written. Finished models are skipped.
"""

import argparse
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from likeness.faces.extract import extract
from likeness.faces.faceset import TABLE
from likeness.make.model import WEIGHTS
from likeness.make.recipes import Architecture
from likeness.make.train import TrainSettings, train
from training.detectors.recordings import GenuineClip, Part, genuine_clips

ARCHS: tuple[Architecture, ...] = ("flow", "light")


@dataclass(frozen=True)
class Pair:
    """Two clips, each of another person, for one part of the evaluation."""

    part: Part
    name: str
    a: Path
    b: Path
    people: tuple[str, str]
    footage: str


def pairs_of(data: Path, actors: Path) -> list[Pair]:
    """Neighbours among the speakers of each part, and filmed pairs: even ones to calibrate, odd ones to test."""
    found = []
    heads = [clip for clip in genuine_clips(data) if clip.population == "talking heads"]
    for part in ("calibrate", "evaluate"):
        people: dict[str, GenuineClip] = {}
        for clip in heads:
            if clip.part == part:
                people.setdefault(clip.person, clip)
        for one, other in list(pairwise(people.values()))[::2]:
            name = f"{one.path.stem}-{other.path.stem}"
            found.append(Pair(part, name, one.path, other.path, (one.person, other.person), "talking heads"))
    for number, folder in enumerate(sorted(path for path in actors.iterdir() if (path / "a.mp4").is_file())):
        which: Part = ("calibrate", "evaluate")[number % 2]
        people_of = f"actor {folder.name}a", f"actor {folder.name}b"
        found.append(Pair(which, f"actors{folder.name}", folder / "a.mp4", folder / "b.mp4", people_of, "actors"))
    return found


def train_pair(pair: Pair, arch: Architecture, minutes: float, out: Path) -> None:
    """Train one model unless it is there."""
    folder = model_folder(out, pair, arch)
    if (folder / WEIGHTS).is_file():
        return
    faces = [out / "faces" / clip.parent.name / clip.stem for clip in (pair.a, pair.b)]
    for clip, target in zip((pair.a, pair.b), faces, strict=True):
        if not (target / TABLE).is_file():
            extract([clip], target)
    train(faces[0], faces[1], folder, TrainSettings(arch=arch, minutes=minutes))


def model_folder(swaps: Path, pair: Pair, arch: Architecture) -> Path:
    """Where the model of ``pair`` by ``arch`` lies."""
    return swaps / pair.part / pair.name / arch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actors", type=Path, help="what `python -m training.running_start.film_pairs` filmed")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=2.5, help="of each training; `flow` takes a third")
    options = parser.parse_args()
    for arch in ARCHS:
        for pair in pairs_of(Path(os.environ["LIKENESS_DATA"]), options.actors):
            train_pair(pair, arch, options.minutes / 3 if arch == "flow" else options.minutes, options.out)
            print(f"{pair.part} {pair.name} {arch}", flush=True)


if __name__ == "__main__":
    main()
