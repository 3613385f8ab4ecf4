"""The person whom a clip is said to show, learned from a folder of faces: looks, shape and habits of movement."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from likeness.detect.recogniser_looks import LOOK_CROP
from likeness.detect.sightings import consecutive, frame_interval
from likeness.errors import FaceSetError
from likeness.faces.face import INNER_LIPS, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE, Face
from likeness.faces.faceset import FaceSet
from likeness.faces.identity import Recogniser, mean_embedding, recogniser

# Pairs of landmarks whose distances expressions hardly change: eyes, nose and the sides of the jaw.
_SHAPE_PAIRS = np.array(
    [(36, 39), (42, 45), (39, 42), (27, 30), (27, 33), (31, 35), (0, 36), (16, 45), (0, 16), (2, 14), (3, 13), (0, 33),
     (16, 33), (36, 33), (45, 33)]
)  # fmt: skip
_LIPS, _MOUTH_CORNERS = (INNER_LIPS.start + 2, INNER_LIPS.start + 6), (48, 54)


@dataclass(frozen=True)
class ReferenceSettings:
    """How much of a folder is learned from, and how narrow what it shows may be taken to be."""

    largest_yaw: float = 35.0  # degrees: beyond, recognisers are weak
    least_faces: int = 12  # of one person
    most_faces: int = 120
    parts: int = 6  # into which the faces are cut, to see how far they are from themselves
    least_spread: float = 0.02  # cosine
    threshold_in_spreads: float = 3.0  # at least so many lie between the reference and the recogniser's own threshold
    least_shape_faces: int = 30
    least_shape_spread: float = 0.015  # of a distance: what landmarks err by from clip to clip
    least_posed: int = 4  # faces that must have a pose of the reference before their shape is compared
    window_s: float = 6.0
    least_windows: int = 3
    least_rate: float = 8.0  # frames a second, to follow movements
    habit_spread: float = 0.25  # of a correlation over one window, at least


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
    each) are None where the folder holds too little to tell. ``settings`` are those that it was learned by.
    """

    name: str
    faces: int
    mean: np.ndarray
    parts: Usual
    single: Usual
    shape: Shape | None
    habits: tuple[np.ndarray, np.ndarray] | None
    settings: ReferenceSettings
    recogniser: Recogniser = field(repr=False)

    @classmethod
    def load(
        cls, folder: Path, settings: ReferenceSettings | None = None, model: Recogniser | None = None
    ) -> "Reference":
        """Read the face set ``folder`` (`likeness extract`). Raises FaceSetError where it holds too few faces of one
        person, and ModelError where there is no recogniser.
        """
        settings, model = settings or ReferenceSettings(), model or recogniser()
        order = [("source", "ascending"), ("track", "ascending"), ("frame", "ascending")]
        faces = FaceSet.load(folder)
        rows = faces.rows.sort_by(order)
        straight = np.flatnonzero(np.abs(rows.column("yaw").to_numpy()) <= settings.largest_yaw)
        chosen = straight[np.unique(np.linspace(0, len(straight) - 1, settings.most_faces).round().astype(int))]
        few = (
            f"{folder} holds too few faces of one person to compare with; "
            f"give at least {settings.least_faces} that look ahead."
        )
        if len(straight) < settings.least_faces:
            raise FaceSetError(few)
        some = FaceSet(faces.folder, rows.take(chosen), faces.recorded, faces.settings)
        embeddings = model.embed(some.crops(LOOK_CROP))
        own = embeddings[embeddings @ mean_embedding(embeddings) >= model.threshold]
        if len(own) < settings.least_faces:
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
            settings=settings,
            recogniser=model,
        )


def usual_likeness(embeddings: np.ndarray, parts: int, threshold: float, settings: ReferenceSettings) -> Usual:
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


def learned_shape(points: np.ndarray, poses: np.ndarray, settings: ReferenceSettings) -> Shape | None:
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


def shape_distance(faces: Sequence[Face], shape: Shape, settings: ReferenceSettings) -> float:
    """How many spreads the faces' mean shape is from ``shape``, root mean square over distances.

    NaN where too few faces have a pose that the reference has.
    """
    poses = np.array([(face.yaw, face.pitch) for face in faces])
    known = ((poses >= shape.low) & (poses <= shape.high)).all(axis=1)
    if known.sum() < settings.least_posed:
        return float("nan")
    points = np.array([faces[int(row)].landmarks for row in np.flatnonzero(known)], np.float64)
    left = np.median(_distances(points) - _pose_terms(poses[known]) @ shape.terms, axis=0)
    return float(np.sqrt(np.mean((left / shape.spread) ** 2)))


def learned_habits(
    sequences: Sequence[tuple[np.ndarray, np.ndarray]], settings: ReferenceSettings
) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and spread (k,) of the correlations between movements over all windows; None where there are too few."""
    windows = [window for times, moved in sequences for window in habits_of(times, moved, settings)]
    if len(windows) < settings.least_windows:
        return None
    table = np.array(windows)
    return table.mean(axis=0), np.maximum(table.std(axis=0), settings.habit_spread)


def habits_distance(faces: Sequence[Face], habits: tuple[np.ndarray, np.ndarray], settings: ReferenceSettings) -> float:
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


def habits_of(times: np.ndarray, moved: np.ndarray, settings: ReferenceSettings) -> list[np.ndarray]:
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


def _sequences(shown: FaceSet, settings: ReferenceSettings) -> list[tuple[np.ndarray, np.ndarray]]:
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
