"""Light on surfaces: one fused kernel from triangles to diffuse light, colour and gloss for each pixel.

Diffuse light is kept apart from colour, so that skin can scatter it (blurred over the screen, further in red) before
both are multiplied. Gloss is two lobes of GGX (Walter et al. 2007) with the Smith visibility approximated after Karis
2013.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit

from likeness.actors.figure import Material

SCATTER_CM = (0.22, 0.09, 0.05)  # how far red, green and blue light spreads in skin

_BACK, _SOCKET, _GUMS = int(Material.BACK), int(Material.SOCKET), int(Material.GUMS)
_TEETH, _EYE, _CLOTH = int(Material.TEETH), int(Material.EYE), int(Material.CLOTH)
_IRIS_ANGLE = 0.42  # radians from the eye's axis to the iris' rim
_SOFTNESS_CM = 0.55  # how wide the key light's shadows fray
_HAIR_BLOCKS = 0.10  # light lost to one strand in a texel of the hair's shadow map
_TAPS = np.array(
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


class Mesh(NamedTuple):
    """Triangles with what their vertices carry; ``rest`` is the expressed mesh before the head turns, ``openness`` (n,)
    the sky seen.
    """

    triangles: np.ndarray
    uv: np.ndarray
    uv_triangles: np.ndarray
    materials: np.ndarray
    posed: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    openness: np.ndarray


class SkinMaps(NamedTuple):
    """The skin texture (2, r, r, channels), and the head's rotation (3, 3), which turns the relief."""

    albedo: np.ndarray
    relief: np.ndarray
    oil: np.ndarray
    rotation: np.ndarray


class EyeLook(NamedTuple):
    """``axes`` (2, 3) of the irises, ``coordinates`` (n, 3) on the eyeballs, ``lids`` (2, 4, 3), ``iris`` (3,) colour,
    ``pupil`` radius in irises.
    """

    axes: np.ndarray
    coordinates: np.ndarray
    lids: np.ndarray
    iris: np.ndarray
    pupil: float


class Lighting(NamedTuple):
    """Far lights (the first casts shadows), ambient light, the camera's place, and the first light's shadow maps with
    their frame.
    """

    eye: np.ndarray
    directions: np.ndarray
    colours: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    shadow: np.ndarray
    hair_depth: np.ndarray
    hair_count: np.ndarray
    frame: np.ndarray


