"""Is the face sharp in the same way, and of the same colour, as what surrounds it?"""

from dataclasses import dataclass

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration, Feature, shipped
from likeness.detect.sightings import Sighting, sightings, spans_above, spread
from likeness.examiner import Examiner, Figure, Finding, abstention
from likeness.faces.face import Face, Track
from likeness.faces.hull import face_outline, hull_mask
from likeness.media.clip import Clip

_LEAST_SHARE_WITH_STEP = 0.25  # of the frames must show skin on both sides of the edge


@dataclass(frozen=True)
class SeamSettings:
    """Where to measure. Lengths named ``…_part`` are parts of the distance between the outer eye corners."""

    narrowest_px: float = 80.0
    largest_yaw: float = 40.0  # degrees: beyond, one edge of the hull is hidden
    least_frames: int = 8
    most_frames: int = 48
    core_part: float = 0.12  # how far inside the hull's edge the face proper begins
    ring_part: float = 0.60  # how far outside the hull the surroundings reach
    guard_part: float = 0.12  # left out just outside the edge: it may already be blended
    step_part: float = 0.10  # half the length of the colour step
    edge_points: int = 72
    least_skin_points: int = 14
    skin_distance: float = 16.0  # CIE Lab: what lies outside counts as skin up to this far from what lies inside
    least_fine_energy: float = 0.35  # grey levels: below, compression or blur has left nothing to compare
    forehead: float = 0.0


@dataclass(frozen=True)
class SeamMeasure:
    """One face in one frame.

    ``softness``: log2 of how many times less fine detail (against coarse) the face has than its surroundings.
    ``step``: CIE Lab units by which the colour changes across the hull's edge beyond its change beside the edge; None
    where too little skin lies outside. ``fine_energy``: fine detail of the surroundings in grey levels.
    """

    time_s: float
    softness: float
    step: float | None
    fine_energy: float


class Seam(Examiner):
    """A swapped face is drawn at its own resolution and blended in: it can be softer or sharper than its surroundings,
    or of another colour.

    Softness compares Laplacian energy at one and at two pixels, inside and around the face (compare Matern et al. 2019,
    Exploiting Visual Artifacts); the colour step follows the edge of the landmarks' hull in CIE Lab (compare Li et al.
    2020, Face X-ray). Abstains on faces narrower than 80 px, on too few frames, and where compression or blur has
    removed fine detail everywhere.
    """

    name = "seam"

    def __init__(self, settings: SeamSettings | None = None, calibration: CueCalibration | None = None) -> None:
        self.settings = settings or SeamSettings()
        self.calibration = calibration or shipped(self.name)

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """One finding for each track."""
        if not tracks:
            return [abstention(self.name, "No face was found, so there is no edge to look at.")]
        reasons = {track.id: self.reason_to_abstain(clip, track) for track in tracks}
        measures = self.measure(clip, [track for track in tracks if not reasons[track.id]])
        return [self._finding(track.id, reasons[track.id], measures.get(track.id, [])) for track in tracks]

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        """Why this track cannot be measured, before any frame is decoded; None where it can."""
        if clip.kind != "video":
            return "This examiner is calibrated on moving footage only, so it does not judge a single picture."
        faces = self._usable(track)
        if len(faces) < self.settings.least_frames:
            return (
                f"Only {len(faces)} frames show the face at least {self.settings.narrowest_px:.0f} px wide and turned "
                f"less than {self.settings.largest_yaw:.0f}°; its edge needs {self.settings.least_frames}."
            )
        return None

    def measure(self, clip: Clip, tracks: list[Track]) -> dict[int, list[SeamMeasure]]:
        """Measure each track in at most ``most_frames`` of its frames; by track number."""
        wanted = [(t.id, face) for t in tracks for face in spread(self._usable(t), self.settings.most_frames)]
        measures: dict[int, list[SeamMeasure]] = {track.id: [] for track in tracks}
        for sighting in sightings(clip, wanted):
            measured = measure_seam(sighting, self.settings)
            if measured is not None:
                measures[sighting.track].append(measured)
        return measures

    def _usable(self, track: Track) -> list[Face]:
        settings = self.settings
        return [f for f in track.faces if f.width >= settings.narrowest_px and abs(f.yaw) <= settings.largest_yaw]

    def _finding(self, track: int, reason: str | None, measures: list[SeamMeasure]) -> Finding:
        reason = reason or self.reason_unmeasurable(measures)
        if reason:
            return abstention(self.name, reason, track)
        values = summary(measures)
        calibration = self.calibration
        times = np.array([m.time_s for m in measures])
        softness = np.array([m.softness for m in measures])
        high = calibration.features["softness"].frame_high
        shortest = 2 * float(np.median(np.diff(times)))
        spans = [] if high is None else spans_above(times, softness, high, shortest)
        return Finding(
            examiner=self.name,
            text=_sentence(values, calibration.features, spans),
            llr=round(calibration.llr(values), 3),
            track=track,
            spans=[(round(start, 3), round(end, 3)) for start, end in spans],
            figure=_figure(times, softness, high),
            details={**{name: round(value, 3) for name, value in values.items()}, "frames": len(measures)},
        )

    def reason_unmeasurable(self, measures: list[SeamMeasure]) -> str | None:
        """Why the measured frames say nothing; None where they do."""
        if len(measures) < self.settings.least_frames:
            return "Too little of the face's surroundings is inside the picture to compare the face with."
        if float(np.median([m.fine_energy for m in measures])) < self.settings.least_fine_energy:
            return (
                "Compression or blur has removed fine detail from the whole picture: the face cannot stand out by it."
            )
        return None


