"""Content credentials (C2PA 2.4): sign what was made, and read what a file says of itself.

A signature tells who signed, not what is true, so reading keeps four states apart: ``trusted`` (intact, signer known
here), ``unknown_signer`` (intact, signer not known here), ``invalid`` (something does not match) and ``absent``.
Ingredients have states of their own, because a sound claim over a broken ingredient otherwise reads as sound.
Nothing is ever fetched from the network.
"""

import datetime as dt
import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal

import c2pa

from likeness.errors import BadMediaError, CredentialError
from likeness.files import atomic_write, check_output, write_bytes
from likeness.prove.claim import PARENT, Claim, DigitalSourceType, manifest_of
from likeness.prove.identity import signing_identity
from likeness.prove.manifest import Credentials, certificates_of, condense, plain
from likeness.prove.manifest_store import (
    SIDECAR_SUFFIX,
    check_size,
    find_sidecar,
    read_sidecar,
    read_store,
)
from likeness.prove.mp4_boxes import changes, layout, looks_boxed, outer_boxes, remarks
from likeness.prove.signer import OFFLINE, Identity, signer_of, trust_only
from likeness.prove.trust import Trust, load_trust

__all__ = ["Claim", "DigitalSourceType", "publish", "read", "read_detached", "read_manifest_bytes", "sign"]

Hashing = Literal["whole", "in pieces"]

_PIECE_KB = 1024
_LONG_BYTES = 32 << 20  # from here on films are hashed in pieces
_HELD_IN_MEMORY_MB = 16
_UNKNOWN_TYPE = "application/octet-stream"
_STORE_TYPE = "application/c2pa"
_LAYOUT_MISMATCH, _TRAILING = "org.likeness.layout.mismatch", "org.likeness.layout.trailing"
_OVERSIZED = "org.likeness.manifest.oversized"
_CONTENT_HASHES = ("assertion.dataHash.", "assertion.bmffHash.", "assertion.boxesHash.", "assertion.collectionHash.")

# What can carry credentials, by suffix; Python's own table depends on the system.
_MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/x-m4v",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
}
# What C2PA has no place in for credentials: they go to a file beside.
_SIDECAR_TYPES = {
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".bmp": "image/bmp",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".aac": "audio/aac",
}


