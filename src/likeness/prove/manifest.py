"""What a file's credentials say, condensed from the C2PA SDK's report; its codes are those of C2PA 2.4, "Validation".

Everything in a manifest was chosen by whoever signed it: shapes are checked, names become short plain lines.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["trusted", "unknown_signer", "invalid", "absent"]

SYNTHETIC_SOURCE_TYPES = frozenset(
    {"compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia", "algorithmicMedia", "compositeSynthetic"}
)
PROVENANCE_LABEL = "likeness.provenance"  # an assertion of our own, in our own namespace
_UNTRUSTED = "signingCredential.untrusted"
_TRUSTED = "signingCredential.trusted"
_MAX_DEPTH = 64  # of ingredients within ingredients
_MAX_TEXT = 200  # characters


class Ingredient(BaseModel):
    """Something the file was made from; its state and ``problems`` (C2PA validation codes) are its own."""

    model_config = ConfigDict(frozen=True)

    title: str | None
    relationship: str | None
    state: State
    signer: str | None = None
    problems: list[str] = []
    digital_source_types: list[str] = []
    ingredients: list["Ingredient"] = []


class Credentials(BaseModel):
    """What a file's credentials say and whether they hold. ``reason`` explains ``absent``.

    ``signer`` and ``issuer`` are the certificate's common name and organisation; ``problems`` C2PA validation codes;
    ``digital_source_types`` the last part of the IPTC terms; ``provenance`` our own assertion, where there is one.
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

    def all_ingredients(self) -> list[Ingredient]:
        """Every ingredient at every depth, parents before their own ingredients."""
        found, waiting = [], list(self.ingredients)
        while waiting:
            found.append(waiting.pop(0))
            waiting[:0] = found[-1].ingredients
        return found


def condense(store: Mapping[str, Any]) -> Credentials:
    """Condense the SDK's JSON report of a manifest store."""
    manifests = store.get("manifests", {})
    active = manifests.get(store.get("active_manifest"), {})
    results = store.get("validation_results", {})
    state, problems = _judge(results.get("activeManifest", {}))
    if store.get("validation_state") == "Invalid" and state != "invalid":
        state, problems = "invalid", _codes(store.get("validation_status", []))
    signature = active.get("signature_info", {})
    return Credentials(
        state=state,
        signer=named(signature.get("common_name")),
        issuer=named(signature.get("issuer")),
        problems=problems,
        claim_generator=_generator(active),
        digital_source_types=_source_types(active),
        actions=[plain(action.get("action")) for action in _actions(active)],
        ingredients=_Ingredients(manifests, results.get("ingredientDeltas", [])).of(active, _MAX_DEPTH),
        provenance=_provenance(active),
    )


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

    def __init__(self, manifests: Mapping[str, Any], deltas: Sequence[Mapping[str, Any]]) -> None:
        self._manifests = manifests
        self._deltas = deltas
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
        return Ingredient(
            title=title,
            relationship=relationship,
            state=state,
            signer=named(own.get("signature_info", {}).get("common_name")),
            problems=problems,
            digital_source_types=_source_types(own),
            ingredients=self.of(own, depth - 1),
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
