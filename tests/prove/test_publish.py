"""Publishing: marked, fingerprinted, signed and recorded together, or not at all."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from likeness.errors import BadMediaError, LikenessError, SettingsError, StorageError
from likeness.files import sha256_of
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.media.writer import write_clip
from likeness.prove.credentials import read
from likeness.prove.home import home
from likeness.prove.ledger import Ledger
from likeness.prove.publish import PublishedMark, mark_file
from likeness.prove.seconds import locate
from likeness.prove.store import Store
from likeness.prove.watermark.read import read_clip, read_picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(next(open_clip(footage().heldout.path).frames(1.0)).image).save(path)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of an actor, 384 × 384, without sound, mark or credentials."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 384
        stream.pix_fmt = "yuv420p"
        for frame in open_clip(footage().heldout.path).frames(0.0, 2.0):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_is_marked_signed_and_recorded(photo: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    work = mark_file(photo, out, title="A title")
    assert read_picture(np.asarray(Image.open(out).convert("RGB"))).mark_id == work.mark_id
    found = read(out)
    assert (found.state, found.title, found.mark_id) == ("trusted", "A title", work.mark_id)
    assert found.digital_source_types == [], "publishing says nothing of how a picture came to be"
    kept = Store().find_by_sha256(sha256_of(out))
    assert kept is not None
    assert (kept.mark_id, kept.origin, kept.kind) == (work.mark_id, "published", "picture")
    assert [match.work.mark_id for match in Store().find_picture(np.asarray(Image.open(photo)))] == [work.mark_id]
    assert [line.entry.kind for line in Ledger().find(work.sha256)] == ["published"]


def test_a_clip_keeps_its_rate_and_lists_its_seconds(clip: Path, tmp_path: Path) -> None:
    work = mark_file(clip, tmp_path / "marked.mp4")
    marked = open_clip(tmp_path / "marked.mp4")
    assert marked.frame_rate == Fraction(25)
    assert read_clip(marked).mark_id == work.mark_id
    assert work.hash_list is not None
    assert locate(marked, work.hash_list).intact
    assert read(tmp_path / "marked.mp4").seconds is not None
    assert len(work.fingerprints) == 2


def test_what_is_marked_is_not_marked_again(photo: Path, tmp_path: Path) -> None:
    work = mark_file(photo, tmp_path / "once.png")
    with pytest.raises(SettingsError, match=str(work.mark_id)):
        mark_file(tmp_path / "once.png", tmp_path / "twice.png")
    assert not (tmp_path / "twice.png").exists()


def test_bad_input_gets_one_line_and_leaves_nothing(photo: Path, make_file, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:300])
    Image.new("RGB", (300, 8)).save(tmp_path / "low.png")
    cases = [
        (make_file("sound.wav"), "out.wav", BadMediaError),
        (tmp_path / "broken.png", "out.png", BadMediaError),
        (tmp_path / "low.png", "out.png", BadMediaError),
        (photo, "out.bmp", SettingsError),
        (photo, "photo.png", SettingsError),
    ]
    for source, name, error in cases:
        before = {path.name for path in tmp_path.iterdir()}
        with pytest.raises(error) as caught:
            mark_file(source, tmp_path / name)
        assert "\n" not in str(caught.value)
        assert {path.name for path in tmp_path.iterdir()} == before


def test_nothing_leaves_where_the_store_cannot_be_used(photo: Path, tmp_path: Path) -> None:
    home().mkdir(parents=True, exist_ok=True)
    (home() / "store.sqlite").write_bytes(b"not a database" * 500)
    with pytest.raises(StorageError):
        mark_file(photo, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()
    assert (home() / "store.sqlite").read_bytes() == b"not a database" * 500


def test_a_mark_that_cannot_be_read_back_is_said_and_the_work_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    work = mark_file(path, tmp_path / "out.png")
    assert "cannot be read back" in caplog.text
    assert Store().get(str(work.mark_id)) is not None


def test_a_publication_is_one_work(clip: Path, tmp_path: Path) -> None:
    """A labelling that wrote one file cannot seal a second one under the same identifier."""
    labelling = PublishedMark(clip)
    frames = list(open_clip(clip).frames(0.0, 0.4))
    write_clip(tmp_path / "a.mp4", frames, frame_rate=Fraction(25), sound=None, labelling=labelling)
    with pytest.raises(LikenessError):
        write_clip(tmp_path / "b.mp4", frames, frame_rate=Fraction(25), sound=None, labelling=labelling)
    assert not (tmp_path / "b.mp4").exists()
