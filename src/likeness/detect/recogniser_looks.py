"""What a recogniser is shown of a face, and how its answers are drawn."""

from dataclasses import dataclass

import numpy as np

from likeness.detect.sightings import Sighting
from likeness.examiner import Figure
from likeness.faces.align import COVERAGE

LOOK_CROP = 160  # pixels: as many as recognisers make use of


@dataclass(frozen=True, eq=False)
class Look:
    """One face, ``crop`` uint8 RGB (160, 160, 3) aligned as recognisers want it; ``yaw`` and ``pitch`` in degrees."""

    time_s: float
    crop: np.ndarray
    yaw: float
    pitch: float


def look_of(sighting: Sighting) -> Look:
    """What a recogniser sees of a face."""
    face = sighting.face
    return Look(face.time_s, sighting.crop(LOOK_CROP, COVERAGE), face.yaw, face.pitch)


def cosine_figure(title: str, times: np.ndarray, values: np.ndarray, levels: dict[str, float]) -> Figure:
    """Cosines ``values`` (n,) at ``times`` (n,) in seconds, beside the named ``levels``."""
    return Figure(
        title=title,
        y_label="cosine",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 4) for v in values],
        levels={name: round(level, 3) for name, level in levels.items()},
    )
