import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from likeness.cli_portrait import portrait_app
from likeness.errors import ConsentError, LikenessError, ModelError, SettingsError
from likeness.make import consent
from likeness.make.model import CONFIG, WEIGHTS
from likeness.make.portraits.directions import regressed
from likeness.make.portraits.model import PortraitModel, write_weights
from likeness.make.portraits.permission import CONSENTS, nobodys_record, record_behind, save_records, still_permitted
from likeness.make.portraits.sample import CLIP, GRID, SampleSettings, interpolated, sample
from likeness.make.portraits.sheet import grid
from likeness.make.portraits.traits import TRAITS, measure
from likeness.media.clip import open_clip
from likeness.prove.credentials import read
from likeness.prove.verify import verify


def test_a_seed_is_a_face_and_stays_that_face(fitted: Path):
    model = PortraitModel.load(fitted)
    faces = model.portraits([1, 2, -1, 2**40])
    assert np.array_equal(faces, PortraitModel.load(fitted).portraits([1, 2, -1, 2**40]))
    assert len({face.tobytes() for face in faces}) == 4


def test_truncation_draws_all_faces_into_one(fitted: Path):
    model = PortraitModel.load(fitted)
    assert len({face.tobytes() for face in model.portraits([1, 2, 3], truncation=0.0)}) == 1
    spread = [np.ptp(model.styles(model.latents([1, 2, 3]), psi).numpy(), axis=0).sum() for psi in (0.5, 1.0)]
    assert spread[0] == pytest.approx(spread[1] / 2, rel=1e-3)


def test_a_change_moves_the_style_along_its_direction(fitted: Path):
    model = PortraitModel.load(fitted)
    direction = torch.randn(16)
    write_weights(fitted / WEIGHTS, model.generator.state_dict(), {"smile": direction})
    model = PortraitModel.load(fitted)
    latents = model.latents([1])
    moved = model.styles(latents, traits={"smile": -2.0}) - model.styles(latents)
    assert torch.allclose(moved[0], -2 * direction, atol=0.05)
    with pytest.raises(SettingsError, match="smile"):
        model.styles(latents, traits={"wings": 1.0})


def test_pictures_are_labelled_and_name_the_record_behind_the_model(fitted: Path, tmp_path: Path):
    [first, second] = sample(tmp_path / "out", fitted, SampleSettings(seeds=(7, 8)))
    assert (first.name, second.name) == ("portrait_7.png", "portrait_8.png")
    with Image.open(first) as picture:
        assert picture.size == (256, 256)
    assert verify(first).watermark.state == "found"
    found = read(first)
    assert "trainedAlgorithmicMedia" in str(found.digital_source_types)
    assert PortraitModel.load(fitted).record.digest() in first.read_bytes().decode("latin-1")


def test_a_grid_and_a_clip_instead_of_a_picture_each(fitted: Path, tmp_path: Path):
    paths = sample(tmp_path / "out", fitted, SampleSettings(seeds=(1, 2, 3), as_grid=True, interpolate_s=0.4, side=64))
    assert [path.name for path in paths] == [GRID, CLIP]
    assert len(list(open_clip(paths[1]).frames())) == 10
    assert all(read(path).digital_source_types for path in paths)


def test_several_records_are_stood_for_by_one_about_nobody():
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    records = [
        nobodys_record(name, [digit * 64], now, now + dt.timedelta(days=days))
        for name, digit, days in (("A", "a", 10), ("B", "b", 5))
    ]
    assert record_behind(records[:1]) is records[0]
    joint = record_behind(records)
    assert joint.sources == tuple(record.digest() for record in records)
    assert (joint.kind, joint.valid_until) == ("synthetic", now + dt.timedelta(days=5))
    consent.verify_signature(joint)


def test_a_record_that_is_over_ends_the_model_behind_it(fitted: Path, tmp_path: Path):
    long_ago = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    save_records(fitted, [nobodys_record("Nobody", ["0" * 64], long_ago, long_ago + dt.timedelta(days=1))])
    with pytest.raises(ConsentError, match="expired"):
        sample(tmp_path / "out", fitted)
    for path in (fitted / CONSENTS).iterdir():
        path.unlink()
    with pytest.raises(ConsentError, match="no consent"):
        sample(tmp_path / "out", fitted)
    assert not (tmp_path / "out").exists()


