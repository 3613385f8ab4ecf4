"""Who allowed their face to be learnt from: the consent records behind a portrait model.

A portrait shows nobody, but the faces it was learnt from may be somebody's: every source of a face set must be covered
by a record that allows portraits. Synthetic people carry records of kind "synthetic", which say that there is no such
person; these allow every use.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from likeness.errors import ConsentError
from likeness.faces.faceset import FaceSet
from likeness.faces.identity import Recogniser, mean_embedding
from likeness.make import consent
from likeness.make.consent import Consent

CONSENTS = "consents"  # folder of the records in a model folder
_COMPARED = 64  # faces of a record's sources whose mean is compared with the face it is bound to


def permitted(records: Mapping[Path, Consent], faces: FaceSet, by: Recogniser) -> list[Consent]:
    """Those of ``records`` that ``faces`` rest on. Raises ConsentError unless every source is covered by one that is
    signed, in force, allows portraits and is bound to the face seen there."""
    missing, used = set(faces.sources.values()), []
    for path, record in records.items():
        covered = {name: digest for name, digest in faces.sources.items() if digest in record.sources}
        if not covered:
            continue
        consent.check(
            record,
            covered,
            _use(record),
            face=_face(faces, set(covered), by),
            recogniser=by.name,
            revocations=[path.parent],
        )
        used.append(record)
        missing -= set(covered.values())
    if missing:
        names = sorted(name for name, digest in faces.sources.items() if digest in missing)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise ConsentError(
            f"No consent covers the faces from {shown}. Name the records of all people with --consent; "
            "real ones must allow the use portrait."
        )
    return used


def still_permitted(records: Iterable[Consent]) -> None:
    """Raise ConsentError where one of the records behind a model is not in force any more."""
    for record in records:
        consent.check(record, {digest: digest for digest in record.sources}, _use(record))


def record_behind(records: list[Consent]) -> Consent:
    """The record that labels carry: the one behind the model, or one of kind "synthetic" that stands for several.

    The latter lists the several records' digests as its sources and holds as long as all of them do.
    """
    if len(records) == 1:
        return records[0]
    return nobodys_record(
        f"Nobody: portraits by a model that rests on {len(records)} records",
        (record.digest() for record in records),
        max(record.valid_from for record in records),
        min(record.valid_until for record in records),
    )


def nobodys_record(name: str, sources: Iterable[str], start: dt.datetime, end: dt.datetime) -> Consent:
    """A signed record of kind "synthetic" about no face in particular; the key that signs it is thrown away."""
    record = Consent(
        version=1,
        person=name,
        kind="synthetic",
        sources=tuple(sources),
        uses=("portrait",),
        valid_from=start,
        valid_until=end,
    )
    return consent.sign(record, Ed25519PrivateKey.generate())


def save_records(folder: Path, records: list[Consent]) -> None:
    """Keep the records in a model folder; raises StorageError."""
    for number, record in enumerate(records, 1):
        consent.save(record, folder / CONSENTS / f"{number:03}.consent.json")


def load_records(folder: Path) -> list[Consent]:
    """The records in a model folder. Raises ConsentError where there are none or they cannot be read."""
    paths = sorted((folder / CONSENTS).glob("*.json"))
    if not paths:
        raise ConsentError(f"{folder} holds no consent records, so its portraits cannot be used. Fit the model again.")
    return [consent.load(path) for path in paths]


def _use(record: Consent) -> consent.Use:
    return "portrait" if record.kind == "person" else record.uses[0]


def _face(faces: FaceSet, sources: set[str], by: Recogniser) -> np.ndarray:
    """The mean embedding (d,) of some faces from ``sources``."""
    rows = np.array([name in sources for name in faces.rows.column("source").to_pylist()])
    chosen = np.flatnonzero(rows)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(_COMPARED, len(chosen))).round().astype(int)]
    return mean_embedding(by.embed(replace(faces, rows=faces.rows.take(chosen)).crops()))
