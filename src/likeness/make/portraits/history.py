"""How a portrait training went, and the founding rule for its end: the discriminator is right half the time."""

import csv
import io
import math
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from likeness.files import atomic_write, write_text


@dataclass(frozen=True)
class Entry:
    """One evaluation, after ``iteration`` steps, ``images`` photographs shown and ``seconds`` of training.

    ``accuracy``: how often the discriminator picks the photograph from a pair of one that is held out and one freshly
    made picture; ``accuracy_learnt`` the same with photographs it learns from. ``r`` is the overfitting and ``p`` the
    augmentation that follows from it. ``distance`` is the Fréchet distance of the averaged generator's faces to
    held-out ones in the recogniser's embedding, NaN where it was not measured this time.
    """

    iteration: int
    images: int
    seconds: float
    learning_rate: float
    gamma: float
    loss_generator: float
    loss_discriminator: float
    accuracy: float
    accuracy_learnt: float
    r: float
    p: float
    distance: float = math.nan


@dataclass(frozen=True)
class ChanceSettings:
    """The discriminator is at chance where its mean accuracy over the last ``window`` evaluations is within ``margin``
    of one half, after it has once been right in ``learnt`` of the pairs: untrained it only guesses."""

    window: int = 10
    margin: float = 0.03
    learnt: float = 0.6


def is_at_chance(entries: list[Entry], settings: ChanceSettings) -> bool:
    """Whether the discriminator cannot tell made faces from photographs any more."""
    last = entries[-settings.window :]
    if len(last) < settings.window or max(entry.accuracy for entry in entries) < settings.learnt:
        return False
    return abs(sum(entry.accuracy for entry in last) / len(last) - 0.5) <= settings.margin


def write_history(path: Path, entries: list[Entry]) -> None:
    """Write the entries as csv; raises StorageError."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([field.name for field in fields(Entry)])
    table.writerows(
        [f"{value:.6g}" if isinstance(value, float) else value for value in astuple(entry)] for entry in entries
    )
    write_text(path, text.getvalue())


def plot_history(path: Path, entries: list[Entry]) -> None:
    """Draw the discriminator's accuracy, the losses and the distance over the pictures shown; raises StorageError."""
    figure = Figure(figsize=(12, 4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    accuracy, losses, distance = figure.subplots(1, 3)
    shown = [entry.images / 1000 for entry in entries]
    accuracy.plot(shown, [entry.accuracy for entry in entries], label="held-out photographs")
    accuracy.plot(shown, [entry.accuracy_learnt for entry in entries], label="learnt photographs", alpha=0.6)
    accuracy.axhline(0.5, color="black", linestyle="--", linewidth=1, label="chance")
    accuracy.set(title="discriminator: right pairs", ylim=(0.4, 1.02))
    losses.plot(shown, [entry.loss_generator for entry in entries], label="generator")
    losses.plot(shown, [entry.loss_discriminator for entry in entries], label="discriminator")
    losses.set(title="losses")
    measured = [entry for entry in entries if not math.isnan(entry.distance)]
    distance.plot([entry.images / 1000 for entry in measured], [entry.distance for entry in measured], marker=".")
    distance.set(title="Fréchet distance, our embedding")
    for axes in (accuracy, losses, distance):
        _finish(axes)
    with atomic_write(path) as temporary:
        figure.savefig(temporary)


def _finish(axes: Axes) -> None:
    axes.set_xlabel("thousand photographs shown")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
