"""One progress bar for every long job: how far, how fast, how long still."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_PLAIN_INTERVAL_S = 15.0  # between two lines where the output is a file or a pipe

Item = TypeVar("Item")


class _RateColumn(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self.unit}/s" if speed else f"– {self.unit}/s")


@dataclass
class Job:
    """A running job. ``advance`` moves the bar; ``note`` replaces the text at its end."""

    description: str
    unit: str
    total: float | None
    _bar: Progress | None = None
    _done: float = 0.0
    _note: str = ""
    _started: float = field(default_factory=time.monotonic)
    _printed: float = field(default_factory=time.monotonic)

    def advance(self, amount: float = 1.0) -> None:
        self._done += amount
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif time.monotonic() - self._printed > _PLAIN_INTERVAL_S:
            self._print()

    def note(self, text: str) -> None:
        self._note = text
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], note=text)

    def _print(self) -> None:
        self._printed = time.monotonic()
        elapsed = max(self._printed - self._started, 1e-6)
        rate = self._done / elapsed
        left = f", {max(self.total - self._done, 0) / max(rate, 1e-9):.0f} s left" if self.total else ""
        amount = f"{self._done:.0f}/{self.total:.0f}" if self.total else f"{self._done:.0f}"
        print(f"{self.description}: {amount} {self.unit}, {rate:.1f}/s{left} {self._note}".rstrip(), file=sys.stderr)


@contextmanager
def progress(description: str, total: float | None = None, unit: str = "frames") -> Iterator[Job]:
    """Show a bar on a terminal, and a line every 15 seconds elsewhere; both go to standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        job = Job(description, unit, total)
        yield job
        job._print()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total}"),
               _RateColumn(unit), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))  # fmt: skip
    with Progress(*columns, console=console) as bar:
        bar.add_task(description, total=total, note="")
        yield Job(description, unit, total, bar)


def tracked(
    items: Iterable[Item], description: str, total: float | None = None, unit: str = "frames"
) -> Iterator[Item]:
    """Iterate over ``items`` under a progress bar."""
    with progress(description, total, unit) as job:
        for item in items:
            yield item
            job.advance()
