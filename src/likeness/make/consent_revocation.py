"""Consent withdrawn: a statement that a record holds no longer, signed by the key that signed the record.

There is no register to ask. A revocation counts where it is found: beside the record, among those this computer has
taken note of, and where the user points to. Whoever never receives it cannot know.
"""

import datetime as dt
import json
import logging
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from likeness.errors import ConsentError
from likeness.files import write_text
from likeness.make.consent_keys import canonical, is_signed_by, public_hex
from likeness.make.consent_record import Consent, Line, Sha256, first_problem, read_small, verify_signature
from likeness.prove.home import home, private_folder, write_private

BESIDE = ".revoked.json"  # in place of a record's .json
_DOMAIN = b"likeness revocation 1\n"
_FOLDER = "revocations"  # in the home folder

log = logging.getLogger(__name__)


class Revocation(BaseModel):
    """``record`` is the digest of the consent record that ``person`` has withdrawn, ``public_key`` the key of both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    record: Sha256
    person: Annotated[Line, Field(max_length=200)]
    revoked_at: AwareDatetime
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$")
    signature: str = Field(default="", pattern=r"^([0-9a-f]{128})?$")

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return _DOMAIN + canonical(self.model_dump(mode="json", exclude={"signature"}))

    def is_genuine(self) -> bool:
        """Whether its own key signed it."""
        return is_signed_by(self.public_key, self.signature, self.signed_bytes())


def revoke(record: Consent, key: Ed25519PrivateKey, now: dt.datetime | None = None) -> Revocation:
    """The signed statement that ``record`` holds no longer. Raises ConsentError: not signed, or not by this key."""
    verify_signature(record)
    if public_hex(key) != record.public_key:
        raise ConsentError(
            f"This key did not sign the consent of {record.person}, so it cannot withdraw it. Name the key that did."
        )
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).replace(microsecond=0)
    bare = Revocation(record=record.digest(), person=record.person, revoked_at=moment, public_key=record.public_key)
    return bare.model_copy(update={"signature": key.sign(bare.signed_bytes()).hex()})


def save_revocation(revocation: Revocation, path: Path) -> None:
    """Write it as JSON that people can read and pass on. Raises StorageError."""
    write_text(path, _text(revocation))


def load_revocation(path: Path) -> Revocation:
    """Read one and check its signature. Raises ConsentError: missing, no revocation, altered."""
    content = read_small(Path(path), "revocation", "Ask whoever withdrew their consent for the file.")
    try:
        revocation = Revocation.model_validate_json(content)
    except ValidationError as error:
        raise ConsentError(
            f"{path} is no revocation: {first_problem(error)}. Ask whoever withdrew their consent for the file."
        ) from error
    if not revocation.is_genuine():
        raise ConsentError(
            f"The revocation {path} was altered after signing. Ask {revocation.person} for the original."
        )
    return revocation


def take_note(revocation: Revocation) -> Path:
    """Keep ``revocation`` in the home folder, where every later check looks; the file it is in. Raises StorageError."""
    folder = private_folder(home() / _FOLDER)
    path = folder / f"{revocation.record}.{revocation.public_key[:16]}.json"
    write_private(path, _text(revocation).encode())
    return path


def beside(record: Path) -> Path:
    """Where a revocation of the record in the file ``record`` is looked for: ada.json, ada.revoked.json."""
    return record.with_name(record.stem + BESIDE)


def revocation_of(record: Consent, places: Iterable[Path] = ()) -> Revocation | None:
    """The revocation of ``record`` in the home folder or in ``places`` (files, or folders of .json files), if any.

    One that another key signed does not count. Raises ConsentError where a file that may hold it cannot be read: what
    it says is then unknown, and nothing may be made on the strength of that. Folders may hold other .json files, such
    as records, which are passed over.
    """
    digest = record.digest()
    noted = sorted((home() / _FOLDER).glob(f"{digest}.*.json"))
    for revocation, path in chain(((load_revocation(path), path) for path in noted), _revocations(places)):
        if revocation.record != digest:
            continue
        if revocation.public_key == record.public_key:
            return revocation
        log.warning("%s was not signed by the key of %s, so it does not count.", path, record.person)
    return None


def _revocations(places: Iterable[Path]) -> Iterator[tuple[Revocation, Path]]:
    for place in places:
        if not place.is_dir():
            yield load_revocation(place), place
            continue
        for path in sorted(place.glob("*.json")):
            try:
                yield load_revocation(path), path
            except ConsentError:
                if path.name.endswith(BESIDE):
                    raise


def _text(revocation: Revocation) -> str:
    return json.dumps(revocation.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
