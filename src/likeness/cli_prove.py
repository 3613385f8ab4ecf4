"""`likeness verify` and `likeness mark`: what a file's layers say together, and giving a file all of them."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from likeness.errors import BadMediaError, LikenessError, SettingsError

if TYPE_CHECKING:
    from likeness.prove.verification import Verification

say = Console(highlight=False, soft_wrap=True, markup=False)


def verify(
    files: Annotated[list[Path], typer.Argument(help="Videos, pictures or sounds.")],
    json_output: Annotated[Path | None, typer.Option("--json", help="Write JSON here; - prints it.")] = None,
) -> None:
    """Where does this come from? Reads credentials, watermarks and fingerprints, and says where they contradict."""
    from likeness.files import check_output, write_text

    to_stdout = str(json_output) == "-"
    if json_output is not None and not to_stdout:
        check_output(json_output, files)
    found, complaints = _verify_all(files)
    lines = "".join(one.model_dump_json() + "\n" for one in found)
    if to_stdout:
        sys.stdout.write(lines)
    else:
        if json_output is not None and found:
            write_text(json_output, lines)
        for one in found:
            for line in one.lines():
                say.print(line)
    if complaints:
        raise LikenessError("\nlikeness: ".join(complaints))


def _verify_all(files: list[Path]) -> tuple[list["Verification"], list[str]]:
    """What was found of the files that can be opened, and one line for each that cannot."""
    from likeness.prove.verify import verify as verify_file

    found, complaints = [], []
    for file in files:
        try:
            found.append(verify_file(file))
        except BadMediaError as error:
            complaints.append(str(error))
    return found, complaints


def mark(
    file: Annotated[Path, typer.Argument(help="Picture or clip to publish.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The marked copy; never the file itself.")],
    title: Annotated[str | None, typer.Option(help="Its title. Default: the name of the output.")] = None,
    identity: Annotated[str | None, typer.Option(help="Who signs. Default: the identity in use.")] = None,
    json_output: Annotated[Path | None, typer.Option("--json", help="- prints the file and its id as JSON.")] = None,
) -> None:
    """Watermark, fingerprint, sign and record a picture or clip, so that it is recognised later."""
    from likeness.files import check_output, write_text
    from likeness.prove.identity import signing_identity
    from likeness.prove.publish import mark_file

    to_stdout = str(json_output) == "-"
    check_output(output, [file])
    if json_output is not None and not to_stdout:
        check_output(json_output, [file])
        if json_output.absolute() == output.absolute():
            raise SettingsError(f"{json_output} cannot be both the marked copy and the JSON. Choose two names.")
    signer = None if identity is None else signing_identity(identity)
    work = mark_file(file, output, identity=signer, title=title)
    line = json.dumps({"file": str(output), "id": work.mark_id}, ensure_ascii=False) + "\n"
    if to_stdout:
        sys.stdout.write(line)
        return
    if json_output is not None:
        write_text(json_output, line)
    say.print(f"Marked as {work.mark_id}, signed by {work.signer} and recorded: {output}")
    say.print("Look at it later with: likeness verify FILE. Pass on this copy: the file it was made from has no mark.")
