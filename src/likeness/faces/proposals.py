"""Where faces might be: Haar cascades (Viola and Jones 2001), eager on purpose, since a network confirms each place."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

# Where TEMPLATE's square lies in a cascade's box, in units of its width: the median over the training portraits.
_FRONTAL_CENTRE, _FRONTAL_SIDE = (0.50, 0.69), 0.85
_PROFILE_CENTRE, _PROFILE_SIDE = (0.33, 0.69), 0.75


@dataclass(frozen=True)
class ProposalSettings:
    """``neighbours`` is how many overlapping hits make a proposal: 0 takes each single one. Sizes are pixels."""

    longest_side: int = 640  # of the picture that is searched; larger ones are scaled down
    smallest_face: int = 20
    scale_step: float = 1.1
    neighbours: int = 2
    profile: bool = True
    turn_deg: float = 0.0  # faces that lean clockwise by this much are looked for
    most: int = 40  # proposals kept, those with most neighbours first


@dataclass(frozen=True)
class Proposal:
    """A square of the picture that may hold a face: ``centre`` (x, y), ``side`` in pixels, leaning by ``turn_deg``."""

    centre: tuple[float, float]
    side: float
    turn_deg: float = 0.0


def propose(image: np.ndarray, settings: ProposalSettings | None = None) -> list[Proposal]:
    """Squares of ``image`` (uint8 RGB) where a face may be, the likeliest first."""
    settings = settings or ProposalSettings()
    factor = min(1.0, settings.longest_side / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    grey, back = _turned(grey, settings.turn_deg) if settings.turn_deg else (grey, np.eye(2, 3))
    boxes = [(*hit, _FRONTAL_CENTRE, _FRONTAL_SIDE) for hit in _detect("haarcascade_frontalface_alt2", grey, settings)]
    if settings.profile:
        width = grey.shape[1]
        profile = "haarcascade_profileface"
        boxes += [(*hit, _PROFILE_CENTRE, _PROFILE_SIDE) for hit in _detect(profile, grey, settings)]
        for x, y, side, weight in _detect(profile, cv2.flip(grey, 1), settings):
            boxes.append(
                (width - x - side, y, side, weight, (1 - _PROFILE_CENTRE[0], _PROFILE_CENTRE[1]), _PROFILE_SIDE)
            )
    boxes.sort(key=lambda box: -box[3])
    proposals = []
    for x, y, side, _, place, size in boxes[: settings.most]:
        centre = back @ [x + place[0] * side, y + place[1] * side, 1] / factor
        proposals.append(Proposal((float(centre[0]), float(centre[1])), size * side / factor, settings.turn_deg))
    return proposals


def _detect(name: str, grey: np.ndarray, settings: ProposalSettings) -> list[tuple[float, float, float, float]]:
    """Hits of one cascade as (x, y, side, weight)."""
    smallest = (settings.smallest_face, settings.smallest_face)
    if min(grey.shape) < settings.smallest_face:
        return []
    boxes, weights = _cascade(name).detectMultiScale2(
        grey, scaleFactor=settings.scale_step, minNeighbors=settings.neighbours, minSize=smallest
    )
    return [
        (float(x), float(y), float(side), float(weight)) for (x, y, side, _), weight in zip(boxes, weights, strict=True)
    ]


@lru_cache(maxsize=4)
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"{name}.xml"))


def _turned(grey: np.ndarray, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """``grey`` turned back by ``turn_deg`` on a canvas that holds all of it, and the matrix (2, 3) to its pixels."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.0)
    across = int(np.ceil(height * abs(matrix[0, 1]) + width * abs(matrix[0, 0])))
    down = int(np.ceil(height * abs(matrix[0, 0]) + width * abs(matrix[0, 1])))
    matrix[:, 2] += [(across - width) / 2, (down - height) / 2]
    return cv2.warpAffine(grey, matrix, (across, down)), cv2.invertAffineTransform(matrix)
