import logging
import shutil

import numpy as np
import pytest
from composed_faces import compose
from PIL import Image

from likeness.errors import BadMediaError, FaceSetError, NoFaceError, SettingsError
from likeness.faces import extract as extract_module
from likeness.faces.align import COVERAGE, TEMPLATE
from likeness.faces.extract import ExtractSettings, extract
from likeness.faces.faceset import CROP_SIZE, FaceSet
from likeness.files import sha256_of

COLUMNS = [
    *("file", "source", "frame", "time_s", "track", "x0", "y0", "x1", "y1"),
    *("confidence", "yaw", "pitch", "roll", "quality", "landmarks"),
]


@pytest.fixture(scope="module")
def clips(tmp_path_factory, frames_a, head_a, head_b, write_clip):
    """Two short clips with the same stem: one actor, and two people side by side."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "other").mkdir()
    single = write_clip(folder / "take.mp4", (frame.image for frame in frames_a[:8]))
    both = compose([(head_a, (180.0, 180.0)), (head_b, (460.0, 180.0))])
    return [single, write_clip(folder / "other" / "take.mp4", (both for _ in range(6)))]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory, clips, finder):
    folder = tmp_path_factory.mktemp("faces") / "set"
    extract(clips, folder, finder=finder)
    return folder


@pytest.fixture
def folder(tmp_path, extracted):
    """A copy of the extracted set that a test may spoil."""
    shutil.copytree(extracted, tmp_path / "set")
    return tmp_path / "set"


def test_rows_pictures_and_metadata(folder, clips):
    faces = FaceSet.load(folder)
    assert faces.rows.column_names == COLUMNS
    assert len(faces) == 8 + 2 * 6
    assert faces.sources == {str(clip): sha256_of(clip) for clip in clips}
    names = faces.rows.column("file").to_pylist()
    assert len(set(names)) == len(names)
    assert names[0].startswith("take_000000_")
    crops = faces.crops()
    assert crops.shape == (20, CROP_SIZE, CROP_SIZE, 3)
    assert crops.dtype == np.uint8
    assert faces.crops(64).shape == (20, 64, 64, 3)
    assert faces.landmarks.shape == (20, 68, 2)
    square = CROP_SIZE * (TEMPLATE * COVERAGE + (1 - COVERAGE) / 2)
    assert np.abs(faces.landmarks_in_crop - square).mean() < 0.05 * CROP_SIZE
    assert (folder / "sheet.png").is_file()
    with Image.open(folder / names[0]) as picture:
        assert picture.format == "JPEG"
        assert picture.layer[0][1:3] == (1, 1)  # no chroma subsampling


def test_deleted_pictures_are_gone_and_stay_gone(folder, clips, finder):
    names = FaceSet.load(folder).rows.column("file").to_pylist()
    (folder / names[3]).unlink()
    (folder / names[12]).unlink()
    kept = FaceSet.load(folder)
    assert kept.rows.column("file").to_pylist() == [name for row, name in enumerate(names) if row not in (3, 12)]
    assert len(kept.crops()) == len(kept.landmarks) == 18
    assert len(extract(clips, folder, finder=finder)) == 18


def test_a_source_without_faces_left_is_no_source(folder, clips):
    faces = FaceSet.load(folder)
    for row in faces.rows.to_pylist():
        if row["source"] == str(clips[0]):
            (folder / row["file"]).unlink()
    assert list(FaceSet.load(folder).sources) == [str(clips[1])]


def test_foreign_files_are_named_once_and_ignored(folder, caplog):
    Image.new("RGB", (40, 40)).save(folder / "holiday.png")
    (folder / "notes.txt").write_text("mine")
    with caplog.at_level(logging.WARNING):
        assert len(FaceSet.load(folder)) == 20
    assert [record.getMessage() for record in caplog.records if "holiday.png" in record.getMessage()]
    assert len(caplog.records) == 1


def test_an_edited_or_broken_picture_is_named(folder):
    names = FaceSet.load(folder).rows.column("file").to_pylist()
    (folder / names[0]).write_bytes(b"not a picture")
    with pytest.raises(FaceSetError, match=names[0]):
        FaceSet.load(folder).crops()
    Image.new("RGB", (40, 40)).save(folder / names[0])
    with pytest.raises(FaceSetError, match="resized"):
        FaceSet.load(folder).crops()


def test_what_is_no_face_set_is_refused(tmp_path, folder):
    with pytest.raises(FaceSetError, match="not a face set"):
        FaceSet.load(tmp_path / "nowhere")
    for row in FaceSet.load(folder).rows.to_pylist():
        (folder / row["file"]).unlink()
    with pytest.raises(FaceSetError, match="no faces any more"):
        FaceSet.load(folder)
    (folder / "faces.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(FaceSetError, match="damaged"):
        FaceSet.load(folder)


def test_finished_clips_are_not_done_again(folder, clips, finder, monkeypatch):
    monkeypatch.setattr(extract_module, "Tracker", None)  # would fail if any clip were tracked
    assert len(extract(clips, folder, finder=finder)) == 20


def test_an_interrupt_loses_nothing(tmp_path, clips, finder, monkeypatch):
    """Ctrl-C in the middle of the second clip: what was done is there, the rest follows, and nothing is done twice."""
    saved = []
    save = extract_module._save_crop

    def interrupted(path, crop):
        saved.append(path.name)
        if len(saved) == 8 + 5:
            raise KeyboardInterrupt
        save(path, crop)

    monkeypatch.setattr(extract_module, "_save_crop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(clips, tmp_path / "set", finder=finder)
    assert len(FaceSet.load(tmp_path / "set")) >= 8 + 4
    saved.clear()
    monkeypatch.setattr(extract_module, "_save_crop", lambda path, crop: (saved.append(path.name), save(path, crop)))
    faces = extract(clips, tmp_path / "set", finder=finder)
    rows = faces.rows.to_pylist()
    assert sorted((row["source"], row["frame"]) for row in rows) == sorted(
        [(str(clips[0]), frame) for frame in range(8)] + [(str(clips[1]), frame) for frame in range(6)] * 2
    )
    assert len(saved) <= 8


def test_other_settings_and_changed_clips_are_refused(folder, clips, finder, tmp_path, write_clip, frames_a):
    with pytest.raises(FaceSetError, match="other settings"):
        extract(clips, folder, ExtractSettings(every=2), finder)
    with pytest.raises(FaceSetError, match="no face set"):
        extract(clips, tmp_path.parent, finder=finder)
    clip = write_clip(tmp_path / "a.mp4", (frame.image for frame in frames_a[:2]))
    extract([clip], tmp_path / "changing", finder=finder)
    write_clip(clip, (frame.image for frame in frames_a[:3]))
    with pytest.raises(FaceSetError, match="has changed"):
        extract([clip], tmp_path / "changing", finder=finder)


def test_every_and_quality(tmp_path, clips, finder):
    thin = extract(clips[:1], tmp_path / "thin", ExtractSettings(every=3), finder)
    assert thin.rows.column("frame").to_pylist() == [0, 3, 6]
    with pytest.raises(NoFaceError):
        extract(clips[:1], tmp_path / "perfect", ExtractSettings(min_quality=1.0), finder)
    with pytest.raises(SettingsError):
        ExtractSettings(every=0)


def test_pictures_are_sources_too(tmp_path, head_a, head_b, finder):
    Image.fromarray(compose([(head_a, (180.0, 180.0)), (head_b, (460.0, 180.0))])).save(tmp_path / "two.png")
    faces = extract([tmp_path / "two.png"], tmp_path / "set", finder=finder)
    assert sorted(faces.rows.column("track").to_pylist()) == [0, 1]


def test_no_face_and_no_clip_are_one_line(tmp_path, finder):
    Image.new("RGB", (200, 200), (90, 90, 90)).save(tmp_path / "empty.png")
    with pytest.raises(NoFaceError) as error:
        extract([tmp_path / "empty.png"], tmp_path / "set", finder=finder)
    assert "\n" not in str(error.value)
    with pytest.raises(BadMediaError):
        extract([tmp_path / "missing.mp4"], tmp_path / "other", finder=finder)
    with pytest.raises(SettingsError):
        extract([], tmp_path / "other", finder=finder)
