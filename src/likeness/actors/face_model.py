"""The measured face every actor is made of: ICT-FaceKit Light (USC ICT, MIT licence), 50 identity modes, 57
expressions.

Source: Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020; github.com/ICT-VGL/ICT-FaceKit.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import platformdirs
import pooch

from likeness.errors import MissingDataError
from likeness.files import sha256_of

FACE_MODEL_FILE = "ict_facekit_50.npz"
FACE_MODEL_SHA256 = "85463990bad1700afb23ec67a1c75e3470f40937517a5ac795dc7eb02975ac9a"
FACE_MODEL_NOTICE = "ICT-FaceKit, Copyright (c) 2020 USC Institute for Creative Technologies, MIT License"

_HELP = (
    "Set LIKENESS_DATA to the folder that holds face_model/ict_facekit_50.npz, "
    "or LIKENESS_FACE_MODEL_URL to an address to download that file from."
)


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A head as a linear model: neutral + identity @ modes + expression @ deltas, in cm.

    +y is up, +z towards the camera, +x the subject's left. Shapes: ``vertices`` float32 (n, 3), ``triangles`` int32 (m,
    3), ``uv`` float32 (k, 2) with the material's tile in the whole part of u, ``uv_triangles`` int32 (m, 3),
    ``materials`` str (m,), ``identity_modes`` float32 (50, n, 3), ``expression_deltas`` float32 (57, n, 3),
    ``landmarks`` int32 (68,) vertex numbers in iBUG order.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    uv_triangles: np.ndarray
    materials: np.ndarray
    identity_modes: np.ndarray
    expression_deltas: np.ndarray
    expression_names: tuple[str, ...]
    landmarks: np.ndarray

    def shape(self, identity: np.ndarray) -> np.ndarray:
        """The neutral face of one identity: float32 (n, 3) in cm from up to 50 standard-normal weights."""
        modes = self.identity_modes[: len(identity)]
        return self.vertices + np.tensordot(np.asarray(identity, np.float32), modes, axes=1)

    def expression(self, **weights: float) -> np.ndarray:
        """Weights float32 (57,) in the model's order from names, e.g. ``jawOpen=0.4``; raises KeyError on an unknown
        name.
        """
        vector = np.zeros(len(self.expression_names), np.float32)
        for name, weight in weights.items():
            if name not in self.expression_names:
                raise KeyError(name)
            vector[self.expression_names.index(name)] = weight
        return vector


@cache
def face_model() -> FaceModel:
    """The face model from LIKENESS_DATA, or from the user's cache, or downloaded; always checked against its SHA-256.

    Raises MissingDataError where no copy can be had or the copy is damaged.
    """
    return load_face_model(find_face_model())


def find_face_model() -> Path:
    """Where the face model's file is: ``LIKENESS_DATA/face_model``, the cache, or fetched from
    ``LIKENESS_FACE_MODEL_URL``.
    """
    folder = os.environ.get("LIKENESS_DATA")
    if folder and (path := Path(folder) / "face_model" / FACE_MODEL_FILE).is_file():
        return path
    cached = platformdirs.user_cache_path("likeness") / FACE_MODEL_FILE
    if cached.is_file():
        return cached
    address = os.environ.get("LIKENESS_FACE_MODEL_URL")
    if not address:
        raise MissingDataError(f"The face model is not here, so no actor can be filmed. {_HELP}")
    try:
        pooch.retrieve(address, f"sha256:{FACE_MODEL_SHA256}", fname=cached.name, path=cached.parent)
    except (OSError, ValueError) as error:
        raise MissingDataError(f"The face model could not be downloaded from {address} ({error}). {_HELP}") from error
    return cached


def load_face_model(path: Path) -> FaceModel:
    """Read the face model from ``path``; raises MissingDataError where its SHA-256 is not the pinned one."""
    if sha256_of(path) != FACE_MODEL_SHA256:
        raise MissingDataError(f"{path} is not the face model this version was made for, or it is damaged. {_HELP}")
    with np.load(path) as data:
        return FaceModel(
            vertices=data["vertices_cm"],
            triangles=data["triangles"].astype(np.int32),
            uv=data["uv"],
            uv_triangles=data["uv_triangles"].astype(np.int32),
            materials=data["material_names"][data["triangle_material"]],
            identity_modes=data["identity_modes_q"] * data["identity_modes_scale"],
            expression_deltas=data["expression_deltas_q"] * data["expression_deltas_scale"],
            expression_names=tuple(str(name) for name in data["expression_names"]),
            landmarks=data["landmark68_vertices"],
        )
