"""Does a swap pass as the person? The share of its faces that a recogniser takes for B, and for A.

After Korshunov and Marcel, "Vulnerability assessment and detection of deepfake videos" (ICB 2019), who count how often
a verification system accepts a deepfake as the person whose face it shows.
"""

from dataclasses import dataclass

import numpy as np

from likeness.errors import SettingsError
from likeness.faces.identity import Recogniser


@dataclass(frozen=True)
class Recognition:
    """Of ``faces`` faces, the shares ``as_a`` and ``as_b`` in [0, 1] that are taken for A and for B, at the
    recogniser's threshold; one face may count for both or for neither. ``like_a`` and ``like_b`` are median cosines."""

    faces: int
    as_a: float
    as_b: float
    like_a: float
    like_b: float


def recognised(crops: np.ndarray, a: np.ndarray, b: np.ndarray, by: Recogniser) -> Recognition:
    """Who the faces ``crops`` (uint8 RGB (n, side, side, 3), aligned as in a face set) are taken for.

    ``a`` and ``b`` are unit vectors (d,): the mean embeddings of footage of A and of B, by the same recogniser. Raises
    SettingsError where there is no face.
    """
    if not len(crops):
        raise SettingsError("There is no face to recognise. Name a clip in which a face is seen.")
    embeddings = by.embed(crops)
    like_a, like_b = embeddings @ a, embeddings @ b
    return Recognition(
        faces=len(crops),
        as_a=float((like_a >= by.threshold).mean()),
        as_b=float((like_b >= by.threshold).mean()),
        like_a=float(np.median(like_a)),
        like_b=float(np.median(like_b)),
    )
