"""How a training went: its curve as csv and picture, and when it stopped getting better."""

import csv
import io
from dataclasses import dataclass, fields
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from likeness.files import atomic_write, write_text


@dataclass(frozen=True)
class Entry:
    """One evaluation. ``seconds`` of training so far; losses since the last entry; errors of held-out faces, inside the
    face.

    Losses are in the recipe's own unit, held-out errors mean absolute differences of colours in [0, 1]. Where there
    are discriminators, ``critic_loss`` is theirs, and ``critic_accuracy`` the part of the mixed faces that they call
    rightly: ½ is chance.
    """

    iteration: int
    seconds: float
    learning_rate: float
    loss_a: float
    loss_b: float
    heldout_a: float
    heldout_b: float
    critic_loss: float | None = None
    critic_accuracy: float | None = None

    @property
    def heldout(self) -> float:
        """Both sides' held-out error together."""
        return (self.heldout_a + self.heldout_b) / 2


@dataclass(frozen=True)
class StopSettings:
    """A gain counts where the held-out error falls by the part ``gain``.

    It is time to stop when ``patience_s`` seconds and ``evaluations`` judgements have passed without one.
    """

    gain: float = 0.005
    patience_s: float = 180.0
    evaluations: int = 5


@dataclass
class Plateau:
    """Watches the held-out error. ``best`` is the lowest, ``gained`` the last that counted as a gain, both with their
    time."""

    best: float = float("inf")
    gained: float = float("inf")
    gained_at_s: float = 0.0
    evaluations: int = 0  # since the last gain

    def update(self, entry: Entry, settings: StopSettings) -> bool:
        """Take in an evaluation; true where it is the best so far."""
        self.evaluations += 1
        if entry.heldout < self.gained * (1 - settings.gain):
            self.gained, self.gained_at_s, self.evaluations = entry.heldout, entry.seconds, 0
        is_best = entry.heldout < self.best
        self.best = min(self.best, entry.heldout)
        return is_best

    def flat_s(self, seconds: float) -> float:
        """Seconds of training since the last gain."""
        return seconds - self.gained_at_s

    def is_flat(self, seconds: float, settings: StopSettings) -> bool:
        """Whether it is time to stop."""
        return self.flat_s(seconds) >= settings.patience_s and self.evaluations >= settings.evaluations


def write_history(path: Path, entries: list[Entry]) -> None:
    """Write the entries as csv, without the columns that none has a value in; raises StorageError."""
    used = [field.name for field in fields(Entry) if any(getattr(entry, field.name) is not None for entry in entries)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(used)
    table.writerows([_cell(getattr(entry, name)) for name in used] for entry in entries)
    write_text(path, text.getvalue())


def _cell(value: float | int | None) -> str | int:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def plot_history(path: Path, entries: list[Entry]) -> None:
    """Draw loss, held-out error and, where there are discriminators, their accuracy over time; raises StorageError."""
    judged = [entry for entry in entries if entry.critic_accuracy is not None]
    figure = Figure(figsize=(12 if judged else 8, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    loss_axes, error_axes, *critic_axes = figure.subplots(1, 3 if judged else 2)
    _plot_sides(loss_axes, entries, "loss", "training loss")
    _plot_sides(error_axes, entries, "heldout", "error on held-out faces")
    for axes in critic_axes:
        axes.plot(
            [entry.seconds / 60 for entry in judged], [entry.critic_accuracy for entry in judged], color="tab:green"
        )
        axes.axhline(0.5, color="grey", linestyle="--", label="chance")
        axes.set(title="discriminators' accuracy", xlabel="minutes", ylim=(0, 1))
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary)


def _plot_sides(axes: Axes, entries: list[Entry], kind: str, title: str) -> None:
    """One curve a side of the column ``kind``."""
    minutes = [entry.seconds / 60 for entry in entries]
    for side, colour in (("a", "tab:blue"), ("b", "tab:orange")):
        values = [getattr(entry, f"{kind}_{side}") for entry in entries]
        axes.plot(minutes, values, color=colour, label=side.upper())
    axes.set(title=title, xlabel="minutes", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
