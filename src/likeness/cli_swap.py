"""`likeness swap`: put the other face of a model into a clip."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

say = Console(highlight=False, soft_wrap=True, markup=False)

Direction = Literal["a2b", "b2a"]


def swap(
    clip: Annotated[Path, typer.Argument(help="Video or picture to put the face into.")],
    model: Annotated[Path, typer.Option(help="Folder made by train.")],
    consent: Annotated[Path, typer.Option(help="Signed consent record for the face that is put in.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="OUT.mp4, or a picture for a picture.")],
    direction: Annotated[Direction, typer.Option(help="a2b puts B's face into footage of A.")] = "a2b",
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Swap every face, not the main one.")] = False,
) -> None:
    """Put the other face into a clip. The result is labelled, signed and recorded."""
    from likeness.make.swap import SwapSettings, swap_clip

    settings = SwapSettings(direction=direction, faces="all" if all_faces else "largest")
    result = swap_clip(clip, model, consent, output, settings)
    say.print(
        f"Swapped the face in {result.swapped} of {result.frames} frames in {result.seconds:.0f} s: {result.path}"
    )
