"""Whose faces these are: the mean embedding of a face set, strangers in it, and whether two sets show one person."""

import logging
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from likeness.errors import FaceSetError
from likeness.faces.faceset import FaceSet
from likeness.faces.identity import Recogniser, mean_embedding, similarity

_LOOKED_AT = 64  # faces of a set; enough to know a person by
_NAMED = 8  # files in a warning

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Known:
    """Some faces of a set: their ``files`` and ``embeddings`` float32 (n, d), unit vectors by ``recogniser``."""

    faces: FaceSet
    files: list[str]
    embeddings: np.ndarray
    recogniser: Recogniser

    @property
    def mean(self) -> np.ndarray:
        """The unit vector float32 (d,) of the person."""
        return mean_embedding(self.embeddings)


def look_at(faces: FaceSet, recogniser: Recogniser) -> Known:
    """Embed up to 64 of the faces, evenly over the set. Raises FaceSetError where a picture cannot be read."""
    names = faces.rows.column("file").to_pylist()
    chosen = np.unique(np.linspace(0, len(names) - 1, min(_LOOKED_AT, len(names))).round().astype(int))
    crops = replace(faces, rows=faces.rows.take(chosen)).crops()
    return Known(faces, [names[row] for row in chosen], recogniser.embed(crops), recogniser)


def strangers(known: Known) -> list[str]:
    """Files of faces that are linked to the main person by no chain of alike faces.

    Two faces are linked where their cosine is over the recogniser's threshold. Empty where no group of linked faces
    makes up half of the set: then the recogniser cannot tell.
    """
    alike = known.embeddings @ known.embeddings.T > known.recogniser.threshold
    _, group_of = connected_components(alike, directed=False)
    sizes = np.bincount(group_of)
    main = int(sizes.argmax())
    if 2 * sizes[main] < len(group_of):
        return []
    return [file for file, group in zip(known.files, group_of, strict=True) if group != main]


def check_pair(a: Known, b: Known) -> None:
    """Warn of strangers in a set, and of two sets that seem to show one person.

    Raises FaceSetError where the two sets show one person in the same footage: there is nothing to swap.
    """
    for known in (a, b):
        _warn_of_strangers(known)
    alike = similarity(a.mean, b.mean)
    shared = set(a.faces.sources.values()) & set(b.faces.sources.values())
    same_faces = a.faces.folder.resolve() == b.faces.folder.resolve()
    if same_faces or (shared and alike > a.recogniser.threshold):
        raise FaceSetError(
            f"{a.faces.folder} and {b.faces.folder} show one person in the same footage. Give the faces of two people."
        )
    if alike > a.recogniser.threshold:
        log.warning(
            "%s and %s seem to show one person (similarity %.2f): the swap would change little. Check the folders.",
            a.faces.folder, b.faces.folder, alike,
        )  # fmt: skip


def _warn_of_strangers(known: Known) -> None:
    files = strangers(known)
    if files:
        named = ", ".join(files[:_NAMED]) + (", …" if len(files) > _NAMED else "")
        log.warning(
            "%s: %d of %d faces looked at seem to be another person's (%s). Delete what does not belong.",
            known.faces.folder, len(files), len(known.files), named,
        )  # fmt: skip
