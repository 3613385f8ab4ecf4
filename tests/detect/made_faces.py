"""Made footage for the cue examiners: a textured head with known landmarks, written as a small lossless clip."""

from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np

from likeness.faces.align import TEMPLATE
from likeness.faces.face import LEFT_EYE, RIGHT_EYE, Face, Track
from likeness.faces.hull import hull_mask
from likeness.media.clip import Clip, open_clip

SIZE = 240
FACE_PX = 110.0


def landmarks_at(x: float = 65.0, y: float = 70.0, width: float = FACE_PX, openness: float = 1.0) -> np.ndarray:
    """The mean face, float32 (68, 2), its eyes open by ``openness`` times their usual height."""
    points = TEMPLATE.astype(np.float64) * width + [x, y]
    for eye in (RIGHT_EYE, LEFT_EYE):
        middle = points[eye, 1].mean()
        points[eye, 1] = middle + (points[eye, 1] - middle) * openness
    return points.astype(np.float32)


def face(landmarks: np.ndarray, index: int, rate: float = 25.0, yaw: float = 0.0) -> Face:
    """A Face of these landmarks in frame ``index``."""
    low, high = landmarks.min(0), landmarks.max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Face(index, index / rate, box, landmarks, 0.99, yaw, 0.0, 0.0, 0.8)


def skin(seed: int = 0) -> np.ndarray:
    """A picture uint8 RGB (240, 240, 3) of one skin colour with texture at every scale."""
    rng = np.random.default_rng(seed)
    texture = sum(
        cv2.resize(
            rng.normal(0, 3.0 + step / 2, (SIZE // step, SIZE // step)), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC
        )
        for step in (1, 2, 4, 8)
    )
    return np.clip(np.array([190, 150, 130]) + texture[:, :, None], 0, 255).astype(np.uint8)


def softened(image: np.ndarray, landmarks: np.ndarray, sigma: float, shift: float = 0.0) -> np.ndarray:
    """``image`` with the face blurred by ``sigma`` pixels and its red changed by ``shift``."""
    mask = hull_mask(landmarks, image.shape[:2])[:, :, None]
    inner = cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32) + np.array([shift, 0, 0], np.float32)
    return np.clip(image * (1 - mask) + inner * mask, 0, 255).astype(np.uint8)


def clip_of(path: Path, images: list[np.ndarray], rate: int = 25) -> Clip:
    """Write ``images`` losslessly to ``path`` (.mkv) and open them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], "bgr0"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return open_clip(path)


def with_eyes(image: np.ndarray, openness: float) -> np.ndarray:
    """``image`` with dark irises in white eyes where `landmarks_at` has them, open by ``openness`` in [0, 1]."""
    drawn, points = image.copy(), landmarks_at()
    for eye in (RIGHT_EYE, LEFT_EYE):
        x, y = points[eye].mean(0).round().astype(int)
        half = max(round(5 * openness), 0)
        cv2.ellipse(drawn, (int(x), int(y)), (11, half), 0, 0, 360, (235, 230, 225), -1)
        if half > 1:
            cv2.circle(drawn, (int(x), int(y)), half, (60, 40, 30), -1)
    return drawn


def video(kind: Literal["video", "picture"] = "video") -> Clip:
    """A clip for examiners that look at tracks only: nothing is decoded, so there is no file."""
    return Clip(Path("none.mkv"), kind, "matroska", SIZE, SIZE, Fraction(25), 250, 10.0, None, None, 0)


def moving_track(count: int, rate: float = 25.0, tremble: float = 0.0, seed: int = 0) -> Track:
    """A face that sways smoothly, with noise of 0.15 px on every landmark; brows and nose tremble by ``tremble`` px."""
    rng = np.random.default_rng(seed)
    faces = []
    for i in range(count):
        points = landmarks_at(65 + 8 * np.sin(i / 12), 70 + 3 * np.cos(i / 9)) + rng.normal(0, 0.15, (68, 2))
        points[17:36] += rng.normal(0, tremble, 2) if tremble else 0.0
        faces.append(face(points.astype(np.float32), i, rate))
    return Track(1, faces)
