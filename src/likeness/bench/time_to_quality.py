"""How soon a training is as good as the published one gets: `light` and `flow` against `original` in float32.

The stand-in for the programs people know is our own `original` with the published recipe, computed in float32 as those
compute it. It is trained on one pair for a number of minutes; `light` is trained from noise, and `flow` from noise and
from weights that know faces, each time anew, for several shares of that. Whoever asks for few minutes gets a schedule
made for few, so that a long training's early state would do it wrong.

Compared are faces that were held out, rebuilt and seen at 64 pixels, which is all that `original` makes: the finer
pictures of ours gain nothing by that. And the swap of the pair's held-out clip, by PSNR against the true answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from likeness.bench.answer import pixel_figures
from likeness.bench.budget import CLOCK_NAMES, Budget, config_of, is_trained, train_within
from likeness.bench.plots import Panel, plot_panels
from likeness.bench.results import NEAREST, UNCHANGED
from likeness.bench.swaps import Bench, swapped
from likeness.bench.takes import Pair, film
from likeness.errors import SettingsError
from likeness.faces.align import COVERAGE, apply
from likeness.faces.faceset import CROP_SIZE, FaceSet
from likeness.faces.hull import hull_mask
from likeness.files import write_text
from likeness.make.batches import load_faces
from likeness.make.compute import autocast, pick_device
from likeness.make.fit import view_matrix
from likeness.make.model import SwapModel, centre_crops
from likeness.make.networks.autoencoder import Decoded, Side
from likeness.make.networks.original import SIZE, Original
from likeness.make.recipes import Architecture, recipe_for
from likeness.make.training import Start, StepSettings, Training

SHARES = (0.02, 0.05, 0.1, 0.25, 1.0)  # of the reference's minutes, for which the others are trained

REPORT, PLOT, POINTS = "time_to_quality.md", "time_to_quality_one_pair.png", "points.jsonl"

_SWAP_EVERY = 4  # looks at held-out faces for one at the swap, which takes longer


class Float32Original(Original):
    """`original` computed in float32 throughout."""

    def forward(self, faces_a: torch.Tensor, faces_b: torch.Tensor) -> tuple[Decoded, Decoded]:
        """Rebuild each face as itself."""
        with torch.autocast(faces_a.device.type, enabled=False):
            return super().forward(faces_a, faces_b)

    def translate(self, faces: torch.Tensor, source: Side, target: Side) -> Decoded:
        """Show ``faces`` of ``source`` with the looks of ``target``."""
        with torch.autocast(faces.device.type, enabled=False):
            return super().translate(faces, source, target)


@dataclass(frozen=True)
class Contestant:
    """What is trained, and for which shares of the minutes."""

    name: str
    arch: Architecture
    start: Start
    shares: tuple[float, ...]
    float32: bool = False


REFERENCE = Contestant("original, float32, as published", "original", "noise", (1.0,), float32=True)


class Point(BaseModel):
    """A training at one moment: ``heldout`` mean absolute error at 64 px in [0, 1], ``psnr`` of the swap in dB."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    iteration: int
    heldout: float
    psnr: float | None


def contestants(starts: tuple[Start, ...], shares: tuple[float, ...] = SHARES) -> list[Contestant]:
    """The reference first, then ours from each of ``starts``; `light` has no other start than noise."""
    ours: list[tuple[Architecture, Start]] = [("light", "noise"), ("flow", "noise"), ("flow", "faces")]
    chosen = [(arch, start) for arch, start in ours if start in starts]
    return [REFERENCE, *(Contestant(f"{arch}, from {start}", arch, start, shares) for arch, start in chosen)]


def run(bench: Bench, pair: Pair, minutes: float, shares: tuple[float, ...] = SHARES) -> str:
    """Train and compare on ``pair`` of the folder of ``bench``; returns the report.

    Interrupted, it goes on where it stopped. Raises MissingDataError, StorageError, ModelError, SettingsError.
    """
    film([pair], bench.clips_folder, bench.settings.takes)
    race = Race(bench, pair)
    chosen = contestants(bench.settings.starts, shares)
    curves = {one.name: {share: race.curve(one, share * minutes) for share in one.shares} for one in chosen}
    clock = CLOCK_NAMES[bench.settings.clock]
    text = report(curves, clock) + f"\n\nPair {pair.name}, measured on {bench.machine}.\n"
    write_text(bench.out / REPORT, text)
    _plot(bench, pair, curves, clock)
    return text


