"""Exact ground truth of a filmed take, stored small: a 10 s clip's truth takes a few hundred kB."""

import json
import zipfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from likeness.actors.performance import Performance
from likeness.actors.person import Person
from likeness.actors.scene import Light, Scene
from likeness.actors.shot import Part, Shot
from likeness.errors import BadMediaError
from likeness.files import atomic_write

PARTS_SIZE = 128  # pixels; part masks are stored no larger than this
_LANDMARK_STEP = 1 / 32  # pixels; far below what any landmark finder resolves, and int16 then reaches ±1023 px
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Truth:
    """What is exactly true of T frames of one actor.

    ``landmarks`` float32 (T, 68, 2) iBUG order, pixels of the frame, to 1/64 px; ``landmark_visible`` bool (T, 68);
    ``expression`` float32 (T, 57), ``gaze`` (T, 2) and ``head`` (T, 3) degrees, ``shift`` (T, 3) cm, ``blink`` (T,) 0
    open … 1 closed, to half precision; ``viseme`` int8 (T,); ``parts`` uint8 (T, h, w) labels of `Part`, at most 128 px
    wide; ``lights`` float32 (3, 6): key, fill and rim, each unit vector towards the light and linear RGB; ``ambient``
    float32 (2, 3) linear RGB from above and below; ``size`` width and height of the frames.
    """

    actor: str
    frame_rate: Fraction
    size: tuple[int, int]
    times_s: np.ndarray
    landmarks: np.ndarray
    landmark_visible: np.ndarray
    expression: np.ndarray
    gaze: np.ndarray
    head: np.ndarray
    shift: np.ndarray
    blink: np.ndarray
    viseme: np.ndarray
    parts: np.ndarray
    lights: np.ndarray
    ambient: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)

    def part_mask(self, index: int, *labels: Part) -> np.ndarray:
        """Where frame ``index`` shows one of ``labels``: float32 (height, width) in [0, 1], at the frame's size."""
        mask = np.isin(self.parts[index], labels).astype(np.float32)
        return np.clip(cv2.resize(mask, self.size, interpolation=cv2.INTER_LINEAR), 0.0, 1.0)

    def save(self, path: Path) -> None:
        """Write as .npz, atomically; raises StorageError."""
        about = {"version": _VERSION, "actor": self.actor, "frame_rate": str(self.frame_rate), "size": self.size}
        half = {name: getattr(self, name).astype(np.float16) for name in _HALF_PRECISION}
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                about=np.array(json.dumps(about)),
                times_s=self.times_s,
                landmarks=np.round(self.landmarks / _LANDMARK_STEP).clip(-32768, 32767).astype(np.int16),
                landmark_visible=np.packbits(self.landmark_visible, axis=1),
                viseme=self.viseme,
                parts=self.parts,
                lights=self.lights,
                ambient=self.ambient,
                **half,
            )

    @classmethod
    def load(cls, path: Path) -> "Truth":
        """Read what `save` wrote; raises BadMediaError where the file is missing, damaged or something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            about = json.loads(str(arrays.pop("about")))
            return cls(
                actor=about["actor"],
                frame_rate=Fraction(about["frame_rate"]),
                size=tuple(about["size"]),
                landmarks=arrays.pop("landmarks").astype(np.float32) * _LANDMARK_STEP,
                landmark_visible=np.unpackbits(arrays.pop("landmark_visible"), axis=1, count=68).astype(bool),
                **{name: arrays.pop(name).astype(np.float32) for name in _HALF_PRECISION},
                **arrays,
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            message = f"{path} is not the ground truth of a take, or it is damaged. Film it again with `likeness cast`."
            raise BadMediaError(message) from error


_HALF_PRECISION = ("expression", "gaze", "head", "shift", "blink")


@dataclass
class TruthRecorder:
    """Gathers the truth while a take is being filmed, one shot after the other."""

    actor: Person
    scene: Scene
    performance: Performance
    size: tuple[int, int]
    _landmarks: list[np.ndarray] = field(default_factory=list)
    _visible: list[np.ndarray] = field(default_factory=list)
    _parts: list[np.ndarray] = field(default_factory=list)

    def add(self, shot: Shot) -> None:
        """Keep what the next frame's shot shows."""
        scale = min(1.0, PARTS_SIZE / max(self.size))
        small = (round(self.size[0] * scale), round(self.size[1] * scale))
        self._landmarks.append(shot.landmarks)
        self._visible.append(shot.landmark_visible)
        self._parts.append(cv2.resize(shot.parts, small, interpolation=cv2.INTER_NEAREST))

    def truth(self) -> Truth:
        """The truth of the frames added so far."""
        count, performed, scene = len(self._landmarks), self.performance, self.scene
        return Truth(
            actor=self.actor.name,
            frame_rate=performed.frame_rate,
            size=self.size,
            times_s=performed.times_s[:count],
            landmarks=np.stack(self._landmarks).astype(np.float32),
            landmark_visible=np.stack(self._visible).astype(bool),
            expression=performed.expression[:count],
            gaze=performed.gaze[:count],
            head=performed.head[:count],
            shift=performed.shift[:count],
            blink=performed.blink[:count],
            viseme=performed.viseme[:count],
            parts=np.stack(self._parts),
            lights=np.stack([_light_row(light) for light in (scene.key, scene.fill, scene.rim)]),
            ambient=np.array([scene.sky, scene.ground], np.float32),
        )


def _light_row(light: Light) -> np.ndarray:
    return np.concatenate([light.direction, light.colour]).astype(np.float32)
