"""How large the other face is on this head, and where it sits.

Aligned crops hide that: in them every face fills the template, mostly by its jaw, so a broad face would be put back as
small as the narrow one that was there, with its eyes too close. What people share best is the place of eyes, brows and
nose on the head. So the made face is moved as a whole until those lie where the frame's own do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likeness.faces.align import apply, invert, scale_of
from likeness.faces.face import LEFT_EYE, NOSE_BRIDGE, RIGHT_BROW
from likeness.faces.landmarks import LandmarkModel, crop_around
from likeness.make.model import Direction, SwapModel
from likeness.make.smooth import similarity_matrices, similarity_parameters

CROP = 256  # pixels a side of an aligned crop, as in a FaceSet

_FEWEST = 3  # samples with a face found in what was made, or nothing is moved
_PRESENCE = 0.5
_SCALES = (0.75, 1.35)  # beyond them the landmarks of the made face cannot be right


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame's face: ``crop`` uint8 (CROP, CROP, 3), aligned, and its ``landmarks`` float64 (68, 2) in the crop."""

    crop: np.ndarray
    landmarks: np.ndarray


def fit_on_head(model: SwapModel, direction: Direction, samples: Sequence[Sample], finder: LandmarkModel) -> np.ndarray:
    """The matrix float64 (2, 3) by which ``model``'s faces are moved within the crop, in pixels of a CROP² crop.

    The median over ``samples``; the identity where ``finder`` sees too few faces in what is made of them.
    """
    images, _ = model.swap(np.stack([sample.crop for sample in samples]), direction)
    to_made = view_matrix(model.size, model.view)
    weights = landmark_weights()
    moves = []
    for image, sample in zip(images, samples, strict=True):
        picture = np.rint(255 * image).astype(np.uint8)
        [found] = finder(picture, [crop_around(apply(to_made, sample.landmarks))])
        made = apply(invert(to_made), found.landmarks.astype(np.float64))
        move = weighted_scaling(made, sample.landmarks, weights)
        if found.presence >= _PRESENCE and _SCALES[0] <= scale_of(move) <= _SCALES[1]:
            moves.append(move)
    if len(moves) < _FEWEST:
        return np.eye(2, 3)
    # Taken as alignments, scale and turn are averaged about the crop's centre.
    parameters = similarity_parameters(np.stack([invert(move) for move in moves]), CROP)
    return invert(similarity_matrices(np.median(parameters, axis=0)[None], CROP)[0])


def landmark_weights() -> np.ndarray:
    """float64 (68,): how much each landmark tells of where another person's face sits on the same head.

    From 400 random pairs of actors, each pair in one pose: these weights bring B's landmarks, laid on A's, to 3.4 % of
    the outer-eye distance from where B's own would be; all alike leave 3.7 %, and A's own are 4.8 % away.
    """
    weights = np.zeros(68)
    weights[: RIGHT_BROW.start] = 0.5
    weights[RIGHT_BROW.start : NOSE_BRIDGE.start] = 4.0
    weights[NOSE_BRIDGE.start : LEFT_EYE.stop] = 8.0
    return weights


def weighted_scaling(src: np.ndarray, dst: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The scaling and shift (2, 3) that bring ``src`` (n, 2) to ``dst`` (n, 2) with the least weighted squared error.

    Both faces are upright, and two people in one pose lean alike, so nothing is turned.
    """
    share = weights / weights.sum()
    centre_src, centre_dst = share @ src, share @ dst
    s, d = src - centre_src, dst - centre_dst
    scale = float((share[:, None] * s * d).sum() / (share[:, None] * s * s).sum())
    return np.column_stack([scale * np.eye(2), centre_dst - scale * centre_src])


def view_matrix(size: int, view: float) -> np.ndarray:
    """The matrix (2, 3) from pixels of a CROP² crop to those of its middle ``view`` drawn at ``size``²."""
    scale = size / (CROP * view)
    shift = (size - 1) / 2 - scale * (CROP - 1) / 2
    return np.array([[scale, 0, shift], [0, scale, shift]])


def compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) that does ``first`` and then ``second``."""
    return second @ np.vstack([first, (0, 0, 1)])
