"""Was it altered, and where: the semi-fragile pattern, looked for at every place once the message is known.

The pattern follows from the identifier that the robust pattern says, so whatever is pasted, moved, painted out or
redrawn lacks it at its place, whereas compression, scaling and light weaken it everywhere alike. Where it is gone all
over, as after heavy compression, nothing can be said of single places, and nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from likeness.prove.watermark import networks
from likeness.prove.watermark.carrier import chips, second_chips
from likeness.prove.watermark.message import Message
from likeness.prove.watermark.place import WHOLE, Place, upright
from likeness.prove.watermark.read import MarkReading
from likeness.prove.watermark.strength import WORKING_SIZE, luminance

MAP_SIZE = 64

Region = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the picture received


@dataclass(frozen=True)
class TamperSettings:
    """``likely``: a place with at least this probability counts as altered. ``score``: from this mean probability over
    a ``neighbourhood`` (cells of 64 × 64, each way) on, so does the picture.

    ``least_cells`` make a region. Where more than ``most_altered`` of the picture seems altered, the pattern has not
    survived, and nothing is said of places. The first three were chosen on pictures of the training side
    (training/watermark/choose_threshold.py).
    """

    likely: float = 0.35
    score: float = 0.646
    neighbourhood: int = 9
    least_cells: int = 12
    most_altered: float = 0.5


@dataclass(frozen=True, eq=False)
class TamperReading:
    """``score`` in [0, 1] is the highest mean probability of a neighbourhood; ``map`` float32 (64, 64) the
    probability that a place was altered, in the frame of the picture received; ``regions`` boxes in its pixels.

    "unmarked": there is no mark, or its fine pattern has not survived (``reason`` says which).
    """

    state: Literal["intact", "altered", "unmarked"]
    score: float = 0.0
    regions: list[Region] = field(default_factory=list)
    map: np.ndarray = field(default_factory=lambda: np.zeros((MAP_SIZE, MAP_SIZE), np.float32), repr=False)
    reason: str = ""


def look(image: np.ndarray, reading: MarkReading, settings: TamperSettings | None = None) -> TamperReading:
    """Look for alterations of ``image`` uint8 RGB (H, W, 3) whose mark was read as ``reading``."""
    return look_at_frames([image], reading, settings)


def look_at_frames(
    images: Sequence[np.ndarray], reading: MarkReading, settings: TamperSettings | None = None
) -> TamperReading:
    """The same for neighbouring frames uint8 RGB (H, W, 3) of one clip, whose evidence is averaged."""
    settings = settings or TamperSettings()
    if reading.state == "absent" or reading.mark_id is None or not images:
        return TamperReading("unmarked", reason="no mark was found, so nothing would show an alteration")
    place = reading.place or WHOLE
    odds = np.mean([_odds(image, reading.mark_id, place, reading.mirrored) for image in images], axis=0)
    probability = _as_received(1.0 / (1.0 + np.exp(-odds)), place, reading.mirrored)
    window = (settings.neighbourhood, settings.neighbourhood)
    score = float(cv2.blur(probability, window, borderType=cv2.BORDER_REFLECT).max())
    marked = (probability >= settings.likely).astype(np.uint8)
    if marked.mean() > settings.most_altered:
        reason = "the fine pattern did not survive what was done to the whole picture"
        return TamperReading("unmarked", score, [], probability, reason)
    regions = _regions(marked, images[0].shape[0], images[0].shape[1], settings.least_cells)
    altered = score >= settings.score and bool(regions)
    return TamperReading("altered" if altered else "intact", score, regions if altered else [], probability)


def _odds(image: np.ndarray, mark_id: str, place: Place, mirrored: bool) -> np.ndarray:
    """Log-odds of alteration, float32 (64, 64), on the grid of the marked original."""
    seen = luminance(image)
    if mirrored:
        seen = np.ascontiguousarray(seen[:, ::-1])
    if place != WHOLE:
        seen, _ = upright(seen, place, WORKING_SIZE)
    return networks.alteration_odds(seen, chips(Message(mark_id)), second_chips(mark_id))


def _as_received(probability: np.ndarray, place: Place, mirrored: bool) -> np.ndarray:
    """A map on the original's grid as a map of the picture received, float32 (64, 64)."""
    blank = np.zeros((MAP_SIZE, MAP_SIZE), np.float32)
    _, matrix = upright(blank, place, MAP_SIZE)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    received = cv2.warpAffine(probability.astype(np.float32), matrix, (MAP_SIZE, MAP_SIZE), flags=how)
    return np.ascontiguousarray(received[:, ::-1]) if mirrored else received


def _regions(marked: np.ndarray, height: int, width: int, least_cells: int) -> list[Region]:
    """Boxes around connected altered places, largest first."""
    count, _, statistics, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    found = sorted((statistics[i] for i in range(1, count)), key=lambda box: -int(box[cv2.CC_STAT_AREA]))
    down, across = height / MAP_SIZE, width / MAP_SIZE
    return [
        (float(x * across), float(y * down), float((x + w) * across), float((y + h) * down))
        for x, y, w, h, area in found
        if area >= least_cells
    ]
