"""How well the recogniser tells people apart whom it never saw.

    LIKENESS_DATA=… python -m training.identity.evaluate PEOPLE [--weights FILE] [--choose] [--film CAST]

Three populations: the validation people of PEOPLE, on whom alone the threshold may be chosen (``--choose``); the named
cast, filmed small for this into the folder CAST; and the speakers of the GRID corpus, of whom one man has 26 clips.
Single pictures of one person always differ in scene and pose (or in clip), those of two people agree in both where the
footage allows it: the hardest case. What consent, face choice and the benchmark compare are means over the faces of a
clip, here over those of one scene (or clip), against another scene's. Intervals are 95 %, bootstrapped over groups,
people or clips.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from likeness.actors.person import CAST
from likeness.actors.studio import Studio
from likeness.faces.align import aligned_crop
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import OwnRecogniser, Recogniser, mean_embedding
from likeness.faces.tracker import Tracker
from likeness.media.clip import open_clip
from likeness.progress import tracked
from training.face_landmarks.render_actors import random_pose
from training.people.film import CROP, GroupSettings, aligned, facing, random_scene
from training.people.groups import load_people

FALSE_ACCEPTS = 5e-3  # of the means of two validation people, where the threshold is chosen
_RESAMPLES = 500
_MOST_TURNED_DEG = 30.0  # faces turned further are counted apart


@dataclass(frozen=True, eq=False)
class Pairs:
    """Similarities float (n,) of two pictures, whether they show one person, and the unit to resample by."""

    similarity: np.ndarray
    same: np.ndarray
    unit: np.ndarray

    def where(self, chosen: np.ndarray) -> "Pairs":
        return Pairs(self.similarity[chosen], self.same[chosen], self.unit[chosen])


def pairs_of(vectors: np.ndarray, person: np.ndarray, place: np.ndarray, unit: int | None) -> Pairs:
    """All pairs of ``vectors`` (n, d); those of one person only where their ``place`` (scene or clip) differs.

    They are resampled as one ``unit``, or without one by the place in which the second was seen, and person.
    """
    one, other = np.triu_indices(len(vectors), 1)
    same = person[one] == person[other]
    kept = ~same | (place[one] != place[other])
    one, other, same = one[kept], other[kept], same[kept]
    units = person[one] * (place.max() + 1) + place[other] if unit is None else np.full(len(one), unit)
    return Pairs(np.einsum("nd,nd->n", vectors[one], vectors[other]), same, units)


def together(parts: list[Pairs]) -> Pairs:
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("similarity", "same", "unit")))


def validation_pairs(people: Path, recogniser: Recogniser, turned_deg: float) -> tuple[Pairs, Pairs]:
    """Single pictures and means within each validation group, without those turned further than ``turned_deg``."""
    held, single, means = load_people(people, "validation"), [], []
    for number in range(len(held.images)):
        images = held.images[number]
        vectors = recogniser.embed(images.reshape(-1, CROP, CROP, 3))
        person, scene, pose = (axis.ravel() for axis in np.indices(images.shape[:3]))
        kept = (np.abs(held.head[number, :, 0]) <= turned_deg)[pose]
        seen = vectors[kept], person[kept], scene[kept]
        single.append(_different_scene_and_pose(*seen, pose[kept], number))
        means.append(pairs_of(*means_of(*seen), number))
    return together(single), together(means)


def cast_pairs(recogniser: Recogniser, folder: Path | None) -> tuple[Pairs, Pairs]:
    """The named cast in two scenes and ten poses, as one group, resampled by the first person of a pair."""
    settings, rng = GroupSettings(), np.random.default_rng(0xCA57)
    scenes = [random_scene(rng, settings.size) for _ in range(settings.scenes)]
    poses = [random_pose(rng) for _ in range(10)]
    crops, person, scene, pose = [], [], [], []
    for who, actor in enumerate(tracked(CAST, "Filming the cast", total=len(CAST), unit="actors")):
        kept = folder / f"{actor.name.lower()}.npy" if folder else None
        if kept is not None and kept.is_file():
            crops.extend(np.load(kept))
        else:
            studio, own = Studio(actor, scenes[0], settings.size, settings.supersampling), []
            for light in scenes:
                studio.move_to(light)
                for moment in poses:
                    studio.scene = facing(light, moment)
                    own.append(aligned(studio.shoot(moment))[0])
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                np.save(kept, np.stack(own))
            crops.extend(own)
        for column in range(len(scenes)):
            for row in range(len(poses)):
                person.append(who)
                scene.append(column)
                pose.append(row)
    vectors = recogniser.embed(np.stack(crops))
    whose, where, when = (np.array(column) for column in (person, scene, pose))
    single = _different_scene_and_pose(vectors, whose, where, when, 0, by_person=True)
    means, mean_who, mean_where = means_of(vectors, whose, where)
    return single, pairs_of(means, mean_who, mean_where, None)


def _different_scene_and_pose(
    vectors: np.ndarray, person: np.ndarray, scene: np.ndarray, pose: np.ndarray, unit: int, by_person: bool = False
) -> Pairs:
    """Pairs of one person that differ in scene and in pose; of two people, those in the same scene and pose."""
    one, other = np.triu_indices(len(vectors), 1)
    same = person[one] == person[other]
    kept = np.where(
        same,
        (scene[one] != scene[other]) & (pose[one] != pose[other]),
        (scene[one] == scene[other]) & (pose[one] == pose[other]),
    )
    one, other = one[kept], other[kept]
    units = person[one] if by_person else np.full(len(one), unit)
    return Pairs(np.einsum("nd,nd->n", vectors[one], vectors[other]), same[kept], units)


def grid_pairs(data: Path, recogniser: Recogniser) -> tuple[Pairs, Pairs]:
    """Five faces of each GRID clip; the clips whose name begins with s1_, and bbaf2n, show one man."""
    vectors, person, place = [], [], []
    names: dict[str, int] = {}
    paths = sorted((data / "talking_heads").glob("*.mpg"))
    for number, path in enumerate(tracked(paths, "Looking at GRID", total=len(paths), unit="clips")):
        who = "s1" if path.stem.startswith("s1_") or path.stem == "bbaf2n" else path.stem
        crops, tracker = [], Tracker(finder=FaceFinder())
        for frame in open_clip(path).frames():
            for _, face in tracker.update(frame):
                if frame.index % 15 == 7:
                    crops.append(aligned_crop(frame.image, face.landmarks, CROP))
        vectors.append(recogniser.embed(np.stack(crops)))
        person += [names.setdefault(who, len(names))] * len(crops)
        place += [number] * len(crops)
    seen = np.concatenate(vectors), np.array(person), np.array(place)
    return pairs_of(*seen, None), pairs_of(*means_of(*seen), None)


def means_of(vectors: np.ndarray, person: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of each person in each place, with its person and place."""
    keys = np.unique(np.stack([person, place], axis=1), axis=0)
    means = [mean_embedding(vectors[(person == who) & (place == where)]) for who, where in keys]
    return np.stack(means), keys[:, 0], keys[:, 1]


