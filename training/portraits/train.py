"""Train the shipped portrait model on random synthetic people.

    python -m training.people.film -o PEOPLE --groups 250
    python -m training.portraits.train --people PEOPLE -o RUN --minutes 75

RUN becomes a model folder; a state of the generator is kept at each measured distance in RUN/states, so that the best
can be chosen afterwards (`training.portraits.evaluate`). Interrupted, --resume goes on. On a GPU the full recipe runs:
larger networks, 256 faces a step, the penalties on all of them.
"""

import argparse
import datetime as dt
from dataclasses import replace
from pathlib import Path

from likeness.faces.identity import recogniser
from likeness.make.compute import pick_device
from likeness.make.portraits.data import Portraits
from likeness.make.portraits.model import write_weights
from likeness.make.portraits.permission import nobodys_record
from likeness.make.portraits.recipes import recipe_for
from likeness.make.portraits.train import FitSettings, train_portraits
from likeness.make.portraits.training import Training
from training.portraits import data

_UNTIL = dt.datetime(2126, 1, 1, tzinfo=dt.UTC)  # there is nobody who could withdraw it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True, help="folder that training.people.film wrote")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--size", type=int, default=64, choices=(64, 128))
    parser.add_argument("--yaw", type=float, default=25.0, help="degrees; faces turned further are left out")
    parser.add_argument("--batch", type=int, help="faces a step; by default the recipe's")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()

    people = data.learnt(options.people, options.size, options.yaw)
    choosing = data.for_choosing(options.people, options.size, options.yaw)
    portraits = Portraits.of(people.crops, choosing.crops, people.sources)
    recipe = recipe_for(options.size, pick_device())
    if options.batch:
        recipe = replace(recipe, batch=options.batch)
    record = nobodys_record("Random synthetic people", people.sources.values(), dt.datetime.now(dt.UTC), _UNTIL)
    settings = FitSettings(size=options.size, minutes=options.minutes, resume=options.resume)

    def keep_state(training: Training) -> None:
        path = options.out / "states" / f"{training.progress.iteration:07}.safetensors"
        write_weights(path, training.weights())

    result = train_portraits(
        portraits, [record], options.out, settings, recipe=recipe, by=recogniser(), on_distance=keep_state
    )
    print(result.advice)


if __name__ == "__main__":
    main()
