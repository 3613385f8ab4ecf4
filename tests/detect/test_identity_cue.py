"""Somebody else's face on the known person's performance is told from the person; nobody is judged by no reference."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_faces import clip_of, face, landmarks_at, moving_track, skin, video
from PIL import Image

from likeness.actors.truth import Truth
from likeness.detect.calibrate import UNCALIBRATED, CueCalibration, Feature
from likeness.detect.cue import look
from likeness.detect.cues.identity import (
    Identity,
    IdentityDrift,
    IdentitySettings,
    Reference,
    drift_of,
    habits_distance,
    habits_of,
    learned_habits,
    learned_shape,
    shape_distance,
)
from likeness.detect.sightings import sightings
from likeness.errors import FaceSetError
from likeness.faces.align import aligned_crop
from likeness.faces.face import Face, Track
from likeness.faces.faceset import SCHEMA, Source, row_of, write_table
from likeness.faces.pose import pose_of
from likeness.footage import ShippedClip, footage
from likeness.media.clip import Clip, open_clip

SETTINGS = IdentitySettings(most_reference=36, most_faces=8)


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


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Actor A, from one of the shipped clips."""
    shipped = footage().actor_a
    return Reference.load(face_set(tmp_path_factory.mktemp("known") / "a", shipped, filmed(shipped, 6)), SETTINGS)


@pytest.fixture(scope="module")
def other() -> tuple[Clip, Track]:
    """B giving A's performance, as a perfect swap shows."""
    shipped = footage().answer
    return open_clip(shipped.path), Track(1, filmed(shipped, 3))


@pytest.fixture(scope="module")
def person() -> tuple[Clip, Track]:
    """The same performance by A."""
    shipped = footage().heldout
    return open_clip(shipped.path), Track(1, filmed(shipped, 3))


def test_a_reference_knows_the_person_and_how_they_vary(known: Reference) -> None:
    assert known.faces == 50
    assert np.linalg.norm(known.mean) == pytest.approx(1, abs=1e-3)
    assert known.parts.centre > known.recogniser.threshold
    assert known.parts.distance(known.parts.centre) == 0
    assert known.shape is not None
    assert known.habits is None  # a face every quarter of a second shows no habits


def test_the_known_person_is_near_and_counts_hardly(known: Reference, person: tuple[Clip, Track]) -> None:
    finding = look([Identity(known, SETTINGS)], person[0], [person[1]])[0]
    assert finding.llr is not None
    assert -0.15 < finding.llr <= 0
    assert finding.details["face"] < 1  # type: ignore[operator]
    assert not finding.spans


def test_a_swap_is_far_and_says_what_is_weighed(known: Reference, other: tuple[Clip, Track]) -> None:
    finding = look([Identity(known, SETTINGS)], other[0], [other[1]])[0]
    assert finding.llr is not None
    assert 0.6 < finding.llr <= 1
    assert finding.details["face"] > 4  # type: ignore[operator]
    assert finding.text.endswith("Weighed is a swap or another person against the known person.")
    assert "0 of 6 parts" in finding.text
    assert finding.spans
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values) == 8


def test_a_calibration_is_used_where_there_is_one(known: Reference, other: tuple[Clip, Track]) -> None:
    calibration = CueCalibration(
        features={"face": Feature(centre=0.0, scale=1.0, weight=-1.0, genuine=[0.0])}, intercept=0.0, bound=0.3,
        share_marked=1.0, genuine_people=1, genuine_clips=1, synthetic_clips=1, population="made",
    )  # fmt: skip
    assert look([Identity(known, SETTINGS, calibration)], other[0], [other[1]])[0].llr == -0.3


def test_a_single_picture_is_compared_with_single_faces(known: Reference, tmp_path: Path) -> None:
    shipped = footage().heldout
    first = filmed(shipped, 200)[0]
    path = tmp_path / "a.png"
    Image.fromarray(next(open_clip(shipped.path).frames()).image).save(path)
    finding = look([Identity(known, SETTINGS)], open_clip(path), [Track(1, [first])])[0]
    assert finding.llr is not None
    assert set(finding.details) >= {"picture_face", "likeness"}
    assert finding.llr <= 0.2


def test_without_a_reference_it_abstains_and_says_so(person: tuple[Clip, Track]) -> None:
    finding = Identity().examine(person[0], [person[1]])[0]
    assert finding.llr is None
    assert "No reference was given" in (finding.abstained or "")
    assert Identity().examine(video(), [])[0].abstained


@pytest.mark.parametrize(
    "track",
    [
        Track(1, [face(landmarks_at(width=30), i) for i in range(20)]),
        Track(1, [face(landmarks_at(), i, yaw=60) for i in range(20)]),
        moving_track(3),
    ],
    ids=["small", "turned", "three frames"],
)
def test_abstains(known: Reference, track: Track) -> None:
    finding = Identity(known, SETTINGS).examine(video(), [track])[0]
    assert finding.llr is None
    assert "needs 4" in (finding.abstained or "")


def test_a_folder_of_too_few_faces_is_no_reference(tmp_path: Path) -> None:
    shipped = footage().actor_a
    with pytest.raises(FaceSetError, match="at least 12"):
        Reference.load(face_set(tmp_path / "few", shipped, filmed(shipped, 60)), SETTINGS)
    with pytest.raises(FaceSetError, match="likeness extract"):
        Reference.load(tmp_path, SETTINGS)


