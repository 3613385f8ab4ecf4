"""Face sets of drawn faces: two 'people' who differ in colour and turn their heads over time."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from likeness.faces.align import TEMPLATE, aligned_crop
from likeness.faces.face import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE, Face
from likeness.faces.faceset import SCHEMA, Source, row_of, write_table
from likeness.faces.hull import face_outline

FRAME = 160  # pixels


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small networks gain nothing from more threads, and on a busy machine threads wait for one another."""
    torch.set_num_threads(1)


def drawn_face(colour: tuple[int, int, int], turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A frame uint8 (160, 160, 3) and the landmarks float32 (68, 2) of the flat face in it; ``turn`` in [-1, 1]."""
    landmarks = TEMPLATE * 80 + 40
    inner = slice(17, 68)
    landmarks[inner, 0] += 5 * turn
    frame = np.full((FRAME, FRAME, 3), 90, np.uint8)
    cv2.fillConvexPoly(frame, face_outline(landmarks, 0.2).astype(np.int32), colour)
    for part in (RIGHT_EYE, LEFT_EYE, OUTER_LIPS, INNER_LIPS):
        cv2.fillConvexPoly(frame, landmarks[part].astype(np.int32), (40, 20 * part.start // 4, 30))
    return frame, landmarks.astype(np.float32)


@pytest.fixture
def make_face_set(tmp_path: Path) -> Callable[..., Path]:
    """``make_face_set(name, colour, count)``: a face set folder of a drawn clip at 10 frames a second."""

    def make(name: str, colour: tuple[int, int, int] = (200, 150, 120), count: int = 24) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = []
        for index in range(count):
            frame, landmarks = drawn_face(colour, float(np.sin(index / 3)))
            Image.fromarray(aligned_crop(frame, landmarks, 256)).save(folder / f"{index:03}.png")
            box = (*landmarks.min(0).tolist(), *landmarks.max(0).tolist())
            face = Face(index, index / 10, box, landmarks, 1.0, 0.0, 0.0, 0.0, 1.0)
            rows.append(row_of(face, 0, f"{index:03}.png", f"{name}.mp4"))
        source = Source(f"{name}.mp4", name.encode().hex().ljust(64, "0"), name)
        write_table(folder, pa.Table.from_pylist(rows, schema=SCHEMA), [source], {})
        return folder

    return make
