"""One pair's known answer in memory, and every figure by which a made clip is compared with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.actors.take import truth_path
from likeness.actors.truth import Truth
from likeness.bench.metrics import psnr, ssim
from likeness.bench.nearest_frame import NearestFrame, box_around, face_frames, main_face, mean_shape_of, upright
from likeness.bench.perceptual import IDENTITY_FEATURES, IMAGENET_FEATURES, FeatureDistance
from likeness.bench.takes import PairClips
from likeness.bench.temporal import flicker, jitter
from likeness.errors import BadMediaError
from likeness.faces.align import aligned_crop
from likeness.faces.face import JAW, OUTER_EYE_CORNERS
from likeness.faces.faceset import FaceSet
from likeness.faces.hull import hull_mask
from likeness.faces.identity import Recogniser, mean_embedding
from likeness.faces.pose import pose_of
from likeness.faces.tracker import Tracker
from likeness.media.clip import Frame, open_clip

PSNR_CEILING = 100.0  # dB, of pictures that are equal
_CROP = 168  # pixels, side of the crops that the recogniser sees
_POSE_RANGE_DEG = 3.0  # spread of poses in a clip from which the estimate's linear part is learnt rather than kept
_MOST_EMBEDDED = 64  # faces of a set, evenly over it


@dataclass(frozen=True)
class Figure:
    """One column of the benchmark: ``better`` says which way, ``digits`` how finely it is printed."""

    name: str
    title: str
    better: int  # +1 more is better, −1 less is
    digits: int


FIGURES = (
    Figure("psnr", "PSNR dB", +1, 2),
    Figure("ssim", "SSIM", +1, 3),
    Figure("identity_features", IDENTITY_FEATURES, -1, 3),
    Figure("imagenet_features", IMAGENET_FEATURES, -1, 3),
    Figure("identity_answer", "identity: to the answer", +1, 3),
    Figure("identity_b", "to B's training faces", +1, 3),
    Figure("identity_a", "to A's", -1, 3),
    Figure("pose", "pose error °", -1, 2),
    Figure("expression", "expression error %", -1, 2),
    Figure("flicker", "flicker", -1, 2),
    Figure("jitter", "jitter %", -1, 2),
)


@dataclass(frozen=True, eq=False)
class KnownAnswer:
    """``unchanged`` A's held-out clip and ``answer`` B giving it, uint8 (T, h, w, 3); ``truth`` is the answer's, exact.

    ``face_a`` and ``face_b`` float32 (d,) are what the recogniser makes of the training faces; ``pose_fit`` (3, 4) is
    how poses estimated from B's landmarks are read (`pose_fit_of`).
    """

    unchanged: np.ndarray
    answer: np.ndarray
    truth: Truth
    face_a: np.ndarray
    face_b: np.ndarray
    pose_fit: np.ndarray

    @classmethod
    def load(cls, clips: PairClips, faces_a: Path, faces_b: Path, recogniser: Recogniser) -> "KnownAnswer":
        """Read the pair's clips. Raises BadMediaError where they do not belong together."""
        unchanged, answer = (images_of(open_clip(path).frames()) for path in (clips.heldout, clips.answer))
        truth = Truth.load(truth_path(clips.answer))
        if unchanged.shape != answer.shape or len(truth) != len(answer):
            raise BadMediaError(f"{clips.heldout} and {clips.answer} are not one take. Film them anew.")
        shown_a, shown_b = FaceSet.load(faces_a), FaceSet.load(faces_b)
        heads = Truth.load(truth_path(clips.training_b)).head[shown_b.rows.column("frame").to_numpy()]
        fit = pose_fit_of(shown_b.landmarks, heads)
        face_a, face_b = (_embedding_of(faces, recogniser) for faces in (shown_a, shown_b))
        return cls(unchanged, answer, truth, face_a, face_b, fit)

    def nearest_frame(self, clips: PairClips) -> np.ndarray:
        """The swap one gets without learning, uint8 (T, h, w, 3): B's nearest frame laid over A by a similarity."""
        nearest = NearestFrame(face_frames(open_clip(clips.training_b)), mean_shape_of(open_clip(clips.heldout)))
        laid = [
            image.copy() if np.isnan(points).any() else nearest.lay_over(image, points, "similarity")
            for image, points in zip(self.unchanged, found_landmarks(self.unchanged, self.frame_rate), strict=True)
        ]
        return np.stack(laid)

    @property
    def frame_rate(self) -> float:
        return float(self.truth.frame_rate)


class Judge:
    """Takes every figure of a clip; what it needs for that is loaded once."""

    def __init__(self, recogniser: Recogniser, distances: dict[str, FeatureDistance]) -> None:
        self._recogniser = recogniser
        self._distances = distances

    def __call__(self, images: np.ndarray, known: KnownAnswer) -> dict[str, np.ndarray]:
        """Figures float64 (T,) of ``images`` uint8 (T, h, w, 3) by the names of FIGURES; nan where one cannot be taken,
        as where no face is found in the picture."""
        exact = known.truth.landmarks
        found = found_landmarks(images, known.frame_rate)
        figures = pixel_figures(images, known.answer, exact)
        for name, column in ((IDENTITY_FEATURES, "identity_features"), (IMAGENET_FEATURES, "imagenet_features")):
            if name in self._distances:
                figures[column] = self._distances[name](images, known.answer, exact)
        figures |= self._identity_figures(images, found, known)
        figures["pose"] = pose_error(found, known.truth.head, known.pose_fit)
        figures["expression"] = expression_error(found, exact)
        figures["flicker"] = flicker(images, known.answer, exact)
        figures["jitter"] = jitter(found, exact)
        return figures

    def _identity_figures(self, images: np.ndarray, found: np.ndarray, known: KnownAnswer) -> dict[str, np.ndarray]:
        """Cosines of each frame's embedding to that of the answer's frame and to the two people's."""
        seen = np.flatnonzero(np.isfinite(found).all(axis=(1, 2)))
        figures = {name: np.full(len(images), np.nan) for name in ("identity_answer", "identity_b", "identity_a")}
        if not len(seen):
            return figures
        own = self._recogniser.embed(_crops(images[seen], found[seen]))
        answer = self._recogniser.embed(_crops(known.answer[seen], known.truth.landmarks[seen]))
        figures["identity_answer"][seen] = (own * answer).sum(axis=1)
        figures["identity_b"][seen] = own @ known.face_b
        figures["identity_a"][seen] = own @ known.face_a
        return figures


