"""Verify one file: read every layer, recover stripped credentials, and say what the layers show and where they clash.

It never says that a file is what it seems. A valid signature tells who signed, a watermark who marked, a fingerprint
what it looks like; none of them tells whether what is shown took place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from likeness.errors import CredentialError, LikenessError
from likeness.files import sha256_of
from likeness.media.clip import open_clip
from likeness.prove.contradictions import Evidence, contradictions
from likeness.prove.credentials import read, read_detached
from likeness.prove.layers import (
    Recovered,
    credentials_layer,
    fingerprint_layer,
    not_known,
    tamper_layer,
    watermark_layer,
)
from likeness.prove.manifest import Credentials
from likeness.prove.recognise import RecogniseSettings, Recognition, recognise
from likeness.prove.seconds_layer import compare_seconds, seconds_layer
from likeness.prove.store import Store, Work
from likeness.prove.trust import Trust, load_trust
from likeness.prove.verification import Verification

_MOST_CLAIMS = 5  # of works that look alike, whose recorded credentials are opened


@dataclass(frozen=True)
class VerifySettings:
    """How much is looked at; ``store`` is the store's file, by default the user's own."""

    recognise: RecogniseSettings = field(default_factory=RecogniseSettings)
    store: Path | None = None


def verify(path: Path, settings: VerifySettings | None = None) -> Verification:
    """Everything that can be said of where ``path`` (video, picture or sound) comes from.

    A layer that cannot be read says so; the others are read all the same. Raises BadMediaError where the file cannot be
    opened, StorageError where LIKENESS_HOME names no folder.
    """
    settings = settings or VerifySettings()
    clip = open_clip(Path(path))
    sha256 = sha256_of(clip.path)
    trust, untold = _trust()
    own = _noted(read(clip.path, trust), untold)
    seen = recognise(clip, sha256, Store(settings.store), settings.recognise)
    claims = [(work, _noted(claim, untold)) for work, claim in _recorded_claims(seen, trust)]
    recovered = _recover(own, seen, claims)
    compared = compare_seconds(clip, own, seen)
    if compared is not None and compared.by_our_store:
        seen = replace(seen, unchanged=compared.located.intact)
    return Verification(
        file=str(path),
        sha256=sha256,
        kind=clip.kind,
        credentials=credentials_layer(own, recovered),
        watermark=watermark_layer(seen, clip),
        tamper=tamper_layer(seen, clip),
        fingerprint=fingerprint_layer(seen, clip),
        seconds=seconds_layer(compared),
        identical=seen.identical is not None,
        contradictions=contradictions(Evidence(own, seen, claims, compared)),
        not_known=not_known(clip, own, seen),
        store_problem=seen.store_problem,
    )


def _trust() -> tuple[Trust, str | None]:
    """Whom this computer knows; where a list of them cannot be read nobody, and a sentence that says so."""
    try:
        return load_trust(), None
    except CredentialError as error:
        return Trust({}, {}), f"No signer counts as known and none as revoked: {error}"


def _noted(found: Credentials, notice: str | None) -> Credentials:
    if notice is None or found.state == "absent":
        return found
    return found.model_copy(update={"notices": [*found.notices, notice]})


def _recorded_claims(seen: Recognition, trust: Trust) -> list[tuple[Work, Credentials]]:
    """The works that the file was recognised as, surest first, with the credentials they were published with."""
    marked = seen.marked if seen.agreement != "differs" else None
    works = [seen.identical, marked, *(match.work for match in seen.matches[:_MOST_CLAIMS])]
    claims: list[tuple[Work, Credentials]] = []
    known = set[bytes]()
    for work in works:
        if work is None or work.manifest is None or work.manifest in known:
            continue
        known.add(work.manifest)
        try:
            claims.append((work, read_detached(work.manifest, trust=trust)))
        except LikenessError:
            continue  # damaged or oversized: nothing can be recovered from it
    return claims


def _recover(own: Credentials, seen: Recognition, claims: Sequence[tuple[Work, Credentials]]) -> Recovered | None:
    """The stripped credentials: by the watermark where the content bears it out, else by the fingerprint alone."""
    if own.state != "absent" or not claims:
        return None
    work, claim = claims[0]
    by_mark = seen.marked is not None and seen.agreement != "differs" and work.mark_id == seen.marked.mark_id
    if not by_mark:
        return Recovered(work, claim, "fingerprint")
    return Recovered(work, claim, "watermark and fingerprint" if seen.agreement == "match" else "watermark")
