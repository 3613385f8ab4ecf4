"""Lids that close over the eyeball. Blend shapes move along straight lines, which would take a lid through the ball."""

from dataclasses import dataclass

import numpy as np

_CLEARANCE_CM = 0.04  # between ball and lid: the lid's mesh is flat between its vertices
_MOVED_CM = 0.02  # a vertex that a blink moves further than this belongs to the lids
_FULL_AT = 0.25  # of a blink: from here on the lids are kept off the ball entirely
_PROFILE_DEG = np.arange(0.0, 181.0, 5.0)


@dataclass(frozen=True, eq=False)
class Eyelids:
    """The lids of one eye. ``vertices`` int (k,) are theirs; ``pivot`` (3,) is the middle of the eyeball in cm,
    ``axis`` (3,) its direction of sight at rest, ``radius`` (37,) how far it reaches at every 5° from that axis.
    """

    vertices: np.ndarray
    pivot: np.ndarray
    axis: np.ndarray
    radius: np.ndarray

    @classmethod
    def around(cls, ball: np.ndarray, axis: np.ndarray, blink: np.ndarray) -> "Eyelids":
        """From the eyeball's vertices (n, 3) at rest, its direction of sight, and a blink's deltas (m, 3) of all but
        the eyeballs' vertices.
        """
        pivot = sphere_centre(ball)
        from_pivot = ball - pivot
        angle = _degrees_from(axis, from_pivot)
        distance = np.linalg.norm(from_pivot, axis=1)
        radius = [distance[np.abs(angle - at) <= 7.5].max(initial=0.0) for at in _PROFILE_DEG]
        vertices = np.flatnonzero(np.linalg.norm(blink, axis=1) > _MOVED_CM)
        return cls(vertices, pivot, axis, np.array(radius))

    def keep_off_ball(self, mesh: np.ndarray, turn: np.ndarray, blink: float) -> None:
        """Move lid vertices of ``mesh`` (n, 3) that lie inside the eyeball out to it, in place; ``turn`` (3, 3) is the
        eye's rotation, ``blink`` how far the lids are closed, 0–1.
        """
        share = min(max(blink / _FULL_AT, 0.0), 1.0)
        if not share:
            return
        from_pivot = mesh[self.vertices] - self.pivot
        distance = np.linalg.norm(from_pivot, axis=1)
        needed = np.interp(_degrees_from(turn @ self.axis, from_pivot), _PROFILE_DEG, self.radius) + _CLEARANCE_CM
        outwards = share * np.maximum(needed / distance - 1.0, 0.0)
        mesh[self.vertices] += outwards[:, None] * from_pivot


def sphere_centre(points: np.ndarray) -> np.ndarray:
    """Least-squares centre (3,) of a sphere through points (n, 3): |p|² = 2 p·c + const is linear in c."""
    origin = points.mean(axis=0)
    local = (points - origin).astype(np.float64)
    solution = np.linalg.lstsq(np.c_[2 * local, np.ones(len(local))], (local**2).sum(axis=1), rcond=None)[0]
    return (origin + solution[:3]).astype(np.float32)


def _degrees_from(axis: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Angles (n,) between ``axis`` (3,) and ``directions`` (n, 3)."""
    cosine = directions @ axis / (np.linalg.norm(directions, axis=1) * np.linalg.norm(axis))
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
