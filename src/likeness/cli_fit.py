"""`likeness fit`: options in, one call of what trains a detector, and what came of it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from likeness.errors import SettingsError

say = Console(highlight=False, soft_wrap=True, markup=False)

FitKind = Literal["frames", "pairs", "sequences", "handmade"]


def fit(
    kind: Annotated[
        FitKind,
        typer.Argument(
            help="handmade: SVM and MLP on hand-made features. Networks: frames sees single faces, pairs two frames "
            "of a face, sequences several."
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders: FaceForensics++, Celeb-DF, DFDC, genuine/ and synthetic/, or a samples.csv."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")],
    minutes: Annotated[float | None, typer.Option(help="Stop training (handmade: measuring) after so many.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is in the folder.")] = False,
    backbone: Annotated[
        str | None, typer.Option(help="mobilenet, or hub:NAME (networks only).", show_default=False)
    ] = None,
    pretrained: Annotated[Path | None, typer.Option(help="Weights to begin with (networks only).")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels of the face (networks only).")] = None,
    threads: Annotated[int, typer.Option(help="Threads; handmade: processes that measure.")] = 1,
) -> None:
    """Train a detector on genuine and synthetic footage, validated on people it has not seen."""
    from likeness.detect.datasets import read_samples

    for_networks = {"--backbone": backbone, "--pretrained": pretrained, "--size": size}
    named = [option for option, value in for_networks.items() if value is not None]
    if kind == "handmade" and named:
        raise SettingsError(f"{named[0]} is for networks; hand-made features have none. Leave it out.")
    samples = read_samples(data)
    say.print(f"{len(samples)} samples, {sum(sample.synthetic for sample in samples)} of them synthetic.")
    if kind == "handmade":
        from likeness.detect.fit_handmade import VALIDATION, FitHandmadeSettings, fit_handmade

        report = fit_handmade(samples, output, FitHandmadeSettings(minutes=minutes, resume=resume, workers=threads))
        for name, figures in report["models"].items():
            say.print(f"{name}: AUC {_shown(figures['validation_auc'])} on people not trained on.")
        say.print(f"Look at {output / VALIDATION}")
    else:
        from likeness.detect.fit_network import FitNetworkSettings, fit_network

        given = {"backbone": backbone, "pretrained": pretrained, "size": size}
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        fit_network(
            kind, samples, output, FitNetworkSettings(minutes=minutes, resume=resume, threads=threads, **chosen)
        )


def _shown(figure: float | None) -> str:
    return "unknown (one kind of sample is missing)" if figure is None else f"{figure:.3f}"
