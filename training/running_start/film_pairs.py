"""Film a few pairs of random people with the true answer, to choose how training goes on from the running start.

    LIKENESS_DATA=… python -m training.running_start.film_pairs -o PAIRS [--pairs 2]

For each pair PAIRS/NUMBER: `a.mp4` and `b.mp4` (what they learn from), `heldout.mp4` (A again) and `answer.mp4` (B
giving that performance in A's scene). None of these people is in the running start's own data or in the cast.
"""

import argparse
from pathlib import Path

from likeness.actors.performance import Style, perform
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.take import Take, film_to, truth_path
from likeness.progress import tracked

FIRST_SEED = 900_000
TRAINING_S, HELDOUT_S, SIZE = 8.0, 2.0, 256


def takes(pair: int) -> dict[str, Take]:
    """The four takes of a pair by the name of their file."""
    seeds = FIRST_SEED + 2 * pair, FIRST_SEED + 2 * pair + 1
    people = [Person.from_seed(seed) for seed in seeds]
    scenes = [Scene.from_seed(seed) for seed in seeds]
    styles = [
        Style.from_seed(seed, feminine=person.identity[0] > 0) for seed, person in zip(seeds, people, strict=True)
    ]
    a, b = (
        Take(person, scene, perform(None, TRAINING_S, seed, style), SIZE)
        for person, scene, seed, style in zip(people, scenes, seeds, styles, strict=True)
    )
    heldout = Take(people[0], scenes[0], perform(None, HELDOUT_S, seeds[0] + 50_000, styles[0]), SIZE)
    return {"a": a, "b": b, "heldout": heldout, "answer": heldout.given_by(people[1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=2)
    options = parser.parse_args()
    clips = {
        options.out / str(pair) / f"{name}.mp4": take
        for pair in range(options.pairs)
        for name, take in takes(pair).items()
    }
    for path, take in tracked(clips.items(), "Filming", total=len(clips), unit="clips"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not truth_path(path).is_file():
            film_to(path, take)


if __name__ == "__main__":
    main()
