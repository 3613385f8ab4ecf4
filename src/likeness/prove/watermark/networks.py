"""The shipped networks, run by ONNX Runtime."""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime

from likeness.faces.onnx_session import onnx_session

Name = Literal["watermark_marker", "watermark_reader", "watermark_tamper"]

THREADS = 2


@lru_cache(maxsize=3)
def _session(name: Name) -> onnxruntime.InferenceSession:
    return onnx_session(Path(str(resources.files("likeness.weights") / f"{name}.onnx")), THREADS)


def residual(luminance: np.ndarray, mask: np.ndarray, chips: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The marker's answer before the budget, float32 (256, 256), from luminance and mask (256, 256), chips (64, 64)
    and second chips (128, 128)."""
    inputs = {"luminance": luminance, "mask": mask, "chips": chips, "second": second}
    return _run("watermark_marker", inputs)


def chip_odds(luminance: np.ndarray) -> np.ndarray:
    """The reader's log-odds for each chip to be +1, float32 (64, 64), from luminance float32 (256, 256)."""
    return _run("watermark_reader", {"luminance": luminance})


def alteration_odds(luminance: np.ndarray, chips: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The tamper decoder's log-odds for each place to be altered, float32 (64, 64); ``luminance`` lies in place."""
    inputs = {"luminance": luminance, "chips": chips, "second": second, "agreement": chip_odds(luminance) * chips}
    return _run("watermark_tamper", inputs)


def _run(name: Name, inputs: dict[str, np.ndarray]) -> np.ndarray:
    batched = {key: np.ascontiguousarray(value, dtype=np.float32)[None, None] for key, value in inputs.items()}
    return _session(name).run(None, batched)[0][0, 0]
