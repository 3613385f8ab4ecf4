"""Choose one person's faces by a reference picture."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from likeness.errors import NoFaceError
from likeness.faces.align import aligned_crop
from likeness.faces.faceset import CROP_SIZE, FaceSet, write_sheet
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import Recogniser, mean_embedding, similarity
from likeness.files import storage_error
from likeness.media.clip import open_clip

_EMBEDDED = 8  # faces of each track, spread over it: more hardly move the mean

Key = TypeVar("Key")

log = logging.getLogger(__name__)


def reference_face(picture: Path, recogniser: Recogniser, finder: FaceFinder | None = None) -> np.ndarray:
    """The embedding float32 (d,) of the one face in ``picture`` (or in the first frame of a clip).

    Raises BadMediaError where it cannot be opened and NoFaceError where it shows no face, or more than one.
    """
    frame = next(open_clip(Path(picture)).frames(), None)
    faces = (finder or FaceFinder()).find(frame.image, frame.index, frame.time_s) if frame is not None else []
    if frame is None or not faces:
        raise NoFaceError(f"No face was found in {picture}. Choose a picture in which the face is seen from the front.")
    if len(faces) > 1:
        raise NoFaceError(f"{picture} shows {len(faces)} faces. Cut it to the one that is meant.")
    crop = aligned_crop(frame.image, faces[0].landmarks, CROP_SIZE)
    embedded: np.ndarray = recogniser.embed(crop[None])[0]
    return embedded


def likenesses(tracks: Mapping[Key, np.ndarray], reference: np.ndarray, recogniser: Recogniser) -> dict[Key, float]:
    """How alike each of ``tracks`` is to ``reference``, as a cosine: the mean of its crops uint8 (n, 256, 256, 3)."""
    return {
        key: similarity(mean_embedding(recogniser.embed(crops)), reference)
        for key, crops in tracks.items()
        if len(crops)
    }


def keep_person(faces: FaceSet, reference: np.ndarray, recogniser: Recogniser) -> FaceSet:
    """Delete from the folder of ``faces`` every track of somebody else than the one with the embedding ``reference``.

    A track is kept or deleted as a whole, by up to eight of its faces. Raises NoFaceError where nobody is that person:
    nothing is deleted then. StorageError where a picture cannot be deleted.
    """
    rows = faces.rows.select(["source", "track"]).to_pylist()
    of_track: dict[tuple[str, int], list[int]] = {}
    for number, row in enumerate(rows):
        of_track.setdefault((row["source"], row["track"]), []).append(number)
    alike = likenesses({key: _crops(faces, numbers) for key, numbers in of_track.items()}, reference, recogniser)
    kept = {key for key, likeness in alike.items() if likeness >= recogniser.threshold}
    if not kept:
        raise NoFaceError(
            f"Nobody in {faces.folder} looks like the person asked for: the nearest has {max(alike.values()):.2f}, and "
            f"{recogniser.threshold:.2f} is needed. All faces were kept; look through them."
        )
    stays = [(row["source"], row["track"]) in kept for row in rows]
    _delete(faces, [name for name, stay in zip(faces.rows.column("file").to_pylist(), stays, strict=True) if not stay])
    log.info("%d of %d tracks are of the person asked for.", len(kept), len(alike))
    left = replace(faces, rows=faces.rows.filter(pa.array(stays, pa.bool_())))
    write_sheet(left)
    return left


def _crops(faces: FaceSet, numbers: list[int]) -> np.ndarray:
    chosen = np.unique(np.linspace(0, len(numbers) - 1, min(_EMBEDDED, len(numbers))).round().astype(int))
    few = replace(faces, rows=faces.rows.take(pa.array([numbers[place] for place in chosen])))
    return few.crops()


def _delete(faces: FaceSet, names: list[str]) -> None:
    for name in names:
        try:
            (faces.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(faces.folder / name, error) from error
