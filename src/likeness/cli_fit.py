"""`likeness fit`: options in, one call of what trains a detector, and what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from likeness.errors import SettingsError

if TYPE_CHECKING:
    from likeness.detect.datasets import Sample
    from likeness.detect.fit_network import FitNetworkSettings

say = Console(highlight=False, soft_wrap=True, markup=False)

FitKind = Literal["frames", "pairs", "recurrent", "temporal", "handmade"]


def fit(
    kind: Annotated[
        FitKind,
        typer.Argument(
            help="handmade: SVM and MLP on hand-made features. Networks: frames sees single faces, pairs two "
            "consecutive ones; recurrent and temporal read sequences of what a frame network sees."
        ),
    ],
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders: FaceForensics++, Celeb-DF, DFDC, genuine/ and synthetic/, or a samples.csv."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")],
    minutes: Annotated[
        float | None, typer.Option(help="Stop training after so many minutes; handmade: stop measuring.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is in the folder.")] = False,
    backbone: Annotated[
        str | None, typer.Option(help="Networks: mobilenet (default) or hub:NAME.", show_default=False)
    ] = None,
    pretrained: Annotated[
        Path | None, typer.Option(help="Networks: MobileNetV2's ImageNet weights, or a frame network's folder.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Networks: threads; handmade: processes that measure.")] = 1,
) -> None:
    """Train a detector on genuine and synthetic footage, validated on people it has not seen."""
    from likeness.detect.datasets import read_samples

    named = [name for name, value in (("--backbone", backbone), ("--pretrained", pretrained)) if value is not None]
    if kind == "handmade" and named:
        raise SettingsError(f"{named[0]} is for networks; hand-made features have none. Leave it out.")
    if threads < 1 or (minutes is not None and not minutes > 0):
        raise SettingsError("--threads must be 1 or more, and --minutes more than 0.")
    samples = read_samples(data)
    say.print(f"{len(samples)} samples, {sum(sample.synthetic for sample in samples)} of them synthetic.")
    if kind == "handmade":
        _fit_handmade(samples, output, minutes, resume, threads)
        return
    from likeness.detect.fit_network import FitNetworkSettings, fit_network

    settings = FitNetworkSettings(pretrained=pretrained, resume=resume)
    settings = settings if backbone is None else replace(settings, backbone=backbone)
    config = fit_network(kind, samples, output, _timed(settings, minutes, threads))
    say.print(f"{kind}: AUC {_shown(config.validation_auc)} on people not trained on. Look at {output}")


def _fit_handmade(samples: "Sequence[Sample]", output: Path, minutes: float | None, resume: bool, workers: int) -> None:
    from likeness.detect.fit_handmade import VALIDATION, FitHandmadeSettings, fit_handmade

    report = fit_handmade(samples, output, FitHandmadeSettings(minutes=minutes, resume=resume, workers=workers))
    for name, figures in report["models"].items():
        say.print(f"{name}: AUC {_shown(figures['validation_auc'])} on people not trained on.")
    say.print(f"Look at {output / VALIDATION}")


def _timed(settings: "FitNetworkSettings", minutes: float | None, threads: int) -> "FitNetworkSettings":
    train = replace(settings.train, threads=threads)
    return replace(settings, train=train if minutes is None else replace(train, minutes=minutes))


def _shown(figure: float | None) -> str:
    return "unknown (one kind of sample is missing)" if figure is None else f"{figure:.3f}"
