"""`likeness consent`: records in which a person allows the use of their face, and taking that back."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from likeness.errors import SettingsError

consent_app = typer.Typer(help="Write, sign, show and revoke consent records.", no_args_is_help=True)
say = Console(highlight=False, soft_wrap=True, markup=False)

Record = Annotated[Path, typer.Argument(help="The record.")]
Key = Annotated[Path, typer.Option(help="Your Ed25519 key (PEM).")]
Password = Annotated[str | None, typer.Option(envvar="LIKENESS_KEY_PASSWORD", help="Of the key, if any.")]


class Use(StrEnum):
    """What a consent record can allow; an enumeration, because an option that repeats cannot be a Literal."""

    SWAP = "swap"
    REENACT = "reenact"
    PORTRAIT = "portrait"


@consent_app.command("new")
def consent_new(
    footage: Annotated[list[Path], typer.Argument(help="The footage of your face that you allow to be used.")],
    person: Annotated[str, typer.Option(help="Your name.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the record goes (JSON).")],
    purpose: Annotated[
        str | None, typer.Option(help='What for, in your words: "short film X, nothing else". Needed for a person.')
    ] = None,
    use: Annotated[list[Use] | None, typer.Option(help="What you allow; repeat for more. Default: swap.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Default: a year from now.")] = None,
    like: Annotated[Path | None, typer.Option(help="A picture of you, where the footage shows others too.")] = None,
    portrait: Annotated[
        bool, typer.Option("--portrait", help="The pictures are portraits of nobody that were made on this computer.")
    ] = False,
    recogniser: Annotated[
        Path | None, typer.Option(help="ONNX file of a face recogniser; else LIKENESS_RECOGNISER, else ours.")
    ] = None,
) -> None:
    """Write a record for somebody's face and footage; its owner then signs it."""
    from likeness.faces.identity import recogniser as open_recogniser
    from likeness.make import consent

    if output.exists():
        raise SettingsError(f"{output} exists already and may be a signed record. Choose another name.")
    valid_until = until.replace(tzinfo=UTC) if until else None
    if portrait:
        consent.save(consent.portrait_consent(person, footage, valid_until), output)
        say.print(f"Wrote {output}: the face in it is nobody's, so nobody has to sign.")
        return
    if purpose is None:
        raise SettingsError("Say what the face may be used for: --purpose TEXT. The person signs it.")
    uses = cast("list[consent.Use]", [item.value for item in use or [Use.SWAP]])
    record = consent.new_consent(
        person,
        footage,
        purpose=purpose,
        like=like,
        by=open_recogniser(recogniser),
        uses=uses,
        valid_until=valid_until,
    )
    consent.save(record, output)
    say.print(f"Wrote {output}, not signed yet. {person} signs it with: likeness consent sign {output} --key KEY")


@consent_app.command("sign")
def consent_sign(
    record: Annotated[Path, typer.Argument(help="The record to sign, in place.")],
    key: Key,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the key first.")] = False,
    password: Password = None,
) -> None:
    """Sign a record with your own key."""
    from likeness.make import consent

    say.print(consent.show(consent.sign_file(record, key, new_key=new_key, password=password)))
    say.print(f"Keep {key} to yourself: with it you can also withdraw your consent (likeness consent revoke).")


@consent_app.command("show")
def consent_show(
    record: Record,
    revocations: Annotated[Path | None, typer.Option(help="Look for a revocation in this file or folder too.")] = None,
) -> None:
    """Say what a record allows, whether its signature holds and whether it was revoked."""
    from likeness.make import consent

    say.print(consent.show_file(record, [revocations] if revocations else []))


@consent_app.command("revoke")
def consent_revoke(
    record: Record,
    key: Key,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the revocation goes. Default: beside the record.")
    ] = None,
    password: Password = None,
) -> None:
    """Withdraw your consent: from now on the record allows nothing."""
    from likeness.files import check_output
    from likeness.make import consent
    from likeness.make.consent_keys import load_key
    from likeness.make.consent_revocation import beside, revoke, save_revocation, take_note

    target = output or beside(record)
    check_output(target, [record, key])
    revocation = revoke(consent.load(record), load_key(key, password))
    save_revocation(revocation, target)
    take_note(revocation)
    say.print(f"Withdrawn. On this computer the record allows nothing any more: {target}")
    say.print(
        "There is no register: send that file to everyone who has the record. "
        "They take note of it with: likeness consent import-revocation FILE"
    )


@consent_app.command("import-revocation")
def consent_import_revocation(
    files: Annotated[list[Path], typer.Argument(help="What you were sent: consent revocations (JSON).")],
) -> None:
    """Take note that somebody has withdrawn their consent."""
    from likeness.make.consent_revocation import load_revocation, take_note

    for revocation in [load_revocation(file) for file in files]:
        take_note(revocation)
        say.print(f"Noted: {revocation.person} withdrew their consent on {revocation.revoked_at:%Y-%m-%d %H:%M} UTC.")
