"""Turning triangles into pixels: numba kernels, one thread each (several processes film better than one parallel
kernel).
"""

import numpy as np
from numba import njit

NOTHING = -1  # triangle number of pixels that no triangle covers
_EDGE = -1e-5  # rounding must not open cracks between neighbours


@njit(cache=True, nogil=True, error_model="numpy")
def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals float32 (n, 3), the area-weighted mean over the triangles around each vertex."""
    normals = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax = vertices[j, 0] - vertices[i, 0]
        ay = vertices[j, 1] - vertices[i, 1]
        az = vertices[j, 2] - vertices[i, 2]
        bx = vertices[k, 0] - vertices[i, 0]
        by = vertices[k, 1] - vertices[i, 1]
        bz = vertices[k, 2] - vertices[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in range(3):
            vertex = triangles[t, corner]
            normals[vertex, 0] += nx
            normals[vertex, 1] += ny
            normals[vertex, 2] += nz
    for v in range(normals.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + np.float32(1e-12)
        normals[v, 0] /= length
        normals[v, 1] /= length
        normals[v, 2] /= length
    return normals


@njit(cache=True, nogil=True, error_model="numpy")
def draw_triangles(
    screen: np.ndarray, triangles: np.ndarray, depth: np.ndarray, triangle_at: np.ndarray, weights: np.ndarray
) -> None:
    """Z-buffer: for each pixel the nearest triangle and where in it the pixel's centre lies.

    ``screen`` float32 (n, 3) holds x, y in pixels (a pixel's centre is a whole number) and depth, smaller is nearer.
    Written in place: ``depth`` float32 (h, w), ``triangle_at`` int32 (h, w) and ``weights`` float32 (h, w, 2), those of
    the first two corners.
    """
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = screen[i, 0], screen[i, 1]
        x1, y1 = screen[j, 0], screen[j, 1]
        x2, y2 = screen[k, 0], screen[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area >= 0:  # y points down in the image: front faces turn the other way round
            continue
        left, right = max(0, int(np.ceil(min(x0, x1, x2)))), min(width - 1, int(np.floor(max(x0, x1, x2))))
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2)))), min(height - 1, int(np.floor(max(y0, y1, y2))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                w0 = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
                w1 = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
                w2 = 1 - w0 - w1
                if w0 < _EDGE or w1 < _EDGE or w2 < _EDGE:
                    continue
                z = w0 * screen[i, 2] + w1 * screen[j, 2] + w2 * screen[k, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    triangle_at[y, x] = t
                    weights[y, x, 0] = w0
                    weights[y, x, 1] = w1


@njit(cache=True, nogil=True, error_model="numpy")
def draw_depth(screen: np.ndarray, triangles: np.ndarray, depth: np.ndarray) -> None:
    """Z-buffer of the depth alone (float32 (h, w), in place), of both sides of the triangles: for shadow maps."""
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = screen[i, 0], screen[i, 1]
        x1, y1 = screen[j, 0], screen[j, 1]
        x2, y2 = screen[k, 0], screen[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        left, right = max(0, int(np.ceil(min(x0, x1, x2)))), min(width - 1, int(np.floor(max(x0, x1, x2))))
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2)))), min(height - 1, int(np.floor(max(y0, y1, y2))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                w0 = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
                w1 = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
                w2 = 1 - w0 - w1
                if w0 >= _EDGE and w1 >= _EDGE and w2 >= _EDGE:
                    z = w0 * screen[i, 2] + w1 * screen[j, 2] + w2 * screen[k, 2]
                    if z < depth[y, x]:
                        depth[y, x] = z
