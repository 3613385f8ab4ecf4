"""Whom this computer knows: its own identities, the user's trust list, the official C2PA list, and what was revoked.

All lists are files under ``LIKENESS_HOME``; nothing is ever fetched. ``trust.pem`` is the user's own list,
``official.pem`` the C2PA trust list as downloaded by the user, ``revoked.pem`` certificate revocation lists (RFC 5280)
and ``revoked.txt`` serial numbers, one in hexadecimal a line.
"""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cryptography import x509

from likeness.errors import CredentialError
from likeness.prove.certificates import certificate_pem, is_authority, load_certificates, name_of, read_file
from likeness.prove.home import home, private_folder, write_private
from likeness.prove.identity import own_leaves, own_roots
from likeness.prove.manifest import SignerCertificate
from likeness.prove.signer import Identity, anchors, trust_only

ListName = Literal["own", "user", "official"]
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_SERIAL = re.compile(r"(?:0x)?([0-9a-f]{1,40})")


def trust_list() -> Path:
    """The user's list of signers they know: certificates in PEM, one after another. The file need not exist."""
    return home() / "trust.pem"


def official_list() -> Path:
    """The official C2PA trust list, as the user has downloaded it. The file need not exist."""
    return home() / "official.pem"


def revocation_list() -> Path:
    """Certificate revocation lists in PEM, one after another. The file need not exist."""
    return home() / "revoked.pem"


def revoked_serials() -> Path:
    """Serial numbers of revoked certificates, a line each; what follows a # is a remark. The file need not exist."""
    return home() / "revoked.txt"


@dataclass(frozen=True)
class Revoked:
    """What has been revoked: serial numbers under their issuer's name, and serial numbers whoever issued them."""

    by_issuer: tuple[tuple[dict[str, str], frozenset[int]], ...] = ()
    serials: frozenset[int] = frozenset()

    def has(self, certificate: SignerCertificate) -> bool:
        """Whether the certificate of a signer is among them."""
        serial = certificate.serial
        if serial is None:
            return False
        return serial in self.serials or any(
            serial in serials and _same_issuer(issuer, certificate.issuer) for issuer, serials in self.by_issuer
        )


@dataclass(frozen=True)
class Trust:
    """All lists as they are now. ``leaves`` maps the serial numbers of signers listed by themselves to their list."""

    settings: dict[str, Any]
    leaves: dict[int, ListName]
    revoked: Revoked = Revoked()

    @classmethod
    def of(cls, identity: Identity) -> "Trust":
        """A list of nobody but this identity, to read back what it has signed."""
        return cls(trust_only(identity), {})

    def list_of(self, named: object, certificate: SignerCertificate) -> ListName | None:
        """The list that made a signer known, from what the SDK reports; it does not name lists of single signers."""
        if named in ("own", "user", "official"):
            return named
        return self.leaves.get(certificate.serial) if certificate.serial is not None else None


def load_trust() -> Trust:
    """Read all lists. Raises CredentialError where one is unreadable or damaged."""
    user, official = _listed(trust_list(), "trust list"), _listed(official_list(), "official trust list")
    leaves: dict[str, list[x509.Certificate]] = {
        "own": x509.load_pem_x509_certificates("".join(own).encode()) if (own := own_leaves()) else [],
        "user": [certificate for certificate in user if not is_authority(certificate)],
        "official": [certificate for certificate in official if not is_authority(certificate)],
    }
    roots = {
        "own": own_roots(),
        "user": [_text(certificate) for certificate in user if is_authority(certificate)],
        "official": [_text(certificate) for certificate in official if is_authority(certificate)],
    }
    lists = [
        anchors(name, roots[name], list(map(_text, leaves[name]))) for name in roots if roots[name] or leaves[name]
    ]
    names: dict[int, ListName] = {}
    for name, certificates in leaves.items():
        names |= {certificate.serial_number: name for certificate in certificates}  # type: ignore[misc]
    return Trust({"anchors": lists} if lists else {}, names, _revoked())


def add_to_trust_list(file: Path) -> list[str]:
    """Add the certificates in a PEM file to the user's list; the names of the new ones. Raises CredentialError."""
    known = _listed(trust_list(), "trust list")
    new = [certificate for certificate in load_certificates(file) if certificate not in known]
    _write(trust_list(), b"".join(map(certificate_pem, [*known, *new])))
    return [name_of(certificate) for certificate in new]


