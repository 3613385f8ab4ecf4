"""Examine what a file declares of itself: its content credentials."""

from typing import ClassVar

from likeness.examiner import Examiner, Finding, abstention
from likeness.faces.face import Track
from likeness.media.clip import Clip
from likeness.prove.credentials import read
from likeness.prove.manifest import SYNTHETIC_SOURCE_TYPES, Credentials, Ingredient, State
from likeness.prove.words import broken, signed_by, standing
from likeness.prove.words import declared as in_words


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
            why = f" {found.reason}" if found.reason else ""
            text = f"The credentials{_by(found)} are broken: {broken(found.problems)}.{why}"
            return self._finding(found, f"{text} What they declare does not count.", 0.0)
        signed = f"Signed by {signed_by(found.signer, found.issuer)}, {standing(found.state)}"
        declared = [kind for kind in found.digital_source_types if kind in SYNTHETIC_SOURCE_TYPES]
        if declared:
            text = f"{signed}, who declares: {in_words(declared)}. This is the signer's statement, not a measurement."
            return self._finding(found, text, self._strength(found.state))
        parent = _synthetic_parent(found)
        if parent is not None:
            kinds = [kind for kind in parent.digital_source_types if kind in SYNTHETIC_SOURCE_TYPES]
            text = f"{signed}, who edited it from “{parent.title}”, which is itself declared as: {in_words(kinds)}."
            return self._finding(found, text, min(self._strength(found.state), self._strength(parent.state)))
        claim = (
            f"declares: {in_words(found.digital_source_types)}" if found.digital_source_types else "declares no origin"
        )
        text = f"{signed}, who {claim}. The signature tells who signed, not whether that is true."
        return abstention(self.name, text).model_copy(update={"details": _details(found)})

    def _of_broken(self, part: Ingredient) -> Finding:
        text = f"The credentials of “{part.title}”, from which this was made, are broken: {broken(part.problems)}."
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
        "notices": " ".join(found.notices) or None,
        "sidecar": found.sidecar,
    }


def _by(found: Credentials) -> str:
    return f", signed as {signed_by(found.signer, found.issuer)}," if found.signer else ""
