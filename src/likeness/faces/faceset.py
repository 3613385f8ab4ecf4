"""A folder of aligned faces that people look through and weed out by deleting files."""

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from likeness.errors import FaceSetError
from likeness.faces.align import COVERAGE, alignment, apply
from likeness.faces.face import Face
from likeness.files import atomic_write

TABLE = "faces.parquet"
SHEET = "sheet.png"
CROP_SIZE = 256  # pixels, side of the pictures

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("source", pa.string()),
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("track", pa.int32()),
        *((name, pa.float32()) for name in ("x0", "y0", "x1", "y1", "confidence", "yaw", "pitch", "roll", "quality")),
        ("landmarks", pa.list_(pa.float32(), 136)),
    ]
)

_METADATA_KEY = b"likeness"
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif"}
_SHEET_COLUMNS, _SHEET_ROWS, _SHEET_TILE = 12, 8, 96

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A clip or picture that faces were taken from. ``done_frame`` is the last frame looked at, None when all were."""

    path: str
    sha256: str
    stem: str
    done_frame: int | None = None


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Aligned faces in a folder. ``rows`` has the columns of SCHEMA, only those whose picture is still there."""

    folder: Path
    rows: pa.Table
    recorded: tuple[Source, ...]
    settings: dict[str, Any]

    def __len__(self) -> int:
        return self.rows.num_rows

    @classmethod
    def load(cls, folder: Path) -> "FaceSet":
        """Open ``folder``: rows whose picture was deleted are left out; pictures that the table does not know are
        named in one warning and left alone. Raises FaceSetError where there is no table, or nothing is left."""
        folder = Path(folder)
        rows, recorded, settings = read_table(folder)
        there = {path.name for path in folder.iterdir()}
        files = rows.column("file").to_pylist()
        kept = rows.filter(pa.array([name in there for name in files], pa.bool_()))
        foreign = sorted(name for name in there - set(files) - {SHEET} if Path(name).suffix.lower() in _PICTURES)
        if foreign:
            log.warning(
                "%s: %d pictures are not of this face set and are ignored (%s).", folder, len(foreign), foreign[0]
            )
        if kept.num_rows == 0:
            raise FaceSetError(f"{folder} holds no faces any more. Run `likeness extract` into a new folder.")
        return cls(folder, kept, recorded, settings)

    @property
    def sources(self) -> dict[str, str]:
        """SHA-256 of every source that still has a face here, by its path as given."""
        used = set(self.rows.column("source").to_pylist())
        return {source.path: source.sha256 for source in self.recorded if source.path in used}

    @cached_property
    def landmarks(self) -> np.ndarray:
        """float32 (n, 68, 2) in pixels of the source frames."""
        flat = self.rows.column("landmarks").combine_chunks().flatten()
        return np.asarray(flat, np.float32).reshape(-1, 68, 2)

    @cached_property
    def landmarks_in_crop(self) -> np.ndarray:
        """float32 (n, 68, 2) in pixels of the crops."""
        matrices = [alignment(points, CROP_SIZE, COVERAGE) for points in self.landmarks]
        moved = [apply(matrix, points) for matrix, points in zip(matrices, self.landmarks, strict=True)]
        return np.array(moved, np.float32)

    def crops(self, size: int = CROP_SIZE) -> np.ndarray:
        """uint8 RGB (n, size, size, 3), in order of the rows; the face's square takes the middle COVERAGE of each."""
        files = self.rows.column("file").to_pylist()
        pictures = np.empty((len(files), size, size, 3), np.uint8)
        for row, name in enumerate(files):
            pictures[row] = _read_crop(self.folder / name, size)
        return pictures


def read_table(folder: Path) -> tuple[pa.Table, tuple[Source, ...], dict[str, Any]]:
    """The table of ``folder`` with its sources and settings; raises FaceSetError where it is missing or damaged."""
    path = folder / TABLE
    if not path.is_file():
        raise FaceSetError(f"{folder} is not a face set: it has no {TABLE}. Make one with `likeness extract`.")
    try:
        rows = pq.read_table(path)
        notes = json.loads((rows.schema.metadata or {})[_METADATA_KEY])
        recorded = tuple(Source(**source) for source in notes["sources"])
        return rows.select(SCHEMA.names).cast(SCHEMA), recorded, notes["settings"]
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError) as error:
        raise FaceSetError(f"{path} is damaged. Run `likeness extract` into a new folder.") from error


def write_table(folder: Path, rows: pa.Table, sources: list[Source], settings: dict[str, Any]) -> None:
    """Write the table of ``folder`` atomically, its sources and settings in the metadata."""
    notes = {"version": 1, "settings": settings, "sources": [vars(source) for source in sources]}
    table = rows.replace_schema_metadata({_METADATA_KEY: json.dumps(notes).encode()})
    with atomic_write(folder / TABLE) as temporary:
        pq.write_table(table, temporary)


def row_of(face: Face, track: int, file: str, source: str) -> dict[str, Any]:
    """One line of the table."""
    x0, y0, x1, y1 = face.box
    return {
        "file": file, "source": source, "frame": face.frame, "time_s": face.time_s, "track": track,
        "x0": x0, "y0": y0, "x1": x1, "y1": y1, "confidence": face.confidence,
        "yaw": face.yaw, "pitch": face.pitch, "roll": face.roll, "quality": face.quality,
        "landmarks": face.landmarks.astype(np.float32).ravel(),
    }  # fmt: skip


def write_sheet(faces: FaceSet) -> None:
    """Write sheet.png: up to 96 of the faces, evenly over sources, tracks and time, for people to see at a glance."""
    order = [("source", "ascending"), ("track", "ascending"), ("frame", "ascending")]
    files = faces.rows.sort_by(order).column("file").to_pylist()
    count = min(len(files), _SHEET_COLUMNS * _SHEET_ROWS)
    chosen = [files[row] for row in np.linspace(0, len(files) - 1, count).round().astype(int)]
    height = -(-count // _SHEET_COLUMNS) * _SHEET_TILE
    sheet = Image.new("RGB", (min(count, _SHEET_COLUMNS) * _SHEET_TILE, height))
    for place, name in enumerate(chosen):
        row, column = divmod(place, _SHEET_COLUMNS)
        tile = Image.fromarray(_read_crop(faces.folder / name, _SHEET_TILE))
        sheet.paste(tile, (column * _SHEET_TILE, row * _SHEET_TILE))
    with atomic_write(faces.folder / SHEET) as temporary:
        sheet.save(temporary, format="PNG")


def _read_crop(path: Path, size: int) -> np.ndarray:
    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as picture:
            if picture.size != (CROP_SIZE, CROP_SIZE):
                raise FaceSetError(f"{path} was resized to {picture.width}×{picture.height}. Delete it or restore it.")
            upright = picture.convert("RGB")
            smaller = upright if size == CROP_SIZE else upright.resize((size, size), Image.Resampling.BOX)
            return np.asarray(smaller)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise FaceSetError(f"{path} cannot be read as a picture any more. Delete it and run again.") from error
