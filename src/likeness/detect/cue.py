"""What every cue is: an examiner that looks at some frames of a face, notes something small of each, and measures.

A cue never decodes by itself. It names the faces it `wants` to see, `note`s something small at each `Sighting`, and
makes a `Measurement` of its notes; `look` shows all cues of an examination what they want in one pass over the clip.
So the memory taken does not grow with the clip, and every frame is decoded once, however many cues there are.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration, shipped
from likeness.detect.sightings import Sighting, sightings
from likeness.errors import LikenessError
from likeness.examiner import Examiner, Figure, Finding, Picture, abstention
from likeness.faces.face import Face, Track
from likeness.media.clip import Clip

Note = TypeVar("Note")

_LEAST_INSIDE = 0.5  # of a face's landmarks must lie in the picture: beyond its edge there is nothing to measure
_UNSEEN = "No frame shows enough of the face to measure it: its landmarks are unknown or lie outside the picture."


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a cue measured of one face. More of each of the ``values`` (features by name) speaks for "synthetic".

    ``spans`` are the seconds (start, end) in which it stands out; ``figure`` and ``pictures`` show it; ``details`` are
    further numbers for the report.
    """

    values: dict[str, float]
    spans: list[tuple[float, float]] = field(default_factory=list)
    figure: Figure | None = None
    pictures: list[Picture] = field(default_factory=list)
    details: dict[str, float | str | int | bool | None] = field(default_factory=dict)


class Cue(Examiner, Generic[Note]):
    """One cue. Subclasses give ``name``, ``without_faces`` (what it says where there are none) and the methods below.

    ``calibration`` None takes the shipped one, which the cue's name finds.
    """

    without_faces: ClassVar[str]

    def __init__(self, calibration: CueCalibration | None = None) -> None:
        self.calibration = calibration or shipped(self.name)

    @classmethod
    def uncalibrated(cls) -> Self:
        """The cue as it measures before anything is calibrated."""
        return cls(calibration=UNCALIBRATED)

    @abstractmethod
    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        """Why this face cannot be measured, before any frame is decoded, in one sentence; None where it can."""

    @abstractmethod
    def wants(self, clip: Clip, track: Track) -> Sequence[Face]:
        """The faces of ``track`` to look at in the picture, in order of time; bounded, whatever the clip's length."""

    @abstractmethod
    def note(self, sighting: Sighting) -> Note | None:
        """What to keep of one sighting: small, as there are many; None where it shows nothing of use."""

    @abstractmethod
    def measure(self, clip: Clip, track: Track, notes: Sequence[Note]) -> Measurement | str:
        """The measurement of one face from its ``notes`` in order of time, or the reason why there is none."""

    @abstractmethod
    def sentence(self, measured: Measurement) -> str:
        """What was measured, in one or two plain sentences, with how rare that is in genuine clips."""

    def llr(self, measured: Measurement) -> float:
        """The log10 likelihood ratio of what was measured."""
        return self.calibration.llr(measured.values)

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """One finding for each track."""
        return look([self], clip, tracks)

    def finding(self, track: int, measured: Measurement | str) -> Finding:
        """What the report says of ``measured``; numbers that are none (NaN, infinite) are left out."""
        if isinstance(measured, str):
            return abstention(self.name, measured, track)
        values = {name: value for name, value in measured.values.items() if math.isfinite(value)}
        if not values:
            return abstention(self.name, "What it looks for could not be measured on this face.", track)
        known = Measurement(values, measured.spans, measured.figure, measured.pictures, measured.details)
        return Finding(
            examiner=self.name,
            text=self.sentence(known),
            llr=round(self.llr(known), 4),
            track=track,
            spans=[(round(start, 3), round(end, 3)) for start, end in known.spans],
            figure=known.figure,
            pictures=known.pictures,
            details={**{name: round(value, 4) for name, value in values.items()}, **known.details},
        )


def look(cues: Iterable[Cue[Any]], clip: Clip, tracks: Sequence[Track]) -> list[Finding]:
    """What ``cues`` find on every face of ``tracks``, decoding the frames they want once; by cue, then by track."""
    cues = list(cues)
    if not tracks:
        return [abstention(cue.name, cue.without_faces) for cue in cues]
    measured = measure(cues, clip, tracks)
    return [cue.finding(track.id, measured[row][track.id]) for row, cue in enumerate(cues) for track in tracks]


def measure(cues: Sequence[Cue[Any]], clip: Clip, tracks: Sequence[Track]) -> list[dict[int, Measurement | str]]:
    """The measurement of each of ``cues`` on each track, by its number, or why there is none.

    Faces whose landmarks are no numbers, all in one place or mostly outside the picture are left out. A cue that fails
    with an error of ours abstains with it alone. Raises BadMediaError where the file cannot be read.
    """
    tracks = [Track(track.id, [face for face in track.faces if _is_seen(face, clip)]) for track in tracks]
    measured: list[dict[int, Measurement | str]] = [{} for _ in cues]
    wanting: dict[tuple[int, int], list[int]] = {}  # cues by (track, frame) that they want to see
    wanted: dict[tuple[int, int], Face] = {}
    for row, cue in enumerate(cues):
        for track in tracks:
            reason = cue.reason_to_abstain(clip, track) if track.faces else _UNSEEN
            if reason is not None:
                measured[row][track.id] = reason
                continue
            for face in cue.wants(clip, track):
                wanting.setdefault((track.id, face.frame), []).append(row)
                wanted[track.id, face.frame] = face
    notes, failed = _notes(cues, clip, [(track, face) for (track, _), face in wanted.items()], wanting)
    for row, cue in enumerate(cues):
        for track in tracks:
            if track.id not in measured[row]:
                own = notes.get((row, track.id), [])
                measured[row][track.id] = failed[row] if row in failed else _measured(cue, clip, track, own)
    return measured


def _is_seen(face: Face, clip: Clip) -> bool:
    """Whether ``face`` can be aligned and lies in the picture: its numbers are finite, its landmarks span an area."""
    numbers, points = np.array([face.time_s, *face.box, face.yaw, face.pitch, face.roll]), face.landmarks
    if not (np.isfinite(numbers).all() and np.isfinite(points).all() and (np.ptp(points, axis=0) > 0).all()):
        return False
    inside = ((points >= 0) & (points <= (clip.width, clip.height))).all(axis=1)
    return bool(inside.mean() >= _LEAST_INSIDE)


def _notes(
    cues: Sequence[Cue[Any]], clip: Clip, wanted: Sequence[tuple[int, Face]], wanting: dict[tuple[int, int], list[int]]
) -> tuple[dict[tuple[int, int], list[Any]], dict[int, str]]:
    """What each cue (by its row) notes of each track, and why some cues could not note anything."""
    notes: dict[tuple[int, int], list[Any]] = {}
    failed: dict[int, str] = {}
    for sighting in sightings(clip, wanted):
        for row in wanting[sighting.track, sighting.face.frame]:
            if row in failed:
                continue
            try:
                noted = cues[row].note(sighting)
            except LikenessError as error:
                failed[row] = str(error)
                continue
            if noted is not None:
                notes.setdefault((row, sighting.track), []).append(noted)
    return notes, failed


def _measured(cue: Cue[Any], clip: Clip, track: Track, notes: Sequence[Any]) -> Measurement | str:
    try:
        return cue.measure(clip, track, notes)
    except LikenessError as error:
        return str(error)
