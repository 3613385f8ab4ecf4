"""Plain words for what manifests, the store and clocks say; every layer and every examiner uses the same ones."""

from collections.abc import Iterable, Sequence

from likeness.prove.manifest import SYNTHETIC_SOURCE_TYPES, State
from likeness.prove.store import Work

CAMERA_SOURCE_TYPES = frozenset({"digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm"})

_SOURCE_TYPES = {
    "compositeWithTrainedAlgorithmicMedia": "a composite with parts made by a trained model",
    "trainedAlgorithmicMedia": "made by a trained model",
    "algorithmicMedia": "made by a program",
    "compositeSynthetic": "a composite with synthetic parts",
    "digitalCapture": "taken by a camera",
    "computationalCapture": "taken by a camera and computed from several pictures",
    "negativeFilm": "scanned from film",
    "positiveFilm": "scanned from film",
}
_BROKEN = {
    "dataHash": "the picture or sound was changed after signing",
    "bmffHash": "the picture or sound was changed after signing",
    "boxesHash": "the picture or sound was changed after signing",
    "claimSignature": "the signature does not fit the claim",
    "hashedURI": "a statement in the claim was changed or replaced after signing",
    "assertion.missing": "a statement that the claim refers to is missing",
    "signingCredential.expired": "the signer's certificate has expired",
    "signingCredential.revoked": "the signer's certificate was revoked",
    "signingCredential.invalid": "the signer's certificate is not fit for signing",
    "signingCredential.ocsp.revoked": "the signer's certificate was revoked",
    "file.unreadable": "the file is damaged",
    "manifest.oversized": "they are larger than credentials can sensibly be",
    "layout.mismatch": "parts of the file that no signature covers were changed",
    "layout.trailing": "bytes were put after the end of the file",
}
_ORIGINS = {
    "swap": "a face swap",
    "reenact": "a reenactment",
    "portrait": "a synthetic portrait",
    "actor": "footage of a synthetic actor",
    "published": "published",
}
_MADE_HERE = frozenset(_ORIGINS) - {"published"}
# What is made out of somebody's footage and so looks much like it.
_COMPOSITES = frozenset({"compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})
_UNTRUSTED = "signingCredential.untrusted"


def declared(kinds: Sequence[str]) -> str:
    """Digital source types (the last part of the IPTC terms) in words."""
    return ", ".join(_SOURCE_TYPES.get(kind, kind) for kind in kinds)


def signed_by(signer: str | None, issuer: str | None = None) -> str:
    """A signer with the organisation in their certificate."""
    name = signer or "somebody without a name"
    return f"{name} ({issuer})" if issuer else name


def standing(state: State) -> str:
    """Whether this computer knows a signer, as a clause."""
    return "whom this computer knows" if state == "trusted" else "whom this computer does not know"


def broken(problems: Iterable[str]) -> str:
    """Which part does not hold, with the code of the specification for those who want to look it up."""
    real = [code for code in problems if code != _UNTRUSTED]
    return "; ".join(f"{meaning} ({code})" if (meaning := _meaning(code)) else code for code in real)


def _meaning(code: str) -> str:
    return next((words for part, words in _BROKEN.items() if part in code), "")


def says_camera(kinds: Iterable[str]) -> bool:
    """Whether the declared source types name a camera and nothing synthetic."""
    kinds = set(kinds)
    return bool(kinds & CAMERA_SOURCE_TYPES) and not kinds & SYNTHETIC_SOURCE_TYPES


def is_synthetic(work: Work) -> bool:
    """Whether the store says that ``work`` was made by a program, wholly or in part."""
    return work.source_type in SYNTHETIC_SOURCE_TYPES


def is_composite(work: Work) -> bool:
    """Whether ``work`` was made out of other footage, which therefore has nearly the same fingerprint."""
    return work.source_type in _COMPOSITES


def has_footage(work: Work) -> bool:
    """Whether there is footage that looks like ``work`` without being it: that of a swap, or of a published copy."""
    return is_composite(work) or not is_synthetic(work)


def recorded(work: Work) -> str:
    """A work as the store knows it: "“a.mp4” (a face swap, recorded on 2026-11-21)"."""
    how = _ORIGINS.get(work.origin, work.origin)
    if work.origin not in _MADE_HERE and work.source_type:
        how = f"{how} as {declared([work.source_type])}"
    return f"“{work.title}” ({how}, recorded on {work.made_at:%Y-%m-%d})"


def stretches(spans: Iterable[tuple[float, float]]) -> str:
    """Spans in seconds: "2–3 s and 7–9 s"."""
    parts = [f"{start:g}–{end:g} s" for start, end in spans]
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