def sign(
    source_file: Path, out_file: Path, claim: Claim, *, ingredient: Path | None = None, identity: Identity | None = None
) -> Path | None:
    """Write ``source_file`` with signed credentials to ``out_file`` (which may be the same), atomically.

    With an ``ingredient`` the file was opened from it and edited, else it was created; a claim without a source type
    says neither, and takes the file itself for its ingredient. An ingredient keeps the credentials it has. Where the
    format cannot carry credentials they go to a file of the same name ending in .c2pa, which is returned.

    Raises CredentialError where the file is no medium or signing fails, and StorageError where ``out_file`` cannot be
    written; ``out_file`` then is as it was.
    """
    source_file, out_file = Path(source_file), Path(out_file)
    identity = identity or signing_identity()
    if claim.source_type is None and ingredient is None:
        ingredient = source_file
    size = _size(source_file)
    if _media_type(source_file) is None:
        return _sign_beside(source_file, out_file, claim, ingredient, identity)
    hashings: tuple[Hashing, ...] = ("in pieces", "whole") if size >= _LONG_BYTES else ("whole",)
    with atomic_write(out_file) as temporary:
        for hashing in hashings:
            _sign_once(source_file, temporary, claim, ingredient, identity, hashing=hashing)
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

    A file with credentials of its own is its own ingredient, unless another is named. Raises like ``sign``, and
    SettingsError where ``out_file`` would overwrite one of the files it is made from.
    """
    check_output(out_file, [source_file, *([ingredient] if ingredient else [])])
    if ingredient is None and read_manifest_bytes(source_file) is not None:
        ingredient = source_file
    return sign(source_file, out_file, claim, ingredient=ingredient, identity=identity)


def read(path: Path) -> Credentials:
    """Read and check the credentials inside ``path``, or in the sidecar beside it (clip.c2pa for clip.mkv).

    Known signers are those of this computer, of the user's trust list and of the official list (``trust``). Raises
    BadMediaError where the file cannot be opened, CredentialError where one of the lists is damaged.
    """
    path, trust = Path(path), load_trust()
    try:
        store = read_store(path)
        found = _read(path, trust, None)
        beside = _store_beside(path) if found.state == "absent" else None
        if beside is not None:
            found = _read(path, trust, beside).model_copy(update={"sidecar": True})
    except CredentialError as error:
        return Credentials(state="invalid", problems=[_OVERSIZED], reason=str(error))
    return found if found.sidecar else _with_boxes(path, found, embedded=store is not None)


def read_manifest_bytes(path: Path) -> bytes | None:
    """The raw manifest store of ``path``, from inside it or from its sidecar; None where there is none.

    Raises BadMediaError where the file cannot be opened, CredentialError where the store is over 64 MiB.
    """
    store = read_store(path)
    return _store_beside(Path(path)) if store is None else store


def read_detached(manifest: bytes, path: Path | None = None) -> Credentials:
    """What a manifest store says by itself, for credentials that were stripped from a file and found again.

    Signature, signer and assertions are checked as ever. That ``path`` (re-encoded, cut) no longer has the bytes that
    were signed is expected, so it is a notice and no problem; without ``path`` nothing is said of it. Raises
    CredentialError where ``manifest`` is over 64 MiB, BadMediaError where ``path`` cannot be opened.
    """
    check_size("this file", len(manifest))
    if path is not None and read_store(path) == manifest:
        return read(path)  # not detached at all
    found = _read(path, load_trust(), manifest)
    other_bytes = [code for code in found.problems if code.startswith(_CONTENT_HASHES)]
    problems = [code for code in found.problems if code not in other_bytes]
    notices, state = found.notices, found.state
    if other_bytes:
        if path is not None:
            notices = [*notices, "The file no longer has the bytes that were signed."]
        if state == "invalid" and not [code for code in problems if code != "signingCredential.untrusted"]:
            state = "unknown_signer" if problems or found.known_by is None else "trusted"
    return found.model_copy(update={"state": state, "problems": problems, "notices": notices})


def _store_beside(path: Path) -> bytes | None:
    """The manifest store in the sidecar of ``path``. A clip.c2pa that binds another clip.* is not this file's."""
    sidecar = find_sidecar(path)
    if sidecar is None:
        return None
    store = read_sidecar(sidecar)
    if sidecar.stem == path.stem and not _binds(store, path):
        namesakes = [other for other in path.parent.iterdir() if other.stem == path.stem and _any_media_type(other)]
        if any(_binds(store, other) for other in namesakes if other != path):
            return None
    return store


def _binds(store: bytes, path: Path) -> bool:
    found = _read(path, Trust({}, {}), store)
    return found.manifest is not None and not any(code.startswith(_CONTENT_HASHES) for code in found.problems)


def _read(path: Path | None, trust: Trust, manifest: bytes | None) -> Credentials:
    """The credentials inside ``path``, or what ``manifest`` says of it, or of nothing at all."""
    try:
        with ExitStack() as stack:
            context = stack.enter_context(_context(trust.settings))
            if path is None:
                reader = c2pa.Reader(_STORE_TYPE, io.BytesIO(manifest or b""), context=context)
            else:
                file = stack.enter_context(path.open("rb"))
                kind = _any_media_type(path) or (None if manifest is None else _UNKNOWN_TYPE)
                reader = c2pa.Reader(kind, file, manifest, context=context)
            with reader:
                store, report = json.loads(reader.json()), json.loads(reader.crjson())
    except OSError as error:
        raise BadMediaError(
            f"{path} cannot be read ({error.strerror or error}). Check its name and permissions."
        ) from error
    except c2pa.C2paError as error:
        return _unreadable(error)
    certificates = certificates_of(report)
    found = condense(store, certificates, trust.revoked.has)
    if store.get("validation_results", {}).get("activeManifest", {}).get("success") is None or found.manifest is None:
        return found
    return found.model_copy(update={"known_by": _known_by(store, certificates.get(found.manifest), trust)})