@settings(max_examples=25)
@given(st.integers(2, 6), st.integers(2, 40))
def test_the_way_from_face_to_face_stays_as_long_as_latents_are(count: int, frames: int):
    latents = torch.randn(count, 64, generator=torch.Generator().manual_seed(count))
    way = interpolated(latents, frames)
    assert way.shape == (frames, 64)
    assert torch.allclose(way.norm(dim=1), torch.full((frames,), 8.0), atol=1e-3)
    assert torch.allclose(way[0], latents[0] / latents[0].norm() * 8, atol=1e-4)


def test_between_a_face_and_itself_nothing_moves():
    latents = torch.ones(2, 4)
    assert torch.allclose(interpolated(latents, 5), torch.ones(5, 4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"seeds": ()},
        {"truncation": -0.1},
        {"side": 8},
        {"traits": {"smile": float("nan")}},
        {"interpolate_s": 0.0},
        {"interpolate_s": 2.0, "seeds": (1,)},
    ],
)
def test_settings_that_make_no_sense(wrong: dict):
    with pytest.raises(SettingsError):
        SampleSettings(**wrong)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_damaged_model_is_named(fitted: Path, name: str):
    (fitted / name).write_text('{"format": 1}')
    with pytest.raises(ModelError):
        PortraitModel.load(fitted)


def test_a_model_of_a_later_version_is_refused(fitted: Path):
    (fitted / CONFIG).write_text('{"format": 99}')
    with pytest.raises(ModelError, match="newer"):
        PortraitModel.load(fitted)


def test_the_verb_takes_seeds_in_a_row(fitted: Path, tmp_path: Path):
    words = ["sample", "--model", str(fitted), "-o", str(tmp_path / "out"), "--side", "64", "--seeds", "3", "1", "4"]
    result = CliRunner().invoke(portrait_app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["portrait_1", "portrait_3", "portrait_4"]


@pytest.mark.parametrize(
    "words",
    [
        ["--count", "0"],
        ["--count", "2", "--seeds", "1"],
        ["--attribute", "smile"],
        ["--attribute", "smile=wide"],
        ["--model", "nowhere"],
    ],
)
def test_bad_words_give_one_line(tmp_path: Path, words: list[str]):
    with pytest.raises(LikenessError):
        CliRunner().invoke(portrait_app, ["sample", "-o", str(tmp_path / "o"), *words], catch_exceptions=False)


def test_the_shipped_model_makes_faces_and_rests_on_nobody():
    model = PortraitModel.load()
    assert model.size == 64
    assert set(model.changes) == set(TRAITS)
    assert [record.kind for record in model.records] == ["synthetic"]
    still_permitted(model.records)
    traits = measure(model.portraits(list(range(20)), truncation=0.8))
    assert np.isfinite(traits).all(1).mean() >= 0.9  # the landmark network takes them for faces
    turned = measure(model.portraits(list(range(20)), 0.8, {"yaw": 2.0}))
    assert np.nanmean(turned[:, 2] - traits[:, 2]) > 3  # degrees to the image's right


def test_directions_part_traits_that_come_together():
    rng = np.random.default_rng(0)
    traits = rng.standard_normal((400, 2))
    traits[:, 1] += traits[:, 0]  # they come together
    true = np.array([[1.0, 0, 0], [0, 2.0, 0]])
    styles = traits / traits.std(0) @ true + 0.01 * rng.standard_normal((400, 3))
    assert np.allclose(regressed(styles, traits), true, atol=0.02)


def test_traits_of_a_picture_without_a_face_are_unknown():
    blank = np.full((2, 64, 64, 3), 128, np.uint8)
    traits = measure(blank)
    assert traits.shape == (2, len(TRAITS))
    assert np.isnan(traits).all()


def test_a_grid_holds_every_face_in_order():
    faces = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30)])
    sheet = grid(faces, columns=2)
    assert sheet.shape == (10, 10, 3)
    assert (sheet[:4, :4] == 10).all()
    assert (sheet[:4, 6:] == 20).all()
    assert (sheet[6:, :4] == 30).all()
