"""Examine the invisible watermark: whose work it leads to, and whether a face was changed under it."""

from collections.abc import Sequence
from typing import ClassVar

from likeness.examiner import Examiner, Finding, abstention
from likeness.faces.face import Track
from likeness.files import sha256_of
from likeness.media.clip import Clip
from likeness.prove.recognise import GLANCE, SHORT_WAIT_S, Look, Recognition, recognise
from likeness.prove.store import Store
from likeness.prove.watermark.read import read_clip
from likeness.prove.words import is_synthetic, recorded

_LEAST_OVERLAP = 0.25  # of a face's box: from there on an altered region concerns the face

Box = tuple[float, float, float, float]


class WatermarkExaminer(Examiner):
    """What the mark is worth as evidence depends on the record that it leads to.

    None of 33,758 unmarked pictures gave a reading (docs/watermark.md), so fewer than 9 in 10⁵ do with 95 % confidence
    (rule of three), and a reading is over 10^4 times as probable under "synthetic" as by chance. Chance is not all:
    marks can be copied and records can be wrong, so ``bound`` is what credentials of a known signer count, and
    ``unconfirmed`` holds where the picture is too even for its fingerprint to bear the mark out; like the credentials'
    strengths, these are judgements. A mark over a picture that does not look like its work counts for nothing, nor
    does one that is not in the store: camera footage is published with the same mark. No mark says nothing.

    It reads fewer frames of a clip than `likeness verify` does, so a mark that compression has all but removed can be
    missed here and found there.

    ``altered_face``: part of a face lost the fine pattern of a mark that camera footage was published with. Less than a
    verdict needs, because it tells that something was changed and not what.
    """

    name: ClassVar[str] = "watermark"
    bound: ClassVar[float] = 4.0
    unconfirmed: ClassVar[float] = 3.0
    altered_face: ClassVar[float] = 0.9

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """One finding about the file."""
        if clip.kind == "sound":
            return [abstention(self.name, "Sound carries no watermark of ours.")]
        mark = read_clip(clip, GLANCE.read)
        if mark.state == "absent":
            return [
                abstention(self.name, "No watermark of ours was found. That says nothing, as most files have none.")
            ]
        seen = recognise(clip, sha256_of(clip.path), Store(wait_s=SHORT_WAIT_S), GLANCE, mark)
        mark, work = seen.mark, seen.marked
        if work is None:
            found = f"The watermark {mark.mark_id or 'of a later version'} was found, but the store"
            if seen.store_problem:
                return [self._silent(seen, f"{found} could not be asked what it stands for. {seen.store_problem}")]
            return [self._silent(seen, f"{found} does not know it, and camera footage carries such marks, too.")]
        leads = f"The watermark {mark.mark_id} leads to {recorded(work)}"
        if seen.agreement == "differs":
            return [self._silent(seen, f"{leads}, but this does not look like that work: the mark may be a copy.")]
        if is_synthetic(work):
            confirmed = seen.agreement == "match"
            text = f"{leads}, and this looks like it." if confirmed else f"{leads}; the picture is too even to compare."
            return [self._finding(seen, text, self.bound if confirmed else self.unconfirmed)]
        region = _altered_face(seen.altered, tracks)
        if region is not None:
            text = f"{leads}, but part of a face was altered since: the fine watermark is gone there."
            return [self._finding(seen, text, self.altered_face).model_copy(update={"box": region})]
        return [self._silent(seen, f"{leads}, as its publisher declared it. That is a statement, not a measurement.")]

    def _finding(self, seen: Recognition, text: str, llr: float) -> Finding:
        spans = [(look.time_s, look.time_s) for look in seen.altered] if llr == self.altered_face else []
        return Finding(examiner=self.name, text=text, llr=llr, spans=spans, details=_details(seen))

    def _silent(self, seen: Recognition, text: str) -> Finding:
        return abstention(self.name, text).model_copy(update={"details": _details(seen)})


def _details(seen: Recognition) -> dict[str, float | str | int | bool | None]:
    return {
        "id": seen.mark.mark_id,
        "score": round(float(seen.mark.score), 1),
        "frames": seen.mark.frames_read,
        "agreement": seen.agreement,
        "altered": bool(seen.altered),
    }


def _altered_face(looks: Sequence[Look], tracks: Sequence[Track]) -> Box | None:
    """The first altered region that takes up enough of a face seen at about that time."""
    for look in looks:
        for track in tracks:
            face = min(track.faces, key=lambda face: abs(face.time_s - look.time_s))
            for x0, y0, x1, y1 in look.reading.regions:
                if _overlap((x0, y0, x1, y1), face.box) >= _LEAST_OVERLAP:
                    return (x0, y0, x1, y1)
    return None


def _overlap(region: Box, box: Sequence[float]) -> float:
    """Which share of ``box`` lies in ``region``; both (x0, y0, x1, y1)."""
    width = min(region[2], box[2]) - max(region[0], box[0])
    height = min(region[3], box[3]) - max(region[1], box[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(width, 0.0) * max(height, 0.0) / max(area, 1e-9)
