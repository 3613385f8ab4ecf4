"""Genuine footage to learn from, as bursts, split by person: portraits, filmed pairs and people who sign.

Talking heads (GRID) and the cast are never among what networks learn from: whole kinds of footage and of manipulation
are kept out, to choose designs on (half of GRID's speakers) and to report (the others).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from likeness.faces.face import Face
from likeness.faces.tracker import track_faces
from likeness.media.clip import open_clip
from training.detectors.burst import Burst
from training.detectors.manipulate import Donor
from training.detectors.recordings import genuine_clips
from training.face_landmarks.data import LabelledFaces, load_portraits

Split = Literal["train", "validation"]
FRAMES = 10  # of a burst before any is dropped
_CANVAS = 320  # side of the picture in which a portrait moves
_EVERY = 10  # one pair of filmed people in so many is for validation
_AROUND = 1.1  # half the side of the square around a face that is cut out of a clip, in widths of the face


@dataclass(frozen=True, eq=False)
class Sources:
    """Bursts of the people of one split. ``portraits`` are stills; ``pairs`` the files of filmed pairs; ``clips`` cut
    out of clips."""

    portraits: LabelledFaces
    pairs: list[Path]
    clips: list[Burst]

    def draw(self, rng: np.random.Generator) -> tuple[Burst, Donor]:
        """A burst of ``FRAMES`` frames, and somebody else whose face may be laid in it."""
        which = rng.random()
        if which < 0.4:
            return self._portrait(rng, moving=True), Donor(self._portrait(rng, moving=False), answers=False)
        if which < 0.65 or not self.clips:
            return self._pair(rng)
        clip = self.clips[int(rng.integers(len(self.clips)))]
        start = int(rng.integers(len(clip) - FRAMES + 1))
        return clip.taken(slice(start, start + FRAMES)), self._donor_for(clip, rng)

    def _donor_for(self, burst: Burst, rng: np.random.Generator) -> Donor:
        others = [clip for clip in self.clips if clip.person != burst.person]
        if others and rng.random() < 0.4:
            other = others[int(rng.integers(len(others)))]
            return Donor(other.taken(slice(0, FRAMES)), answers=False)
        return Donor(self._portrait(rng, moving=False), answers=False)

    def _pair(self, rng: np.random.Generator) -> tuple[Burst, Donor]:
        images, landmarks, people = self._stored(self.pairs[int(rng.integers(len(self.pairs)))])
        who, take = int(rng.integers(2)), int(rng.integers(images.shape[1]))
        start = int(rng.integers(images.shape[2] - FRAMES + 1))
        rows = slice(start, start + FRAMES)
        shown, answer = (
            Burst(images[one, take, rows], landmarks[one, take, rows], f"actor {people[one]}", "actors")
            for one in (who, 1 - who)
        )
        if rng.random() < 0.7:
            return shown, Donor(answer, answers=True)
        return shown, Donor(self._portrait(rng, moving=False), answers=False)

    @cached_property
    def _cache(self) -> dict[Path, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return {}

    def _stored(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if path not in self._cache:
            stored = np.load(path)
            self._cache[path] = stored["images"], stored["landmarks"], stored["people"]
        return self._cache[path]

    def _portrait(self, rng: np.random.Generator, moving: bool) -> Burst:
        row = int(rng.integers(len(self.portraits.images)))
        image, points = self.portraits.images[row], self.portraits.landmarks[row]
        if rng.random() < 0.5:
            image, points = mirrored(image, points)
        still = Burst(image[None], points[None], self.portraits.names[row], "portraits")
        return moved_about(still, rng) if moving else still


def load_sources(data: Path, pairs: Path, split: Split) -> Sources:
    """The sources of ``split``. Raises MissingDataError where the data folder lacks them."""
    films = sorted(pairs.glob("pair_*.npz"))
    held = [path for path in films if int(path.stem.removeprefix("pair_")) % _EVERY == _EVERY - 1]
    clips = [
        burst
        for clip in genuine_clips(data)
        if clip.population == "signing" and clip.part == "calibrate" and split == "train"
        for burst in bursts_of(clip.path, clip.person, "signing")
    ]
    chosen = held if split == "validation" else [path for path in films if path not in held]
    return Sources(load_portraits(data, split), chosen, clips)


def bursts_of(path: Path, person: str, kind: str, longest: int = 60) -> list[Burst]:
    """The largest face of the clip ``path``, cut out of runs of at most ``longest`` consecutive frames."""
    clip = open_clip(path)
    track = max(track_faces(clip), key=lambda one: len(one.faces), default=None)
    if track is None:
        return []
    seen = {face.frame: face for face in track.faces}
    bursts, run = list[Burst](), list[tuple[np.ndarray, Face]]()
    for frame in clip.frames():
        face = seen.get(frame.index)
        if face is not None:
            run.append((frame.image, face))
        if run and (face is None or len(run) == longest):
            bursts += [_cut_out(run, person, kind)] if len(run) >= FRAMES else []
            run = []
    return bursts + ([_cut_out(run, person, kind)] if len(run) >= FRAMES else [])


def _cut_out(run: list[tuple[np.ndarray, Face]], person: str, kind: str) -> Burst:
    landmarks = np.stack([face.landmarks for _, face in run])
    low, high = landmarks.min(axis=(0, 1)), landmarks.max(axis=(0, 1))
    width = float(np.median([face.width for _, face in run]))
    margin = (_AROUND - 0.5) * width
    height, full = run[0][0].shape[:2]
    x0, y0 = (max(int(v), 0) // 2 * 2 for v in low - margin)
    x1, y1 = min(int(high[0] + margin), full) // 2 * 2, min(int(high[1] + margin), height) // 2 * 2
    frames = np.stack([image[y0:y1, x0:x1] for image, _ in run])
    return Burst(frames, (landmarks - [x0, y0]).astype(np.float32), person, kind)


def mirrored(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its landmarks (68, 2) in the mirror."""
    from likeness.faces.align import MIRROR

    turned = points[MIRROR].copy()
    turned[:, 0] = image.shape[1] - 1 - turned[:, 0]
    return np.ascontiguousarray(image[:, ::-1]), turned