class Race:
    """The trainings on one pair, with what they are looked at by."""

    def __init__(self, bench: Bench, pair: Pair) -> None:
        self.bench, self.pair = bench, pair
        self.device = pick_device()

    def curve(self, contestant: Contestant, minutes: float) -> list[Point]:
        """The points of one training, run where it is not finished."""
        slug = contestant.name.replace(", ", "-").replace(" ", "-")
        folder = self.bench.out / "race" / self.pair.name / f"{slug}-{minutes:g}min"
        if not is_trained(folder):
            self._train(contestant, minutes, folder)
        return read_points(folder / POINTS)

    def _train(self, contestant: Contestant, minutes: float, folder: Path) -> None:
        recipe = recipe_for(contestant.arch)
        if contestant.float32:
            recipe = replace(recipe, build=Float32Original)
        sets = self.bench.faces(self.pair)
        a, b = (load_faces(faces, recipe.crop, self.device) for faces in sets)
        training = Training(recipe, a, b, self.bench.settings.seed, StepSettings(start=contestant.start))
        heldout: dict[Side, HeldoutFaces] = {
            "a": HeldoutFaces.of(FaceSet.load(sets[0]), a.heldout.numpy()),
            "b": HeldoutFaces.of(FaceSet.load(sets[1]), b.heldout.numpy()),
        }
        points = read_points(folder / POINTS)
        budget = Budget(minutes, self.bench.settings.clock)

        def look(now: Training) -> None:
            state = now.progress
            points[:] = [point for point in points if point.seconds < state.seconds]  # of a run that was cut off
            error = float(np.mean([rebuilt_error(now, side, faces) for side, faces in heldout.items()]))
            wanted = len(points) % _SWAP_EVERY == 0 or state.seconds >= budget.seconds
            psnr = self._psnr(now, contestant) if wanted else None
            points.append(Point(seconds=state.seconds, iteration=state.iteration, heldout=error, psnr=psnr))
            write_text(folder / POINTS, "".join(point.model_dump_json() + "\n" for point in points))

        title = f"{contestant.name}, {minutes:g} min"
        train_within(training, contestant.arch, contestant.start, folder, budget, title, look)

    def _psnr(self, training: Training, contestant: Contestant) -> float:
        """Of the swap as it would be now, inside the face, mean over frames."""
        model = SwapModel(config_of(training, contestant.arch, contestant.start), training.averaged, self.device)
        images = swapped(model, self.bench.clips(self.pair).heldout)
        known = self.bench.known_answer(self.pair)
        return float(np.nanmean(pixel_figures(images, known.answer, known.truth.landmarks)["psnr"]))


@dataclass(frozen=True, eq=False)
class HeldoutFaces:
    """``crops`` uint8 (n, 256, 256, 3), and the same as ``truth`` float32 (n, 64, 64, 3) with the faces' ``masks``."""

    crops: np.ndarray
    truth: np.ndarray
    masks: np.ndarray

    @classmethod
    def of(cls, faces: FaceSet, chosen: np.ndarray) -> "HeldoutFaces":
        """The ``chosen`` rows of ``faces``."""
        crops = faces.crops(CROP_SIZE)[chosen]
        matrix = view_matrix(SIZE, COVERAGE)
        masks = [hull_mask(apply(matrix, points), (SIZE, SIZE)) for points in faces.landmarks_in_crop[chosen]]
        return cls(crops, centre_crops(crops, SIZE, COVERAGE).astype(np.float32) / 255, np.stack(masks))


