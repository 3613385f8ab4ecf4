"""Whose face a piece of footage shows: what a new consent record is bound to.

A few moments of each file are searched for faces, and the person who is seen most counts. Where somebody else is seen
nearly as much, nobody is guessed: the maker of the record then shows a picture of who is meant.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.errors import BadMediaError, ConsentError
from likeness.faces.align import aligned_crop
from likeness.faces.face import Face
from likeness.faces.faceset import CROP_SIZE
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import Recogniser, mean_embedding, recogniser
from likeness.make.consent_face import BoundFace
from likeness.media.clip import Clip, Frame, open_clip
from likeness.progress import tracked

_MOMENTS = 12  # looked at in a clip, evenly spread
_NARROWEST_PX = 24.0  # as when faces are extracted
_SEVERAL = 5  # faces whose mean a recogniser's threshold is for
_ALIKE = 0.5  # usual cosine of two pictures of one person (training/identity/evaluate.py)
_BYSTANDERS = 0.25  # of the person's area over time: with more of others, it is not clear who is meant


@dataclass(frozen=True, eq=False)
class Seen:
    """The faces found in one file: ``embeddings`` float32 (n, d) unit vectors, ``areas`` (n,) in square pixels, and
    ``moments`` int (n,), the frame each was found in."""

    path: Path
    embeddings: np.ndarray
    areas: np.ndarray
    moments: np.ndarray


def person_in(footage: Sequence[Path], like: Path | None = None, by: Recogniser | None = None) -> BoundFace:
    """The face of the person whom all of ``footage`` (clips, pictures) shows, as ``by`` describes it.

    ``like`` is a picture of that person alone, for footage that shows several. Raises ConsentError where a file shows
    no face, or not this one, or where it is not clear who is meant; BadMediaError for files that cannot be opened.
    """
    by = by or recogniser()
    finder = FaceFinder()
    files = [open_clip(Path(path)) for path in footage]
    seen = [_seen(clip, finder, by) for clip in files]
    faces, areas = np.concatenate([one.embeddings for one in seen]), np.concatenate([one.areas for one in seen])
    files_of = np.repeat(np.arange(len(seen)), [len(one.areas) for one in seen])
    moments = np.stack([files_of, np.concatenate([one.moments for one in seen])], axis=1)
    people = told_apart(faces, moments, by.threshold)
    if like is not None:
        own = _alike(people, faces, _pictured(open_clip(Path(like)), finder, by), by.threshold)
        if own is None:
            raise ConsentError(f"Nobody in the footage looks like the face in {like}. Choose a picture closer to it.")
    else:
        own = max(people, key=lambda person: float(areas[person].sum()))
        if areas.sum() - areas[own].sum() > _BYSTANDERS * areas[own].sum():
            raise ConsentError(
                f"{' and '.join(map(str, footage))} may show several people. "
                "Say whose face it is about: --like PICTURE, a picture of that person alone."
            )
    for number, one in enumerate(seen):
        if number not in files_of[own]:
            raise ConsentError(f"{one.path} does not show the face that this record is about. Leave it out.")
    return BoundFace.of(mean_embedding(faces[own]), by.name, by.threshold)


def told_apart(faces: np.ndarray, moments: np.ndarray, threshold: float) -> list[np.ndarray]:
    """``faces`` float32 (n, d), unit vectors, as people: the rows of each.

    The two groups whose means are most alike are joined until none are alike enough (`enough`). Faces seen at one
    moment, equal rows of ``moments`` (n, k), are different people's.
    """
    people = [np.array([row]) for row in range(len(faces))]
    apart = (moments[:, None] == moments[None]).all(axis=2)
    while len(people) > 1:
        means = np.stack([mean_embedding(faces[person]) for person in people])
        sizes = np.array([len(person) for person in people])
        spare = means @ means.T - enough(sizes[:, None], sizes[None], threshold)
        spare[apart] = -np.inf  # the diagonal too: each face was seen when it was seen
        first, second = np.unravel_index(int(spare.argmax()), spare.shape)
        if spare[first, second] < 0:
            break
        people[first] = np.concatenate([people[first], people[second]])
        apart[first] |= apart[second]
        apart[:, first] |= apart[:, second]
        del people[second]
        apart = np.delete(np.delete(apart, second, axis=0), second, axis=1)
    return people


def enough(one: np.ndarray, other: np.ndarray, threshold: float) -> np.ndarray:
    """The cosine from which on the means of ``one`` and of ``other`` faces are taken for one person's.

    A recogniser's ``threshold`` is for means of several faces. Fewer scatter more, so that even one person's are less
    alike, by the attenuation of Spearman (1904) with the reliability of a mean of n by Spearman and Brown (1910).
    """
    both = _reliability(np.minimum(one, _SEVERAL)) * _reliability(np.minimum(other, _SEVERAL))
    needed: np.ndarray = threshold * np.sqrt(both) / _reliability(np.array(_SEVERAL))
    return needed


def _reliability(count: np.ndarray) -> np.ndarray:
    """How alike the means of twice ``count`` faces of one person usually are."""
    alike: np.ndarray = count * _ALIKE / (1 + (count - 1) * _ALIKE)
    return alike


def _alike(
    people: Sequence[np.ndarray], faces: np.ndarray, reference: np.ndarray, threshold: float
) -> np.ndarray | None:
    """Who of ``people`` looks most like the one face ``reference`` (d,), if alike enough."""
    spare = [
        float(mean_embedding(faces[person]) @ reference - enough(np.array(1), np.array(len(person)), threshold))
        for person in people
    ]
    nearest = int(np.argmax(spare))
    return people[nearest] if spare[nearest] >= 0 else None


def _seen(clip: Clip, finder: FaceFinder, by: Recogniser) -> Seen:
    moments = tracked(_moments(clip), f"Looking for the face in {clip.path.name}", _count(clip), "moments")
    found = [(frame, face) for frame in moments for face in _faces(frame, finder)]
    if not found:
        raise ConsentError(
            f"No face was found in {clip.path}, so there is nobody whose consent it could be. "
            f"Name footage in which the face is at least {_NARROWEST_PX:.0f} pixels wide."
        )
    crops = np.stack([aligned_crop(frame.image, face.landmarks, CROP_SIZE) for frame, face in found])
    areas = np.array([(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for _, face in found])
    return Seen(clip.path, by.embed(crops), areas, np.array([frame.index for frame, _ in found]))


def _pictured(clip: Clip, finder: FaceFinder, by: Recogniser) -> np.ndarray:
    """The unit vector (d,) of the one face in a picture, or in the first moment of a clip."""
    frame = next(clip.frames())
    faces = _faces(frame, finder)
    if len(faces) != 1:
        raise ConsentError(f"{clip.path} shows {len(faces) or 'no'} faces. Choose a picture of one person alone.")
    embedding: np.ndarray = by.embed(aligned_crop(frame.image, faces[0].landmarks, CROP_SIZE)[None])[0]
    return embedding


def _faces(frame: Frame, finder: FaceFinder) -> list[Face]:
    return [face for face in finder.find(frame.image, frame.index, frame.time_s) if face.width >= _NARROWEST_PX]


def _moments(clip: Clip) -> Iterator[Frame]:
    """Frames evenly spread over a clip, each in the middle of its share; one of a picture, none of a sound."""
    count = _count(clip)
    for number in range(count):
        with suppress(BadMediaError, StopIteration):  # a damaged part of it: the others tell enough
            yield next(clip.frames((number + 0.5) / count * clip.duration_s if count > 1 else 0.0))


def _count(clip: Clip) -> int:
    return _MOMENTS if clip.kind == "video" else 1