def summary(measures: list[SeamMeasure]) -> dict[str, float]:
    """The features of one track: the median softness and, where skin lies outside often enough, the median step."""
    values = {"softness": float(np.median([m.softness for m in measures]))}
    steps = [m.step for m in measures if m.step is not None]
    if len(steps) >= len(measures) * _LEAST_SHARE_WITH_STEP:
        values["step"] = float(np.median(steps))
    return values


def measure_seam(sighting: Sighting, settings: SeamSettings) -> SeamMeasure | None:
    """Measure one face in one frame; None where its surroundings lie outside the picture."""
    eye = sighting.face.eye_distance
    image, landmarks = _around(sighting.frame.image, sighting.face, (settings.ring_part + 0.1) * eye)
    inside = hull_mask(landmarks, image.shape[:2], settings.forehead) >= 0.5
    depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    height = cv2.distanceTransform(np.pad((~inside).astype(np.uint8), 1, constant_values=1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    core = depth >= settings.core_part * eye
    ring = (height >= settings.guard_part * eye) & (height <= settings.ring_part * eye)
    if core.sum() < 100 or ring.sum() < core.sum() / 2:
        return None
    fine, coarse = detail(image)
    ratio = np.log2(fine / coarse)
    return SeamMeasure(
        time_s=sighting.frame.time_s,
        softness=float(ratio[ring].mean() - ratio[core].mean()),
        step=colour_step(image, face_outline(landmarks, settings.forehead), eye, settings),
        fine_energy=float(np.sqrt((fine[ring] ** 2).mean())),
    )


def detail(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local Laplacian amplitude (h, w) of ``image`` (uint8 RGB) at one pixel and at two, in grey levels (never 0)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    amplitudes = []
    for sigma in (0.0, 1.6):
        base = cv2.GaussianBlur(grey, (0, 0), sigma) if sigma else grey
        energy = cv2.boxFilter(cv2.Laplacian(base, cv2.CV_32F) ** 2, -1, (7, 7))
        amplitudes.append(np.sqrt(energy + 0.05))
    return amplitudes[0], amplitudes[1]


def colour_step(image: np.ndarray, outline: np.ndarray, eye: float, settings: SeamSettings) -> float | None:
    """How much the colour changes across ``outline`` (n, 2), as one shift shared by the skin along it, beyond the usual
    shading.

    At each point of the outline Lab is read at four places along the normal, evenly spaced from inside to outside. The
    middle difference spans the edge, the outer two lie beside it; hair and background are left out by their distance
    from the skin.
    """
    points, normals = _along(outline, settings.edge_points)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), max(0.03 * eye, 0.8))
    offsets = settings.step_part * eye * np.array([-3.0, -1.0, 1.0, 3.0])
    places = points[None] + offsets[:, None, None] * normals[None]
    height, width = image.shape[:2]
    visible = ((places >= 0) & (places <= [width - 1, height - 1])).all(axis=(0, 2))
    read = cv2.remap(lab, places[..., 0].astype(np.float32), places[..., 1].astype(np.float32), cv2.INTER_LINEAR)
    skin = visible & (np.linalg.norm(read[3] - read[0], axis=-1) <= settings.skin_distance)
    if skin.sum() < settings.least_skin_points:
        return None
    read = read[:, skin]
    across = np.median(read[2] - read[1], axis=0)
    beside = np.median((read[1] - read[0] + read[3] - read[2]) / 2, axis=0)
    return float(np.linalg.norm(across) - np.linalg.norm(beside))


def _around(image: np.ndarray, face: Face, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of ``image`` within ``margin`` pixels of the face, and the landmarks in it."""
    height, width = image.shape[:2]
    x0, y0 = (max(int(v - margin), 0) for v in face.box[:2])
    x1, y1 = min(int(face.box[2] + margin), width), min(int(face.box[3] + margin), height)
    return np.ascontiguousarray(image[y0:y1, x0:x1]), face.landmarks - np.array([x0, y0], np.float32)


def _along(outline: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` points evenly along the closed ``outline`` (n, 2), and their outward unit normals."""
    closed = np.vstack([outline, outline[:1]]).astype(np.float64)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    places = np.linspace(0, lengths[-1], count, endpoint=False)
    points = np.column_stack([np.interp(places, lengths, closed[:, i]) for i in (0, 1)])
    tangents = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normals = np.column_stack([tangents[:, 1], -tangents[:, 0]])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    outward = np.sign(((points - points.mean(0)) * normals).sum(1, keepdims=True))
    return points, normals * np.where(outward == 0, 1, outward)


def _sentence(values: dict[str, float], features: dict[str, Feature], spans: list[tuple[float, float]]) -> str:
    softness = values["softness"]
    text = (
        f"The face is {'softer' if softness > 0 else 'sharper'} than its surroundings by a factor of "
        f"{2 ** abs(softness):.2f} (as soft or softer: {features['softness'].rarity(softness)})."
    )
    if spans:
        text += " It stands out " + ", ".join(f"from {start:.1f} to {end:.1f} s" for start, end in spans) + "."
    if "step" not in values:
        return text
    return (
        f"{text} Across its edge the skin changes colour by {max(values['step'], 0):.1f} Lab units more than beside it "
        f"(as much or more: {features['step'].rarity(values['step'])})."
    )


def _figure(times: np.ndarray, softness: np.ndarray, high: float | None) -> Figure:
    levels = {"equally sharp": 0.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title="How much softer the face is than its surroundings",
        y_label="softness (log2)",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) for v in softness],
        levels=levels,
    )
