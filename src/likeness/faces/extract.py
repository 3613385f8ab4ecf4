"""Fill a FaceSet from clips and pictures: find, track, align, save; stop and go on at any time."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from likeness.errors import FaceSetError, NoFaceError, SettingsError
from likeness.faces.align import aligned_crop
from likeness.faces.face import Face
from likeness.faces.faceset import (
    CROP_SIZE,
    SCHEMA,
    TABLE,
    FaceSet,
    Source,
    read_table,
    row_of,
    write_sheet,
    write_table,
)
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import recogniser
from likeness.faces.select import keep_person, reference_face
from likeness.faces.tracker import Tracker, TrackerSettings
from likeness.files import atomic_write, sha256_of
from likeness.media.clip import Clip, Frame, open_clip
from likeness.progress import Job, progress

_SAVE_EVERY_S = 30.0  # how much work a power cut may cost
_JPEG_QUALITY = 96

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExtractSettings:
    """``every`` nth frame of a clip is saved (all are tracked). Faces below ``min_quality``, or narrower than
    ``min_width_px``, are left out; ``min_confidence`` likewise."""

    every: int = 1
    min_quality: float = 0.0
    min_width_px: float = 24.0
    min_confidence: float = 0.5

    def __post_init__(self) -> None:
        if self.every < 1:
            raise SettingsError(f"--every is {self.every}; it must be 1 or more.")
        if not 0 <= self.min_quality <= 1 or not 0 <= self.min_confidence <= 1:
            raise SettingsError("The least quality and confidence of a face must lie between 0 and 1.")


@dataclass(eq=False)
class _Folder:
    """The face set being filled: its rows so far and how far each source has come."""

    path: Path
    settings: dict[str, Any]
    rows: list[pa.Table]
    sources: dict[str, Source]  # by SHA-256
    fresh: list[dict[str, Any]] = field(default_factory=list)
    saved_s: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, path: Path, settings: dict[str, Any]) -> "_Folder":
        if not (path / TABLE).exists():
            if path.exists() and (not path.is_dir() or any(not item.name.startswith(".") for item in path.iterdir())):
                raise FaceSetError(f"{path} exists and is no face set. Choose a new or empty folder.")
            return cls(path, settings, [], {})
        rows, sources, before = read_table(path)
        if before != settings:
            changed = json.dumps({key: before.get(key) for key in settings if before.get(key) != settings[key]})
            raise FaceSetError(f"{path} was begun with other settings ({changed}). Use those, or choose a new folder.")
        return cls(path, settings, [rows], {source.sha256: source for source in sources})

    def save(self) -> None:
        if self.fresh:
            self.rows.append(pa.Table.from_pylist(self.fresh, SCHEMA))
            self.fresh = []
        everything = pa.concat_tables(self.rows) if self.rows else SCHEMA.empty_table()
        write_table(self.path, everything, list(self.sources.values()), self.settings)
        self.rows, self.saved_s = [everything], time.monotonic()

    def tracks_of(self, source: Source) -> int:
        """How many track ids ``source`` has used."""
        ids = [
            track
            for table in self.rows
            for track, name in zip(table.column("track").to_pylist(), table.column("source").to_pylist(), strict=True)
            if name == source.path
        ]
        return max(ids, default=-1) + 1


def extract(
    clips: Sequence[Path],
    out: Path,
    settings: ExtractSettings | None = None,
    finder: FaceFinder | None = None,
    like: Path | None = None,
) -> FaceSet:
    """Save every face of ``clips`` (videos or pictures) in the folder ``out`` and return what is there.

    With ``like`` only the tracks of the person in that picture stay (`faces.select`). Called again with the same
    settings, it goes on where it stopped, leaves finished clips alone and does not bring back what people have
    deleted. Raises NoFaceError where there is no face in any of them, BadMediaError for a file that cannot be opened
    (before any work is done), FaceSetError where ``out`` holds something else.
    """
    if not clips:
        raise SettingsError("No clip was named. Give one or more videos or pictures.")
    settings, out = settings or ExtractSettings(), Path(out)
    opened = [open_clip(Path(path)) for path in clips]
    finder = finder or FaceFinder()
    person = None if like is None else reference_face(like, recogniser(), finder)
    folder = _Folder.open(out, asdict(settings))
    folder.save()
    for clip in opened:
        source = _source_of(clip, folder)
        if source.done_frame is None and source.sha256 in folder.sources:
            log.info("%s is done already.", clip.path)
            continue
        _extract_clip(clip, source, folder, settings, finder)
    faces = _finished(folder, [str(path) for path in clips])
    return faces if person is None else keep_person(faces, person, recogniser())


def _source_of(clip: Clip, folder: _Folder) -> Source:
    """The record of ``clip``: the one it has already, or a new one under a name of its own."""
    sha256 = sha256_of(clip.path)
    known = folder.sources.get(sha256)
    if known is not None:
        return known
    stem = clip.path.stem.lstrip(".") or "clip"
    if any(source.stem == stem for source in folder.sources.values()):
        stem = f"{stem}-{sha256[:8]}"
    path = str(clip.path)
    if any(source.path == path for source in folder.sources.values()):
        raise FaceSetError(f"{path} has changed since {folder.path} was begun. Choose a new folder.")
    return Source(path=path, sha256=sha256, stem=stem)


def _extract_clip(clip: Clip, source: Source, folder: _Folder, settings: ExtractSettings, finder: FaceFinder) -> None:
    """Save the faces of one clip; whatever stops it, the frames done so far are on record."""
    resumed = source.done_frame is not None
    first = source.done_frame + 1 if source.done_frame is not None else 0
    tracker = Tracker(TrackerSettings(), finder, first_id=folder.tracks_of(source) if resumed else 0)
    done = source.done_frame
    try:
        with progress(f"Faces of {clip.path.name}", clip.frame_count, "frames") as job:
            for frame in _counted(clip.frames(), job):
                if frame.index < first:
                    continue
                faces = _faces_of(frame, clip, tracker, finder)
                if frame.index % settings.every == 0:
                    _save_faces(frame, faces, source, folder, settings)
                done = frame.index
                if time.monotonic() - folder.saved_s > _SAVE_EVERY_S:
                    folder.sources[source.sha256] = replace(source, done_frame=done)
                    folder.save()
        folder.sources[source.sha256] = replace(source, done_frame=None)
    except BaseException:
        if done is not None:
            folder.sources[source.sha256] = replace(source, done_frame=done)
        folder.save()
        raise
    folder.save()


def _counted(frames: Iterator[Frame], job: Job) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        job.advance()


def _faces_of(frame: Frame, clip: Clip, tracker: Tracker, finder: FaceFinder) -> list[tuple[int, Face]]:
    """A video is tracked; in a single picture every face is somebody else, and the thorough search is affordable."""
    if clip.kind == "picture":
        return list(enumerate(finder.find(frame.image, frame.index, frame.time_s)))
    return tracker.update(frame)


def _save_faces(
    frame: Frame, faces: list[tuple[int, Face]], source: Source, folder: _Folder, settings: ExtractSettings
) -> None:
    for track, face in faces:
        narrow = face.width < settings.min_width_px
        if narrow or face.quality < settings.min_quality or face.confidence < settings.min_confidence:
            continue
        name = f"{source.stem}_{frame.index:06d}_{track}.jpg"
        _save_crop(folder.path / name, aligned_crop(frame.image, face.landmarks, CROP_SIZE))
        folder.fresh.append(row_of(face, track, name, source.path))


def _save_crop(path: Path, crop: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        Image.fromarray(crop).save(temporary, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)


def _finished(folder: _Folder, clips: list[str]) -> FaceSet:
    """The face set, with its sheet; names clips without a face, and refuses where no clip has one."""
    found = {name for table in folder.rows for name in table.column("source").to_pylist()}
    if not found:
        named = clips[0] if len(clips) == 1 else f"any of the {len(clips)} files"
        raise NoFaceError(f"No face was found in {named}. Use footage in which a face is at least 24 pixels wide.")
    for source in folder.sources.values():
        if source.path not in found:
            log.warning("%s: no face was found in it.", source.path)
    faces = FaceSet.load(folder.path)
    write_sheet(faces)
    return faces
