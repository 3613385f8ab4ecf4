"""How a work leaves: marked, fingerprinted, hashed, signed and recorded, in that order, or not at all.

MAKE's label hands its frames through a ``Publication``, and so does ``mark_file`` for footage that a publisher has not
made but stands for.
"""

import datetime as dt
import logging
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from likeness.errors import BadMediaError, CredentialError, SettingsError
from likeness.files import check_output, sha256_of
from likeness.media.clip import Clip, open_clip
from likeness.media.writer import write_clip, write_picture
from likeness.progress import tracked
from likeness.prove import credentials, seconds
from likeness.prove.claim import Claim
from likeness.prove.fingerprint import ClipFingerprinter, SecondFingerprint
from likeness.prove.identity import Identity, signing_identity
from likeness.prove.ledger import Entry, Ledger
from likeness.prove.seconds import HashList
from likeness.prove.store import Store, Work
from likeness.prove.watermark.mark import SMALLEST, Marker
from likeness.prove.watermark.message import MarkId, new_id
from likeness.prove.watermark.read import read_clip

_LISTED_S = 300  # a longer clip's credentials carry only the digest of its hash list; the store has all of it

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provenance:
    """Where a work comes from. ``origin`` as in ``Work``; ``parent`` is the footage it was made from, kept in place
    until the end; ``model`` names the model that made it; ``label`` is the visible label it carries."""

    origin: str
    parent: Path | None = None
    model: str | None = None
    label: Literal["AI"] | None = None


class Publication:
    """One work on its way out. ``mark`` every frame in order, then ``release`` the finished file, once.

    It takes an identifier that the store does not have yet, so a store that cannot be used is found out before the work
    and not after it (StorageError).
    """

    def __init__(self) -> None:
        self.mark_id = _fresh_id()
        self._marker = Marker(self.mark_id)
        self._fingerprinter = ClipFingerprinter()
        self._released = False

    def mark(self, image: np.ndarray, time_s: float, label_free: np.ndarray | None = None) -> np.ndarray:
        """``image`` uint8 RGB (H, W, 3), marked, as a new array; it is fingerprinted on the way.

        ``label_free`` is the same frame before its visible label was drawn.
        """
        marked = self._marker.mark(image)
        self._fingerprinter.update(marked, time_s, label_free)
        return marked

    def release(
        self, path: Path, destination: Path, claim: Claim, provenance: Provenance, identity: Identity | None = None
    ) -> Work:
        """Hash, sign and record the finished file ``path`` in place; ``destination`` is the name it will take.

        Store and ledger come last: a line too many, if the rename after it fails, does no harm, but nothing leaves
        without one. Raises CredentialError, BadMediaError or StorageError; the caller must then discard ``path``.
        """
        if self._released:
            raise SettingsError(f"{destination} would be a second work under one mark. Give each work its own label.")
        self._released = True
        identity = identity or signing_identity()
        parent_sha256 = _parent_sha256(provenance.parent)
        clip = open_clip(path)
        fingerprints = tuple(self._fingerprinter.finish())
        listed = seconds.sign(seconds.hash_list(clip, self.mark_id), identity) if clip.kind == "video" else None
        back = read_clip(clip)
        if self.mark_id not in (back.mark_id, *back.also):
            _log.warning(
                "The watermark cannot be read back from %s (too small, too flat or too strongly compressed). "
                "Its credentials and fingerprint stand; choose a larger size or a lower crf for a mark that lasts.",
                destination,
            )
        claim = _with_bindings(claim, self.mark_id, fingerprints, listed)
        credentials.sign(path, path, claim, ingredient=provenance.parent, identity=identity)
        work = Work(
            mark_id=self.mark_id,
            title=claim.title,
            path=str(destination.absolute()),
            kind="clip" if clip.kind == "video" else "picture",
            made_at=dt.datetime.now(dt.UTC),
            origin=provenance.origin,
            source_type=claim.source_type,
            sha256=sha256_of(path),
            manifest=credentials.read_manifest_bytes(path),
            label=provenance.label,
            fingerprints=fingerprints,
            hash_list=listed,
            signer=identity.name,
        )
        Store().record(work)
        Ledger().record(
            Entry(
                output_sha256=work.sha256,
                path=work.path,
                kind=provenance.origin,
                signer=identity.name,
                model=provenance.model,
                source_sha256=parent_sha256,
                consent_sha256=claim.consent_sha256,
            )
        )
        return work