def moved_about(still: Burst, rng: np.random.Generator) -> Burst:
    """A still as if somebody held it before a camera: a smooth path of shifts, turns and distances, drawn at random,
    and a slow bending, in a picture of 320 px."""
    width = float(np.exp(rng.uniform(np.log(90), np.log(190))))
    factor = min(width / still.face_px, 1.0)
    middle = still.landmarks[0].mean(0)
    steps = rng.normal(0, [1.2, 1.2, 0.4, 0.003], (FRAMES + 4, 4)) * rng.uniform(0, 2)
    path = np.cumsum(np.apply_along_axis(lambda line: np.convolve(line, np.ones(5) / 5, "valid"), 0, steps), axis=0)
    matrices = []
    for x, y, turn, closer in path:
        matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), float(turn), factor * (1 + closer))
        matrix[:, 2] += _CANVAS / 2 - middle + [x, y]
        matrices.append(matrix)
    many = Burst(
        np.repeat(still.frames, FRAMES, 0), np.repeat(still.landmarks, FRAMES, 0), still.person, still.kind
    )  # fmt: skip
    return bent(many.seen_through(np.stack(matrices), (_CANVAS, _CANVAS)), rng)


def bent(burst: Burst, rng: np.random.Generator) -> Burst:
    """``burst`` with a smooth, slowly growing displacement of a few pixels: faces are not boards."""
    height, width = burst.frames.shape[1:3]
    field = cv2.resize(rng.normal(0, 1, (5, 5, 2)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    amount = rng.uniform(0, 2.5) * np.sin(np.linspace(0, rng.uniform(0.3, 2.5), len(burst)) + rng.uniform(0, 6.3))
    frames, landmarks = [], []
    for frame, points, strength in zip(burst.frames, burst.landmarks, amount, strict=True):
        places = grid + np.float32(strength) * field
        frames.append(cv2.remap(frame, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
        rows, columns = (
            points[:, axis].round().astype(int).clip(0, side - 1) for axis, side in ((1, height), (0, width))
        )
        landmarks.append(points - strength * field[rows, columns])
    return Burst(np.stack(frames), np.array(landmarks, np.float32), burst.person, burst.kind)
