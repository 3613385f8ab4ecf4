"""`likeness consent`: records in which a person allows the use of their face."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from likeness.errors import SettingsError

consent_app = typer.Typer(help="Write, sign and show consent records.", no_args_is_help=True)
say = Console(highlight=False, soft_wrap=True, markup=False)


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
    use: Annotated[list[Use] | None, typer.Option(help="What you allow; repeat for more. Default: swap.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Default: a year from now.")] = None,
) -> None:
    """Write a record for somebody's footage; its owner then signs it."""
    from likeness.make import consent

    if output.exists():
        raise SettingsError(f"{output} exists already and may be a signed record. Choose another name.")
    valid_until = until.replace(tzinfo=UTC) if until else None
    uses = cast("list[consent.Use]", [item.value for item in use or [Use.SWAP]])
    consent.save(consent.new_consent(person, footage, uses=uses, valid_until=valid_until), output)
    say.print(f"Wrote {output}, not signed yet. {person} signs it with: likeness consent sign {output} --key KEY")


@consent_app.command("sign")
def consent_sign(
    record: Annotated[Path, typer.Argument(help="The record to sign, in place.")],
    key: Annotated[Path, typer.Option(help="Your Ed25519 key (PEM).")],
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the key first.")] = False,
    password: Annotated[str | None, typer.Option(envvar="LIKENESS_KEY_PASSWORD", help="Of the key, if any.")] = None,
) -> None:
    """Sign a record with your own key."""
    from likeness.make import consent

    say.print(consent.show(consent.sign_file(record, key, new_key=new_key, password=password)))


@consent_app.command("show")
def consent_show(record: Annotated[Path, typer.Argument(help="The record.")]) -> None:
    """Say what a record allows and whether its signature holds."""
    from likeness.make import consent

    say.print(consent.show(consent.load(record)))
