"""Quality against the time spent on training, as pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture

from likeness.bench.answer import FIGURES
from likeness.bench.metrics import Interval
from likeness.bench.results import BASELINES, Results
from likeness.files import atomic_write

_SHOWN = ("psnr", "identity_features", "identity_answer", "expression")
_COLOURS = {"original": "tab:gray", "light": "tab:blue", "gan": "tab:orange", "liae": "tab:green", "flow": "tab:red"}
_DASHES = {"faces": "-", "noise": ":"}


def plot_results(path: Path, results: Results, clock: str) -> None:
    """Each figure against minutes of training for every architecture and start, the baselines as lines.

    Bars are 95 % intervals over pairs. Raises StorageError.
    """
    picture, grid = _figure(2, 2)
    for axes, name in zip(grid, _SHOWN, strict=True):
        figure = next(figure for figure in FIGURES if figure.name == name)
        for (arch, start), candidates in _curves(results).items():
            points = [(minutes, results.interval(candidate, name)) for minutes, candidate in candidates]
            _draw_curve(axes, points, arch, start)
        for base, colour in zip(BASELINES, ("black", "tab:red"), strict=True):
            interval = results.interval(base, name)
            if interval is not None:
                axes.axhline(interval.mean, color=colour, linestyle="--", linewidth=0.8, label=base)
        axes.set(title=figure.title, xscale="log", xlabel=f"{clock} minutes")
    grid[0].legend(fontsize=7)
    _finish(path, picture, grid)


@dataclass(frozen=True)
class Panel:
    """One picture of several ``curves`` (minutes, value) by name, with ``lines`` at one height across it."""

    title: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    lines: Mapping[str, float]


def plot_panels(path: Path, panels: Sequence[Panel], clock: str) -> None:
    """The ``panels`` side by side, over minutes on a logarithmic scale. Raises StorageError."""
    picture, grid = _figure(1, len(panels))
    for axes, panel in zip(grid, panels, strict=True):
        for name, points in panel.curves.items():
            minutes, values = [point[0] for point in points], [point[1] for point in points]
            axes.plot(minutes, values, marker=".", markersize=5, linewidth=1.2, label=name)
        for (name, value), colour in zip(panel.lines.items(), ("black", "tab:red"), strict=False):
            axes.axhline(value, color=colour, linestyle="--", linewidth=0.8, label=name)
        axes.set(title=panel.title, xscale="log", xlabel=f"{clock} minutes")
        axes.legend(fontsize=7)
    _finish(path, picture, grid)


def _draw_curve(axes: Axes, points: list[tuple[float, Interval | None]], arch: str, start: str) -> None:
    """Means with their intervals."""
    known = [(minutes, interval) for minutes, interval in points if interval is not None]
    if not known:
        return
    minutes, means = [point[0] for point in known], [interval.mean for _, interval in known]
    below = [interval.mean - interval.low for _, interval in known]
    above = [interval.high - interval.mean for _, interval in known]
    [line] = axes.plot(minutes, means, marker="o", markersize=3, linewidth=1.2, label=f"{arch}, from {start}")
    line.set(color=_COLOURS[arch], linestyle=_DASHES[start])
    axes.errorbar(minutes, means, yerr=[below, above], fmt="none", ecolor=_COLOURS[arch], capsize=2, linewidth=0.8)


def _curves(results: Results) -> dict[tuple[str, str], list[tuple[float, str]]]:
    """(minutes, candidate) by architecture and start, with rising minutes."""
    curves: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for candidate in results.trained():
        used = results.of(candidate)[0].training
        if used is not None:
            curves.setdefault((used.arch, used.start), []).append((used.minutes, candidate))
    return curves


def _figure(rows: int, columns: int) -> tuple[Picture, list[Axes]]:
    picture = Picture(figsize=(5 * columns, 3.6 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(picture)
    return picture, list(picture.subplots(rows, columns, squeeze=False).flat)


def _finish(path: Path, picture: Picture, grid: list[Axes]) -> None:
    for axes in grid:
        axes.grid(alpha=0.3, which="both")
    with atomic_write(path) as temporary:
        picture.savefig(temporary)
