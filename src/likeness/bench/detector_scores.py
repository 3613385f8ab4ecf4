"""What our detectors made of a training, stage by stage: as csv, as a plot, as a table."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from likeness.detect.cues import CUES
from likeness.files import atomic_write, write_text

TABLE, PLOT = "detectors.csv", "detectors.png"  # in the model folder
_HEAD = ("iteration", "seconds", "verdict", "llr", *(cue.name for cue in CUES), "as_a", "as_b")
_COLUMNS = 5  # plots in a row


@dataclass(frozen=True)
class Score:
    """What the detectors make of the swap after ``seconds`` of training, 0 for the footage as it is.

    ``cues`` are log10 likelihood ratios by examiner (> 0 speaks for "synthetic"), None where it abstained; ``llr`` and
    ``verdict`` weigh them as `likeness check` does. ``as_a`` and ``as_b``: shares of frames that are taken for A and B
    (`recognised`), None where the model does not say what they look like.
    """

    iteration: int
    seconds: float
    verdict: str
    llr: float | None
    cues: Mapping[str, float | None]
    as_a: float | None = None
    as_b: float | None = None


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """Write ``scores`` as csv, an abstention as an empty cell. Raises StorageError."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_HEAD)
    for score in scores:
        values = {**vars(score), **score.cues}
        table.writerow(["" if values.get(name) is None else _short(values[name]) for name in _HEAD])
    write_text(path, text.getvalue())


def read_scores(path: Path) -> list[Score]:
    """The scores of an earlier run, none where there is no table or one that cannot be read."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [
            Score(
                iteration=int(row["iteration"]),
                seconds=float(row["seconds"]),
                verdict=row["verdict"],
                llr=_number(row["llr"]),
                cues={cue.name: _number(row[cue.name]) for cue in CUES},
                as_a=_number(row["as_a"]),
                as_b=_number(row["as_b"]),
            )
            for row in rows
        ]
    except (OSError, KeyError, ValueError, TypeError):
        return []


def plot_scores(path: Path, curves: Mapping[str, Sequence[Score]]) -> None:
    """Draw each detector's finding over the training, one curve a name in ``curves``. Raises StorageError.

    The footage as it is (0 seconds) is a dotted line; where an examiner abstained there is no point.
    """
    rows = -(-(len(CUES) + 2) // _COLUMNS)
    picture = Figure(figsize=(4 * _COLUMNS, 3.4 * rows), dpi=80, layout="constrained")
    FigureCanvasAgg(picture)
    weighed, taken, *cues = picture.subplots(rows, _COLUMNS).flat
    for axes in cues[len(CUES) :]:
        axes.remove()
    for axes, cue in zip(cues, CUES, strict=False):
        for name, scores in curves.items():
            _draw(axes, [(score.seconds, score.cues.get(cue.name)) for score in scores], name)
        axes.set(title=cue.name, ylabel="log10 likelihood ratio, > 0: synthetic")
    for name, scores in curves.items():
        _draw(weighed, [(score.seconds, score.llr) for score in scores], name)
        _draw(taken, [(score.seconds, score.as_b) for score in scores], f"{name} B".strip())
        _draw(taken, [(score.seconds, score.as_a) for score in scores], f"{name} A".strip())
    weighed.set(title="together, as check weighs them", ylabel="log10 likelihood ratio")
    taken.set(title="taken for", ylabel="share of frames", ylim=(-0.05, 1.05))
    for axes in picture.axes:
        axes.set_xlabel("minutes of training")
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize=7)
    with atomic_write(path) as temporary:
        picture.savefig(temporary)


def _draw(axes: Axes, points: Sequence[tuple[float, float | None]], name: str) -> None:
    known = [(seconds / 60, value) for seconds, value in points if value is not None]
    trained = [point for point in known if point[0] > 0]
    if trained:
        axes.plot(*zip(*trained, strict=True), marker=".", markersize=4, linewidth=1.2, label=name or "swap")
    for minutes, value in known:
        if minutes == 0:
            axes.axhline(value, color="black", linestyle=":", linewidth=0.8, label="the footage itself")


def _number(text: str) -> float | None:
    return float(text) if text else None


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def table(scores: Mapping[str, Score]) -> str:
    """The last scores of several models as a Markdown table."""
    names = [cue.name for cue in CUES]
    head = ["swap by", *names, "together", "verdict", "taken for B", "taken for A"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, score in scores.items():
        llrs = [_cell(score.cues.get(cue)) for cue in names]
        shares = [_cell(score.as_b), _cell(score.as_a)]
        lines.append(f"| {name} | " + " | ".join([*llrs, _cell(score.llr), score.verdict, *shares]) + " |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
