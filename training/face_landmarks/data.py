"""What the landmark network learns from: teacher-labelled portraits, filmed actors, and photographs without a face.

Every split is decided by a hash, once and for all: a portrait's by the person's name, a photograph's by its content.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from likeness.errors import MissingDataError
from likeness.faces.align import TEMPLATE, scale_of, umeyama

Split = Literal["train", "validation", "test"]

TEST_PORTRAITS = 110
VALIDATION_PORTRAITS = 50

# MediaPipe face-mesh vertices that stand in for the 68 iBUG points. The jaw points lie on the mesh's face oval, a
# little outside the iBUG contour; the difference is a matter of definition and is the teacher's, hence ours.
# fmt: off
MESH_TO_IBUG = np.array([
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
])
# fmt: on


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """``images``: list of uint8 RGB (h, w, 3); ``landmarks`` float32 (n, 68, 2) pixels; ``actor`` (n,) says whether the
    labels are an actor's exact truth (ICT-FaceKit's vertices) or the portrait teacher's."""

    images: list[np.ndarray]
    landmarks: np.ndarray
    names: list[str]
    actor: np.ndarray


def read_rgb(path: Path) -> np.ndarray:
    """A picture of the data folder as uint8 RGB (h, w, 3)."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise MissingDataError(f"{path} is not a readable picture. Fetch the training data again.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def portrait_splits(names: list[str]) -> dict[str, Split]:
    """Each portrait's split, by the SHA-256 of the name: the first 110 are for the test, the next 50 for validation."""
    ordered = sorted(names, key=lambda name: hashlib.sha256(Path(name).stem.encode()).hexdigest())
    bounds = TEST_PORTRAITS, TEST_PORTRAITS + VALIDATION_PORTRAITS
    return {
        name: "test" if rank < bounds[0] else "validation" if rank < bounds[1] else "train"
        for rank, name in enumerate(ordered)
    }


def shrunk(faces: LabelledFaces, face_px: float) -> LabelledFaces:
    """The same faces in smaller pictures, in which TEMPLATE's square is at most about ``face_px`` wide: enough for a
    crop, and several times faster to warp."""
    images, landmarks = [], []
    for image, points in zip(faces.images, faces.landmarks, strict=True):
        factor = min(1.0, face_px * scale_of(umeyama(points, TEMPLATE)))
        size = round(image.shape[1] * factor), round(image.shape[0] * factor)
        factors = np.array(size) / [image.shape[1], image.shape[0]]
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        landmarks.append((points + 0.5) * factors - 0.5)
    return LabelledFaces(images, np.array(landmarks, np.float32), faces.names, faces.actor)


def load_portraits(data: Path, split: Split) -> LabelledFaces:
    """The portraits of one split with the teacher's landmarks."""
    labels = np.load(data / "portraits" / "landmarks_478.npz")
    names = [str(name) for name in labels["image"]]
    splits = portrait_splits(names)
    chosen = [row for row, name in enumerate(names) if splits[name] == split]
    return LabelledFaces(
        images=[read_rgb(data / "portraits" / names[row]) for row in chosen],
        landmarks=labels["points_px"][chosen][:, MESH_TO_IBUG, :2].astype(np.float32),
        names=[names[row] for row in chosen],
        actor=np.zeros(len(chosen), bool),
    )


def load_actors(folder: Path) -> LabelledFaces:
    """All stills that render_actors.py wrote to ``folder``, with their exact landmarks."""
    shards = [np.load(path) for path in sorted(folder.glob("actors_*.npz"))]
    if not shards:
        raise MissingDataError(f"{folder} holds no actors_*.npz. Run training/face_landmarks/render_actors.py first.")
    landmarks = np.concatenate([shard["landmarks"] for shard in shards]).astype(np.float32)
    return LabelledFaces(
        images=[image for shard in shards for image in shard["images"]],
        landmarks=landmarks,
        names=[f"actor {person}" for shard in shards for person in shard["person"]],
        actor=np.ones(len(landmarks), bool),
    )


def photo_split(path: Path, half: int = 0) -> Split:
    """A photograph's split by the hash of its content. One half is for the test; of the other, a fifth for validation.

    ``half`` 0 or 1 chooses which half is tested, so that two networks together test every photograph unseen.
    """
    first = hashlib.sha256(path.read_bytes()).digest()
    if first[0] % 2 == half:
        return "test"
    return "validation" if first[1] % 5 == 0 else "train"


def photo_paths(data: Path, split: Split | None = None, half: int = 0) -> list[Path]:
    """The faceless photographs of one split, or all of them, sorted by path."""
    paths = sorted(path for path in (data / "photos").glob("*/*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return [path for path in paths if split is None or photo_split(path, half) == split]
