"""What a file's credentials say, condensed from the C2PA SDK's report; its codes are those of C2PA 2.4, "Validation".

Everything in a manifest was chosen by whoever signed it: shapes are checked, names become short plain lines.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from likeness.prove.mp4_boxes import LAYOUT_LABEL

State = Literal["trusted", "unknown_signer", "invalid", "absent"]

SYNTHETIC_SOURCE_TYPES = frozenset(
    {"compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia", "algorithmicMedia", "compositeSynthetic"}
)
PROVENANCE_LABEL = "likeness.provenance"  # an assertion of our own, in our own namespace
SECONDS_LABEL = "org.likeness.seconds"
SOFT_BINDING_LABEL = "c2pa.soft-binding"
WATERMARK_ALGORITHM = "org.likeness.watermark.1"  # our own: not on the C2PA list of soft bindings
FINGERPRINT_ALGORITHM = "org.likeness.pdq.1"
REVOKED = "signingCredential.revoked"
EXPIRED = "signingCredential.expired"
_UNTRUSTED = "signingCredential.untrusted"
_TRUSTED = "signingCredential.trusted"
_MAX_DEPTH = 64  # of ingredients within ingredients
_MAX_TEXT = 200  # characters


class SignerCertificate(BaseModel):
    """What is known of a signer's own certificate; ``issuer`` by short attribute names (CN, O, …)."""

    model_config = ConfigDict(frozen=True)

    serial: int | None = None
    issuer: dict[str, str] = {}
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None


class Ingredient(BaseModel):
    """Something the file was made from; its state and ``problems`` (C2PA validation codes) are its own, and
    ``manifest`` names its credentials uniquely.
    """

    model_config = ConfigDict(frozen=True)

    title: str | None
    relationship: str | None
    state: State
    signer: str | None = None
    problems: list[str] = []
    digital_source_types: list[str] = []
    ingredients: list["Ingredient"] = []
    manifest: str | None = None


class Credentials(BaseModel):
    """What a file's credentials say and whether they hold. ``reason`` explains ``absent`` and certificates that fail.

    ``signer`` and ``issuer`` are the certificate's common name and organisation, ``known_by`` the list that made the
    signer known; ``problems`` C2PA validation codes, and codes of our own under ``org.likeness``; ``notices`` sentences
    on what no signature covers or what else a reader should know; ``digital_source_types`` the last part of the IPTC
    terms; ``provenance`` our own assertion, where there is one. ``signed_at`` is a time stamp's, ``claimed_at`` only
    the signer's word. ``mark_id``, ``fingerprint`` (hexadecimal) and ``seconds`` (a hash list) are the soft bindings
    that our own files carry. ``sidecar`` says that the manifest lay in a file beside, ``manifest`` names it uniquely.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    reason: str | None = None
    signer: str | None = None
    issuer: str | None = None
    problems: list[str] = []
    claim_generator: str | None = None
    digital_source_types: list[str] = []
    actions: list[str] = []
    ingredients: list[Ingredient] = []
    provenance: dict[str, str] = {}
    known_by: str | None = None
    notices: list[str] = []
    title: str | None = None
    signed_at: str | None = None
    claimed_at: str | None = None
    mark_id: str | None = None
    fingerprint: str | None = None
    seconds: dict[str, Any] | None = None
    layout: dict[str, Any] | None = None
    sidecar: bool = False
    manifest: str | None = None

    @property
    def sound(self) -> bool:
        """Whether neither the claim nor anything it was made from is broken. That tells nothing of what is true."""
        return self.state in ("trusted", "unknown_signer") and not self.broken_ingredients()

    def broken_ingredients(self) -> list[Ingredient]:
        """The ingredients at any depth whose own credentials do not hold."""
        return [part for part in self.all_ingredients() if part.state == "invalid"]

    def all_ingredients(self) -> list[Ingredient]:
        """Every ingredient at every depth, parents before their own ingredients."""
        found, waiting = [], list(self.ingredients)
        while waiting:
            found.append(waiting.pop(0))
            waiting[:0] = found[-1].ingredients
        return found


def condense(
    store: Mapping[str, Any],
    certificates: Mapping[str, SignerCertificate] | None = None,
    revoked: Callable[[SignerCertificate], bool] = lambda certificate: False,
) -> Credentials:
    """Condense the SDK's JSON report of a manifest store. ``certificates`` by manifest (``certificates_of``)."""
    certificates = certificates or {}
    manifests = store.get("manifests", {})
    label = store.get("active_manifest")
    active = manifests.get(label, {})
    results = store.get("validation_results", {})
    state, problems = _judge(results.get("activeManifest", {}))
    if store.get("validation_state") == "Invalid" and state != "invalid":
        state, problems = "invalid", _codes(store.get("validation_status", []))
    certificate = certificates.get(str(label), SignerCertificate())
    if revoked(certificate):
        state, problems = "invalid", [*problems, REVOKED]
    gone = {name for name, signer in certificates.items() if revoked(signer)}
    ingredients = _Ingredients(manifests, results.get("ingredientDeltas", []), gone).of(active, _MAX_DEPTH)
    signature = active.get("signature_info", {})
    claimed = _claimed_at(active)
    return Credentials(
        state=state,
        reason=_why(problems, certificate, claimed),
        signer=named(signature.get("common_name")),
        issuer=named(signature.get("issuer")),
        problems=problems,
        claim_generator=_generator(active),
        digital_source_types=_source_types(active),
        actions=[plain(action.get("action")) for action in _actions(active)],
        ingredients=ingredients,
        provenance=_provenance(active),
        notices=_notices(results.get("activeManifest", {}), ingredients),
        title=named(active.get("title")),
        signed_at=named(signature.get("time")),
        claimed_at=claimed.isoformat() if claimed else None,
        mark_id=_soft_binding(active, WATERMARK_ALGORITHM),
        fingerprint=_soft_binding(active, FINGERPRINT_ALGORITHM),
        seconds=next((dict(data) for data in _assertions(active, SECONDS_LABEL)), None),
        layout=next((dict(data) for data in _assertions(active, LAYOUT_LABEL)), None),
        manifest=named(label),
    )


