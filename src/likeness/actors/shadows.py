"""What a light does not reach: shadow maps, and how much of the sky each vertex sees."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from likeness.actors.rasterize import draw_depth

REACH_CM = 26.0  # half the width of the region a shadow map covers
_SKY_DIRECTIONS, _SKY_TEXELS = 32, 160
CENTRE = np.array([0.0, -3.0, 0.0], np.float32)  # its middle


@dataclass(frozen=True, eq=False)
class ShadowMap:
    """Depths seen from a far light. ``frame`` float32 (4, 3): rows right, up, towards the light; then scale and origin
    in texels.
    """

    depth: np.ndarray
    frame: np.ndarray
    count: np.ndarray  # strands that cross each texel

    @classmethod
    def empty(cls, direction: np.ndarray, resolution: int) -> "ShadowMap":
        """An empty map of ``resolution``² for a light in unit ``direction`` (3,)."""
        helper = np.array([0, 1, 0] if abs(direction[1]) < 0.9 else [0, 0, 1], np.float32)
        right = np.cross(helper, direction)
        right /= np.linalg.norm(right)
        up = np.cross(direction, right)
        scale = resolution / (2 * REACH_CM)
        frame = np.zeros((4, 3), np.float32)
        frame[:3] = right, up, direction
        frame[3] = scale, resolution / 2 - scale * (right @ CENTRE), resolution / 2 - scale * (up @ CENTRE)
        depth = np.full((resolution, resolution), np.inf, np.float32)
        return cls(depth, frame, np.zeros_like(depth))

    def place(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) in cm to map coordinates float32 (n, 3): column, row, depth in cm away from the light."""
        return _place(points, self.frame)

    def add_triangles(self, points: np.ndarray, triangles: np.ndarray) -> None:
        """Let triangles block the light."""
        draw_depth(self.place(points), triangles, self.depth)

    def add_strands(self, points: np.ndarray, points_each: int) -> None:
        """Let curves of ``points_each`` points each block the light and count them in every texel they cross."""
        _trace(self.place(points), points_each, self.depth, self.count)


@njit(cache=True, nogil=True, error_model="numpy")
def _place(points: np.ndarray, frame: np.ndarray) -> np.ndarray:
    placed = np.empty((points.shape[0], 3), np.float32)
    scale = frame[3, 0]
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        placed[p, 0] = (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z) * scale + frame[3, 1]
        placed[p, 1] = (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z) * scale + frame[3, 2]
        placed[p, 2] = -(frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z)
    return placed


@njit(cache=True, nogil=True, error_model="numpy")
def _trace(placed: np.ndarray, points_each: int, depth: np.ndarray, count: np.ndarray) -> None:
    height, width = depth.shape
    for p in range(placed.shape[0] - 1):
        if p % points_each == points_each - 1:
            continue
        dx, dy, dz = placed[p + 1, 0] - placed[p, 0], placed[p + 1, 1] - placed[p, 1], placed[p + 1, 2] - placed[p, 2]
        steps = int(max(abs(dx), abs(dy))) + 1
        for s in range(steps):
            x, y = int(placed[p, 0] + dx * s / steps + 0.5), int(placed[p, 1] + dy * s / steps + 0.5)
            if 0 <= x < width and 0 <= y < height:
                count[y, x] += 1
                depth[y, x] = min(depth[y, x], placed[p, 2] + dz * s / steps)


@njit(cache=True, nogil=True, error_model="numpy")
def transmitted(placed: np.ndarray, depth: np.ndarray, fade_cm: float, bias_cm: float) -> np.ndarray:
    """Share of light left at placed points (n, 3) behind the first blocker: exp(−(depth beyond it − bias)/fade),
    float32 (n,).
    """
    height, width = depth.shape
    share = np.ones(placed.shape[0], np.float32)
    for p in range(placed.shape[0]):
        x, y = int(placed[p, 0] + 0.5), int(placed[p, 1] + 0.5)
        if 0 <= x < width and 0 <= y < height:
            behind = placed[p, 2] - depth[y, x] - bias_cm
            if behind > 0:
                share[p] = np.exp(-behind / fade_cm)
    return share


def sky_directions(count: int) -> np.ndarray:
    """``count`` directions (n, 3) spread evenly over the sphere (a Fibonacci spiral), the lowest sixth left out."""
    k = np.arange(count) + 0.5
    y = 1 - 1.66 * k / count
    angle = k * np.pi * (3 - np.sqrt(5))
    r = np.sqrt(1 - y * y)
    return np.stack([r * np.cos(angle), y, r * np.sin(angle)], axis=1).astype(np.float32)


def openness(
    points: np.ndarray, normals: np.ndarray, mesh: np.ndarray, triangles: np.ndarray, hair: np.ndarray, points_each: int
) -> np.ndarray:
    """How open the sky is over points (n, 3) with unit normals (n, 3), cosine-weighted, float32 (n,) in [0, 1].

    ``mesh`` (v, 3) with ``triangles`` blocks fully; curves ``hair`` (h, 3) fade the light. Points with a zero normal
    look all ways.
    """
    seen = np.zeros(len(points), np.float32)
    total = np.full(len(points), 1e-6, np.float32)
    looks_everywhere = ~normals.any(axis=1)
    for direction in sky_directions(_SKY_DIRECTIONS):
        cosine = np.where(looks_everywhere, 1, np.maximum(normals @ direction, 0)).astype(np.float32)
        solid = ShadowMap.empty(direction, _SKY_TEXELS)
        solid.add_triangles(mesh, triangles)
        placed = solid.place(points)
        share = transmitted(placed, solid.depth, 0.2, 0.45)
        if len(hair):
            soft = ShadowMap.empty(direction, _SKY_TEXELS)
            soft.add_strands(hair, points_each)
            share = share * transmitted(placed, soft.depth, 1.3, 0.2)
        seen += cosine * share
        total += cosine
    return seen / total
