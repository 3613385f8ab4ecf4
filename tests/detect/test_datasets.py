"""Layouts as their makers hand them out, and splits in which nobody is on two sides."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.detect.datasets import Sample, Split, SplitSettings, groups, read_samples, split, write_samples
from likeness.errors import MissingDataError, SettingsError
from likeness.faces.faceset import SCHEMA, write_table

PARTS = ("train", "validate", "test")


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def by_name(samples: Sequence[Sample]) -> dict[str, Sample]:
    return {sample.path.stem: sample for sample in samples}


def nodes(samples: Sequence[Sample]) -> set[tuple[str, str]]:
    return {("source", s.source) for s in samples} | {("person", p) for s in samples for p in s.people}


def faceforensics(root: Path) -> None:
    touch(root, *(f"original_sequences/youtube/c23/videos/{i:03d}.mp4" for i in range(4)))
    for method in ("Deepfakes", "NeuralTextures"):
        pairs = ("000_001", "001_000", "002_003", "003_002")
        touch(root, *(f"manipulated_sequences/{method}/c23/videos/{pair}.mp4" for pair in pairs))
    touch(root, "original_sequences/youtube/c40/videos/000.mp4")
    touch(root, "original_sequences/actors/c23/videos/01__kitchen_pan.mp4")
    touch(root, "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__kitchen_pan__YVGY8LOK.mp4")


def test_faceforensics_pairs_a_fake_with_its_original(tmp_path: Path) -> None:
    faceforensics(tmp_path)
    samples = read_samples([tmp_path])
    assert len(samples) == 4 + 8 + 2, "one compression only"
    fake = next(s for s in samples if s.path.stem == "000_001" and s.manipulation == "Deepfakes")
    assert fake.synthetic
    assert fake.people == ("ff++ youtube 000", "ff++ youtube 001")
    assert fake.source == by_name(samples)["000"].source
    assert not by_name(samples)["000"].synthetic
    acted, original = by_name(samples)["01_02__kitchen_pan__YVGY8LOK"], by_name(samples)["01__kitchen_pan"]
    assert acted.source == original.source
    assert acted.people == ("ff++ actor 01", "ff++ actor 02")


def test_faceforensics_keeps_its_official_split(tmp_path: Path) -> None:
    faceforensics(tmp_path)
    touch(tmp_path, *(f"splits/{name}.json" for name in ("train", "val", "test")))
    (tmp_path / "splits/train.json").write_text("[]")
    (tmp_path / "splits/val.json").write_text('[["000", "001"]]')
    (tmp_path / "splits/test.json").write_text('[["002", "003"]]')
    parts = split(read_samples([tmp_path]))
    assert {s.path.stem for s in parts.validate} >= {"000", "001", "000_001", "001_000"}
    assert {s.path.stem for s in parts.test} >= {"002", "003", "002_003", "003_002"}
    (tmp_path / "splits/test.json").write_text('{"002": "003"}')
    with pytest.raises(SettingsError, match="pairs"):
        read_samples([tmp_path])


def test_celeb_df(tmp_path: Path) -> None:
    touch(tmp_path, "Celeb-real/id0_0000.mp4", "Celeb-real/id1_0003.mp4", "YouTube-real/00170.mp4")
    touch(tmp_path, "Celeb-synthesis/id0_id1_0000.mp4")
    (tmp_path / "List_of_testing_videos.txt").write_text(
        "1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id9_id8_0001.mp4\n"
    )
    found = by_name(read_samples([tmp_path]))
    assert found["id0_id1_0000"].source == found["id0_0000"].source
    assert found["id0_id1_0000"].people == ("celeb-df id0", "celeb-df id1")
    assert found["id1_0003"].people == ("celeb-df id1",)
    assert [sample.part for sample in found.values()].count("test") == 1
    assert found["00170"].part == "test"


def test_dfdc_tells_originals_and_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    for part in ("dfdc_train_part_0", "dfdc_train_part_1"):
        touch(tmp_path, f"{part}/{part}a.mp4", f"{part}/{part}b.mp4")
        labels = {
            f"{part}a.mp4": {"label": "REAL", "split": "train"},
            f"{part}b.mp4": {"label": "FAKE", "split": "train", "original": f"{part}a.mp4"},
            "gone.mp4": {"label": "FAKE", "original": "x.mp4"},
        }
        (tmp_path / part / "metadata.json").write_text(json.dumps(labels))
    samples = read_samples([tmp_path])
    assert [s.synthetic for s in samples] == [False, True, False, True]
    assert samples[0].source == samples[1].source != samples[2].source
    assert samples[0].people != samples[2].people


def test_plain_folders_and_face_sets(tmp_path: Path) -> None:
    touch(tmp_path, "genuine/ada/take1.mp4", "genuine/eve-hello.png", "synthetic/ada/bob/take1-swapped.mp4")
    touch(tmp_path, "synthetic/notes.txt", "synthetic/.hidden.mp4")
    faces = tmp_path / "synthetic/ada/take2__light"
    faces.mkdir()
    write_table(faces, SCHEMA.empty_table(), [], {})
    touch(faces, "take2_000000_0.jpg")
    samples = read_samples([tmp_path])
    found = by_name(samples)
    assert len(samples) == 4
    assert found["take1-swapped"].people == ("ada", "bob")
    assert found["take1-swapped"].source == found["take1"].source
    assert found["eve-hello"].people == ("eve",)
    assert found["take2__light"].path == faces
    assert found["take2__light"].source == "ada/take2"


def test_a_table_says_it_all(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "clips/b.mp4")
    (tmp_path / "samples.csv").write_text(
        "path,synthetic,people,source,manipulation,part\na.mp4,0,ada,,,train\nclips/b.mp4,fake,ada; bob,a,swap,\n"
    )
    genuine, fake = read_samples([tmp_path])
    assert genuine == Sample(tmp_path / "a.mp4", False, ("ada",), "a", "", "train")
    assert fake == Sample(tmp_path / "clips/b.mp4", True, ("ada", "bob"), "a", "swap")
    assert read_samples([tmp_path / "samples.csv"]) == [genuine, fake]


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("a.mp4,perhaps", SettingsError, "line 2"),
        ("b.mp4,1", MissingDataError, "there is no clip"),
        (",1", MissingDataError, "line 2"),
        ("a.mp4", SettingsError, "line 2"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, error: type[Exception], said: str) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "samples.csv").write_text(f"path,synthetic\n{line}\n")
    with pytest.raises(error, match=said):
        read_samples([tmp_path])


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no folder"):
        read_samples([tmp_path / "none"])
    with pytest.raises(MissingDataError, match="no layout"):
        read_samples([tmp_path])
    (tmp_path / "genuine").mkdir()
    with pytest.raises(MissingDataError, match="holds no clip"):
        read_samples([tmp_path])
    touch(tmp_path, "genuine/a.mp4")
    with pytest.raises(MissingDataError, match="only one kind"):
        read_samples([tmp_path])
    (tmp_path / "samples.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SettingsError, match="text"):
        read_samples([tmp_path])
    (tmp_path / "samples.csv").unlink()
    touch(tmp_path, "more/metadata.json")
    for wrong in ("{", '{"a.mp4": {}}'):
        (tmp_path / "more/metadata.json").write_text(wrong)
        with pytest.raises(SettingsError, match=r"metadata\.json"):
            read_samples([tmp_path / "more"])


@st.composite
def datasets(draw: st.DrawFn) -> list[Sample]:
    person = st.sampled_from([f"p{i}" for i in range(12)])
    samples = []
    for number in range(draw(st.integers(1, 40))):
        people = tuple(draw(st.lists(person, max_size=3)))
        source = draw(st.one_of(st.just(f"s{number}"), st.sampled_from([f"s{i}" for i in range(8)])))
        part = draw(st.sampled_from([None, None, None, *PARTS]))
        samples.append(Sample(Path(f"{number}.mp4"), draw(st.booleans()), people, source, "", part))
    return samples


@given(datasets(), st.integers(0, 3), st.booleans(), st.sampled_from([0.0, 0.15, 1.0]))
def test_no_person_and_no_source_is_on_two_sides(
    samples: list[Sample], seed: int, official: bool, largest: float
) -> None:
    parts = split(samples, SplitSettings(seed=seed, official=official, largest_group=largest))
    sides = [nodes(side) for side in (parts.train, parts.validate, parts.test)]
    for one in range(3):
        for other in range(one):
            assert not sides[one] & sides[other]
    everything = [*parts.train, *parts.validate, *parts.test, *parts.left_out]
    assert sorted(str(s.path) for s in everything) == sorted(str(s.path) for s in samples)
    if largest == 1.0 and not official:
        assert not parts.left_out, "groups that are kept together lose nothing"
    assert split(list(reversed(samples)), SplitSettings(seed=seed, official=official, largest_group=largest)) == Split(
        *(tuple(reversed(side)) for side in (parts.train, parts.validate, parts.test, parts.left_out))
    )


def swapped_pairs(count: int) -> list[Sample]:
    samples = []
    for i in range(count):
        people = (f"p{i}a", f"p{i}b")
        samples += [Sample(Path(f"{p}.mp4"), False, (p,), p, "") for p in people]
        samples.append(Sample(Path(f"{i}.mp4"), True, people, people[0], "swap"))
    return samples


def test_shares_come_out_right() -> None:
    parts = split(swapped_pairs(100))
    assert (len(parts.train), len(parts.validate), len(parts.test)) == (210, 45, 45)
    assert not parts.left_out
    assert split(swapped_pairs(100), SplitSettings(seed=1)).test != parts.test


@pytest.mark.parametrize("seed", range(8))
def test_a_large_group_is_for_training(seed: int) -> None:
    actors = [f"a{i}" for i in range(10)]
    acted = [Sample(Path(f"{p}{q}.mp4"), True, (p, q), f"{p}{q}", "") for p in actors for q in actors if p < q]
    filmed = [Sample(Path(f"{p}.mp4"), False, (p,), p, "") for p in actors]
    parts = split([*swapped_pairs(34), *acted, *filmed], SplitSettings(seed=seed))
    assert len(parts.validate) == pytest.approx(0.15 * 157, abs=3)
    assert set(acted) <= set(parts.train)


def test_few_people_still_reach_every_part() -> None:
    parts = split(swapped_pairs(3))
    assert all(len({s.synthetic for s in side}) == 2 for side in (parts.train, parts.validate, parts.test))


def test_where_everybody_is_swapped_with_everybody_people_are_divided() -> None:
    people = [f"id{i}" for i in range(20)]
    genuine = [Sample(Path(f"{p}.mp4"), False, (p,), p, "") for p in people]
    fakes = [Sample(Path(f"{p}{q}.mp4"), True, (p, q), p, "swap") for p in people for q in people if p != q]
    parts = split([*genuine, *fakes])
    for side in (parts.train, parts.validate, parts.test):
        assert {s.synthetic for s in side} == {True, False}
    assert len(parts.train) > len(parts.validate)
    assert parts.left_out
    assert all(sample.synthetic for sample in parts.left_out)
    assert len(set(groups([*genuine, *fakes]))) == 20


def test_the_written_table_gives_the_same_split(tmp_path: Path) -> None:
    samples = [
        Sample(tmp_path / s.path.name, s.synthetic, s.people, s.source, s.manipulation) for s in swapped_pairs(12)
    ]
    touch(tmp_path, *(sample.path.name for sample in samples))
    parts = split(samples)
    write_samples(tmp_path / "parts" / "samples.csv", parts)
    again = split(read_samples([tmp_path / "parts"]))
    for part in PARTS:
        assert {s.path for s in getattr(again, part)} == {s.path for s in getattr(parts, part)}


def test_shares_that_make_no_sense() -> None:
    with pytest.raises(SettingsError):
        SplitSettings(validate=0.6, test=0.4)
