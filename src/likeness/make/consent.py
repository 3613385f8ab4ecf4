"""Consent: a signed record in which a person allows the use of their face.

The record names the person, the footage it covers by SHA-256, the uses and the time it holds for, and carries the
person's Ed25519 signature over its canonical JSON. It proves that the holder of the key agreed; who holds the key is
for the people involved to settle. Synthetic actors and a user's own synthetic portraits carry a record of kind
"synthetic", which says that there is no such person.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from likeness.errors import ConsentError
from likeness.files import sha256_of, write_text
from likeness.prove.home import write_private

Use = Literal["swap", "reenact", "portrait"]
Kind = Literal["person", "synthetic"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

MAX_RECORD_BYTES = 1 << 20
_DOMAIN = b"likeness consent 1\n"  # keeps a signature over a record from being valid for anything else
_DEFAULT_VALIDITY = dt.timedelta(days=365)


class Consent(BaseModel):
    """The record. ``sources`` are SHA-256 of the footage it covers.

    ``public_key`` has 64 and ``signature`` 128 hex digits, or none while it is unsigned. Times are UTC in whole
    seconds; it holds from ``valid_from`` up to, not including, ``valid_until``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    person: str = Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    kind: Kind = "person"
    sources: tuple[Sha256, ...] = Field(min_length=1)
    uses: tuple[Use, ...] = Field(min_length=1)
    valid_from: AwareDatetime
    valid_until: AwareDatetime
    public_key: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    signature: str = Field(default="", pattern=r"^([0-9a-f]{128})?$")

    @field_validator("valid_from", "valid_until")
    @classmethod
    def _in_utc(cls, time: dt.datetime) -> dt.datetime:
        return time.astimezone(dt.UTC).replace(microsecond=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_until <= self.valid_from:
            raise ValueError("valid_until must lie after valid_from")
        return self

    def digest(self) -> str:
        """SHA-256 of the whole record, as 64 hex digits: all that credentials and the ledger tell of it."""
        return hashlib.sha256(_canonical(self.model_dump(mode="json"))).hexdigest()


def new_consent(
    person: str,
    footage: Iterable[Path],
    *,
    kind: Kind = "person",
    uses: Sequence[Use] = ("swap",),
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
) -> Consent:
    """An unsigned record for the face in ``footage``, valid for a year unless told otherwise. Raises ConsentError."""
    start = valid_from or dt.datetime.now(dt.UTC)
    footage = [Path(path) for path in footage]
    for path in footage:
        if path.exists() and not (path.is_file() and path.stat().st_size):
            raise ConsentError(f"{path} is empty or no plain file, so it shows no face. Name the footage itself.")
    try:
        sources = tuple(dict.fromkeys(sha256_of(path) for path in footage))
    except OSError as error:
        raise ConsentError(
            f"The footage {error.filename} cannot be read ({error.strerror}). Name files that are there."
        ) from error
    try:
        return Consent(
            person=person,
            kind=kind,
            sources=sources,
            uses=tuple(uses),
            valid_from=start,
            valid_until=valid_until or start + _DEFAULT_VALIDITY,
        )
    except ValidationError as error:
        raise ConsentError(f"No record can be made of that: {_first_problem(error)}.") from error


def sign(record: Consent, key: Ed25519PrivateKey) -> Consent:
    """The record with the person's public key and signature; an earlier signature is replaced."""
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
    named = record.model_copy(update={"public_key": public, "signature": ""})
    return named.model_copy(update={"signature": key.sign(_signed_bytes(named)).hex()})


def synthetic_consent(actor: str, footage: Iterable[Path], valid_until: dt.datetime | None = None) -> Consent:
    """A signed record of kind "synthetic" for footage of an actor who does not exist.

    There is nobody to ask and nothing to revoke, so the key that signs it is thrown away. Raises ConsentError.
    """
    record = new_consent(actor, footage, kind="synthetic", valid_until=valid_until)
    return sign(record, Ed25519PrivateKey.generate())


def check(record: Consent, sources: Mapping[str, str], use: Use = "swap", now: dt.datetime | None = None) -> None:
    """Raise ConsentError unless ``record`` is signed, in force and covers ``use`` of the face from all ``sources``.

    ``sources`` maps a name people recognise (the footage's path) to the SHA-256 of that footage.
    """
    now = now or dt.datetime.now(dt.UTC)
    verify_signature(record)
    if now < record.valid_from:
        raise ConsentError(
            f"The consent of {record.person} holds only from {record.valid_from:%Y-%m-%d %H:%M} UTC. "
            "Wait until then, or ask for a record that starts now."
        )
    if now >= record.valid_until:
        raise ConsentError(
            f"The consent of {record.person} expired on {record.valid_until:%Y-%m-%d %H:%M} UTC. "
            "Ask them for a new record."
        )
    if use not in record.uses:
        raise ConsentError(
            f"The consent of {record.person} allows {', '.join(record.uses)}, not {use}. "
            "Ask them for a record that does."
        )
    if not sources:
        raise ConsentError(
            "It is not known which footage this face comes from, so no consent can cover it. Extract and train again."
        )
    missing = sorted(name for name, digest in sources.items() if digest not in record.sources)
    if missing:
        raise ConsentError(
            f"The consent of {record.person} does not cover the footage {', '.join(missing)}: "
            "it may show another face. Ask its owner for a record that names this footage."
        )


def verify_signature(record: Consent) -> None:
    """Raise ConsentError unless the record's own key signed exactly what it says."""
    if not record.public_key or not record.signature:
        raise ConsentError(
            f"The consent of {record.person} is not signed. Let them run: likeness consent sign RECORD --key KEY"
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(record.public_key))
        key.verify(bytes.fromhex(record.signature), _signed_bytes(record))
    except (InvalidSignature, ValueError) as error:
        raise ConsentError(
            f"The signature does not fit the consent of {record.person}: the record was altered after signing. "
            "Ask for the original, or have it signed again."
        ) from error


def load(path: Path) -> Consent:
    """Read a record, signed or not. Raises ConsentError for a file that is missing, over 1 MiB or no consent record."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ConsentError(
            f"{path} is no plain file, so it is no consent record. Name the file that the person signed."
        )
    try:
        with path.open("rb") as file:
            content = file.read(MAX_RECORD_BYTES + 1)
    except OSError as error:
        raise ConsentError(
            f"The consent record {path} cannot be read ({error.strerror}). Name the file that the person signed."
        ) from error
    if len(content) > MAX_RECORD_BYTES:
        raise ConsentError(f"{path} is over 1 MiB, so it is no consent record. Name the file that the person signed.")
    try:
        return Consent.model_validate_json(content)
    except ValidationError as error:
        raise ConsentError(
            f"{path} is no consent record: {_first_problem(error)}. Make one with: likeness consent new"
        ) from error


def sign_file(path: Path, key_path: Path, *, new_key: bool = False, password: str | None = None) -> Consent:
    """Sign the record at ``path`` in place with the key at ``key_path``, which ``new_key`` makes first.

    Raises ConsentError, and StorageError where the record or the key cannot be written.
    """
    record = load(path)
    signed = sign(record, make_key(key_path) if new_key else load_key(key_path, password))
    save(signed, path)
    return signed


def save(record: Consent, path: Path) -> None:
    """Write the record as JSON that people can read. Raises StorageError."""
    write_text(path, json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")


def show(record: Consent, now: dt.datetime | None = None) -> str:
    """The record in plain lines, with what hinders its use today."""
    now = now or dt.datetime.now(dt.UTC)
    who = "synthetic, depicts nobody" if record.kind == "synthetic" else "a person"
    lines = [
        f"Consent of   {record.person} ({who})",
        f"For          {', '.join(record.uses)}",
        f"Valid        {record.valid_from:%Y-%m-%d %H:%M} to {record.valid_until:%Y-%m-%d %H:%M} UTC",
        f"Key          {record.public_key or 'none'}",
        f"State        {_state(record, now)}",
        *(f"Footage      {digest}" for digest in record.sources),
    ]
    return "\n".join(lines)


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make the person's signing key and write it to ``path``, readable by its owner only. Never overwrites a key."""
    path = Path(path)
    if path.exists():
        raise ConsentError(f"{path} is there already and is not overwritten. Sign with it, or choose another name.")
    key = Ed25519PrivateKey.generate()
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, key.private_bytes(*encoding))
    return key


def load_key(path: Path, password: str | None = None) -> Ed25519PrivateKey:
    """Read an Ed25519 key (PEM, PKCS#8). Raises ConsentError: missing, damaged, wrong password."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConsentError(
            f"The key {path} cannot be read ({error.strerror}). Name the key file, or have one made with --new-key."
        ) from error
    try:
        key = serialization.load_pem_private_key(content, password.encode() if password else None)
    except (ValueError, TypeError) as error:
        raise ConsentError(
            f"{path} holds no key that can be opened: damaged, or a wrong or missing password. Name an Ed25519 PEM key."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConsentError(f"{path} holds a key of another kind. Name an Ed25519 key, or have one made with --new-key.")
    return key


def _state(record: Consent, now: dt.datetime) -> str:
    try:
        verify_signature(record)
    except ConsentError as error:
        return str(error)
    if now < record.valid_from:
        return "signed, not in force yet"
    return "signed, in force" if now < record.valid_until else "signed, expired"


def _signed_bytes(record: Consent) -> bytes:
    return _DOMAIN + _canonical(record.model_dump(mode="json", exclude={"signature"}))


def _canonical(content: dict[str, Any]) -> bytes:
    """One byte string for one content: keys sorted, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])
