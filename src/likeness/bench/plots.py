"""Quality against the time spent on training, as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture

from likeness.bench.answer import FIGURES
from likeness.bench.metrics import Interval
from likeness.bench.results import BASELINES, Results
from likeness.files import atomic_write

_SHOWN = ("psnr", "identity_features", "identity_answer", "expression")
_COLOURS = {"original": "tab:gray", "light": "tab:blue", "gan": "tab:orange", "liae": "tab:green"}
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
    _finish(path, picture, grid)


def plot_curves(path: Path, panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], clock: str) -> None:
    """One panel a title, in it one curve a name: points (minutes, value). Raises StorageError."""
    picture, grid = _figure(1, len(panels))
    for axes, (title, curves) in zip(grid, panels.items(), strict=True):
        for name, points in curves.items():
            if points:
                axes.plot(*zip(*sorted(points), strict=True), marker=".", markersize=4, linewidth=1.2, label=name)
        axes.set(title=title, xscale="log", xlabel=f"{clock} minutes")
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
    grid[0].legend(fontsize=7)
    with atomic_write(path) as temporary:
        picture.savefig(temporary)
