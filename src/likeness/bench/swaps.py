"""The known-answer benchmark of face swaps: pairs of actors, each swap beside the footage that a perfect one would be.

Of each pair, A's held-out performance gets B's face; the answer is B giving that very performance in A's scene. Each
architecture is trained anew for each pair, start and budget, shortest budget first: a training of ten minutes is that
of a user who has asked for ten, so it does not go on from the one of two. Swaps are made and scored in memory. What is
finished is kept, so that an interrupted run goes on where it stopped, and more pairs, minutes or architectures can be
added later.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from likeness.actors.face_model import find_face_model
from likeness.bench.answer import Judge, KnownAnswer, images_of
from likeness.bench.budget import CLOCK_NAMES, Budget, Clock, is_trained, seconds_spent, train_within
from likeness.bench.machine import machine
from likeness.bench.perceptual import distances
from likeness.bench.plots import plot_results
from likeness.bench.results import (
    ANSWER,
    NEAREST,
    UNCHANGED,
    Cell,
    Learnt,
    Results,
    gains_table,
    row_of,
    stored_figures,
    table,
    trainings,
)
from likeness.bench.sheet import write_contact_sheet, write_strip
from likeness.bench.takes import Pair, PairClips, TakeSettings, clips_of, film, pairs
from likeness.errors import SettingsError
from likeness.faces.extract import extract
from likeness.faces.identity import recogniser
from likeness.files import write_text
from likeness.make.batches import load_faces
from likeness.make.compute import pick_device
from likeness.make.follow import follow_faces
from likeness.make.model import SwapModel
from likeness.make.recipes import Architecture, recipe_for
from likeness.make.swap import Swapper, SwapSettings, fitted
from likeness.make.training import Start, StepSettings, Training
from likeness.media.clip import open_clip

RESULTS, TABLE, PLOT, SHEET, CONDITIONS = "results.jsonl", "table.md", "time_to_quality.png", "sheet.png", "bench.json"


@dataclass(frozen=True)
class BenchSettings:
    """What is trained and for how long: ``minutes`` of ``clock`` time for each of ``archs`` from each of ``starts``.

    ``faces`` begins from the shipped weights that know faces; architectures that have none only start from ``noise``.
    ``threads``: of PyTorch, None as many as it takes. ``keep_models`` leaves the trained models, up to 330 MB each.
    """

    pairs: int = 6
    minutes: tuple[float, ...] = (2, 10, 60)
    archs: tuple[Architecture, ...] = ("original", "light", "gan", "liae", "flow")
    starts: tuple[Start, ...] = ("faces", "noise")
    takes: TakeSettings = field(default_factory=TakeSettings)
    clock: Clock = "cpu"
    threads: int | None = None
    seed: int = 0
    keep_models: bool = True

    def __post_init__(self) -> None:
        pairs(self.pairs)
        for minutes in self.minutes:
            Budget(minutes, self.clock)
        if not (self.minutes and self.archs and self.starts):
            raise SettingsError("Nothing is to be trained. Name at least one of --minutes, --arch and --start each.")
        if self.threads is not None and self.threads < 1:
            raise SettingsError("Training needs at least one thread. Give --threads 1 or more.")
        if self.clock == "cpu" and pick_device().type != "cpu":
            raise SettingsError("Processor time says nothing of a GPU's work. Add --wall-minutes.")


class Conditions(BaseModel):
    """What all figures of a folder have in common."""

    model_config = ConfigDict(frozen=True)

    takes: dict[str, int | float | bool]
    clock: Clock
    threads: int
    seed: int
    recogniser: str


@dataclass(frozen=True)
class Plan:
    """One training to come."""

    pair: Pair
    arch: Architecture
    start: Start
    budget: Budget

    @property
    def name(self) -> str:
        """Of the model's folder."""
        return f"{self.arch}-{self.start}-{self.budget.minutes:g}min"

    @property
    def row(self) -> str:
        """Of the table."""
        return row_of(self.arch, self.start, self.budget.minutes)


