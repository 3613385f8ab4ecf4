from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from likeness.errors import BadMediaError, ConsentError, ModelError, NoFaceError, SettingsError
from likeness.faces.align import TEMPLATE, alignment, apply, warp
from likeness.faces.hull import hull_mask
from likeness.faces.tracker import Tracker
from likeness.files import sha256_of
from likeness.footage import footage
from likeness.make.approval import approval_sheet
from likeness.make.blend import Blend
from likeness.make.colour import Match
from likeness.make.composite import Made, face_mask, look, put_back
from likeness.make.consent import new_consent, save, sign
from likeness.make.consent_face import BoundFace
from likeness.make.fit import CROP, view_matrix
from likeness.make.follow import FacePath, Placed
from likeness.make.model import WEIGHTS, ModelConfig, SideRecord, SwapModel, centre_crops, write_config, write_tensors
from likeness.make.model_seal import seal
from likeness.make.recipes import recipe_for
from likeness.make.resume import Workspace
from likeness.make.swap import Swapper, SwapSettings, swap_clip
from likeness.media.clip import open_clip
from likeness.media.frame import Frame
from likeness.media.writer import SoundTrack, write_clip, write_picture
from likeness.prove.credentials import read
from likeness.prove.verify import verify

RATE = Fraction(25)
FACE_OF_B = BoundFace.of(np.eye(1, 128)[0], "recogniser-1", 0.5)


class _Unlabelled:
    """Stands in for camera footage: the input of a swap carries no label."""

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        return image

    def metadata(self) -> dict[str, str]:
        return {}

    def seal(self, path: Path, destination: Path) -> None:
        """Nothing to seal."""


def _scenery(index: int, height: int = 120, width: int = 160) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x + index, y + 2 * index, (x + y) // 2], axis=2).astype(np.uint8)


def _frames(count: int) -> list[Frame]:
    return [Frame(_scenery(index), index / 25, index) for index in range(count)]


def _landmarks(x: float, y: float, width: float) -> np.ndarray:
    return TEMPLATE.astype(np.float64) * width + (x, y)


def _path(first: int, count: int) -> FacePath:
    points = [_landmarks(40 + index, 30, 60) for index in range(count)]
    matrices = np.stack([alignment(landmarks, CROP) for landmarks in points])
    inside = np.stack([apply(matrix, landmarks) for matrix, landmarks in zip(matrices, points, strict=True)])
    return FacePath(np.arange(first, first + count), matrices, inside, samples=())


@pytest.fixture
def footage_of_b(tmp_path: Path) -> Path:
    path = tmp_path / "b.mp4"
    write_clip(path, _frames(3), frame_rate=RATE, sound=None, labelling=_Unlabelled())
    return path


@pytest.fixture
def model(tmp_path: Path, footage_of_b: Path) -> Path:
    """A model that has learnt nothing yet, of the face in ``footage_of_b``."""
    folder, recipe = tmp_path / "model", recipe_for("light")
    torch.manual_seed(0)
    write_tensors(folder / WEIGHTS, recipe.build().state_dict())
    side_a = SideRecord(sources={"a.mp4": "0" * 64}, faces=1, digest="")
    side_b = SideRecord(sources={"b.mp4": sha256_of(footage_of_b)}, faces=1, digest="")
    config = ModelConfig(
        arch="light", size=recipe.size, coverage=recipe.coverage, iterations=0, heldout_error=None,
        sides={"a": side_a, "b": side_b}, versions={},
    )  # fmt: skip
    write_config(folder, config)
    seal(folder)
    return folder


@pytest.fixture
def consent(tmp_path: Path, footage_of_b: Path) -> Path:
    path = tmp_path / "b.consent.json"
    record = new_consent("B", [footage_of_b], purpose="a test", face=FACE_OF_B, kind="synthetic")
    save(sign(record, Ed25519PrivateKey.generate()), path)
    return path


def test_consent_is_asked_for_before_anything_else(tmp_path: Path, model: Path, consent: Path) -> None:
    """The clip is not even there, and still it is the consent that is missing."""
    out = tmp_path / "out.mp4"
    with pytest.raises(ConsentError, match=r"a\.mp4"):
        swap_clip(tmp_path / "absent.mp4", model, consent, out, SwapSettings(direction="b2a"))
    with pytest.raises(ConsentError):
        swap_clip(tmp_path / "absent.mp4", model, tmp_path / "absent.json", out)
    unsigned = tmp_path / "unsigned.json"
    save(new_consent("B", [tmp_path / "b.mp4"], purpose="a test", face=FACE_OF_B), unsigned)
    with pytest.raises(ConsentError, match="not signed"):
        swap_clip(tmp_path / "absent.mp4", model, unsigned, out)
    assert not out.exists()


