"""Train the shipped classifiers of hand-made features: handmade.npz, and handmade.md, its card.

    python -m training.detectors.fit_handmade DATA... -o RUN -w src/likeness/weights --workers 2

DATA are folders in a layout that `likeness.detect.datasets` reads. RUN keeps what was measured, the figures and the
split; `--resume` goes on. It is what `likeness fit handmade` does, and the card.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from likeness.detect.cues.handmade import WEIGHTS_FILE
from likeness.detect.datasets import Sample, read_samples
from likeness.detect.features import CLIP_NAMES, PICTURE_NAMES
from likeness.detect.fit_handmade import FitHandmadeSettings, fit_handmade
from likeness.files import atomic_write, sha256_of, write_text

CARD = "handmade.md"


def main() -> None:
    options = _options()
    samples = read_samples(options.data)
    settings = FitHandmadeSettings(minutes=options.minutes, resume=options.resume, workers=options.workers)
    report = fit_handmade(samples, options.output, settings)
    with atomic_write(options.weights / WEIGHTS_FILE) as temporary:
        shutil.copyfile(options.output / WEIGHTS_FILE, temporary)
    write_text(options.weights / CARD, card(options.weights / WEIGHTS_FILE, samples, report))


def card(weights: Path, samples: Sequence[Sample], report: Mapping[str, Any]) -> str:
    """What handmade.md says of ``weights``, trained on ``samples`` with the figures of validation.json."""
    manipulations = sorted({sample.manipulation for sample in samples if sample.synthetic})
    lines = [
        f"# {WEIGHTS_FILE}",
        "",
        f"SVM (Gaussian kernel) and MLP (one hidden layer) on {len(PICTURE_NAMES)} hand-made features of a picture and "
        f"{len(CLIP_NAMES)} of a clip (`detect/features.py`), stored as numbers (`detect/classifiers.py`).",
        "",
        f"SHA-256 `{sha256_of(weights)}`, {weights.stat().st_size:,} bytes.",
        "",
        "## Data",
        f"Manipulations: {', '.join(manipulations)}. Divided by person and source:",
        "",
        "| part | samples | synthetic | people | measured |",
        "|---|---|---|---|---|",
    ]
    for part in ("train", "validate", "test", "left_out"):
        counts = report[part]
        numbers = (counts[name] for name in ("samples", "synthetic", "people", "measured"))
        lines.append(f"| {part.replace('_', ' ')} | {' | '.join(map(str, numbers))} |")
    lines += [
        "",
        "## Figures",
        "AUC, of training people by cross-validation, which chose the settings, and of the validation people.",
        "",
        "| model | rows | chosen | cross-validated | validation | genuine | synthetic |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in report["models"].items():
        chosen = ", ".join(f"{key} {value:.3g}" for key, value in figures["chosen"].items())
        validation = figures["validation_auc"]
        lines.append(
            f"| {name.replace('_', ' ')} | {figures['rows']} | {chosen} | {figures['cross_validated_auc']:.3f} "
            f"| {'unknown' if validation is None else f'{validation:.3f}'} "
            f"| {figures['validation_genuine']} | {figures['validation_synthetic']} |"
        )
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="folders of samples")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for what is measured")
    parser.add_argument("-w", "--weights", type=Path, required=True, help="folder for handmade.npz and its card")
    parser.add_argument("--minutes", type=float, help="of measuring, at most")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
