"""`likeness sign` and `likeness identity`: sign files, keep signing identities, and say whom this computer knows."""

import os
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from likeness.errors import LikenessError, SettingsError
from likeness.files import check_output

if TYPE_CHECKING:
    from likeness.prove.signer import Identity

identity_app = typer.Typer(help="Make, list, import and export signing identities.", no_args_is_help=True)
trust_app = typer.Typer(help="Whose signatures this computer knows, and which were revoked.", no_args_is_help=True)
identity_app.add_typer(trust_app, name="trust")
say = Console(highlight=False, soft_wrap=True, markup=False)

Name = Annotated[str, typer.Argument(help="Name of the identity.")]
PasswordEnv = Annotated[
    str | None, typer.Option("--password-env", metavar="VAR", help="Environment variable that holds the password.")
]


def sign(
    file: Annotated[Path, typer.Argument(help="Picture, film or sound to sign.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The signed copy; never the file itself.")],
    title: Annotated[str | None, typer.Option(help="Its title. Default: the name of the output.")] = None,
    source_type: Annotated[
        str | None,
        typer.Option(help="How it came to be, e.g. digitalCapture (IPTC term). Default: nothing is claimed."),
    ] = None,
    ingredient: Annotated[Path | None, typer.Option(help="The file it was made from.")] = None,
    identity: Annotated[str | None, typer.Option(help="Who signs. Default: the identity in use.")] = None,
) -> None:
    """Sign a file as it is. The signature says who signed; nothing about its origin unless you declare it."""
    from likeness.prove import claim as claims
    from likeness.prove.credentials import publish
    from likeness.prove.identity import signing_identity

    kind = claims.source_type(source_type)
    change = "published as it is" if kind is None else "declared by its publisher"
    claim = claims.Claim(kind, change, title or output.name)
    signer = signing_identity(identity)
    sidecar = publish(file, output, claim, ingredient=ingredient, identity=signer)
    say.print(f"Signed as {signer.name}: {output}")
    if sidecar is not None:
        say.print(
            f"Its credentials are beside it, as this kind of file has no place for them: {sidecar}. Pass both on."
        )


@identity_app.command("new")
def identity_new(
    name: Name,
    organisation: Annotated[str | None, typer.Option(help="Named in the certificate.")] = None,
    years: Annotated[float | None, typer.Option(help="How long the certificate is valid.", min=0.01, max=50)] = None,
) -> None:
    """Make an identity with a root of its own."""
    from likeness.prove.identity import IdentitySettings, new_identity

    default = IdentitySettings()
    leaf_years = years or default.leaf_years
    settings = IdentitySettings(
        organisation=organisation or default.organisation,
        root_years=max(default.root_years, leaf_years),
        leaf_years=leaf_years,
    )
    made = new_identity(name, settings)
    say.print(f"Made “{made.name}”, valid to {made.expires:%Y-%m-%d}. Use it: likeness identity use {quote(name)}")
    say.print(f"Others know it once they have its certificate: likeness identity export {quote(name)}")


@identity_app.command("list")
def identity_list() -> None:
    """List the identities on this computer."""
    from likeness.prove.identity import default_name, identity_names, load_identity

    names, used = identity_names(), default_name()
    if not names:
        say.print("No identities yet. One is made at the first signing, or with: likeness identity new NAME")
    for name in names:
        try:
            say.print(f"{'*' if name == used else ' '} {name}: {_described(load_identity(name))}")
        except LikenessError as error:
            say.print(f"{'*' if name == used else ' '} {name}: {error}")


