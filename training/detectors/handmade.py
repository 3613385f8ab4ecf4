"""Train the shipped SVM and MLP on hand-made features: handmade.npz.

    LIKENESS_DATA=… python -m training.detectors.handmade PAIRS REDRAWERS -o src/likeness/weights --couples 400

They learn from the same couples as the networks (`material.py`), each followed anew by the tracker and measured as
`likeness check` measures: as a clip, and by its middle frame as a picture. The cross-validation by person that chooses
their settings is printed.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import torch

from likeness.bench.detectability import ShownClip
from likeness.detect import classifiers
from likeness.detect.classifiers import fit_classifier, save_classifiers
from likeness.detect.cues.handmade import (
    NAMES,
    WEIGHTS_FILE,
    HandmadeSettings,
    Subject,
    model_name,
    statistics_of,
    usable,
    vector_of,
)
from likeness.detect.sightings import sightings
from likeness.faces.tracker import track_faces
from likeness.media.clip import Clip
from likeness.progress import tracked
from training.detectors.burst import Burst
from training.detectors.degrade import published, recorded
from training.detectors.manipulate import KINDS, Decoders, manipulated
from training.detectors.populations import shown
from training.detectors.redrawers import load_redrawers
from training.detectors.sources import Sources, load_sources


@dataclass(frozen=True, eq=False)
class Measured:
    """The vectors of one burst as a clip and as a picture; None where the tracker did not follow its face."""

    synthetic: bool
    person: str
    clip: np.ndarray | None
    picture: np.ndarray | None


def still(burst: Burst) -> ShownClip:
    """The middle frame of ``burst`` as a picture."""
    row = len(burst) // 2
    clip = shown(burst.taken(slice(row, row + 1)))
    return ShownClip(**{**vars(clip), "kind": "picture"})


def vector(clip: Clip, settings: HandmadeSettings) -> np.ndarray | None:
    """The feature vector of the face that is seen longest in ``clip``."""
    track = max(track_faces(clip), key=lambda one: len(one.faces), default=None)
    if track is None or not usable(track, settings):
        return None
    notes = [statistics_of(one) for one in sightings(clip, [(track.id, face) for face in usable(track, settings)])]
    if len(notes) < (settings.least_frames if clip.kind == "video" else 1):
        return None
    return vector_of(clip, track, notes, settings)


def measure_couple(seed: int, pairs: Path, redrawers: Path) -> list[Measured]:
    """Both of a couple, drawn by ``seed``."""
    sources, decoders = _loaded(pairs, redrawers)
    rng, settings = np.random.default_rng((seed, 0xFEA7)), HandmadeSettings()
    burst, donor = sources.draw(rng)
    filmed = recorded(burst, rng)
    kind = KINDS[seed % len(KINDS)]
    both = published([filmed, manipulated(kind, filmed, donor, decoders, rng)], rng)
    return [
        Measured(bool(which), burst.person, vector(shown(one), settings), vector(still(one), settings))
        for which, one in enumerate(both)
    ]


@cache
def _loaded(pairs: Path, redrawers: Path) -> tuple[Sources, Decoders]:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    return load_sources(Path(os.environ["LIKENESS_DATA"]), pairs, "train"), Decoders.of(load_redrawers(redrawers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("redrawers", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--couples", type=int, default=400)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        work = pool.map(
            partial(measure_couple, pairs=options.pairs, redrawers=options.redrawers), range(options.couples)
        )
        rows = [row for couple in tracked(work, "Measuring", options.couples, "couples") for row in couple]
    people = {person: number for number, person in enumerate(sorted({row.person for row in rows}))}
    models = {}
    for subject in get_args(Subject):
        known = [(getattr(row, subject), row) for row in rows if getattr(row, subject) is not None]
        vectors = np.stack([vector for vector, _ in known])
        synthetic = np.array([row.synthetic for _, row in known])
        groups = np.array([people[row.person] for _, row in known])
        for kind in get_args(classifiers.Kind):
            model = fit_classifier(kind, vectors, synthetic, groups, NAMES[subject])
            models[model_name(subject, kind)] = model
            print(f"{subject} {kind}: {model.figures}", flush=True)
    save_classifiers(options.out / WEIGHTS_FILE, models)


if __name__ == "__main__":
    main()
