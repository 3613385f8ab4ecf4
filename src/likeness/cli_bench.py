"""`likeness bench`: how good swaps are where the true answer is known, and how soon."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from likeness.errors import SettingsError

bench_app = typer.Typer(help="Measure swaps of synthetic actors against the true answer.", no_args_is_help=True)
say = Console(highlight=False, soft_wrap=True, markup=False)

ARCHITECTURES = ("original", "light", "gan", "liae", "flow")
STARTS = ("faces", "noise")

Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for everything; run again to go on.")]
Seconds = Annotated[float, typer.Option(help="Footage of each actor to learn from.")]
Size = Annotated[int, typer.Option(help="Width and height of the clips in pixels.")]
Speech = Annotated[bool, typer.Option("--speech", help="The actors speak; needs espeak-ng.")]
CpuMinutes = Annotated[
    bool, typer.Option("--cpu-minutes/--wall-minutes", help="Count processor time of all threads, or the clock.")
]
Threads = Annotated[int | None, typer.Option(help="Of PyTorch; by default as many as it takes.")]
Starts = Annotated[str, typer.Option("--start", help="From weights that know faces, and from noise.")]


@bench_app.command("swaps")
def bench_swaps(
    output: Output,
    pairs: Annotated[int, typer.Option(help="How many pairs of the 12 actors; 6 have everyone once.")] = 6,
    minutes: Annotated[str, typer.Option(help="Budgets of a training, each trained by itself.")] = "2,10,60",
    arch: Annotated[str, typer.Option(help="Architectures.")] = "original,light,gan,liae,flow",
    start: Starts = "faces,noise",
    seconds: Seconds = 8.0,
    size: Size = 256,
    speech: Speech = False,
    cpu_minutes: CpuMinutes = True,
    threads: Threads = None,
    keep_models: Annotated[
        bool, typer.Option("--keep-models/--drop-models", help="Keep them, or delete each when it is scored.")
    ] = True,
) -> None:
    """Film pairs of actors, train every architecture on each, swap, and score against the true answer."""
    from likeness.bench.swaps import CONDITIONS, PLOT, RESULTS, SHEET, TABLE, BenchSettings, run
    from likeness.bench.takes import TakeSettings

    settings = BenchSettings(
        pairs=pairs,
        minutes=_numbers(minutes, "--minutes"),
        archs=_words(arch, "--arch", ARCHITECTURES),  # type: ignore[arg-type]
        starts=_words(start, "--start", STARTS),  # type: ignore[arg-type]
        takes=TakeSettings(seconds=seconds, size=size, speech=speech),
        clock="cpu" if cpu_minutes else "wall",
        threads=threads,
        keep_models=keep_models,
    )
    say.print(run(output, settings, say.print))
    for name in (TABLE, PLOT, SHEET, RESULTS, CONDITIONS):
        say.print(f"  {output / name}")


@bench_app.command("time")
def bench_time(
    output: Output,
    pair: Annotated[int, typer.Option(help="Which of the 12 pairs, from 1.")] = 1,
    minutes: Annotated[float, typer.Option(help="Of the published training that is to be reached.")] = 10.0,
    shares: Annotated[
        str, typer.Option(help="Parts of these minutes that ours are trained for.")
    ] = "0.02,0.05,0.1,0.25,1",
    start: Starts = "faces,noise",
    seconds: Seconds = 8.0,
    size: Size = 256,
    speech: Speech = False,
    cpu_minutes: CpuMinutes = True,
    threads: Threads = None,
) -> None:
    """How soon `light` and `flow` are as good as the published `original` gets in a number of minutes, on one pair."""
    from likeness.bench import time_to_quality
    from likeness.bench.swaps import Bench, BenchSettings
    from likeness.bench.takes import TakeSettings, pairs

    settings = BenchSettings(
        pairs=pair,
        starts=_words(start, "--start", STARTS),  # type: ignore[arg-type]
        takes=TakeSettings(seconds=seconds, size=size, speech=speech),
        clock="cpu" if cpu_minutes else "wall",
        threads=threads,
    )
    parts = _numbers(shares, "--shares")
    if not all(0 < part <= 1 for part in parts):
        raise SettingsError(f"--shares {shares!r} are no parts. Give numbers above 0 and up to 1.")
    say.print(time_to_quality.run(Bench(output, settings), pairs(pair)[-1], minutes, parts))
    for name in (time_to_quality.REPORT, time_to_quality.PLOT):
        say.print(f"  {output / name}")


def _words(text: str, option: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a list with commas, each once. Raises SettingsError."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    unknown = [word for word in words if word not in allowed]
    if unknown or not words:
        raise SettingsError(f"{option} {text!r} names {unknown or 'nothing'}. Choose from {','.join(allowed)}.")
    return words


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise SettingsError(f"{option} {text!r} is no list of numbers. Write for instance {option} 2,10.") from error
