"""Is this the person of the reference, and the same person throughout?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, consecutive, frame_interval, spans_above, spread
from likeness.errors import FaceSetError
from likeness.examiner import Figure
from likeness.faces.align import COVERAGE
from likeness.faces.face import INNER_LIPS, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE, Face, Track
from likeness.faces.faceset import FaceSet
from likeness.faces.identity import Recogniser, mean_embedding, recogniser
from likeness.media.clip import Clip

_CROP = 160  # pixels: as many as recognisers make use of
# Pairs of landmarks whose distances expressions hardly change: eyes, nose and the sides of the jaw.
_SHAPE_PAIRS = np.array(
    [(36, 39), (42, 45), (39, 42), (27, 30), (27, 33), (31, 35), (0, 36), (16, 45), (0, 16), (2, 14), (3, 13), (0, 33),
     (16, 33), (36, 33), (45, 33)]
)  # fmt: skip
_LIPS, _MOUTH_CORNERS = (INNER_LIPS.start + 2, INNER_LIPS.start + 6), (48, 54)


@dataclass(frozen=True)
class IdentitySettings:
    """How much of clip and reference is compared, and what the distances are worth.

    ``..._limits`` are the distances, in spreads of the reference, between which evidence (log10) rises from ``..._for``
    (0 for shape and habits) to ``..._against``. They are chosen with caution, not fitted.
    """

    most_faces: int = 24
    least_faces: int = 4
    narrowest_px: float = 40.0
    largest_yaw: float = 35.0  # degrees: beyond, recognisers are weak
    least_reference: int = 12  # faces of one person
    most_reference: int = 120
    parts: int = 6  # into which a reference is cut, to see how far it is from itself
    least_spread: float = 0.02  # cosine
    threshold_in_spreads: float = 3.0  # at least so many lie between the reference and the recogniser's own threshold
    least_shape_faces: int = 30
    least_shape_spread: float = 0.015  # of a distance: what landmarks err by from clip to clip
    window_s: float = 6.0
    least_windows: int = 3
    least_rate: float = 8.0  # frames a second, to follow movements
    habit_spread: float = 0.25  # of a correlation over one window, at least
    face_limits: tuple[float, float] = (1.0, 5.0)
    shape_limits: tuple[float, float] = (2.5, 5.0)
    habit_limits: tuple[float, float] = (1.5, 3.0)
    face_for: float = -0.1  # a swap that wears the known person's face resembles them as they do themselves
    face_against: float = 0.7
    other_against: float = 0.15
    bound: float = 1.0


@dataclass(frozen=True, eq=False)
class Usual:
    """How alike parts of the reference are to the rest of it: cosines float64 (n,), and one spread of them."""

    likenesses: np.ndarray
    spread: float

    @property
    def centre(self) -> float:
        return float(np.median(self.likenesses))

    def distance(self, likeness: float) -> float:
        """How many spreads ``likeness`` is below what is usual."""
        return (self.centre - likeness) / self.spread


@dataclass(frozen=True, eq=False)
class Shape:
    """Distances between landmarks as they depend on pose: ``terms`` (6, k), what is left over in ``spread`` (k,).

    ``low`` and ``high`` (2,) are the yaw and pitch in degrees that it was learned from.
    """

    terms: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Reference:
    """The known person, from a folder of faces: ``mean`` float32 (d,) unit vector, and how the faces are spread.

    ``parts`` are stretches of several faces, ``single`` one face each. ``shape`` and ``habits`` (mean, spread; (k,)
    each) are None where the folder holds too little to tell.
    """

    name: str
    faces: int
    mean: np.ndarray
    parts: Usual
    single: Usual
    shape: Shape | None
    habits: tuple[np.ndarray, np.ndarray] | None
    recogniser: Recogniser = field(repr=False)

    @classmethod
    def load(
        cls, folder: Path, settings: IdentitySettings | None = None, model: Recogniser | None = None
    ) -> "Reference":
        """Read the face set ``folder`` (`likeness extract`). Raises FaceSetError where it holds too few faces of one
        person, and ModelError where there is no recogniser.
        """
        settings, model = settings or IdentitySettings(), model or recogniser()
        order = [("source", "ascending"), ("track", "ascending"), ("frame", "ascending")]
        faces = FaceSet.load(folder)
        rows = faces.rows.sort_by(order)
        straight = np.flatnonzero(np.abs(rows.column("yaw").to_numpy()) <= settings.largest_yaw)
        chosen = straight[np.unique(np.linspace(0, len(straight) - 1, settings.most_reference).round().astype(int))]
        few = (
            f"{folder} holds too few faces of one person to compare with; "
            f"give at least {settings.least_reference} that look ahead."
        )
        if len(straight) < settings.least_reference:
            raise FaceSetError(few)
        some = FaceSet(faces.folder, rows.take(chosen), faces.recorded, faces.settings)
        embeddings = model.embed(some.crops(_CROP))
        own = embeddings[embeddings @ mean_embedding(embeddings) >= model.threshold]
        if len(own) < settings.least_reference:
            raise FaceSetError(few)
        shown = FaceSet(faces.folder, rows, faces.recorded, faces.settings)
        return cls(
            name=Path(folder).name,
            faces=len(faces),
            mean=mean_embedding(own),
            parts=usual_likeness(own, settings.parts, model.threshold, settings),
            single=usual_likeness(own, len(own), model.threshold, settings),
            shape=learned_shape(shown.landmarks, _poses(shown), settings),
            habits=learned_habits(_sequences(shown, settings), settings),
            recogniser=model,
        )


@dataclass(frozen=True, eq=False)
class Look:
    """One face, uint8 RGB (160, 160, 3), aligned as recognisers want it."""

    time_s: float
    crop: np.ndarray
    yaw: float
    pitch: float


class Identity(Cue[Look]):
    """A swap shows somebody's face on another's: set beside footage of the person, it can be told from them.

    What is weighed is not "synthetic" against "genuine": it is "a swap, or another person" against "the known person".
    ``face`` is how much less the face resembles the reference than the reference resembles itself (the recogniser of
    `faces.identity`), ``shape`` how far distances between landmarks are from the reference's at the same pose, and
    ``habits`` how far the correlations between movements of head, brows and mouth are (Agarwal et al. 2019, Protecting
    World Leaders Against Deep Fakes), each in spreads of the reference. Without a calibration the likelihood ratio is a
    cautious mapping of these, within ±1 (`IdentitySettings`): unlikeness counts, likeness hardly, since a swap that
    wears the known person's face resembles them. Abstains without a reference, on small or turned faces and on few of
    them. A reference from one recording knows little of other light, cameras and years.
    """

    name = "identity"
    without_faces = "No face was found to compare with the reference."

    def __init__(
        self,
        reference: Reference | None = None,
        settings: IdentitySettings | None = None,
        calibration: CueCalibration | None = None,
    ) -> None:
        super().__init__(calibration or UNCALIBRATED)
        self.reference = reference
        self.settings = settings or IdentitySettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if self.reference is None:
            return "No reference was given to compare the face with. Name a folder of the person's faces (--reference)."
        settings, usable = self.settings, self._usable(track)
        needed = settings.least_faces if clip.kind == "video" else 1
        if len(usable) < needed:
            return (
                f"{len(usable)} frames show the face at least {settings.narrowest_px:.0f} px wide and turned less than "
                f"{settings.largest_yaw:.0f}°; comparing it with the reference needs {needed}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_faces)

    def note(self, sighting: Sighting) -> Look:
        return look_of(sighting)

    def measure(self, clip: Clip, track: Track, notes: Sequence[Look]) -> Measurement | str:
        reference, settings = self.reference, self.settings
        if reference is None or not notes:
            return "The face could not be seen in the picture to compare it with the reference."
        embeddings = reference.recogniser.embed(np.stack([note.crop for note in notes]))
        likenesses = embeddings @ reference.mean
        if clip.kind != "video":
            likeness = float(likenesses.mean())
            return Measurement({"picture_face": reference.single.distance(likeness)}, details=self._seen(likeness))
        likeness = float(mean_embedding(embeddings) @ reference.mean)
        values = {"face": reference.parts.distance(likeness)}
        faces = self._usable(track)
        if reference.shape is not None:
            values["shape"] = shape_distance(faces, reference.shape, settings)
        if reference.habits is not None:
            values["habits"] = habits_distance(faces, reference.habits, settings)
        times, limit = np.array([note.time_s for note in notes]), reference.recogniser.threshold
        shortest = 1.5 * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        return Measurement(
            {name: value for name, value in values.items() if np.isfinite(value)},
            spans=spans_above(times, -likenesses, -limit, shortest),
            figure=_likeness_figure(
                "How much the face resembles the reference",
                times,
                likenesses,
                {"usual in the reference": reference.single.centre, "another person below": limit},
            ),
            details=self._seen(likeness),
        )

    def sentence(self, measured: Measurement) -> str:
        if self.reference is None:
            return ""
        single = "picture_face" in measured.values
        usual = self.reference.single if single else self.reference.parts
        likeness = float(measured.details["likeness"] or 0)
        as_far = int((usual.likenesses <= likeness).sum())
        text = (
            f"The face resembles the reference {self.reference.name} by {likeness:.2f}, where parts of that resemble "
            f"the rest by {usual.centre:.2f} ({as_far} of {len(usual.likenesses)} parts as little or less)."
        )
        others = [
            f"{words} {'is' if name == 'shape' else 'are'} {measured.values[name]:.1f} times its spread away"
            for name, words in (("shape", "the face's shape"), ("habits", "habits of movement"))
            if name in measured.values
        ]
        if others:
            text += f" From the reference {' and '.join(others)}."
        return f"{text} Weighed is a swap or another person against the known person."

    def llr(self, measured: Measurement) -> float:
        """log10 likelihood ratio of "a swap, or another person" against "the known person"."""
        if self.calibration.features:
            return super().llr(measured)
        settings = self.settings
        face, other = (settings.face_for, settings.face_against), (0.0, settings.other_against)
        worth = {
            "face": (settings.face_limits, face),
            "picture_face": (settings.face_limits, face),
            "shape": (settings.shape_limits, other),
            "habits": (settings.habit_limits, other),
        }
        evidence = sum(float(np.interp(value, *worth[name])) for name, value in measured.values.items())
        return float(np.clip(evidence, -settings.bound, settings.bound))

    def _usable(self, track: Track) -> list[Face]:
        settings = self.settings
        return [f for f in track.faces if f.width >= settings.narrowest_px and abs(f.yaw) <= settings.largest_yaw]

    def _seen(self, likeness: float) -> dict[str, float | str | int | bool | None]:
        reference = self.reference
        return {
            "likeness": round(likeness, 4),
            "reference": reference.name if reference else None,
            "reference_faces": reference.faces if reference else None,
            "recogniser": reference.recogniser.name if reference else None,
        }


@dataclass(frozen=True)
class IdentityDriftSettings:
    """How much of a track is compared with itself."""

    most_faces: int = 24
    least_faces: int = 12
    shortest_s: float = 1.5
    narrowest_px: float = 60.0
    largest_yaw: float = 25.0  # degrees: beyond, recognisers are weak


class IdentityDrift(Cue[Look]):
    """A swap that is drawn frame by frame is not equally somebody else in all of them.

    ``drift`` is how far the recogniser's vectors of a face lie from what its pose makes of them, in the middle frame,
    and ``flip`` how much farther they are in the worst ones (log2), as where a swap falls out (compare Liu et al. 2023,
    TI2Net: Temporal Identity Inconsistency). Needs no reference. Abstains on small or turned faces, on few of them and
    on pictures.
    """

    name = "identity_drift"
    without_faces = "No face was found that could stay the same."

    def __init__(
        self,
        settings: IdentityDriftSettings | None = None,
        calibration: CueCalibration | None = None,
        model: Recogniser | None = None,
    ) -> None:
        super().__init__(calibration)
        self.settings = settings or IdentityDriftSettings()
        self._given = model

    @cached_property
    def recogniser(self) -> Recogniser:
        return self._given or recogniser()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture shows nobody change."
        settings, usable = self.settings, self._usable(track)
        seconds = usable[-1].time_s - usable[0].time_s if usable else 0.0
        if len(usable) < settings.least_faces or seconds < settings.shortest_s:
            return (
                f"{len(usable)} frames in {seconds:.1f} s show the face at least {settings.narrowest_px:.0f} px wide "
                f"and turned less than {settings.largest_yaw:.0f}°; comparing it with itself needs "
                f"{settings.least_faces} in {settings.shortest_s:.1f} s."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_faces)

    def note(self, sighting: Sighting) -> Look:
        return look_of(sighting)

    def measure(self, clip: Clip, track: Track, notes: Sequence[Look]) -> Measurement | str:
        if len(notes) < self.settings.least_faces:
            return "Too few frames of the face could be read to compare it with itself."
        embeddings = self.recogniser.embed(np.stack([note.crop for note in notes])).astype(np.float64)
        pose = np.radians([(note.yaw, note.pitch) for note in notes])
        times, away = np.array([note.time_s for note in notes]), drift_of(embeddings, pose)
        high = self.calibration.frame_high("drift")
        shortest = 1.5 * float(np.median(np.diff(times)))
        levels = {} if high is None else {"1 in 20 genuine moments above": high}
        return Measurement(
            {
                "drift": float(np.median(away)),
                "flip": float(np.log2(max(np.quantile(away, 0.95), 1e-4) / max(np.median(away), 1e-4))),
            },
            spans=[] if high is None else spans_above(times, away, high, shortest),
            figure=_likeness_figure("How far the face is from its own usual look", times, away, levels),
            details={"frames": len(notes), "recogniser": self.recogniser.name},
        )

    def sentence(self, measured: Measurement) -> str:
        drift, flip = measured.values["drift"], measured.values["flip"]
        return (
            f"From frame to frame the face differs from its own usual look by {drift:.3f} (as much or more: "
            f"{self.calibration.rarity('drift', drift)}), at worst {2**flip:.1f} times as much (as much or more: "
            f"{self.calibration.rarity('flip', flip)})."
        )

    def _usable(self, track: Track) -> list[Face]:
        settings = self.settings
        return [f for f in track.faces if f.width >= settings.narrowest_px and abs(f.yaw) <= settings.largest_yaw]


def look_of(sighting: Sighting) -> Look:
    """What a recogniser sees of a face."""
    face = sighting.face
    return Look(face.time_s, sighting.crop(_CROP, COVERAGE), face.yaw, face.pitch)


def drift_of(embeddings: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """How far each of ``embeddings`` (n, d) is from what its ``pose`` (n, 2; radians) makes of it: 1 − cosine, (n,)."""
    centred = pose - pose.mean(axis=0)
    terms = np.column_stack([np.ones(len(pose)), centred, centred[:, 0] ** 2])
    expected = terms @ np.linalg.lstsq(terms, embeddings, rcond=None)[0]
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(embeddings, axis=1)
    return np.asarray(np.clip(1 - (expected * embeddings).sum(axis=1) / np.maximum(lengths, 1e-9), 0, 2))


def usual_likeness(embeddings: np.ndarray, parts: int, threshold: float, settings: IdentitySettings) -> Usual:
    """How alike each of ``parts`` stretches of ``embeddings`` (n, d; unit vectors) is to all others.

    The spread is at least such that the recogniser's ``threshold`` lies a few of them away: what one recording shows
    of a person is narrower than the person.
    """
    owner = np.arange(len(embeddings)) * parts // len(embeddings)
    likenesses = np.array(
        [mean_embedding(embeddings[owner == part]) @ mean_embedding(embeddings[owner != part]) for part in range(parts)]
    )
    to_threshold = (float(np.median(likenesses)) - threshold) / settings.threshold_in_spreads
    return Usual(likenesses, max(1.4826 * _deviation(likenesses), to_threshold, settings.least_spread))


def learned_shape(points: np.ndarray, poses: np.ndarray, settings: IdentitySettings) -> Shape | None:
    """Distances between landmarks (n, 68, 2) by ``poses`` (n, 2; yaw and pitch in degrees); None for too few faces."""
    straight = np.abs(poses[:, 0]) <= settings.largest_yaw
    if straight.sum() < settings.least_shape_faces:
        return None
    distances, terms = _distances(points[straight]), _pose_terms(poses[straight])
    fitted = np.linalg.lstsq(terms, distances, rcond=None)[0]
    left = distances - terms @ fitted
    spreads = np.maximum(1.4826 * np.median(np.abs(left), axis=0), settings.least_shape_spread)
    low, high = np.quantile(poses[straight], [0.01, 0.99], axis=0)
    return Shape(fitted, spreads, low - 2, high + 2)


def shape_distance(faces: Sequence[Face], shape: Shape, settings: IdentitySettings) -> float:
    """How many spreads the faces' mean shape is from ``shape``, root mean square over distances.

    NaN where too few faces have a pose that the reference has.
    """
    poses = np.array([(face.yaw, face.pitch) for face in faces])
    known = ((poses >= shape.low) & (poses <= shape.high)).all(axis=1)
    if known.sum() < settings.least_faces:
        return float("nan")
    points = np.array([faces[int(row)].landmarks for row in np.flatnonzero(known)], np.float64)
    left = np.median(_distances(points) - _pose_terms(poses[known]) @ shape.terms, axis=0)
    return float(np.sqrt(np.mean((left / shape.spread) ** 2)))


def learned_habits(
    sequences: Sequence[tuple[np.ndarray, np.ndarray]], settings: IdentitySettings
) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and spread (k,) of the correlations between movements over all windows; None where there are too few."""
    windows = [window for times, moved in sequences for window in habits_of(times, moved, settings)]
    if len(windows) < settings.least_windows:
        return None
    table = np.array(windows)
    return table.mean(axis=0), np.maximum(table.std(axis=0), settings.habit_spread)


