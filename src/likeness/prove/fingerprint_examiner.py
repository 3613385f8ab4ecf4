"""Examine what the picture looks like: is it one of the works in the store?"""

from typing import ClassVar

from likeness.errors import StorageError
from likeness.examiner import Examiner, Finding, abstention
from likeness.faces.face import Track
from likeness.files import sha256_of
from likeness.media.clip import Clip
from likeness.prove.recognise import GLANCE, SHORT_WAIT_S, fingerprints
from likeness.prove.store import Match, Store
from likeness.prove.words import is_composite, is_synthetic, recorded


class FingerprintExaminer(Examiner):
    """A match says "this looks like that work", and what follows depends on how the work was made.

    A wholly synthetic work has no camera original that could be taken for it; different pictures differ in 110 bits and
    more, far from the 31 of a match, so ``whole`` is as much as an unconfirmed watermark counts. A swap looks almost
    like the footage that it was made from, and that footage matches as well: ``composite`` is below what a verdict
    needs. Only a file that is the recorded one byte for byte (``identical``) leaves no such doubt. These are
    judgements, not calibrated on data. Footage published as a camera's is no evidence against alterations too small for
    a fingerprint.
    """

    name: ClassVar[str] = "fingerprint"
    identical: ClassVar[float] = 4.0
    whole: ClassVar[float] = 3.0
    composite: ClassVar[float] = 0.3

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """One finding about the file."""
        store = Store(wait_s=SHORT_WAIT_S)
        try:
            same = store.find_by_sha256(sha256_of(clip.path))
            if same is not None and is_synthetic(same):
                return [self._finding(f"This very file is in the store as {recorded(same)}.", self.identical)]
            if clip.kind == "sound":
                return [abstention(self.name, "Sound has no fingerprint.")]
            matches = fingerprints(clip, GLANCE).find(store)
        except StorageError as error:
            return [abstention(self.name, str(error))]
        match = next((match for match in matches if is_synthetic(match.work)), matches[0] if matches else None)
        if match is None:
            return [abstention(self.name, "It looks like nothing in the store. That says nothing, as most files do.")]
        return [self._of_match(match)]

    def _of_match(self, match: Match) -> Finding:
        looks = f"It looks like {recorded(match.work)}, {match.distance} of 256 bits apart"
        if not is_synthetic(match.work):
            text = f"{looks}. Changes as small as a face can go unnoticed by a fingerprint."
            return abstention(self.name, text).model_copy(update={"details": _details(match)})
        if is_composite(match.work):
            text = f"{looks}; so does the footage which that work was made from."
            return self._finding(text, self.composite, match)
        return self._finding(f"{looks}, which shows nobody filmed.", self.whole, match)

    def _finding(self, text: str, llr: float, match: Match | None = None) -> Finding:
        return Finding(examiner=self.name, text=text, llr=llr, details=_details(match) if match else {})


def _details(match: Match) -> dict[str, float | str | int | bool | None]:
    return {"id": match.work.mark_id, "distance": match.distance, "mirrored": match.mirrored}
