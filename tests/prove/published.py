"""Works as the project publishes them, and what attackers need: frames of shipped actors, files without metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.claim import Claim, DigitalSourceType
from likeness.prove.publish import Provenance, Publication
from likeness.prove.recognise import RecogniseSettings
from likeness.prove.store import Work
from likeness.prove.verify import VerifySettings
from likeness.prove.watermark.read import ReadSettings

RATE = 25
QUICK = VerifySettings(recognise=RecogniseSettings(read=ReadSettings(windows=1, window_frames=6)))
"""Reads few frames of a clip: enough where it was not compressed anew."""


def portrait(number: int = 0, size: int = 384) -> np.ndarray:
    """A frame of a shipped actor, uint8 RGB (size, size, 3); other numbers are other pictures for any fingerprint."""
    turned = np.rot90(frames(1, size, number % 3)[0], number // 3)
    return np.ascontiguousarray(turned)


def frames(count: int, size: int = 256, actor: int = 0) -> list[np.ndarray]:
    """The first frames of a shipped actor, uint8 RGB (size, size, 3); H.264 leaves marks in them from 256 on."""
    clips = footage()
    clip = (clips.heldout, clips.actor_a, clips.actor_b)[actor]
    pictures = (Image.fromarray(frame.image) for frame in islice(open_clip(clip.path).frames(), count))
    return [np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS)) for picture in pictures]


def encode(path: Path, images: Sequence[np.ndarray], crf: int = 18) -> Path:
    """``images`` as H.264 with a key frame each second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"crf": str(crf), "g": str(RATE)})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class Published:
    """A finished file, its record, and its pictures as they were marked."""

    path: Path
    work: Work
    marked: list[np.ndarray]

    @property
    def mark_id(self) -> str:
        return self.work.mark_id or ""


def publish(
    path: Path,
    images: np.ndarray | Sequence[np.ndarray],
    source_type: DigitalSourceType | None = "compositeWithTrainedAlgorithmicMedia",
    origin: str = "swap",
) -> Published:
    """Mark, write, sign and record a picture or the frames of a clip, as a synthetic work unless said otherwise."""
    publication = Publication()
    series = [images] if isinstance(images, np.ndarray) else list(images)
    marked = [publication.mark(image, index / RATE) for index, image in enumerate(series)]
    if isinstance(images, np.ndarray):
        Image.fromarray(marked[0]).save(path)
    else:
        encode(path, marked)
    claim = Claim(source_type, "made for a test", path.name)
    return Published(path, publication.release(path, path, claim, Provenance(origin)), marked)


def save(path: Path, image: np.ndarray, **options: Any) -> Path:
    """A picture without any metadata."""
    Image.fromarray(image).save(path, **options)
    return path
