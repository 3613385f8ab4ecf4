"""The report as a page: one self-contained HTML file that needs neither network nor scripts, and prints."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from likeness.check import explain
from likeness.check.plot import ladder_place, plot, timeline
from likeness.check.report import Report
from likeness.check.weigh import times, verbal
from likeness.files import write_text


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
        "clock": explain.clock, "base64": _base64, "size": explain.size, "verbal": verbal, "times": times, "plot": plot,
        "ladder": ladder_place, "signed": explain.signed, "title_of": explain.title_of, "stance": explain.stance_of,
        "chance": explain.chance, "points": lambda line: " ".join(f"{x:.2f},{y:.2f}" for x, y in line),
    }  # fmt: skip
    return environment.get_template("report.html.j2").render(
        reports=reports,
        explain=explain,
        made_at=(made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        timeline=timeline,
    )


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
