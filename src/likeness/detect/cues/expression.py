"""Does the face move with the head, and its two sides together?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.cues.head_pose import Pose, beside_pose, pose
from likeness.detect.sightings import Sighting, consecutive, frame_interval
from likeness.examiner import Figure
from likeness.faces.align import TEMPLATE, apply, umeyama
from likeness.faces.face import LEFT_BROW, NOSE_BASE, NOSE_BRIDGE, RIGHT_BROW, Face, Track
from likeness.media.clip import Clip

# Points that no expression moves: the upper jaw, the nose and the corners of the eyes.
_STEADY = np.r_[0:3, 14:17, NOSE_BRIDGE.start : NOSE_BASE.stop, 36, 39, 42, 45]
_LIDS = (([37, 38], [40, 41]), ([43, 44], [46, 47]))  # upper and lower, right and left
_LEAST_RANGE = 2e-3  # of the face's width: below what landmarks can be told
_LEAST_APART = 1e-4  # of the movement: two sides never move more alike than this
_LAG_STEPS = 4  # of a frame: how finely lags are read


@dataclass(frozen=True)
class ExpressionSettings:
    """What is long, large and turned little enough to measure. Movement is in parts of the face's width."""

    shortest_s: float = 2.5
    narrowest_px: float = 70.0
    largest_yaw: float = 35.0  # degrees: beyond, one side of the face is hidden
    slowest_rate: float = 12.0  # frames a second
    smoothing_s: float = 0.12
    least_turn: float = 3.0  # degrees: a head that moves less need not carry a moving face
    most_turn: float = 10.0  # degrees: who turns farther than this does not move the face any more
    movement_in_noise: float = 3.0  # a side is compared with the other where it moves this much more than it trembles
    farthest_lag_s: float = 0.2


@dataclass(frozen=True, eq=False)
class Movement:
    """How a part of the face moved: its ``right`` and ``left`` side, float64 (n,), in parts of the face's width."""

    right: np.ndarray
    left: np.ndarray


