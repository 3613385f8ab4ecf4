"""How a work of many pictures leaves: one watermark, credentials for each picture, one record of them all."""

import datetime as dt
import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from likeness.errors import CredentialError
from likeness.files import sha256_of, storage_error
from likeness.media.clip import open_clip
from likeness.prove import credentials
from likeness.prove.claim import Claim
from likeness.prove.fingerprint import CLIP_STORED_VIEWS, SecondFingerprint, stored_fingerprint
from likeness.prove.identity import signing_identity
from likeness.prove.ledger import Entry, Ledger
from likeness.prove.manifest_store import SIDECAR_SUFFIX
from likeness.prove.publish import Provenance, Publication
from likeness.prove.store import Store, Work
from likeness.prove.watermark.read import read_clip

_log = logging.getLogger(__name__)


class SequencePublication(Publication):
    """``mark`` each picture, then ``sign`` its finished file; at the end ``record`` them as one work.

    All carry one mark, so that footage which is put together from them shows one, too. Every picture is fingerprinted:
    each may be met alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._moments: list[SecondFingerprint] = []
        self._digests: list[str] = []

    def mark(self, image: np.ndarray, time_s: float, label_free: np.ndarray | None = None) -> np.ndarray:
        """``image`` uint8 RGB (H, W, 3), marked, as a new array; it is fingerprinted on the way."""
        marked = self._marker.mark(image)
        self._moments.append(stored_fingerprint(marked, label_free, time_s, CLIP_STORED_VIEWS))
        return marked

    def sign(self, path: Path, destination: Path, claim: Claim, parent: Path | None) -> None:
        """Sign the picture ``path``, the last one marked, in place; it will be called ``destination``.

        Credentials that a kind of file cannot carry come to lie beside ``destination`` at once. Raises CredentialError,
        BadMediaError and StorageError.
        """
        whole = self._moments[-1].views["whole"]
        fingerprint = whole.hash.hex() if whole.usable else None
        claim = replace(claim, mark_id=self.mark_id, fingerprint=fingerprint)
        if not self._digests:
            self._check_mark(path, destination)
        beside = credentials.sign(path, path, claim, ingredient=parent)
        if beside is not None:
            try:
                os.replace(beside, destination.with_suffix(SIDECAR_SUFFIX))
            except OSError as error:
                raise storage_error(destination, error) from error
        self._digests.append(sha256_of(path))

    def record(self, destination: Path, claim: Claim, provenance: Provenance) -> Work:
        """Record the pictures as one work in the folder ``destination``. Its hash is that of its pictures' hashes, in
        order. Raises CredentialError and StorageError."""
        if not self._digests or len(self._digests) != len(self._moments):
            raise CredentialError(f"Not every picture of {destination} was signed. Write it anew.")
        identity = signing_identity()
        sha256 = hashlib.sha256("".join(self._digests).encode()).hexdigest()
        work = Work(
            mark_id=self.mark_id,
            title=destination.name,
            path=str(destination.absolute()),
            kind="clip",
            made_at=dt.datetime.now(dt.UTC),
            origin=provenance.origin,
            source_type=claim.source_type,
            sha256=sha256,
            label=provenance.label,
            fingerprints=tuple(self._moments),
            signer=identity.name,
        )
        Store().record(work)
        Ledger().record(
            Entry(
                output_sha256=sha256,
                path=work.path,
                kind=provenance.origin,
                signer=identity.name,
                model=provenance.model,
                source_sha256=sha256_of(provenance.parent) if provenance.parent else None,
                consent_sha256=claim.consent_sha256,
            )
        )
        return work

    def _check_mark(self, path: Path, destination: Path) -> None:
        back = read_clip(open_clip(path))
        if self.mark_id not in (back.mark_id, *back.also):
            _log.warning(
                "The watermark cannot be read back from the first picture, %s (too small or too flat). Its credentials "
                "and fingerprint stand; choose a larger size for a mark that lasts.",
                destination.name,
            )
