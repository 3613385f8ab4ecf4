"""Examine what a file declares of itself: its content credentials."""

from typing import ClassVar

from likeness.examiner import Examiner, Finding, abstention
from likeness.faces.face import Track
from likeness.media.clip import Clip
from likeness.prove.credentials import read
from likeness.prove.manifest import SYNTHETIC_SOURCE_TYPES, Credentials, Ingredient, State

_PLAIN = {
    "compositeWithTrainedAlgorithmicMedia": "a composite with parts made by a trained model",
    "trainedAlgorithmicMedia": "made by a trained model",
    "algorithmicMedia": "made by a program",
    "compositeSynthetic": "a composite with synthetic parts",
    "digitalCapture": "taken by a camera",
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
}


class CredentialsExaminer(Examiner):
    """What the credentials declare, as evidence: a statement by whoever signed, not a measurement.

    Few gain by signing genuine footage as synthetic, so a declaration speaks for "synthetic": by ``known`` where the
    signer is the user or on their trust list, by less where anybody may have signed. These two are judgements, not
    calibrated on data. A camera claim gets no ratio at all: credentials can be stripped and the file signed anew, so
    a signature tells who signed and not what is true. Missing credentials say nothing, as most platforms strip them.
    """

    name: ClassVar[str] = "credentials"
    known: ClassVar[float] = 4.0
    unknown: ClassVar[float] = 2.0

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """One finding about the file's own credentials, and one for each ingredient whose credentials are broken."""
        found = read(clip.path)
        if found.state == "absent":
            return [
                abstention(
                    self.name, f"No credentials: {found.reason}. That says nothing, as most platforms strip them."
                )
            ]
        return [
            self._of_claim(found),
            *(self._of_broken(part) for part in found.all_ingredients() if part.state == "invalid"),
        ]

    def _of_claim(self, found: Credentials) -> Finding:
        if found.state == "invalid":
            return self._finding(
                found,
                f"The credentials{_by(found)} are broken: {_broken(found.problems)}. What they declare does not count.",
                0.0,
            )
        signed = f"Signed by {_name(found)}, {_standing(found.state)}"
        declared = [kind for kind in found.digital_source_types if kind in SYNTHETIC_SOURCE_TYPES]
        if declared:
            text = f"{signed}, who declares: {_list(declared)}. This is the signer's statement, not a measurement."
            return self._finding(found, text, self._strength(found.state))
        parent = _synthetic_parent(found)
        if parent is not None:
            kinds = [kind for kind in parent.digital_source_types if kind in SYNTHETIC_SOURCE_TYPES]
            text = f"{signed}, who edited it from “{parent.title}”, which is itself declared as: {_list(kinds)}."
            return self._finding(found, text, min(self._strength(found.state), self._strength(parent.state)))
        claim = f"declares: {_list(found.digital_source_types)}" if found.digital_source_types else "declares no origin"
        text = f"{signed}, who {claim}. The signature tells who signed, not whether that is true."
        return abstention(self.name, text).model_copy(update={"details": _details(found)})

    def _of_broken(self, part: Ingredient) -> Finding:
        text = f"The credentials of “{part.title}”, from which this was made, are broken: {_broken(part.problems)}."
        return Finding(examiner=self.name, text=text, llr=0.0, details={"ingredient": part.title, "state": part.state})

    def _finding(self, found: Credentials, text: str, llr: float) -> Finding:
        return Finding(examiner=self.name, text=text, llr=llr, details=_details(found))

    def _strength(self, state: State) -> float:
        return {"trusted": self.known, "unknown_signer": self.unknown}.get(state, 0.0)


def _synthetic_parent(found: Credentials) -> Ingredient | None:
    """The nearest intact ingredient that is declared synthetic and of which the whole file is an edit."""
    parts = [part for part in found.ingredients if part.relationship == "parentOf" and part.state != "invalid"]
    while parts:
        part = parts.pop(0)
        if SYNTHETIC_SOURCE_TYPES.intersection(part.digital_source_types):
            return part
        parts += [inner for inner in part.ingredients if inner.relationship == "parentOf" and inner.state != "invalid"]
    return None


def _details(found: Credentials) -> dict[str, float | str | int | bool | None]:
    return {
        "state": found.state,
        "signer": found.signer,
        "issuer": found.issuer,
        "claim_generator": found.claim_generator,
        "declared": ", ".join(found.digital_source_types) or None,
        "problems": ", ".join(found.problems) or None,
    }


def _name(found: Credentials) -> str:
    name = found.signer or "somebody without a name"
    return f"{name} ({found.issuer})" if found.issuer else name


def _by(found: Credentials) -> str:
    return f", signed as {_name(found)}," if found.signer else ""


def _standing(state: State) -> str:
    return "whom this computer knows" if state == "trusted" else "whom this computer does not know"


def _list(kinds: list[str]) -> str:
    return ", ".join(_PLAIN.get(kind, kind) for kind in kinds)


def _broken(problems: list[str]) -> str:
    """In plain words which part does not hold, with the code of the specification for those who want to look it up."""
    real = [code for code in problems if code != "signingCredential.untrusted"]
    return "; ".join(f"{_meaning(code)} ({code})" if _meaning(code) else code for code in real)


def _meaning(code: str) -> str:
    return next((words for part, words in _BROKEN.items() if part in code), "")
