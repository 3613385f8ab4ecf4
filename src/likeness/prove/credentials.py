"""Content credentials (C2PA 2.4): sign what was made; ``reading`` has what a file says of itself.

A signature tells who signed, not what is true, so reading keeps four states apart: ``trusted`` (intact, signer known
here), ``unknown_signer`` (intact, signer not known here), ``invalid`` (something does not match) and ``absent``.
Ingredients have states of their own, because a sound claim over a broken ingredient otherwise reads as sound.
Nothing is ever fetched from the network.
"""

import datetime as dt
import io
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import c2pa

from likeness.errors import CredentialError, SettingsError
from likeness.files import atomic_write, check_output, write_bytes
from likeness.media.clip import open_clip
from likeness.prove import media_kinds
from likeness.prove.claim import PARENT, Claim, DigitalSourceType, manifest_of
from likeness.prove.identity import signing_identity
from likeness.prove.manifest_store import SIDECAR_SUFFIX, read_store
from likeness.prove.media_kinds import embedding_type, medium_type
from likeness.prove.mp4_boxes import layout, looks_boxed
from likeness.prove.reading import (
    context_for,
    one_line,
    read,
    read_detached,
    read_manifest_bytes,
    read_with,
    store_beside,
    with_boxes,
)
from likeness.prove.signer import Identity, signer_of, trust_only
from likeness.prove.trust import Trust

__all__ = [
    "Claim",
    "DigitalSourceType",
    "SignSettings",
    "publish",
    "read",
    "read_detached",
    "read_manifest_bytes",
    "sign",
]


@dataclass(frozen=True)
class SignSettings:
    """Films from ``long_bytes`` on are hashed in pieces of ``piece_kb`` KiB, so that they are not held in memory."""

    long_bytes: int = 32 << 20
    piece_kb: int = 1024


def sign(
    source_file: Path,
    out_file: Path,
    claim: Claim,
    *,
    ingredient: Path | None = None,
    identity: Identity | None = None,
    settings: SignSettings | None = None,
) -> Path | None:
    """Write ``source_file`` with signed credentials to ``out_file`` (which may be the same), atomically.

    With an ``ingredient`` the file was opened from it and edited, else it was created; a claim without a source type
    says neither, and takes the file itself for its ingredient. An ingredient keeps the credentials it has. Where the
    format cannot carry credentials they go to a file of the same name ending in .c2pa, which is returned.

    Raises CredentialError where the file is no medium or signing fails, and StorageError where ``out_file`` cannot be
    written; ``out_file`` then is as it was.
    """
    source_file, out_file = Path(source_file), Path(out_file)
    identity, settings = identity or signing_identity(), settings or SignSettings()
    if claim.source_type is None and ingredient is None:
        ingredient = source_file
    size = _size(source_file)
    if embedding_type(source_file) is None:
        return _sign_beside(source_file, out_file, claim, ingredient, identity)
    pieces: tuple[int | None, ...] = (settings.piece_kb, None) if size >= settings.long_bytes else (None,)
    with atomic_write(out_file) as temporary:
        for piece_kb in pieces:
            _sign_once(source_file, temporary, claim, ingredient, identity, piece_kb=piece_kb)
            if _holds(temporary, identity):
                return None
        raise CredentialError(
            f"{claim.title} was signed, but its credentials do not hold. Write it anew as a plain mp4 and sign that."
        )


def publish(
    source_file: Path,
    out_file: Path,
    claim: Claim,
    *,
    ingredient: Path | None = None,
    identity: Identity | None = None,
) -> Path | None:
    """``sign`` for a file that comes from outside: never over its source, and never dropping credentials it has.

    A file with credentials of its own is its own ingredient, unless another is named. Nothing is signed that MEDIA does
    not open, so whatever is signed can be verified. Raises like ``sign``, BadMediaError where the file is damaged, cut
    off, too large or of a kind that is not opened, and SettingsError where ``out_file`` would overwrite one of the
    files it is made from or is of another kind.
    """
    check_output(out_file, [source_file, *([ingredient] if ingredient else [])])
    if medium_type(source_file) is None:
        raise _not_signed(source_file)
    open_clip(source_file)
    if medium_type(out_file) != medium_type(source_file):
        raise SettingsError(f"A signed copy of {source_file} is of the same kind. Let its name end in the same way.")
    if ingredient is None and read_manifest_bytes(source_file) is not None:
        ingredient = source_file
    return sign(source_file, out_file, claim, ingredient=ingredient, identity=identity)


def _holds(path: Path, identity: Identity) -> bool:
    """Whether what was signed reads back as this identity's, with every check of ours."""
    found = read_with(path, Trust.of(identity), None)
    return with_boxes(path, found, embedded=True).state == "trusted"


