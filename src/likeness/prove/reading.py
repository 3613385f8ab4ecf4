"""Reading credentials: inside a file, beside it, or found again without it (C2PA 2.4, "Validation").

Nothing is ever fetched from the network. What C2PA does not look at, the boxes that no signature covers, is looked at
here.
"""

import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import c2pa

from likeness.errors import BadMediaError, CredentialError
from likeness.prove import media_kinds
from likeness.prove.manifest import Credentials, certificates_of, condense, plain
from likeness.prove.manifest_store import check_size, find_sidecar, read_sidecar, read_store
from likeness.prove.media_kinds import medium_type
from likeness.prove.mp4_boxes import changes, looks_boxed, outer_boxes, remarks
from likeness.prove.signer import OFFLINE
from likeness.prove.trust import Trust, load_trust

_HELD_IN_MEMORY_MB = 16
_LAYOUT_MISMATCH, _TRAILING = "org.likeness.layout.mismatch", "org.likeness.layout.trailing"
_OVERSIZED = "org.likeness.manifest.oversized"
_UNREADABLE = "org.likeness.file.unreadable"
_CONTENT_HASHES = ("assertion.dataHash.", "assertion.bmffHash.", "assertion.boxesHash.", "assertion.collectionHash.")


def read(path: Path, trust: Trust | None = None) -> Credentials:
    """Read and check the credentials inside ``path``, or in the sidecar beside it (clip.c2pa for clip.mkv).

    Known signers are those of ``trust``; without it those of this computer, of the user's trust list and of the
    official list. Raises BadMediaError where the file cannot be opened, CredentialError where one of the lists is
    damaged.
    """
    path, trust = Path(path), trust or load_trust()
    try:
        store = read_store(path)
        found = read_with(path, trust, None)
        beside = store_beside(path) if found.state == "absent" else None
        if beside is not None:
            found = read_with(path, trust, beside).model_copy(update={"sidecar": True})
    except CredentialError as error:
        return Credentials(state="invalid", problems=[_OVERSIZED], reason=str(error))
    if found.sidecar:
        return found
    if found.state == "absent" and store is not None:
        reason = "The file has credentials, but is damaged elsewhere, so that they cannot be checked."
        found = Credentials(state="invalid", problems=[_UNREADABLE], reason=reason)
    return with_boxes(path, found, embedded=store is not None)


def read_manifest_bytes(path: Path) -> bytes | None:
    """The raw manifest store of ``path``, from inside it or from its sidecar; None where there is none.

    Raises BadMediaError where the file cannot be opened, CredentialError where the store is over 64 MiB.
    """
    store = read_store(path)
    return store_beside(Path(path)) if store is None else store


def read_detached(manifest: bytes, path: Path | None = None, trust: Trust | None = None) -> Credentials:
    """What a manifest store says by itself, for credentials that were stripped from a file and found again.

    Signature, signer and assertions are checked as ever. That ``path`` (re-encoded, cut) no longer has the bytes that
    were signed is expected, so it is a notice and no problem; without ``path`` nothing is said of it. Raises
    CredentialError where ``manifest`` is over 64 MiB, BadMediaError where ``path`` cannot be opened.
    """
    check_size("this file", len(manifest))
    if path is not None and read_store(path) == manifest:
        return read(path, trust)  # not detached at all
    found = read_with(path, trust or load_trust(), manifest)
    other_bytes = [code for code in found.problems if code.startswith(_CONTENT_HASHES)]
    problems = [code for code in found.problems if code not in other_bytes]
    notices, state = found.notices, found.state
    if other_bytes:
        if path is not None:
            notices = [*notices, "The file no longer has the bytes that were signed."]
        if state == "invalid" and not [code for code in problems if code != "signingCredential.untrusted"]:
            state = "unknown_signer" if problems or found.known_by is None else "trusted"
    return found.model_copy(update={"state": state, "problems": problems, "notices": notices})


def context_for(trust: dict[str, Any], **core: Any) -> c2pa.Context:
    """The SDK's settings for one call, ``core`` added; the library's global settings stay untouched."""
    held = {**OFFLINE["core"], "backing_store_memory_threshold_in_mb": _HELD_IN_MEMORY_MB}
    return c2pa.Context.from_dict(OFFLINE | {"core": held | core, "trust": trust})


def store_beside(path: Path) -> bytes | None:
    """The manifest store in the sidecar of ``path``. A clip.c2pa that binds another clip.* is not this file's."""
    sidecar = find_sidecar(path)
    if sidecar is None:
        return None
    store = read_sidecar(sidecar)
    if sidecar.stem != path.stem:
        return store
    namesakes = [other for other in path.parent.iterdir() if other.stem == path.stem and medium_type(other)]
    others = [other for other in namesakes if other != path]
    if others and not _binds(store, path) and any(_binds(store, other) for other in others):
        return None
    return store


def read_with(path: Path | None, trust: Trust, manifest: bytes | None) -> Credentials:
    """The credentials inside ``path``, or what ``manifest`` says of it, or of nothing at all, as ``trust`` sees them.

    Raises BadMediaError where ``path`` cannot be opened.
    """
    try:
        with ExitStack() as stack:
            context = stack.enter_context(context_for(trust.settings))
            if path is None:
                reader = c2pa.Reader(media_kinds.MANIFEST_STORE, io.BytesIO(manifest or b""), context=context)
            else:
                file = stack.enter_context(path.open("rb"))
                kind = medium_type(path) or (None if manifest is None else media_kinds.UNKNOWN)
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


def with_boxes(path: Path, found: Credentials, embedded: bool) -> Credentials:
    """Add what no signature covers in an mp4: changed or added boxes, and bytes after the end."""
    try:
        with path.open("rb") as file:
            if not looks_boxed(file) or (found.state == "absent" and not embedded):
                return found
            trailing = outer_boxes(file).trailing
            if found.problems == [_UNREADABLE] and trailing:
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


def one_line(error: Exception) -> str:
    """What the SDK says, without control characters and without its full stop."""
    return plain(error).rstrip(".")


def _binds(store: bytes, path: Path) -> bool:
    found = read_with(path, Trust({}, {}), store)
    return found.manifest is not None and not any(code.startswith(_CONTENT_HASHES) for code in found.problems)


def _known_by(store: dict[str, Any], certificate: Any, trust: Trust) -> str | None:
    results = store["validation_results"]
    codes = [status.get("code") for status in results["activeManifest"]["success"]]
    if "signingCredential.trusted" not in codes or certificate is None:
        return None
    return trust.list_of(results.get("trustListUri"), certificate)


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
    return Credentials(state="invalid", problems=[one_line(error)])
