"""Certificates for signing: made here in two levels, or brought along and checked before they are used.

C2PA 2.4, "X.509 certificates", asks for KeyUsage digitalSignature, an extended key usage for signing documents or mail,
an authority key identifier, and a leaf that somebody else has signed. The algorithm follows from the key.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from likeness.errors import CredentialError

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_CLOCK_SLACK = dt.timedelta(hours=1)  # certificates start a little early, for clocks that were set back
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_MIN_RSA_BITS = 2048
_SIGNING_PURPOSES = {
    ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string,
    "1.3.6.1.5.5.7.3.36",  # document signing, RFC 9336
    "1.3.6.1.4.1.62558.2.1",  # C2PA claim signing
}
_CLAIM = "a certificate that signs documents or mail (extended key usage)"


def algorithm_of(public_key: object) -> str:
    """The C2PA name of the algorithm that a key signs with. Raises CredentialError for keys C2PA has none for."""
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _CURVES:
        return _CURVES[public_key.curve.name]
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size >= _MIN_RSA_BITS:
        return "ps256"
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "ed25519"
    raise CredentialError(
        "This kind of key cannot sign credentials. Use one on the curves P-256, P-384 or P-521, an Ed25519 key, "
        "or an RSA key of 2048 bits or more."
    )


def check_chain(chain: Sequence[x509.Certificate], public_key: object, now: dt.datetime) -> None:
    """Raise CredentialError, one line for each thing that can be wrong with a chain (leaf first) and its key."""
    leaf = chain[0]
    if leaf.public_key() != public_key:
        if any(other.public_key() == public_key for other in chain[1:]):
            raise CredentialError("The chain is in the wrong order. Put the signer's own certificate first.")
        raise CredentialError("The key does not belong to the first certificate of the chain. Name the matching two.")
    algorithm_of(public_key)
    if _issued_by(leaf, leaf):
        raise CredentialError(
            "The certificate is signed by itself, which C2PA refuses. Get one from a certificate authority, or make an "
            "identity with: likeness identity new NAME"
        )
    for child, parent in pairwise(chain):
        if not _issued_by(child, parent):
            raise CredentialError(
                f"The chain is broken or in the wrong order: “{name_of(parent)}” did not sign “{name_of(child)}”. "
                "Order it from the signer's certificate up to the authority's."
            )
    _check_use(leaf)
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        raise CredentialError(
            f"The certificate is valid from {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
            " only, which is not now. Get a new one."
        )


def _check_use(leaf: x509.Certificate) -> None:
    basic = _extension(leaf, x509.BasicConstraints)
    if basic is not None and basic.ca:
        raise CredentialError("The first certificate is an authority's, not a signer's. Put the signer's own first.")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise CredentialError("The certificate is not made for signatures (key usage). Get one that is.")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is None or not _SIGNING_PURPOSES.intersection(purpose.dotted_string for purpose in purposes):
        raise CredentialError(f"The certificate lacks an extended key usage that C2PA accepts. Get {_CLAIM}.")


def _issued_by(child: x509.Certificate, parent: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates of others."""
    basic = _extension(certificate, x509.BasicConstraints)
    return basic is not None and basic.ca


def name_of(certificate: x509.Certificate) -> str:
    """The common name, else the organisation, else the whole subject."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(kind):
            return str(attribute.value)
    return certificate.subject.rfc4514_string() or "nobody"


def load_certificates(path: Path) -> list[x509.Certificate]:
    """All PEM certificates in a file. Raises CredentialError where there are none or one is damaged."""
    content = read_file(path)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise CredentialError(f"{path} holds no usable PEM certificates. Name a file of certificates.") from error


def load_key(path: Path, password: bytes | None) -> PrivateKey:
    """A private key from a PEM file. Raises CredentialError: unreadable, damaged, wrong or missing password."""
    return key_from(read_file(path), path, password)


def key_from(content: bytes, path: Path, password: bytes | None) -> PrivateKey:
    """The same from what has been read of ``path``."""
    try:
        key = serialization.load_pem_private_key(content, password)
    except TypeError as error:
        if password is None:
            raise CredentialError(
                f"The key in {path} has a password. Put it in an environment variable and name that with "
                "--password-env."
            ) from error
        raise CredentialError(f"The key in {path} has no password. Leave --password-env away.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if password is not None:
            raise CredentialError(f"Wrong password for {path}, or the key in it is damaged.") from error
        raise CredentialError(f"{path} holds no usable private key in PEM. Name the key's own file.") from error
    if not isinstance(key, PrivateKey):
        raise CredentialError(f"The key in {path} is of a kind that C2PA has no algorithm for. Use another key.")
    return key


def read_file(path: Path) -> bytes:
    """The content of a file the user has named. Raises CredentialError."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CredentialError(
            f"{path} cannot be read ({error.strerror or error}). Check its name and permissions."
        ) from error


def root_certificate(
    name: str, organisation: str, key: ec.EllipticCurvePrivateKey, years: float, now: dt.datetime
) -> x509.Certificate:
    """A root that may sign leaves, and nothing else."""
    subject = _subject(f"{name} root", organisation)
    return (
        _builder(subject, subject, key, years, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def leaf_certificate(
    name: str,
    organisation: str,
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    years: float,
    now: dt.datetime,
) -> x509.Certificate:
    """A signer's certificate as C2PA wants it, signed by ``root``."""
    return (
        _builder(_subject(name, organisation), root.subject, key, years, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """``certificate`` in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey, password: bytes | None = None) -> bytes:
    """``key`` as PKCS#8 in PEM, encrypted where there is a ``password``."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


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