def pose_fit_of(landmarks: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """The affine map (3, 4) from yaw, pitch and roll as `pose_of` estimates them to the true ones of this person.

    The estimate assumes a mean face, so it errs by degrees that depend on the person and little on the frame. Fitted to
    the ``landmarks`` (n, 68, 2) found in a training clip and its true ``heads`` (n, 3), by least squares that hold the
    linear part near the identity as far as the clip's range of poses says little about it (ridge).
    """
    estimates, heads = np.array([pose_of(points) for points in landmarks]), heads.astype(np.float64)
    centre, middle = estimates.mean(axis=0), heads.mean(axis=0)
    apart, wanted = estimates - centre, heads - middle
    ridge = len(estimates) * _POSE_RANGE_DEG**2 * np.eye(3)
    linear = np.eye(3) + np.linalg.solve(apart.T @ apart + ridge, apart.T @ (wanted - apart)).T
    return np.column_stack([linear, middle - linear @ centre])


def pose_error(found: np.ndarray, head: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """‖(yaw, pitch, roll) − truth‖ in degrees, float64 (T,), for landmarks ``found`` (T, 68, 2) and ``head`` (T, 3).

    As swaps are compared in the literature, but with exact angles for truth, and with the estimate read by ``fit``
    (3, 4) as that of the person who is to be seen. nan where no face was found.
    """
    figures = np.full(len(found), np.nan)
    for index, points in enumerate(found):
        if np.isfinite(points).all():
            figures[index] = np.linalg.norm(fit @ (*pose_of(points), 1.0) - head[index])
    return figures


def expression_error(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far brows, eyes, nose and mouth move otherwise than the answer's: float64 (T,), % of the outer-eye distance.

    Both clips' landmarks (T, 68, 2) are brought upright by a similarity, and of each its own mean over the clip is
    taken away, so that who it is and the finder's constant bias do not count; the figure is the mean distance of the 51
    inner points. A frozen face has the whole of the expressions as its error. nan where no face was found.
    """
    figures = np.full(len(found), np.nan)
    seen = np.isfinite(found).all(axis=(1, 2))
    if not seen.any():
        return figures
    inner = slice(JAW.stop, None)
    own, truth = (np.stack([upright(points)[inner] for points in clip[seen]]) for clip in (found, exact))
    apart = np.linalg.norm((own - own.mean(axis=0)) - (truth - truth.mean(axis=0)), axis=2).mean(axis=1)
    right, left = (corner - JAW.stop for corner in OUTER_EYE_CORNERS)
    figures[seen] = 100 * apart / np.linalg.norm(truth[:, left] - truth[:, right], axis=1)
    return figures


def found_landmarks(images: np.ndarray, frame_rate: float) -> np.ndarray:
    """What our tracker finds of the main face: float64 (T, 68, 2) pixels, nan where it finds none."""
    tracker, landmarks = Tracker(), np.full((len(images), 68, 2), np.nan)
    for index, image in enumerate(images):
        face = main_face(tracker.update(Frame(image, index / frame_rate, index)))
        if face is not None:
            landmarks[index] = face.landmarks
    return landmarks


def images_of(frames: Iterable[Frame]) -> np.ndarray:
    """The pictures of ``frames``: uint8 (T, h, w, 3)."""
    return np.stack([frame.image for frame in frames])


def pixel_figures(images: np.ndarray, answer: np.ndarray, exact: np.ndarray) -> dict[str, np.ndarray]:
    """PSNR and SSIM inside the hull of the ``exact`` landmarks."""
    figures = {"psnr": np.full(len(images), np.nan), "ssim": np.full(len(images), np.nan)}
    for index, (image, truth, points) in enumerate(zip(images, answer, exact, strict=True)):
        mask = hull_mask(points, image.shape[:2])
        x0, y0, x1, y1 = box_around(points, image.shape)
        face = np.s_[y0:y1, x0:x1]
        if mask[face].sum() >= 1:
            figures["psnr"][index] = min(psnr(image[face], truth[face], mask[face]), PSNR_CEILING)
            figures["ssim"][index] = ssim(image[face], truth[face], mask[face])
    return figures


def _embedding_of(faces: FaceSet, recogniser: Recogniser) -> np.ndarray:
    """Who ``faces`` show: float32 (d,)."""
    crops = faces.crops(_CROP)
    chosen = np.linspace(0, len(crops) - 1, min(_MOST_EMBEDDED, len(crops))).round().astype(int)
    return mean_embedding(recogniser.embed(crops[chosen]))


def _crops(images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return np.stack([aligned_crop(*frame, _CROP) for frame in zip(images, landmarks, strict=True)])
