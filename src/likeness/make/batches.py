"""Faces in memory as the training wants them: uint8 layers on the compute device, and a split that does not leak."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from likeness.errors import FaceSetError
from likeness.faces.face import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from likeness.faces.faceset import CROP_SIZE, FaceSet
from likeness.faces.hull import hull_mask
from likeness.make.model import SideRecord
from likeness.make.warp import PART_STEP, Crops

MIN_FACES = 10  # a side; fewer teach nothing

_MOUTH = slice(OUTER_LIPS.start, INNER_LIPS.stop)
_FOREHEAD = 0.12  # of the face's height: the mask reaches this far above the brows
_EYE_WEIGHT, _MOUTH_WEIGHT = 3.0, 2.0  # as today's face swappers emphasise them
_WEIGHT_SCALE = 255 / 4  # weights are kept as uint8


@dataclass(frozen=True)
class SplitSettings:
    """How faces are held out. Time is cut into blocks of ``block_s`` seconds, and every 1/``share``-th is held out.

    Neighbouring frames are almost one picture: whole blocks are held out, and nothing within ``guard_s`` of them is
    learnt.
    """

    share: float = 0.1
    block_s: float = 1.0
    guard_s: float = 0.2


@dataclass(frozen=True, eq=False)
class Faces:
    """One side's ``crops`` on the compute device.

    ``learnt`` and ``heldout`` are int64 indices into them; ``record`` says where they come from.
    """

    crops: Crops
    learnt: Tensor
    heldout: Tensor
    record: SideRecord

    def take(self, chosen: Tensor) -> Crops:
        """Some of the crops; ``chosen`` are int64 indices on the CPU."""
        places = chosen.to(self.crops.colours.device)
        return Crops(self.crops.colours.index_select(0, places), self.crops.parts.index_select(0, places))


def load_faces(folder: Path, crop: int, device: torch.device, split: SplitSettings | None = None) -> Faces:
    """Read a face set for training, at ``crop`` pixels a side. Raises FaceSetError where too few faces are left."""
    return faces_of(open_faces(folder), crop, device, split)


def open_faces(folder: Path) -> FaceSet:
    """The face set in ``folder``, its pictures not yet read. Raises FaceSetError where too few faces are left."""
    faces = FaceSet.load(folder)
    if len(faces) < MIN_FACES:
        raise FaceSetError(
            f"{folder} holds {len(faces)} faces, and training needs at least {MIN_FACES}. Extract more of this person."
        )
    return faces


def faces_of(faces: FaceSet, crop: int, device: torch.device, split: SplitSettings | None = None) -> Faces:
    """The pictures of ``faces`` for training, at ``crop`` pixels a side."""
    # pixel i of a crop covers [i, i + 1) of its side, so its centre moves with the half pixel
    landmarks = (faces.landmarks_in_crop + 0.5) * (crop / CROP_SIZE) - 0.5
    colours = torch.from_numpy(faces.crops(crop)).permute(0, 3, 1, 2).contiguous()
    parts = torch.from_numpy(np.stack([face_parts(points, crop) for points in landmarks]))
    sources, times_s = faces.rows.column("source").to_pylist(), faces.rows.column("time_s").to_numpy()
    learnt, heldout = split_by_time(sources, times_s, split or SplitSettings())
    record = SideRecord(sources=dict(faces.sources), faces=len(faces), digest=_digest(faces))
    return Faces(
        Crops(colours.to(device), parts.to(device)), torch.from_numpy(learnt), torch.from_numpy(heldout), record
    )


def face_parts(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Mask and weight of a face, uint8 (2, size / 4, size / 4), from its landmarks (68, 2) in a crop of ``size``
    pixels.

    The weight is 1 on the face, 3 on the eyes and 2 on the mouth, softened, as they are small and matter most.
    """
    mask = hull_mask(landmarks, (size, size), forehead=_FOREHEAD)
    weight = mask.copy()
    for part, value in ((RIGHT_EYE, _EYE_WEIGHT), (LEFT_EYE, _EYE_WEIGHT), (_MOUTH, _MOUTH_WEIGHT)):
        weight = np.maximum(weight, value * _around(landmarks[part], size))
    small = (size // PART_STEP, size // PART_STEP)
    planes = [cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in (mask * 255, weight * _WEIGHT_SCALE)]
    return np.round(np.stack(planes)).astype(np.uint8)


def _around(points: np.ndarray, size: int) -> np.ndarray:
    """float32 (size, size): 1 inside the hull of ``points`` (n, 2), widened by a thirtieth of the picture."""
    part = np.zeros((size, size), np.uint8)
    hull = cv2.convexHull(np.round(points).astype(np.int32))
    cv2.fillConvexPoly(part, hull, 1)
    cv2.polylines(part, [hull], True, 1, thickness=max(1, size // 15))
    return part.astype(np.float32)


def split_by_time(sources: list[str], times_s: np.ndarray, settings: SplitSettings) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the faces to learn and of those to hold out, both int64 and sorted, neither empty.

    ``sources`` and ``times_s`` say for each face which footage it is from and when. Of footage too short for
    1/``share`` blocks, and of single pictures, shorter runs are held out.
    """
    order = sorted(range(len(sources)), key=lambda index: (sources[index], times_s[index]))
    keys = [(sources[index], int(times_s[index] // settings.block_s)) for index in order]
    wanted = max(2, round(1 / settings.share))
    if len(set(keys)) >= wanted:
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        blocks = np.array([numbers[key] for key in keys])
    else:
        blocks = np.arange(len(order)) * wanted // len(order)
    places = np.array(order)
    out = blocks % wanted == wanted // 2
    heldout = np.sort(places[out])
    near = {index for index in places[~out] if _is_near(index, heldout, sources, times_s, settings.guard_s)}
    kept = [index for index in places[~out] if index not in near]
    learnt = np.sort(np.array(kept or places[~out]))
    return learnt.astype(np.int64), heldout.astype(np.int64)


def _is_near(index: int, others: np.ndarray, sources: list[str], times_s: np.ndarray, guard_s: float) -> bool:
    close = others[np.abs(times_s[others] - times_s[index]) < guard_s]
    return any(sources[other] == sources[index] for other in close)


def _digest(faces: FaceSet) -> str:
    """SHA-256 over the faces' names and landmarks: changes when faces are deleted or extracted anew."""
    digest = hashlib.sha256()
    for name in faces.rows.column("file").to_pylist():
        digest.update(name.encode())
    digest.update(np.ascontiguousarray(faces.landmarks).tobytes())
    return digest.hexdigest()


def draw_batch(faces: Faces, count: int, random: torch.Generator) -> Crops:
    """``count`` of the learnt faces at random, on their device."""
    return faces.take(faces.learnt[torch.randint(len(faces.learnt), (count,), generator=random)])
