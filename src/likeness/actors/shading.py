"""Light on surfaces: one fused kernel from triangles to diffuse light, colour and gloss for each pixel.

Diffuse light is kept apart from colour, so that skin can scatter it (blurred over the screen, further in red) before both are multiplied.
Gloss is two lobes of GGX (Walter et al. 2007) with the Smith visibility approximated after Karis 2013.
"""

import cv2
import numpy as np
from numba import njit

from likeness.actors.figure import Material

SCATTER_CM = (0.22, 0.09, 0.05)  # how far red, green and blue light spreads in skin

_FACE, _BACK, _SOCKET, _GUMS = int(Material.FACE), int(Material.BACK), int(Material.SOCKET), int(Material.GUMS)
_TEETH, _EYE, _CLOTH = int(Material.TEETH), int(Material.EYE), int(Material.CLOTH)
_IRIS_ANGLE = 0.42  # radians from the eye's axis to the iris' rim
_SHADOW_TAPS = np.array(
    [
        [-0.33, -0.41],
        [0.62, 0.10],
        [-0.85, 0.22],
        [0.18, 0.77],
        [0.31, -0.82],
        [-0.42, 0.71],
        [0.05, 0.12],
        [0.9, -0.4],
    ],
    np.float32,
)


@njit(cache=True, nogil=True)
def lit_share(shadow: np.ndarray, x: float, y: float, z: float, radius: float, turn: float, bias: float) -> float:
    """Share of a light seen from a point: taps around (x, y) of the shadow map ``shadow``, whose depths grow away from the light."""
    height, width = shadow.shape
    c, s = np.cos(turn), np.sin(turn)
    lit = 0
    for tap in range(_SHADOW_TAPS.shape[0]):
        dx, dy = _SHADOW_TAPS[tap, 0], _SHADOW_TAPS[tap, 1]
        column = int(x + radius * (c * dx - s * dy) + 0.5)
        row = int(y + radius * (s * dx + c * dy) + 0.5)
        if column < 0 or row < 0 or column >= width or row >= height or shadow[row, column] > z - bias:
            lit += 1
    return lit / _SHADOW_TAPS.shape[0]


@njit(cache=True, nogil=True)
def ggx(n_dot_l: float, n_dot_v: float, n_dot_h: float, v_dot_h: float, roughness: float, f0: float) -> float:
    """π times the GGX reflectance times n·l, so that it adds to a diffuse term written as albedo times n·l."""
    alpha2 = roughness**4
    d = alpha2 / ((n_dot_h * n_dot_h * (alpha2 - 1) + 1) ** 2)
    k = (roughness + 1) ** 2 / 8
    visibility = 1 / (4 * (n_dot_l * (1 - k) + k) * (n_dot_v * (1 - k) + k))
    fresnel = f0 + (1 - f0) * (1 - v_dot_h) ** 5
    return d * visibility * fresnel * n_dot_l


@njit(cache=True, nogil=True)
def sample(texture: np.ndarray, layer: int, u: float, v: float, out: np.ndarray) -> None:
    """Bilinear look-up of ``texture`` (layers, r, r, c) at uv in [0, 1], v up, into ``out`` (c,)."""
    resolution = texture.shape[1]
    x = min(max(u * resolution - 0.5, 0.0), resolution - 1.001)
    y = min(max((1 - v) * resolution - 0.5, 0.0), resolution - 1.001)
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    for c in range(out.shape[0]):
        top = texture[layer, j, i, c] * (1 - fx) + texture[layer, j, i + 1, c] * fx
        low = texture[layer, j + 1, i, c] * (1 - fx) + texture[layer, j + 1, i + 1, c] * fx
        out[c] = top * (1 - fy) + low * fy


@njit(cache=True, nogil=True)
def iris_colour(direction: np.ndarray, axis: np.ndarray, iris: np.ndarray, pupil: float, out: np.ndarray) -> float:
    """Colour of the eyeball in ``direction`` from its centre, into ``out``; returns 1 on the iris, 0 on the white."""
    cosine = direction[0] * axis[0] + direction[1] * axis[1] + direction[2] * axis[2]
    angle = np.arccos(min(max(cosine, -1.0), 1.0))
    r = angle / _IRIS_ANGLE
    around = np.arctan2(direction[1] - axis[1], direction[0] - axis[0])
    fibres = 0.5 * np.sin(around * 23 + 3 * np.sin(around * 5)) + 0.5 * np.sin(around * 41 + 7 * r)
    lightness = 0.75 + 0.22 * fibres * (1 - abs(2 * r - 1.2)) + 0.55 * np.exp(-(((r - 0.55) / 0.18) ** 2))
    rim = min(max((1.02 - r) / 0.2, 0.0), 1.0)
    lightness *= 0.25 + 0.75 * rim * rim * (3 - 2 * rim)
    hole = min(max((r - pupil) / 0.06, 0.0), 1.0)
    inside = min(max((1.06 - r) / 0.1, 0.0), 1.0)
    vein = 0.5 + 0.5 * np.sin(around * 7 + 9 * angle + 2 * np.sin(around * 13))
    red = min(max((angle - 0.45) / 0.5, 0.0), 1.0) * (0.35 + 0.4 * vein)
    out[0] = inside * (iris[0] * lightness * hole + 0.004) + (1 - inside) * 0.66
    out[1] = inside * (iris[1] * lightness * hole + 0.004) + (1 - inside) * (0.62 - 0.22 * red)
    out[2] = inside * (iris[2] * lightness * hole + 0.004) + (1 - inside) * (0.58 - 0.22 * red)
    return inside


