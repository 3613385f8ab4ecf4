"""Works as the project publishes them, made quickly: marked, written, signed, recorded."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

from likeness.files import sha256_of
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.claim import Claim, DigitalSourceType
from likeness.prove.credentials import read_manifest_bytes, sign
from likeness.prove.fingerprint import ClipFingerprinter, SecondFingerprint, fingerprint_picture, stored_fingerprint
from likeness.prove.recognise import RecogniseSettings
from likeness.prove.seconds import hash_list
from likeness.prove.seconds import sign as sign_list
from likeness.prove.store import Store, Work
from likeness.prove.verify import VerifySettings
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.message import new_id
from likeness.prove.watermark.read import ReadSettings

QUICK = VerifySettings(recognise=RecogniseSettings(read=ReadSettings(windows=1, window_frames=6)))
"""Reads few frames of a clip: enough for the strong marks of a test."""


def portrait(number: int = 0, size: int = 384) -> np.ndarray:
    """A frame of the shipped actors, uint8 RGB (size, size, 3); each ``number`` shows something else."""
    clips = footage()
    clip = (clips.heldout, clips.actor_a, clips.actor_b)[number % 3]
    image = next(islice(open_clip(clip.path).frames(), 7 * (number // 3), None)).image
    if number >= 3:
        image = np.rot90(image, number // 3)  # another picture for any fingerprint
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((size, size), Image.Resampling.LANCZOS))


def frames(count: int, size: int = 256, number: int = 0) -> list[np.ndarray]:
    """The first frames of a shipped actor, uint8 RGB (size, size, 3)."""
    clips = footage()
    clip = (clips.heldout, clips.actor_a, clips.actor_b)[number]
    pictures = (Image.fromarray(frame.image) for frame in islice(open_clip(clip.path).frames(), count))
    return [np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS)) for picture in pictures]


def encode(path: Path, images: Sequence[np.ndarray], crf: int = 18, rate: int = 25) -> Path:
    """``images`` as H.264 with a key frame each second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": str(crf), "g": str(rate)})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class Published:
    """A finished file, its watermark's number, and what was shown before the file was written, marked."""

    path: Path
    mark_id: str
    marked: np.ndarray


def publish_picture(
    path: Path,
    image: np.ndarray,
    source_type: DigitalSourceType = "compositeWithTrainedAlgorithmicMedia",
    origin: str = "swap",
    mark_id: str | None = None,
) -> Published:
    """Mark, write, sign and record ``image``."""
    mark_id = mark_id or new_id()
    marked = Marker(mark_id).mark(image)
    Image.fromarray(marked).save(path)
    made = stored_fingerprint(marked)
    _finish(path, mark_id, source_type, origin, (made,), fingerprint_picture(marked).hash.hex(), kind="picture")
    return Published(path, mark_id, marked)


def publish_clip(
    path: Path,
    images: Sequence[np.ndarray],
    source_type: DigitalSourceType = "compositeWithTrainedAlgorithmicMedia",
    origin: str = "swap",
    rate: int = 25,
) -> Published:
    """Mark, encode, sign and record ``images``."""
    mark_id = new_id()
    marker, fingerprinter = Marker(mark_id), ClipFingerprinter("stored")
    marked = [marker.mark(image) for image in images]
    for index, image in enumerate(marked):
        fingerprinter.update(image, index / rate)
    encode(path, marked, rate=rate)
    _finish(path, mark_id, source_type, origin, tuple(fingerprinter.finish()), None, kind="clip")
    return Published(path, mark_id, marked[0])


def _finish(
    path: Path,
    mark_id: str,
    source_type: DigitalSourceType,
    origin: str,
    fingerprints: tuple[SecondFingerprint, ...],
    claimed: str | None,
    kind: str,
) -> None:
    listed = sign_list(hash_list(open_clip(path), mark_id)) if kind == "clip" else None
    claim = Claim(
        source_type,
        "made for a test",
        path.name,
        mark_id=mark_id,
        fingerprint=claimed,
        seconds=listed.model_dump(mode="json") if listed else None,
    )
    sign(path, path, claim)
    Store().record(
        Work.model_validate(
            {
                "mark_id": mark_id,
                "title": path.name,
                "path": str(path),
                "kind": kind,
                "made_at": dt.datetime.now(dt.UTC),
                "origin": origin,
                "source_type": source_type,
                "sha256": sha256_of(path),
                "manifest": read_manifest_bytes(path),
                "fingerprints": fingerprints,
                "hash_list": listed,
                "signer": "a test",
            }
        )
    )


def stripped(path: Path, out: Path, **options: object) -> Path:
    """A picture decoded and written again by Pillow: no metadata stays."""
    Image.fromarray(np.asarray(Image.open(path).convert("RGB"))).save(out, **options)
    return out
