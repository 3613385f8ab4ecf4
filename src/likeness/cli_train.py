"""`likeness train`: options in, one call of the trainer, and what came of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

EXIT_INTERRUPTED = 130

say = Console(highlight=False, soft_wrap=True, markup=False)

Architecture = Literal["flow", "light", "original", "gan", "liae"]
Start = Literal["faces", "noise"]


def train(
    faces_a: Annotated[Path, typer.Argument(help="Faces of A, made by extract.")],
    faces_b: Annotated[Path, typer.Argument(help="Faces of B, made by extract.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the model.")],
    arch: Annotated[
        Architecture | None,
        typer.Option(
            help="flow moves the person's own pictures and knows faces already; light is an autoencoder for CPUs; "
            "original is as published; gan has a discriminator; liae is for differing light. By default flow or, "
            "resuming, what the model is.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[int | None, typer.Option(help="Pixels of the made face: 64 (not flow), 128 or 256.")] = None,
    published: Annotated[bool, typer.Option("--published", help="gan and liae at their published widths.")] = False,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Stop after so many iterations.")] = None,
    until_flat: Annotated[
        bool, typer.Option("--until-flat", help="Stop once held-out faces gain no more; so it is without a budget.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the model in the folder.")] = False,
    start: Annotated[Start, typer.Option(help="Begin with weights that know faces (flow), or with noise.")] = "faces",
    batch: Annotated[int | None, typer.Option(help="Faces a side in a batch.")] = None,
    accumulate: Annotated[int, typer.Option(help="Batches that make one step, where memory is short.")] = 1,
    learning_rate: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn by chance.")] = 0,
    perceptual: Annotated[
        Path | None, typer.Option(help="TorchScript file of feature maps (VGGFace) for the perceptual loss of gan.")
    ] = None,
    recogniser: Annotated[
        Path | None, typer.Option(help="ONNX file of a face recogniser; else LIKENESS_RECOGNISER, else ours.")
    ] = None,
    gpus: Annotated[int, typer.Option(help="GPUs that train together (needs the extra multi-gpu).")] = 1,
    watch: Annotated[
        Path | None,
        typer.Option(
            metavar="CLIP", help="Footage of A not trained on: plot how our own detectors see its swap, stage by stage."
        ),
    ] = None,
) -> None:
    """Train a network that swaps two faces. Ctrl-C saves; --resume goes on."""
    from likeness.make.model import CURVES, PREVIEW, read_config
    from likeness.make.train import TrainSettings
    from likeness.make.train import train as train_swap

    settings = TrainSettings(
        arch=arch or (read_config(output).arch if resume else TrainSettings.arch),
        size=size,
        published=published,
        minutes=minutes,
        iterations=iterations,
        resume=resume,
        stop_when_flat=until_flat,
        batch=batch,
        accumulate=accumulate,
        start=start,
        learning_rate=learning_rate,
        perceptual=perceptual,
        recogniser=recogniser,
        gpus=gpus,
        seed=seed,
    )
    pictures = [output / PREVIEW, output / CURVES]
    if watch is None:
        result = train_swap(faces_a, faces_b, output, settings)
    else:
        from likeness.bench.detectability import Detectors
        from likeness.bench.detector_scores import PLOT

        detectors = Detectors(watch)
        result = train_swap(faces_a, faces_b, output, settings, detectors)
        if result.reason != "interrupted":
            detectors.finish(output, result.iterations, result.seconds)
        pictures.append(output / PLOT)
    say.print(result.advice)
    for picture in pictures:
        if picture.exists():
            say.print(f"Look at {picture}")
    if result.reason == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)
