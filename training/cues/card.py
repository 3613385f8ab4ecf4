"""The card beside cues.json: what it was calibrated on, what it is worth, what it cannot do."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from populations import GenuineClip

from likeness.detect.calibrate import CueCalibration
from likeness.files import sha256_of, write_text

if TYPE_CHECKING:
    from calibrate import Row

_WEAK = math.log10(2)  # from here on a report says "weak support"


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def write_card(
    path: Path, cues: dict[str, CueCalibration], rows: Sequence["Row"], clips: Sequence[GenuineClip]
) -> None:
    """Write the card for ``cues`` with what the held-out people say."""
    lines = [_HEAD.format(digest=sha256_of(path.with_suffix(".json")), populations=_populations(clips))]
    lines += [_cue_lines(cue, calibration) for cue, calibration in cues.items()]
    lines.append(_TABLE_HEAD)
    for cue, calibration in cues.items():
        for kind in ("genuine", "recompressed", "redrawn", "swapped"):
            for population in sorted({row.population for row in rows}):
                own = [
                    row for row in rows
                    if (row.cue, row.kind, row.population, row.part) == (cue, kind, population, "evaluate")
                ]  # fmt: skip
                if own:
                    lines.append(_table_row(cue, kind, population, own, calibration))
    write_text(path, "\n".join(lines) + _LIMITS)


def _populations(clips: Sequence[GenuineClip]) -> str:
    names = dict.fromkeys(clip.population for clip in clips)
    parts = []
    for name in names:
        own = [clip for clip in clips if clip.population == name]
        split = {part: len({c.person for c in own if c.part == part}) for part in ("calibrate", "evaluate")}
        parts.append(
            f"{name}: {len(own)} clips, {split['calibrate']} people to calibrate, {split['evaluate']} to evaluate"
        )
    return "; ".join(parts)


def _cue_lines(cue: str, calibration: CueCalibration) -> str:
    features = ", ".join(
        f"{name} (genuine {f.centre:.2f} ± {f.scale:.2f}, weight {f.weight:.2f})"
        for name, f in calibration.features.items()
    )
    return (
        f"- **{cue}**: {calibration.genuine_clips} genuine clips of {calibration.genuine_people} people, "
        f"{calibration.synthetic_clips} redrawn; evidence within ±{calibration.bound:.2f} (log10). "
        f"Features: {features}."
    )


def _table_row(cue: str, kind: str, population: str, rows: Sequence["Row"], calibration: CueCalibration) -> str:
    llrs = [calibration.llr(row.values) for row in rows]
    cells = []
    for hits in (sum(x >= _WEAK for x in llrs), sum(x <= -_WEAK for x in llrs)):
        low, high = wilson(hits, len(llrs))
        cells.append(f"{hits} of {len(llrs)} ({100 * low:.0f}–{100 * high:.0f} %)")
    people = len({row.person for row in rows})
    return f"| {cue} | {kind} | {population} | {people} | {cells[0]} | {cells[1]} |"


_HEAD = """# cues.json

Calibration of the cues `seam` and `motion`: how their measurements are spread over genuine clips, and the bounded
likelihood ratios that `likeness check` reports. SHA-256 `{digest}`.

Recipe: `LIKENESS_DATA=… python training/cues/calibrate.py --actors FOLDER -o src/likeness/weights`. Licence:
Apache-2.0; no footage and no biometric templates are in it, only measured ratios.

Data: {populations}.
GRID corpus (CC BY 4.0); intel-iot-devkit sample videos of signing (CC BY 4.0; their faces are too small for `seam`);
actors filmed by `likeness cast` and those that the package ships. "Redrawn" clips stand in for swaps: the same face
redrawn at 64 to 192 px in every frame and blended back (`training/cues/redraw.py`). `blinking` needs no calibration:
its ratio follows from published blink rates.

"""

_TABLE_HEAD = """
On people never used in the calibration (95 % Wilson intervals over clips; clips of one person are not independent):

| cue | clips | population | people | support for synthetic (≥ 2 times) | support for genuine (≥ 2 times) |
|---|---|---|---|---|---|"""

_LIMITS = """

"Recompressed" is the genuine clip after JPEG 70. "Swapped" clips are real swaps made with likeness.

These rates are optimistic. The fit never saw these people, but the design did: what `seam` measures (quantile, forehead
against cheeks) was chosen after looking at genuine clips of both parts and at these very swaps, which come from one
early, blurred model of one pair of actors. The ways of redrawing were widened, and the bound raised from 0.7 to 0.8,
after earlier rounds. The thresholds of `blinking` were chosen on 11 of the GRID clips. Measure on other footage before
relying on any of it. `motion` tells nothing here: its weights are near 0.

## What it is not worth

Few people, one studio, one renderer, and synthetic clips that are simulated: other cameras, lamps, codecs, beauty
filters or defocus may look like a redrawn face. A sharp, well matched swap leaves none of these marks. That is why each
cue is bounded, why the absence of marks is never worth more than a factor of two (half of all synthetic faces are taken
to bear none), and why the verdict on most short clips is "cannot tell".
"""