def threshold_at(pairs: Pairs, rate: float) -> float:
    """The similarity that the share ``rate`` of pairs of two people exceeds."""
    return float(np.quantile(pairs.similarity[~pairs.same], 1 - rate))


def report(name: str, pairs: Pairs, threshold: float) -> str:
    """A line of the table: AUC, equal error rate, and at the threshold the right and wrong acceptances."""
    figures: tuple[Callable[[Pairs], float], ...] = (
        lambda part: float(roc_auc_score(part.same, part.similarity)),
        lambda part: 100 * equal_error_rate(part),
        lambda part: 100 * float((part.similarity[part.same] > threshold).mean()),
        lambda part: 100 * float((part.similarity[~part.same] > threshold).mean()),
    )
    cells = " | ".join(_with_interval(pairs, figure) for figure in figures)
    return f"| {name} | {int(pairs.same.sum())} / {int((~pairs.same).sum())} | {cells} |"


def equal_error_rate(pairs: Pairs) -> float:
    """Where as large a share of one person's pairs is refused as of two people's accepted."""
    own, others = np.sort(pairs.similarity[pairs.same]), np.sort(pairs.similarity[~pairs.same])
    levels = np.unique(np.concatenate([own, others]))
    refused = np.searchsorted(own, levels, side="right") / len(own)
    accepted = 1 - np.searchsorted(others, levels, side="right") / len(others)
    best = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[best] + accepted[best]) / 2)


def _with_interval(pairs: Pairs, figure: Callable[[Pairs], float]) -> str:
    rng, units = np.random.default_rng(5), np.unique(pairs.unit)
    rows = {unit: np.flatnonzero(pairs.unit == unit) for unit in units}
    drawn = []
    for _ in range(_RESAMPLES if len(pairs.same) < 50_000 else 60):
        part = pairs.where(np.concatenate([rows[unit] for unit in rng.choice(units, len(units))]))
        if part.same.any() and not part.same.all():
            drawn.append(figure(part))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{figure(pairs):.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--choose", action="store_true", help="only print the threshold that validation people give")
    parser.add_argument("--film", type=Path, help="folder to keep the filmed cast in")
    options = parser.parse_args()
    recogniser = OwnRecogniser(options.weights)
    single, means = validation_pairs(options.people, recogniser, 180)
    chosen = threshold_at(means, FALSE_ACCEPTS)
    print(f"threshold at {FALSE_ACCEPTS:g} false acceptances of means of validation people: {chosen:.3f}")
    threshold = chosen if options.choose else recogniser.threshold
    frontal, _ = validation_pairs(options.people, recogniser, _MOST_TURNED_DEG)
    table = [
        ("validation people, single pictures", single),
        (f"– turned up to {_MOST_TURNED_DEG:.0f}°", frontal),
        ("– means of five", means),
    ]
    if not options.choose:
        cast_single, cast_means = cast_pairs(recogniser, options.film)
        table += [("the cast, single pictures", cast_single), ("– means of ten", cast_means)]
        grid_single, grid_means = grid_pairs(Path(os.environ["LIKENESS_DATA"]), recogniser)
        table += [("GRID speakers, single pictures", grid_single), ("– means of five", grid_means)]
    print("| | pairs of one / of two | AUC | equal error % | accepted, one person % | accepted, two people % |")
    print("|---|---|---|---|---|---|")
    for name, pairs in table:
        print(report(name, pairs, threshold))


if __name__ == "__main__":
    main()
