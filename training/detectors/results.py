"""The tables of what examiners and their fusion are worth, on people and footage that nothing was fitted to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from likeness.check.weigh import WeighSettings
from likeness.detect.fuse import Fusion
from likeness.detect.metrics import BootstrapSettings, Estimate, figures_of
from likeness.files import write_text
from training.detectors.measure import Row
from training.detectors.populations import COMPRESSIONS

TABLES = "detection.md"
_BOOTSTRAP = BootstrapSettings(resamples=400)
_SHOWN = ("roc_auc", "eer", "tpr_at_1_percent_fpr", "cllr", "min_cllr", "ece", "log_loss")

Llrs = Mapping[str, float | None]


def write_results(folder: Path, rows: Sequence[Row], llrs: Sequence[Llrs], fusion: Fusion) -> None:
    """Write the tables of detection.md into ``folder``."""
    everything = [dict(found) | {"all together": _fused(found, fusion)} for found in llrs]
    lines = [_HEAD, _populations(rows), "", "## Every examiner alone, and all together", ""]
    names = [*sorted({name for found in everything for name in found} - {"all together"}), "all together"]
    lines += _examiner_table(rows, everything, names)
    lines += ["", "## By manipulation and compression: AUC of all together", ""]
    lines += _matrix(rows, everything, "all together")
    lines += ["", "## By manipulation: AUC of each examiner, all compressions", ""]
    lines += _by_examiner(rows, everything, names)
    lines += ["", "## Verdicts", ""]
    lines += _verdicts(rows, everything)
    write_text(folder / TABLES, "\n".join(lines) + "\n")


def _fused(found: Llrs, fusion: Fusion) -> float | None:
    fused = fusion.fuse(found)
    return None if fused is None else fused.llr


def _populations(rows: Sequence[Row]) -> str:
    parts = []
    for footage in dict.fromkeys(row.footage for row in rows):
        own = [row for row in rows if row.footage == footage]
        people = len({row.person for row in own})
        genuine = sum(not row.manipulation for row in own)
        parts.append(f"{footage}: {people} people, {genuine} genuine, {len(own) - genuine} synthetic")
    return "; ".join(parts) + "."


def _examiner_table(rows: Sequence[Row], llrs: Sequence[Llrs], names: Sequence[str]) -> list[str]:
    lines = ["| examiner | speaks on | " + " | ".join(name.replace("_", " ") for name in _SHOWN) + " |"]
    lines.append("|---|---|" + "---|" * len(_SHOWN))
    for name in names:
        spoke = np.mean([found.get(name) is not None for found in llrs])
        figures = _figures(rows, llrs, name)
        cells = [_cell(figures.get(shown)) for shown in _SHOWN]
        lines.append(f"| {name} | {100 * spoke:.0f} % | " + " | ".join(cells) + " |")
    return lines


def _matrix(rows: Sequence[Row], llrs: Sequence[Llrs], name: str) -> list[str]:
    kinds = _kinds(rows)
    lines = ["| footage | manipulation | " + " | ".join(COMPRESSIONS) + " |", "|---|---|" + "---|" * len(COMPRESSIONS)]
    for footage in dict.fromkeys(row.footage for row in rows):
        for kind in kinds:
            cells = []
            for compression in COMPRESSIONS:
                chosen = [
                    i for i, row in enumerate(rows)
                    if row.footage == footage and row.compression == compression and row.manipulation in ("", kind)
                ]  # fmt: skip
                cells.append(_cell(_figures([rows[i] for i in chosen], [llrs[i] for i in chosen], name).get("roc_auc")))
            if any(cell != "–" for cell in cells):
                lines.append(f"| {footage} | {kind} | " + " | ".join(cells) + " |")
    return lines


def _by_examiner(rows: Sequence[Row], llrs: Sequence[Llrs], names: Sequence[str]) -> list[str]:
    kinds = _kinds(rows)
    lines = ["| examiner | " + " | ".join(kinds) + " |", "|---|" + "---|" * len(kinds)]
    for name in names:
        cells = []
        for kind in kinds:
            places = {row.footage for row in rows if row.manipulation == kind}
            chosen = [i for i, row in enumerate(rows) if row.footage in places and row.manipulation in ("", kind)]
            found = _figures([rows[i] for i in chosen], [llrs[i] for i in chosen], name).get("roc_auc")
            cells.append("–" if found is None else f"{found.value:.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _verdicts(rows: Sequence[Row], llrs: Sequence[Llrs]) -> list[str]:
    """How often the evidence of the pixels alone passes the limits of a verdict."""
    limits = WeighSettings()
    lines = ["| footage | | rows | synthetic | cannot tell | no sign |", "|---|---|---|---|---|---|"]
    for footage in dict.fromkeys(row.footage for row in rows):
        for kind in ("", *_kinds(rows)):
            found = [
                llr.get("all together") or 0.0
                for row, llr in zip(rows, llrs, strict=True)
                if row.footage == footage and row.manipulation == kind
            ]
            if found:
                high = sum(value >= limits.synthetic_from for value in found)
                low = sum(value <= limits.no_sign_to for value in found)
                told = f"{high} | {len(found) - high - low} | {low}"
                lines.append(f"| {footage} | {kind or 'genuine'} | {len(found)} | {told} |")
    return lines


def _figures(rows: Sequence[Row], llrs: Sequence[Llrs], name: str) -> dict[str, Estimate]:
    """All figures of one examiner where it spoke; nothing where it spoke on one kind only."""
    spoke = [(row, found[name]) for row, found in zip(rows, llrs, strict=True) if found.get(name) is not None]
    labels = [bool(row.manipulation) for row, _ in spoke]
    if len(set(labels)) < 2:
        return {}
    return figures_of([float(llr or 0.0) for _, llr in spoke], labels, [row.source for row, _ in spoke], _BOOTSTRAP)


def _kinds(rows: Sequence[Row]) -> list[str]:
    return sorted({row.manipulation for row in rows} - {""})


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}–{estimate.high:.2f}]"


_HEAD = """# What the examiners are worth

Printed by `python -m training.detectors.calibrate MEASURED.jsonl -o src/likeness/weights --report docs`, over people
of whom nothing was learnt or calibrated. Intervals are 95 % bootstraps that draw whole sources; where there are one or
two, they mean nothing. AUC and the other figures of an examiner are over what it spoke on.

Read them with care. Manipulations are of the kinds that were learnt from, by other draws and of other people; swaps by
our own `flow` and `light` are of people never learnt from, but `flow` drew some of the training faces too, and `light`
had trained for two minutes and is soft. No other program's swaps are here. Most rows are portraits. That every kind of
footage weighs the same in the calibration was decided after a first table, in which two of six genuine clips of a
person who signs were called synthetic. The verdicts here are of the pixels alone, without the rules on faces out of
range.
"""
