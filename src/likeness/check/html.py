"""The report as a page: one self-contained HTML file that needs neither network nor scripts, and prints."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from likeness.check.report import Report, Span
from likeness.check.weigh import times, verbal
from likeness.examiner import Figure, Finding
from likeness.files import write_text

_HEADLINES = {
    "synthetic": "Synthetic",
    "no_sign": "No sign of a synthetic face",
    "cannot_tell": "Cannot tell",
}
_LADDER = (-2.0, 4.0)  # log10 likelihood ratios at the ends of the drawn scale
_GAP = 3.0  # a curve is broken where two of its times lie this many usual steps apart
_MARGIN = 0.06  # free part above and below a curve


@dataclass(frozen=True)
class Level:
    """A named horizontal line of a plot; ``top`` in per cent of its height."""

    name: str
    value: float
    top: float


@dataclass(frozen=True)
class Plot:
    """A figure as it is drawn: ``lines`` are SVG point lists in a box of 100 × 100, ``shaded`` (left, width) in it."""

    figure: Figure
    lines: list[str]
    levels: list[Level]
    shaded: list[tuple[float, float]]
    low: float
    high: float
    start_s: float
    end_s: float
    summary: str


def write_html(reports: Sequence[Report], path: Path) -> None:
    """Write ``reports`` as one page to ``path``, atomically. Raises StorageError where it cannot be written."""
    write_text(Path(path), render(reports))


def render(reports: Sequence[Report], made_at: datetime | None = None) -> str:
    """The page for ``reports`` as HTML. ``made_at`` is printed as the time of the examination (default: now)."""
    environment = Environment(
        loader=PackageLoader("likeness.check", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clock": clock, "base64": _base64, "size": _size, "verbal": verbal, "times": times, "plot": plot,
        "ladder": _ladder,
    }  # fmt: skip
    return environment.get_template("report.html.j2").render(
        reports=reports,
        headlines=_HEADLINES,
        made_at=(made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        timeline=timeline,
        working=lambda findings: [finding for finding in findings if finding.abstained is None],
        abstained=lambda findings: [finding for finding in findings if finding.abstained is not None],
        unexamined=unexamined,
    )


def clock(seconds: float) -> str:
    """Seconds as a person reads them: "4.2 s" below a minute, else "1:04.2" or "1:02:03"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds, 1), 60)
    if minutes < 60:
        return f"{minutes:.0f}:{rest:04.1f}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{rest:02.0f}"


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

    runs = _unbroken(figure)
    lines = [" ".join(f"{100 * (t - start) / span:.2f},{top(v):.2f}" for t, v in run) for run in runs]
    levels = [Level(name, value, top(value)) for name, value in figure.levels.items()]
    shaded = timeline(((max(a - start, 0.0), min(b, end) - start) for a, b in finding.spans if b > start), span)
    summary = f"{figure.title}, {clock(start)} to {clock(end)}"
    if known:
        summary += f": between {min(known):.2f} and {max(known):.2f}, {figure.y_label}"
    return Plot(figure, lines, levels, shaded, low, high, start, end, summary)


def unexamined(report: Report) -> list[str]:
    """What cannot be said of this file however the examiners decide, one plain sentence each."""
    limits = []
    seconds = sum(end - start for start, end in report.examined)
    if report.kind == "video" and len(report.examined) > 1:
        limits.append(
            f"{seconds:.0f} of {report.duration_s:.0f} seconds were examined, in {len(report.examined)} parts evenly "
            "spread; nothing is said of the rest."
        )
    if report.left_out:
        many = report.left_out > 1
        limits.append(
            f"{report.left_out} more face{'s were' if many else ' was'} seen only briefly or in the crowd "
            f"and {'were' if many else 'was'} not examined."
        )
    if report.kind != "sound":
        limits.append(
            "Wholly synthetic pictures, altered backgrounds, cuts and misleading captions are not looked for: "
            "only faces are."
        )
    limits.append("Sound is not examined: neither whether a voice is synthetic nor whether lips and speech agree.")
    return limits


def _unbroken(figure: Figure) -> list[list[tuple[float, float]]]:
    steps = sorted(b - a for a, b in zip(figure.times_s, figure.times_s[1:], strict=False))
    longest = _GAP * steps[len(steps) // 2] if steps else 0.0
    runs: list[list[tuple[float, float]]] = [[]]
    for time, value in zip(figure.times_s, figure.values, strict=True):
        if value is None or (runs[-1] and time - runs[-1][-1][0] > longest):
            runs.append([])
        if value is not None:
            runs[-1].append((time, value))
    return [run for run in runs if run]


def _ladder(llr: float) -> float:
    """Where a log10 likelihood ratio stands on the drawn scale, in per cent from its left end."""
    low, high = _LADDER
    return round(100 * (min(max(llr, low), high) - low) / (high - low), 2)


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def _size(count: int) -> str:
    """Bytes as a person reads them."""
    if count < 1000:
        return f"{count} bytes"
    amount, unit = (count / 1e3, "kB") if count < 1e6 else (count / 1e6, "MB") if count < 1e9 else (count / 1e9, "GB")
    return f"{amount:.1f} {unit}"
