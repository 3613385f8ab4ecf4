"""The matrix of `matrix.py` for measured cues and for SVM and MLP: calibrated on one manipulation, tested on each.

    python -m training.detectors.cue_matrix MEASURED.jsonl

Prints Markdown tables. Cues are fused anew for each row; SVM and MLP were trained on all manipulations together, and
only their calibration is of one.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from likeness.detect.cues import CUES
from likeness.detect.fuse import FusionRow, FusionSettings, fit_fusion
from likeness.detect.metrics import BootstrapSettings
from likeness.detect.network_cue import NetworkCue
from training.detectors.calibrate import POPULATION, calibrations, llrs
from training.detectors.manipulate import ALL_KINDS
from training.detectors.measure import Row, read_rows
from training.detectors.populations import COMPRESSIONS

_LEARNT = {"handmade", *(cue.name for cue in CUES if issubclass(cue, NetworkCue))}
GROUPS: dict[str, Callable[[str], bool]] = {
    "cues": lambda name: name not in _LEARNT,
    "SVM and MLP": lambda name: name == "handmade",
}
_FEW = BootstrapSettings(resamples=2)


def scores(known: Sequence[Row], tested: Sequence[Row], chosen: Callable[[str], bool]) -> np.ndarray:
    """Log10 likelihood ratios (n,) of ``tested`` by the cues ``chosen``, calibrated and fused on ``known``."""
    cues = {name: one for name, one in calibrations(known).items() if chosen(name)}
    rows = [
        FusionRow(
            {name: llr for name, llr in llrs(row, cues).items() if chosen(name)},
            bool(row.manipulation), row.person, row.source, row.footage,
        )
        for row in known
    ]  # fmt: skip
    fusion = fit_fusion(rows, FusionSettings(population=POPULATION, bootstrap=_FEW))
    fused = (fusion.fuse({name: llr for name, llr in llrs(row, cues).items() if chosen(name)}) for row in tested)
    return np.array([0.0 if one is None else one.llr for one in fused])


def table(rows: Sequence[Row], chosen: Callable[[str], bool]) -> list[str]:
    """Rows: what was calibrated on; columns: what it is tested on, AUC at the three compressions."""
    known, tested = ([row for row in rows if row.part == part] for part in ("calibrate", "evaluate"))
    lines = [f"| calibrated on | {' | '.join(ALL_KINDS)} |", "|---|" + "---|" * len(ALL_KINDS)]
    for trained in (*ALL_KINDS, "all"):
        own = [row for row in known if trained == "all" or row.manipulation in ("", trained)]
        found = scores(own, tested, chosen)
        cells = [" ".join(_auc(tested, found, kind, one) for one in COMPRESSIONS) for kind in ALL_KINDS]
        lines.append(f"| {trained} | {' | '.join(cells)} |")
    return lines


def _auc(rows: Sequence[Row], found: np.ndarray, kind: str, compression: str) -> str:
    places = {row.footage for row in rows if row.manipulation == kind}
    chosen = [
        i for i, row in enumerate(rows)
        if row.compression == compression and row.footage in places and row.manipulation in ("", kind)
    ]  # fmt: skip
    truth = [bool(rows[i].manipulation) for i in chosen]
    return f"{roc_auc_score(truth, found[chosen]):.2f}" if len(set(truth)) == 2 else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path, nargs="+")
    rows = read_rows(*parser.parse_args().measured)
    for name, chosen in GROUPS.items():
        print(f"### {name}\n")
        print("\n".join(table(rows, chosen)) + "\n")


if __name__ == "__main__":
    main()
