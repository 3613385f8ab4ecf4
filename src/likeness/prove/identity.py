"""Who signs: identities made here, or brought along from a certificate authority or a hardware token.

An identity is a folder under ``LIKENESS_HOME/identities``. Those made here have a root of their own and are known on
this computer only; everybody else reads "valid, but the signer is unknown" until the root is on their trust list.
"""

import datetime as dt
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from likeness.errors import CredentialError
from likeness.files import storage_error, write_bytes
from likeness.prove.certificates import (
    PrivateKey,
    algorithm_of,
    certificate_pem,
    check_chain,
    is_authority,
    key_from,
    key_pem,
    leaf_certificate,
    load_certificates,
    load_key,
    name_of,
    read_file,
    root_certificate,
)
from likeness.prove.hardware_key import HardwareKey, hardware_key_from_environment
from likeness.prove.home import home, private_folder, write_private
from likeness.prove.signer import Identity, try_out

LOCAL = "local"  # the identity that is made by itself
_ROOT_KEY, _ROOT_CERTIFICATE, _SIGNER = "root_key.pem", "root.pem", "signer.pem"
_TOKEN, _DEFAULT = "token.json", "default.txt"
_NAME = re.compile(r"\w[\w .-]{0,62}(?<![ .])")


@dataclass(frozen=True)
class IdentitySettings:
    """How a local identity is made. Years are long because, without a time-stamping authority, a signature can be
    judged only while its certificate runs."""

    organisation: str = "Likeness user"
    root_years: float = 20.0
    leaf_years: float = 10.0


def signing_identity(name: str | None = None) -> Identity:
    """The identity of that name, else the one in use (``use_identity``), else the local one, made on first use.

    Raises CredentialError where there is none of that name, or its files are unreadable, damaged or expired.
    """
    name = name or default_name()
    if name == LOCAL:
        return local_identity()
    now = dt.datetime.now(dt.UTC)
    identity = _current(_existing(name), None, now)
    if identity.expires <= now:
        raise CredentialError(
            f"The certificate of “{name}” ran out on {identity.expires:%Y-%m-%d}. Import a new one under another name."
        )
    return identity


def local_identity(settings: IdentitySettings | None = None, now: dt.datetime | None = None) -> Identity:
    """The identity made by itself on first use, its leaf renewed by the root once it has expired.

    Raises CredentialError where a file is unreadable, damaged or expired for good.
    """
    settings = settings or IdentitySettings()
    now = now or dt.datetime.now(dt.UTC)
    folder = identity_folder()
    if not folder.exists():
        _create(folder, f"Likeness {secrets.token_hex(3)}", settings, now)
    return _current(folder, settings, now)


def new_identity(name: str, settings: IdentitySettings | None = None) -> Identity:
    """Make an identity under ``name``, which becomes the certificate's common name. Raises CredentialError."""
    folder = _free_folder(name)
    _create(folder, name, settings or IdentitySettings(), dt.datetime.now(dt.UTC))
    return load_identity(name)


def load_identity(name: str) -> Identity:
    """The identity of that name, as it is on disk. Raises CredentialError."""
    return _load(_existing(name))


