"""The label: on every frame, large enough, signed and recorded, or there is no output."""

import json
from collections.abc import Iterator
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.errors import BadMediaError, CredentialError, LikenessError, SettingsError, StorageError
from likeness.files import sha256_of
from likeness.footage import footage
from likeness.make import consent
from likeness.make.consent_face import BoundFace
from likeness.make.label import LabelSettings, SyntheticLabel, labelled
from likeness.media.clip import open_clip
from likeness.media.frame import Frame
from likeness.media.writer import WriterSettings, write_clip, write_picture
from likeness.prove.credentials import read, read_detached
from likeness.prove.home import home
from likeness.prove.identity import identity_folder, local_identity
from likeness.prove.ledger import Ledger
from likeness.prove.store import Store
from likeness.prove.watermark.read import read_clip


def _frames(count: int = 20, height: int = 180, width: int = 320) -> Iterator[Frame]:
    """Moving noise over a changing level: nothing that could pass for a label."""
    rng = np.random.default_rng(0)
    for index in range(count):
        image = rng.integers(0, 80, (height, width, 3), dtype=np.uint8) + np.uint8(150 * (index % 2))
        yield Frame(image, index / 25, index)


def _write(path: Path, label: SyntheticLabel, crf: int = 23) -> None:
    settings = WriterSettings(crf=crf, preset="veryfast")
    write_clip(path, _frames(), frame_rate=Fraction(25), sound=None, labelling=label, settings=settings)


def _likeness_to_label(image: np.ndarray) -> float:
    """Correlation of the top right corner with the label drawn on mid grey, in [-1, 1]."""
    reference = labelled(np.full_like(image, 128))
    rows, columns = np.nonzero((reference != 128).any(axis=2))
    place = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 1]
    return float(np.corrcoef(image[place].ravel(), reference[place].ravel())[0, 1])


@pytest.mark.parametrize(("crf", "least"), [(23, 0.9), (35, 0.8)])
def test_every_frame_of_a_written_clip_carries_it(tmp_path: Path, crf: int, least: float) -> None:
    _write(tmp_path / "out.mp4", SyntheticLabel("swap"), crf)
    frames = list(open_clip(tmp_path / "out.mp4").frames())
    assert len(frames) == 20
    assert min(_likeness_to_label(frame.image) for frame in frames) > least
    assert max(abs(_likeness_to_label(frame.image)) for frame in _frames()) < 0.3, "the measure must know noise from it"


@given(height=st.integers(16, 700), width=st.integers(16, 700), level=st.integers(0, 255))
@example(height=19, width=32, level=0)  # so low that a margin pushed the label into the lower half
@settings(max_examples=60, deadline=None)
def test_letters_are_tall_enough_bright_on_dark_and_top_right(height: int, width: int, level: int) -> None:
    image = np.full((height, width, 3), level, np.uint8)
    drawn = labelled(image)[..., 0]
    assert (image == level).all(), "the frame given must stay as it was"
    letters = labelled(np.zeros_like(image))[..., 0] > 128
    rows, columns = np.nonzero(letters)
    assert rows.max() - rows.min() + 1 >= 0.05 * min(height, width)
    plate = (labelled(np.full_like(image, 255))[..., 0] < 60) & ~letters
    assert drawn[letters].mean() - drawn[plate].mean() > 120
    rows, columns = np.nonzero(plate)
    assert columns.min() + columns.max() >= width - 1, "in the right half"
    assert rows.min() + rows.max() <= height + 1, "in the upper half"


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (8, 8), (16, 16), (4320, 7680)])
def test_any_size_is_labelled(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 128, np.uint8)
    drawn = labelled(image)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (drawn != image).any()


def test_it_cannot_be_made_too_small_or_switched_off() -> None:
    for height in (0.0, 0.049, -1.0, 0.5, float("nan")):
        with pytest.raises(SettingsError):
            LabelSettings(height=height)
    names = {field.name for kind in (SyntheticLabel, LabelSettings, WriterSettings) for field in fields(kind)}
    assert not [name for name in names if any(word in name for word in ("skip", "enable", "visible", "label", "sign"))]


