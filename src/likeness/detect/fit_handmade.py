"""Train the classifiers of hand-made features: measure every sample once, fit on some people, validate on others."""

import hashlib
import json
import logging
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from likeness.detect.classifiers import (
    Classifier,
    ClassifierSettings,
    Kind,
    fit_classifier,
    save_classifiers,
)
from likeness.detect.cues.handmade import (
    NAMES,
    WEIGHTS_FILE,
    HandmadeSettings,
    Subject,
    model_name,
    statistics_of,
    usable,
)
from likeness.detect.datasets import TABLE, Sample, Split, SplitSettings, groups, split, write_samples
from likeness.detect.features import clip_vector, image_statistics, picture_vector
from likeness.detect.sightings import sightings, spread
from likeness.errors import LikenessError, MissingDataError, SettingsError
from likeness.faces.face import Face, Track
from likeness.faces.faceset import TABLE as FACE_SET_TABLE
from likeness.faces.faceset import FaceSet
from likeness.faces.finder import FaceFinder
from likeness.faces.tracker import track_faces
from likeness.files import atomic_write, write_text
from likeness.media.clip import Clip, open_clip
from likeness.progress import tracked

VALIDATION = "validation.json"

_VECTORS = "vectors"  # the folder of what was measured, a file a sample

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitHandmadeSettings:
    """``minutes`` bounds the measuring, None: all samples. ``resume`` takes what an earlier run has measured.

    Of a clip the first ``longest_s`` seconds are followed, and ``pictures`` frames train the model of pictures.
    ``workers`` processes measure.
    """

    minutes: float | None = None
    resume: bool = False
    workers: int = 1
    longest_s: float = 10.0
    pictures: int = 4
    faces: HandmadeSettings = field(default_factory=HandmadeSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    split: SplitSettings = field(default_factory=SplitSettings)

    def __post_init__(self) -> None:
        if self.minutes is not None and not self.minutes > 0:
            raise SettingsError(f"--minutes is {self.minutes:g}; it must be more than 0.")
        if self.workers < 1:
            raise SettingsError(f"--threads is {self.workers}; it must be 1 or more.")


@dataclass(frozen=True, eq=False)
class Vectors:
    """What was measured of one sample: float64 (0 or 1, len(CLIP_NAMES)) and (n, len(PICTURE_NAMES)), maybe empty."""

    clip: np.ndarray
    picture: np.ndarray

    @classmethod
    def none(cls) -> "Vectors":
        """Of a sample without a usable face."""
        return cls(np.empty((0, len(NAMES["clip"]))), np.empty((0, len(NAMES["picture"]))))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Vectors of many samples (n, features) with labels bool (n,) and groups int (n,)."""

    vectors: np.ndarray
    synthetic: np.ndarray
    groups: np.ndarray


def fit_handmade(
    samples: Sequence[Sample], output: Path, settings: FitHandmadeSettings | None = None
) -> dict[str, Any]:
    """Train on ``samples`` and write handmade.npz, validation.json and samples.csv (who was in which part) to the
    folder ``output``; returns what validation.json holds.

    Hyper-parameters are chosen by cross-validation on the training people, the figures are of the validation people,
    and the test people are not touched. Raises SettingsError where ``output`` was begun before and ``settings.resume``
    is not set, MissingDataError where nothing can be fitted.
    """
    settings, output = settings or FitHandmadeSettings(), Path(output)
    if not settings.resume and (output / _VECTORS).exists():
        raise SettingsError(f"{output} was begun before. Add --resume to go on with it, or choose a new folder.")
    parts = split(samples, settings.split)
    write_samples(output / TABLE, parts)
    measured = _measure_all([*parts.train, *parts.validate], output / _VECTORS, settings)
    models: dict[str, Classifier] = {}
    figures: dict[str, dict[str, Any]] = {}
    why_not: list[str] = []
    for subject in get_args(Subject):
        train, validate = (_rows(part, measured, subject, settings) for part in (parts.train, parts.validate))
        for kind in get_args(Kind):
            try:
                model = fit_classifier(
                    kind, train.vectors, train.synthetic, train.groups, NAMES[subject], settings.classifier
                )
            except MissingDataError as error:
                why_not.append(str(error))
                continue
            models[model_name(subject, kind)] = model
            figures[model_name(subject, kind)] = model.figures | _validation(model, validate)
    if not models:
        raise MissingDataError(why_not[0])
    save_classifiers(output / WEIGHTS_FILE, models)
    report = {"kind": "handmade", **_counts(parts, measured), "models": figures}
    write_text(output / VALIDATION, json.dumps(report, indent=1) + "\n")
    return report


def measure_sample(path: Path, settings: FitHandmadeSettings) -> Vectors:
    """The vectors of the face seen longest in a clip or face set, or largest in a picture; raises LikenessError."""
    if path.is_dir():
        return _measure_face_set(path, settings)
    clip = open_clip(path)
    track = _main_face(clip, settings)
    if track is None:
        return Vectors.none()
    chosen = spread(usable(track, settings.faces), settings.faces.most_frames)
    seen = [(sighting.face, statistics_of(sighting)) for sighting in sightings(clip, [(0, face) for face in chosen])]
    return _vectors(usable(track, settings.faces), seen, clip.kind == "video", settings)


def _main_face(clip: Clip, settings: FitHandmadeSettings) -> Track | None:
    if clip.kind == "picture":
        found = FaceFinder().find(next(clip.frames()).image)
        return Track(0, [max(found, key=lambda face: face.width)]) if found else None
    return max(track_faces(clip.frames(0.0, settings.longest_s)), key=lambda track: len(track.faces), default=None)


def _measure_face_set(folder: Path, settings: FitHandmadeSettings) -> Vectors:
    whole = FaceSet.load(folder)
    rows = whole.rows.append_column("row", pa.array(range(len(whole)))).sort_by("frame").to_pylist()
    tracks: dict[tuple[str, int], list[tuple[Face, int]]] = {}
    for row in rows:
        tracks.setdefault((row["source"], row["track"]), []).append((_face(row), row["row"]))
    longest = max(tracks.values(), key=len)
    row_of = {id(face): row for face, row in longest}
    faces = usable(Track(0, [face for face, _ in longest]), settings.faces)
    chosen = spread(faces, settings.faces.most_frames)
    if not chosen:
        return Vectors.none()
    # Blocks of the source are not in line with the crops any more, so their grid cannot be measured.
    crops = replace(whole, rows=whole.rows.take([row_of[id(face)] for face in chosen])).crops()
    seen = [(face, image_statistics(crop)) for face, crop in zip(chosen, crops, strict=True)]
    return _vectors(faces, seen, len(longest) > 1, settings)


def _face(row: dict[str, Any]) -> Face:
    landmarks = np.array(row["landmarks"], np.float32).reshape(68, 2)
    box = (row["x0"], row["y0"], row["x1"], row["y1"])
    angles = (row["yaw"], row["pitch"], row["roll"])
    return Face(row["frame"], row["time_s"], box, landmarks, row["confidence"], *angles, row["quality"])


def _vectors(
    faces: list[Face], seen: list[tuple[Face, np.ndarray]], moving: bool, settings: FitHandmadeSettings
) -> Vectors:
    nothing = Vectors.none()
    if not seen:
        return nothing
    at = np.linspace(0, len(seen) - 1, min(settings.pictures, len(seen))).round().astype(int)
    pictures = np.array([picture_vector(*seen[number]) for number in at])
    if not moving or len(seen) < settings.faces.least_frames:
        return replace(nothing, picture=pictures)
    return Vectors(clip_vector(faces, np.array([statistics for _, statistics in seen]))[None], pictures)


def _measure_all(samples: Sequence[Sample], folder: Path, settings: FitHandmadeSettings) -> dict[Path, Vectors]:
    """The vectors of each sample's path, from ``folder`` where they are there; stops when the time is over."""
    deadline = np.inf if settings.minutes is None else time.monotonic() + 60 * settings.minutes
    # In the order of a hash, so that a budget that ends early has seen something of every kind.
    paths = sorted({sample.path for sample in samples}, key=lambda path: hashlib.sha256(str(path).encode()).digest())
    measured = {}
    found = _measured(paths, partial(_stored, folder=folder, settings=settings), settings.workers)
    for path, vectors in tracked(found, "Measuring", len(paths), "samples"):
        if vectors is not None:
            measured[path] = vectors
        if time.monotonic() > deadline:
            log.warning("Time is over: %d of %d samples were measured.", len(measured), len(paths))
            break
    return measured


def _measured(
    paths: Sequence[Path], measure: "partial[Vectors | None]", workers: int
) -> Iterator[tuple[Path, Vectors | None]]:
    if workers == 1:
        for path in paths:
            yield path, measure(path)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        try:
            yield from zip(paths, pool.map(measure, paths), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _stored(path: Path, folder: Path, settings: FitHandmadeSettings) -> Vectors | None:
    """The vectors of ``path``, measured now or by an earlier run; None where it cannot be opened."""
    try:
        file = folder / f"{_key(path, settings)}.npz"
        known = _read(file)
        if known is not None:
            return known
        vectors = measure_sample(path, settings)
    except (LikenessError, OSError) as error:
        log.warning("%s is left out: %s", path, error)
        return None
    with atomic_write(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, allow_pickle=False, clip=vectors.clip, picture=vectors.picture)
    return vectors


def _read(file: Path) -> Vectors | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return Vectors(stored["clip"], stored["picture"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _key(path: Path, settings: FitHandmadeSettings) -> str:
    """Changes with the file, with the features and with what is measured of it."""
    status = (path / FACE_SET_TABLE if path.is_dir() else path).stat()
    how = (settings.longest_s, settings.pictures, settings.faces, NAMES)
    return hashlib.sha256(repr((str(path.absolute()), status.st_size, status.st_mtime_ns, how)).encode()).hexdigest()


def _rows(
    samples: Sequence[Sample], measured: dict[Path, Vectors], subject: Subject, settings: FitHandmadeSettings
) -> _Rows:
    vectors = [np.empty((0, len(NAMES[subject])))]
    labels: list[bool] = []
    numbers: list[int] = []
    for sample, number in zip(samples, groups(samples, settings.split), strict=True):
        if sample.path in measured:
            own = getattr(measured[sample.path], subject)
            vectors.append(own)
            labels += [sample.synthetic] * len(own)
            numbers += [number] * len(own)
    return _Rows(np.concatenate(vectors), np.array(labels, bool), np.array(numbers, int))


def _validation(model: Classifier, rows: _Rows) -> dict[str, Any]:
    """Figures on people that the model has not seen; AUC None where a class is missing."""
    both = len(set(rows.synthetic.tolist())) == 2
    return {
        "validation_genuine": int((~rows.synthetic).sum()),
        "validation_synthetic": int(rows.synthetic.sum()),
        "validation_auc": round(float(roc_auc_score(rows.synthetic, model.log_odds(rows.vectors))), 4)
        if both
        else None,
    }


def _counts(parts: Split, measured: dict[Path, Vectors]) -> dict[str, Any]:
    def count(samples: Sequence[Sample]) -> dict[str, int]:
        return {
            "samples": len(samples),
            "synthetic": sum(sample.synthetic for sample in samples),
            "people": len({person for sample in samples for person in sample.people}),
            "measured": sum(sample.path in measured for sample in samples),
        }

    named = {"train": parts.train, "validate": parts.validate, "test": parts.test, "left_out": parts.left_out}
    return {name: count(part) for name, part in named.items()}
