"""What cameras, codecs and platforms do to footage, drawn alike for genuine and manipulated faces.

`recorded` comes before a manipulation: the noise of the sensor and the camera's own compression, which a made face then
lacks. `published` comes after it, with the same draws for both of a pair: size, blur, colour, what is in front of the
face, dropped frames, and the compression of the platform.
"""

import io
from dataclasses import dataclass

import av
import cv2
import numpy as np

from training.detectors.burst import Burst, resized


@dataclass(frozen=True)
class RecordSettings:
    """``soft``: parts of the resolution that lens and sensor resolve; ``noise``: standard deviations in grey levels;
    ``crf`` of libx264; probabilities that each happens."""

    soft: tuple[float, float] = (0.35, 0.9)
    softened: float = 0.4
    noise: tuple[float, float] = (0.5, 5.0)
    noisy: float = 0.7
    crf: tuple[int, int] = (14, 28)
    compressed: float = 0.75


@dataclass(frozen=True)
class PublishSettings:
    """Faces of ``face_px`` pixels; ``crf`` of libx264; probabilities of what else happens."""

    face_px: tuple[float, float] = (64.0, 220.0)
    crf: tuple[int, int] = (16, 33)
    compressed: float = 0.9
    blurred: float = 0.15
    recoloured: float = 0.4
    hidden: float = 0.1
    sharpened: float = 0.1


def recorded(burst: Burst, rng: np.random.Generator, settings: RecordSettings | None = None) -> Burst:
    """``burst`` as a camera would have stored it."""
    settings = settings or RecordSettings()
    frames = burst.frames
    if rng.random() < settings.softened:
        frames = at_resolution(frames, rng.uniform(*settings.soft))
    if rng.random() < settings.noisy:
        frames = with_sensor_noise(frames, rng.uniform(*settings.noise), rng)
    if rng.random() < settings.compressed:
        frames = through_h264(frames, int(rng.integers(*settings.crf)))
    return burst.with_frames(frames)


def at_resolution(frames: np.ndarray, part: float) -> np.ndarray:
    """``frames`` as soft as if only ``part`` of their resolution had been resolved."""
    height, width = frames.shape[1:3]
    size = max(round(width * part), 16), max(round(height * part), 16)
    small = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames)
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in small])


def with_sensor_noise(frames: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Noise that grows with the root of the light, a little smoothed as by demosaicing; anew in every frame."""
    noise: np.ndarray = rng.standard_normal(frames.shape, dtype=np.float32)
    blur = rng.uniform(0.0, 0.8)
    if blur > 0.3:
        noise = np.stack([cv2.GaussianBlur(one, (0, 0), blur) for one in noise]) * (1 + 1.5 * blur)
    light = np.sqrt(frames.astype(np.float32) / 128 + 0.1)
    return np.clip(np.rint(frames + deviation * light * noise), 0, 255).astype(np.uint8)


def published(bursts: list[Burst], rng: np.random.Generator, settings: PublishSettings | None = None) -> list[Burst]:
    """``bursts`` of one source, genuine and manipulated, as a platform would show them: the same draws for all."""
    settings = settings or PublishSettings()
    wanted = np.exp(rng.uniform(*np.log(settings.face_px)))
    factor = float(np.clip(wanted / bursts[0].face_px, 0.25, 1.5))
    crf = int(rng.integers(*settings.crf)) if rng.random() < settings.compressed else None
    blur = rng.uniform(0.4, 1.5) if rng.random() < settings.blurred else 0.0
    gain, offset = (rng.uniform(0.8, 1.2, 3), rng.uniform(-15, 15)) if rng.random() < settings.recoloured else (1.0, 0)
    seed = int(rng.integers(2**62))
    hidden, sharpened = rng.random() < settings.hidden, rng.random() < settings.sharpened

    def shown(burst: Burst) -> Burst:
        burst = resized(burst, factor)
        frames = burst.frames
        if hidden:
            frames = with_something_in_front(frames, burst.landmarks, np.random.default_rng(seed))
        if blur:
            frames = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in frames])
        if sharpened:
            frames = np.stack([sharper(frame, 0.6) for frame in frames])
        frames = np.clip(np.rint(frames * gain + offset), 0, 255).astype(np.uint8)
        return burst.with_frames(frames if crf is None else through_h264(frames, crf))

    return [shown(burst) for burst in bursts]


def with_something_in_front(frames: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A plain or noisy thing of any colour that moves across the face."""
    frames = frames.copy()
    centre, width = landmarks.mean(axis=(0, 1)), np.ptp(landmarks[0, :, 0])
    place = centre + rng.normal(0, 0.5, 2) * width
    step, axes = rng.normal(0, 0.02, 2) * width, rng.uniform(0.1, 0.35, 2) * width
    colour, angle = rng.integers(0, 256, 3), float(rng.uniform(0, 180))
    for number, frame in enumerate(frames):
        mask = np.zeros(frame.shape[:2], np.uint8)
        middle = tuple(int(v) for v in place + number * step)
        cv2.ellipse(mask, middle, (int(axes[0]) + 1, int(axes[1]) + 1), angle, 0, 360, 255, -1)
        soft = cv2.GaussianBlur(mask, (0, 0), 1.0)[:, :, None] / 255
        thing = colour + rng.normal(0, 4, frame.shape)
        frame[:] = np.clip(frame * (1 - soft) + thing * soft, 0, 255).astype(np.uint8)
    return frames


def sharper(image: np.ndarray, amount: float, radius: float = 1.0) -> np.ndarray:
    """Unsharp mask of a picture uint8, or float in [0, 1], as the same type."""
    soft = cv2.GaussianBlur(image, (0, 0), radius)
    return cv2.addWeighted(image, 1 + amount, soft, -amount, 0)


def through_h264(frames: np.ndarray, crf: int) -> np.ndarray:
    """``frames`` uint8 (n, h, w, 3), h and w even, after libx264 at ``crf``, 25 frames a second."""
    stored = io.BytesIO()
    with av.open(stored, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")))
        container.mux(stream.encode())
    stored.seek(0)
    with av.open(stored, "r") as written:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in written.decode(video=0)])
