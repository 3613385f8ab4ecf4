"""Parts of faceless photographs that were taken for faces: by Haar proposals, and by the network itself."""

import numpy as np
import torch

from likeness.faces.align import TEMPLATE, scale_of, umeyama, warp
from likeness.faces.landmarks import CROP_COVERAGE, CROP_SIZE, crop_of_square
from likeness.faces.proposals import ProposalSettings, propose
from training.face_landmarks.batches import Box
from training.face_landmarks.network import LandmarkNetwork

_DOUBT = 0.05  # presence above which a mistake is worth learning from
_MOST_PER_PHOTO = 12
_WINDOWS_PER_PHOTO = 12
_BATCH = 64

Crop = tuple[np.ndarray, Box]


def proposed(photos: list[np.ndarray]) -> list[Crop]:
    """What the finder's proposals, at their most eager, take from ``photos``; the box is the network's whole crop."""
    eager = ProposalSettings(neighbours=0, most=_MOST_PER_PHOTO, longest_side=256, profile=False)
    return [
        (photo, _whole_crop(proposal.centre, proposal.side)) for photo in photos for proposal in propose(photo, eager)
    ]


@torch.no_grad()
def mined(network: LandmarkNetwork, photos: list[np.ndarray], hard: list[Crop], rng: np.random.Generator) -> list[Crop]:
    """Where ``network`` would see a face: random windows of ``photos``, and ``hard`` ones looked at a second time.

    The second look is the finder's: a crop around the landmarks that the first look gave.
    """
    windows = [(photo, _window(photo, rng)) for photo in photos for _ in range(_WINDOWS_PER_PHOTO)]
    found = []
    for looked in (windows, hard):
        for start in range(0, len(looked), _BATCH):
            found += _doubtful(network, looked[start : start + _BATCH])
    return found


def _doubtful(network: LandmarkNetwork, looked: list[Crop]) -> list[Crop]:
    squares = [
        crop_of_square(((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0) * CROP_COVERAGE) for _, (x0, y0, x1, y1) in looked
    ]
    crops = np.stack([warp(photo, square, CROP_SIZE) for (photo, _), square in zip(looked, squares, strict=True)])
    device = next(network.parameters()).device
    logits, landmarks, _ = network(torch.from_numpy(crops).permute(0, 3, 1, 2).to(device).float())
    again = []
    for (photo, box), presence, points in zip(
        looked, torch.sigmoid(logits).tolist(), landmarks.cpu().numpy(), strict=True
    ):
        if presence < _DOUBT:
            continue
        face = umeyama(TEMPLATE, points * (box[2] - box[0]) + box[:2])
        centre = face[:, :2] @ [0.5, 0.5] + face[:, 2]
        again += [(photo, box), (photo, _whole_crop((centre[0], centre[1]), scale_of(face)))]
    return again


def _window(photo: np.ndarray, rng: np.random.Generator) -> Box:
    height, width = photo.shape[:2]
    side = np.exp(rng.uniform(np.log(32), np.log(min(height, width))))
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    return left, top, left + side, top + side


def _whole_crop(centre: tuple[float, float], side: float) -> Box:
    """The box of the network's crop whose middle is the square at ``centre`` with ``side``."""
    half = side / CROP_COVERAGE / 2
    return centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half
