"""Does the inner face sit on the head as one rigid body?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, consecutive, frame_interval, spans_above
from likeness.examiner import Figure
from likeness.faces.align import TEMPLATE
from likeness.faces.face import LEFT_EYE, NOSE_BRIDGE, RIGHT_EYE, Face, Track
from likeness.faces.pose import DEPTH
from likeness.media.clip import Clip

_INNER = np.r_[NOSE_BRIDGE.start : LEFT_EYE.stop]  # nose and eyes: what a swap draws, and speech does not move
_OUTER = np.r_[0:5, 12:17]  # the sides of the jaw: what a swap keeps, and an opening mouth hardly moves
_WHOLE = np.r_[_OUTER, _INNER]
# Pairs of landmarks whose distance is one of bone or nearly so.
_INNER_PAIRS = np.array(
    [(RIGHT_EYE.start, 39), (42, 45), (39, 42), (36, 45), (27, 30), (39, 27), (42, 27), (36, 30), (45, 30)]
)
_OUTER_PAIRS = np.array([(0, 16), (1, 15), (2, 14), (0, 2), (14, 16), (1, 3), (13, 15), (0, 14), (2, 16)])
_MEAN_FACE = np.column_stack([TEMPLATE, DEPTH]).astype(np.float64)
_LEAST_STRETCH = 1e-4  # of the jaw's width: below what any landmark can be told
_LEAST_TURN = 1e-3  # degrees


@dataclass(frozen=True)
class HeadPoseSettings:
    """What is long, large and turned little enough to measure."""

    shortest_s: float = 1.5
    least_frames: int = 30
    narrowest_px: float = 50.0
    largest_yaw: float = 40.0  # degrees: beyond, one side of the jaw is hidden
    slowest_rate: float = 8.0  # frames a second
    smoothing_s: float = 0.25  # takes the noise of single frames out of the turning of the inner face
    shortest_span_s: float = 0.3
    standing_out: float = 0.9  # quantile of the turning that speaks for the track


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a face looks in each frame: ``gaze`` float64 (n, 3) unit vectors, ``yaw`` and ``pitch`` (n,) in degrees."""

    gaze: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray


