"""Pictures composed of the shipped actors' heads: who is where is known, and faces may hide one another."""

import cv2
import numpy as np

from likeness.faces.finder import FaceFinder
from likeness.faces.hull import face_outline

Head = tuple[np.ndarray, np.ndarray]


def cut_out(image: np.ndarray, finder: FaceFinder, width: int = 150) -> Head:
    """The largest head of ``image``, ``width`` pixels wide, with a soft mask around hull, forehead and hair."""
    face = max(finder.find(image), key=lambda face: face.width)
    centre = face.landmarks.mean(0)
    outline = centre + 1.25 * (face_outline(face.landmarks, forehead=0.5) - centre)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, outline.astype(np.int32), 255)
    x, y, across, down = cv2.boundingRect(mask)
    size = width, round(width * down / across)
    head = cv2.resize(image[y : y + down, x : x + across], size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(cv2.resize(mask[y : y + down, x : x + across], size), (0, 0), 2)
    return head, (soft / 255).astype(np.float32)[..., None]


def compose(heads: list[tuple[Head, tuple[float, float]]], size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """A picture with each head's centre at its (x, y); later heads are in front. The background is a soft gradient."""
    width, height = size
    ramp = np.linspace(70, 150, width, dtype=np.float32)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    picture = np.repeat(ramp, 3, axis=2).astype(np.float32) * np.float32([0.9, 1.0, 1.05])
    for (head, mask), (x, y) in heads:
        down, across = head.shape[:2]
        move = np.float32([[1, 0, x - across / 2], [0, 1, y - down / 2]])
        moved_mask = cv2.warpAffine(mask, move, size)[..., None]
        picture += moved_mask * (cv2.warpAffine(head, move, size) - picture)
    return np.clip(picture, 0, 255).astype(np.uint8)
