"""What a report says in words: who speaks for what, how much it counts, and what cannot be said. Page and PDF share it.

Pure: reports and findings in, words and rows out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from likeness.check.report import FaceReport, Report
from likeness.check.weigh import ENFSI_SCALE, Verdict
from likeness.detect.fuse import Fusion
from likeness.examiner import Finding

Stance = Literal["software", "camera", "neutral", "abstains"]

HEADLINES: dict[Verdict, str] = {
    "synthetic": "Synthetic",
    "no_sign": "No sign of a synthetic face",
    "cannot_tell": "Cannot tell",
}
STANCES: dict[Stance, str] = {
    "software": "for software",
    "camera": "for a camera",
    "neutral": "neither way",
    "abstains": "abstains",
}
METHOD = (
    "Two statements are compared: a face in this file was made or replaced by software, and: the footage shows what a "
    "camera recorded. The likelihood ratio says how many times more probable the findings are under the first than "
    "under the second. It measures the strength of the evidence, not how much of the file is synthetic, and is not the "
    "probability that the file is synthetic: that also depends on what else is known about it.",
    "Ratios are written as logarithms to the base 10: +1 is ten times more probable under software, −1 ten times more "
    "probable under a camera, 0 says nothing. The words are those of the verbal scale of ENFSI (2015). “Synthetic” is "
    "said from 10 times on. “No sign” is said below 1/3, and only where at least two examiners could work on every "
    "face. Everything between is “cannot tell”.",
    "The ratios come from the reference clips named in the table of populations, and are bounded accordingly: on "
    "footage of another kind they mean less. The examiners of one face look at the same pixels, so what one of them "
    "says counts less where another has said it already.",
)
UNFITTED = (
    "No weights were fitted for all examiners together: of those that point the same way the strongest counts in full, "
    "the next half, the next a quarter."
)
FIGURES = {
    "roc_auc": "Area under the ROC curve (0.5: chance, 1: perfect)",
    "eer": "Equal error rate",
    "tpr_at_1_percent_fpr": "Synthetic faces found where 1 in 100 genuine ones is called synthetic",
    "cllr": "Cllr, cost in bits (0: perfect, 1: says nothing)",
    "min_cllr": "Lowest Cllr that the order of the ratios allows",
    "log_loss": "Log loss in nats (0.69: says nothing)",
    "brier": "Brier score (0.25: says nothing)",
    "ece": "Expected calibration error",
}

_NEUTRAL_WITHIN = ENFSI_SCALE[-1][0]  # below weak support


@dataclass(frozen=True)
class Voice:
    """What one examiner says of a face. ``part`` is what it contributes to the face's log10 LR, None where it does not
    count; ``left`` and ``width`` place that as a bar, in per cent of a scale with 0 in its middle.
    """

    examiner: str
    stance: Stance
    llr: float | None
    part: float | None
    left: float
    width: float


@dataclass(frozen=True)
class Rung:
    """One step of the verbal scale: from how many times on, in words, and whether the evidence stands on it."""

    times: str
    words: str
    here: bool


def title_of(examiner: str) -> str:
    """The name of an examiner as people read it."""
    return examiner.replace("_", " ")


def stance_of(finding: Finding) -> Stance:
    """Which side ``finding`` speaks for; neither where it is not even weak support."""
    if finding.llr is None:
        return "abstains"
    if abs(finding.llr) < _NEUTRAL_WITHIN:
        return "neutral"
    return "software" if finding.llr > 0 else "camera"


def voices(report: Report, face: FaceReport) -> list[Voice]:
    """Who says what of ``face``: by what they contribute, then those who do not count, then the silent."""
    own = [finding for finding in report.findings if finding.track == face.track]
    longest = max([abs(part) for part in face.parts.values()] + [1.0])
    rows = []
    for finding in own:
        part = face.parts.get(finding.examiner) if finding.llr is not None else None
        width = 50 * abs(part or 0.0) / longest
        left = 50 - (width if (part or 0.0) < 0 else 0)
        rows.append(Voice(finding.examiner, stance_of(finding), finding.llr, part, round(left, 2), round(width, 2)))
    return sorted(rows, key=lambda row: (row.llr is None, -abs(row.part or 0.0), -abs(row.llr or 0.0)))


def by_weight(report: Report, face: FaceReport) -> list[Finding]:
    """The findings on ``face`` that say something, those that contribute most first."""
    own = [f for f in report.findings if f.track == face.track and f.llr is not None]
    return sorted(own, key=lambda finding: -abs(face.parts.get(finding.examiner, 0.0)))


def agreement(rows: Sequence[Voice]) -> str:
    """Which examiners agree and which differ, in one or two sentences."""
    sides = {stance: [title_of(row.examiner) for row in rows if row.stance == stance] for stance in STANCES}
    software, camera, neutral, silent = (sides[stance] for stance in STANCES)
    if not software and not camera:
        said = "No examiner speaks for either side"
    elif software and camera:
        said = f"The examiners differ: {_and(software)} for software, {_and(camera)} for a camera"
    else:
        side, who = ("software", software) if software else ("a camera", camera)
        said = f"{_and(who).capitalize()} {'speaks' if len(who) == 1 else 'agree and speak'} for {side}; nobody differs"
    counts = [f"{len(who)} {word}" for who, word in ((neutral, _say(neutral)), (silent, _abstain(silent))) if who]
    return f"{said}. " + (f"{_and(counts).capitalize()}." if counts else "")


def mostly(report: Report, face: FaceReport) -> str:
    """Of what the face's total is made, in one sentence; empty where there is none."""
    if face.llr is None:
        return ""
    ranked = sorted(face.parts.items(), key=lambda item: -abs(item[1]))
    telling = [(name, part) for name, part in ranked if abs(part) >= 0.05][:3]
    total, summed = signed(face.llr), sum(face.parts.values())
    if not telling:
        return f"The total for this face is {total}: nobody contributes anything to speak of."
    made = _and([f"{signed(part)} from {title_of(name)}" for name, part in telling])
    rest = summed - sum(part for _, part in telling)
    others = f", {signed(rest)} from the others" if len(ranked) > len(telling) else ""
    limited = (
        f" The sum, {signed(summed)}, is limited to what the reference clips support."
        if _differ(summed, face.llr)
        else ""
    )
    return f"The total for this face is {total}: {made}{others}.{limited}"


