"""Ground truth on disk: small, exact enough, and refused with one line where it is something else."""

from pathlib import Path

import numpy as np
import pytest

from likeness.actors.performance import perform
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.shot import Part, Shot
from likeness.actors.truth import Truth, TruthRecorder
from likeness.errors import BadMediaError

SIZE = 256


def recorded(count: int = 6) -> tuple[Truth, list[Shot]]:
    """Truth of shots with a face-shaped patch; the recorder only reads their arrays."""
    rng = np.random.default_rng(0)
    performance = perform(None, count / 25, 1)
    person = Person("nobody", 1, (0.0,) * 40)
    recorder = TruthRecorder(person, Scene(), performance, (SIZE, SIZE))
    shots = []
    for index in range(count):
        parts = np.zeros((SIZE, SIZE), np.uint8)
        parts[60:200, 80:180] = Part.FACE
        parts[90:100, 100:120] = Part.EYES
        landmarks = rng.uniform(-20, 300, (68, 2)).astype(np.float32)
        shots.append(
            Shot(
                image=np.zeros((SIZE, SIZE, 3), np.uint8),
                landmarks=landmarks,
                landmark_visible=rng.random(68) < 0.7,
                parts=parts,
                depth_cm=np.full((SIZE, SIZE), 90.0, np.float32),
                head=performance.head[index],
            )
        )
        recorder.add(shots[-1])
    return recorder.truth(), shots


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    truth, shots = recorded()
    truth.save(tmp_path / "take.npz")
    loaded = Truth.load(tmp_path / "take.npz")
    assert (loaded.actor, loaded.size, loaded.frame_rate) == ("nobody", (SIZE, SIZE), 25)
    assert np.abs(loaded.landmarks - np.stack([shot.landmarks for shot in shots])).max() <= 1 / 64
    assert np.array_equal(loaded.landmark_visible, np.stack([shot.landmark_visible for shot in shots]))
    assert np.array_equal(loaded.viseme, truth.viseme)
    assert np.array_equal(loaded.times_s, truth.times_s)
    assert np.abs(loaded.head - truth.head).max() < 0.02
    assert np.abs(loaded.expression - truth.expression).max() < 1e-3
    assert np.array_equal(loaded.lights, truth.lights)
    assert np.allclose(np.linalg.norm(loaded.lights[:, :3], axis=1), 1.0)


def test_part_masks_are_small_on_disk_and_of_the_frames_size_in_use() -> None:
    truth, _ = recorded()
    assert truth.parts.shape == (6, 128, 128)
    face = truth.part_mask(0, Part.FACE, Part.EYES)
    assert face.shape == (SIZE, SIZE)
    assert face[130, 130] == 1.0
    assert face[20, 20] == 0.0
    assert abs(face.sum() - 140 * 100) < 0.03 * 140 * 100


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "take.npz"
    path.write_bytes(content)
    with pytest.raises(BadMediaError, match="not the ground truth") as refusal:
        Truth.load(path)
    assert "\n" not in str(refusal.value)


def test_an_npz_of_something_else_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", about=np.array("{}"), times_s=np.arange(3))
    with pytest.raises(BadMediaError):
        Truth.load(tmp_path / "other.npz")
    with pytest.raises(BadMediaError):
        Truth.load(tmp_path / "missing.npz")