def certificates_of(report: Mapping[str, Any]) -> dict[str, SignerCertificate]:
    """The signers' certificates by manifest label, from the SDK's crJSON report."""
    found = {}
    for manifest in _mappings(report.get("manifests")):
        signature = manifest.get("signature")
        info = signature.get("certificateInfo") if isinstance(signature, Mapping) else None
        if isinstance(info, Mapping):
            issuer, validity = info.get("issuer"), info.get("validity")
            validity = validity if isinstance(validity, Mapping) else {}
            found[str(manifest.get("label"))] = SignerCertificate(
                serial=_serial(info.get("serialNumber")),
                issuer={str(key): str(value) for key, value in issuer.items()} if isinstance(issuer, Mapping) else {},
                not_before=_time(validity.get("notBefore")),
                not_after=_time(validity.get("notAfter")),
            )
    return found


def _why(problems: Sequence[str], certificate: SignerCertificate, claimed: dt.datetime | None) -> str | None:
    """In a sentence what is wrong with the signer's certificate."""
    if any(code.endswith(".revoked") for code in problems):
        return "The signer's certificate was revoked, so that nobody can tell who used its key."
    if EXPIRED not in problems or certificate.not_after is None or certificate.not_before is None:
        return None
    end = f"{certificate.not_after:%Y-%m-%d}"
    if claimed is None:
        return f"The signer's certificate ran out on {end}, and no time stamp shows that it was used before."
    if claimed > certificate.not_after:
        return (
            f"The signer's certificate had run out on {end}, before the {claimed:%Y-%m-%d} that the claim itself names."
        )
    if claimed < certificate.not_before:
        return f"The claim names {claimed:%Y-%m-%d}, a day before the signer's certificate began."
    return (
        f"The signer's certificate ran out on {end}. The claim names {claimed:%Y-%m-%d}, when it still held, "
        "but no time stamp proves that day."
    )


def _notices(results: Mapping[str, Any], ingredients: Sequence[Ingredient]) -> list[str]:
    notices = [
        f"What it was made from, “{part.title}”, has broken credentials."
        for part in ingredients
        if part.state == "invalid"
    ]
    if "assertion.dataHash.additionalExclusionsPresent" in _codes(results.get("informational", [])):
        notices.append("Some bytes beside the credentials are outside the signature; only in a TIFF is that always so.")
    return notices


def _soft_binding(manifest: Mapping[str, Any], algorithm: str) -> str | None:
    """The value of the first block of the soft binding of this algorithm."""
    for data in _assertions(manifest, SOFT_BINDING_LABEL):
        blocks = _mappings(data.get("blocks"))
        if data.get("alg") == algorithm and blocks and isinstance(blocks[0].get("value"), str):
            return plain(blocks[0]["value"])
    return None


def _claimed_at(manifest: Mapping[str, Any]) -> dt.datetime | None:
    """The latest time that the claim's own actions name; only the signer's word."""
    times = [time for action in _actions(manifest) if (time := _time(action.get("when")))]
    return max(times, default=None)