def habits_distance(faces: Sequence[Face], habits: tuple[np.ndarray, np.ndarray], settings: IdentitySettings) -> float:
    """How many spreads the correlations between movements are from ``habits``, root mean square; NaN where the face is
    not followed for long enough.
    """
    pieces = consecutive(faces, 2.5 * max(frame_interval(faces), 1e-3))
    sequences = [
        (np.array([f.time_s for f in piece]), _movements_of_faces(piece)) for piece in pieces if len(piece) > 1
    ]
    windows = [window for times, moved in sequences for window in habits_of(times, moved, settings)]
    if not windows:
        return float("nan")
    mean, spreads = habits
    return float(np.sqrt(np.mean(((np.mean(windows, axis=0) - mean) / spreads) ** 2)))


def habits_of(times: np.ndarray, moved: np.ndarray, settings: IdentitySettings) -> list[np.ndarray]:
    """Correlations (15,) between the six movements ``moved`` (n, 6) at ``times``, for each window, half overlapping.

    Agarwal et al. 2019, section 2: Pearson's, over clips of some seconds.
    """
    interval = float(np.median(np.diff(times)))
    if interval > 1 / settings.least_rate:
        return []
    size = round(settings.window_s / interval)
    above = np.triu_indices(moved.shape[1], 1)
    found = []
    for start in range(0, len(times) - size + 1, max(size // 2, 1)):
        part = moved[start : start + size] - moved[start : start + size].mean(axis=0)
        length = np.linalg.norm(part, axis=0)
        found.append(((part.T @ part) / np.maximum(np.outer(length, length), 1e-9))[above])
    return found


def movements(points: np.ndarray, poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rates of yaw, pitch and roll, opening and width of the mouth and height of the brows, float64 (n, 6).

    From landmarks ``points`` (n, 68, 2) and ``poses`` (n, 3; degrees); lengths are in outer-eye distances.
    """
    eye = np.maximum(np.linalg.norm(points[:, 36] - points[:, 45], axis=1), 1e-6)

    def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(one - other, axis=1) / eye)

    (upper, lower), (right, left) = _LIPS, _MOUTH_CORNERS
    brows = [
        apart(points[:, brow].mean(axis=1), points[:, lids].mean(axis=1))
        for brow, lids in ((RIGHT_BROW, RIGHT_EYE), (LEFT_BROW, LEFT_EYE))
    ]
    return np.column_stack(
        [
            np.gradient(poses, times, axis=0),
            apart(points[:, upper], points[:, lower]),
            apart(points[:, right], points[:, left]),
            (brows[0] + brows[1]) / 2,
        ]
    )


def _movements_of_faces(faces: Sequence[Face]) -> np.ndarray:
    points = np.array([face.landmarks for face in faces], np.float64)
    poses = np.array([(face.yaw, face.pitch, face.roll) for face in faces])
    return movements(points, poses, np.array([face.time_s for face in faces]))


def _sequences(shown: FaceSet, settings: IdentitySettings) -> list[tuple[np.ndarray, np.ndarray]]:
    """The stretches of the face set that are filmed closely enough to follow movements: times and movements."""
    columns = shown.rows.to_pydict()
    times, poses = np.array(columns["time_s"]), np.column_stack([columns[name] for name in ("yaw", "pitch", "roll")])
    same = [a == b for a, b in zip(_owners(columns)[1:], _owners(columns)[:-1], strict=True)]
    steps = np.diff(times)
    broken = np.flatnonzero(~(np.array(same, bool) & (steps > 0) & (steps <= 2 / settings.least_rate))) + 1
    pieces = np.split(np.arange(len(times)), broken)
    return [
        (times[piece], movements(shown.landmarks[piece].astype(np.float64), poses[piece], times[piece]))
        for piece in pieces
        if len(piece) > 1
    ]


def _owners(columns: dict[str, list[object]]) -> list[tuple[object, object]]:
    return list(zip(columns["source"], columns["track"], strict=True))


def _poses(shown: FaceSet) -> np.ndarray:
    return np.column_stack([shown.rows.column(name).to_numpy() for name in ("yaw", "pitch")])


def _distances(points: np.ndarray) -> np.ndarray:
    """Logarithms of the distances (n, k) between landmarks (n, 68, 2), less their mean: no size is left in them."""
    lengths = np.linalg.norm(points[:, _SHAPE_PAIRS[:, 0]] - points[:, _SHAPE_PAIRS[:, 1]], axis=2)
    logarithms = np.log(np.maximum(lengths, 1e-6))
    return np.asarray(logarithms - logarithms.mean(axis=1, keepdims=True))


def _pose_terms(poses: np.ndarray) -> np.ndarray:
    """A quadratic in yaw and pitch (n, 2; degrees), as (n, 6)."""
    yaw, pitch = np.radians(poses).T
    return np.column_stack([np.ones(len(yaw)), yaw, pitch, yaw * yaw, yaw * pitch, pitch * pitch])


def _deviation(values: np.ndarray) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _likeness_figure(title: str, times: np.ndarray, values: np.ndarray, levels: dict[str, float]) -> Figure:
    return Figure(
        title=title,
        y_label="cosine",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 4) for v in values],
        levels={name: round(level, 3) for name, level in levels.items()},
    )