def _known_by(store: dict[str, Any], certificate: Any, trust: Trust) -> str | None:
    results = store["validation_results"]
    codes = [status.get("code") for status in results["activeManifest"]["success"]]
    if "signingCredential.trusted" not in codes or certificate is None:
        return None
    return trust.list_of(results.get("trustListUri"), certificate)


def _with_boxes(path: Path, found: Credentials, embedded: bool) -> Credentials:
    """Add what no signature covers in an mp4: changed or added boxes, and bytes after the end."""
    try:
        with path.open("rb") as file:
            if not looks_boxed(file) or (found.state == "absent" and not embedded):
                return found
            trailing = outer_boxes(file).trailing
            if found.state == "absent" and trailing:
                reason = f"{trailing} bytes were put after the end of the file, so its credentials cannot be checked."
                return Credentials(state="invalid", problems=[_TRAILING], reason=reason)
            if found.layout is None:
                return found.model_copy(update={"notices": [*found.notices, *remarks(file)]})
            changed = changes(found.layout, file)
    except OSError as error:
        raise BadMediaError(
            f"{path} cannot be read ({error.strerror or error}). Check its name and permissions."
        ) from error
    except ValueError as error:
        return found.model_copy(update={"notices": [*found.notices, f"Its boxes were not looked at: {error}."]})
    if not changed:
        return found
    return found.model_copy(
        update={
            "state": "invalid",
            "problems": [*found.problems, _LAYOUT_MISMATCH],
            "reason": found.reason or changed[0],
            "notices": [*found.notices, *changed],
        }
    )


def _holds(path: Path, identity: Identity) -> bool:
    """Whether what was signed reads back as this identity's, with every check of ours."""
    found = _read(path, Trust.of(identity), None)
    return _with_boxes(path, found, embedded=True).state == "trusted"


def _sign_once(
    source_file: Path,
    signed_file: Path,
    claim: Claim,
    ingredient: Path | None,
    identity: Identity,
    *,
    hashing: Hashing = "whole",
    beside: bool = False,
) -> bytes:
    """Sign into ``signed_file``; the manifest store, which is not in the file where it goes ``beside``."""
    destination: _Destination | None = None
    try:
        with ExitStack() as stack:
            context = stack.enter_context(_context(trust_only(identity), hashing))
            content = stack.enter_context(source_file.open("rb"))
            builder = stack.enter_context(_builder(claim, ingredient, _layout(content), context))
            signer = stack.enter_context(signer_of(identity))
            destination = stack.enter_context(_Destination(signed_file))
            if beside:
                builder.set_no_embed()
            return builder.sign(signer, _any_media_type(source_file), content, destination)
    except c2pa.C2paError as error:
        if destination is not None and destination.failure is not None:
            raise destination.failure from error
        raise CredentialError(
            f"{claim.title} could not be signed: {_one_line(error)}. Check that the file plays and try again."
        ) from error


def _sign_beside(source_file: Path, out_file: Path, claim: Claim, ingredient: Path | None, identity: Identity) -> Path:
    """A copy of the file, and its manifest beside it, which binds every byte of the file."""
    if source_file.suffix.lower() not in _SIDECAR_TYPES:
        raise CredentialError(
            f"{source_file.suffix or 'This kind of'} files cannot carry credentials. "
            "Choose mp4, mov, jpg, png, webp, wav or m4a for the output."
        )
    sidecar = out_file.with_suffix(SIDECAR_SUFFIX)
    if sidecar.exists() and not out_file.exists():
        raise CredentialError(f"{sidecar} is there already and belongs to another file. Choose another output name.")
    with atomic_write(out_file) as temporary:
        manifest = _sign_once(source_file, temporary, claim, ingredient, identity, beside=True)
        if _read(temporary, Trust.of(identity), manifest).state != "trusted":
            raise CredentialError(f"{claim.title} was signed, but its credentials do not hold. Is it being written to?")
        write_bytes(sidecar, manifest)
    return sidecar


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


