"""What a signer declares, and how C2PA writes it down (C2PA 2.4, "Actions", "Soft binding")."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, get_args

from likeness import __version__
from likeness.errors import SettingsError
from likeness.prove.manifest import (
    FINGERPRINT_ALGORITHM,
    PROVENANCE_LABEL,
    SECONDS_LABEL,
    SOFT_BINDING_LABEL,
    WATERMARK_ALGORITHM,
)
from likeness.prove.mp4_boxes import LAYOUT_LABEL

DigitalSourceType = Literal[
    "digitalCapture",
    "computationalCapture",
    "negativeFilm",
    "positiveFilm",
    "print",
    "humanEdits",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
    "compositeWithTrainedAlgorithmicMedia",
    "trainedAlgorithmicMedia",
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "dataDrivenMedia",
    "digitalCreation",
    "screenCapture",
    "virtualRecording",
]

SOURCE_TYPE_PREFIX = "http://cv.iptc.org/newscodes/digitalsourcetype/"
PARENT = "parent"  # links the opening action to the parent ingredient


@dataclass(frozen=True)
class Claim:
    """What the signer declares. ``source_type`` is an IPTC digital source type, ``change`` one plain phrase.

    Without a source type nothing is said of how the file came to be: it was opened and published as it is.
    ``consent_sha256`` is the digest of the consent record: the record itself names a person and stays at home.
    ``mark_id`` is the watermark's payload and ``fingerprint`` a PDQ hash, both in hexadecimal; they let the credentials
    be found again after they were stripped. ``seconds`` is a hash list (JSON) of what was to be seen in each second.
    """

    source_type: DigitalSourceType | None
    change: str
    title: str
    consent_sha256: str | None = None
    mark_id: str | None = None
    fingerprint: str | None = None
    seconds: dict[str, Any] | None = None


def source_type(text: str | None) -> DigitalSourceType | None:
    """The term of the vocabulary that a user has named. Raises SettingsError."""
    if text is None:
        return None
    for term in get_args(DigitalSourceType):
        if term.lower() == text.lower():
            return term
    raise SettingsError(f"“{text}” is no digital source type. Choose one of: {', '.join(get_args(DigitalSourceType))}.")


def manifest_of(claim: Claim, *, opened: bool, layout: dict[str, Any] | None, now: dt.datetime) -> dict[str, Any]:
    """The claim as the SDK takes it. The first action must be opened or created; ``now`` is only the signer's word."""
    provenance = {"tool": "likeness", "version": __version__}
    if claim.consent_sha256:
        provenance["consent_sha256"] = claim.consent_sha256
    assertions = [
        _assertion("c2pa.actions.v2", {"actions": _actions(claim, opened, f"{now:%Y-%m-%dT%H:%M:%SZ}")}),
        _assertion(PROVENANCE_LABEL, provenance),
        *(_assertion(SOFT_BINDING_LABEL, binding) for binding in _soft_bindings(claim)),
    ]
    if claim.seconds is not None:
        assertions.append(_assertion(SECONDS_LABEL, claim.seconds))
    if layout is not None:
        assertions.append(_assertion(LAYOUT_LABEL, layout))
    return {
        "claim_generator_info": [{"name": "likeness", "version": __version__}],
        "title": claim.title,
        "assertions": assertions,
    }


def _actions(claim: Claim, opened: bool, when: str) -> list[dict[str, Any]]:
    made: dict[str, Any] = {"description": claim.change, "softwareAgent": {"name": "likeness"}, "when": when}
    if claim.source_type is not None:
        made["digitalSourceType"] = SOURCE_TYPE_PREFIX + claim.source_type
    actions: list[dict[str, Any]] = [{"action": "c2pa.created", **made}]
    if opened:
        opening = {"action": "c2pa.opened", "parameters": {"ingredientIds": [PARENT]}}
        actions = [opening, {"action": "c2pa.edited" if claim.source_type else "c2pa.published", **made}]
    if claim.mark_id is not None:
        actions.append({"action": "c2pa.watermarked.bound", "description": "an invisible watermark", "when": when})
    return actions


def _soft_bindings(claim: Claim) -> list[dict[str, Any]]:
    values = ((WATERMARK_ALGORITHM, claim.mark_id), (FINGERPRINT_ALGORITHM, claim.fingerprint))
    return [{"alg": name, "blocks": [{"scope": {}, "value": value}]} for name, value in values if value is not None]


def _assertion(label: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "data": data, "created": True}