@identity_app.command("show")
def identity_show(name: Name) -> None:
    """Say who an identity is, and its certificates."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    from likeness.prove.certificates import name_of
    from likeness.prove.identity import load_identity

    identity = load_identity(name)
    say.print(f"{name}: {_described(identity)}")
    for certificate in x509.load_pem_x509_certificates(identity.certificates_pem.encode()):
        say.print(f"  {name_of(certificate)}, to {certificate.not_valid_after_utc:%Y-%m-%d}")
        say.print(f"    serial {certificate.serial_number:x}, SHA-256 {certificate.fingerprint(hashes.SHA256()).hex()}")


@identity_app.command("use")
def identity_use(name: Name) -> None:
    """Sign with this identity from now on, where none is named."""
    from likeness.prove.identity import use_identity

    use_identity(name)
    say.print(f"“{name}” signs from now on.")


@identity_app.command("export")
def identity_export(
    name: Name,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: NAME.pem.")] = None,
    with_key: Annotated[bool, typer.Option("--with-key", help="Also the key, encrypted: keep it to yourself.")] = False,
    password_env: PasswordEnv = None,
) -> None:
    """Write the certificate that lets others know this signer; with --with-key a copy that can sign."""
    from likeness.prove.identity import export_certificates, export_with_key

    target = output or Path(f"{name}.pem")
    check_output(target)
    if with_key:
        export_with_key(name, target, _new_password(password_env))
        say.print(f"Wrote {target}. Whoever has it and its password signs as {name}.")
    else:
        export_certificates(name, target)
        say.print(f"Wrote {target}. Others come to know it with: likeness identity trust add {quote(str(target))}")


@identity_app.command("import")
def identity_import(
    name: Name,
    chain: Annotated[Path | None, typer.Option(help="Certificates in PEM, the signer's own first.")] = None,
    key: Annotated[Path | None, typer.Option(help="Private key in PEM.")] = None,
    pkcs12: Annotated[Path | None, typer.Option(help="Key and certificates in one file (.p12, .pfx).")] = None,
    pkcs11: Annotated[
        bool, typer.Option("--pkcs11", help="The key stays on a token (LIKENESS_PKCS11_MODULE, _TOKEN, _KEY, _PIN).")
    ] = False,
    password_env: PasswordEnv = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for the password of the file.")] = False,
) -> None:
    """Bring along an identity from a certificate authority."""
    from likeness.prove.identity import import_hardware_key, import_key, import_pkcs12

    if sum((key is not None, pkcs12 is not None, pkcs11)) != 1:
        raise SettingsError("Name one place of the key: --key FILE, --pkcs12 FILE or --pkcs11.")
    if (pkcs12 is None) == (chain is None):
        raise SettingsError("Give --chain FILE with --key and --pkcs11; a --pkcs12 file has its own.")
    password = _asked() if ask_password else _password(password_env)
    if pkcs12 is not None:
        identity = import_pkcs12(name, pkcs12, password)
    elif key is not None and chain is not None:
        identity = import_key(name, chain, key, password)
    elif chain is not None:
        identity = import_hardware_key(name, chain)
    say.print(f"Imported {name}: {_described(identity)}")


@trust_app.command("add")
def trust_add(file: Annotated[Path, typer.Argument(help="Certificates in PEM.")]) -> None:
    """Know the signers with these certificates, and whom these authorities have certified."""
    from likeness.prove.trust import add_to_trust_list

    names = add_to_trust_list(file)
    say.print(f"Known from now on: {', '.join(names)}" if names else "All of them were known already.")


@trust_app.command("official")
def trust_official(file: Annotated[Path, typer.Argument(help="The official C2PA trust list in PEM.")]) -> None:
    """Take a downloaded C2PA trust list, in place of the one before."""
    from likeness.prove.trust import set_official_list

    say.print(f"The official list names {set_official_list(file)} certificates from now on.")


@trust_app.command("revoke")
def trust_revoke(file: Annotated[Path, typer.Argument(help="Certificate revocation list, PEM or DER.")]) -> None:
    """Know which certificates an authority has revoked. Nothing is fetched: download the list now and then."""
    from likeness.prove.trust import add_revocations

    say.print(f"{add_revocations(file)} revoked certificates are known from this list.")


@trust_app.command("list")
def trust_list() -> None:
    """List everybody whose signatures this computer knows."""
    from likeness.prove.trust import trusted_names

    entries = trusted_names()
    if not entries:
        say.print("Nobody is known yet, not even a signer of your own.")
    for which, name, until in entries:
        say.print(f"{which}: {name}, to {until:%Y-%m-%d}")


def _described(identity: "Identity") -> str:
    who = f"{identity.name} ({identity.organisation}), {identity.algorithm}, valid to {identity.expires:%Y-%m-%d}"
    key = identity.hardware_key
    return f"{who}, key “{key.label}” on token “{key.token}”" if key else who


def _password(variable: str | None) -> bytes | None:
    """What the named environment variable holds. A password is never an argument, which other users could see."""
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise SettingsError(f"The environment variable {variable} is empty. Put the password in it.")
    return value.encode()


def _asked(confirm: bool = False) -> bytes:
    """What is typed at the prompt, unseen where that is a terminal. Raises SettingsError where the input has ended;
    Ctrl-C interrupts as anywhere."""
    try:
        return str(typer.prompt("Password", hide_input=sys.stdin.isatty(), confirmation_prompt=confirm)).encode()
    except typer.Abort as aborted:  # what the prompt makes of both
        if isinstance(aborted.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise SettingsError(
            "No password was given. Type it, or name a variable that has it: --password-env VAR."
        ) from None


def _new_password(variable: str | None) -> bytes:
    """For a file that will be written: from the environment, else asked for twice."""
    password = _password(variable)
    if password is None and sys.stdin.isatty():
        password = _asked(confirm=True)
    if not password:
        raise SettingsError("A key leaves only with a password. Put it in an environment variable: --password-env VAR.")
    return password