def test_a_missing_clip_or_model_is_one_line(tmp_path: Path, model: Path, consent: Path) -> None:
    for error, clip, folder in ((BadMediaError, "absent.mp4", model), (ModelError, "b.mp4", tmp_path / "absent")):
        with pytest.raises(error) as raised:
            swap_clip(tmp_path / clip, folder, consent, tmp_path / "out.mp4")
        assert str(raised.value).count("\n") == 0


def test_a_clip_without_a_face_is_refused_in_one_line(
    tmp_path: Path, model: Path, consent: Path, footage_of_b: Path
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"an earlier result")
    with pytest.raises(NoFaceError, match="No face") as raised:
        swap_clip(footage_of_b, model, consent, out)
    assert str(raised.value).count("\n") == 0
    assert out.read_bytes() == b"an earlier result"


def test_what_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, model: Path, consent: Path, footage_of_b: Path
) -> None:
    with pytest.raises(SettingsError, match=r"\.mp4"):
        swap_clip(footage_of_b, model, consent, tmp_path / "out.avi")
    with pytest.raises(SettingsError, match="overwrite"):
        swap_clip(footage_of_b, model, consent, footage_of_b)
    picture = tmp_path / "picture.png"
    write_picture(picture, _scenery(0), labelling=_Unlabelled())
    with pytest.raises(SettingsError, match=r"\.png"):
        swap_clip(picture, model, consent, tmp_path / "out.mp4")


def test_frames_without_a_face_pass_and_the_rest_is_swapped(model: Path) -> None:
    swapper = Swapper(SwapModel.load(model), [_path(3, 4)], SwapSettings(batch=3))
    frames = _frames(10)
    written = list(swapper.frames(iter(frames)))
    assert [frame.index for frame in written] == list(range(10))
    assert [frame.time_s for frame in written] == [frame.time_s for frame in frames]
    changed = [not np.array_equal(old.image, new.image) for old, new in zip(frames, written, strict=True)]
    assert changed == [3 <= index < 7 for index in range(10)]
    assert (swapper.seen, swapper.swapped) == (10, 4)


def test_two_faces_in_a_frame_are_both_swapped(model: Path) -> None:
    far = _path(0, 1)
    right = _landmarks(95, 40, 50)
    matrix = alignment(right, CROP)
    near = FacePath(np.arange(1), matrix[None], apply(matrix, right)[None], samples=())
    [both] = Swapper(SwapModel.load(model), [far, near], SwapSettings(mask="hull")).frames(_frames(1))
    different = np.abs(both.image.astype(int) - _scenery(0)).max(axis=2) > 3
    assert different[40:70, 55:85].any()
    assert different[50:80, 105:135].any()


def test_batches_change_nothing(model: Path) -> None:
    loaded = SwapModel.load(model)
    one, many = (
        np.stack(
            [frame.image for frame in Swapper(loaded, [_path(0, 6)], SwapSettings(batch=batch)).frames(_frames(6))]
        )
        for batch in (1, 4)
    )
    assert np.abs(one.astype(int) - many).max() <= 3  # sums in another order


@pytest.mark.parametrize("blend", get_args(Blend))
@pytest.mark.parametrize("match", get_args(Match))
def test_a_face_put_back_where_it_came_from_changes_nothing(match: str, blend: str) -> None:
    frame = _scenery(0)
    landmarks = _landmarks(45, 25, 70)
    matrix = alignment(landmarks, CROP)
    view = 0.78125
    image = centre_crops(warp(frame, matrix, CROP)[None], 128, view)[0].astype(np.float32) / 255
    made = Made(image, np.ones((128, 128), np.float32))
    placed, settings = frame.copy(), SwapSettings(match=match, blend=blend)
    place = Placed(matrix, apply(matrix, landmarks), np.eye(2, 3))
    put_back(placed, look(frame, place, made, view, settings), settings)
    assert np.abs(placed.astype(int) - frame).max() <= 4


def test_the_view_is_the_one_the_model_sees() -> None:
    crop = np.rint(np.indices((CROP, CROP)).sum(0)[:, :, None] / 2 * np.ones(3)).astype(np.uint8)
    seen = centre_crops(crop[None], 128, 0.75)[0]
    points = np.array([[30.0, 40.0], [100.0, 90.0]])
    for x, y in points:
        at = np.linalg.inv(np.vstack([view_matrix(128, 0.75), (0, 0, 1)])) @ (x, y, 1)
        assert abs(float(seen[int(y), int(x), 0]) - (at[0] + at[1]) / 2) <= 1