def test_the_written_clip_is_signed_and_recorded(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    _write(source, SyntheticLabel("actor"))
    face = BoundFace.of(np.eye(1, 128)[0], "recogniser-1", 0.5)
    new = consent.new_consent("Actor", [source], purpose="a test", face=face)
    record = consent.sign(new, consent.make_key(tmp_path / "key.pem"))
    _write(tmp_path / "out.mp4", SyntheticLabel("swap", source=source, model="model-1", consent=record))
    found = read(tmp_path / "out.mp4")
    assert found.state == "trusted"
    assert found.actions == ["c2pa.opened", "c2pa.edited", "c2pa.watermarked.bound"]
    assert found.digital_source_types == ["compositeWithTrainedAlgorithmicMedia"]
    assert [(part.title, part.state) for part in found.ingredients] == [("source.mp4", "trusted")]
    assert found.provenance["consent_sha256"] == record.digest()
    assert "Actor" not in found.model_dump_json(), "only the digest of the record may leave"
    (line,) = Ledger().find(sha256_of(tmp_path / "out.mp4"))
    assert line.entry.path == str(tmp_path / "out.mp4")
    assert (line.entry.kind, line.entry.model, line.entry.signer) == ("swap", "model-1", local_identity().name)
    assert (line.entry.source_sha256, line.entry.consent_sha256) == (sha256_of(source), record.digest())


def test_container_tags_say_so_to_people_and_machines(tmp_path: Path) -> None:
    label = SyntheticLabel("portrait")
    _write(tmp_path / "out.mp4", label)
    with av.open(str(tmp_path / "out.mp4")) as container:
        tags = dict(container.metadata)
    assert tags["comment"].startswith("AI: portrait generated")
    assert json.loads(tags["AIGC"])["Label"] == "1"
    assert json.loads(tags["AIGC"])["ProduceID"] == label.identifier


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures_are_labelled_and_signed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_picture(path, next(_frames()).image, labelling=SyntheticLabel("portrait"))
    assert read(path).digital_source_types == ["trainedAlgorithmicMedia"]
    assert read(path).state == "trusted"
    assert _likeness_to_label(np.asarray(Image.open(path))) > 0.9


def _damage_identity(tmp_path: Path) -> None:
    local_identity()
    (identity_folder() / "signer.pem").write_text("garbage")


def _damage_ledger(tmp_path: Path) -> None:
    Ledger().lines()
    (home() / "ledger.sqlite").write_text("garbage" * 1000)


def _damage_store(tmp_path: Path) -> None:
    (home() / "store.sqlite").write_text("garbage" * 1000)


def _remove_source(tmp_path: Path) -> None:
    (tmp_path / "source.mp4").unlink()


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (_damage_identity, CredentialError),
        (_damage_ledger, StorageError),
        (_damage_store, StorageError),
        (_remove_source, BadMediaError),
    ],
)
def test_nothing_is_written_where_any_step_fails(tmp_path: Path, damage, error: type[LikenessError]) -> None:
    _write(tmp_path / "source.mp4", SyntheticLabel("actor"))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "out.mp4").write_bytes(b"what was there before")
    damage(tmp_path)
    with pytest.raises(error):
        _write(folder / "out.mp4", SyntheticLabel("swap", source=tmp_path / "source.mp4"))
    assert [child.name for child in folder.iterdir()] == ["out.mp4"]
    assert (folder / "out.mp4").read_bytes() == b"what was there before"


def test_stripped_and_encoded_anew_it_is_still_known(tmp_path: Path) -> None:
    """What MAKE writes is recognised after its metadata is gone, at crf 30."""
    frames = list(open_clip(footage().heldout.path).frames(0.0, 1.0))
    label = SyntheticLabel("swap", source=footage().heldout.path)
    write_clip(tmp_path / "out.mp4", frames, frame_rate=Fraction(25), sound=None, labelling=label)
    with av.open(str(tmp_path / "copy.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "30"})
        stream.width = stream.height = 384
        stream.pix_fmt = "yuv420p"
        for frame in open_clip(tmp_path / "out.mp4").frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        container.mux(stream.encode(None))
    assert read(tmp_path / "copy.mp4").state == "absent"
    reading = read_clip(open_clip(tmp_path / "copy.mp4"))
    assert reading.mark_id == label.publication.mark_id
    work = Store().get(str(reading.mark_id))
    assert work is not None
    assert (work.origin, work.label, work.source_type) == ("swap", "AI", "compositeWithTrainedAlgorithmicMedia")
    assert work.manifest is not None
    assert read_detached(work.manifest).state == "trusted"
