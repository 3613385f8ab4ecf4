"""Content credentials (C2PA 2.4): sign what was made, and read what a file says of itself.

A signature tells who signed, not what is true, so reading keeps four states apart: ``trusted`` (intact, signer known
here), ``unknown_signer`` (intact, signer not known here), ``invalid`` (something does not match) and ``absent``.
Ingredients have states of their own, because a sound claim over a broken ingredient otherwise reads as sound.
Nothing is ever fetched from the network.
"""

import io
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import c2pa
from cryptography import x509

from likeness import __version__
from likeness.errors import BadMediaError, CredentialError
from likeness.files import atomic_write
from likeness.prove.home import home
from likeness.prove.identity import ALGORITHM, Identity, local_identity, local_root
from likeness.prove.manifest import PROVENANCE_LABEL, Credentials, condense, plain

Hashing = Literal["whole", "in pieces"]
DigitalSourceType = Literal[
    "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia", "algorithmicMedia", "digitalCapture"
]

_SOURCE_TYPE_PREFIX = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_PARENT = "parent"  # links the opening action to the parent ingredient
_PIECE_KB = 1024
_LONG_BYTES = 32 << 20  # from here on films are hashed in pieces
_HELD_IN_MEMORY_MB = 16
_UNKNOWN_TYPE = "application/octet-stream"

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
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
}


@dataclass(frozen=True)
class Claim:
    """What the signer declares. ``source_type`` is an IPTC digital source type, ``change`` one plain phrase.

    ``consent_sha256`` is the digest of the consent record: the record itself names a person and stays at home.
    """

    source_type: DigitalSourceType
    change: str
    title: str
    consent_sha256: str | None = None


def sign(
    source_file: Path, out_file: Path, claim: Claim, *, ingredient: Path | None = None, identity: Identity | None = None
) -> None:
    """Write ``source_file`` with signed credentials to ``out_file`` (which may be the same), atomically.

    With an ``ingredient`` the file was opened from it and edited, else it was created. An ingredient keeps the
    credentials it has. Raises CredentialError where the format cannot carry credentials or signing fails, and
    StorageError where ``out_file`` cannot be written; ``out_file`` then is as it was.
    """
    identity = identity or local_identity()
    if _media_type(source_file) is None:
        raise CredentialError(
            f"{Path(source_file).suffix or 'This kind of'} files cannot carry credentials. "
            "Choose mp4, mov, jpg, png, webp, wav or m4a for the output."
        )
    hashings: tuple[Hashing, ...] = ("in pieces", "whole") if _size(source_file) >= _LONG_BYTES else ("whole",)
    with atomic_write(Path(out_file)) as temporary:
        for hashing in hashings:
            _sign_once(Path(source_file), temporary, claim, ingredient, identity, hashing)
            with _context(identity.certificates_pem) as context:
                if _read(temporary, context).state == "trusted":
                    return
        raise CredentialError(
            f"{claim.title} was signed, but its credentials do not hold. Write it anew as a plain mp4 and sign that."
        )


def read(path: Path) -> Credentials:
    """Read and check the credentials inside ``path``.

    Known signers are the local identity and those of the user's trust list. Raises BadMediaError where the file cannot
    be opened, CredentialError where the trust list or the local root is damaged.
    """
    with _context(trust_anchors()) as context:
        return _read(Path(path), context)


def trust_list() -> Path:
    """The user's list of signers they know: certificates in PEM, one after another. The file need not exist."""
    return home() / "trust.pem"


def trust_anchors() -> str:
    """PEM certificates of every signer known here: the local root and the user's trust list. Raises CredentialError."""
    path = trust_list()
    try:
        listed = path.read_bytes() if path.exists() else b""
        if listed.strip():
            x509.load_pem_x509_certificates(listed)
        text = listed.decode("ascii")
    except (OSError, ValueError) as error:
        raise CredentialError(
            f"The trust list {path} cannot be used ({error}). Put PEM certificates in it, or move it away."
        ) from error
    return "\n".join(part for part in (local_root(), text) if part)


def _read(path: Path, context: c2pa.Context) -> Credentials:
    try:
        with path.open("rb") as file, c2pa.Reader(_media_type(path), file, context=context) as reader:
            return condense(json.loads(reader.json()))
    except OSError as error:
        raise BadMediaError(
            f"{path} cannot be read ({error.strerror or error}). Check its name and permissions."
        ) from error
    except c2pa.C2paError as error:
        return _unreadable(error)


