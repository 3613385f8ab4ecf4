from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_media import number_in, numbered
from PIL import Image

from likeness.errors import BadMediaError, CredentialError, SettingsError, StorageError
from likeness.media.frame import Frame
from likeness.media.sequence import TIMING, open_sequence, write_sequence


@dataclass
class Noted:
    """Labels nothing, but notes what passes it; ``refuse`` names the step at which it fails."""

    refuse: str = ""
    drawn: list[float] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    finished: list[tuple[Path, Path]] = field(default_factory=list)

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        self.drawn.append(time_s)
        return image

    def metadata(self) -> dict[str, str]:
        return {"comment": "seen"}

    def seal(self, path: Path, destination: Path) -> None:
        if self.refuse == destination.name:
            raise CredentialError("refused")
        assert path.is_file()
        self.sealed.append(destination.name)

    def finish(self, folder: Path, destination: Path) -> None:
        if self.refuse == "finish":
            raise StorageError("refused")
        assert (folder / TIMING).is_file()
        self.finished.append((folder, destination))


def _frames(count: int = 12) -> list[Frame]:
    return [Frame(numbered(index), index / 25, index) for index in range(count)]


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_a_written_sequence_is_read_as_the_same_clip(tmp_path: Path, kind: str) -> None:
    label = Noted()
    write_sequence(tmp_path / "out", iter(_frames()), kind=kind, frame_rate=Fraction(25), labelling=label)
    names = [f"{index:06}.{kind}" for index in range(12)]
    assert label.sealed == names
    assert label.drawn == [index / 25 for index in range(12)]
    assert [destination for _, destination in label.finished] == [tmp_path / "out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*names, TIMING]
    clip = open_sequence(tmp_path / "out")
    assert (clip.kind, clip.frame_rate, clip.frame_count, clip.has_sound) == ("video", 25, 12, False)
    read = list(clip.frames())
    assert [number_in(frame.image) for frame in read] == list(range(12))
    assert np.array_equal(read[3].image, numbered(3))
    assert [round(frame.time_s * 25) for frame in clip.cut(0.16, 0.32).frames()] == [0, 1, 2, 3]


@pytest.mark.parametrize("step", ["000005.png", "finish"])
def test_a_refusal_leaves_nothing(tmp_path: Path, step: str) -> None:
    with pytest.raises((CredentialError, StorageError)):
        write_sequence(tmp_path / "out", _frames(), kind="png", frame_rate=Fraction(25), labelling=Noted(refuse=step))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def stopped() -> object:
        yield from _frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sequence(tmp_path / "out", stopped(), kind="png", frame_rate=Fraction(25), labelling=Noted())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(SettingsError, match="already"):
        write_sequence(folder, _frames(), kind="png", frame_rate=Fraction(25), labelling=Noted())
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    with pytest.raises(BadMediaError):
        write_sequence(tmp_path / "none", [], kind="png", frame_rate=Fraction(25), labelling=Noted())
    assert not (tmp_path / "none").exists()


def test_pictures_come_in_the_order_of_their_numbers_and_in_one_size(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        Image.fromarray(numbered(number, width=128 if number < 10 else 64)).save(tmp_path / f"shot_{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = list(open_sequence(tmp_path, Fraction(24)).frames())
    assert [number_in(frame.image) for frame in frames] == [1, 2, 10]
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    assert [frame.time_s for frame in frames] == [0, 1 / 24, 2 / 24]


def test_what_is_no_sequence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadMediaError, match="no pictures"):
        open_sequence(tmp_path, Fraction(25))
    with pytest.raises(BadMediaError, match="cannot be read"):
        open_sequence(tmp_path / "absent", Fraction(25))
    Image.fromarray(numbered(1)).save(tmp_path / "1.png")
    with pytest.raises(SettingsError, match="--fps"):
        open_sequence(tmp_path)
    (tmp_path / "0.png").write_bytes(b"#EXTM3U\n")
    with pytest.raises(BadMediaError):
        open_sequence(tmp_path, Fraction(25))
