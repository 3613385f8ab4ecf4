"""Who signs: a local identity of a root and a leaf certificate, made on first use.

C2PA refuses self-signed leaves, so there are two levels, with the extensions the specification asks for (C2PA 2.4,
"X.509 certificates"): ES256, KeyUsage digitalSignature, EKU emailProtection, AKI, SKI and an organisation. Such an
identity is known on this computer only; everybody else reads "valid, but the signer is unknown".
"""

import datetime as dt
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from likeness.errors import CredentialError
from likeness.files import storage_error
from likeness.prove.home import home, private_folder, write_private

ALGORITHM = "es256"
_ROOT_KEY, _ROOT_CERTIFICATE, _SIGNER = "root_key.pem", "root.pem", "signer.pem"
_CLOCK_SLACK = dt.timedelta(hours=1)  # certificates start a little early, for clocks that were set back


@dataclass(frozen=True)
class IdentitySettings:
    """How a local identity is made. Years are long because, without a time-stamping authority, a signature can be
    judged only while its certificate runs."""

    organisation: str = "Likeness user"
    root_years: float = 20.0
    leaf_years: float = 10.0


@dataclass(frozen=True, repr=False)
class Identity:
    """A key that can sign. ``certificates_pem`` is the chain, leaf first; ``key_pem`` is unencrypted PKCS#8."""

    name: str
    organisation: str
    certificates_pem: str
    key_pem: str
    expires: dt.datetime

    def __repr__(self) -> str:
        return f"Identity(name={self.name!r}, expires={self.expires:%Y-%m-%d})"  # never the key


def local_identity(settings: IdentitySettings | None = None, now: dt.datetime | None = None) -> Identity:
    """The signing identity of this user; made on first use, its leaf renewed by the root once it has expired.

    Raises CredentialError where a file is unreadable, damaged or expired for good.
    """
    settings = settings or IdentitySettings()
    now = now or dt.datetime.now(dt.UTC)
    folder = identity_folder()
    if not folder.exists():
        _create(folder, settings, now)
    identity = _load(folder / _SIGNER)
    if identity.expires <= now:
        _renew(folder, settings, now)
        identity = _load(folder / _SIGNER)
    return identity


def identity_folder() -> Path:
    """Where the local identity is kept; the folder need not exist."""
    return home() / "identities" / "local"


def local_root() -> str | None:
    """The local identity's root certificate as PEM, or None where no identity has been made. Raises CredentialError."""
    path = identity_folder() / _ROOT_CERTIFICATE
    if not path.exists():
        return None
    text = _read(path)
    _certificates(text, path)
    return text.decode("ascii")


def _create(folder: Path, settings: IdentitySettings, now: dt.datetime) -> None:
    """Make root and leaf in a folder aside and rename it into place; who comes second keeps what the first made."""
    private_folder(folder.parent)
    try:
        aside = Path(tempfile.mkdtemp(prefix=".new.", dir=folder.parent))
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        name = f"Likeness {secrets.token_hex(3)}"
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = _root_certificate(name, root_key, settings, now)
        write_private(aside / _ROOT_KEY, _key_pem(root_key))
        write_private(aside / _ROOT_CERTIFICATE, _certificate_pem(root))
        _write_signer(aside / _SIGNER, name, root, root_key, settings, now)
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
    if root_key.public_key() != root.public_key():
        raise _damaged(folder / _ROOT_KEY, "key and certificate do not belong together")
    name = _attribute(root, NameOID.COMMON_NAME, folder / _ROOT_CERTIFICATE).removesuffix(" root")
    _write_signer(folder / _SIGNER, name, root, root_key, settings, now)


def _write_signer(
    path: Path,
    name: str,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    settings: IdentitySettings,
    now: dt.datetime,
) -> None:
    """Key and chain in one file, so that a renewal replaces both at once."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _leaf_certificate(name, key, root, root_key, settings, now)
    write_private(path, _key_pem(key) + _certificate_pem(leaf) + _certificate_pem(root))


def _load(path: Path) -> Identity:
    content = _read(path)
    key = _key(content, path)
    certificates = _certificates(content, path)
    leaf = certificates[0]
    if key.public_key() != leaf.public_key():
        raise _damaged(path, "key and certificate do not belong together")
    return Identity(
        name=_attribute(leaf, NameOID.COMMON_NAME, path),
        organisation=_attribute(leaf, NameOID.ORGANIZATION_NAME, path),
        certificates_pem=b"".join(map(_certificate_pem, certificates)).decode("ascii"),
        key_pem=_key_pem(key).decode("ascii"),
        expires=leaf.not_valid_after_utc,
    )


def _root_certificate(
    name: str, key: ec.EllipticCurvePrivateKey, settings: IdentitySettings, now: dt.datetime
) -> x509.Certificate:
    subject = _subject(f"{name} root", settings.organisation)
    return (
        _builder(subject, subject, key, settings.root_years, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf_certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    settings: IdentitySettings,
    now: dt.datetime,
) -> x509.Certificate:
    return (
        _builder(_subject(name, settings.organisation), root.subject, key, settings.leaf_years, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, years: float, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + dt.timedelta(days=365.25 * years))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialError(
            f"The signing identity file {path} cannot be read ({error.strerror or error}). "
            f"Make it readable for you (chmod 600), or move {path.parent} away to get a new identity."
        ) from error


def _key(content: bytes, path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise _damaged(path, "no usable private key in it") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged(path, "its key is not an elliptic-curve key")
    return key


def _certificates(content: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise _damaged(path, "no usable certificate in it") from error


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


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
