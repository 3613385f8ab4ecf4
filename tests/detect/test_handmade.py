"""The cue of hand-made features: trained on a few made faces, it tells softened ones; training leaves what it says."""

import io
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_faces import FACE_PX, clip_of, face, landmarks_at, moving_track, skin, softened, video
from PIL import Image

from likeness.detect.calibrate import UNCALIBRATED
from likeness.detect.classifiers import Classifier, ClassifierSettings, save_classifiers
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues.handmade import WEIGHTS_FILE, Handmade, load_models
from likeness.detect.datasets import TABLE, Sample, SplitSettings, read_samples
from likeness.detect.fit_handmade import VALIDATION, FitHandmadeSettings, fit_handmade, measure_sample
from likeness.errors import MissingDataError, ModelError, SettingsError
from likeness.faces.align import aligned_crop
from likeness.faces.face import Track
from likeness.faces.faceset import CROP_SIZE, SCHEMA, Source, row_of, write_table
from likeness.footage import footage
from likeness.media.clip import Clip, open_clip

CLASSIFIER = ClassifierSettings(costs=(1.0, 10.0), gammas=(0.3,), widths=(8,), decays=(1.0,), folds=2)
SETTINGS = FitHandmadeSettings(classifier=CLASSIFIER, split=SplitSettings(validate=0.3, test=0.1))
PEOPLE = 10
FRAMES = 12


def shown(person: int, frame: int, fake: bool) -> tuple[np.ndarray, np.ndarray]:
    """A frame of somebody, and its landmarks; everybody has another face, skin and place."""
    rng = np.random.default_rng(person)
    points = landmarks_at(60 + 5 * rng.random() + np.sin(frame / 3), 65 + 5 * rng.random()) + rng.normal(0, 1, (68, 2))
    image = np.clip(skin(100 * person + frame) * rng.uniform(0.8, 1.1), 0, 255).astype(np.uint8)
    return (softened(image, points, 1.0) if fake else image), points.astype(np.float32)


def face_set(folder: Path, person: int, fake: bool) -> None:
    """What `likeness extract` leaves of a short clip of somebody."""
    folder.mkdir(parents=True)
    rows = []
    for frame in range(FRAMES):
        image, points = shown(person, frame, fake)
        name = f"clip_{frame:06d}_0.jpg"
        stored = io.BytesIO()
        Image.fromarray(aligned_crop(image, points, CROP_SIZE)).save(stored, "JPEG", quality=96, subsampling=0)
        (folder / name).write_bytes(stored.getvalue())
        rows.append(row_of(face(points, frame), 0, name, "clip.mp4"))
    write_table(folder, SCHEMA.empty_table().from_pylist(rows, SCHEMA), [Source("clip.mp4", "0", "clip")], {})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for person in range(PEOPLE):
        face_set(root / "genuine" / f"p{person}" / "take", person, fake=False)
        face_set(root / "synthetic" / f"p{person}" / "take-swapped", person, fake=True)
    return root


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("model") / "handmade"
    fit_handmade(read_samples([data]), output, SETTINGS)
    return output


@pytest.fixture(scope="module")
def models(trained: Path) -> dict[str, Classifier]:
    return load_models(trained / WEIGHTS_FILE)


def values_of(models: dict[str, Classifier], clip: Clip, track: Track) -> dict[str, float]:
    measured = measure([Handmade(models, calibration=UNCALIBRATED)], clip, [track])[0][track.id]
    assert isinstance(measured, Measurement), measured
    return measured.values


def test_softened_clips_of_others_get_higher_odds(models: dict[str, Classifier], tmp_path: Path) -> None:
    odds: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for person in (76, 77, 78):
        for fake, found in odds.items():
            frames = [shown(person, i, fake) for i in range(FRAMES)]
            track = Track(1, [face(points, i) for i, (_, points) in enumerate(frames)])
            clip = clip_of(tmp_path / f"{person}{fake}.mkv", [image for image, _ in frames])
            found.append(values_of(models, clip, track))
    assert set(odds[True][0]) == {"svm", "mlp"}
    for kind in ("svm", "mlp"):
        assert min(values[kind] for values in odds[True]) > max(values[kind] for values in odds[False])


