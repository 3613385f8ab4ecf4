"""What a swap leaves behind, without a swap: the same face, redrawn in every frame and blended back.

After self-blended images (Shiohara & Yamasaki 2022) with the time axis added: a network draws each frame at its own
resolution, slightly smoothed, a little off in colour and in place, and lays it back with a soft mask. Nobody becomes
anybody else. It stands in for real swaps until there are enough of them, and it is milder or stronger than they are in
ways nobody knows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import cv2
import numpy as np

from likeness.faces.align import alignment, warp
from likeness.faces.face import Track
from likeness.faces.hull import hull_mask
from likeness.make.blend import membrane, paste, soft_mask
from likeness.media.clip import Clip, Frame

_SAME_TIME_S = 1e-3


@dataclass(frozen=True)
class RedrawSettings:
    """One way of redrawing, the same throughout a clip except for what trembles.

    ``size`` pixels of the working crop; ``blur`` its smoothing, ``feather`` its soft edge and ``tremble`` the
    misplacement from frame to frame, all in crop pixels; ``shift`` the constant colour error in CIE Lab; ``flicker``
    its change from frame to frame.
    """

    size: int
    blur: float
    feather: float
    tremble: float
    shift: tuple[float, float, float]
    flicker: float
    poisson: bool
    seed: int


def drawn_settings(seed: int) -> RedrawSettings:
    """A way of redrawing, drawn at random over what published swap programs do (64 to 192 px, hull masks, Poisson or
    feathered).
    """
    rng = np.random.default_rng(seed)
    size = int(rng.choice([64, 96, 128, 160, 192]))
    shift = rng.normal(0, [6.0, 3.0, 3.0]) * rng.uniform(0, 1)
    return RedrawSettings(
        size=size,
        blur=float(10 ** rng.uniform(-0.7, 0.4)),
        feather=float(rng.uniform(0.03, 0.08)) * size,
        tremble=float(rng.uniform(0.0005, 0.004)) * size,
        shift=(float(shift[0]), float(shift[1]), float(shift[2])),
        flicker=float(10 ** rng.uniform(-2.0, -0.7)),
        poisson=bool(rng.random() < 0.4),
        seed=seed,
    )


@dataclass(frozen=True)
class RedrawnClip(Clip):
    """``original`` with the faces of ``track`` redrawn; streams like any clip, and is never written anywhere."""

    track: Track | None = None
    settings: RedrawSettings | None = None

    def frames(self, start_s: float = 0.0, end_s: float | None = None) -> Iterator[Frame]:
        """As ``Clip.frames``."""
        track, settings = self.track or Track(0), self.settings or drawn_settings(0)
        waiting = iter(track.faces)
        face = next(waiting, None)
        for frame in super().frames(start_s, end_s):
            while face is not None and face.time_s < frame.time_s - _SAME_TIME_S:
                face = next(waiting, None)
            if face is None or face.time_s > frame.time_s + _SAME_TIME_S:
                yield frame
            else:
                yield Frame(redraw(frame.image, face.landmarks, frame.index, settings), frame.time_s, frame.index)


@dataclass(frozen=True)
class RecompressedClip(Clip):
    """A clip whose frames went through JPEG at ``quality`` (1–100) once more."""

    quality: int = 80

    def frames(self, start_s: float = 0.0, end_s: float | None = None) -> Iterator[Frame]:
        """As ``Clip.frames``."""
        for frame in super().frames(start_s, end_s):
            yield Frame(recompress(frame.image, self.quality), frame.time_s, frame.index)


def redraw(image: np.ndarray, landmarks: np.ndarray, index: int, settings: RedrawSettings) -> np.ndarray:
    """``image`` uint8 RGB with the face at ``landmarks`` redrawn as frame ``index`` of the clip."""
    rng = np.random.default_rng([settings.seed, index])
    exact = alignment(landmarks, settings.size)
    trembling = exact.copy()
    trembling[:, 2] += rng.normal(0, settings.tremble, 2)
    target = warp(image, exact, settings.size).astype(np.float32) / 255
    drawn = cv2.GaussianBlur(warp(image, trembling, settings.size).astype(np.float32) / 255, (0, 0), settings.blur)
    lab = cv2.cvtColor(drawn, cv2.COLOR_RGB2LAB)
    lab += (np.array(settings.shift) + rng.normal(0, settings.flicker, 3)).astype(np.float32)
    drawn = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    crop_landmarks = landmarks @ exact[:, :2].T + exact[:, 2]
    mask = hull_mask(crop_landmarks, (settings.size, settings.size))
    if settings.poisson:
        drawn = np.clip(drawn + membrane(drawn, target, mask), 0, 1)
    result = image.copy()
    paste(result, drawn, soft_mask(mask, 0.0, settings.feather), exact)
    return result


def recompress(image: np.ndarray, quality: int) -> np.ndarray:
    """``image`` uint8 RGB after JPEG at ``quality``."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[:, :, ::-1])


def redrawn(clip: Clip, track: Track, seed: int) -> RedrawnClip:
    """``clip`` with the face of ``track`` redrawn in a way drawn from ``seed``."""
    own = {field.name: getattr(clip, field.name) for field in fields(Clip)}
    return RedrawnClip(**own, track=track, settings=drawn_settings(seed))


def recompressed(clip: Clip, quality: int) -> RecompressedClip:
    """``clip`` after one more JPEG compression of every frame."""
    own = {field.name: getattr(clip, field.name) for field in fields(Clip)}
    return RecompressedClip(**own, quality=quality)
