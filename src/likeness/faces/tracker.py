"""Follow faces from frame to frame: look where each must be; search anew for the lost, at cuts and every second."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from likeness.faces.align import aligned_crop
from likeness.faces.face import Face, Track
from likeness.faces.finder import FaceFinder, overlap
from likeness.faces.landmarks import crop_around
from likeness.faces.proposals import ProposalSettings
from likeness.media.clip import Clip
from likeness.media.frame import Frame

_THUMBNAIL = (32, 18)  # width, height of the pictures that are compared to see cuts
_LOOK_SIZE = 6  # side of the crops by which people are told apart: coarse, so that turning heads stay themselves


@dataclass(frozen=True)
class TrackerSettings:
    """Times in seconds; ``cut`` and ``look`` are mean grey or colour differences in [0, 1]."""

    search_every_s: float = 1.0
    search_lost_every_s: float = 0.2  # while someone is lost
    forget_after_s: float = 2.0
    keep_presence: float = 0.5  # below this a face counts as lost
    cut: float = 0.05  # change of the thumbnail below which nothing is called a cut
    same_look: float = 0.11  # colour difference up to which a found face may be a lost one
    unmoved_look: float = 0.05  # the same across a cut, where only a face that has not moved is taken for the same
    distance_cost: float = 0.02  # added to the difference for each face width between them
    same_place: float = 0.25  # overlap from which a found face is the tracked one
    damping: float = 0.7  # part of the last motion that the next is expected to repeat
    # Searches between cuts are quick ones; where nobody is followed, the finder's own, thorough search is used.
    search: ProposalSettings = field(default_factory=lambda: ProposalSettings(longest_side=320, scale_step=1.15))


@dataclass(eq=False)
class _Followed:
    """What is remembered of one person. ``look`` float32 (6, 6, 3) is a running mean of the aligned face."""

    id: int
    face: Face
    velocity: np.ndarray
    look: np.ndarray
    lost: bool = False

    def expected(self, damping: float) -> np.ndarray:
        """Where the landmarks will be next, (68, 2)."""
        return self.face.landmarks + damping * self.velocity


class Tracker:
    """Feed it the frames of one clip in order; it keeps one id for each person, through crossings and short losses."""

    def __init__(
        self, settings: TrackerSettings | None = None, finder: FaceFinder | None = None, first_id: int = 0
    ) -> None:
        self.settings = settings or TrackerSettings()
        self.finder = finder or FaceFinder()
        quick = replace(self.finder.settings, search=self.settings.search, retry=False)
        self._quick_finder = FaceFinder(quick, self.finder.model)
        self._people: list[_Followed] = []
        self._next_id = first_id
        self._searched_s = -np.inf
        self._thumbnail: np.ndarray | None = None

    def update(self, frame: Frame) -> list[tuple[int, Face]]:
        """The faces of ``frame`` with their track ids, in order of ids."""
        thumbnail = _thumbnail(frame.image)
        cut = self._thumbnail is not None and is_cut(self._thumbnail, thumbnail, self.settings.cut)
        self._thumbnail = thumbnail
        if not cut:
            self._follow(frame)
        if cut or self._search_is_due(frame.time_s):
            self._searched_s = frame.time_s
            finder = self.finder if cut or not self._people else self._quick_finder
            found = finder.find(frame.image, frame.index, frame.time_s)
            if cut:
                self._people = [person for person in self._people if self._unmoved(person, found, frame.image)]
            self._take_in(frame, found)
        forget = frame.time_s - self.settings.forget_after_s
        self._people = [person for person in self._people if not person.lost or person.face.time_s >= forget]
        return [(person.id, person.face) for person in sorted(self._people, key=lambda p: p.id) if not person.lost]

    def _search_is_due(self, time_s: float) -> bool:
        lost = any(person.lost for person in self._people)
        interval = self.settings.search_lost_every_s if lost else self.settings.search_every_s
        return time_s - self._searched_s >= interval - 1e-6

    def _follow(self, frame: Frame) -> None:
        """Look for each face where it is expected."""
        present = [person for person in self._people if not person.lost]
        crops = [crop_around(person.expected(self.settings.damping)) for person in present]
        for person, seen in zip(present, self.finder.model(frame.image, crops), strict=True):
            if seen.presence < self.settings.keep_presence or not _inside(seen.landmarks, frame.image):
                person.lost = True
            else:
                self._move(person, self.finder.face(frame.image, seen, frame.index, frame.time_s))
        self._part_those_on_one_face(frame.image)

    def _move(self, person: _Followed, face: Face) -> None:
        step = face.landmarks.mean(0) - person.face.landmarks.mean(0)
        person.velocity = np.zeros(2) if person.lost else step
        person.face, person.lost = face, False

    def _part_those_on_one_face(self, image: np.ndarray) -> None:
        """Where two people are followed on one face, it belongs to the one who still looks like themselves there.

        Each is judged at their own landmarks: those of the one who is being covered lie askew on the other's face.
        """
        present = [person for person in self._people if not person.lost]
        for index, one in enumerate(present):
            for other in present[index + 1 :]:
                if one.lost or other.lost or overlap(one.face.box, other.face.box) < 0.5:
                    continue
                hidden = max(one, other, key=lambda person: _change(image, person))
                hidden.lost = True
        alone = [one for one in present if not one.lost and not self._touched(one)]
        for person in alone:
            person.look += 0.05 * (_look(image, person.face.landmarks) - person.look)

    def _unmoved(self, person: _Followed, found: list[Face], image: np.ndarray) -> bool:
        """Whether ``person`` is still there after what seems a cut: same place, same look.

        All others become new people, since looks alone do not tell people apart.
        """
        person.lost = True
        limit = self.settings.unmoved_look
        return any(
            overlap(face.box, person.face.box) > 0.5 and _difference(_look(image, face.landmarks), person.look) < limit
            for face in found
        )

    def _touched(self, one: _Followed) -> bool:
        """Whether anybody else's face, followed or lost, overlaps: then ``one`` may be partly hidden."""
        return any(overlap(one.face.box, other.face.box) > 0 for other in self._people if other is not one)

    def _take_in(self, frame: Frame, found: list[Face]) -> None:
        """Match ``found`` to the followed by place, then to the lost by look; whoever is left over is new."""
        settings = self.settings
        present = [person for person in self._people if not person.lost]
        unknown = [
            face
            for face in found
            if all(overlap(face.box, person.face.box) < settings.same_place for person in present)
        ]
        looks = [_look(frame.image, face.landmarks) for face in unknown]
        lost = [person for person in self._people if person.lost]
        pairs = sorted(
            (_difference(look, person.look) + settings.distance_cost * _apart(unknown[row], person.face), row, column)
            for row, look in enumerate(looks)
            for column, person in enumerate(lost)
        )
        taken: dict[int, _Followed] = {}
        for difference, row, column in pairs:
            if difference <= settings.same_look and row not in taken and lost[column].lost:
                self._move(lost[column], unknown[row])
                taken[row] = lost[column]
        for row, face in enumerate(unknown):
            if row not in taken:
                self._people.append(_Followed(self._next_id, face, np.zeros(2), looks[row]))
                self._next_id += 1