@dataclass
class PublishedMark:
    """The ``Labelling`` of footage that is published and not made here: an invisible mark and credentials, no label."""

    source: Path
    title: str | None = None
    identity: Identity | None = None
    publication: Publication = field(default_factory=Publication)
    work: Work | None = None

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        """``image`` uint8 RGB (H, W, 3), marked."""
        return self.publication.mark(image, time_s)

    def metadata(self) -> dict[str, str]:
        """Nothing: what there is to say stands in the credentials."""
        return {}

    def seal(self, path: Path, destination: Path) -> None:
        """Release ``path``; the source's credentials stay inside as those of an ingredient."""
        claim = Claim(None, "published with an invisible watermark", self.title or destination.name)
        provenance = Provenance("published", parent=self.source)
        self.work = self.publication.release(path, destination, claim, provenance, self.identity)


def mark_file(source: Path, out: Path, *, identity: Identity | None = None, title: str | None = None) -> Work:
    """Publish a marked copy of the picture or clip ``source`` as ``out`` (.mp4, .png, .jpg, .webp), and record it.

    The copy is encoded anew, with its sound. Raises BadMediaError (sound, unreadable or tiny files), SettingsError (a
    file that already carries a mark, a wrong suffix), CredentialError and StorageError; ``out`` then is as it was.
    """
    source, out = Path(source), Path(out)
    check_output(out, [source])
    clip = open_clip(source)
    if clip.kind == "sound":
        raise BadMediaError(f"{source} is sound, which is not watermarked. Use `likeness sign` for its credentials.")
    if min(clip.width, clip.height) < SMALLEST:
        raise BadMediaError(f"{source} has fewer than {SMALLEST} pixels a side, too few for a mark. Use a larger one.")
    before = read_clip(clip)
    if before.state == "found":
        named = before.mark_id or "of a later version"
        raise SettingsError(f"{source} already carries the mark {named}. Marking it again would damage that one.")
    labelling = PublishedMark(source, title, identity)
    if clip.kind == "video":
        _write_clip(clip, out, labelling)
    else:
        write_picture(out, next(clip.frames()).image, labelling=labelling)
    if labelling.work is None:
        raise CredentialError(f"{out} was written without being recorded. Write it anew.")
    return labelling.work


def _write_clip(clip: Clip, out: Path, labelling: PublishedMark) -> None:
    rate = Fraction(clip.frame_rate) if clip.frame_rate else Fraction(25)
    frames = tracked(clip.frames(), f"Marking {clip.path.name}", clip.duration_s * float(rate))
    write_clip(out, frames, frame_rate=rate, sound=clip, labelling=labelling)


def _fresh_id() -> MarkId:
    store = Store()
    return next(mark_id for mark_id in iter(new_id, None) if store.get(mark_id) is None)


def _with_bindings(
    claim: Claim, mark_id: MarkId, fingerprints: tuple[SecondFingerprint, ...], listed: HashList | None
) -> Claim:
    """``claim`` with what lets it be found again, and located in time, once it was stripped."""
    whole = [moment.views["whole"] for moment in fingerprints if moment.views["whole"].usable]
    hashes = None
    if listed is not None:
        length = max(len(listed.pictures), len(listed.sound))
        hashes = listed.model_dump(mode="json") if length <= _LISTED_S else {"sha256": listed.digest()}
    fingerprint = whole[0].hash.hex() if whole else None
    return replace(claim, mark_id=mark_id, fingerprint=fingerprint, seconds=hashes)


def _parent_sha256(parent: Path | None) -> str | None:
    if parent is None:
        return None
    try:
        return sha256_of(parent)
    except OSError as error:
        raise BadMediaError(
            f"The source {parent} cannot be read ({error.strerror}). Keep it in place until the end."
        ) from error
