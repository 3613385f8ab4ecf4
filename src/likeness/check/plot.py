"""Where things are drawn: curves, timelines and the ladder of evidence, in per cent of their boxes.

Pure geometry, shared by the page, which draws with SVG and CSS, and the PDF.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from likeness.check.explain import clock
from likeness.check.report import Span
from likeness.examiner import Figure, Finding

LADDER = (-2.0, 4.0)  # log10 likelihood ratios at the ends of the drawn scale
_GAP = 3.0  # a curve is broken where two of its times lie this many usual steps apart: the upper quartile, as some
# cues look at pairs of frames
_MARGIN = 0.06  # free part above and below a curve


@dataclass(frozen=True)
class Level:
    """A named horizontal line of a plot; ``top`` in per cent of its height."""

    name: str
    value: float
    top: float


@dataclass(frozen=True)
class Plot:
    """A figure as it is drawn: ``lines`` are points (x, y) in a box of 100 × 100 whose y points down,
    ``shaded`` (left, width) in it."""

    figure: Figure
    lines: list[list[tuple[float, float]]]
    levels: list[Level]
    shaded: list[tuple[float, float]]
    low: float
    high: float
    start_s: float
    end_s: float
    summary: str


def timeline(spans: Iterable[Span], duration_s: float) -> list[tuple[float, float]]:
    """Spans in seconds as (left, width) in per cent of the clip; a moment stays wide enough to be seen."""
    whole = max(duration_s, 1e-3)
    bars = []
    for start, end in spans:
        left = min(100 * start / whole, 99.4)
        bars.append((round(left, 3), round(min(max(100 * (end - start) / whole, 0.6), 100 - left), 3)))
    return bars


def plot(finding: Finding) -> Plot:
    """Scale the figure of ``finding`` into a box of 100 × 100; the curve breaks at gaps and None."""
    figure = finding.figure
    if figure is None:
        raise ValueError("this finding has no figure")
    known = [value for value in figure.values if value is not None]
    reach = [*known, *figure.levels.values()] or [0.0]
    free = _MARGIN * ((max(reach) - min(reach)) or 1.0)
    low, high = min(reach) - free, max(reach) + free
    start, end = (figure.times_s[0], figure.times_s[-1]) if figure.times_s else (0.0, 1.0)
    span = max(end - start, 1e-3)

    def top(value: float) -> float:
        return round(100 * (high - value) / (high - low), 2)

    lines = [[(round(100 * (t - start) / span, 2), top(v)) for t, v in run] for run in _unbroken(figure)]
    levels = [Level(name, value, top(value)) for name, value in figure.levels.items()]
    shaded = timeline(((max(a - start, 0.0), min(b, end) - start) for a, b in finding.spans if b > start), span)
    summary = f"{figure.title}, {clock(start)} to {clock(end)}"
    if known:
        summary += f": between {min(known):.2f} and {max(known):.2f}, {figure.y_label}"
    return Plot(figure, lines, levels, shaded, low, high, start, end, summary)


def _unbroken(figure: Figure) -> list[list[tuple[float, float]]]:
    steps = sorted(b - a for a, b in zip(figure.times_s, figure.times_s[1:], strict=False))
    longest = _GAP * steps[3 * (len(steps) - 1) // 4] if steps else 0.0
    runs: list[list[tuple[float, float]]] = [[]]
    for time, value in zip(figure.times_s, figure.values, strict=True):
        if value is None or (runs[-1] and time - runs[-1][-1][0] > longest):
            runs.append([])
        if value is not None:
            runs[-1].append((time, value))
    return [run for run in runs if run]


def ladder_place(llr: float) -> float:
    """Where a log10 likelihood ratio stands on the drawn scale, in per cent from its left end."""
    low, high = LADDER
    return round(100 * (min(max(llr, low), high) - low) / (high - low), 2)
