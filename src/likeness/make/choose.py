"""Which of the people who were followed are swapped: the main one, all, one by number, or one by a picture."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from likeness.errors import NoFaceError
from likeness.faces.identity import Recogniser
from likeness.faces.select import likenesses, reference_face
from likeness.make.follow import Sightings, apart, disjoint

Chooser = Callable[[Mapping[int, Sightings]], list[Sightings]]


def main_face(seen: Mapping[int, Sightings]) -> list[Sightings]:
    """The main face, across cuts and losses (`follow.apart`)."""
    return apart(seen.values())


def every_face(seen: Mapping[int, Sightings]) -> list[Sightings]:
    """Everyone."""
    return list(seen.values())


def numbered(track: int) -> Chooser:
    """The track with that number, as `likeness extract` and the approval sheet count them. Raises NoFaceError."""

    def chosen(seen: Mapping[int, Sightings]) -> list[Sightings]:
        if track not in seen:
            there = ", ".join(map(str, sorted(seen)))
            raise NoFaceError(f"There is no track {track}. The clip has these: {there}.")
        return [seen[track]]

    return chosen


def alike(picture: Path, recogniser: Recogniser) -> Chooser:
    """The person in ``picture``. Raises BadMediaError and NoFaceError for a picture without exactly one face."""
    return nearest(reference_face(picture, recogniser), recogniser)


def nearest(reference: np.ndarray, recogniser: Recogniser) -> Chooser:
    """The person whose embedding ``reference`` (d,) is, across cuts; of two tracks in one frame the one that is more
    alike. Raises NoFaceError where nobody is alike."""

    def chosen(seen: Mapping[int, Sightings]) -> list[Sightings]:
        crops = {track: np.stack([sample.crop for sample in sightings.samples]) for track, sightings in seen.items()}
        found = likenesses(crops, reference, recogniser)
        ranked = sorted(found, key=lambda track: -found[track])
        same = [track for track in ranked if found[track] >= recogniser.threshold]
        if not same:
            raise NoFaceError(
                f"Nobody in the clip looks like the person asked for: the nearest, track {ranked[0]}, has "
                f"{found[ranked[0]]:.2f}, and {recogniser.threshold:.2f} is needed. Choose by --track, or another "
                "picture."
            )
        return disjoint(seen[track] for track in same)

    return chosen