def identity_names() -> list[str]:
    """The names of all identities here, usable or not."""
    folder = home() / "identities"
    if not folder.is_dir():
        return []
    return sorted(child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def default_name() -> str:
    """The name of the identity that signs where none is named."""
    path = home() / "identities" / _DEFAULT
    return read_file(path).decode(errors="replace").strip() or LOCAL if path.exists() else LOCAL


def use_identity(name: str) -> None:
    """Let the identity of that name sign where none is named. Raises CredentialError where it cannot sign."""
    if name != LOCAL:
        load_identity(name)
    private_folder(home() / "identities")
    write_private(home() / "identities" / _DEFAULT, f"{name}\n".encode())


def export_certificates(name: str, out_file: Path) -> None:
    """Write what others need to know this signer: the root of an identity made here, else its whole chain, as PEM."""
    folder = _existing(name)
    root = folder / _ROOT_CERTIFICATE
    write_bytes(out_file, read_file(root) if root.exists() else _load(folder).certificates_pem.encode())


def export_with_key(name: str, out_file: Path, password: bytes) -> None:
    """Write key and chain as PEM, the key encrypted, to move to another computer. Raises CredentialError."""
    folder = _existing(name)
    identity = _load(folder)
    if identity.key_pem is None:
        raise CredentialError(f"The key of “{name}” is on a token and cannot leave it. Export without --with-key.")
    key = _key(identity.key_pem.encode(), folder / _SIGNER)
    write_private(out_file, key_pem(key, password) + identity.certificates_pem.encode())


def import_key(name: str, chain_file: Path, key_file: Path, password: bytes | None = None) -> Identity:
    """Take over a key and its chain (leaf first). The key is kept decrypted, readable for its owner only.

    Raises CredentialError, one line for each thing that can be wrong with them.
    """
    return _import(name, load_certificates(chain_file), load_key(key_file, password))


def import_pkcs12(name: str, pkcs12_file: Path, password: bytes | None = None) -> Identity:
    """Take over a key and its chain from a PKCS#12 file (.p12, .pfx). Raises CredentialError."""
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(read_file(pkcs12_file), password)
    except (ValueError, TypeError) as error:
        raise CredentialError(
            f"{pkcs12_file} cannot be opened: its password is wrong or missing (--password-env), or it is damaged."
        ) from error
    if key is None or leaf is None or not isinstance(key, PrivateKey):
        raise CredentialError(f"{pkcs12_file} has no key and certificate that C2PA can use. Name another file.")
    return _import(name, _ordered(leaf, others), key)


def import_hardware_key(name: str, chain_file: Path) -> Identity:
    """Sign with the key that the environment names (``hardware_key``); only its labels and the chain are kept."""
    folder = _free_folder(name)
    key = hardware_key_from_environment()
    chain = load_certificates(chain_file)
    check_chain(chain, chain[0].public_key(), dt.datetime.now(dt.UTC))
    return _take_over(folder, chain, None, key)


def identity_folder(name: str = LOCAL) -> Path:
    """Where an identity is kept; the folder need not exist."""
    return home() / "identities" / name


def local_root() -> str | None:
    """The local identity's root certificate as PEM, or None where no identity has been made. Raises CredentialError."""
    return _root(identity_folder())


def own_roots() -> list[str]:
    """The roots of all identities that were made here, as PEM. Raises CredentialError where one is damaged."""
    return [root for name in identity_names() if (root := _root(identity_folder(name)))]


def own_leaves() -> list[str]:
    """The certificates of all identities brought along, as PEM: these alone, as their authority serves others too."""
    names = [name for name in identity_names() if not (identity_folder(name) / _ROOT_CERTIFICATE).exists()]
    return [_load(identity_folder(name)).leaf_pem() for name in names]


def _root(folder: Path) -> str | None:
    path = folder / _ROOT_CERTIFICATE
    if not path.exists():
        return None
    text = _read(path)
    _certificates(text, path)
    return text.decode("ascii")


def _existing(name: str) -> Path:
    folder = identity_folder(name)
    if not _NAME.fullmatch(name) or not folder.is_dir():
        known = ", ".join(identity_names()) or "none yet"
        raise CredentialError(f"There is no identity “{name}” (known: {known}). Make it with: likeness identity new")
    return folder


def _free_folder(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise CredentialError(f"“{name}” cannot name an identity. Use up to 64 letters, digits, spaces, - _ and dots.")
    folder = identity_folder(name)
    if folder.exists():
        raise CredentialError(f"There is an identity “{name}” already. Choose another name, or move {folder} away.")
    return folder


def _current(folder: Path, settings: IdentitySettings | None, now: dt.datetime) -> Identity:
    """The identity in ``folder``; one made here gets a new leaf where the old one has expired."""
    identity = _load(folder)
    if identity.expires <= now and (folder / _ROOT_KEY).exists():
        _renew(folder, settings or _as_before(identity), now)
        identity = _load(folder)
    return identity


def _as_before(identity: Identity) -> IdentitySettings:
    """Settings under which a new leaf is valid for as long as the old one was."""
    leaf = x509.load_pem_x509_certificate(identity.certificates_pem.encode())
    validity = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    return IdentitySettings(leaf_years=validity / dt.timedelta(days=365.25))


def _create(folder: Path, name: str, settings: IdentitySettings, now: dt.datetime) -> None:
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = root_certificate(name, settings.organisation, root_key, settings.root_years, now)
    contents = {
        _ROOT_KEY: key_pem(root_key),
        _ROOT_CERTIFICATE: certificate_pem(root),
        _SIGNER: _signer(name, root, root_key, settings, now),
    }
    _place(folder, contents)


def _place(folder: Path, contents: dict[str, bytes]) -> None:
    """Write the files in a folder aside and rename it into place; who comes second keeps what the first made."""
    private_folder(folder.parent)
    try:
        aside = Path(tempfile.mkdtemp(prefix=".new.", dir=folder.parent))
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        for name, content in contents.items():
            write_private(aside / name, content)
        os.rename(aside, folder)
    except OSError as error:
        if not (folder / _SIGNER).exists():  # else another process was faster
            raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _renew(folder: Path, settings: IdentitySettings, now: dt.datetime) -> None:
    """Replace an expired leaf: a new key, signed by the same root, so that what trusted the root still does."""
    root = _certificates(_read(folder / _ROOT_CERTIFICATE), folder / _ROOT_CERTIFICATE)[0]
    if root.not_valid_after_utc <= now:
        raise CredentialError(
            f"The signing identity in {folder} expired on {root.not_valid_after_utc:%Y-%m-%d}. "
            "Move that folder away; a new identity is made at the next signing."
        )
    root_key = _key(_read(folder / _ROOT_KEY), folder / _ROOT_KEY)
    if root_key.public_key() != root.public_key() or not isinstance(root_key, ec.EllipticCurvePrivateKey):
        raise _damaged(folder / _ROOT_KEY, "key and certificate do not belong together")
    name = _attribute(root, NameOID.COMMON_NAME, folder / _ROOT_CERTIFICATE).removesuffix(" root")
    write_private(folder / _SIGNER, _signer(name, root, root_key, settings, now))


def _signer(
    name: str,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    settings: IdentitySettings,
    now: dt.datetime,
) -> bytes:
    """Key and chain in one file, so that a renewal replaces both at once. The organisation stays that of the root."""
    key = ec.generate_private_key(ec.SECP256R1())
    organisation = str(root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)
    leaf = leaf_certificate(name, organisation, key, root, root_key, settings.leaf_years, now)
    return key_pem(key) + certificate_pem(leaf) + certificate_pem(root)


def _import(name: str, chain: Sequence[x509.Certificate], key: PrivateKey) -> Identity:
    folder = _free_folder(name)
    check_chain(chain, key.public_key(), dt.datetime.now(dt.UTC))
    return _take_over(folder, chain, key, None)


def _take_over(
    folder: Path, chain: Sequence[x509.Certificate], key: PrivateKey | None, hardware_key: HardwareKey | None
) -> Identity:
    """Keep an identity that has just signed something on trial."""
    identity = _identity(chain, key, hardware_key)
    try_out(identity)
    contents = {_SIGNER: (identity.key_pem or "").encode() + identity.certificates_pem.encode()}
    if hardware_key:
        contents[_TOKEN] = json.dumps({"token": hardware_key.token, "key": hardware_key.label}).encode()
    _place(folder, contents)
    return identity


def _ordered(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """PKCS#12 promises no order: follow the issuers up from the leaf."""
    chain, waiting = [leaf], list(others)
    while parents := [other for other in waiting if other.subject == chain[-1].issuer and is_authority(other)]:
        chain.append(parents[0])
        waiting.remove(parents[0])
    return chain


def _load(folder: Path) -> Identity:
    path = folder / _SIGNER
    content = _read(path)
    hardware_key = _hardware_key(folder / _TOKEN)
    key = None if hardware_key else _key(content, path)
    certificates = _certificates(content, path)
    leaf = certificates[0]
    if key is not None and key.public_key() != leaf.public_key():
        raise _damaged(path, "key and certificate do not belong together")
    return _identity(certificates, key, hardware_key)


def _identity(chain: Sequence[x509.Certificate], key: PrivateKey | None, hardware_key: HardwareKey | None) -> Identity:
    leaf = chain[0]
    return Identity(
        name=name_of(leaf),
        organisation=_organisation(leaf),
        certificates_pem=b"".join(map(certificate_pem, chain)).decode("ascii"),
        key_pem=None if key is None else key_pem(key).decode("ascii"),
        expires=leaf.not_valid_after_utc,
        algorithm=algorithm_of(leaf.public_key()),
        hardware_key=hardware_key,
    )


def _hardware_key(path: Path) -> HardwareKey | None:
    if not path.exists():
        return None
    try:
        labels = json.loads(_read(path))
        return HardwareKey(token=str(labels["token"]), label=str(labels["key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "it does not name a token and a key") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialError(
            f"The signing identity file {path} cannot be read ({error.strerror or error}). "
            f"Make it readable for you (chmod 600), or move {path.parent} away to get a new identity."
        ) from error


def _key(content: bytes, path: Path) -> PrivateKey:
    try:
        return key_from(content, path, None)
    except CredentialError as error:
        raise _damaged(path, "no usable private key in it") from error


def _certificates(content: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise _damaged(path, "no usable certificate in it") from error


def _organisation(certificate: x509.Certificate) -> str:
    attributes = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(attributes[0].value) if attributes else ""


def _attribute(certificate: x509.Certificate, kind: x509.ObjectIdentifier, path: Path) -> str:
    attributes = certificate.subject.get_attributes_for_oid(kind)
    if not attributes:
        raise _damaged(path, "its certificate names nobody")
    return str(attributes[0].value)


def _damaged(path: Path, what: str) -> CredentialError:
    return CredentialError(
        f"The signing identity file {path} is damaged: {what}. "
        f"Restore it from a backup, or move {path.parent} away to get a new identity."
    )