class Expression(Cue[None]):
    """An inner face that was laid on hardly moves while the head does, or its sides move apart from each other.

    After pose is taken out, the range of brows and eyes (``stiff_brow``) and of the mouth (``stiff_mouth``) is set
    against that of the head, up to 10° of it, as the movements of face and head belong together in people (Agarwal et
    al. 2019, Protecting World Leaders Against Deep Fakes). ``asymmetry`` is the logarithm of how little brows, lids and
    corners of the mouth move alike on both sides, ``lag`` by how many seconds one side comes late: spontaneous
    expressions start on both sides within some hundredths of a second (Ekman, Hager & Friesen 1981, Psychophysiology
    18). Landmarks alone are used; those of our network are drawn to symmetric faces, so small asymmetries do not show.
    Abstains under 2.5 s, on small, turned or slowly filmed faces, and where neither head nor face moves enough.
    """

    name = "expression"
    without_faces = "No face was found, so there is no expression to follow."

    def __init__(self, settings: ExpressionSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or ExpressionSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture shows no movement of the face."
        settings, faces = self.settings, self._usable(track)
        seconds, interval = (faces[-1].time_s - faces[0].time_s if faces else 0.0), frame_interval(faces)
        if seconds + interval < settings.shortest_s:
            return (
                f"The face is seen at least {settings.narrowest_px:.0f} px wide and turned less than "
                f"{settings.largest_yaw:.0f}° for only {seconds + interval:.1f} s on end; its expression needs "
                f"{settings.shortest_s:.1f} s."
            )
        if interval > 1 / settings.slowest_rate:
            return (
                f"At {1 / interval:.0f} frames a second expressions are too coarse; they need "
                f"{settings.slowest_rate:.0f}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return []  # the landmarks of the track are enough

    def note(self, sighting: Sighting) -> None:
        return None

    def measure(self, clip: Clip, track: Track, notes: Sequence[None]) -> Measurement | str:
        settings, faces = self.settings, self._usable(track)
        points, interval = np.array([face.landmarks for face in faces], np.float64), frame_interval(faces)
        head = pose(points, _STEADY)
        brow, lids, mouth = moved = movements(points, head, max(1, round(settings.smoothing_s / interval)))
        values = {}
        turn, upper, lower = turn_of(head), range_of([brow, lids]), range_of([mouth])
        if turn >= settings.least_turn:
            called_for = np.radians(min(turn, settings.most_turn))
            values["stiff_brow"] = float(np.log2(called_for / (upper + _LEAST_RANGE)))
            values["stiff_mouth"] = float(np.log2(called_for / (lower + _LEAST_RANGE)))
        lively = [part for part in moved if self._moves(part)]
        if lively:
            found = [alike(part, interval, settings.farthest_lag_s) for part in lively]
            values["asymmetry"] = float(np.log2(1 - np.mean([fit for fit, _ in found]) + _LEAST_APART))
            values["lag"] = float(np.median([lag for _, lag in found]))
        if not values:
            return "Neither the head nor the face moves enough to judge its expression."
        return Measurement(
            values,
            figure=_figure(faces, moved),
            details={
                "head_turns_degrees": round(turn, 2),
                "brows_and_eyes_percent": round(100 * upper, 3),
                "mouth_percent": round(100 * lower, 3),
                "parts_that_move": len(lively),
            },
        )

    def sentence(self, measured: Measurement) -> str:
        values, seen, rarity = measured.values, measured.details, self.calibration.rarity
        said = []
        if "stiff_brow" in values:
            said.append(
                f"While the head turns by {seen['head_turns_degrees']:.0f}°, brows and eyes move by "
                f"{seen['brows_and_eyes_percent']:.1f} % of the face's width (as stiff or stiffer: "
                f"{rarity('stiff_brow', values['stiff_brow'])}), the mouth by {seen['mouth_percent']:.1f} % "
                f"({rarity('stiff_mouth', values['stiff_mouth'])})."
            )
        if "asymmetry" in values:
            said.append(
                f"Its two sides differ in {100 * 2 ** values['asymmetry']:.1f} % of their movement (as much or more: "
                f"{rarity('asymmetry', values['asymmetry'])}) and are {values['lag']:.2f} s apart (as late or later: "
                f"{rarity('lag', values['lag'])})."
            )
        return " ".join(said)

    def _usable(self, track: Track) -> list[Face]:
        """The longest run of frames that show the face large and straight enough."""
        settings = self.settings
        seen = [f for f in track.faces if f.width >= settings.narrowest_px and abs(f.yaw) <= settings.largest_yaw]
        return max(consecutive(seen, 2.5 * max(frame_interval(track.faces), 1e-3)), key=len, default=[])

    def _moves(self, part: Movement) -> bool:
        """Whether both sides move more than they tremble."""
        return all(
            side.std() > self.settings.movement_in_noise * np.median(np.abs(np.diff(side, 2))) / 2
            and reach(side) > 2 * _LEAST_RANGE
            for side in (part.right, part.left)
        )


def movements(points: np.ndarray, head: Pose, window: int) -> tuple[Movement, Movement, Movement]:
    """Brows, lids and corners of the mouth from landmarks (n, 68, 2), beside what the pose makes of them.

    Each smoothed over ``window`` frames. The heights of the brows are above the eyes, those of the mouth's corners
    above the tip of the nose; the lids' is the opening of the eye.
    """
    upright = np.array([apply(umeyama(face[_STEADY], TEMPLATE[_STEADY]), face) for face in points])
    height = -upright[:, :, 1]
    eyes = [height[:, [36, 39]].mean(axis=1), height[:, [42, 45]].mean(axis=1)]
    lids = [height[:, upper].mean(axis=1) - height[:, lower].mean(axis=1) for upper, lower in _LIDS]
    brows = [height[:, part].mean(axis=1) for part in (RIGHT_BROW, LEFT_BROW)]
    corners = [height[:, corner] - height[:, 33] for corner in (48, 54)]
    smooth = np.ones(window) / window

    def beside(right: np.ndarray, left: np.ndarray) -> Movement:
        moved = beside_pose(np.column_stack([right, left]), head)
        return Movement(*(np.convolve(side, smooth, "valid") for side in moved.T))

    return beside(brows[0] - eyes[0], brows[1] - eyes[1]), beside(*lids), beside(*corners)


def reach(values: np.ndarray) -> float:
    """How far ``values`` (n,) range, but for the farthest twentieth on each side."""
    low, high = np.quantile(values, [0.05, 0.95])
    return float(high - low)


def range_of(parts: Sequence[Movement]) -> float:
    """How far ``parts`` of the face range, each side for itself, in parts of its width."""
    return float(np.mean([reach(side) for part in parts for side in (part.right, part.left)]))


def turn_of(head: Pose) -> float:
    """How far the head turns and nods in all, in degrees."""
    return float(np.hypot(reach(head.yaw), reach(head.pitch)))


def alike(part: Movement, interval_s: float, farthest_s: float) -> tuple[float, float]:
    """The correlation of the two sides, and by how many seconds (≥ 0) one must be moved for them to fit best."""
    steps = np.arange(len(part.right))
    farthest = min(farthest_s / interval_s, len(steps) / 4)
    inside = (steps >= farthest) & (steps <= len(steps) - 1 - farthest)
    lags = np.arange(0, farthest + 1e-9, 1 / _LAG_STEPS)
    lags = np.concatenate([-lags[:0:-1], lags])
    fits = [_correlation(part.right[inside], np.interp(steps + lag, steps, part.left)[inside]) for lag in lags]
    return _correlation(part.right, part.left), float(abs(lags[int(np.argmax(fits))]) * interval_s)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12)


def _figure(faces: Sequence[Face], moved: Sequence[Movement]) -> Figure:
    shift = (len(faces) - len(moved[0].right)) // 2
    times = [face.time_s for face in faces][shift : shift + len(moved[0].right)]
    sides = np.array([side for part in moved for side in (part.right, part.left)])
    return Figure(
        title="How far brows, lids and mouth are from their usual place",
        y_label="per cent of the face's width",
        times_s=[round(float(t), 3) for t in times],
        values=[round(100 * float(v), 4) for v in np.sqrt((sides**2).mean(axis=0))],
    )
