"""`likeness portrait`: faces of people who do not exist."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from likeness.cli_train import EXIT_INTERRUPTED
from likeness.errors import SettingsError

portrait_app = typer.Typer(help="Make portraits of people who do not exist.", no_args_is_help=True)
say = Console(highlight=False, soft_wrap=True, markup=False)

Size = Literal["64", "128"]


@portrait_app.command("fit")
def portrait_fit(
    faces: Annotated[Path, typer.Argument(help="Faces of many people, made by extract.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")],
    consent: Annotated[
        list[Path] | None, typer.Option(help="Signed consent record that allows portraits; repeat for every person.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Stop after so many iterations.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the model in the folder.")] = False,
    size: Annotated[Size, typer.Option(help="Side of the portraits in pixels.")] = "64",
) -> None:
    """Train generator and discriminator until the discriminator is right half the time. Ctrl-C saves."""
    from likeness.make.model import PREVIEW
    from likeness.make.portraits.model import CURVES
    from likeness.make.portraits.train import FitSettings, fit

    settings = FitSettings(
        size=64 if size == "64" else 128, minutes=minutes, iterations=iterations, resume=resume
    )  # fmt: skip
    result = fit(faces, output, consent or [], settings)
    say.print(result.advice)
    for picture in (output / PREVIEW, output / CURVES):
        if picture.exists():
            say.print(f"Look at {picture}")
    if result.reason == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)


@portrait_app.command("sample")
def portrait_sample(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the portraits.")],
    more: Annotated[list[int] | None, typer.Argument(help="Seeds: each number is a face.", metavar="SEED...")] = None,
    model: Annotated[Path | None, typer.Option(help="Folder made by portrait fit. Default: the shipped model.")] = None,
    seeds: Annotated[
        list[int] | None, typer.Option(help="The same as the seeds: --seeds 1 2 3.", metavar="SEED...")
    ] = None,
    count: Annotated[int | None, typer.Option(help="So many faces, with the seeds 1 to COUNT.")] = None,
    truncation: Annotated[float, typer.Option(help="1: as varied as learnt; 0: the mean face.")] = 0.8,
    grid: Annotated[bool, typer.Option("--grid", help="One picture of all faces.")] = False,
    interpolate: Annotated[
        float | None, typer.Option(help="A clip of so many seconds from face to face.", metavar="SECONDS")
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Change a trait, in standard deviations: mouth=1.5. Repeat for more.")
    ] = None,
    side: Annotated[int, typer.Option(help="Side of the written pictures in pixels.")] = 256,
) -> None:
    """Write the face of each seed: a number is the seed of a unique face. The results are labelled and signed."""
    from likeness.make.portraits.sample import SampleSettings, sample

    chosen = [*(seeds or []), *(more or [])]
    if chosen and count is not None:
        raise SettingsError("Give seeds or --count, not both.")
    if count is not None and count < 1:
        raise SettingsError("--count must be at least 1.")
    settings = SampleSettings(
        seeds=tuple(chosen) or tuple(range(1, (count or 9) + 1)),
        truncation=truncation,
        traits=_traits(attribute or []),
        side=side,
        as_grid=grid,
        interpolate_s=interpolate,
    )
    paths = sample(output, model, settings)
    shown = f"{paths[0]}" if len(paths) == 1 else f"{len(paths)} files in {output}"
    say.print(f"Wrote {shown}. They show nobody, and say so.")


def _traits(options: list[str]) -> dict[str, float]:
    """``name=amount`` as a dictionary."""
    traits = {}
    for option in options:
        name, sign, amount = option.partition("=")
        try:
            traits[name.strip()] = float(amount)
        except ValueError:
            sign = ""
        if not sign:
            raise SettingsError(f"'{option}' is no change of a trait. Write a name and an amount, as in mouth=1.5.")
    return traits