def weights_in_words(fusion: Fusion) -> str:
    """With which weights the examiners of a face are added, where they were fitted, and the limit of the sum."""
    heavy = sorted(((w, name) for name, w in fusion.weights.items() if w > 0), reverse=True)
    listed = ", ".join(f"{title_of(name)} {weight:.2f}" for weight, name in heavy) or "none"
    return (
        f"What the examiners of a face say is added with fitted weights: {listed}. The sum is limited to "
        f"±{fusion.bound:.2f}. They were fitted on {fusion.genuine_faces} genuine and {fusion.synthetic_faces} "
        f"synthetic faces of {fusion.people} people ({fusion.population})."
    )


def silent(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Abstentions as (who, why), examiners with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        if finding.abstained is not None:
            reasons.setdefault(finding.abstained, []).append(title_of(finding.examiner))
    return [
        (f"{_and(who).capitalize()} {'abstains' if len(who) == 1 else 'abstain'}.", why) for why, who in reasons.items()
    ]


def scale(llr: float | None) -> list[Rung]:
    """The whole verbal scale, strongest for software first, with the place of ``llr`` marked."""
    steps = [*ENFSI_SCALE, (0.0, "")]
    place = None if llr is None else next(i for i, (least, _) in enumerate(steps) if abs(llr) >= least)
    rungs = []
    for sign, side in ((1, "software"), (-1, "a camera")):
        own = [
            Rung(_range(i), f"{words} support for {side}", place == i and (llr or 0.0) * sign > 0)
            for i, (_, words) in enumerate(ENFSI_SCALE)
        ]
        rungs += own if sign > 0 else own[::-1]
        if sign > 0:
            rungs.append(Rung("below 2 times", "no support for either side", place == len(ENFSI_SCALE)))
    return rungs


def unexamined(report: Report) -> list[str]:
    """What cannot be said of this file however the examiners decide, one plain sentence each."""
    limits = []
    seconds = sum(end - start for start, end in report.examined)
    if report.kind == "video" and len(report.examined) > 1:
        limits.append(
            f"{seconds:.0f} of {report.duration_s:.0f} seconds were examined, in {len(report.examined)} parts evenly "
            "spread; nothing is said of the rest."
        )
    if report.left_out:
        many = report.left_out > 1
        limits.append(
            f"{report.left_out}{' more' if report.faces else ''} face{'s were' if many else ' was'} seen only briefly "
            "or in the crowd "
            f"and {'were' if many else 'was'} not examined."
        )
    if report.kind != "sound":
        limits.append(
            "Wholly synthetic pictures, altered backgrounds, cuts and misleading captions are not looked for: "
            "only faces are. People who are rendered as a whole count as genuine here: actors of computer graphics are "
            "among the genuine footage that the ratios were calibrated on."
        )
    if any(finding.examiner == "lips" and finding.llr is not None for finding in report.findings):
        limits.append("Sound is examined only for whether it agrees with the lips: not whether a voice is synthetic.")
    else:
        limits.append("Sound is not examined: neither whether a voice is synthetic nor whether lips and speech agree.")
    return limits


def clock(seconds: float) -> str:
    """Seconds as a person reads them: "4.2 s" below a minute, else "1:04.2" or "1:02:03"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds, 1), 60)
    if minutes < 60:
        return f"{minutes:.0f}:{rest:04.1f}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{rest:02.0f}"


def size(count: int) -> str:
    """Bytes as a person reads them."""
    if count < 1000:
        return f"{count} bytes"
    amount, unit = (count / 1e3, "kB") if count < 1e6 else (count / 1e6, "MB") if count < 1e9 else (count / 1e9, "GB")
    return f"{amount:.1f} {unit}"


def signed(value: float | None) -> str:
    """A log10 ratio with its sign, "+0.50"; a dash for none."""
    return "–" if value is None else f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")  # never minus zero


def chance(probability: float) -> str:
    """A probability in per cent as it may be stated: never 0 or 100."""
    if probability > 0.99:
        return "over 99 %"
    return "under 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def _range(place: int) -> str:
    least = _factor(ENFSI_SCALE[place][0])
    return f"over {least}" if place == 0 else f"{least} to {_factor(ENFSI_SCALE[place - 1][0])}"


def _factor(llr: float) -> str:
    return f"{10**llr:,.0f}"


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > 2e-3  # what rounding leaves


def _say(who: Sequence[str]) -> str:
    return f"{'says' if len(who) == 1 else 'say'} nothing either way ({', '.join(who)})"


def _abstain(who: Sequence[str]) -> str:
    return f"{'abstains' if len(who) == 1 else 'abstain'} ({', '.join(who)})"


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
