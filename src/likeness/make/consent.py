"""Consent: a signed record in which a person allows the use of their face.

The record describes the face and names the person, the purpose, the uses, the time and, by SHA-256, the footage. It
carries the person's Ed25519 signature and ends with its time or when the same key revokes it. It proves that the holder
of the key agreed; who holds the key is for the people involved to settle. Synthetic actors and a user's own synthetic
portraits carry a record of kind "synthetic", which says that there is no such person.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from likeness.errors import ConsentError
from likeness.faces.identity import Recogniser
from likeness.files import sha256_of
from likeness.make.consent_face import BoundFace
from likeness.make.consent_keys import load_key, make_key
from likeness.make.consent_person import person_in
from likeness.make.consent_record import Consent, Kind, Use, first_problem, load, save, sign, verify_signature
from likeness.make.consent_revocation import beside, revocation_of
from likeness.prove.ledger import Ledger

_DEFAULT_VALIDITY = dt.timedelta(days=365)
_NOBODY = "any; the face is synthetic and depicts nobody"

log = logging.getLogger(__name__)


def new_consent(
    person: str,
    footage: Iterable[Path],
    *,
    purpose: str,
    like: Path | None = None,
    by: Recogniser | None = None,
    face: BoundFace | None = None,
    kind: Kind = "person",
    uses: Sequence[Use] = ("swap",),
    valid_from: dt.datetime | None = None,
    valid_until: dt.datetime | None = None,
) -> Consent:
    """An unsigned record for the face in ``footage``, valid for a year unless told otherwise.

    The face is that of the person seen most, or of the one ``like`` shows, as the recogniser ``by`` (ours) describes it
    (`person_in`), unless ``face`` is known already. Raises ConsentError, and BadMediaError where the footage cannot be
    opened.
    """
    start = valid_from or dt.datetime.now(dt.UTC)
    footage = [Path(path) for path in footage]
    for path in footage:
        if path.exists() and not (path.is_file() and path.stat().st_size):
            raise ConsentError(f"{path} is empty or no plain file, so it shows no face. Name the footage itself.")
    sources = tuple(dict.fromkeys(map(_digest, footage)))
    stated: dict[str, Any] = {
        "person": person,
        "kind": kind,
        "sources": sources,
        "uses": tuple(uses),
        "valid_from": start,
        "valid_until": valid_until or start + _DEFAULT_VALIDITY,
    }
    try:
        Consent(version=1, **stated)  # what is wrong with these is said before the footage is searched
        return Consent(**stated, purpose=purpose, face=face or person_in(footage, like, by))
    except ValidationError as error:
        raise ConsentError(f"No record can be made of that: {first_problem(error)}.") from error


def synthetic_consent(actor: str, footage: Iterable[Path], valid_until: dt.datetime | None = None) -> Consent:
    """A signed record of kind "synthetic" for footage of an actor who does not exist; it allows every use.

    There is nobody to ask and nothing to revoke, so the key that signs it is thrown away. Raises ConsentError.
    """
    uses: tuple[Use, ...] = get_args(Use)
    record = new_consent(actor, footage, purpose=_NOBODY, kind="synthetic", uses=uses, valid_until=valid_until)
    return sign(record, Ed25519PrivateKey.generate())


def portrait_consent(name: str, portraits: Sequence[Path], valid_until: dt.datetime | None = None) -> Consent:
    """A signed record of kind "synthetic" for the face in ``portraits`` that this computer has made.

    They are known by the ledger, so that nobody's photograph passes for one. Raises ConsentError.
    """
    for path in portraits:
        if "portrait" not in {line.entry.kind for line in Ledger().find(_digest(Path(path)))}:
            raise ConsentError(
                f"{path} is no portrait that was made on this computer, so it may show somebody. "
                "Let them sign a record: likeness consent new, without --portrait."
            )
    return synthetic_consent(name, portraits, valid_until)


def admit(
    path: Path,
    sources: Mapping[str, str],
    use: Use = "swap",
    *,
    face: np.ndarray | None = None,
    recogniser: str | None = None,
    revocations: Iterable[Path] = (),
) -> Consent:
    """The record in the file ``path``, where it allows the use (`check`); a revocation beside it counts as well."""
    record = load(path)
    check(record, sources, use, face=face, recogniser=recogniser, revocations=_places(path, revocations))
    if face is None and record.face is not None:
        log.warning(
            "This model does not say what the face looks like that it has learnt: the footage alone decides. "
            "Resume its training for a moment to have the face compared with the consent of %s.",
            record.person,
        )
    return record


def check(
    record: Consent,
    sources: Mapping[str, str],
    use: Use = "swap",
    now: dt.datetime | None = None,
    face: np.ndarray | None = None,
    recogniser: str | None = None,
    revocations: Iterable[Path] = (),
) -> None:
    """Raise ConsentError unless ``record`` is signed, in force and covers ``use`` of the face from all ``sources``.

    ``sources`` maps a name people recognise (the footage's path) to the SHA-256 of that footage. ``face`` is the unit
    vector (d,) of the face that would be put in, as the ``recogniser`` of that name sees it; without one, the footage
    alone decides. ``revocations`` are files and folders to be looked through beside the home folder's.
    """
    now = now or dt.datetime.now(dt.UTC)
    verify_signature(record)
    revoked = revocation_of(record, revocations)
    if revoked is not None:
        raise ConsentError(
            f"{record.person} withdrew this consent on {revoked.revoked_at:%Y-%m-%d %H:%M} UTC. "
            "Their face is no longer to be used; ask them if anything is unclear."
        )
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
    _check_face(record, face, recogniser)


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise ConsentError(
            f"The footage {path} cannot be read ({error.strerror}). Name files that are there."
        ) from error


def _check_face(record: Consent, face: np.ndarray | None, recogniser: str | None) -> None:
    """Raise ConsentError where ``face`` is not the one that ``record`` describes, or cannot be compared with it."""
    bound = record.face
    if face is None:
        return
    if bound is None:
        log.warning(
            "The consent of %s is of an earlier version, which describes no face: the footage alone decides. "
            "Ask them for a new record.",
            record.person,
        )
        return
    if recogniser != bound.recogniser or face.shape != bound.vector.shape:
        raise ConsentError(
            f"The consent of {record.person} describes the face by another recogniser ({bound.recogniser}) than this "
            f"model ({recogniser}), so the two cannot be compared. Train again with that one, or ask for a new record."
        )
    alike = float(bound.vector @ face)
    if not alike >= bound.threshold:
        raise ConsentError(
            f"The consent of {record.person} is for another face than the one that would be put in "
            f"({alike:.2f} alike, at least {bound.threshold:.2f} is needed). Name the record of the person shown."
        )


def sign_file(path: Path, key_path: Path, *, new_key: bool = False, password: str | None = None) -> Consent:
    """Sign the record at ``path`` in place with the key at ``key_path``, which ``new_key`` makes first.

    Raises ConsentError, and StorageError where the record or the key cannot be written.
    """
    record = load(path)
    signed = sign(record, make_key(key_path) if new_key else load_key(key_path, password))
    save(signed, path)
    return signed


def show(record: Consent, now: dt.datetime | None = None, revocations: Iterable[Path] = ()) -> str:
    """The record in plain lines, with what hinders its use today."""
    now = now or dt.datetime.now(dt.UTC)
    who = "synthetic, depicts nobody" if record.kind == "synthetic" else "a person"
    face = f"described by {record.face.recogniser}" if record.face else "not described; the footage alone decides"
    lines = [
        f"Consent of   {record.person} ({who})",
        f"Purpose      {record.purpose or 'not stated'}",
        f"For          {', '.join(record.uses)}",
        f"Valid        {record.valid_from:%Y-%m-%d %H:%M} to {record.valid_until:%Y-%m-%d %H:%M} UTC",
        f"Face         {face}",
        f"Key          {record.public_key or 'none'}",
        f"State        {_state(record, now, revocations)}",
        *(f"Footage      {digest}" for digest in record.sources),
        f"Digest       {record.digest()}",
    ]
    return "\n".join(lines)


def show_file(path: Path, revocations: Iterable[Path] = ()) -> str:
    """The record in the file ``path`` in plain lines; a revocation beside it counts as well. Raises ConsentError."""
    return show(load(path), revocations=_places(path, revocations))


def _places(path: Path, revocations: Iterable[Path]) -> list[Path]:
    """Where to look for a revocation of the record in the file ``path``."""
    return [*revocations, *(place for place in [beside(Path(path))] if place.exists())]


def _state(record: Consent, now: dt.datetime, revocations: Iterable[Path]) -> str:
    try:
        verify_signature(record)
        revoked = revocation_of(record, revocations)
    except ConsentError as error:
        return str(error)
    if revoked is not None:
        return f"withdrawn on {revoked.revoked_at:%Y-%m-%d %H:%M} UTC"
    if now < record.valid_from:
        return "signed, not in force yet"
    return "signed, in force" if now < record.valid_until else "signed, expired"