class Layers(NamedTuple):
    """What shading writes, float32 (h, w, 3) each: arriving light, colour, and light mirrored."""

    diffuse: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _key_share(light: Lighting, position: np.ndarray, turn: float, bias: float) -> float:
    """Share of the key light that reaches a point past skin, clothes and hair."""
    frame, scale = light.frame, light.frame[3, 0]
    x = (frame[0, 0] * position[0] + frame[0, 1] * position[1] + frame[0, 2] * position[2]) * scale + frame[3, 1]
    y = (frame[1, 0] * position[0] + frame[1, 1] * position[1] + frame[1, 2] * position[2]) * scale + frame[3, 2]
    z = -(frame[2, 0] * position[0] + frame[2, 1] * position[1] + frame[2, 2] * position[2])
    height, width = light.shadow.shape
    coarser = light.hair_depth.shape[0] / height
    c, s, radius = np.cos(turn), np.sin(turn), _SOFTNESS_CM * scale
    share = 0.0
    for tap in range(_TAPS.shape[0]):
        dx, dy = radius * _TAPS[tap, 0], radius * _TAPS[tap, 1]
        tap_x, tap_y = x + c * dx - s * dy, y + s * dx + c * dy
        column, row = int(tap_x + 0.5), int(tap_y + 0.5)
        if column < 0 or row < 0 or column >= width or row >= height:
            share += 1.0
            continue
        if light.shadow[row, column] > z - bias:
            hair_row, hair_column = int(tap_y * coarser + 0.25), int(tap_x * coarser + 0.25)
            strands = (
                light.hair_count[hair_row, hair_column] if light.hair_depth[hair_row, hair_column] < z - 0.25 else 0.0
            )
            share += np.exp(-_HAIR_BLOCKS * strands) if strands > 0 else 1.0
    return share / _TAPS.shape[0]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _ggx(n_dot_l: float, n_dot_v: float, n_dot_h: float, v_dot_h: float, roughness: float, f0: float) -> float:
    """π times the GGX reflectance times n·l, so that it adds to a diffuse term written as albedo times n·l."""
    alpha2 = roughness**4
    d = alpha2 / ((n_dot_h * n_dot_h * (alpha2 - 1) + 1) ** 2)
    k = (roughness + 1) ** 2 / 8
    visibility = 1 / (4 * (n_dot_l * (1 - k) + k) * (n_dot_v * (1 - k) + k))
    fresnel = f0 + (1 - f0) * (1 - v_dot_h) ** 5
    return d * visibility * fresnel * n_dot_l


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _sample(texture: np.ndarray, layer: int, u: float, v: float, out: np.ndarray) -> None:
    """Bilinear look-up of ``texture`` (layers, r, r, c) at uv in [0, 1], v up, into ``out`` (c,)."""
    resolution = texture.shape[1]
    x = min(max(u * resolution - 0.5, 0.0), resolution - 1.001)
    y = min(max((1 - v) * resolution - 0.5, 0.0), resolution - 1.001)
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    for c in range(texture.shape[3]):
        top = texture[layer, j, i, c] * (1 - fx) + texture[layer, j, i + 1, c] * fx
        low = texture[layer, j + 1, i, c] * (1 - fx) + texture[layer, j + 1, i + 1, c] * fx
        out[c] = top * (1 - fy) + low * fy


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _interpolated(values: np.ndarray, corners: np.ndarray, w0: float, w1: float, out: np.ndarray) -> None:
    """Vertex values (n, 3) at a point of a triangle, into ``out`` (3,)."""
    w2 = 1 - w0 - w1
    for c in range(3):
        out[c] = w0 * values[corners[0], c] + w1 * values[corners[1], c] + w2 * values[corners[2], c]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _unit(vector: np.ndarray) -> None:
    length = np.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2) + 1e-9
    for c in range(3):
        vector[c] /= length


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _step(low: float, high: float, x: float) -> float:
    """A smooth step from 0 at ``low`` to 1 at ``high``."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _eyeball(direction: np.ndarray, axis: np.ndarray, look: EyeLook, out: np.ndarray) -> float:
    """Colour of the eyeball in ``direction`` from its centre, into ``out``; returns 1 on the iris, 0 on the white."""
    cosine = direction[0] * axis[0] + direction[1] * axis[1] + direction[2] * axis[2]
    angle = np.arccos(min(max(cosine, -1.0), 1.0))
    r = angle / _IRIS_ANGLE
    around = np.arctan2(direction[1] - axis[1], direction[0] - axis[0])
    fibres = 0.5 * np.sin(around * 23 + 3 * np.sin(around * 5)) + 0.5 * np.sin(around * 41 + 7 * r)
    lightness = 0.75 + 0.22 * fibres * (1 - abs(2 * r - 1.2)) + 0.55 * np.exp(-(((r - 0.55) / 0.18) ** 2))
    lightness *= 0.22 + 0.78 * _step(1.02, 0.80, r)
    hole = _step(look.pupil, look.pupil + 0.08, r)
    inside = _step(1.08, 0.96, r)
    vein = 0.5 + 0.5 * np.sin(around * 7 + 9 * angle + 2 * np.sin(around * 13))
    red = min(max((angle - 0.5) / 0.6, 0.0), 1.0) * (0.3 + 0.4 * vein)
    out[0] = inside * (look.iris[0] * lightness * hole + 0.004) + (1 - inside) * 0.50
    out[1] = inside * (look.iris[1] * lightness * hole + 0.004) + (1 - inside) * (0.465 - 0.17 * red)
    out[2] = inside * (look.iris[2] * lightness * hole + 0.004) + (1 - inside) * (0.435 - 0.17 * red)
    return inside


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _between_lids(still: np.ndarray, lids: np.ndarray) -> float:
    """How open the sky is over a point of the eye ``still`` (3,): the lids and lashes shade its upper edge most."""
    for s in range(lids.shape[0] - 1):
        x0, x1 = lids[s, 0], lids[s + 1, 0]
        if x0 <= still[0] <= x1:
            f = (still[0] - x0) / (x1 - x0 + 1e-6)
            upper = lids[s, 1] + f * (lids[s + 1, 1] - lids[s, 1])
            lower = lids[s, 2] + f * (lids[s + 1, 2] - lids[s, 2])
            return (0.22 + 0.78 * _step(-0.05, 0.42, upper - still[1])) * (
                0.5 + 0.5 * _step(-0.02, 0.2, still[1] - lower)
            )
    return 0.3


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _mouth_colour(material: int, still: np.ndarray, colour: np.ndarray) -> tuple[float, float, float]:
    """Colour of teeth, gums, tongue and sockets; returns roughness, strength of gloss and openness."""
    open_sky = 0.10 + 0.85 * _step(5.0, 11.0, still[2])
    if material == _TEETH:
        colour[0], colour[1], colour[2] = 0.60, 0.55, 0.46
        return 0.3, 0.7, open_sky
    if material == _GUMS:
        colour[0], colour[1], colour[2] = 0.43, 0.15, 0.14
        return 0.36, 0.6, open_sky
    if still[1] > 0.5:  # the flesh at the eye's corners
        colour[0], colour[1], colour[2] = 0.46, 0.23, 0.19
        return 0.5, 0.4, 0.45
    colour[0], colour[1], colour[2] = 0.24, 0.07, 0.06
    return 0.5, 0.3, open_sky


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _light_point(
    material: int,
    gloss_of: tuple[float, float, float, float, float, float],
    open_sky: float,
    on_iris: float,
    position: np.ndarray,
    normal: np.ndarray,
    colour: np.ndarray,
    light: Lighting,
    turn: float,
    view: np.ndarray,
    diffuse: np.ndarray,
    gloss: np.ndarray,
) -> None:
    """Add ambient and the lights at one point into ``diffuse`` and ``gloss`` (3,); ``gloss_of``: wrap, f0, two
    roughnesses, mix, strength.
    """
    wrap, f0, rough, rough2, mix, shine = gloss_of
    n_dot_v = 0.0
    for c in range(3):
        view[c] = light.eye[c] - position[c]
    _unit(view)
    for c in range(3):
        n_dot_v += normal[c] * view[c]
    n_dot_v = max(n_dot_v, 0.04)
    hemisphere, edge = 0.5 + 0.5 * normal[1], (1 - n_dot_v) ** 4
    for c in range(3):
        ambient = light.ground[c] + hemisphere * (light.sky[c] - light.ground[c])
        # Light that comes out of a crease has met skin before and took its colour.
        diffuse[c] = ambient * (open_sky + (1 - open_sky) * 0.45 * colour[c])
        gloss[c] = ambient * open_sky * shine * (f0 + 0.22 * edge) * 0.8
    for number in range(light.directions.shape[0]):
        n_dot_l, v_dot_l = 0.0, 0.0
        for c in range(3):
            n_dot_l += normal[c] * light.directions[number, c]
            v_dot_l += view[c] * light.directions[number, c]
        wrapped = (n_dot_l + wrap) / (1 + wrap)
        if wrapped <= 0:
            continue
        lit = _key_share(light, position, turn, 0.30 + 0.3 * (1 - abs(n_dot_l))) if number == 0 else open_sky
        if material >= _SOCKET and material <= _EYE:
            lit *= 0.15 + 0.85 * open_sky
        for c in range(3):
            diffuse[c] += light.colours[number, c] * lit * wrapped
        if n_dot_l <= 0 or lit <= 0:
            continue
        half = np.sqrt(max(2 + 2 * v_dot_l, 1e-6))
        n_dot_h, v_dot_h = (n_dot_v + n_dot_l) / half, (1 + v_dot_l) / half
        bright = (1 - mix) * _ggx(n_dot_l, n_dot_v, n_dot_h, v_dot_h, rough, f0)
        if mix > 0:
            bright += mix * _ggx(n_dot_l, n_dot_v, n_dot_h, v_dot_h, rough2, f0)
        if material == _EYE:  # the mirror image of a lamp is no brighter than the lamp
            bright = min(bright, 1.5) * (0.35 + 0.65 * on_iris)
        for c in range(3):
            gloss[c] += light.colours[number, c] * lit * shine * bright


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _skin_at(
    mesh: Mesh,
    maps: SkinMaps,
    t: int,
    w0: float,
    w1: float,
    colour: np.ndarray,
    normal: np.ndarray,
    scratch: np.ndarray,
) -> float:
    """Skin colour into ``colour``, relief onto ``normal``; returns oil. ``scratch`` (2, 3)."""
    layer, corners = mesh.materials[t], mesh.uv_triangles[t]
    a, b, c = corners[0], corners[1], corners[2]
    w2 = 1 - w0 - w1
    u = w0 * mesh.uv[a, 0] + w1 * mesh.uv[b, 0] + w2 * mesh.uv[c, 0] - layer
    v = w0 * mesh.uv[a, 1] + w1 * mesh.uv[b, 1] + w2 * mesh.uv[c, 1]
    relief, oil = scratch[0], scratch[1]
    _sample(maps.albedo, layer, u, v, colour)
    _sample(maps.relief, layer, u, v, relief)
    _sample(maps.oil, layer, u, v, oil)
    for row in range(3):
        normal[row] += (
            maps.rotation[row, 0] * relief[0] + maps.rotation[row, 1] * relief[1] + maps.rotation[row, 2] * relief[2]
        )
    return oil[0]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def shade(
    triangle_at: np.ndarray,
    weights: np.ndarray,
    mesh: Mesh,
    maps: SkinMaps,
    look: EyeLook,
    cloth: np.ndarray,
    light: Lighting,
    layers: Layers,
) -> None:
    """Shade every pixel that a triangle covers into ``layers``; ``cloth`` (3,) is the clothes' colour."""
    height, width = triangle_at.shape
    normal, position, local, still, view = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    colour, scratch = np.zeros(3), np.zeros((2, 3))
    for y in range(height):
        for x in range(width):
            t = triangle_at[y, x]
            if t < 0:
                continue
            corners, w0, w1 = mesh.triangles[t], weights[y, x, 0], weights[y, x, 1]
            _interpolated(mesh.normals, corners, w0, w1, normal)
            _interpolated(mesh.posed, corners, w0, w1, position)
            _interpolated(mesh.rest, corners, w0, w1, still)
            w2 = 1 - w0 - w1
            open_sky = w0 * mesh.openness[corners[0]] + w1 * mesh.openness[corners[1]] + w2 * mesh.openness[corners[2]]
            material, on_iris = mesh.materials[t], 0.0
            gloss_of = (0.1, 0.035, 0.6, 0.6, 0.0, 0.3)
            if material <= _BACK:
                oil = _skin_at(mesh, maps, t, w0, w1, colour, normal, scratch)
                gloss_of = (0.15, 0.028, 0.60 - 0.16 * oil, 0.44 - 0.1 * oil, 0.10 + 0.30 * oil, 0.85)
            elif material == _EYE:
                side = 0 if still[0] > 0 else 1
                _interpolated(look.coordinates, corners, w0, w1, local)
                _unit(local)
                on_iris = _eyeball(local, look.axes[side], look, colour)
                open_sky = _between_lids(still, look.lids[side])
                gloss_of = (0.0, 0.03, 0.13, 0.13, 0.0, 1.0)
            elif material == _CLOTH:
                weave = 1 + 0.04 * np.sin(still[0] * 11) * np.sin(still[1] * 11)
                for c in range(3):
                    colour[c] = cloth[c] * weave
            else:
                rough, shine, open_sky = _mouth_colour(material, still, colour)
                gloss_of = (0.0, 0.035, rough, rough, 0.0, shine)
            _unit(normal)
            turn = (x * 0.7548777 + y * 0.5698403) % 1.0 * 6.2831853
            _light_point(
                material,
                gloss_of,
                open_sky,
                on_iris,
                position,
                normal,
                colour,
                light,
                turn,
                view,
                layers.diffuse[y, x],
                layers.gloss[y, x],
            )
            for c in range(3):
                layers.albedo[y, x, c] = colour[c]


def scatter(diffuse: np.ndarray, skin: np.ndarray, pixels_per_cm: float) -> np.ndarray:
    """Light scattered under the skin: ``diffuse`` (h, w, 3) blurred where ``skin`` float32 (h, w) is 1, each channel by
    its reach.
    """
    scattered = diffuse.copy()
    for channel, reach in enumerate(SCATTER_CM):
        sigma = reach * pixels_per_cm
        if sigma < 0.3:
            continue
        light = cv2.GaussianBlur(diffuse[..., channel] * skin, (0, 0), sigma)
        share = cv2.GaussianBlur(skin, (0, 0), sigma)
        scattered[..., channel] = np.where(skin > 0, light / np.maximum(share, 1e-3), diffuse[..., channel])
    return scattered
