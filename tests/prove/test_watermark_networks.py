"""The shipped networks take what they are given: every input reaches the answer."""

from importlib import resources

import numpy as np
import onnxruntime
import pytest

from likeness.prove.watermark.carrier import GRID, SECOND_GRID
from likeness.prove.watermark.strength import WORKING_SIZE

SIDES = {
    "watermark_marker": {"luminance": WORKING_SIZE, "mask": WORKING_SIZE, "chips": GRID, "second": SECOND_GRID},
    "watermark_reader": {"luminance": WORKING_SIZE},
    "watermark_tamper": {"luminance": WORKING_SIZE, "chips": GRID, "second": SECOND_GRID, "agreement": GRID},
}


@pytest.mark.parametrize("name", SIDES)
def test_every_input_counts(name: str) -> None:
    """An exporter once took two inputs of equal shape for one, and a pattern was fitted to the wrong picture."""
    content = (resources.files("likeness.weights") / f"{name}.onnx").read_bytes()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    given = {key: rng.uniform(1, 200, (1, 1, side, side)).astype(np.float32) for key, side in SIDES[name].items()}
    assert {value.name: value.shape[2] for value in session.get_inputs()} == SIDES[name]
    before = session.run(None, given)[0]
    for key in given:
        changed = given | {key: np.ascontiguousarray(given[key][..., ::-1])}
        assert not np.allclose(session.run(None, changed)[0], before, atol=1e-3), f"{name} does not look at {key}"