def _context(trust: dict[str, Any], hashing: Hashing = "whole") -> c2pa.Context:
    """Settings of this one call; the library's global settings stay untouched.

    Hashing a film in pieces (a Merkle tree) keeps signing and reading from holding it in memory; SDK 0.91.3 gets it
    wrong where a film has several mdat boxes, which is one reason why ``sign`` reads back what it has signed.
    """
    core: dict[str, Any] = {**OFFLINE["core"], "backing_store_memory_threshold_in_mb": _HELD_IN_MEMORY_MB}
    if hashing == "in pieces":
        core["merkle_tree_chunk_size_in_kb"] = _PIECE_KB
    return c2pa.Context.from_dict(OFFLINE | {"core": core, "trust": trust})


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
        beside = _store_beside(ingredient) if read_store(ingredient) is None else None
        if beside is not None:
            builder.close()
            return _builder_beside(manifest, parent, ingredient, beside, context)
        with ingredient.open("rb") as content:
            builder.add_ingredient(parent, _media_type(ingredient) or _UNKNOWN_TYPE, content)
    except OSError as error:
        builder.close()
        raise CredentialError(
            f"The source {ingredient} cannot be read ({error.strerror or error}). Keep it in place until the end."
        ) from error
    except (c2pa.C2paError, BadMediaError):
        builder.close()
        return c2pa.Builder(manifest | {"ingredients": [parent]}, context=context)
    return builder


def _builder_beside(
    manifest: dict[str, Any], parent: dict[str, Any], ingredient: Path, store: bytes, context: c2pa.Context
) -> c2pa.Builder:
    """The claim with a parent whose credentials lie beside it, as the SDK takes over only those inside a file."""
    kind = _any_media_type(ingredient) or _UNKNOWN_TYPE
    with ingredient.open("rb") as content, c2pa.Reader(kind, content, store, context=context) as reader:
        report = json.loads(reader.json())
    name = f"{PARENT}{SIDECAR_SUFFIX}"
    parent = parent | {
        "active_manifest": report["active_manifest"],
        "validation_results": report["validation_results"],
        "manifest_data": {"format": _STORE_TYPE, "identifier": name},
    }
    builder = c2pa.Builder(manifest | {"ingredients": [parent]}, context=context)
    builder.add_resource(name, io.BytesIO(store))
    return builder


def _unreadable(error: c2pa.C2paError) -> Credentials:
    """Tell files without credentials, and containers too damaged to hold any, from damaged credentials."""
    if isinstance(error, c2pa.C2paError.ManifestNotFound):
        return Credentials(state="absent", reason="the file carries no credentials")
    if isinstance(error, c2pa.C2paError.NotSupported):
        return Credentials(state="absent", reason="this kind of file cannot carry credentials")
    if str(error).startswith("Remote"):
        return Credentials(state="absent", reason="it names credentials on a remote server, which are not fetched")
    if isinstance(error, c2pa.C2paError.Io) or "asset could not be parsed" in str(error):
        return Credentials(state="absent", reason="the file is damaged, so no credentials could be looked for")
    return Credentials(state="invalid", problems=[_one_line(error)])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CredentialError(
            f"{path} cannot be read ({error.strerror or error}). Name a file that is there."
        ) from error


def _media_type(path: Path) -> str | None:
    return _MEDIA_TYPES.get(Path(path).suffix.lower())


def _any_media_type(path: Path) -> str | None:
    return _media_type(path) or _SIDECAR_TYPES.get(path.suffix.lower())


def _one_line(error: Exception) -> str:
    return plain(error).rstrip(".")
