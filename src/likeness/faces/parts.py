"""What each pixel of a face crop shows: face, hair, something in front of them, or the rest; one small network."""

from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from likeness.faces.onnx_session import onnx_session

SIZE = 128  # pixels, side of the network's input and of its answer
BACKGROUND, FACE, HAIR, OCCLUDER = range(4)
PARTS = ("background", "face", "hair", "occluder")

_AT_ONCE = 16  # crops in one run; more only take memory


class PartSegmenter:
    """The shipped network, run by ONNX Runtime. ``threads`` are its own; calls may come from several threads.

    Face is the skin from hairline to jaw with brows, eyes, mouth and beard, also where clear glasses lie over it. Hair
    grows on the scalp. An occluder is whatever lies in front: hands, things held, rims, dark lenses, scarves, masks.
    Background is the rest, ears, neck and clothes with it.
    """

    def __init__(self, weights: Path | None = None, threads: int = 2) -> None:
        self._session = onnx_session(weights or shipped_weights(), threads)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities float32 (n, 4, 128, 128), in the order of PARTS, which add up to 1 at each pixel.

        ``crops`` are uint8 RGB (n, side, side, 3), aligned at coverage 0.625 as in a face set (`faces.align`), of any
        side. Raises ValueError for another shape or dtype.
        """
        if crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[3] != 3 or crops.dtype != np.uint8:
            raise ValueError(f"crops are uint8 (n, side, side, 3), not {crops.dtype} {crops.shape}")
        answers = [np.empty((0, len(PARTS), SIZE, SIZE), np.float32)]
        for first in range(0, len(crops), _AT_ONCE):
            views = np.stack([_view(crop) for crop in crops[first : first + _AT_ONCE]])
            answers.append(self._session.run(None, {"crops": views})[0])
        return np.concatenate(answers)


def _view(crop: np.ndarray) -> np.ndarray:
    if len(crop) == SIZE:
        return crop
    return cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA if len(crop) > SIZE else cv2.INTER_LINEAR)


def shipped_weights() -> Path:
    """The network in the package: weights/face_parts.onnx, described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "face_parts.onnx"))
