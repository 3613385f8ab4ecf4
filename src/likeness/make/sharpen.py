"""Twice the resolution for a made face: what a small decoder leaves soft, made as sharp as the frame around it.

A network adds a residual to the bicubic enlargement. It was trained to undo softness alone (training/sharpen), so
that it draws edges, lashes and the texture of skin finer and leaves the face itself as it is.
"""

from importlib import resources
from pathlib import Path

import numpy as np

from likeness.faces.onnx_session import onnx_session

_AT_ONCE = 8  # faces in one run; more only take memory


class Sharpener:
    """The shipped network, run by ONNX Runtime. ``threads`` are its own; calls may come from several threads."""

    def __init__(self, weights: Path | None = None, threads: int = 2) -> None:
        self._session = onnx_session(weights or shipped_weights(), threads)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Faces float32 RGB (n, s, s, 3) in [0, 1], aligned, as (n, 2s, 2s, 3) in [0, 1]; any size works.

        Pixel (x, y) of the answer lies at ((x + 0.5) / 2 − 0.5, …) of the input, as `cv2.resize` has it. Raises
        ValueError for another shape.
        """
        if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
            raise ValueError(f"images are float32 (n, s, s, 3), not {images.shape}")
        count, height, width = images.shape[:3]
        # The network looks at blocks of two pixels: odd sizes borrow a row or a column.
        whole = np.pad(images, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)], mode="edge").astype(np.float32)
        planes = np.ascontiguousarray(whole.transpose(0, 3, 1, 2))
        answers = [np.empty((0, 3, 2 * planes.shape[2], 2 * planes.shape[3]), np.float32)]
        for first in range(0, count, _AT_ONCE):
            answers.append(self._session.run(None, {"images": planes[first : first + _AT_ONCE]})[0])
        finer = np.concatenate(answers)[:, :, : 2 * height, : 2 * width].transpose(0, 2, 3, 1)
        return np.ascontiguousarray(np.clip(finer, 0, 1))


def shipped_weights() -> Path:
    """The network in the package: weights/face_sharpener.onnx, described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "face_sharpener.onnx"))
