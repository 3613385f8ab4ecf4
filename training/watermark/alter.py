"""Changes of content for training the tamper decoder: pieces of other pictures, moved pieces, things painted out."""

import cv2
import numpy as np

SHARE_ALTERED = 0.75  # of the pictures; the rest stays whole


def altered(
    marked: list[np.ndarray], originals: np.ndarray, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Copies of ``marked`` uint8 (S, S) with regions replaced, and where: float32 (S, S) in [0, 1]."""
    results, places = [], []
    for i, image in enumerate(marked):
        if rng.random() >= SHARE_ALTERED:
            results.append(image)
            places.append(np.zeros(image.shape, np.float32))
            continue
        place = random_place(image.shape[0], rng)
        other = int(rng.integers(len(marked)))
        piece = replacement(image, originals[i], marked[other], originals[other], place, rng)
        results.append(blended(image, piece, place))
        places.append(place)
    return results, places


def random_place(size: int, rng: np.random.Generator) -> np.ndarray:
    """One to three soft-edged ellipses, boxes or blobs: float32 (size, size) in [0, 1]."""
    place = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(0.1, 0.9, 2) * size
        axes = np.exp(rng.uniform(np.log(0.06), np.log(0.3), 2)) * size
        kind = rng.integers(3)
        if kind == 0:
            cv2.ellipse(
                place,
                (int(centre[0]), int(centre[1])),
                (int(axes[0]), int(axes[1])),
                float(rng.uniform(0, 180)),
                0,
                360,
                1.0,
                -1,
            )
        elif kind == 1:
            a, b = (centre - axes).astype(int), (centre + axes).astype(int)
            cv2.rectangle(place, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1.0, -1)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
            radii = rng.uniform(0.5, 1.0, 9)
            outline = centre + np.stack([np.cos(angles) * radii * axes[0], np.sin(angles) * radii * axes[1]], axis=1)
            cv2.fillPoly(place, [outline.astype(np.int32)], 1.0)
    return cv2.GaussianBlur(place, (0, 0), rng.uniform(0.4, 3.0) * size / 256)


def replacement(
    image: np.ndarray,
    original: np.ndarray,
    other_marked: np.ndarray,
    other: np.ndarray,
    place: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """A picture uint8 of the same shape to put in the place."""
    kind = rng.integers(6)
    if kind == 0:
        return matched(other, image, place)
    if kind == 1:
        return matched(other_marked, image, place)
    if kind == 2:
        shift = rng.integers(8, image.shape[0] - 8, 2)
        return np.roll(image, (int(shift[0]), int(shift[1])), (0, 1))
    if kind == 3:
        return painted_out(image, place)
    if kind == 4:
        return redrawn(original, rng)
    return np.ascontiguousarray(other[::-1])


def matched(piece: np.ndarray, image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """``piece`` with the mean and spread that ``image`` has in the place, as face swaps match colours."""
    inside = place > 0.5
    if not inside.any():
        return piece
    a, b = piece[inside].astype(np.float32), image[inside].astype(np.float32)
    values = (piece - a.mean()) * min(b.std() / max(a.std(), 1.0), 2.0) + b.mean()
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def painted_out(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The place filled from its surroundings (Telea 2004), at a third of the size for speed, with a little noise."""
    side = image.shape[0] // 3
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(place, (side, side), interpolation=cv2.INTER_AREA) > 0.02).astype(np.uint8)
    filled = cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA)
    return cv2.resize(filled, image.shape[::-1], interpolation=cv2.INTER_CUBIC)


def redrawn(original: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same content drawn anew without the mark: smoothed, a little moved and re-lit, as an autoencoder leaves
    it."""
    size = original.shape[0]
    smoothed = cv2.GaussianBlur(original, (0, 0), rng.uniform(0.3, 2.0) * size / 256)
    shift = np.array([[1, 0, rng.normal(0, 2)], [0, 1, rng.normal(0, 2)]], np.float32)
    moved = cv2.warpAffine(smoothed, shift, (size, size), borderMode=cv2.BORDER_REFLECT)
    return np.clip(np.rint(moved * rng.uniform(0.9, 1.1)), 0, 255).astype(np.uint8)


def blended(image: np.ndarray, piece: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.rint(image * (1 - place) + piece * place).astype(np.uint8)
