"""Measure the parts network on people never trained on, covered by each kind of occluder in turn.

    LIKENESS_DATA=… python -m training.parts.evaluate PEOPLE [--weights FILE] [-o FIGURES]

Each picture of the held-out groups is placed by inexact landmarks, covered with surfaces of photographs of the test
half, and spoilt as in training, or left clean with `--clean`. Intersection over union of a part is taken over the
pixels of all pictures; intervals are 95 %, of 2,000 bootstrap draws of groups (or of pictures where there are fewer
than three groups). `hull` is what one has without a network: the landmarks' hull, raised over the forehead, as face.
"""

import argparse
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from likeness.faces.hull import hull_mask
from likeness.faces.parts import FACE, OCCLUDER, PARTS, SIZE, PartSegmenter
from likeness.files import write_text
from likeness.progress import tracked
from training.parts.data import People, Sampler, SampleSettings, load_people, load_photos
from training.parts.occluders import KINDS

Figures = tuple[float, float, float]  # mean and the ends of its interval

_DRAWS = 2000
_FOREHEAD = 0.18  # of the face's height, above the brows
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Counts:
    """Of each picture: pixels in both, and in either, of truth and answer; int64 (pictures, parts)."""

    both: np.ndarray
    either: np.ndarray
    groups: np.ndarray

    def iou(self, part: int) -> Figures:
        """Of ``part`` with its interval, %."""
        both, either = self.both[:, part], self.either[:, part]
        units = self.groups if len(np.unique(self.groups)) > 2 else np.arange(len(both))
        names, where = np.unique(units, return_inverse=True)
        summed = np.stack([np.bincount(where, values, len(names)) for values in (both, either)])
        chosen = np.random.default_rng(0).integers(0, len(names), (_DRAWS, len(names)))
        drawn = 100 * summed[0][chosen].sum(1) / np.maximum(summed[1][chosen].sum(1), 1)
        low, high = np.percentile(drawn, [2.5, 97.5])
        return float(100 * both.sum() / max(either.sum(), 1)), float(low), float(high)


def measure(segmenter: PartSegmenter, sampler: Sampler) -> tuple[Counts, Counts]:
    """The network's counts over all pictures of the sampler, and those of the landmarks' hull for the face."""
    rows = range(len(sampler.people.images))
    rng = np.random.default_rng(20)
    answers, hulls = [], []
    for first in tracked(rows[::_AT_ONCE], f"Measuring {sampler.kinds[0]}", len(rows[::_AT_ONCE]), "batches"):
        samples = [sampler.of_actor(row, rng) for row in rows[first : first + _AT_ONCE]]
        truth = np.stack([sample.parts[: len(PARTS)].argmax(0) for sample in samples])
        said = segmenter(np.stack([sample.image for sample in samples])).argmax(1)
        answers.append([_counts(said, truth, part) for part in range(len(PARTS))])
        hull = np.stack([hull_mask(sample.landmarks, (SIZE, SIZE), _FOREHEAD) > 0.5 for sample in samples])
        hulls.append([_counts(np.where(hull, FACE, -1), truth, FACE)])
    groups = sampler.people.groups
    return _joined(answers, groups), _joined(hulls, groups)


def _joined(batches: list[list[tuple[np.ndarray, np.ndarray]]], groups: np.ndarray) -> Counts:
    both, either = np.concatenate([np.transpose(batch, (1, 2, 0)) for batch in batches], axis=1)
    return Counts(both, either, groups)


def _counts(said: np.ndarray, truth: np.ndarray, part: int) -> tuple[np.ndarray, np.ndarray]:
    said, truth = said == part, truth == part
    return (said & truth).sum((1, 2)), (said | truth).sum((1, 2))


@dataclass(frozen=True)
class Row:
    """Figures for one kind of occluder, %: IoU with its interval of each part that there is, that of the hull as face,
    and the share of all pixels that are wrongly an occluder or not seen to be one."""

    kind: str
    iou: dict[str, Figures]
    hull: Figures
    wrong: float


def evaluate(people: People, photos: list[np.ndarray], segmenter: PartSegmenter, clean: bool) -> list[Row]:
    """One row for pictures without an occluder, and one for each kind."""
    base = SampleSettings(second_occluder=0.0, new_backdrop=0.3, spoilt=0.0 if clean else 0.8)
    table = []
    for kind in ("none", *KINDS):
        settings = replace(base, occluded=0.0 if kind == "none" else 1.0)
        found, hull = measure(segmenter, Sampler(people, None, photos, settings, (kind,)))
        ious = {name: found.iou(part) for part, name in enumerate(PARTS)}
        if kind in ("none", "fringe"):
            ious.pop(PARTS[OCCLUDER])  # there is none: the share that is wrong says what is taken for one
        wrong = 100 * (found.either - found.both)[:, OCCLUDER].sum() / (len(people.images) * SIZE**2)
        table.append(Row(kind, ious, hull.iou(0), float(wrong)))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    people = load_people(options.people, for_evaluation=True)
    photos = load_photos(Path(os.environ["LIKENESS_DATA"]), for_evaluation=True)
    table = evaluate(people, photos, PartSegmenter(options.weights), options.clean)
    print(f"{len(people.images)} pictures of {len(np.unique(people.groups))} groups, IoU in %")
    print("| covered by | " + " | ".join(PARTS) + " | face by hull | occluder wrong, % of pixels |")
    print("|---" * (len(PARTS) + 3) + "|")
    for row in table:
        cells = [*(_shown(row.iou.get(name)) for name in PARTS), _shown(row.hull), f"{row.wrong:.2f}"]
        print(f"| {row.kind} | {' | '.join(cells)} |")
    if options.out:
        write_text(options.out / "face_parts.json", json.dumps([asdict(row) for row in table], indent=1))


def _shown(figures: Figures | None) -> str:
    return "–" if figures is None else f"{figures[0]:.1f} [{figures[1]:.1f}, {figures[2]:.1f}]"


if __name__ == "__main__":
    main()
