"""Weigh the findings of one file into one verdict. Pure: findings in, verdict and reason out.

Two propositions are set against each other: H1, a face in this file was made or replaced by software; H2, the footage
shows what a camera recorded. Evidence is a log10 likelihood ratio, P(findings | H1) / P(findings | H2), and counts as
follows.

1. The cues of one face share its pixels, its size and its compression, so they are not independent, and adding them
   would count the same thing twice. Where there is a `Fusion`, its fitted weights say what each counts. Where there is
   none, the strongest of the findings that point the same way counts in full, the next half, the next a quarter.
2. H1 says that one of the k faces, any of them, is synthetic: LR(file) is the mean of LR(face) over the faces. A face
   that nobody could examine has LR 1. So many innocent faces do not add up to a guilty one.
3. A finding about the file itself does not come from the same pixels: it is added in full.
4. Credentials, watermark and fingerprint are such findings, but they repeat one statement: whoever signed a work also
   marked and recorded it, and where that was wrong, all three are. Only the strongest of them counts.
5. Whether a face is that of a given person is another question: someone else's face is not for that a synthetic one.
   That answer stands beside the verdict and does not enter it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from likeness.detect.fuse import Fusion
from likeness.examiner import Finding

Verdict = Literal["synthetic", "no_sign", "cannot_tell"]
Kind = Literal["video", "picture", "sound"]

PROVENANCE = ("credentials", "watermark", "fingerprint")
"""The examiners whose findings come from one record of how a work was made."""

OTHER_QUESTIONS = ("identity",)
"""The examiners that compare other propositions than H1 and H2."""

ENFSI_SCALE = (
    (6.0, "extremely strong"),
    (4.0, "very strong"),
    (3.0, "strong"),
    (2.0, "moderately strong"),
    (1.0, "moderate"),
    (math.log10(2), "weak"),
)
"""From this log10 LR, this much support, either way: ENFSI Guideline for Evaluative Reporting in Forensic Science
(2015), table in section 3.8.
"""


@dataclass(frozen=True)
class WeighSettings:
    """From where on a verdict is given; in between, it is ``cannot_tell``.

    ``synthetic_from``: ten times more probable under H1 (ENFSI: moderate support). ``no_sign_to``: three times more
    probable under H2, and then only with ``least_examiners`` working on every face: an examiner that abstained has not
    seen "no sign".
    """

    synthetic_from: float = 1.0
    no_sign_to: float = -0.5
    least_examiners: int = 2
    discount: float = 0.5


@dataclass(frozen=True)
class Weighing:
    """The verdict on one file. ``llr`` and the values of ``faces`` (by track) are log10 likelihood ratios, None where
    nobody could say anything. ``parts`` are what each examiner contributes to a face, by track and name, ``file_parts``
    what those contribute that speak of the file itself, likewise in log10.
    """

    verdict: Verdict
    llr: float | None
    reason: str
    faces: dict[int, float | None]
    parts: dict[int, dict[str, float]]
    file_parts: dict[str, float]

    @property
    def probability(self) -> float | None:
        """Probability of H1 for a prior of one half."""
        return None if self.llr is None else 1 / (1 + 10**-self.llr)


def weigh(
    kind: Kind,
    tracks: Sequence[int],
    findings: Sequence[Finding],
    settings: WeighSettings | None = None,
    fusion: Fusion | None = None,
    left_out: int = 0,
) -> Weighing:
    """The verdict on a file of ``kind`` that shows the faces ``tracks``, from everything that was found; ``left_out``
    more faces were seen and not examined.
    """
    settings = settings or WeighSettings()
    working = [finding for finding in findings if finding.llr is not None]
    asked = [finding for finding in working if finding.examiner not in OTHER_QUESTIONS]
    said = {track: {f.examiner: f.llr for f in asked if f.track == track and f.llr is not None} for track in tracks}
    faces: dict[int, float | None] = {}
    parts: dict[int, dict[str, float]] = {}
    for track in tracks:
        faces[track], parts[track] = weigh_face(said[track], settings, fusion)
    by_face = {track: [f for f in working if f.track == track and f.examiner in parts[track]] for track in tracks}
    about_file = _counted([f for f in working if f.track not in by_face])
    file_parts = {f.examiner: f.llr for f in about_file if f.llr is not None}
    heard = [llr for llr in (any_of(list(faces.values())), *file_parts.values()) if llr is not None]
    llr = math.fsum(heard) if heard else None
    verdict = _verdict(llr, by_face, settings)
    reason = _reason(verdict, kind, by_face, about_file, findings, llr, settings, left_out) + _beside(working)
    rounded = {track: _rounded(value) for track, value in faces.items()}
    return Weighing(verdict, _rounded(llr), reason, rounded, parts, file_parts)


def weigh_face(
    said: Mapping[str, float], settings: WeighSettings, fusion: Fusion | None
) -> tuple[float | None, dict[str, float]]:
    """The log10 LR of one face and what each examiner contributes to it, from what they ``said`` (log10 LR by name).

    An examiner to which ``fusion`` gives no weight contributes nothing and is left out.
    """
    if fusion is None:
        parts = combine(said, settings.discount)
        return (math.fsum(parts.values()) if parts else None), parts
    fused = fusion.fuse({name: llr for name, llr in said.items() if fusion.weights.get(name, 0.0) > 0})
    return (None, {}) if fused is None else (fused.llr, fused.parts)


def combine(said: Mapping[str, float], discount: float) -> dict[str, float]:
    """What each examiner contributes where no weights were fitted: on each side the strongest in full, each next one
    ``discount`` times the one before.
    """
    parts: dict[str, float] = {}
    for side in (1, -1):
        own = sorted(
            (name for name in said if (said[name] > 0) == (side > 0)), key=lambda name: (-abs(said[name]), name)
        )
        parts |= {name: said[name] * discount**place for place, name in enumerate(own)}
    return parts


def any_of(llrs: Sequence[float | None]) -> float | None:
    """log10 of the mean likelihood ratio: "one of these faces" against "none". None where no face could be examined."""
    if all(llr is None for llr in llrs):
        return None
    ratios = [10 ** (llr or 0.0) for llr in llrs]
    return math.log10(math.fsum(ratios) / len(ratios))


def verbal(llr: float | None) -> str:
    """The ENFSI verbal equivalent of a log10 likelihood ratio."""
    if llr is None:
        return "no opinion"
    towards = "made or replaced by software" if llr > 0 else "as a camera recorded it"
    for least, strength in ENFSI_SCALE:
        if abs(llr) >= least:
            return f"{strength} support for “{towards}”"
    return "no support for either side"


def times(llr: float) -> str:
    """A log10 likelihood ratio as a plain factor: "12 times" or "1.8 times"."""
    factor = 10 ** abs(llr)
    return f"{factor:.1f} times" if factor < 10 else f"{float(f'{factor:.2g}'):,.0f} times"


def _counted(about_file: Sequence[Finding]) -> list[Finding]:
    """Findings about the file that count in full: of those from one record only the strongest."""
    provenance = [finding for finding in about_file if finding.examiner in PROVENANCE]
    strongest = max(provenance, key=lambda finding: abs(finding.llr or 0.0), default=None)
    return [finding for finding in about_file if finding.examiner not in PROVENANCE or finding is strongest]


def _verdict(llr: float | None, by_face: dict[int, list[Finding]], settings: WeighSettings) -> Verdict:
    if llr is not None and llr >= settings.synthetic_from:
        return "synthetic"
    watched = bool(by_face) and all(len(own) >= settings.least_examiners for own in by_face.values())
    if llr is not None and llr <= settings.no_sign_to and watched:
        return "no_sign"
    return "cannot_tell"


def _reason(
    verdict: Verdict,
    kind: Kind,
    by_face: dict[int, list[Finding]],
    about_file: Sequence[Finding],
    findings: Sequence[Finding],
    llr: float | None,
    settings: WeighSettings,
    left_out: int,
) -> str:
    if verdict == "synthetic":
        return _reason_synthetic(by_face, about_file, findings, llr or 0.0)
    if verdict == "no_sign":
        whole = "Every face was" if not left_out else f"Of {len(by_face) + left_out} faces {len(by_face)} could be"
        return (
            f"{whole} examined and measures, on balance, as genuine footage does. That is no proof that the file is "
            "genuine, only that these examiners see no sign of a synthetic face."
        )
    if kind == "sound":
        return "This file holds sound only. Voices are not examined yet, so nothing can be said about it."
    if not by_face and left_out:
        return "A face was seen too briefly to be examined, so nothing can be said about it."
    if not by_face:
        return "No face was found, and only faces are examined, so nothing can be said about the rest of the picture."
    if not any(by_face.values()):
        reasons = [f.abstained for f in findings if f.abstained and f.track in by_face]
        return "No examiner whose evidence counts could work on the faces here. " + (
            reasons[0] if reasons else "Each one abstained."
        )
    return _reason_thin(by_face, llr or 0.0, settings)


def _reason_synthetic(
    by_face: dict[int, list[Finding]], about_file: Sequence[Finding], findings: Sequence[Finding], llr: float
) -> str:
    repeated = {f.examiner for f in findings if f.examiner in PROVENANCE and (f.llr or 0.0) > 0}
    once = (
        f" Of {_and(sorted(repeated))}, which repeat one statement, the strongest counts." if len(repeated) > 1 else ""
    )
    return (
        f"What was found is {times(llr)} more probable if a face here was made or replaced by software. "
        f"{_most_telling(by_face, about_file)}{once}"
    )


def _most_telling(by_face: dict[int, list[Finding]], about_file: Sequence[Finding]) -> str:
    strongest = max((f for own in (*by_face.values(), about_file) for f in own), key=lambda f: f.llr or 0.0)
    whose = f" (face {strongest.track})" if strongest.track is not None and len(by_face) > 1 else ""
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])", strongest.text, maxsplit=1)[0]
    return f"Most telling{whose}: {first}"


def _beside(working: Sequence[Finding]) -> str:
    """What answers to other questions say, where they say something."""
    telling = [f.text for f in working if f.examiner in OTHER_QUESTIONS and abs(f.llr or 0.0) >= ENFSI_SCALE[-1][0]]
    return "".join(f" Beside the verdict: {text}" for text in telling)


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _reason_thin(by_face: dict[int, list[Finding]], llr: float, settings: WeighSettings) -> str:
    if llr >= 0.3:
        return (
            f"There are signs of a synthetic face, {times(llr)} more probable if one was made by software, "
            f"but a verdict needs {10**settings.synthetic_from:.0f} times. {_most_telling(by_face, ())}"
        )
    unwatched = [track for track, own in by_face.items() if len(own) < settings.least_examiners]
    if unwatched and llr <= settings.no_sign_to:
        return "Nothing stands out, but not every face could be examined by enough examiners to speak of no sign."
    if llr <= -0.3:
        return (
            f"Nothing stands out, which is {times(llr)} more probable in genuine footage, "
            "but many a swap would show as little, so that is too thin for a verdict."
        )
    return (
        "What could be measured is about as probable in genuine as in synthetic footage, "
        "so the evidence is too thin for a verdict."
    )


def _rounded(llr: float | None) -> float | None:
    return None if llr is None else round(llr, 4)