@torch.no_grad()
def rebuilt_error(training: Training, side: Side, faces: HeldoutFaces) -> float:
    """Mean absolute error in [0, 1] of ``faces`` rebuilt as themselves, inside the face, seen at 64 pixels."""
    recipe = training.recipe
    inputs = torch.from_numpy(centre_crops(faces.crops, recipe.size, recipe.view)).permute(0, 3, 1, 2).float() / 255
    with autocast(training.device):
        images = training.averaged.translate(inputs.to(training.device), side, side).images
    made = images.float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    seen = centre_crops(made, SIZE, recipe.coverage)
    error = np.abs(seen - faces.truth).mean(axis=3)
    return float(((error * faces.masks).sum((1, 2)) / faces.masks.sum((1, 2))).mean())


Curves = dict[str, dict[float, list[Point]]]  # of contestants, by share of the reference's minutes


def report(curves: Curves, clock: str) -> str:
    """When each contestant is as good as the reference at its best, as Markdown.

    The reference's curve is restless, so its best moment counts, for each figure its own, and the time to that.
    """
    [reference] = curves[REFERENCE.name].values()
    targets = {figure: _best(reference, figure) for figure in ("heldout", "psnr")}
    needed = {figure: first_at(reference, figure, target) for figure, target in targets.items()}
    whole = f"{reference[-1].iteration} iterations in {reference[-1].seconds / 60:.1f} {clock} minutes"
    heldout = f"held-out error {targets['heldout']:.4f} (at 64 px) after {needed['heldout']:.0f} s"
    lines = [
        f"{REFERENCE.name}: {whole}. At its best: {heldout}, {targets['psnr']:.2f} dB in the swap after "
        f"{needed['psnr']:.0f} s.",
        "",
        "| is as good | held-out error after | of that time | swap's PSNR after | of that time "
        "| at its own best: held-out | PSNR dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, by_share in curves.items():
        if name == REFERENCE.name:
            continue
        points = [point for curve in by_share.values() for point in curve]
        cells = []
        for figure, target in targets.items():
            first, other = first_at(points, figure, target), needed[figure]
            cells += ["never", "–"] if first is None or other is None else [f"{first:.1f} s", f"1/{other / first:.0f}"]
        cells += [f"{_best(points, 'heldout'):.4f}", f"{_best(points, 'psnr'):.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _best(points: list[Point], figure: str) -> float:
    """The least error, or the most dB."""
    values = [value for point in points if (value := getattr(point, figure)) is not None]
    return float(max(values) if figure == "psnr" else min(values))


def first_at(points: list[Point], figure: str, target: float) -> float | None:
    """Seconds of the earliest of ``points`` that is as good as ``target`` (less error, more dB), or None."""
    better = 1 if figure == "psnr" else -1
    good = [
        point.seconds
        for point in points
        if getattr(point, figure) is not None and better * (getattr(point, figure) - target) >= 0
    ]
    return min(good, default=None)


def read_points(path: Path) -> list[Point]:
    """The points in ``path``, none where there is no such file. Raises SettingsError where it is damaged."""
    if not path.exists():
        return []
    try:
        return [Point.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, ValidationError) as error:
        raise SettingsError(f"{path} cannot be read. Delete {path.parent} and run again.") from error


def _plot(bench: Bench, pair: Pair, curves: Curves, clock: str) -> None:
    """The reference along its training, the others at the end of each of theirs, the baselines as lines."""
    shown = {
        name: next(iter(by_share.values())) if name == REFERENCE.name else [curve[-1] for curve in by_share.values()]
        for name, by_share in curves.items()
    }
    bench.score_baselines(pair)
    baselines = {}
    for cell in bench.results.cells:
        if cell.pair == pair.name and cell.candidate in (UNCHANGED, NEAREST):
            baselines[cell.candidate] = float(np.nanmean(cell.values("psnr")))
    panels = [
        Panel("error on held-out faces, at 64 px", dict(_points(shown, "heldout")), {}),
        Panel("PSNR of the swap, dB", dict(_points(shown, "psnr")), baselines),
    ]
    plot_panels(bench.out / PLOT, panels, clock)


def _points(shown: dict[str, list[Point]], figure: str) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    for name, points in shown.items():
        known = [(point.seconds / 60, getattr(point, figure)) for point in points]
        yield name, sorted((minutes, value) for minutes, value in known if value is not None)
