"""Calibrate the cues, fuse them, and say how they do on people that neither has seen.

    python -m training.detectors.calibrate MEASURED.jsonl -o src/likeness/weights --report docs

From what `measure.py` measured: each cue's log10 likelihood ratio (cues.json), the fusion of all of them (fusion.json),
fitted on likelihood ratios of people left out of their calibration, and the tables
of docs/detection.md, over the other half of the people. Nothing is chosen by those.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from likeness.detect.calibrate import CUES_FILE, Calibrations, CueCalibration, FitSettings, Measured, fit
from likeness.detect.cues import CUES
from likeness.detect.cues.blinking import BlinkingSettings
from likeness.detect.fuse import FUSION_FILE, Fusion, FusionRow, FusionSettings, fit_fusion
from likeness.detect.network_cue import NetworkCue
from likeness.files import write_text
from training.detectors.measure import Row, read_rows
from training.detectors.results import write_results

RIDGE = 2.0  # as strong as two people's disagreement
MOST_EVIDENCE, MOST_OF_NETWORKS = 0.8, 1.6  # log10 that one cue may claim, whatever the fit
MARKED, MARKED_FOR_NETWORKS = 0.5, 0.8  # share of synthetic faces that bear what a cue looks for
FRAME_SHARE = 0.05  # of genuine moments lies above what figures call high
FOLDS = 5
POPULATION = (
    "people filmed by GRID, people who sign, rendered actors, official portraits (still, and moved about), and single "
    "frames of all these; synthetic: the same self-blended, at low resolution, pasted, redrawn by autoencoders, "
    "swapped by likeness, generated"
)
DRAWN = {
    "seam": "softness", "motion": "jitter", "head_pose": "sway", "noise": "cleanness", "light": "wander",
    "spectrum": "lost_tail", "eyes_and_teeth": "soft_eyes", "lips": "disagreement",
    "frames": "logit", "pairs": "logit", "recurrent": "logit", "temporal": "logit",
}  # fmt: skip
"""The feature whose moments a cue's curve shows."""
OWN_MODEL = ("blinking", "identity")  # their evidence follows from published figures or from the reference


def calibrated(cue: str, rows: Sequence[Row]) -> CueCalibration | None:
    """The calibration of ``cue`` on ``rows``; None where it measured too few people of one kind."""
    measured = [row for row in rows if row.values.get(cue)]
    genuine, synthetic = ([row for row in measured if bool(row.manipulation) == kind] for kind in (False, True))
    people = {row.person for row in genuine}
    if len(people) < 3 or len({row.person for row in synthetic}) < 3:
        return None
    network = any(one.name == cue and issubclass(one, NetworkCue) for one in CUES) or cue == "handmade"
    moments = [value for row in genuine for value in row.moments.get(cue, ())]
    high = {DRAWN[cue]: round(float(np.quantile(moments, 1 - FRAME_SHARE)), 4)} if moments and cue in DRAWN else {}
    settings = FitSettings(
        bound=round(min(MOST_OF_NETWORKS if network else MOST_EVIDENCE, evidence_bound(len(people))), 3),
        ridge=RIDGE,
        population=POPULATION,
        frame_high=high,
        share_marked=MARKED_FOR_NETWORKS if network else MARKED,
    )
    reference = [row for row in genuine if row.compression == "light"] or genuine
    return fit(_of(genuine, cue), _of(synthetic, cue), _of(reference, cue), settings)


def evidence_bound(people: int) -> float:
    """The most that ``people`` can vouch for, log10: half of 1 / P(a next person is beyond all of them), Laplace's 1 /
    (n + 2)."""
    return float(np.log10((people + 2) / 2))


def calibrations(rows: Sequence[Row]) -> dict[str, CueCalibration]:
    """Of every cue that ``rows`` can calibrate."""
    names = [cue.name for cue in CUES if cue.name not in OWN_MODEL]
    found = {name: calibrated(name, rows) for name in names}
    return {name: calibration for name, calibration in found.items() if calibration is not None}


def llrs(row: Row, cues: dict[str, CueCalibration]) -> dict[str, float | None]:
    """The log10 likelihood ratios of ``row`` by cue."""
    found: dict[str, float | None] = {
        name: cues[name].llr(values) for name, values in row.values.items() if name in cues and values
    }
    if row.values.get("blinking"):
        bound = BlinkingSettings().bound
        found["blinking"] = float(np.clip(row.values["blinking"]["scarcity"], -bound, bound))
    return found


def left_out_llrs(rows: Sequence[Row]) -> list[dict[str, float | None]]:
    """Those of each row by calibrations that have not seen its person."""
    people = np.array([row.person for row in rows])
    found: list[dict[str, float | None]] = [{} for _ in rows]
    for kept, out in GroupKFold(FOLDS, shuffle=True, random_state=0).split(people, groups=people):
        cues = calibrations([rows[i] for i in kept])
        for i in out:
            found[i] = llrs(rows[i], cues)
    return found


def fused(rows: Sequence[Row]) -> Fusion:
    """The fusion of all cues on ``rows``."""
    given = [
        FusionRow(found, bool(row.manipulation), row.person, row.source, row.footage)
        for row, found in zip(rows, left_out_llrs(rows), strict=True)
        if found
    ]
    return fit_fusion(given, FusionSettings(population=POPULATION))


def _of(rows: Iterable[Row], cue: str) -> list[Measured]:
    return [Measured(row.values[cue], row.person, row.footage) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path, nargs="+", help="later files replace what earlier ones say of a cue")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    rows = read_rows(*options.measured)
    known = [row for row in rows if row.part == "calibrate"]
    cues, fusion = calibrations(known), fused(known)
    write_text(options.out / CUES_FILE, Calibrations(cues=cues).model_dump_json(indent=1) + "\n")
    write_text(options.out / FUSION_FILE, fusion.model_dump_json(indent=1) + "\n")
    unseen = [row for row in rows if row.part == "evaluate"]
    write_results(options.report, unseen, [llrs(row, cues) for row in unseen], fusion)


if __name__ == "__main__":
    main()
