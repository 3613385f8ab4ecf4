"""A network is fitted on a folder of clips: cut once, split by person, and refused in one line where it cannot be."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from likeness.detect.datasets import Sample
from likeness.detect.fit_network import CROPS, FitNetworkSettings, cut_out, fit_network
from likeness.detect.networks.inputs import CROP, SEQUENCE
from likeness.detect.networks.stored import NetworkConfig, build, load, save
from likeness.detect.networks.training import TrainSettings
from likeness.errors import MissingDataError, ModelError
from likeness.faces.extract import ExtractSettings, extract
from likeness.footage import footage
from likeness.media.clip import open_clip


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Four pictures each of the two actors who are shipped."""
    folder, shipped = tmp_path_factory.mktemp("stills"), footage()
    found: dict[str, list[Path]] = {}
    for name, path in (("a", shipped.actor_a.path), ("b", shipped.actor_b.path)):
        frames = [frame.image for frame, _ in zip(open_clip(path).frames(), range(12), strict=False)][::3]
        for number, image in enumerate(frames):
            target = folder / f"{name}{number}.png"
            cv2.imwrite(str(target), image[:, :, ::-1])
            found.setdefault(name, []).append(target)
    return found


def samples(stills: dict[str, list[Path]]) -> list[Sample]:
    """As if every picture showed somebody else, half of them synthetic."""
    return [
        Sample(path, bool(number % 2), (f"{name}{number // 2}",), f"{name}{number // 2}", "made" if number % 2 else "")
        for name, paths in stills.items()
        for number, path in enumerate(paths)
    ]


def test_faces_are_cut_once_and_shorter_sequences_are_filled(stills: dict[str, list[Path]], tmp_path: Path) -> None:
    (example,) = cut_out(samples(stills)[:1], tmp_path, bursts=4)
    assert example.crops.shape == (SEQUENCE, CROP, CROP, 3)
    assert np.array_equal(example.crops[0], example.crops[-1])
    (stored,) = tmp_path.iterdir()
    before = stored.stat().st_mtime_ns
    cut_out(samples(stills)[:1], tmp_path, bursts=4)
    assert stored.stat().st_mtime_ns == before


def test_of_a_clip_consecutive_frames_are_taken(tmp_path: Path) -> None:
    sample = Sample(footage().heldout.path, False, ("a",), "a", "")
    examples = cut_out([sample], tmp_path, bursts=3)
    assert len(examples) == 3
    for example in examples:
        steps = np.abs(np.diff(example.crops.astype(float), axis=0)).mean((1, 2, 3))
        assert 0 < steps.max() < 12  # neighbours look alike


def test_a_face_set_in_the_place_of_a_clip_is_shown_alike(tmp_path: Path) -> None:
    clip = footage().heldout.path
    extract([clip], tmp_path / "faces", ExtractSettings(every=1))
    from_clip, from_set = (
        cut_out([Sample(path, False, ("a",), "a", "")], tmp_path / CROPS, bursts=2)
        for path in (clip, tmp_path / "faces")
    )
    middle = slice(CROP // 4, 3 * CROP // 4)  # a face set shows less around the face
    one, other = (rows[0].crops[0][middle, middle].astype(float) for rows in (from_clip, from_set))
    assert np.abs(one - other).mean() < 6


def test_what_cannot_be_opened_is_left_out(stills: dict[str, list[Path]], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.full((200, 200, 3), 127, np.uint8))
    given = [Sample(path, False, ("x",), "x", "") for path in (broken, empty, stills["a"][0])]
    assert len(cut_out(given, tmp_path / CROPS, bursts=2)) == 1


def test_a_fit_leaves_a_model_and_figures_of_test_people(stills: dict[str, list[Path]], tmp_path: Path) -> None:
    settings = FitNetworkSettings(train=TrainSettings(minutes=0.05, couples=1, validated=4, threads=1))
    config = fit_network("frames", samples(stills), tmp_path / "model", settings)
    assert config.validation_auc is not None
    network, _ = load(tmp_path / "model")
    assert network is not None
    told = json.loads((tmp_path / "model" / "test.json").read_text("utf-8"))
    assert told["sequences"] == 2
    assert told["auc"]["value"] in (0.0, 0.5, 1.0)


def test_too_few_people_are_refused(stills: dict[str, list[Path]], tmp_path: Path) -> None:
    two = [Sample(stills["a"][i], bool(i), ("one",), "one", "") for i in (0, 1)]
    with pytest.raises(MissingDataError, match="too few people"):
        fit_network("frames", two, tmp_path / "model")


def test_sequences_want_a_frame_network_before_anything_is_cut(stills: dict[str, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--pretrained"):
        fit_network("recurrent", samples(stills), tmp_path / "model")
    save(tmp_path / "pairs", build("pairs"), NetworkConfig(kind="pairs"))
    with pytest.raises(ModelError, match="no frame network"):
        fit_network("temporal", samples(stills), tmp_path / "model", FitNetworkSettings(pretrained=tmp_path / "pairs"))
    assert not (tmp_path / "model" / CROPS).exists()