def test_the_mask_is_the_networks_and_holds_the_frames_own_eyes_and_brows() -> None:
    landmarks = _landmarks(14, 24, 100)
    network = np.zeros((128, 128), np.float32)
    network[70:100, 40:80] = 1
    mask = face_mask(network, landmarks, "network")
    columns, rows = np.rint(landmarks[[19, 24, 37, 44, 30]]).astype(int).T
    assert mask[rows + 1, columns].min() > 0.5
    assert mask[70:100, 40:80].min() == 1
    assert mask[120, 64] == 0
    assert face_mask(network, landmarks, "both")[118, 64] == 1
    unlearnt = face_mask(np.ones_like(network), landmarks, "network", learnt=False)
    assert np.array_equal(unlearnt, hull_mask(landmarks, (128, 128)))


def test_an_interrupt_leaves_neither_output_nor_temporary(tmp_path: Path, model: Path) -> None:
    class Interrupted(SwapModel):
        def swap(self, crops: np.ndarray, direction: str) -> tuple[np.ndarray, np.ndarray]:
            raise KeyboardInterrupt

    swapper = Swapper(Interrupted.load(model), [_path(2, 4)], SwapSettings(batch=2))
    folder = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt):
        write_clip(folder / "out.mp4", swapper.frames(_frames(8)), frame_rate=RATE, sound=None, labelling=_Unlabelled())
    assert list(folder.iterdir()) == []


@pytest.fixture
def speaking(tmp_path: Path) -> Path:
    """Eight frames of the held-out take with a face, shown at uneven times, with half a second of sound."""
    path = tmp_path / "speaking.mp4"
    frames = [frame for frame, _ in zip(open_clip(footage().heldout.path).frames(), range(8), strict=False)]
    uneven = [Frame(frame.image, frame.index * 0.04 + 0.02 * (frame.index % 3), frame.index) for frame in frames]
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000).astype(np.float32)
    write_clip(path, uneven, frame_rate=RATE, sound=SoundTrack(tone, 48_000), labelling=_Unlabelled())
    return path


def test_a_swapped_clip_keeps_times_size_and_sound(tmp_path: Path, model: Path, consent: Path, speaking: Path) -> None:
    result = swap_clip(speaking, model, consent, tmp_path / "out.mp4")
    assert (result.frames, result.swapped) == (8, 8)
    before, after = open_clip(speaking), open_clip(result.path)
    assert (after.width, after.height) == (before.width, before.height)
    times = [[frame.time_s for frame in clip.frames()] for clip in (before, after)]
    assert np.allclose(*times, atol=1e-3)
    loudness = [np.sqrt(np.mean(np.concatenate(list(clip.samples(1))) ** 2)) for clip in (before, after)]
    lengths = [sum(len(block) for block in clip.samples(1)) / 48_000 for clip in (before, after)]
    assert loudness[1] == pytest.approx(loudness[0], rel=0.05)
    assert lengths[1] == pytest.approx(lengths[0], abs=0.04)


def test_a_swapped_clip_is_labelled_and_differs_only_there_and_in_the_face(
    tmp_path: Path, model: Path, consent: Path, speaking: Path
) -> None:
    out = tmp_path / "out.mp4"
    swap_clip(speaking, model, consent, out, SwapSettings(mask="hull"))
    before, after = (next(iter(open_clip(path).frames())).image.astype(int) for path in (speaking, out))
    changed = np.abs(after - before).max(axis=2) > 24
    assert changed[: changed.shape[0] // 8, -changed.shape[1] // 6 :].any()  # the label, top right
    assert changed[150:260, 120:260].any()  # the face
    assert changed[-40:].mean() < 0.01  # re-encoding alone
    assert read(out).state != "absent"


def test_a_picture_is_swapped_into_a_picture(tmp_path: Path, model: Path, consent: Path, speaking: Path) -> None:
    picture = tmp_path / "picture.png"
    write_picture(picture, next(iter(open_clip(speaking).frames())).image, labelling=_Unlabelled())
    result = swap_clip(picture, model, consent, tmp_path / "out.png")
    assert (result.frames, result.swapped) == (1, 1)
    assert open_clip(result.path).kind == "picture"


def test_a_part_is_written_with_its_sound_and_swapped_only_where_asked(
    tmp_path: Path, model: Path, consent: Path, speaking: Path
) -> None:
    """Frames 2 to 6 of eight (shown 0.12 to 0.26 s): the face is another in the second half of them alone."""
    settings = SwapSettings(mask="hull", detail=False, start_s=0.12, end_s=0.28, only=((0.2, 0.4),))
    result = swap_clip(speaking, model, consent, tmp_path / "out.mp4", settings)
    part, out = open_clip(speaking).cut(0.12, 0.28), open_clip(result.path)
    before, after = list(part.frames()), list(out.frames())
    assert np.allclose([frame.time_s for frame in after], [frame.time_s for frame in before], atol=1e-3)
    assert len(after) == result.frames > result.swapped > 0
    for old, new in zip(before, after, strict=True):
        changed = np.abs(new.image.astype(int) - old.image)[150:260, 120:260].mean() > 8
        assert changed == (old.time_s + 0.12 >= 0.2 - 1e-6)
    lengths = [sum(len(block) for block in clip.samples(1)) / 48_000 for clip in (part, out)]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.04)


