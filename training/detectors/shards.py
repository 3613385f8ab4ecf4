"""Read what `material.py` made, as examples for the networks."""

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np

from likeness.detect.networks.examples import Example, Examples
from likeness.errors import MissingDataError
from training.detectors.manipulate import ALL_KINDS
from training.detectors.sources import Split


def load_examples(folder: Path, split: Split, kinds: Collection[str] = ALL_KINDS) -> Examples:
    """The couples of ``split`` that were manipulated by one of ``kinds``; pixels stay on disk until they are looked at.

    Raises MissingDataError where there are none.
    """
    rows = []
    for path in sorted(folder.glob(f"{split}_*.json")):
        images = np.load(path.with_suffix(".npy"), mmap_mode="r")
        for row, told in enumerate(json.loads(path.read_text("utf-8"))):
            if told["kind"] in kinds:
                source = f"{path.stem}:{row}"
                rows.append(Example(images[row, 0], False, source, told["person"]))
                rows.append(Example(images[row, 1], True, source, told["person"], told["kind"]))
    if not rows:
        raise MissingDataError(
            f"{folder} holds nothing for {split}. Run `python -m training.detectors.material` first."
        )
    return Examples(rows)
