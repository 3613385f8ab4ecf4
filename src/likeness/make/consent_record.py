"""The consent record itself: what it says, how it is signed, how it is kept in a file.

Version 2 states a purpose and describes the face. Records of version 1, which have neither, are still read and used.
"""

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from likeness.errors import ConsentError
from likeness.files import write_text
from likeness.make.consent_face import BoundFace
from likeness.make.consent_keys import canonical, is_signed_by, public_hex

Use = Literal["swap", "reenact", "portrait"]
Kind = Literal["person", "synthetic"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")]  # one line of text, shown as it is

MAX_RECORD_BYTES = 1 << 20
_SINCE_2 = {"purpose", "face"}


class Consent(BaseModel):
    """The record. ``sources`` are SHA-256 of the footage it covers, ``face`` describes the person seen there, and
    ``purpose`` says in the person's own words what for.

    ``public_key`` has 64 and ``signature`` 128 hex digits, or none while it is unsigned. Times are UTC in whole
    seconds; it holds from ``valid_from`` up to, not including, ``valid_until``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1, 2] = 2
    person: Annotated[Line, Field(max_length=200)]
    kind: Kind = "person"
    purpose: Annotated[Line, Field(max_length=500)] | None = None
    sources: tuple[Sha256, ...] = Field(min_length=1)
    face: BoundFace | None = None
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
    def _is_whole(self) -> Self:
        if self.valid_until <= self.valid_from:
            raise ValueError("its end lies before its beginning; give a later --until")
        stated = {name for name in _SINCE_2 if getattr(self, name) is not None}
        if stated != (_SINCE_2 if self.version == 2 else set()):
            raise ValueError("a record of version 2 states a purpose and describes a face, one of version 1 neither")
        return self

    def content(self, *without: str) -> dict[str, Any]:
        """What the record says, as JSON of its own version, less the fields ``without``."""
        unknown = _SINCE_2 if self.version == 1 else set()
        return self.model_dump(mode="json", exclude=unknown.union(without))

    def digest(self) -> str:
        """SHA-256 of the whole record, as 64 hex digits: all that credentials and the ledger tell of it."""
        return hashlib.sha256(canonical(self.content())).hexdigest()


def sign(record: Consent, key: Ed25519PrivateKey) -> Consent:
    """The record with the person's public key and signature; an earlier signature is replaced."""
    named = record.model_copy(update={"public_key": public_hex(key), "signature": ""})
    return named.model_copy(update={"signature": key.sign(_signed_bytes(named)).hex()})


def verify_signature(record: Consent) -> None:
    """Raise ConsentError unless the record's own key signed exactly what it says."""
    if not record.public_key or not record.signature:
        raise ConsentError(
            f"The consent of {record.person} is not signed. Let them run: likeness consent sign RECORD --key KEY"
        )
    if not is_signed_by(record.public_key, record.signature, _signed_bytes(record)):
        raise ConsentError(
            f"The signature does not fit the consent of {record.person}: the record was altered after signing. "
            "Ask for the original, or have it signed again."
        )


def load(path: Path) -> Consent:
    """Read a record, signed or not. Raises ConsentError for a file that is missing, over 1 MiB or no consent record."""
    content = read_small(Path(path), "consent record", "Name the file that the person signed.")
    try:
        return Consent.model_validate_json(content)
    except ValidationError as error:
        raise ConsentError(
            f"{path} is no consent record: {first_problem(error)}. Make one with: likeness consent new"
        ) from error


def save(record: Consent, path: Path) -> None:
    """Write the record as JSON that people can read. Raises StorageError."""
    write_text(path, json.dumps(record.content(), indent=2, ensure_ascii=False) + "\n")


def read_small(path: Path, what: str, advice: str) -> bytes:
    """The content of a file of at most 1 MiB that should hold ``what``. Raises ConsentError, ending in ``advice``."""
    if path.exists() and not path.is_file():
        raise ConsentError(f"{path} is no plain file, so it is no {what}. {advice}")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_RECORD_BYTES + 1)
    except OSError as error:
        raise ConsentError(f"The {what} {path} cannot be read ({error.strerror}). {advice}") from error
    if len(content) > MAX_RECORD_BYTES:
        raise ConsentError(f"{path} is over 1 MiB, so it is no {what}. {advice}")
    return content


def first_problem(error: ValidationError) -> str:
    """What is wrong, and where, in a few words."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _signed_bytes(record: Consent) -> bytes:
    domain = f"likeness consent {record.version}\n"  # keeps the signature from being valid for anything else
    return domain.encode() + canonical(record.content("signature"))
