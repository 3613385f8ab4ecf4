"""The swap one gets without learning: B's best-matching frame, warped onto A by landmarks and colour-matched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.spatial import Delaunay

from likeness.errors import NoFaceError
from likeness.faces.align import TEMPLATE, apply, umeyama
from likeness.faces.face import Face
from likeness.faces.hull import hull_mask
from likeness.faces.tracker import Tracker
from likeness.make.blend import soft_mask
from likeness.make.colour import lab_transfer
from likeness.media.clip import Clip, Frame

Warp = Literal["similarity", "piecewise"]

_MOST_FRAMES = 500  # of B that are kept to choose from
_MARGIN = 0.15  # of the face's width, kept around it
_FEATHER = 0.08  # of the face's width


@dataclass(frozen=True, eq=False)
class FaceFrame:
    """One frame of B, cut around the face: ``image`` uint8 (h, w, 3), ``landmarks`` float64 (68, 2) in its pixels."""

    image: np.ndarray
    landmarks: np.ndarray


class NearestFrame:
    """B's frames, ready to be laid over A's.

    Which frame fits is decided by shape: landmarks brought upright by a similarity, less the person's own mean shape,
    so that pose and expression count and who it is does not.
    """

    def __init__(self, frames: Sequence[FaceFrame], mean_shape: np.ndarray) -> None:
        """``frames`` of B, at least one; ``mean_shape`` float64 (68, 2): A's mean, from :func:`mean_shape_of`."""
        self._frames = frames
        shapes = np.stack([upright(frame.landmarks) for frame in frames])
        self._expressions = shapes - shapes.mean(axis=0)
        self._mean_shape = mean_shape

    def best(self, landmarks: np.ndarray) -> FaceFrame:
        """The frame of B nearest in pose and expression to A's ``landmarks`` (68, 2)."""
        expression = upright(landmarks) - self._mean_shape
        distance = np.square(self._expressions - expression).sum(axis=(1, 2))
        return self._frames[int(distance.argmin())]

    def lay_over(self, image: np.ndarray, landmarks: np.ndarray, warp: Warp) -> np.ndarray:
        """A's frame ``image`` uint8 (h, w, 3) with B's best frame over the face at ``landmarks`` (68, 2), as a copy."""
        result = image.copy()
        x0, y0, x1, y1 = box_around(landmarks, image.shape)
        if x0 < x1 and y0 < y1:
            result[y0:y1, x0:x1] = self._laid_over(image[y0:y1, x0:x1], landmarks - np.array([x0, y0]), warp)
        return result

    def _laid_over(self, image: np.ndarray, landmarks: np.ndarray, warp: Warp) -> np.ndarray:
        chosen = self.best(landmarks)
        shape = image.shape[:2]
        if warp == "similarity":
            matrix = umeyama(chosen.landmarks, landmarks)
            warped, placed = _move(chosen.image, matrix, shape), apply(matrix, chosen.landmarks)
        else:
            warped, placed = piecewise_affine(chosen.image, chosen.landmarks, landmarks, shape), landmarks
        mask = hull_mask(placed, shape)
        under = image.astype(np.float32) / 255
        alpha = soft_mask(mask, -1, _FEATHER * float(np.ptp(placed[:, 0])))
        matched = lab_transfer(warped.astype(np.float32) / 255, under, alpha, spread=True)
        return np.rint((under + alpha[:, :, None] * (matched - under)) * 255).astype(np.uint8)


def upright(landmarks: np.ndarray) -> np.ndarray:
    """``landmarks`` (68, 2) brought to the template's place, size and turn."""
    return apply(umeyama(landmarks, TEMPLATE), np.asarray(landmarks, np.float64))


def mean_shape_of(clip: Clip) -> np.ndarray:
    """The mean upright shape (68, 2) of the main face of ``clip``. Raises NoFaceError."""
    shapes = [upright(face.landmarks) for _, face in main_faces(clip) if face is not None]
    if not shapes:
        raise NoFaceError(f"No face was found in {clip.path}. Name a clip that shows the person.")
    return np.mean(shapes, axis=0)


def piecewise_affine(image: np.ndarray, src: np.ndarray, dst: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """``image`` warped so that the points ``src`` (n, 2) come to lie at ``dst`` (n, 2).

    Affine in each Delaunay triangle of ``dst``. The result has ``shape`` (height, width) and the dtype of ``image``;
    outside the hull of ``dst`` it means nothing.
    """
    triangles = Delaunay(dst)
    corners = np.floor(dst.min(axis=0)).astype(int), np.ceil(dst.max(axis=0)).astype(int) + 1
    x, y = np.meshgrid(*(np.arange(low, high) for low, high in zip(*corners, strict=True)))
    spots = np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)
    inside = triangles.find_simplex(spots)
    transform = triangles.transform[inside]
    two = np.einsum("nij,nj->ni", transform[:, :2], spots - transform[:, 2])
    weights = np.column_stack([two, 1 - two.sum(axis=1)])
    origin = np.einsum("nk,nkd->nd", weights, src[triangles.simplices[inside]])
    maps = np.full((*shape, 2), -1e4, np.float32)
    seen = (inside >= 0) & (x.ravel() >= 0) & (y.ravel() >= 0) & (x.ravel() < shape[1]) & (y.ravel() < shape[0])
    maps[y.ravel()[seen], x.ravel()[seen]] = origin[seen]
    return cv2.remap(image, maps[:, :, 0], maps[:, :, 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def main_face(faces: list[tuple[int, Face]]) -> Face | None:
    """The widest of the tracker's faces of one frame, or None."""
    return max((face for _, face in faces), key=lambda face: face.width, default=None)


def main_faces(clip: Clip) -> Iterator[tuple[Frame, Face | None]]:
    """Each frame of ``clip`` with its largest face, or None where there is none."""
    tracker = Tracker()
    for frame in clip.frames():
        yield frame, main_face(tracker.update(frame))


def face_frames(clip: Clip) -> list[FaceFrame]:
    """The frames of ``clip`` that show a face, evenly thinned out to a few hundred. Raises NoFaceError."""
    step = max(1, -(-(clip.frame_count or 1) // _MOST_FRAMES))
    frames = [
        _cut(frame.image, np.asarray(face.landmarks, np.float64))
        for frame, face in main_faces(clip)
        if face is not None and frame.index % step == 0
    ]
    if not frames:
        raise NoFaceError(f"No face was found in {clip.path}. Name a clip that shows the person.")
    return frames


def box_around(landmarks: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part (x0, y0, x1, y1) of a picture that holds the face at ``landmarks`` (68, 2) with a margin."""
    margin = _MARGIN * float(np.ptp(landmarks[:, 0]))
    x0, y0 = np.floor(landmarks.min(axis=0) - margin).astype(int)
    x1, y1 = np.ceil(landmarks.max(axis=0) + margin).astype(int) + 1
    return max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])


def _cut(image: np.ndarray, landmarks: np.ndarray) -> FaceFrame:
    x0, y0, x1, y1 = box_around(landmarks, image.shape)
    return FaceFrame(image[y0:y1, x0:x1].copy(), landmarks - (x0, y0))


def _move(image: np.ndarray, matrix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    size = shape[::-1]
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
