from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.errors import BadMediaError, NoFaceError
from likeness.faces.finder import FaceFinder
from likeness.faces.identity import recogniser
from likeness.faces.select import reference_face
from likeness.footage import Footage
from likeness.media.clip import open_clip


@pytest.fixture(scope="module")
def frames(shipped: Footage) -> dict[str, np.ndarray]:
    clips = {"a": shipped.actor_a, "a again": shipped.heldout, "b": shipped.actor_b}
    return {name: next(open_clip(clip.path).frames(1.0)).image for name, clip in clips.items()}


def _saved(folder: Path, image: np.ndarray) -> Path:
    path = folder / f"{abs(hash(image.tobytes()))}.png"
    Image.fromarray(image).save(path)
    return path


def test_one_person_is_nearer_to_themselves(tmp_path: Path, frames: dict[str, np.ndarray], finder: FaceFinder) -> None:
    seen = {name: reference_face(_saved(tmp_path, image), recogniser(), finder) for name, image in frames.items()}
    assert np.linalg.norm(seen["a"]) == pytest.approx(1, abs=1e-4)
    assert seen["a"] @ seen["a again"] > seen["a"] @ seen["b"]


def test_a_reference_shows_exactly_one_face(tmp_path: Path, frames: dict[str, np.ndarray], finder: FaceFinder) -> None:
    both = _saved(tmp_path, np.hstack([frames["a"], frames["b"]]))
    with pytest.raises(NoFaceError, match="2 faces"):
        reference_face(both, recogniser(), finder)
    with pytest.raises(NoFaceError, match="No face"):
        reference_face(_saved(tmp_path, np.full((120, 160, 3), 128, np.uint8)), recogniser(), finder)
    with pytest.raises(BadMediaError):
        reference_face(tmp_path / "absent.png", recogniser(), finder)
