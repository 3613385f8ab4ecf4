"""Who a face belongs to: a unit vector for each face, and how alike two of them are.

The shipped recogniser has seen synthetic people and no names. Whoever has a public one as an ONNX file (112-pixel
input, ArcFace alignment) plugs it in by ``--recogniser`` or LIKENESS_RECOGNISER.
"""

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import torch

from likeness.errors import ModelError
from likeness.faces.align import COVERAGE, TEMPLATE, square_in_crop, umeyama, warp
from likeness.faces.align import apply as moved
from likeness.faces.identity_network import EMBEDDING, identity_view, load_identity_network, shipped_weights
from likeness.faces.onnx_session import UNFIT

SAME_PERSON = 0.55  # cosine; the card of the weights says how often it errs

_BATCH = 64
_FOREIGN_SAME_PERSON = 0.35  # cosine, between the thresholds that public ArcFace models are used with
_FOREIGN_SIZE = 112
# Where ArcFace models expect eyes, nose and corners of the mouth in their 112 × 112 pixels (Deng et al. 2019).
_FOREIGN_PLACES = np.array([(38.29, 51.70), (73.53, 51.50), (56.03, 71.74), (41.55, 92.37), (70.73, 92.20)])


class Recogniser(Protocol):
    """Turns faces into unit vectors. ``threshold``: cosine above which two are taken for one person."""

    name: str
    threshold: float

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """uint8 RGB (n, side, side, 3), aligned as in a face set (coverage 0.625), to float32 (n, d) unit vectors."""
        ...


class OwnRecogniser:
    """The shipped network, averaged over each face and its mirror image."""

    def __init__(self, weights: Path | None = None) -> None:
        path = weights or shipped_weights()
        self.name = f"likeness-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        self.threshold = SAME_PERSON
        self._network = load_identity_network(path)

    @torch.inference_mode()
    def embed(self, crops: np.ndarray) -> np.ndarray:
        vectors = [np.zeros((0, EMBEDDING), np.float32)]
        for start in range(0, len(crops), _BATCH):
            faces = torch.from_numpy(np.ascontiguousarray(crops[start : start + _BATCH])).permute(0, 3, 1, 2).float()
            views = identity_view(faces / 255)
            both = self._network(views) + self._network(views.flip(3))
            vectors.append(torch.nn.functional.normalize(both, dim=1).numpy())
        return np.concatenate(vectors)


class OnnxRecogniser:
    """A public recogniser from an ONNX file: float32 (n, 3, 112, 112) RGB in [−1, 1] to (n, d). Raises ModelError."""

    def __init__(self, path: Path) -> None:
        self.threshold = _FOREIGN_SAME_PERSON
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # only what is fatal: the rest is raised, and said in one line
        try:
            content = Path(path).read_bytes()
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
            [taken] = self._session.get_inputs()
            blank = np.zeros((1, 3, _FOREIGN_SIZE, _FOREIGN_SIZE), np.float32)
            [answer, *_] = self._session.run(None, {taken.name: blank})
        except UNFIT as error:
            raise ModelError(
                f"{path} is no face recogniser that takes 112 px faces. Name such an ONNX file, or use ours."
            ) from error
        if not isinstance(answer, np.ndarray) or answer.dtype.kind != "f" or answer.ndim != 2 or answer.shape[1] < 16:
            raise ModelError(f"{path} does not give a vector of numbers for a face. Name an ONNX face recogniser.")
        self.name = f"onnx-{hashlib.sha256(content).hexdigest()[:12]}"
        self._input = taken.name

    def embed(self, crops: np.ndarray) -> np.ndarray:
        vectors = []
        for crop in crops:
            side = len(crop)
            eyes_nose_mouth = _five_points(moved(square_in_crop(side, COVERAGE), TEMPLATE))
            face = warp(crop, umeyama(eyes_nose_mouth, _FOREIGN_PLACES), _FOREIGN_SIZE)
            pixels = face.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
            vectors.append(self._session.run(None, {self._input: pixels})[0][0])
        if not vectors:
            return np.zeros((0, 1), np.float32)
        stacked = np.array(vectors, np.float32)
        return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def recogniser(path: Path | None = None) -> Recogniser:
    """Ours, or that of the ONNX file ``path`` or, without one, of LIKENESS_RECOGNISER. Raises ModelError."""
    chosen = path or os.environ.get("LIKENESS_RECOGNISER")
    return _opened(Path(chosen)) if chosen else _own()


def mean_embedding(embeddings: np.ndarray) -> np.ndarray:
    """The unit vector float32 (d,) between ``embeddings`` (n, d), of which those of other people count for nothing.

    Left out are those whose median similarity to all is less than half of the best one's.
    """
    alike = np.median(embeddings @ embeddings.T, axis=1)
    mean = embeddings[alike >= 0.5 * alike.max()].mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine in [−1, 1] of two unit vectors (d,)."""
    return float(np.dot(a, b))


@cache
def _own() -> OwnRecogniser:
    return OwnRecogniser()


@cache
def _opened(path: Path) -> OnnxRecogniser:
    return OnnxRecogniser(path)


def _five_points(landmarks: np.ndarray) -> np.ndarray:
    """Eyes, nose tip and corners of the mouth (5, 2) of ``landmarks`` (68, 2)."""
    eyes = [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)]
    return np.array([*eyes, landmarks[30], landmarks[48], landmarks[54]])