def run(out: Path, settings: BenchSettings | None = None, tell: Callable[[str], None] = lambda line: None) -> str:
    """Film, train and score what ``out`` does not hold yet; returns the tables.

    ``tell`` is first told how much there is to do. Raises SettingsError where ``out`` was begun under other conditions,
    MissingDataError without the face model, StorageError.
    """
    bench = Bench(Path(out), settings or BenchSettings())
    ahead = list(bench.plans())
    hours = sum(plan.budget.minutes for plan in ahead) / 60
    tell(f"{len(ahead)} trainings, {hours:.1f} hours of {CLOCK_NAMES[bench.settings.clock]} time. Ctrl-C keeps all.")
    film(bench.pairs, bench.clips_folder, bench.settings.takes)
    for pair in bench.pairs:
        bench.score_baselines(pair)
    for plan in ahead:
        bench.train_and_score(plan)
        bench.report()
    return bench.report()


class Bench:
    """A folder that fills: clips/, faces/, models/, strips/ and the results."""

    def __init__(self, out: Path, settings: BenchSettings) -> None:
        """Raises SettingsError where ``out`` was begun under other conditions or its results are damaged."""
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        _keep_conditions(out, settings)
        self.out, self.settings, self.results = out, settings, Results(out / RESULTS)
        self.pairs = pairs(settings.pairs)
        self.clips_folder = out / "clips"
        self.machine = machine()
        self._judge: Judge | None = None
        self._known: tuple[Pair, KnownAnswer] | None = None
        self._extracted: set[Path] = set()

    def plans(self) -> Iterator[Plan]:
        """The trainings that are not finished: shortest first, and within a budget pair by pair."""
        for minutes in sorted(set(self.settings.minutes)):
            for pair in self.pairs:
                for arch in self.settings.archs:
                    for start in self.settings.starts:
                        plan = Plan(pair, arch, start, Budget(minutes, self.settings.clock))
                        done = self.results.has(pair.name, plan.row)
                        if not done and (start == "noise" or has_running_start(arch)):
                            yield plan

    def score_baselines(self, pair: Pair) -> None:
        """A's clip as it is, B's nearest frame laid over it, and the answer: what a perfect swap would score."""
        if all(self.results.has(pair.name, name) for name in (UNCHANGED, NEAREST, ANSWER)):
            return
        known, clips = self.known_answer(pair), self.clips(pair)
        for name, images in (
            (UNCHANGED, known.unchanged),
            (NEAREST, known.nearest_frame(clips)),
            (ANSWER, known.answer),
        ):
            if not self.results.has(pair.name, name):
                self._score(pair, name, images, None)

    def train_and_score(self, plan: Plan) -> None:
        """Train one model, unless it is there, put its face into A's held-out clip in memory, and score that."""
        folder = self.out / "models" / plan.pair.name / plan.name
        model = SwapModel.load(folder) if is_trained(folder) else self._trained(plan, folder)
        learnt = Learnt(
            arch=plan.arch,
            start=plan.start,
            minutes=plan.budget.minutes,
            spent_s=round(seconds_spent(folder), 2),
            iterations=model.config.iterations,
            heldout_error=model.config.heldout_error or 0.0,
        )
        self._score(plan.pair, plan.row, swapped(model, self.clips(plan.pair).heldout), learnt)
        if not self.settings.keep_models:
            shutil.rmtree(folder)

    def report(self) -> str:
        """Write table, plot and contact sheet of what is finished; returns the tables."""
        text = (
            f"Budgets in {CLOCK_NAMES[self.settings.clock]} minutes. Measured on {self.machine}.\n\n"
            f"{table(self.results)}\n\n{gains_table(self.results)}\n\n"
            + "".join(f"- {line}\n" for line in trainings(self.results))
        )
        write_text(self.out / TABLE, text)
        plot_results(self.out / PLOT, self.results, CLOCK_NAMES[self.settings.clock])
        write_contact_sheet(self.out / SHEET, self._strips(self.pairs[0]))
        return text

    def _trained(self, plan: Plan, folder: Path) -> SwapModel:
        faces_a, faces_b = self.faces(plan.pair)
        recipe, device = recipe_for(plan.arch), pick_device()
        a, b = (load_faces(faces, recipe.crop, device) for faces in (faces_a, faces_b))
        training = Training(recipe, a, b, self.settings.seed, StepSettings(start=plan.start))
        return train_within(training, plan.arch, plan.start, folder, plan.budget, f"{plan.pair.name}, {plan.name}")

    def _score(self, pair: Pair, candidate: str, images: np.ndarray, learnt: Learnt | None) -> None:
        """Take all figures of ``images`` and keep them, with a strip to look at."""
        known = self.known_answer(pair)
        if self._judge is None:
            self._judge = Judge(recogniser(), distances())
        figures = stored_figures(self._judge(images, known))
        made = candidate not in (UNCHANGED, ANSWER)
        write_strip(self._strip(pair, candidate), f"{pair.name}, {candidate}", images, made)
        self.results.add(
            Cell(
                pair=pair.name,
                candidate=candidate,
                training=learnt,
                frame_rate=known.frame_rate,
                machine=self.machine,
                figures=figures,
            )
        )

    def _strips(self, pair: Pair) -> list[Path]:
        """Those of A, of each architecture and start at its longest, and of the answer."""
        longest: dict[tuple[str, str], str] = {}
        for candidate in self.results.trained():  # the longer come later
            for cell in self.results.of(candidate):
                if cell.pair == pair.name and cell.training is not None:
                    longest[cell.training.arch, cell.training.start] = candidate
        names = [UNCHANGED, NEAREST, *longest.values(), ANSWER]
        return [self._strip(pair, name) for name in names if self.results.has(pair.name, name)]

    def _strip(self, pair: Pair, candidate: str) -> Path:
        slug = re.sub(r"[^a-z0-9]+", "-", candidate.lower()).strip("-")
        return self.out / "strips" / f"{pair.name}-{slug}.png"

    def clips(self, pair: Pair) -> PairClips:
        return clips_of(pair, self.clips_folder)

    def faces(self, pair: Pair) -> tuple[Path, Path]:
        """The two face sets, extracted where they are not there; one set serves all pairs of its actor."""
        clips = self.clips(pair)
        folders = tuple(self.out / "faces" / clip.stem for clip in (clips.training_a, clips.training_b))
        for clip, folder in zip((clips.training_a, clips.training_b), folders, strict=True):
            if folder not in self._extracted:
                extract([clip], folder)
                self._extracted.add(folder)
        return folders[0], folders[1]

    def known_answer(self, pair: Pair) -> KnownAnswer:
        """The pair's answer; that of the last pair asked for is kept."""
        if self._known is None or self._known[0] != pair:
            self._known = pair, KnownAnswer.load(self.clips(pair), *self.faces(pair), recogniser())
        return self._known[1]


