"""`likeness swap`: put the other face of a model into a clip."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from likeness.errors import SettingsError

say = Console(highlight=False, soft_wrap=True, markup=False)

Direction = Literal["a2b", "b2a"]
Match = Literal["light", "none", "mean", "reinhard", "linear", "mkl", "histogram", "sliced"]
Blend = Literal["feather", "poisson", "multiband"]
Mask = Literal["network", "hull", "both"]
Kind = Literal["png", "exr"]

_WHOSE, _WHEN, _LOOK, _FILES = "Whose face", "Which part", "How it looks", "Files"


def swap(
    clip: Annotated[Path, typer.Argument(help="Video or picture to put the face into, or a folder of pictures.")],
    model: Annotated[Path, typer.Option(help="Folder made by train.")],
    consent: Annotated[Path, typer.Option(help="Signed consent record for the face that is put in.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="OUT.mp4, a picture for a picture, or a folder.")],
    revocations: Annotated[
        list[Path] | None, typer.Option(help="Look in this file or folder too for a revocation of the consent.")
    ] = None,
    direction: Annotated[Direction, typer.Option(help="a2b puts B's face into footage of A.")] = "a2b",
    all_faces: Annotated[
        bool, typer.Option("--all-faces", help="Swap every face, not the main one.", rich_help_panel=_WHOSE)
    ] = False,
    face_like: Annotated[
        Path | None, typer.Option(help="Swap the person in this picture.", rich_help_panel=_WHOSE)
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(help="Swap the face with this number (--all-faces --approve shows them).", rich_help_panel=_WHOSE),
    ] = None,
    start: Annotated[
        float, typer.Option("--from", help="Write the clip from this second on.", rich_help_panel=_WHEN)
    ] = 0.0,
    end: Annotated[
        float | None, typer.Option("--to", help="Write the clip up to this second.", rich_help_panel=_WHEN)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM-TO",
            help="Swap in these seconds of the clip and leave the rest; may be repeated.",
            rich_help_panel=_WHEN,
        ),
    ] = None,
    match: Annotated[Match, typer.Option(help="How colours are matched.", rich_help_panel=_LOOK)] = "light",
    blend: Annotated[Blend, typer.Option(help="How the edge is blended.", rich_help_panel=_LOOK)] = "feather",
    mask: Annotated[Mask, typer.Option(help="Where the face is laid.", rich_help_panel=_LOOK)] = "network",
    occlusion: Annotated[
        bool, typer.Option(help="Keep hair, hands and glasses in front of the face.", rich_help_panel=_LOOK)
    ] = True,
    enhance: Annotated[
        bool, typer.Option(help="Draw faces finer that are larger than the model's.", rich_help_panel=_LOOK)
    ] = True,
    detail: Annotated[bool, typer.Option(help="Match sharpness, motion blur and noise.", rich_help_panel=_LOOK)] = True,
    approve: Annotated[
        Path | None,
        typer.Option(
            metavar="SHEET.png",
            help="Write a sheet of frames before and after, to look at, and end. Run again without it.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    sequence: Annotated[
        Kind | None, typer.Option(help="Write numbered pictures into a new folder.", rich_help_panel=_FILES)
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second of a folder of pictures.", rich_help_panel=_FILES)
    ] = None,
) -> None:
    """Put the other face into a clip. The result is labelled, signed and recorded. Interrupted, run it again."""
    from likeness.make.approval import approval_sheet
    from likeness.make.swap import SwapSettings, swap_clip

    settings = SwapSettings(
        direction=direction,
        faces="all" if all_faces else "largest",
        like=face_like,
        track=track,
        start_s=start,
        end_s=end,
        only=tuple(map(_span, only or ())),
        match=match,
        blend=blend,
        mask=mask,
        occlusion=occlusion,
        enhance=enhance,
        detail=detail,
        sequence=sequence,
        frame_rate=_rate(fps),
        revocations=tuple(revocations or ()),
    )
    if approve is not None:
        shown = approval_sheet(clip, model, consent, output, approve, settings)
        say.print(f"{shown} frames before and after: {approve}. If you approve, run the same without --approve.")
        return
    result = swap_clip(clip, model, consent, output, settings)
    say.print(
        f"Swapped the face in {result.swapped} of {result.frames} frames in {result.seconds:.0f} s: {result.path}"
    )


def _span(text: str) -> tuple[float, float]:
    """The seconds (from, to) in FROM-TO. Raises SettingsError."""
    start, _, end = text.partition("-")
    try:
        return float(start), float(end)
    except ValueError as error:
        raise SettingsError(f"--only {text} is no part of a clip. Give seconds as FROM-TO, such as 12.5-20.") from error


def _rate(fps: float | None) -> Fraction | None:
    """``fps`` as a fraction; 23.976, 29.97 and 59.94 mean their 1001sts. Raises SettingsError."""
    if fps is None:
        return None
    if not 0 < fps <= 1000:
        raise SettingsError(f"--fps {fps:g} cannot be shown. Give frames a second, above 0 and up to 1000.")
    exact = Fraction(round(fps) * 1000, 1001)
    return exact if abs(float(exact) - fps) < 0.005 and fps != round(fps) else Fraction(fps).limit_denominator(1000)
