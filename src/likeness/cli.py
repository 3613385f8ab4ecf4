"""The verbs. Each one reads its options, calls one function of a room and says what came of it.

Rooms are imported inside the verbs, so that `likeness --help` does not wait for PyTorch.
"""

import json
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from likeness import __version__
from likeness.errors import LikenessError, SettingsError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    help="Make, detect and prove synthetic faces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
consent_app = typer.Typer(help="Write, sign and show consent records.", no_args_is_help=True)
app.add_typer(consent_app, name="consent")
say = Console(highlight=False, soft_wrap=True)


class Architecture(StrEnum):
    """The swap networks that `train` knows."""

    LIGHT = "light"
    ORIGINAL = "original"


class Direction(StrEnum):
    """Whose face is put where: a2b puts B's face into footage of A."""

    A2B = "a2b"
    B2A = "b2a"


def _show_version(wanted: bool) -> None:
    if wanted:
        say.print(f"likeness {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """Make, detect and prove synthetic faces."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("demo"),
    minutes: Annotated[float, typer.Option(help="Minutes of training.")] = 6.0,
) -> None:
    """The whole story on the shipped footage: extract, train, swap, score, check."""
    from likeness.demo import DemoSettings, run_demo

    run_demo(DemoSettings(output=output, minutes=minutes))
