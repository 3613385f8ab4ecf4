"""Value noise in space: smooth, repeatable, without seams on any surface."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _lattice(x: int, y: int, z: int, seed: int) -> float:
    """A hash of a lattice point in [−1, 1] (integer mixing after Wang)."""
    h = (x * 374761393 + y * 668265263 + z * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
    h = h ^ (h >> 16)
    return h / 2147483647.5 - 1.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _noise_at(x: float, y: float, z: float, seed: int) -> float:
    """Value noise in [−1, 1], cubic between lattice points."""
    ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = x - ix, y - iy, z - iz
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for dz in range(2):
        for dy in range(2):
            low, high = _lattice(ix, iy + dy, iz + dz, seed), _lattice(ix + 1, iy + dy, iz + dz, seed)
            total += (low + u * (high - low)) * (v if dy else 1 - v) * (w if dz else 1 - w)
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def noise(points: np.ndarray, frequency: float, octaves: int, seed: int) -> np.ndarray:
    """Sum of ``octaves`` octaves of value noise at points (n, 3), each half as strong and twice as fine: float32 (n,),
    about [−1, 1].
    """
    values = np.zeros(points.shape[0], np.float32)
    for i in range(points.shape[0]):
        total, strength, scale = 0.0, 1.0, frequency
        for octave in range(octaves):
            total += strength * _noise_at(
                points[i, 0] * scale, points[i, 1] * scale, points[i, 2] * scale, seed + octave
            )
            strength *= 0.5
            scale *= 2.0
        values[i] = total
    return values


def noise_gradient(points: np.ndarray, frequency: float, octaves: int, seed: int) -> np.ndarray:
    """Central differences of `noise`: float32 (n, 3) per unit of length of ``points``."""
    step = 0.25 / (frequency * 2 ** (octaves - 1))
    gradient = np.empty_like(points)
    for axis in range(3):
        offset = np.zeros(3, np.float32)
        offset[axis] = step
        ahead = noise(points + offset, frequency, octaves, seed)
        behind = noise(points - offset, frequency, octaves, seed)
        gradient[:, axis] = (ahead - behind) / (2 * step)
    return gradient
