"""The networks that come with the package, run by ONNX Runtime."""

from functools import cached_property
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime

from likeness.detect.networks.inputs import SEQUENCE
from likeness.errors import ModelError
from likeness.faces.onnx_session import UNFIT, onnx_session

FILES = {
    "frames": "detector_frames.onnx",
    "pairs": "detector_pairs.onnx",
    "recurrent": "detector_recurrent.onnx",
    "temporal": "detector_temporal.onnx",
}


class ShippedNetworks:
    """The networks in ``folder``, by default the package's weights, loaded when they are first used.

    Crops are uint8 (CROP, CROP, 3) RGB, aligned as in `inputs`. Raises ModelError where a file is missing or damaged.
    """

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        self._folder, self._threads = folder, threads

    def see_frame(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of one crop, the parts of its logit (h, w), whose mean it is, and its maps of features (c, h, w)."""
        where, maps = self._frames.run(["where", "maps"], {"pictures": _shown(crop)})
        return np.asarray(where)[0], np.asarray(maps)[0]

    def see_pair(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Of two consecutive crops, the parts of their logit (h, w)."""
        (where,) = self._pairs.run(["where"], {"before": _shown(before), "after": _shown(after)})
        return np.asarray(where)[0]

    def read(self, reading: str, maps: np.ndarray) -> float:
        """The logit of maps (SEQUENCE, c, h, w) of consecutive frames by the head ``reading``."""
        session = self._recurrent if reading == "recurrent" else self._temporal
        (logit,) = session.run(["logit"], {"maps": maps[None].astype(np.float32)})
        return float(np.asarray(logit).ravel()[0])

    def logit(self, kind: str, crops: np.ndarray) -> float:
        """The answer of the network ``kind`` to consecutive crops (SEQUENCE, CROP, CROP, 3)."""
        if kind == "frames":
            return float(np.mean([self.see_frame(crop)[0].mean() for crop in crops]))
        if kind == "pairs":
            return float(np.mean([self.see_pair(*pair).mean() for pair in pairwise(crops)]))
        return self.read(kind, np.stack([self.see_frame(crop)[1] for crop in crops[:SEQUENCE]]))

    @cached_property
    def _frames(self) -> onnxruntime.InferenceSession:
        return self._session("frames")

    @cached_property
    def _pairs(self) -> onnxruntime.InferenceSession:
        return self._session("pairs")

    @cached_property
    def _recurrent(self) -> onnxruntime.InferenceSession:
        return self._session("recurrent")

    @cached_property
    def _temporal(self) -> onnxruntime.InferenceSession:
        return self._session("temporal")

    def _session(self, kind: str) -> onnxruntime.InferenceSession:
        name = FILES[kind]
        try:
            if self._folder is not None:
                return onnx_session(self._folder / name, self._threads)
            with resources.as_file(resources.files("likeness.weights").joinpath(name)) as path:
                return onnx_session(path, self._threads)
        except UNFIT as error:
            raise ModelError(f"The weights {name} are missing or damaged. Install likeness again.") from error


def _shown(crop: np.ndarray) -> np.ndarray:
    return (crop.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
