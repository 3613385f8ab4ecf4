"""Known people for the identity cues: the shipped actors, found by their ground truth, and references to them."""

import tempfile
from functools import cache
from pathlib import Path

import pyarrow as pa
from PIL import Image

from likeness.actors.truth import Truth
from likeness.detect.reference import Reference, ReferenceSettings
from likeness.detect.sightings import sightings
from likeness.faces.align import aligned_crop
from likeness.faces.face import Face
from likeness.faces.faceset import SCHEMA, Source, row_of, write_table
from likeness.faces.pose import pose_of
from likeness.footage import ShippedClip, footage
from likeness.media.clip import open_clip

SETTINGS = ReferenceSettings(most_faces=36)


def filmed(clip: ShippedClip, every: int) -> list[Face]:
    """The faces of a shipped clip, from its ground truth."""
    truth = Truth.load(clip.truth)
    faces = []
    for i in range(0, len(truth), every):
        points = truth.landmarks[i]
        low, high = points.min(0), points.max(0)
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        faces.append(Face(i, float(truth.times_s[i]), box, points, 0.99, *pose_of(points), 0.8))
    return faces


def face_set(folder: Path, clip: ShippedClip, faces: list[Face]) -> Path:
    """A folder as `likeness extract` makes it."""
    folder.mkdir()
    rows = []
    for sighting in sightings(open_clip(clip.path), [(0, one) for one in faces]):
        name = f"{sighting.face.frame:06d}.jpg"
        crop = aligned_crop(sighting.frame.image, sighting.face.landmarks, 256)
        Image.fromarray(crop).save(folder / name, quality=96)
        rows.append(row_of(sighting.face, 0, name, str(clip.path)))
    write_table(folder, pa.Table.from_pylist(rows, SCHEMA), [Source(str(clip.path), "0" * 64, "a")], {})
    return folder


@cache
def actor_a() -> Reference:
    """A reference to actor A, from one of the shipped clips."""
    shipped = footage().actor_a
    with tempfile.TemporaryDirectory() as folder:
        return Reference.load(face_set(Path(folder) / "a", shipped, filmed(shipped, 6)), SETTINGS)
