"""The verbs. Each one reads its options, calls one function of a room and says what came of it.

Rooms are imported inside the verbs, so that `likeness --help` does not wait for PyTorch.
"""

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from likeness import (
    __version__,
    cli_bench,
    cli_consent,
    cli_fit,
    cli_identity,
    cli_portrait,
    cli_prove,
    cli_swap,
    cli_train,
)
from likeness.cli_train import EXIT_INTERRUPTED
from likeness.errors import BadMediaError, ConsentError, LikenessError, SettingsError

if TYPE_CHECKING:
    from likeness.check.report import Report

EXIT_BAD_INPUT = 2

_REPORTS = (".html", ".htm", ".pdf")

app = typer.Typer(
    help="Make, detect and prove synthetic faces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_bench.bench_app, name="bench")
app.add_typer(cli_consent.consent_app, name="consent")
app.add_typer(cli_identity.identity_app, name="identity")
app.add_typer(cli_portrait.portrait_app, name="portrait")
say = Console(highlight=False, soft_wrap=True, markup=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        say.print(f"likeness {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Make, detect and prove synthetic faces."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("demo"),
    minutes: Annotated[float | None, typer.Option(help="Minutes of training.")] = None,
) -> None:
    """The whole story on the shipped footage: extract, train, swap, score, check, verify."""
    from likeness.demo import DemoSettings, run_demo

    settings = DemoSettings() if minutes is None else DemoSettings(minutes=minutes)
    say.print(run_demo(output, settings))


@app.command("cast")
def cast_actors(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the clips.")],
    actors: Annotated[int, typer.Option(help="How many people.")] = 12,
    seconds: Annotated[float, typer.Option(help="Length of each clip in seconds.")] = 10.0,
    size: Annotated[int, typer.Option(help="Width and height in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Another seed films other performances.")] = 0,
    paired: Annotated[bool, typer.Option("--paired", help="Film each performance by a second actor too.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="Without speech; espeak-ng is not needed then.")] = False,
) -> None:
    """Film synthetic people, with ground truth and a consent record each."""
    from likeness.actors.cast import CastClip, CastSettings, cast, person_of
    from likeness.make.consent import save, synthetic_consent

    settings = CastSettings(actors=actors, seconds=seconds, size=size, seed=seed, paired=paired, silent=silent)
    clips_of_person: dict[str, list[CastClip]] = {}
    for clip in cast(output, settings):
        clips_of_person.setdefault(person_of(clip.person, settings).name, []).append(clip)
    for person, clips in clips_of_person.items():
        try:
            save(synthetic_consent(person, [clip.path for clip in clips]), output / f"{person.lower()}.consent.json")
        except ConsentError as error:  # filmed so small that no face can be described
            say.print(f"No consent record of {person}: {error}")
    say.print(f"Filmed {sum(map(len, clips_of_person.values()))} clips of {len(clips_of_person)} actors: {output}")


@app.command()
def extract(
    clips: Annotated[list[Path], typer.Argument(help="Videos or pictures of one person.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the faces.")],
    every: Annotated[int, typer.Option(help="Take every n-th frame.")] = 1,
    min_quality: Annotated[float, typer.Option(help="Leave out faces of lower quality (0 to 1).")] = 0.0,
    like: Annotated[Path | None, typer.Option(help="Keep only the person in this picture.")] = None,
) -> None:
    """Find, follow, align and save faces. Delete the pictures you do not want; run again to resume."""
    from likeness.faces.extract import ExtractSettings
    from likeness.faces.extract import extract as extract_faces

    faces = extract_faces(clips, output, ExtractSettings(every=every, min_quality=min_quality), like=like)
    say.print(f"{len(faces)} faces in {output}. Look through them, delete the bad ones and other people's, then train.")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Videos, pictures or sounds.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report here: HTML, or PDF for .pdf.")
    ] = None,
    json_output: Annotated[Path | None, typer.Option("--json", help="Write JSON here; - prints it.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Faces of the person it is said to show (a folder made by extract).")
    ] = None,
) -> None:
    """Is this manipulated? Looks at credentials, marks and faces, weighs what it finds; says what cannot be said."""
    from likeness.files import check_output, write_text

    if output is not None and output.suffix.lower() not in _REPORTS:
        raise SettingsError(f"{output} is no name for a report. End it in {' or '.join(_REPORTS)}.")
    to_stdout = str(json_output) == "-"
    for target in (output, None if to_stdout else json_output):
        if target is not None:
            check_output(target, files)
    reports, complaints = _check_all(files, reference)
    if output is not None and reports:
        _write_report(reports, output)
    lines = "".join(json.dumps(report.record(), ensure_ascii=False) + "\n" for report in reports)
    if to_stdout:
        sys.stdout.write(lines)
    else:
        if json_output is not None and reports:
            write_text(json_output, lines)
        for report in reports:
            _print_verdict(report)
        if output is not None and reports:
            say.print(f"Report: {output}")
    if complaints:
        raise LikenessError("\nlikeness: ".join(complaints))


def _write_report(reports: list["Report"], output: Path) -> None:
    if output.suffix.lower() == ".pdf":
        from likeness.check.pdf import write_pdf

        write_pdf(reports, output)
        return
    from likeness.check.html import write_html

    write_html(reports, output)


def _check_all(files: list[Path], reference: Path | None) -> tuple[list["Report"], list[str]]:
    """The reports on the files that can be opened, and one line for each that cannot."""
    from likeness.check.examine import check_file

    reports, complaints = [], []
    for file in files:
        try:
            reports.append(check_file(file, reference=reference))
        except BadMediaError as error:
            complaints.append(str(error))
    return reports, complaints


def _print_verdict(report: "Report") -> None:
    say.print(f"{report.file}: {report.verdict.replace('_', ' ')}. {report.reason}")
    for finding in report.findings:
        about = "" if finding.track is None else f", face {finding.track}"
        say.print(f"  {finding.examiner}{about}: {finding.text}")


app.command()(cli_train.train)
app.command()(cli_fit.fit)
app.command()(cli_swap.swap)
app.command()(cli_identity.sign)
app.command()(cli_prove.mark)
app.command()(cli_prove.verify)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run one verb. Exit code 0: done; 2: bad input, one line on standard error; 1: a bug of ours; 130: interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except LikenessError as error:
        sys.stderr.write(f"likeness: {error}\n")
        sys.exit(EXIT_BAD_INPUT)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:
            sys.stderr.write("likeness: interrupted; nothing half-written was left.\n")
        raise