def test_a_single_picture_has_models_of_its_own(models: dict[str, Classifier], tmp_path: Path) -> None:
    odds = {}
    for fake in (False, True):
        image, points = shown(78, 0, fake)
        Image.fromarray(image).save(tmp_path / f"{fake}.png")
        odds[fake] = values_of(models, open_clip(tmp_path / f"{fake}.png"), Track(1, [face(points, 0)]))
    assert set(odds[True]) == {"picture_svm", "picture_mlp"}
    for name in odds[True]:
        assert odds[True][name] > odds[False][name] + 1


def test_the_finding_names_what_stands_out(models: dict[str, Classifier], tmp_path: Path) -> None:
    frames = [shown(79, i, True) for i in range(FRAMES)]
    track = Track(3, [face(points, i) for i, (_, points) in enumerate(frames)])
    clip = clip_of(tmp_path / "a.mkv", [image for image, _ in frames])
    finding = Handmade(models, calibration=UNCALIBRATED).examine(clip, [track])[0]
    assert finding.track == 3
    assert finding.llr == 0
    assert str(finding.details["farthest"]) in finding.text
    assert "support vector machine" in finding.text
    assert finding.details["frames"] == FRAMES


def test_no_face_is_an_abstention(models: dict[str, Classifier]) -> None:
    finding = Handmade(models, calibration=UNCALIBRATED).examine(video(), [])[0]
    assert finding.abstained


@pytest.mark.parametrize(
    ("track", "kinds", "reason"),
    [
        (Track(1, [face(landmarks_at(width=40), i) for i in range(24)]), ("clip", "picture"), "48 px"),
        (Track(1, [face(landmarks_at(), i, yaw=70) for i in range(24)]), ("clip", "picture"), "0 frames"),
        (Track(1, moving_track(5).faces), ("clip", "picture"), "5 frames"),
        (moving_track(24), ("picture",), "trained for a clip"),
        (
            Track(1, [face(np.full((68, 2), np.nan, np.float32), i) for i in range(24)]),
            ("clip",),
            "landmarks are unknown",
        ),
    ],
    ids=["small", "turned", "five frames", "no model", "no numbers"],
)
def test_abstains(models: dict[str, Classifier], track: Track, kinds: tuple[str, ...], reason: str) -> None:
    some = {name: model for name, model in models.items() if name.startswith(kinds)}
    finding = Handmade(some, calibration=UNCALIBRATED).examine(video(), [track])[0]
    assert finding.llr is None
    assert reason in (finding.abstained or "")


def test_a_clip_that_ends_early_is_an_abstention(models: dict[str, Classifier], tmp_path: Path) -> None:
    frames = [shown(79, i, False) for i in range(4)]
    clip = clip_of(tmp_path / "a.mkv", [image for image, _ in frames])
    finding = Handmade(models, calibration=UNCALIBRATED).examine(clip, [moving_track(24)])[0]
    assert "decoded" in (finding.abstained or "")


def test_models_of_other_features_are_refused(models: dict[str, Classifier], tmp_path: Path) -> None:
    save_classifiers(tmp_path / "m.npz", {"clip_svm": models["picture_svm"]})
    with pytest.raises(ModelError, match="other features"):
        load_models(tmp_path / "m.npz")
    with pytest.raises(ModelError, match="likeness fit handmade"):
        load_models(tmp_path / "none.npz")


def test_training_reports_on_people_not_trained_on(trained: Path, data: Path) -> None:
    report = json.loads((trained / VALIDATION).read_text())
    assert set(report["models"]) == {"picture_svm", "picture_mlp", "clip_svm", "clip_mlp"}
    assert report["models"]["clip_svm"]["validation_auc"] > 0.9
    assert report["test"]["measured"] == 0, "test people are not touched"
    assert report["train"]["measured"] == report["train"]["samples"]
    kept = {sample.path: sample for sample in read_samples([trained / TABLE])}
    assert set(kept) == {sample.path.absolute() for sample in read_samples([data])}
    assert sum(sample.part == "train" for sample in kept.values()) == report["train"]["samples"]