def _time(text: Any) -> dt.datetime | None:
    try:
        time = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _serial(text: Any) -> int | None:
    try:
        return int(str(text), 16)
    except ValueError:
        return None


def _judge(results: Mapping[str, Any]) -> tuple[State, list[str]]:
    """State and problem codes of one manifest. An unknown signer is not a broken signature, though the SDK lists both
    as failures."""
    problems = _codes(results.get("failure", []))
    if any(code != _UNTRUSTED for code in problems):
        return "invalid", problems
    trusted = _TRUSTED in _codes(results.get("success", []))
    return ("trusted" if trusted and not problems else "unknown_signer"), problems


class _Ingredients:
    """The tree of ingredients. A manifest is opened where it is met first, so that a store cannot grow a huge tree."""

    def __init__(self, manifests: Mapping[str, Any], deltas: Sequence[Mapping[str, Any]], revoked: set[str]) -> None:
        self._manifests = manifests
        self._deltas = deltas
        self._revoked = revoked  # manifests whose signer's certificate was revoked
        self._opened: set[str] = set()

    def of(self, manifest: Mapping[str, Any], depth: int) -> list[Ingredient]:
        """The ingredients of ``manifest``, ``depth`` levels of them."""
        label = str(manifest.get("label"))
        if depth == 0 or label in self._opened:
            return []
        self._opened.add(label)
        return [self._ingredient(entry, label, depth) for entry in _mappings(manifest.get("ingredients"))]

    def _ingredient(self, entry: Mapping[str, Any], owner: str, depth: int) -> Ingredient:
        """What its importer recorded of the ingredient, corrected by what has been found today (the deltas)."""
        title, relationship = named(entry.get("title")), named(entry.get("relationship"))
        own = self._manifests.get(str(entry.get("active_manifest")))
        if own is None:
            return Ingredient(title=title, relationship=relationship, state="absent")
        state, problems = _judge(self._results(entry, f"/{owner}/c2pa.assertions/{entry.get('label')}"))
        if str(entry.get("active_manifest")) in self._revoked:
            state, problems = "invalid", [*problems, REVOKED]
        return Ingredient(
            title=title,
            relationship=relationship,
            state=state,
            signer=named(own.get("signature_info", {}).get("common_name")),
            problems=problems,
            digital_source_types=_source_types(own),
            ingredients=self.of(own, depth - 1),
            manifest=named(own.get("label")),
        )

    def _results(self, entry: Mapping[str, Any], uri_end: str) -> dict[str, list[Mapping[str, Any]]]:
        today = [
            delta.get("validationDeltas", {})
            for delta in self._deltas
            if str(delta.get("ingredientAssertionURI", "")).endswith(uri_end)
        ]
        recorded = entry.get("validation_results", {}).get("activeManifest", {})
        success = [status for part in (recorded, *today) for status in part.get("success", [])]
        failure = [status for part in (recorded, *today) for status in part.get("failure", [])]
        failure += entry.get("validation_status", [])  # where claims of version 1 keep it
        if _TRUSTED in [code for part in today for code in _codes(part.get("success", []))]:
            failure = [status for status in failure if status.get("code") != _UNTRUSTED]
        return {"success": success, "failure": failure}


def _actions(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [action for data in _assertions(manifest, "c2pa.actions") for action in _mappings(data.get("actions"))]


def _source_types(manifest: Mapping[str, Any]) -> list[str]:
    declared = (plain(action.get("digitalSourceType") or "") for action in _actions(manifest))
    return list(dict.fromkeys(term.rsplit("/", 1)[-1] for term in declared if term))


def _generator(manifest: Mapping[str, Any]) -> str | None:
    for tool in _mappings(manifest.get("claim_generator_info")):
        return plain(f"{tool.get('name')} {tool.get('version') or ''}")
    return named(manifest.get("claim_generator"))


def _provenance(manifest: Mapping[str, Any]) -> dict[str, str]:
    for data in _assertions(manifest, PROVENANCE_LABEL):
        return {plain(key): plain(value) for key, value in data.items()}
    return {}


def _assertions(manifest: Mapping[str, Any], label: str) -> list[Mapping[str, Any]]:
    """The contents of all assertions of this label. A stranger may have put anything there: only mappings are kept."""
    entries = _mappings(manifest.get("assertions"))
    return _mappings([entry.get("data") for entry in entries if str(entry.get("label", "")).startswith(label)])


def _mappings(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def plain(text: Any) -> str:
    """A text that somebody else has chosen, as one short line without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)[:_MAX_TEXT]).strip()


def named(text: Any) -> str | None:
    """``plain`` for what may be missing."""
    return None if text is None else plain(text)


def _codes(statuses: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(status.get("code")) for status in statuses))
