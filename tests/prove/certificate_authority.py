"""A certificate authority for tests: real keys, real certificates, and everything that can be wrong with them."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from likeness.prove.certificates import PrivateKey, certificate_pem, key_pem

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test press"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


class Authority:
    """A root that signs certificates, and what it has revoked."""

    def __init__(self, name: str = "Test authority", parent: "Authority | None" = None) -> None:
        self.key: PrivateKey = ec.generate_private_key(ec.SECP256R1())
        self.name, self.parent = name, parent
        self.certificate = self._sign(parent or self, name, self.key, NOW - DAY, NOW + 3000 * DAY, authority=True)

    def issue(
        self,
        name: str,
        key: PrivateKey,
        *,
        start: dt.datetime = NOW - DAY,
        end: dt.datetime = NOW + 300 * DAY,
        purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.EMAIL_PROTECTION,
        digital_signature: bool = True,
        serial: int | None = None,
    ) -> x509.Certificate:
        """A signer's certificate; sound unless told otherwise."""
        return self._sign(self, name, key, start, end, purpose=purpose, signs=digital_signature, serial=serial)

    def chain(self) -> list[x509.Certificate]:
        """From this authority up to its root."""
        return [self.certificate, *(self.parent.chain() if self.parent else [])]

    def revoke(self, *certificates: x509.Certificate) -> bytes:
        """A revocation list, in PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(NOW - DAY).next_update(NOW + 30 * DAY)
        for certificate in certificates:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(NOW)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _sign(
        self,
        issuer: "Authority",
        name: str,
        key: PrivateKey,
        start: dt.datetime,
        end: dt.datetime,
        *,
        authority: bool = False,
        purpose: x509.ObjectIdentifier | None = None,
        signs: bool = True,
        serial: int | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(issuer.name))
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(
                    signs and not authority, False, not signs, False, False, authority, authority, False, False
                ),
                critical=True,
            )
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        algorithm = None if isinstance(issuer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(issuer.key, algorithm)


def write_chain(path: Path, *certificates: x509.Certificate) -> Path:
    """Certificates as PEM in a file."""
    path.write_bytes(b"".join(map(certificate_pem, certificates)))
    return path


def write_key(path: Path, key: PrivateKey, password: bytes | None = None) -> Path:
    """A key as PEM in a file."""
    path.write_bytes(key_pem(key, password))
    return path
