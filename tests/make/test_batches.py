from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.errors import FaceSetError
from likeness.faces.align import TEMPLATE
from likeness.make.batches import MIN_FACES, SplitSettings, draw_batch, face_parts, load_faces, split_by_time

CPU = torch.device("cpu")


@given(
    seconds=st.lists(st.floats(0.4, 30), min_size=1, max_size=3),
    rate=st.sampled_from([5, 25, 30]),
    share=st.sampled_from([0.05, 0.1, 0.25]),
)
@settings(max_examples=40, deadline=None)
def test_held_out_time_never_touches_learnt_time(seconds: list[float], rate: int, share: float):
    sources = [f"clip{number}" for number, length in enumerate(seconds) for _ in range(max(10, int(length * rate)))]
    times_s = np.concatenate([np.arange(max(10, int(length * rate))) / rate for length in seconds])
    split = SplitSettings(share=share)
    learnt, heldout = split_by_time(sources, times_s, split)
    assert len(learnt) > 0
    assert len(heldout) > 0
    assert not set(learnt) & set(heldout)
    long_enough = sum(int(length) for length in seconds) >= 1.5 / share
    if long_enough:
        assert len(heldout) < 2.5 * share * len(sources)
        gaps = [
            abs(times_s[one] - times_s[other]) for one in heldout for other in learnt if sources[one] == sources[other]
        ]
        assert min(gaps, default=1.0) >= split.guard_s


def test_held_out_faces_come_in_whole_blocks():
    times_s = np.arange(300) / 25
    _, heldout = split_by_time(["clip"] * 300, times_s, SplitSettings())
    assert np.all(np.diff(heldout) == 1)
    assert len(heldout) == 25


def test_single_pictures_are_held_out_too():
    learnt, heldout = split_by_time([f"{number}.jpg" for number in range(20)], np.zeros(20), SplitSettings())
    assert len(heldout) == 2
    assert len(learnt) == 18


def test_layers_mark_face_eyes_and_mouth():
    size = 64
    mask, weight = face_parts(TEMPLATE * size * 0.625 + size * 0.1875, size).astype(float)
    middle, corner = (slice(7, 9), slice(7, 9)), (0, 0)
    assert mask[middle].min() == 255
    assert mask[corner] == weight[corner] == 0
    eye = tuple(np.round((TEMPLATE[36:42].mean(0)[::-1] * 0.625 + 0.1875) * 16 - 0.5).astype(int))
    assert weight[eye] > 2 * weight[12, 8] > 0  # the eye counts more than the chin


def test_faces_are_read_with_their_record(make_face_set: Callable[..., Path]):
    folder = make_face_set("anna", (210, 150, 120))
    faces = load_faces(folder, 64, CPU)
    assert faces.crops.colours.shape == (24, 3, 64, 64)
    assert faces.crops.parts.shape == (24, 2, 16, 16)
    assert faces.record.faces == 24
    assert set(faces.record.sources) == {"anna.mp4"}


def test_deleting_a_face_changes_the_digest_and_little_else(make_face_set: Callable[..., Path]):
    folder = make_face_set("anna")
    before = load_faces(folder, 64, CPU)
    (folder / "003.png").unlink()
    (folder / "holiday.jpg").write_bytes(b"not a face")
    after = load_faces(folder, 64, CPU)
    assert after.record.faces == before.record.faces - 1
    assert after.record.digest != before.record.digest
    assert after.record.sources == before.record.sources


def test_too_few_faces_are_refused_in_one_line(make_face_set: Callable[..., Path]):
    folder = make_face_set("anna", count=MIN_FACES - 1)
    with pytest.raises(FaceSetError, match=f"{MIN_FACES - 1} faces.*at least {MIN_FACES}") as refusal:
        load_faces(folder, 64, CPU)
    assert "\n" not in str(refusal.value)


def test_batches_hold_learnt_faces_only(make_face_set: Callable[..., Path]):
    faces = load_faces(make_face_set("anna"), 64, CPU)
    drawn = draw_batch(faces, 50, torch.Generator().manual_seed(0))
    kept = [faces.crops.colours[index] for index in faces.learnt]
    assert all(any(torch.equal(face, other) for other in kept) for face in drawn.colours)