def _sign_once(
    source_file: Path,
    signed_file: Path,
    claim: Claim,
    ingredient: Path | None,
    identity: Identity,
    *,
    piece_kb: int | None = None,
    beside: bool = False,
) -> bytes:
    """Sign into ``signed_file``; the manifest store, which is not in the file where it goes ``beside``."""
    destination: _Destination | None = None
    try:
        with ExitStack() as stack:
            context = stack.enter_context(_context(identity, piece_kb))
            content = stack.enter_context(source_file.open("rb"))
            builder = stack.enter_context(_builder(claim, ingredient, _layout(content), context))
            signer = stack.enter_context(signer_of(identity))
            destination = stack.enter_context(_Destination(signed_file))
            if beside:
                builder.set_no_embed()
            return builder.sign(signer, medium_type(source_file), content, destination)
    except c2pa.C2paError as error:
        if destination is not None and destination.failure is not None:
            raise destination.failure from error
        raise CredentialError(
            f"{claim.title} could not be signed: {one_line(error)}. Check that it plays and is what its name says."
        ) from error


def _sign_beside(source_file: Path, out_file: Path, claim: Claim, ingredient: Path | None, identity: Identity) -> Path:
    """A copy of the file, and its manifest beside it, which binds every byte of the file."""
    if medium_type(source_file) is None:
        raise _not_signed(source_file)
    sidecar = out_file.with_suffix(SIDECAR_SUFFIX)
    check_output(sidecar)
    if sidecar.exists() and not out_file.exists():
        raise CredentialError(f"{sidecar} is there already and belongs to another file. Choose another output name.")
    with atomic_write(out_file) as temporary:
        manifest = _sign_once(source_file, temporary, claim, ingredient, identity, beside=True)
        if read_with(temporary, Trust.of(identity), manifest).state != "trusted":
            raise CredentialError(f"{claim.title} was signed, but its credentials do not hold. Is it being written to?")
        write_bytes(sidecar, manifest)
    return sidecar


def _not_signed(file: Path) -> CredentialError:
    return CredentialError(
        f"{file.suffix or 'This kind of'} files cannot carry credentials. "
        "Choose mp4, mov, jpg, png, webp, wav or m4a for the output."
    )


class _Destination(io.BufferedRandom):
    """A file to write and read back that remembers why writing failed, which the SDK reports as a bare "Io"."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "w+"))
        self.failure: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self.failure = error
            raise


def _context(identity: Identity, piece_kb: int | None) -> c2pa.Context:
    """Hashing a film in pieces (a Merkle tree) keeps signing and reading from holding it in memory; SDK 0.91.3 gets it
    wrong where a film has several mdat boxes, which is one reason why ``sign`` reads back what it has signed."""
    pieces = {} if piece_kb is None else {"merkle_tree_chunk_size_in_kb": piece_kb}
    return context_for(trust_only(identity), **pieces)


def _layout(file: BinaryIO) -> dict[str, Any] | None:
    """The record of the boxes that the signature will not cover, where the file has boxes."""
    if not looks_boxed(file):
        return None
    try:
        return layout(file)
    except ValueError as error:
        raise CredentialError(f"The file cannot be signed: {error}. Write it anew as a plain mp4.") from error
    finally:
        file.seek(0)


def _builder(
    claim: Claim, ingredient: Path | None, boxes: dict[str, Any] | None, context: c2pa.Context
) -> c2pa.Builder:
    """The claim with its parent. A parent that the SDK cannot parse (cut off, misnamed) is named, not looked into."""
    manifest = manifest_of(claim, opened=ingredient is not None, layout=boxes, now=dt.datetime.now(dt.UTC))
    builder = c2pa.Builder(manifest, context=context)
    if ingredient is None:
        return builder
    parent = {"title": ingredient.name, "relationship": "parentOf", "label": PARENT, "instance_id": PARENT}
    try:
        with ingredient.open("rb") as content:
            beside = store_beside(ingredient) if read_store(ingredient) is None else None
            if beside is not None:
                builder.close()
                return _builder_beside(manifest, parent, ingredient, beside, context)
            builder.add_ingredient(parent, embedding_type(ingredient) or media_kinds.UNKNOWN, content)
    except OSError as error:
        builder.close()
        raise CredentialError(
            f"The source {ingredient} cannot be read ({error.strerror or error}). Keep it in place until the end."
        ) from error
    except c2pa.C2paError:
        builder.close()
        return c2pa.Builder(manifest | {"ingredients": [parent]}, context=context)
    return builder


def _builder_beside(
    manifest: dict[str, Any], parent: dict[str, Any], ingredient: Path, store: bytes, context: c2pa.Context
) -> c2pa.Builder:
    """The claim with a parent whose credentials lie beside it, as the SDK takes over only those inside a file."""
    kind = medium_type(ingredient) or media_kinds.UNKNOWN
    with ingredient.open("rb") as content, c2pa.Reader(kind, content, store, context=context) as reader:
        report = json.loads(reader.json())
    name = f"{PARENT}{SIDECAR_SUFFIX}"
    parent = parent | {
        "active_manifest": report["active_manifest"],
        "validation_results": report["validation_results"],
        "manifest_data": {"format": media_kinds.MANIFEST_STORE, "identifier": name},
    }
    builder = c2pa.Builder(manifest | {"ingredients": [parent]}, context=context)
    builder.add_resource(name, io.BytesIO(store))
    return builder


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CredentialError(
            f"{path} cannot be read ({error.strerror or error}). Name a file that is there."
        ) from error
