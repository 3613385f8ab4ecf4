"""Hair as curves: where they are, how they shine (Kajiya and Kay 1989), and how they are drawn over a picture."""

from dataclasses import dataclass

import numpy as np
from numba import njit

_DEPTH_BINS = 2048


@dataclass(frozen=True, eq=False)
class Strands:
    """``count`` curves of ``points_each`` points, root first.

    ``points`` float32 (count·points_each, 3) in cm; ``colour`` float32 (count, 3) linear; ``width_cm`` float32
    (count,); ``opacity`` float32 (count·points_each,), fading towards the tips; ``part`` uint8, the `Part` they belong
    to in the mask (0: none).
    """

    points: np.ndarray
    points_each: int
    colour: np.ndarray
    width_cm: np.ndarray
    opacity: np.ndarray
    part: int

    @property
    def count(self) -> int:
        """Number of strands."""
        return len(self.colour)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def strand_light(
    points: np.ndarray,
    points_each: int,
    colour: np.ndarray,
    openness: np.ndarray,
    key_share: np.ndarray,
    middle: np.ndarray,
    eye: np.ndarray,
    directions: np.ndarray,
    light_colours: np.ndarray,
    sky: np.ndarray,
    ground: np.ndarray,
) -> np.ndarray:
    """Light leaving each point of the strands towards ``eye`` (3,), linear RGB float32 (n, 3).

    ``openness`` (n,) scales the ambient light, ``key_share`` (n,) is how much of the first light arrives; ``middle``
    (3,) is the head's centre, from which the mass of hair faces outwards.
    """
    light_out = np.zeros_like(points)
    tangent, outward, view = np.zeros(3), np.zeros(3), np.zeros(3)
    for p in range(points.shape[0]):
        strand, along = p // points_each, p % points_each
        here, ahead = (p - 1, p) if along == points_each - 1 else (p, p + 1)
        t_length, o_length, v_length = 1e-9, 1e-9, 1e-9
        for c in range(3):
            tangent[c] = points[ahead, c] - points[here, c]
            outward[c] = points[p, c] - middle[c]
            view[c] = eye[c] - points[p, c]
            t_length += tangent[c] ** 2
            o_length += outward[c] ** 2
            v_length += view[c] ** 2
        t_dot_v = 0.0
        for c in range(3):
            tangent[c] /= np.sqrt(t_length)
            outward[c] /= np.sqrt(o_length)
            view[c] /= np.sqrt(v_length)
            t_dot_v += tangent[c] * view[c]
        sin_v = np.sqrt(max(1 - t_dot_v * t_dot_v, 0.0))
        hemisphere = 0.5 + 0.5 * outward[1]
        for c in range(3):
            light_out[p, c] = colour[strand, c] * openness[p] * (ground[c] + hemisphere * (sky[c] - ground[c])) * 0.9
        for light in range(directions.shape[0]):
            t_dot_l, facing = 0.0, 0.0
            for c in range(3):
                t_dot_l += tangent[c] * directions[light, c]
                facing += outward[c] * directions[light, c]
            sin_l = np.sqrt(max(1 - t_dot_l * t_dot_l, 0.0))
            arriving = key_share[p] if light == 0 else openness[p]
            lit = arriving * min(max(0.45 + 0.65 * facing, 0.0), 1.0)
            shifted = min(max(sin_l * sin_v - (t_dot_l - 0.08) * t_dot_v, 0.0), 1.0)
            deeper = min(max(sin_l * sin_v - (t_dot_l + 0.14) * t_dot_v, 0.0), 1.0)
            white, tinted = 0.045 * shifted**70, 0.55 * deeper**18
            for c in range(3):
                own = colour[strand, c]
                light_out[p, c] += light_colours[light, c] * lit * (own * (0.62 * sin_l + tinted) + white)
    return light_out


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def back_to_front(depth: np.ndarray, points_each: int) -> np.ndarray:
    """Order of the segments, farthest first: int64 numbers of their first points (a counting sort over depth)."""
    count = depth.shape[0] // points_each * (points_each - 1)
    far, near = -1e9, 1e9
    for p in range(depth.shape[0]):
        far, near = max(far, depth[p]), min(near, depth[p])
    scale = (_DEPTH_BINS - 1) / max(far - near, 1e-6)
    starts = np.zeros(_DEPTH_BINS + 1, np.int64)
    for p in range(depth.shape[0]):
        if p % points_each != points_each - 1:
            starts[int((far - depth[p]) * scale) + 1] += 1
    for b in range(_DEPTH_BINS):
        starts[b + 1] += starts[b]
    order = np.empty(count, np.int64)
    for p in range(depth.shape[0]):
        if p % points_each != points_each - 1:
            b = int((far - depth[p]) * scale)
            order[starts[b]] = p
            starts[b] += 1
    return order


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def draw_strands(
    screen: np.ndarray,
    points_each: int,
    light: np.ndarray,
    opacity: np.ndarray,
    width: np.ndarray,
    order: np.ndarray,
    nearer_cm: float,
    depth: np.ndarray,
    canvas: np.ndarray,
    cover: np.ndarray,
) -> None:
    """Blend segments over ``canvas`` (h, w, 3) in ``order``, hidden where ``depth`` (h, w) is nearer by more than
    ``nearer_cm``.

    ``screen`` (n, 3): pixels and cm; ``width`` float32 (strands,) in pixels. ``cover`` (h, w) gathers the opacity
    drawn.
    """
    height, wide = depth.shape
    for s in range(order.shape[0]):
        a = order[s]
        b = a + 1
        dx, dy = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
        steep = abs(dy) > abs(dx)
        first, last = (a, b) if (screen[a, 1] <= screen[b, 1] if steep else screen[a, 0] <= screen[b, 0]) else (b, a)
        major, minor = (1, 0) if steep else (0, 1)
        span = screen[last, major] - screen[first, major]
        start, stop = int(np.ceil(screen[first, major] - 0.5)), int(np.ceil(screen[last, major] - 0.5))
        if stop == start and span < 0.5:
            if a % points_each:
                continue
            stop = start + 1
        slope = (screen[last, minor] - screen[first, minor]) / max(span, 1e-3)
        half = 0.5 * width[a // points_each] * np.sqrt(1 + min(slope * slope, 1.0))
        for m in range(max(start, 0), min(stop, height if steep else wide)):
            f = min(max((m - screen[first, major]) / max(span, 1e-3), 0.0), 1.0)
            middle = screen[first, minor] + f * (screen[last, minor] - screen[first, minor])
            z = screen[first, 2] + f * (screen[last, 2] - screen[first, 2]) - nearer_cm
            strength = opacity[first] + f * (opacity[last] - opacity[first])
            low, high = int(np.floor(middle - half + 0.5)), int(np.floor(middle + half + 0.5))
            for n in range(max(low, 0), min(high, (wide if steep else height) - 1) + 1):
                y, x = (m, n) if steep else (n, m)
                if z > depth[y, x]:
                    continue
                share = min(n + 0.5, middle + half) - max(n - 0.5, middle - half)
                alpha = strength * min(max(share, 0.0), 1.0)
                for c in range(3):
                    colour = light[first, c] + f * (light[last, c] - light[first, c])
                    canvas[y, x, c] += alpha * (colour - canvas[y, x, c])
                cover[y, x] += alpha * (1 - cover[y, x])
