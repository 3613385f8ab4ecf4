"""The networks that come with the package are whole, small, and answer the same however they are asked."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from likeness.detect.networks.inputs import CROP, SEQUENCE
from likeness.detect.networks.shipped import FILES, ShippedNetworks
from likeness.errors import ModelError
from likeness.faces.align import aligned_crop
from likeness.faces.tracker import track_faces
from likeness.footage import footage
from likeness.media.clip import open_clip

MOST_BYTES = 40 * 2**20


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Five consecutive faces of a shipped actor."""
    clip = open_clip(footage().heldout.path)
    track = max(track_faces(clip.cut(0.0, 0.4)), key=lambda one: len(one.faces))
    frames = {frame.index: frame.image for frame in clip.cut(0.0, 0.4).frames()}
    return np.stack([aligned_crop(frames[f.frame], f.landmarks, CROP, 0.5) for f in track.faces[:SEQUENCE]])


def test_all_weights_together_are_small() -> None:
    with resources.as_file(resources.files("likeness.weights")) as folder:
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.suffix not in (".py", ".md")}
    assert set(FILES.values()) <= set(sizes)
    assert sum(sizes.values()) <= MOST_BYTES


@pytest.mark.parametrize("kind", FILES)
def test_each_answers_with_a_finite_number_and_always_the_same(kind: str, crops: np.ndarray) -> None:
    first, again = (ShippedNetworks().logit(kind, crops) for _ in range(2))
    assert np.isfinite(first)
    assert first == again
    assert abs(first) < 40


def test_a_frame_and_its_parts_agree(crops: np.ndarray) -> None:
    networks = ShippedNetworks()
    where, maps = networks.see_frame(crops[0])
    assert where.shape == (7, 7)
    assert maps.shape[1:] == (7, 7)
    assert networks.logit("frames", crops[:1]) == pytest.approx(float(where.mean()))


@pytest.mark.parametrize("kind", FILES)
def test_missing_and_damaged_weights_are_told_in_one_line(kind: str, crops: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing or damaged"):
        ShippedNetworks(tmp_path).logit(kind, crops)
    for name in FILES.values():
        (tmp_path / name).write_bytes(b"no network")
    with pytest.raises(ModelError, match="missing or damaged"):
        ShippedNetworks(tmp_path).logit(kind, crops)
