"""A top over shoulders and chest: the face model stops at the shoulders, so a shirt carries on from the collar."""

import numpy as np

from likeness.actors.noise import noise
from likeness.actors.person import Clothes

AXIS_Z = -1.8  # cm: the neck's middle
_AROUND = 96  # points around each ring
_BODY = (20.5, 10.5, -2.0)  # cm: half width, half depth and middle of shoulders and chest

# Height of the collar's edge in cm around the neck: at the front, the side and the back.
_COLLARS = {"crew": (-13.6, -11.2, -9.6), "vee": (-17.0, -11.4, -9.6), "shirt": (-13.2, -9.8, -8.2)}


def garment(clothes: Clothes, body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The top's vertices float32 (n, 3) in cm and triangles int32 (m, 3), fitted to ``body`` (v, 3), the skin of neck
    and shoulders.
    """
    around = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)  # 0 is the front, then the subject's left
    height = collar_height(clothes, around)
    radius = np.array([_body_radius(body, a, h) for a, h in zip(around, height, strict=True)])
    radius = np.convolve(np.concatenate([radius[-4:], radius, radius[:4]]), np.ones(9) / 9, "valid") + 0.55
    outline = _superellipse(around, _BODY[0], _BODY[1])
    rings = [(0.97, -0.9), (0.96, -0.3), (0.985, 0.12), (1.02, 0.2), (1.06, 0.1), (1.09, -0.15)]  # a rolled edge
    vertices = [_ring(around, radius * share, height + lift) for share, lift in rings]
    for step in np.linspace(0.06, 1, 14):
        reach = radius * 1.09 + (np.maximum(outline, radius * 1.2) - radius * 1.09) * np.sin(step * np.pi / 2)
        slope = 3.0 + 2.5 * np.cos(around) ** 2
        drop = 0.25 + slope * step + 9.0 * step**5 + 3 * step * np.cos(around) ** 2
        vertices.append(_ring(around, reach, np.minimum(height, -11.0 - 1.5 * step) - drop))
    vertices.append(_ring(around, np.maximum(outline, radius * 1.2), np.full(_AROUND, -45.0)))
    cloth = np.concatenate(vertices).astype(np.float32)
    folds = noise(cloth * np.array([1.0, 0.35, 1.0], np.float32), 0.30, 2, round(1e4 * sum(clothes.colour)))
    slack = np.repeat(np.clip((np.arange(len(vertices)) - len(rings)) / 4, 0, 1), _AROUND)
    cloth[:, 1:] += (0.35 * slack * folds)[:, None]
    return cloth, _weave(len(vertices))


def collar_height(clothes: Clothes, around: np.ndarray) -> np.ndarray:
    """Height of the collar's edge in cm at angles ``around`` the neck (0 at the front)."""
    front, side, back = _COLLARS[clothes.collar]
    c = np.cos(around)
    sharp = 0.5 if clothes.collar == "crew" else 2.2
    return np.where(c > 0, side + (front - side) * np.abs(c) ** (1 + sharp), side + (back - side) * np.abs(c))


def under_garment(clothes: Clothes, points: np.ndarray) -> np.ndarray:
    """Which of points (n, 3) the top covers, bool (n,)."""
    around = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z)
    return points[:, 1] < collar_height(clothes, around) - 0.75


def _ring(around: np.ndarray, radius: np.ndarray, height: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.sin(around), height, radius * np.cos(around) + AXIS_Z], axis=1)


def _superellipse(around: np.ndarray, half_width: float, half_depth: float) -> np.ndarray:
    power = 2.4
    s, c = np.abs(np.sin(around)) / half_width, np.abs(np.cos(around)) / half_depth
    return (s**power + c**power) ** (-1 / power)


def _body_radius(body: np.ndarray, angle: float, height: float) -> float:
    """Distance from the neck's axis to the skin at one angle and height."""
    direction = np.array([np.sin(angle), 0, np.cos(angle)])
    offset = body - [0, height, AXIS_Z]
    along = offset @ direction
    across = np.linalg.norm(offset - along[:, None] * direction - [0, 1, 0] * offset[:, 1:2], axis=1)
    near = (np.abs(offset[:, 1]) < 0.9) & (across < 1.0) & (along > 0)
    return float(np.median(along[near])) if near.any() else 7.0


def _weave(rings: int) -> np.ndarray:
    """Triangles between consecutive rings, facing outwards."""
    triangles = []
    for ring in range(rings - 1):
        for a in range(_AROUND):
            b = (a + 1) % _AROUND
            here, below = ring * _AROUND, (ring + 1) * _AROUND
            triangles += [(here + a, below + a, here + b), (here + b, below + a, below + b)]
    return np.array(triangles, np.int32)