def set_official_list(file: Path) -> int:
    """Take a PEM file as the official list, in place of the one before; how many it lists. Raises CredentialError."""
    certificates = load_certificates(file)
    _write(official_list(), b"".join(map(certificate_pem, certificates)))
    return len(certificates)


def trusted_names() -> list[tuple[ListName, str, dt.datetime]]:
    """Everybody on the lists: which list, name, and until when. Raises CredentialError."""
    lists: dict[ListName, list[x509.Certificate]] = {
        "own": x509.load_pem_x509_certificates("".join([*own_roots(), *own_leaves()]).encode())
        if own_roots() or own_leaves()
        else [],
        "user": _listed(trust_list(), "trust list"),
        "official": _listed(official_list(), "official trust list"),
    }
    return [(name, name_of(entry), entry.not_valid_after_utc) for name, entries in lists.items() for entry in entries]


def add_revocations(file: Path) -> int:
    """Add the revocation lists in a file (PEM or DER) to those known; how many certificates they revoke.

    Raises CredentialError where the file is none, or is not signed by the authority on the trust list that it names.
    """
    content = read_file(file)
    lists = _crls(content, file) if b"-----BEGIN" in content else [_der_crl(content, file)]
    authorities = [*_listed(trust_list(), "trust list"), *_listed(official_list(), "official trust list")]
    for crl in lists:
        issuers = [authority for authority in authorities if authority.subject == crl.issuer]
        if issuers and not any(crl.is_signature_valid(issuer.public_key()) for issuer in issuers):  # type: ignore[arg-type]
            raise CredentialError(
                f"{file} is not signed by the authority it names. Fetch it again from that authority."
            )
    path = revocation_list()
    known = _crls(read_file(path), path) if path.exists() else []
    kept = [crl for crl in known if crl not in lists]
    _write(path, b"".join(_crl_pem(crl) for crl in [*kept, *lists]))
    return sum(len(crl) for crl in lists)


def _listed(path: Path, what: str) -> list[x509.Certificate]:
    """The certificates in one of the list files; an absent or empty file lists nobody."""
    try:
        content = path.read_bytes() if path.exists() else b""
        return x509.load_pem_x509_certificates(content) if content.strip() else []
    except (OSError, ValueError) as error:
        raise CredentialError(
            f"The {what} {path} cannot be used ({error}). Put PEM certificates in it, or move it away."
        ) from error


def _revoked() -> Revoked:
    lists, serials = revocation_list(), revoked_serials()
    by_issuer = tuple(
        (_issuer(crl.issuer), frozenset(entry.serial_number for entry in crl))
        for crl in (_crls(read_file(lists), lists) if lists.exists() else [])
    )
    return Revoked(by_issuer, frozenset(_serials(serials)) if serials.exists() else frozenset())


def _serials(path: Path) -> Iterable[int]:
    for line in read_file(path).decode(errors="replace").splitlines():
        text = line.split("#")[0].replace(":", "").strip().lower()
        found = _SERIAL.fullmatch(text)
        if text and found is None:
            raise CredentialError(f"{path} has a line that is no serial number. Write hexadecimal digits, one a line.")
        if found:
            yield int(found[1], 16)


def _crls(content: bytes, path: Path) -> list[x509.CertificateRevocationList]:
    try:
        found = [x509.load_pem_x509_crl(part) for part in _CRL.findall(content)]
    except ValueError as error:
        raise _no_crl(path) from error
    if not found and content.strip():
        raise _no_crl(path)
    return found


def _der_crl(content: bytes, path: Path) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(content)
    except ValueError as error:
        raise _no_crl(path) from error


def _no_crl(path: Path) -> CredentialError:
    return CredentialError(f"{path} holds no usable certificate revocation list. Name one in PEM or DER.")


def _crl_pem(crl: x509.CertificateRevocationList) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return crl.public_bytes(Encoding.PEM)


def _issuer(name: x509.Name) -> dict[str, str]:
    return {attribute.rfc4514_attribute_name: str(attribute.value) for attribute in name}


def _same_issuer(one: dict[str, str], other: dict[str, str]) -> bool:
    """Equal in all that both state; the SDK leaves rare attributes out."""
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[key] == other[key] for key in shared)


def _text(certificate: x509.Certificate) -> str:
    return certificate_pem(certificate).decode("ascii")


def _write(path: Path, content: bytes) -> None:
    private_folder(path.parent)
    write_private(path, content)
