"""`likeness train`: options in, one call of the trainer, and what came of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from likeness.errors import SettingsError

EXIT_INTERRUPTED = 130

say = Console(highlight=False, soft_wrap=True, markup=False)

Architecture = Literal["light", "original"]


def train(
    faces_a: Annotated[Path, typer.Argument(help="Faces of A, made by extract.")],
    faces_b: Annotated[Path, typer.Argument(help="Faces of B, made by extract.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")],
    arch: Annotated[Architecture, typer.Option(help="light is for CPUs; original is the published one.")] = "light",
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Stop after so many iterations.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the model in the folder.")] = False,
) -> None:
    """Train a shared encoder and a decoder for each of two faces. Ctrl-C saves; --resume goes on."""
    from likeness.make.model import CURVES, PREVIEW
    from likeness.make.train import TrainSettings
    from likeness.make.train import train as train_swap

    if minutes is not None and iterations is not None:
        raise SettingsError("Give --minutes or --iterations, not both.")
    settings = TrainSettings(arch=arch, minutes=minutes, iterations=iterations, resume=resume)
    result = train_swap(faces_a, faces_b, output, settings)
    say.print(result.advice)
    for picture in (output / PREVIEW, output / CURVES):
        if picture.exists():
            say.print(f"Look at {picture}")
    if result.reason == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)
