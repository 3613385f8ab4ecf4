"""What two small classifiers make of a face's proportions, of its picture's quality and of how it moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from likeness.detect import classifiers
from likeness.detect.calibrate import CueCalibration
from likeness.detect.classifiers import Classifier, load_classifiers
from likeness.detect.cue import Cue, Measurement
from likeness.detect.features import (
    CLIP_NAMES,
    FEATURE_CROP,
    PICTURE_NAMES,
    blockiness,
    clip_vector,
    image_statistics,
    picture_vector,
)
from likeness.detect.sightings import Sighting, spread
from likeness.errors import ModelError
from likeness.faces.face import Face, Track
from likeness.media.clip import Clip

Subject = Literal["picture", "clip"]

WEIGHTS_FILE = "handmade.npz"
NAMES: dict[Subject, tuple[str, ...]] = {"picture": PICTURE_NAMES, "clip": CLIP_NAMES}


@dataclass(frozen=True)
class HandmadeSettings:
    """Which faces are measured: at least ``narrowest_px`` wide and turned at most ``largest_yaw`` degrees. A clip needs
    ``least_frames`` of them; ``most_frames`` are looked at in the picture."""

    narrowest_px: float = 48.0
    largest_yaw: float = 50.0
    least_frames: int = 8
    most_frames: int = 24


class Handmade(Cue[np.ndarray]):
    """SVM and MLP on hand-made features (`detect.features`), with models of their own for pictures and for clips.

    The features "svm" and "mlp" (of pictures "picture_svm" and "picture_mlp") are natural log odds of "synthetic".
    ``models`` are named as `model_name` says; None takes the shipped ones. Abstains on faces narrower than 48 px,
    turned beyond 50°, seen in fewer than 8 frames of a clip, and where no model was trained for what is looked at.
    """

    name = "handmade"
    without_faces = "No face was found, so there is nothing to measure."

    def __init__(
        self,
        models: Mapping[str, Classifier] | None = None,
        settings: HandmadeSettings | None = None,
        calibration: CueCalibration | None = None,
    ) -> None:
        super().__init__(calibration)
        self.models = load_models(_shipped_weights()) if models is None else models
        self.settings = settings or HandmadeSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        subject, settings = subject_of(clip), self.settings
        if not any(model_name(subject, kind) in self.models for kind in get_args(classifiers.Kind)):
            return f"No classifier of hand-made features was trained for a {subject}."
        faces = usable(track, settings)
        if len(faces) < needed(clip, settings):
            return (
                f"Only {len(faces)} frames show the face at least {settings.narrowest_px:.0f} px wide and turned at "
                f"most {settings.largest_yaw:.0f}°; its measures need {needed(clip, settings)}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(usable(track, self.settings), self.settings.most_frames)

    def note(self, sighting: Sighting) -> np.ndarray:
        return statistics_of(sighting)

    def measure(self, clip: Clip, track: Track, notes: Sequence[np.ndarray]) -> Measurement | str:
        if len(notes) < needed(clip, self.settings):
            return "Too few frames of the face could be decoded to measure it."
        subject = subject_of(clip)
        vector = vector_of(clip, track, notes, self.settings)
        values, details = {}, dict[str, float | str | int | bool | None]()
        for kind in get_args(classifiers.Kind):
            model = self.models.get(model_name(subject, kind))
            if model is not None:
                values[feature_of(subject, kind)] = float(model.log_odds(vector)[0])
                deviations = model.standardise(vector)
                farthest = int(np.argmax(np.abs(deviations)))
                details |= {
                    "farthest": model.names[farthest].replace("_", " "),
                    "farthest_deviations": round(float(deviations[farthest]), 2),
                }
        details |= {"measures": len(vector), "unmeasured": int(np.isnan(vector).sum()), "frames": len(notes)}
        return Measurement(values, details=details)

    def sentence(self, measured: Measurement) -> str:
        called = {"svm": "a support vector machine", "mlp": "a small neural network"}
        said = [
            f"{called[name.removeprefix('picture_')]} gives odds of {_odds(value)} "
            f"(as high or higher: {self.calibration.rarity(name, value)})"
            for name, value in measured.values.items()
        ]
        return (
            f"From {measured.details['measures']} measures of the face's proportions, picture and movement, "
            f"{' and '.join(said)}. The one farthest from the usual is {measured.details['farthest']}."
        )


def subject_of(clip: Clip) -> Subject:
    """Whether ``clip`` is looked at as a picture or as a clip."""
    return "clip" if clip.kind == "video" else "picture"


def feature_of(subject: Subject, kind: classifiers.Kind) -> str:
    """The name of a model's answer among a cue's features: what it says of pictures is spread otherwise."""
    return kind if subject == "clip" else f"picture_{kind}"


def model_name(subject: Subject, kind: classifiers.Kind) -> str:
    """The name of a model in a file: "clip_svm"."""
    return f"{subject}_{kind}"


def load_models(path: Path) -> dict[str, Classifier]:
    """The models in ``path``; raises ModelError where it is missing, damaged or of other features than today's."""
    models = load_classifiers(path)
    names = {model_name(subject, kind): NAMES[subject] for subject in NAMES for kind in get_args(classifiers.Kind)}
    for name, model in models.items():
        if model.names != names.get(name):
            raise ModelError(f"{path} was trained on other features than this version measures. Train it anew.")
    return models


def usable(track: Track, settings: HandmadeSettings) -> list[Face]:
    """The faces of ``track`` that are wide enough, not turned too far and whose landmarks are numbers."""
    return [
        face
        for face in track.faces
        if face.width >= settings.narrowest_px
        and abs(face.yaw) <= settings.largest_yaw
        and bool(np.isfinite(face.landmarks).all())
    ]


def needed(clip: Clip, settings: HandmadeSettings) -> int:
    """How many usable faces it takes."""
    return settings.least_frames if clip.kind == "video" else 1


def statistics_of(sighting: Sighting) -> np.ndarray:
    """The picture's measures, float64 (len(IMAGE_NAMES),), of one face in one frame."""
    blocking = blockiness(sighting.frame.image, sighting.face.box)
    return image_statistics(sighting.crop(*FEATURE_CROP), blocking)


def vector_of(clip: Clip, track: Track, notes: Sequence[np.ndarray], settings: HandmadeSettings) -> np.ndarray:
    """The feature vector of one face: of a picture PICTURE_NAMES, of a clip CLIP_NAMES."""
    faces = usable(track, settings)
    return clip_vector(faces, np.array(notes)) if subject_of(clip) == "clip" else picture_vector(faces[0], notes[0])


def _shipped_weights() -> Path:
    return Path(str(resources.files("likeness.weights"))) / WEIGHTS_FILE


def _odds(log_odds: float) -> str:
    """Odds for or against "synthetic", in words."""
    times = float(np.exp(min(abs(log_odds), np.log(1000))))
    return f"{times:.1f} to 1 {'for' if log_odds > 0 else 'against'} synthetic"