class HeadPose(Cue[None]):
    """A swap lays an inner face upon another head: the two need not point the same way, or keep together.

    After Yang, Li & Lyu 2019 (Exposing Deep Fakes Using Inconsistent Head Poses): the pose is fitted to eyes and nose,
    and to these with the sides of the jaw. ``angle`` is how far the two poses lie apart. ``sway`` is how far eyes and
    nose turn against the jaw over time, beside what the person's own shape makes of each pose. ``stretch`` is how much
    distances between fixed points of the inner face vary against those of the jaw, and ``shake`` how much its pose
    trembles against the jaw's. Landmarks alone are used. Abstains on small or turned faces and on short or slow clips.
    """

    name = "head_pose"
    without_faces = "No face was found, so there is no head whose pose could be compared."

    def __init__(self, settings: HeadPoseSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or HeadPoseSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        settings, faces = self.settings, self._usable(track)
        if not faces:
            return (
                f"No frame shows the face at least {settings.narrowest_px:.0f} px wide and turned less than "
                f"{settings.largest_yaw:.0f}°; its pose needs that."
            )
        if clip.kind != "video":
            return None
        seconds, interval = faces[-1].time_s - faces[0].time_s, frame_interval(faces)
        if len(faces) < settings.least_frames or seconds < settings.shortest_s:
            return (
                f"Only {len(faces)} frames in {seconds:.1f} s on end show the pose of the head well; it needs "
                f"{settings.least_frames} in {settings.shortest_s:.1f} s."
            )
        if interval > 1 / settings.slowest_rate:
            return (
                f"At {1 / interval:.0f} frames a second the pose cannot be followed; it needs "
                f"{settings.slowest_rate:.0f}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return []  # the landmarks of the track are enough

    def note(self, sighting: Sighting) -> None:
        return None

    def measure(self, clip: Clip, track: Track, notes: Sequence[None]) -> Measurement | str:
        faces = self._usable(track)
        points = np.array([face.landmarks for face in faces], np.float64)
        apart = angles(pose(points, _INNER).gaze, pose(points, _WHOLE).gaze)
        if clip.kind != "video":
            return Measurement({"picture_angle": float(np.median(apart))})
        inner, outer = pose(points, _INNER), pose(points, _OUTER)
        times, sway = turning(faces, inner, outer, self.settings.smoothing_s)
        high = self.calibration.frame_high("sway")
        return Measurement(
            {
                "angle": float(np.median(apart)),
                "sway": float(np.quantile(sway, self.settings.standing_out)),
                "stretch": stretch(points, outer),
                "shake": shake(inner, outer),
            },
            spans=[] if high is None else spans_above(times, sway, high, self.settings.shortest_span_s),
            figure=_figure(times, sway, high),
            details={"frames": len(faces)},
        )

    def sentence(self, measured: Measurement) -> str:
        values, calibration = measured.values, self.calibration
        if "picture_angle" in values:
            angle = values["picture_angle"]
            return (
                f"Eyes and nose point {angle:.1f}° away from where the whole face does "
                f"(as far or farther: {calibration.rarity('picture_angle', angle)})."
            )
        text = (
            f"Eyes and nose point {values['angle']:.1f}° away from where the whole face does (as far or farther: "
            f"{calibration.rarity('angle', values['angle'])}) and turn up to {values['sway']:.1f}° against the jaw "
            f"(as far or farther: {calibration.rarity('sway', values['sway'])})."
        )
        if measured.spans:
            text += " They stand out " + ", ".join(f"from {a:.1f} to {b:.1f} s" for a, b in measured.spans) + "."
        return text

    def _usable(self, track: Track) -> list[Face]:
        """The longest run of frames that show the face large and straight enough."""
        settings = self.settings
        seen = [f for f in track.faces if f.width >= settings.narrowest_px and abs(f.yaw) <= settings.largest_yaw]
        return max(consecutive(seen, 2.5 * max(frame_interval(track.faces), 1e-3)), key=len, default=[])


def pose(points: np.ndarray, part: np.ndarray) -> Pose:
    """The pose of each face of ``points`` (n, 68, 2) by its landmarks ``part`` (indices, at least 4 not in one plane).

    The mean face seen by a scaled orthographic camera, fitted by least squares, as in `faces.pose`.
    """
    shape, seen = _MEAN_FACE[part], points[:, part]
    solver = np.linalg.pinv(shape - shape.mean(axis=0))
    camera = np.einsum("kp,npc->nck", solver, seen - seen.mean(axis=1, keepdims=True))
    left, _, right = np.linalg.svd(camera, full_matrices=False)
    rows = left @ right
    gaze = -np.stack([rows[:, 0, 2], rows[:, 1, 2], np.cross(rows[:, 0], rows[:, 1])[:, 2]], axis=1)
    yaw = np.degrees(np.arctan2(gaze[:, 0], -gaze[:, 2]))
    return Pose(gaze, yaw, np.degrees(np.arcsin(np.clip(-gaze[:, 1], -1, 1))))


def angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angles (n,) in degrees between unit vectors (n, 3)."""
    return np.asarray(np.degrees(np.arccos(np.clip((one * other).sum(axis=1), -1, 1))))


def turning(faces: Sequence[Face], inner: Pose, outer: Pose, smoothing_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and how far the inner face has turned against the outer one, in degrees, float64 (n,).

    What the head's pose explains is left out: a person is shaped otherwise than the mean face, which shows as a
    difference that changes smoothly with the pose.
    """
    left = np.column_stack([beside_pose(inner.yaw - outer.yaw, outer), beside_pose(inner.pitch - outer.pitch, outer)])
    window = max(1, min(round(smoothing_s / max(frame_interval(faces), 1e-3)), len(left)))
    smooth = np.ones(window) / window
    slow = np.column_stack([np.convolve(column, smooth, "valid") for column in left.T])
    return np.convolve([face.time_s for face in faces], smooth, "valid"), np.linalg.norm(slow, axis=1)


def beside_pose(values: np.ndarray, head: Pose) -> np.ndarray:
    """``values`` (n,) or (n, m) less what a quadratic in yaw and pitch of ``head`` explains of them, around 0."""
    yaw, pitch = (np.radians(angle - np.median(angle)) for angle in (head.yaw, head.pitch))
    terms = np.column_stack([np.ones(len(yaw)), yaw, pitch, yaw * yaw, yaw * pitch, pitch * pitch])
    return np.asarray(values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0])


def stretch(points: np.ndarray, head: Pose) -> float:
    """log2 of how much fixed distances vary in the inner face against the jaw, from ``points`` (n, 68, 2).

    Both in parts of the jaw's size, so that noise of the landmarks counts alike in short and long distances.
    """

    def lengths(pairs: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=2)

    size = np.maximum(lengths(_OUTER_PAIRS).mean(axis=1, keepdims=True), 1e-6)  # nearer or farther: all grow alike

    def variation(pairs: np.ndarray) -> float:
        left = beside_pose(lengths(pairs) / size, head)
        return float(np.median(np.abs(left), axis=0).mean()) + _LEAST_STRETCH

    return float(np.log2(variation(_INNER_PAIRS) / variation(_OUTER_PAIRS)))


def shake(inner: Pose, outer: Pose) -> float:
    """log2 of the second difference of the inner face's pose over that of the jaw's, yaw and pitch together."""

    def tremble(head: Pose) -> float:
        bends = [np.median(np.abs(np.diff(angle, 2))) for angle in (head.yaw, head.pitch)]
        return float(np.hypot(*bends)) + _LEAST_TURN

    return float(np.log2(tremble(inner) / tremble(outer)))


def _figure(times: np.ndarray, sway: np.ndarray, high: float | None) -> Figure:
    return Figure(
        title="How far eyes and nose turn against the jaw",
        y_label="degrees",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) for v in sway],
        levels={"1 in 20 genuine moments above": round(high, 3)} if high is not None else {},
    )
