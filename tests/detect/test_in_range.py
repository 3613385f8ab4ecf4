"""Drawings, stills, tiny, blurred and averted faces are out of range; people are not."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_faces import SIZE, face, landmarks_at, skin, video
from PIL import Image, ImageDraw

from likeness.detect.in_range import RangeNote, RangeSettings, change, is_drawn, note_range, reason_out_of_range
from likeness.faces.face import LEFT_EYE, OUTER_LIPS, RIGHT_EYE, Face, Track
from likeness.faces.finder import FaceFinder
from likeness.faces.landmarks import LandmarkModel
from likeness.faces.tracker import Tracker
from likeness.footage import footage
from likeness.media.clip import open_clip

SETTINGS = RangeSettings()
LANDMARKS = landmarks_at()


def drawing_by_cv2() -> np.ndarray:
    """A plain cartoon: flat skin, hair, eyes and a mouth with outlines."""
    image = np.full((SIZE, SIZE, 3), (120, 190, 240), np.uint8)
    middle = tuple(int(v) for v in LANDMARKS.mean(0))
    cv2.ellipse(image, middle, (66, 80), 0, 0, 360, (90, 50, 20), -1)
    cv2.ellipse(image, middle, (58, 70), 0, 0, 360, (250, 210, 170), -1)
    for eye in (RIGHT_EYE, LEFT_EYE):
        x, y = (int(v) for v in LANDMARKS[eye].mean(0))
        cv2.circle(image, (x, y), 9, (255, 255, 255), -1)
        cv2.circle(image, (x, y), 4, (20, 20, 20), -1)
    cv2.fillPoly(image, [LANDMARKS[OUTER_LIPS].astype(np.int32)], (190, 60, 70))
    cv2.ellipse(image, middle, (58, 70), 0, 0, 360, (30, 20, 20), 2)
    return image


def drawing_by_pillow() -> np.ndarray:
    """A cartoon in two tones, one side of the face in shadow, smoothed as programs for drawing do."""
    image = Image.new("RGB", (4 * SIZE, 4 * SIZE), (70, 120, 90))
    draw = ImageDraw.Draw(image)
    x, y = (4 * float(v) for v in LANDMARKS.mean(0))
    draw.ellipse((x - 240, y - 290, x + 240, y + 290), fill=(235, 190, 150))
    draw.pieslice((x - 240, y - 290, x + 240, y + 290), -90, 90, fill=(205, 150, 115))
    for eye in (RIGHT_EYE, LEFT_EYE):
        ex, ey = (4 * float(v) for v in LANDMARKS[eye].mean(0))
        draw.ellipse((ex - 40, ey - 25, ex + 40, ey + 25), fill=(250, 250, 245), outline=(0, 0, 0), width=6)
        draw.ellipse((ex - 16, ey - 16, ex + 16, ey + 16), fill=(40, 90, 160))
    draw.polygon([tuple(4 * float(v) for v in p) for p in LANDMARKS[OUTER_LIPS]], fill=(170, 50, 60))
    return np.array(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def noted(image: np.ndarray, landmarks: np.ndarray = LANDMARKS, yaw: float = 0.0) -> RangeNote:
    return note_range(image, face(landmarks, 0, yaw=yaw), SETTINGS)


def lively(index: int, landmarks: np.ndarray = LANDMARKS) -> np.ndarray:
    """Skin lit from one side, with features; the mouth opens and closes from moment to moment."""
    light = np.linspace(0.35, 1.25, SIZE)[None, :, None]
    image = np.clip(skin() * light, 0, 255).astype(np.uint8)
    for eye in (RIGHT_EYE, LEFT_EYE):
        cv2.fillPoly(image, [landmarks[eye].astype(np.int32)], (60, 40, 35))
    x, y = (int(v) for v in landmarks[OUTER_LIPS].mean(0))
    cv2.ellipse(image, (x, y), (24, 3 + 7 * (index % 2)), 0, 0, 360, (70, 20, 25), -1)
    return image


@pytest.mark.parametrize("draw", [drawing_by_cv2, drawing_by_pillow])
@pytest.mark.parametrize("quality", [95, 75, 40])
def test_drawings_are_out_of_range_however_they_are_stored(draw: Callable[[], np.ndarray], quality: int) -> None:
    stored = noted(as_jpeg(draw(), quality))
    assert is_drawn([stored], SETTINGS), (stored.flat, stored.in_few_colours)
    track = Track(1, [face(LANDMARKS, i) for i in range(8)])
    assert "drawn" in (reason_out_of_range(video("picture"), track, [stored]) or "")


def test_skin_is_not_drawn_however_it_is_stored() -> None:
    for quality in (95, 75, 40):
        assert not is_drawn([noted(as_jpeg(skin(), quality))], SETTINGS)


@pytest.mark.slow
def test_no_official_portrait_is_out_of_range() -> None:
    if "LIKENESS_DATA" not in os.environ:
        pytest.skip("LIKENESS_DATA does not name the data folder")
    pictures = sorted((Path(os.environ["LIKENESS_DATA"]) / "portraits").glob("*/*.jpg"))
    assert len(pictures) > 500
    finder, found = FaceFinder(model=LandmarkModel(threads=1)), 0
    for path in pictures:
        clip = open_clip(path)
        image = next(clip.frames()).image
        faces = finder.find(image)
        if faces:
            found += 1
            reason = reason_out_of_range(clip, Track(1, faces[:1]), [note_range(image, faces[0], SETTINGS)])
            assert reason is None, (path, reason)
    assert found > 0.95 * len(pictures)


def test_the_shipped_actors_are_in_range() -> None:
    clip = open_clip(footage().heldout.path)
    tracker, notes, faces = Tracker(), list[RangeNote](), list[Face]()
    for frame in clip.frames(0, 2.6):
        for _, seen in tracker.update(frame):
            faces.append(seen)
            if frame.index % 12 == 0:
                notes.append(note_range(frame.image, seen, SETTINGS))
    assert reason_out_of_range(clip, Track(1, faces), notes) is None
    assert change(notes) > 2 * SETTINGS.least_change


def test_a_still_picture_in_a_clip_is_told_from_a_person() -> None:
    random = np.random.default_rng(0)
    track = Track(1, [face(LANDMARKS, i) for i in range(8)])

    def wavering(image: np.ndarray, seed: int) -> RangeNote:
        """``image`` with new sensor noise and its landmarks placed a little differently, as from frame to frame."""
        noisy = np.clip(image + np.random.default_rng(seed).normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        return noted(noisy, (LANDMARKS + random.normal(0, 0.7, 2)).astype(np.float32))

    still = [wavering(lively(0), seed) for seed in range(8)]
    person = [wavering(lively(seed), seed) for seed in range(8)]
    assert "still picture" in (reason_out_of_range(video(), track, still) or "")
    assert reason_out_of_range(video(), track, person) is None
    assert reason_out_of_range(video("picture"), track, still) is None
    assert reason_out_of_range(video(), track, still[:2]) is None


def test_tiny_blurred_and_averted_faces_are_out_of_range() -> None:
    tiny = Track(1, [face(landmarks_at(width=25), i) for i in range(8)])
    usual = Track(1, [face(LANDMARKS, i) for i in range(8)])
    sharp = [noted(lively(i)) for i in range(8)]
    soft = [noted(cv2.GaussianBlur(lively(i), (0, 0), 12)) for i in range(8)]
    averted = [noted(lively(i), yaw=75) for i in range(8)]
    assert "25 px" in (reason_out_of_range(video(), tiny, sharp) or "")
    assert "blurred" in (reason_out_of_range(video(), usual, soft) or "")
    assert "side" in (reason_out_of_range(video(), usual, averted) or "")
    assert reason_out_of_range(video(), usual, [*averted[:4], *sharp[:4]]) is None


@pytest.mark.parametrize("level", [0, 128, 255])
def test_even_pictures_give_numbers_and_no_errors(level: int) -> None:
    notes = [noted(np.full((SIZE, SIZE, 3), level, np.uint8))] * 5
    assert all(np.isfinite([note.sharpness, note.flat, note.in_few_colours]).all() for note in notes)
    assert np.isfinite(change(notes))
    assert reason_out_of_range(video(), Track(1, [face(LANDMARKS, i) for i in range(5)]), notes) is not None