@njit(cache=True, nogil=True)
def shade(
    triangle_at: np.ndarray,
    weights: np.ndarray,
    triangles: np.ndarray,
    uv: np.ndarray,
    uv_triangles: np.ndarray,
    materials: np.ndarray,
    vertices: np.ndarray,
    normals: np.ndarray,
    rest: np.ndarray,
    openness: np.ndarray,
    albedo_texture: np.ndarray,
    relief_texture: np.ndarray,
    oil_texture: np.ndarray,
    rotation: np.ndarray,
    eye_axes: np.ndarray,
    eye_coordinates: np.ndarray,
    lids: np.ndarray,
    iris: np.ndarray,
    pupil: float,
    cloth: np.ndarray,
    eye_position: np.ndarray,
    light_directions: np.ndarray,
    light_colours: np.ndarray,
    sky: np.ndarray,
    ground: np.ndarray,
    shadow: np.ndarray,
    shadow_frame: np.ndarray,
    diffuse: np.ndarray,
    albedo: np.ndarray,
    gloss: np.ndarray,
) -> None:
    """Shade every pixel that a triangle covers; see `Renderer` for the arrays. Writes ``diffuse``, ``albedo`` and ``gloss`` (h, w, 3)."""
    height, width = triangle_at.shape
    normal, position, local, still = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    colour, relief, oil_of, view, half = np.zeros(3), np.zeros(3), np.zeros(1), np.zeros(3), np.zeros(3)
    texels_per_cm = shadow_frame[3, 0]
    for y in range(height):
        for x in range(width):
            t = triangle_at[y, x]
            if t < 0:
                continue
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w0, w1 = weights[y, x, 0], weights[y, x, 1]
            w2 = 1 - w0 - w1
            for c in range(3):
                normal[c] = w0 * normals[i, c] + w1 * normals[j, c] + w2 * normals[k, c]
                position[c] = w0 * vertices[i, c] + w1 * vertices[j, c] + w2 * vertices[k, c]
                still[c] = w0 * rest[i, c] + w1 * rest[j, c] + w2 * rest[k, c]
            open_sky = w0 * openness[i] + w1 * openness[j] + w2 * openness[k]
            material = materials[t]
            wrap, f0, rough, rough2, mix = 0.0, 0.035, 0.5, 0.5, 0.0
            shine = 1.0
            on_iris = 0.0
            if material <= _BACK:
                a, b, d = uv_triangles[t, 0], uv_triangles[t, 1], uv_triangles[t, 2]
                u = w0 * uv[a, 0] + w1 * uv[b, 0] + w2 * uv[d, 0] - material
                v = w0 * uv[a, 1] + w1 * uv[b, 1] + w2 * uv[d, 1]
                sample(albedo_texture, material, u, v, colour)
                sample(relief_texture, material, u, v, relief)
                sample(oil_texture, material, u, v, oil_of)
                for c in range(3):
                    normal[c] += rotation[c, 0] * relief[0] + rotation[c, 1] * relief[1] + rotation[c, 2] * relief[2]
                wrap, f0 = 0.15, 0.028
                rough, rough2, mix = 0.56 - 0.2 * oil_of[0], 0.36 - 0.1 * oil_of[0], 0.25 + 0.35 * oil_of[0]
            elif material == _EYE:
                side = 0 if still[0] > 0 else 1
                length = 0.0
                for c in range(3):
                    local[c] = w0 * eye_coordinates[i, c] + w1 * eye_coordinates[j, c] + w2 * eye_coordinates[k, c]
                    length += local[c] * local[c]
                for c in range(3):
                    local[c] /= np.sqrt(length)
                on_iris = iris_colour(local, eye_axes[side], iris, pupil, colour)
                lid, lower = 1e3, -1e3
                for s in range(4):
                    x0, x1 = lids[side, s, 0], lids[side, s + 1, 0]
                    if x0 <= still[0] <= x1:
                        f = (still[0] - x0) / (x1 - x0 + 1e-6)
                        lid = lids[side, s, 1] + f * (lids[side, s + 1, 1] - lids[side, s, 1])
                        lower = lids[side, s, 2] + f * (lids[side, s + 1, 2] - lids[side, s, 2])
                under = min(max((lid - still[1]) / 0.42, 0.0), 1.0)
                above = min(max((still[1] - lower) / 0.16, 0.0), 1.0)
                open_sky = (0.30 + 0.70 * under) * (0.55 + 0.45 * above)
                if lid > 100:
                    open_sky = 0.3
                f0, rough, rough2 = 0.03, 0.12, 0.12
            elif material == _CLOTH:
                weave = 1 + 0.05 * np.sin(still[0] * 9) * np.sin(still[1] * 9)
                for c in range(3):
                    colour[c] = cloth[c] * weave
                wrap, shine = 0.1, 0.25
            else:
                inward = min(max((still[2] - 6.5) / 5.0, 0.0), 1.0)
                open_sky = 0.05 + 0.75 * inward * inward
                if material == _TEETH:
                    colour[0], colour[1], colour[2] = 0.74, 0.68, 0.57
                    rough, rough2, shine = 0.3, 0.3, 0.7
                elif material == _GUMS:
                    colour[0], colour[1], colour[2] = 0.46, 0.15, 0.14
                    rough, rough2, shine = 0.35, 0.35, 0.7
                else:
                    colour[0], colour[1], colour[2] = 0.24, 0.07, 0.06
                    shine = 0.3
                    if still[1] > 0.5:
                        colour[0], colour[1], colour[2] = 0.50, 0.24, 0.20
                        open_sky = 0.5
            length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) + 1e-9
            distance = 0.0
            for c in range(3):
                normal[c] /= length
                view[c] = eye_position[c] - position[c]
                distance += view[c] * view[c]
            distance = np.sqrt(distance)
            n_dot_v = 0.0
            for c in range(3):
                view[c] /= distance
                n_dot_v += normal[c] * view[c]
            n_dot_v = max(n_dot_v, 0.04)
            hemisphere = 0.5 + 0.5 * normal[1]
            edge = (1 - n_dot_v) ** 4
            for c in range(3):
                ambient = ground[c] + hemisphere * (sky[c] - ground[c])
                bounce = (
                    open_sky + (1 - open_sky) * 0.45 * colour[c]
                )  # light that comes out of a crease has met skin before
                diffuse[y, x, c] = ambient * bounce
                gloss[y, x, c] = ambient * open_sky * shine * (f0 + 0.25 * edge) * 0.8
                albedo[y, x, c] = colour[c]
            for light in range(light_directions.shape[0]):
                n_dot_l, v_dot_l = 0.0, 0.0
                for c in range(3):
                    n_dot_l += normal[c] * light_directions[light, c]
                    v_dot_l += view[c] * light_directions[light, c]
                lit = 1.0
                if light == 0:
                    sx = (
                        shadow_frame[0, 0] * position[0]
                        + shadow_frame[0, 1] * position[1]
                        + shadow_frame[0, 2] * position[2]
                    ) * texels_per_cm + shadow_frame[3, 1]
                    sy = (
                        shadow_frame[1, 0] * position[0]
                        + shadow_frame[1, 1] * position[1]
                        + shadow_frame[1, 2] * position[2]
                    ) * texels_per_cm + shadow_frame[3, 2]
                    sz = -(
                        shadow_frame[2, 0] * position[0]
                        + shadow_frame[2, 1] * position[1]
                        + shadow_frame[2, 2] * position[2]
                    )
                    turn = (x * 0.7548777 + y * 0.5698403) % 1.0 * 6.2831853
                    lit = lit_share(shadow, sx, sy, sz, 0.55 * texels_per_cm, turn, 0.30 + 0.3 * (1 - abs(n_dot_l)))
                else:
                    lit = open_sky
                if _SOCKET <= material <= _TEETH:
                    lit *= open_sky
                if material == _EYE:
                    lit *= 0.4 + 0.6 * open_sky
                wrapped = max((n_dot_l + wrap) / (1 + wrap), 0.0)
                for c in range(3):
                    diffuse[y, x, c] += light_colours[light, c] * lit * wrapped
                if n_dot_l <= 0 or lit <= 0:
                    continue
                half_length = np.sqrt(max(2 + 2 * v_dot_l, 1e-6))
                n_dot_h = (n_dot_v + n_dot_l) / half_length
                v_dot_h = (1 + v_dot_l) / half_length
                bright = (1 - mix) * ggx(n_dot_l, n_dot_v, n_dot_h, v_dot_h, rough, f0)
                if mix > 0:
                    bright += mix * ggx(n_dot_l, n_dot_v, n_dot_h, v_dot_h, rough2, f0)
                if material == _EYE:  # a lamp's or window's mirror image has a size: never brighter than the lamp
                    bright = min(bright, 1.6) * (0.5 + 0.5 * on_iris)
                for c in range(3):
                    gloss[y, x, c] += light_colours[light, c] * lit * shine * bright


def scatter(diffuse: np.ndarray, skin: np.ndarray, pixels_per_cm: float) -> np.ndarray:
    """Light scattered under the skin: ``diffuse`` (h, w, 3) blurred over the pixels where ``skin`` float32 (h, w) is 1, each channel by its own reach."""
    scattered = diffuse.copy()
    for channel, reach in enumerate(SCATTER_CM):
        sigma = reach * pixels_per_cm
        if sigma < 0.3:
            continue
        light = cv2.GaussianBlur(diffuse[..., channel] * skin, (0, 0), sigma)
        share = cv2.GaussianBlur(skin, (0, 0), sigma)
        scattered[..., channel] = np.where(skin > 0, light / np.maximum(share, 1e-3), diffuse[..., channel])
    return scattered
