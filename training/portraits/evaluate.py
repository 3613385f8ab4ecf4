"""What the portrait model's card says: distance, memorisation, and what changing a trait changes.

    python -m training.portraits.evaluate choose RUN --people PEOPLE
    python -m training.portraits.evaluate figures MODEL --people PEOPLE -o FIGURES

`choose` compares the states that the training kept in RUN/states by the Fréchet distance to people held out for
choosing, and takes the best out of the training: RUN/portraits.safetensors, with directions. `figures` looks at a
model, by default the shipped one, beside people who were neither learnt nor chosen by: figures.json and nearest.png in
FIGURES.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from likeness.faces.identity import Recogniser, recogniser
from likeness.files import atomic_write, write_text
from likeness.make.portraits.directions import find_changes
from likeness.make.portraits.distance import distance, distance_interval
from likeness.make.portraits.memorisation import copying, nearest
from likeness.make.portraits.model import PortraitModel, read_config, shipped_weights, write_weights
from likeness.make.portraits.permission import load_records
from likeness.make.portraits.sheet import portrait_sheet
from likeness.make.portraits.traits import TRAITS, measure
from likeness.make.preview import write_sheet
from likeness.progress import tracked
from training.portraits import data

_MADE = 1000  # faces that are compared
_PIXELS = 16  # side to which pictures are reduced for distances between pixels
_SHOWN, _NEIGHBOURS = 8, 3
_CHANGED, _AMOUNT = 200, 2.0  # faces whose traits are changed, by so many standard deviations


def choose(run: Path, people: Path, yaw: float) -> None:
    """Take the best state out of a training."""
    by, config = recogniser(), read_config(run)
    real = by.embed(data.for_choosing(people, config.network_settings.size, yaw).crops)
    distances = {}
    for path in sorted((run / "states").glob("*.safetensors")):
        model = PortraitModel.from_weights(path, config, load_records(run))
        distances[path] = distance(by.embed(model.portraits(list(range(_MADE)))), real)
        print(f"{path.stem}: {distances[path]:.4f}")
    best = min(distances, key=lambda path: distances[path])
    model = PortraitModel.from_weights(best, config, load_records(run))
    steps = int(best.stem)
    shown = config.images * steps // config.iterations
    described = config.model_copy(
        update={"distance": distances[best], "recogniser": by.name, "iterations": steps, "images": shown}
    )
    metadata = {
        "config": described.model_dump_json(),
        "consents": json.dumps([record.model_dump(mode="json", exclude_none=True) for record in model.records]),
    }
    out = run / shipped_weights().name
    write_weights(out, model.generator.state_dict(), find_changes(model), metadata)
    print(f"{best.stem} is the best: {out}")


def figures(model: PortraitModel, people: Path, yaw: float, out: Path) -> None:
    """Measure the model, write what was found and the sheet of nearest neighbours."""
    by = recogniser()
    learnt = data.learnt(people, model.size, yaw, {digest for record in model.records for digest in record.sources})
    fresh = data.for_figures(people, model.size, yaw)
    made = model.portraits(list(range(2_000_000, 2_000_000 + _MADE)))
    vectors = {"made": by.embed(made)} | {
        name: embedded(people_seen, by, out / f"{name}_{by.name}.npy")
        for name, people_seen in (("learnt", learnt), ("fresh", fresh))
    }
    pixels = {"made": _pixels(made), "learnt": _pixels(learnt.crops), "fresh": _pixels(fresh.crops)}
    found: dict[str, Any] = {
        "recogniser": by.name,
        "made": len(made),
        "learnt": len(learnt.crops),
        "fresh": {"pictures": len(fresh.crops), "people": len(np.unique(fresh.people))},
        "frechet_distance": distance(vectors["made"], vectors["fresh"]),
        "frechet_interval": distance_interval(vectors["made"], vectors["fresh"], fresh.people),
        "frechet_of_learnt_people": distance(vectors["learnt"][:: len(learnt.crops) // _MADE], vectors["fresh"]),
    }
    for space, points in (("embedding", vectors), ("pixels", pixels)):
        compared = copying(points["made"], points["learnt"], points["fresh"], fresh.people)
        found[f"copying_in_{space}"] = dataclasses.asdict(compared)
    found["changes"] = changes(model)
    write_text(out / "figures.json", json.dumps(found, indent=2) + "\n")
    write_sheet(out / "nearest.png", neighbours(made, learnt.crops, vectors, pixels))
    print(json.dumps(found, indent=2))


def embedded(people: data.People, by: Recogniser, kept: Path) -> np.ndarray:
    """The embeddings (n, d) of ``people``, read from ``kept`` where an earlier run has left them."""
    if kept.is_file() and len(found := np.load(kept)) == len(people.crops):
        return np.asarray(found)
    vectors = [by.embed(part) for part in tracked(np.array_split(people.crops, 50), "Embedding", 50, "parts")]
    with atomic_write(kept) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(vectors))
    return np.concatenate(vectors)


def changes(model: PortraitModel) -> dict[str, dict[str, float]]:
    """How far each trait moves, in standard deviations among faces, where one is changed by ``_AMOUNT`` of them."""
    seeds = list(range(3_000_000, 3_000_000 + _CHANGED))
    before = measure(model.portraits(seeds))
    spread = np.nanstd(before, axis=0)
    moved = {}
    for name in model.changes:
        after = measure(model.portraits(seeds, traits={name: _AMOUNT}))
        by_trait = np.nanmean(after - before, axis=0) / spread
        moved[name] = {trait: round(float(value), 2) for trait, value in zip(TRAITS, by_trait, strict=True)}
    return moved


def neighbours(
    made: np.ndarray, learnt: np.ndarray, vectors: dict[str, np.ndarray], pixels: dict[str, np.ndarray]
) -> np.ndarray:
    """Each of some made faces beside the learnt ones nearest to it, by embedding and by pixels."""
    rows = []
    for index in range(_SHOWN):
        by_person, by_pixel = (
            nearest(points["made"][index : index + 1], points["learnt"], _NEIGHBOURS)[1][0]
            for points in (vectors, pixels)
        )
        rows.extend([made[index], *learnt[by_person], *learnt[by_pixel]])
    sheet = portrait_sheet(
        np.array(rows), "made | learnt, nearest by embedding | by pixels", columns=1 + 2 * _NEIGHBOURS
    )
    return sheet


def _pixels(crops: np.ndarray) -> np.ndarray:
    """Pictures as points float32 (n, 768): reduced, so that no sharp edge decides."""
    small = [cv2.resize(crop, (_PIXELS, _PIXELS), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.array(small, np.float32).reshape(len(small), -1) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    choosing, showing = verbs.add_parser("choose"), verbs.add_parser("figures")
    choosing.add_argument("run", type=Path)
    showing.add_argument("model", type=Path, nargs="?", help="a model folder; by default the shipped model")
    showing.add_argument("-o", "--out", type=Path, required=True)
    for verb in (choosing, showing):
        verb.add_argument("--people", type=Path, required=True)
        verb.add_argument("--yaw", type=float, default=25.0)
    options = parser.parse_args()
    if options.verb == "choose":
        choose(options.run, options.people, options.yaw)
    else:
        figures(PortraitModel.load(options.model), options.people, options.yaw, options.out)


if __name__ == "__main__":
    main()