def swapped(model: SwapModel, clip: Path) -> np.ndarray:
    """``clip`` with B's face of ``model`` as `likeness swap` puts it in: uint8 (T, h, w, 3), in memory alone."""
    settings, footage = SwapSettings(), open_clip(clip)
    paths = follow_faces(footage, settings.faces, settings.smooth)
    swapper = Swapper(model, fitted(paths, model, settings.direction), settings)
    return images_of(swapper.frames(footage.frames()))


@cache
def has_running_start(arch: Architecture) -> bool:
    """Whether ``arch`` can begin from weights that know faces."""
    return recipe_for(arch).build().running_start()


def _keep_conditions(out: Path, settings: BenchSettings) -> None:
    """Note in ``out`` what its figures have in common. Raises SettingsError where it was begun with other settings."""
    wanted = Conditions(
        takes=asdict(settings.takes),
        clock=settings.clock,
        threads=torch.get_num_threads(),
        seed=settings.seed,
        recogniser=recogniser().name,
    )
    path = out / CONDITIONS
    if not path.exists():
        if not (out / "clips").exists():
            find_face_model()  # without it nothing could be filmed, and the folder should not be begun
        write_text(path, wanted.model_dump_json(indent=2) + "\n")
        return
    try:
        begun = Conditions.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise SettingsError(f"{path} cannot be read. Mend or delete it, or choose another folder.") from error
    if begun != wanted:
        raise SettingsError(
            f"{out} was begun under other conditions ({_difference(begun, wanted)}). Use those, or another folder."
        )


def _difference(begun: Conditions, wanted: Conditions) -> str:
    flat = [{**one.takes, **one.model_dump(exclude={"takes"})} for one in (begun, wanted)]
    return ", ".join(f"{name} {flat[0].get(name)}" for name in flat[1] if flat[0].get(name) != flat[1][name])