def test_an_interrupted_swap_goes_on_where_it_stopped(
    tmp_path: Path, model: Path, consent: Path, speaking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, out = SwapSettings(batch=2, detail=False), tmp_path / "results" / "out.mp4"
    decoded: list[int] = []
    decode = SwapModel.swap

    def stopping(self: SwapModel, crops: np.ndarray, direction: str) -> tuple[np.ndarray, np.ndarray]:
        decoded.append(len(crops))
        if len(decoded) == stop_at:
            raise KeyboardInterrupt
        return decode(self, crops, direction)

    monkeypatch.setattr(SwapModel, "swap", stopping)
    stop_at = 4  # the first call fits the face on the head, then come batches of two frames
    with pytest.raises(KeyboardInterrupt):
        swap_clip(speaking, model, consent, out, settings)
    kept = tmp_path / "results" / ".out.mp4.swap"
    assert [path.name for path in out.parent.iterdir()] == [kept.name]
    assert {path.suffix for path in kept.iterdir()} == {".npz"}, "numbers and crops, no footage"
    decoded.clear()
    stop_at = 99
    swap_clip(speaking, model, consent, out, settings)
    assert sum(decoded[1:]) == 4, "of eight faces four were made before"
    assert [path.name for path in out.parent.iterdir()] == ["out.mp4"]


def test_faces_that_were_kept_give_the_same_frames(tmp_path: Path, model: Path) -> None:
    loaded, settings = SwapModel.load(model), SwapSettings(batch=2)
    workspace = Workspace(tmp_path / "out.mp4", "clip", "model")

    def frames(workspace: Workspace | None) -> np.ndarray:
        return np.stack([one.image for one in Swapper(loaded, [_path(1, 5)], settings, workspace).frames(_frames(7))])

    alone, first, again = frames(None), frames(workspace), frames(workspace)
    assert np.array_equal(alone, first)
    assert np.array_equal(first, again)
    (workspace.folder / "made-model-000001.npz").write_bytes(b"cut off")
    assert np.array_equal(frames(workspace), first)
    assert Workspace(tmp_path / "out.mp4", "clip", "other").folder == workspace.folder
    assert list(workspace.folder.iterdir()) == [], "what was kept for another swap is thrown away"


def test_a_sequence_of_pictures_goes_in_and_comes_out(
    tmp_path: Path, model: Path, consent: Path, speaking: Path
) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for frame in open_clip(speaking).cut(0, 0.1).frames():
        Image.fromarray(frame.image).save(pictures / f"{frame.index}.png")
    count = len(list(pictures.iterdir()))
    with pytest.raises(SettingsError, match="--fps"):
        swap_clip(pictures, model, consent, out, SwapSettings(sequence="exr"))
    settings = SwapSettings(sequence="exr", frame_rate=RATE, detail=False)
    result = swap_clip(pictures, model, consent, out, settings)
    assert (result.frames, result.swapped) == (count, count)
    for path in out.glob("*.exr"):
        found = verify(path)
        assert found.credentials.state == "trusted"
        assert found.watermark.known
        assert not found.contradictions
    with pytest.raises(SettingsError, match="already"):
        swap_clip(pictures, model, consent, out, settings)


def test_the_sheet_comes_first_and_the_faces_are_found_once(
    tmp_path: Path, model: Path, consent: Path, speaking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, sheet = tmp_path / "out.mp4", tmp_path / "sheet.png"
    assert approval_sheet(speaking, model, consent, out, sheet, SwapSettings(), rows=3) == 3
    assert open_clip(sheet).width > 1000
    assert not out.exists()
    monkeypatch.setattr(Tracker, "update", None)
    assert swap_clip(speaking, model, consent, out).swapped == 8
    with pytest.raises(SettingsError, match="png"):
        approval_sheet(speaking, model, consent, out, tmp_path / "sheet.jpg")