def track_faces(
    clip: Clip | Iterable[Frame], settings: TrackerSettings | None = None, finder: FaceFinder | None = None
) -> list[Track]:
    """All faces of ``clip``, one Track a person, in order of their first frames."""
    tracker = Tracker(settings, finder)
    tracks: dict[int, Track] = {}
    for frame in clip.frames() if isinstance(clip, Clip) else clip:
        for identity, face in tracker.update(frame):
            tracks.setdefault(identity, Track(identity)).faces.append(face)
    return [tracks[identity] for identity in sorted(tracks)]


def is_cut(before: np.ndarray, after: np.ndarray, threshold: float) -> bool:
    """Whether two thumbnails, float32 (h, w) in [0, 1], show different scenes: in both grey levels and structure.

    Levels alone change in a flash, structure alone when something large moves. Structure is what is left after each
    has been brought to mean 0 and deviation 1; its mean difference is above 0.6 between unrelated pictures.
    """
    if float(np.abs(after - before).mean()) < threshold:
        return False
    flat = [(picture - picture.mean()) / max(float(picture.std()), 0.02) for picture in (before, after)]
    return float(np.abs(flat[1] - flat[0]).mean()) > 0.6


def _thumbnail(image: np.ndarray) -> np.ndarray:
    step = max(1, image.shape[1] // (4 * _THUMBNAIL[0]))
    small = cv2.resize(np.ascontiguousarray(image[::step, ::step, 1]), _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _inside(landmarks: np.ndarray, image: np.ndarray) -> bool:
    """Whether at least the middle of the face lies in the picture."""
    x, y = landmarks.mean(0)
    return bool(0 <= x < image.shape[1] and 0 <= y < image.shape[0])


def _apart(face: Face, other: Face) -> float:
    """Distance of two faces in widths of the wider one."""
    distance = np.linalg.norm(face.landmarks.mean(0) - other.landmarks.mean(0))
    return float(distance / max(face.width, other.width, 1.0))


def _look(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return aligned_crop(image, landmarks, _LOOK_SIZE, coverage=0.6).astype(np.float32) / 255


def _change(image: np.ndarray, person: _Followed) -> float:
    """How far the face that ``person`` is followed on differs from their look so far."""
    return _difference(_look(image, person.face.landmarks), person.look)


def _difference(look: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(look - other).mean())