def test_training_is_the_same_twice_and_resumes(trained: Path, data: Path, tmp_path: Path) -> None:
    samples = read_samples([data])
    with pytest.raises(SettingsError, match="--resume"):
        fit_handmade(samples, trained, SETTINGS)
    before = (trained / VALIDATION).read_text()
    stored = next((trained / "vectors").iterdir())
    stored.write_bytes(b"cut off")
    fit_handmade(samples, trained, replace(SETTINGS, resume=True))
    assert (trained / VALIDATION).read_text() == before
    assert len(stored.read_bytes()) > 1000, "what is damaged is measured anew"


def test_time_that_is_over_trains_on_what_was_measured(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="other people"):
        fit_handmade(read_samples([data]), tmp_path / "model", replace(SETTINGS, minutes=1e-6))
    assert len(list((tmp_path / "model" / "vectors").iterdir())) == 1
    fit_handmade(read_samples([data]), tmp_path / "model", replace(SETTINGS, resume=True))
    assert (tmp_path / "model" / WEIGHTS_FILE).is_file()


def test_samples_that_cannot_be_read_are_left_out(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    Image.fromarray(np.full((90, 90, 3), 90, np.uint8)).save(tmp_path / "wall.png")
    names = ("empty.mp4", "wall.png", "gone.mp4")
    extra = [Sample(tmp_path / name, True, ("nobody",), name, "", "train") for name in names]
    report = fit_handmade([*read_samples([data]), *extra], tmp_path / "model", SETTINGS)
    assert report["train"]["samples"] - report["train"]["measured"] == 2, "a picture without a face is no failure"


def test_real_footage_is_measured(tmp_path: Path) -> None:
    settings = replace(SETTINGS, longest_s=0.6)
    vectors = measure_sample(footage().heldout.path, settings)
    assert vectors.clip.shape[0] == 1
    assert vectors.picture.shape[0] == SETTINGS.pictures
    assert np.isfinite(vectors.picture).all()
    Image.fromarray(next(open_clip(footage().actor_b.path).frames()).image).save(tmp_path / "b.jpg", quality=95)
    picture = measure_sample(tmp_path / "b.jpg", settings)
    assert picture.clip.shape[0] == 0
    assert picture.picture.shape[0] == 1


def test_a_picture_without_a_face_and_a_face_too_small_give_nothing(tmp_path: Path) -> None:
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(tmp_path / "wall.png")
    folder = tmp_path / "small"
    folder.mkdir()
    Image.fromarray(skin()).resize((CROP_SIZE, CROP_SIZE)).save(folder / "a.jpg")
    rows = [row_of(face(landmarks_at(width=0.3 * FACE_PX), 0), 0, "a.jpg", "clip.mp4")]
    write_table(folder, SCHEMA.empty_table().from_pylist(rows, SCHEMA), [Source("clip.mp4", "0", "clip")], {})
    for path in (tmp_path / "wall.png", folder):
        vectors = measure_sample(path, SETTINGS)
        assert len(vectors.clip) == len(vectors.picture) == 0


@pytest.mark.slow
def test_two_processes_measure_the_same(data: Path, trained: Path, tmp_path: Path) -> None:
    report = fit_handmade(read_samples([data]), tmp_path / "model", replace(SETTINGS, workers=2))
    assert report["models"] == json.loads((trained / VALIDATION).read_text())["models"]


def test_rate_is_read_from_the_track_not_the_file(models: dict[str, Classifier], tmp_path: Path) -> None:
    """A clip whose frame rate is unknown is measured like any other."""
    frames = [shown(80, i, False) for i in range(FRAMES)]
    clip = clip_of(tmp_path / "a.mkv", [image for image, _ in frames])
    track = Track(1, [face(points, i) for i, (_, points) in enumerate(frames)])
    unknown = replace(clip, frame_rate=None, frame_count=None)
    assert clip.frame_rate == Fraction(25)
    assert values_of(models, unknown, track) == values_of(models, clip, track)