def test_drift_counts_faces_that_fall_out() -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.1, (24, 2))
    usual, another = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    steady = np.tile(usual, (24, 1)) + 0.02 * rng.normal(size=(24, 64))
    broken = steady.copy()
    broken[10:12] = another
    assert drift_of(steady, pose).max() < 0.2
    assert np.sort(drift_of(broken, pose))[-2:].min() > 0.5
    assert set(np.argsort(drift_of(broken, pose))[-2:]) == {10, 11}


def test_drift_that_pose_explains_is_none() -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.3, (24, 2))
    usual, turned = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    assert drift_of(usual + pose[:, :1] * turned, pose).max() < 1e-6


def test_a_swap_that_falls_out_flips(person: tuple[Clip, Track], tmp_path: Path) -> None:
    """Half a second of A's performance is given by B."""
    shipped, faces = footage(), [one for one in filmed(footage().heldout, 1) if one.frame < 75]
    mine, others = ([f.image for f in open_clip(c.path).frames(0, 3.0)] for c in (shipped.heldout, shipped.answer))
    cue = IdentityDrift(calibration=UNCALIBRATED)
    whole, mixed = (
        cue.examine(clip_of(tmp_path / f"{name}.mkv", images), [Track(1, faces)])[0]
        for name, images in (("whole", mine), ("mixed", mine[:30] + others[30:38] + mine[38:]))
    )
    assert mixed.details["flip"] > whole.details["flip"] + 1  # type: ignore[operator]
    assert whole.figure is not None
    assert "never compared" in whole.text


@pytest.mark.parametrize(
    ("track", "kind"),
    [(moving_track(8), "video"), (Track(1, [face(landmarks_at(width=40), i) for i in range(60)]), "video"),
     (moving_track(1), "picture")],
    ids=["few", "small", "picture"],
)  # fmt: skip
def test_drift_abstains(track: Track, kind: str) -> None:
    finding = IdentityDrift(calibration=UNCALIBRATED).examine(video(kind), [track])[0]  # type: ignore[arg-type]
    assert finding.llr is None
    assert finding.abstained
    assert IdentityDrift(calibration=UNCALIBRATED).examine(video(), [])[0].abstained


def test_a_flat_picture_gives_numbers(tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "a.mkv", [np.zeros_like(skin())] * 60)
    finding = IdentityDrift(calibration=UNCALIBRATED).examine(clip, [moving_track(60)])[0]
    assert all(np.isfinite(v) for v in finding.details.values() if isinstance(v, float))


def talking(seed: int, coupling: float, count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Six movements at 25 a second, of which nodding and the mouth go together by ``coupling``."""
    rng = np.random.default_rng(seed)
    moved = rng.normal(size=(count, 6))
    moved[:, 3] = coupling * moved[:, 1] + np.sqrt(1 - coupling**2) * moved[:, 3]
    return np.arange(count) / 25, moved


def test_habits_are_correlations_and_those_of_another_differ() -> None:
    habits = learned_habits([talking(seed, 0.9) for seed in range(3)], SETTINGS)
    assert habits is not None
    assert habits[0][np.flatnonzero(np.abs(habits[0]) > 0.7)].tolist() == [pytest.approx(0.9, abs=0.05)]
    same, another = (np.mean(habits_of(*talking(9, coupling), SETTINGS), axis=0) for coupling in (0.9, -0.9))
    far_same, far_other = (np.sqrt((((h - habits[0]) / habits[1]) ** 2).mean()) for h in (same, another))
    assert far_other > 3 * far_same
    assert learned_habits([talking(0, 0.9, count=60)], SETTINGS) is None


def test_a_short_sight_shows_no_habits() -> None:
    habits = learned_habits([talking(seed, 0.5) for seed in range(3)], SETTINGS)
    assert habits is not None
    assert np.isnan(habits_distance(moving_track(30).faces, habits, SETTINGS))
    assert np.isfinite(habits_distance(moving_track(200).faces, habits, SETTINGS))


def test_another_shape_is_far_and_an_unknown_pose_says_nothing() -> None:
    rng = np.random.default_rng(0)
    faces = moving_track(60).faces
    points = np.array([one.landmarks for one in faces], np.float64)
    shape = learned_shape(points, rng.normal(0, 3, (60, 2)), SETTINGS)
    assert shape is not None
    wide = []
    for one in faces:
        moved = one.landmarks.copy()
        moved[[31, 35], 0] += [-6, 6]
        wide.append(face(moved, one.frame))
    assert shape_distance(faces, shape, SETTINGS) < 0.5
    assert shape_distance(wide, shape, SETTINGS) > 3
    assert np.isnan(shape_distance([face(landmarks_at(), i, yaw=34.0) for i in range(20)], shape, SETTINGS))
    assert learned_shape(points[:10], rng.normal(0, 3, (10, 2)), SETTINGS) is None


@settings(max_examples=30)
@given(st.floats(0.3, 4), st.floats(-50, 50))
def test_shape_does_not_depend_on_size_or_place(factor: float, shift: float) -> None:
    faces = moving_track(40).faces
    points = np.array([one.landmarks for one in faces], np.float64)
    poses = np.column_stack([np.sin(np.arange(40)), np.cos(np.arange(40))])
    one = learned_shape(points, poses, SETTINGS)
    other_one = learned_shape(points * factor + shift, poses, SETTINGS)
    assert one is not None
    assert other_one is not None
    np.testing.assert_allclose(one.terms, other_one.terms, atol=1e-6)
