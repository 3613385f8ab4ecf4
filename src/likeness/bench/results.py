"""The finished cells of the swap benchmark, a JSON line each, and what they come to over all pairs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from likeness.bench.answer import FIGURES, Figure
from likeness.bench.metrics import Interval, clustered_bootstrap
from likeness.errors import SettingsError
from likeness.files import write_text

UNCHANGED, NEAREST, ANSWER = "A's clip, unchanged", "B's nearest frame", "the true answer itself"
BASELINES = (UNCHANGED, NEAREST)

_BLOCK_S = 0.5  # frames nearer than this are taken as one observation
_DIGITS = 5  # of the stored figures, after the point


class Learnt(BaseModel):
    """How a swap was learnt: ``minutes`` is the budget, ``spent_s`` what was used of it."""

    model_config = ConfigDict(frozen=True)

    arch: str
    start: str
    minutes: float
    spent_s: float
    iterations: int
    heldout_error: float


def row_of(arch: str, start: str, minutes: float) -> str:
    """What the table calls a training."""
    return f"`{arch}`, from {start}, {minutes:g} min"


class Cell(BaseModel):
    """One candidate on one pair. ``figures`` a number a frame by the names of `FIGURES`, None where there is none."""

    model_config = ConfigDict(frozen=True)

    pair: str
    candidate: str
    training: Learnt | None
    frame_rate: float
    machine: str
    figures: dict[str, list[float | None]]

    def values(self, figure: str) -> np.ndarray:
        """The figure frame by frame, float64 (T,), nan where there is none."""
        return np.array(self.figures.get(figure, []), np.float64)


def stored_figures(figures: dict[str, np.ndarray]) -> dict[str, list[float | None]]:
    """Figures as a cell keeps them."""
    return {
        name: [round(float(value), _DIGITS) if np.isfinite(value) else None for value in values]
        for name, values in figures.items()
    }


class Results:
    """The cells in ``path``, in the order in which they were finished."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError where the file is damaged."""
        self.path = path
        self.cells: list[Cell] = []
        if path.exists():
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
                self.cells = [Cell.model_validate_json(line) for line in lines]
            except (OSError, ValueError, ValidationError) as error:
                raise SettingsError(f"{path} cannot be read. Mend or delete it, or choose another folder.") from error

    def has(self, pair: str, candidate: str) -> bool:
        """Whether the cell is finished."""
        return any(cell.pair == pair and cell.candidate == candidate for cell in self.cells)

    def add(self, cell: Cell) -> None:
        """Keep ``cell``, on disk at once, beside what another run may have added meanwhile. Raises StorageError."""
        self.cells = [*Results(self.path).cells, cell]
        write_text(self.path, "".join(one.model_dump_json() + "\n" for one in self.cells))

    def of(self, candidate: str) -> list[Cell]:
        """The cells of ``candidate``, one a pair."""
        return [cell for cell in self.cells if cell.candidate == candidate]

    def trained(self) -> list[str]:
        """The trained candidates by architecture, start and minutes."""
        order = {
            cell.candidate: (cell.training.arch, cell.training.start, cell.training.minutes)
            for cell in self.cells
            if cell.training is not None
        }
        return sorted(order, key=lambda name: order[name])

    def interval(self, candidate: str, figure: str) -> Interval | None:
        """Mean and interval over the pairs that have ``figure`` for ``candidate``."""
        return _over_pairs([(cell.values(figure), cell.frame_rate) for cell in self.of(candidate)])

    def gain(self, candidate: str, over: str, figure: Figure) -> Interval | None:
        """How much better than ``over``, frame by frame on the same pairs; positive is better."""
        others = {cell.pair: cell.values(figure.name) for cell in self.of(over)}
        apart = [
            (figure.better * (cell.values(figure.name) - others[cell.pair]), cell.frame_rate)
            for cell in self.of(candidate)
            if cell.figures.get(figure.name) and len(others.get(cell.pair, ()))
        ]
        return _over_pairs(apart)


def table(results: Results) -> str:
    """The figures as Markdown, each with its 95 % interval over pairs."""
    columns = [figure for figure in FIGURES if any(cell.figures.get(figure.name) for cell in results.cells)]
    head = ["inside the face, against the true answer", "pairs", *(figure.title for figure in columns)]
    lines = [_line(head), _line(["---"] * len(head))]
    for candidate in (*BASELINES, *results.trained(), ANSWER):
        cells = results.of(candidate)
        if cells:
            figures = [cell_text(results.interval(candidate, figure.name), figure.digits) for figure in columns]
            lines.append(_line([candidate, str(len(cells)), *figures]))
    return "\n".join(lines)


def gains_table(results: Results) -> str:
    """What each training gains over the baselines on the same frames, as Markdown; positive is better."""
    columns = [figure for figure in FIGURES if figure.name in ("psnr", "ssim", "identity_features", "identity_answer")]
    head = ["better than", *(f"{base}: {figure.title}" for base in BASELINES for figure in columns)]
    lines = [_line(head), _line(["---"] * len(head))]
    for candidate in results.trained():
        gains = [
            cell_text(results.gain(candidate, base, figure), figure.digits) for base in BASELINES for figure in columns
        ]
        lines.append(_line([candidate, *gains]))
    return "\n".join(lines)


def trainings(results: Results) -> Iterator[str]:
    """A line a training: what it used and came to on held-out faces."""
    for cell in results.cells:
        if cell.training is not None:
            used = cell.training
            yield (
                f"{cell.pair}, {cell.candidate}: {used.iterations} iterations in {used.spent_s:.0f} s, "
                f"held-out error {used.heldout_error:.4f}"
            )


def cell_text(interval: Interval | None, digits: int) -> str:
    """A figure with its interval, or a dash."""
    if interval is None:
        return "–"
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _over_pairs(clips: Sequence[tuple[np.ndarray, float]]) -> Interval | None:
    """Mean and interval over clips of (figures a frame, frames a second)."""
    finite = [(values[np.isfinite(values)], rate) for values, rate in clips]
    finite = [(values, rate) for values, rate in finite if len(values)]
    if not finite:
        return None
    return clustered_bootstrap([values for values, _ in finite], max(1, round(_BLOCK_S * finite[0][1])))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