def _sign_once(
    source_file: Path, signed_file: Path, claim: Claim, ingredient: Path | None, identity: Identity, hashing: Hashing
) -> None:
    destination: _Destination | None = None
    with ExitStack() as stack:
        try:
            context = stack.enter_context(_context(identity.certificates_pem, hashing))
            builder = stack.enter_context(_builder(claim, ingredient, context))
            signer = stack.enter_context(_signer(identity))
            destination = stack.enter_context(_Destination(signed_file))
            content = stack.enter_context(source_file.open("rb"))
            builder.sign(signer, _media_type(source_file), content, destination)
        except c2pa.C2paError as error:
            if destination is not None and destination.failure is not None:
                raise destination.failure from error
            raise CredentialError(
                f"{claim.title} could not be signed: {_one_line(error)}. Check that the file plays and try again."
            ) from error


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


def _context(anchors: str, hashing: Hashing = "whole") -> c2pa.Context:
    """Settings of this one call; the library's global settings stay untouched.

    Thumbnails are off because one of the parent would put the unaltered picture into the file made from it. Hashing a
    film in pieces (a Merkle tree) keeps signing and reading from holding it in memory; SDK 0.91.3 gets it wrong where
    a film has several mdat boxes, which is one reason why ``sign`` reads back what it has signed.
    """
    settings: dict[str, dict[str, Any]] = {
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_trust": True,
            "verify_after_sign": False,
        },
        "core": {"allowed_network_hosts": [], "backing_store_memory_threshold_in_mb": _HELD_IN_MEMORY_MB},
        "trust": {"user_anchors": anchors} if anchors else {},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if hashing == "in pieces":
        settings["core"]["merkle_tree_chunk_size_in_kb"] = _PIECE_KB
    return c2pa.Context.from_dict(settings)


def _signer(identity: Identity) -> c2pa.Signer:
    chain, key = identity.certificates_pem.encode(), identity.key_pem.encode()
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(ALGORITHM, chain, key, None))


def _manifest(claim: Claim, opened: bool) -> dict[str, Any]:
    """The claim as the SDK takes it. The first action must be opened or created (C2PA 2.4, "Actions")."""
    source_type = _SOURCE_TYPE_PREFIX + claim.source_type
    made = {"digitalSourceType": source_type, "description": claim.change, "softwareAgent": {"name": "likeness"}}
    actions: list[dict[str, Any]] = [{"action": "c2pa.created", **made}]
    if opened:
        opening = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}}
        actions = [opening, {"action": "c2pa.edited", **made}]
    provenance = {"tool": "likeness", "version": __version__}
    if claim.consent_sha256:
        provenance["consent_sha256"] = claim.consent_sha256
    return {
        "claim_generator_info": [{"name": "likeness", "version": __version__}],
        "title": claim.title,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}, "created": True},
            {"label": PROVENANCE_LABEL, "data": provenance, "created": True},
        ],
    }


def _builder(claim: Claim, ingredient: Path | None, context: c2pa.Context) -> c2pa.Builder:
    """The claim with its parent. A parent that the SDK cannot parse (cut off, misnamed) is named, not looked into."""
    manifest = _manifest(claim, opened=ingredient is not None)
    builder = c2pa.Builder(manifest, context=context)
    if ingredient is None:
        return builder
    parent = {"title": ingredient.name, "relationship": "parentOf", "label": _PARENT, "instance_id": _PARENT}
    try:
        with ingredient.open("rb") as content:
            builder.add_ingredient(parent, _media_type(ingredient) or _UNKNOWN_TYPE, content)
    except OSError as error:
        builder.close()
        raise CredentialError(
            f"The source {ingredient} cannot be read ({error.strerror or error}). Keep it in place until the end."
        ) from error
    except c2pa.C2paError:
        builder.close()
        return c2pa.Builder(manifest | {"ingredients": [parent]}, context=context)
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
        return Path(path).stat().st_size
    except OSError as error:
        raise CredentialError(
            f"{path} cannot be read ({error.strerror or error}). Name a file that is there."
        ) from error


def _media_type(path: Path) -> str | None:
    return _MEDIA_TYPES.get(Path(path).suffix.lower())


def _one_line(error: Exception) -> str:
    return plain(error).rstrip(".")
