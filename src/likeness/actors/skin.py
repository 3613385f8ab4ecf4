"""Skin as a texture over the face model's chart: colour from melanin and blood, relief, oil, and which part of the head
it is.

All detail is a function of where a point lies on the model's mean face, so it has no seams and follows expressions.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from scipy import ndimage

from likeness.actors.face_model import FaceModel, face_model
from likeness.actors.noise import noise, noise_gradient
from likeness.actors.person import Person, Skin
from likeness.actors.rasterize import draw_triangles
from likeness.actors.shot import Part

CHARTS = ("M_Face", "M_BackHead")

# Linear skin colour: exp of minus pigment times its extinction in red, green, blue (fitted to photographs by eye).
_DERMIS = np.array([0.74, 0.57, 0.47], np.float32)
_MELANIN = np.array([1.5, 1.95, 2.4], np.float32)
_BLOOD = np.array([0.10, 0.85, 0.70], np.float32)

# Where blood shows: centre on the mean face's right half (cm), radius (cm), more haemoglobin.
_FLUSHES = (
    ((-4.9, 0.4, 8.6), 2.0, 0.16),  # cheeks
    ((0.0, 0.2, 12.8), 1.1, 0.14),  # tip of the nose
    ((-8.4, 2.6, 0.0), 1.8, 0.16),  # ears
    ((-3.0, 3.9, 9.5), 0.9, 0.07),  # lids
    ((0.0, -6.4, 10.6), 1.3, 0.06),  # chin
)


@dataclass(frozen=True, eq=False)
class SkinChart:
    """The model's skin charts as maps of ``resolution``²: ``positions`` float32 (2, r, r, 3) on the mean face in cm and
    ``to_texture``.
    """

    resolution: int
    positions: np.ndarray
    lips: np.ndarray  # float32 (2, r, r), 1 on the lips

    def flat(self) -> np.ndarray:
        """Positions as (2·r·r, 3)."""
        return self.positions.reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class SkinTexture:
    """``albedo`` float32 (2, r, r, 3) linear; ``relief`` float32 (2, r, r, 3), added to normals; ``oil`` float32 (2, r,
    r, 1) in [0, 1]; ``parts`` uint8 (2, r, r).
    """

    albedo: np.ndarray
    relief: np.ndarray
    oil: np.ndarray
    parts: np.ndarray


@cache
def skin_chart(resolution: int) -> SkinChart:
    """The charts of the face model, drawn once for each resolution."""
    model = face_model()
    positions = np.stack([_draw_positions(model, tile, resolution) for tile in range(len(CHARTS))])
    lips = np.zeros((len(CHARTS), resolution, resolution), np.float32)
    lips[0] = _lip_mask(model, resolution)
    return SkinChart(resolution, positions, lips)


def _draw_positions(model: FaceModel, tile: int, resolution: int) -> np.ndarray:
    """Mean-face positions float32 (r, r, 3) over one chart; texels outside it take their nearest neighbour's."""
    chosen = model.materials == CHARTS[tile]
    corners, uv_corners = model.triangles[chosen], model.uv_triangles[chosen]
    texels = np.zeros((len(model.uv), 3), np.float32)
    texels[:, :2] = texture_coordinates(model.uv - [tile, 0], resolution)
    depth = np.full((resolution, resolution), np.inf, np.float32)
    triangle_at = np.full((resolution, resolution), -1, np.int32)
    weights = np.zeros((resolution, resolution, 2), np.float32)
    for winding in (uv_corners, uv_corners[:, ::-1]):  # the chart's charts may be mirrored
        found = np.full_like(triangle_at, -1)
        draw_triangles(texels, np.ascontiguousarray(winding), depth, found, weights)
        if winding is not uv_corners:
            w = weights[found >= 0]
            weights[found >= 0] = np.stack([1 - w.sum(axis=1), w[:, 1]], axis=1)
        triangle_at = np.where(found >= 0, found, triangle_at)
    w = np.concatenate([weights, 1 - weights.sum(axis=2, keepdims=True)], axis=2)
    positions = np.einsum("yxk,yxkc->yxc", w, model.vertices[corners[triangle_at]])
    nearest = ndimage.distance_transform_edt(triangle_at < 0, return_distances=False, return_indices=True)
    return positions[tuple(nearest)].astype(np.float32)


def texture_coordinates(uv: np.ndarray, resolution: int) -> np.ndarray:
    """uv in [0, 1], v up, to texel coordinates (…, 2), rows down, a texel's centre a whole number."""
    return np.stack([uv[..., 0] * resolution - 0.5, (1 - uv[..., 1]) * resolution - 0.5], axis=-1)


def landmark_texels(model: FaceModel, resolution: int) -> np.ndarray:
    """The 68 landmarks on the face chart, (68, 2) texels."""
    uv_of_vertex = np.zeros(len(model.vertices), np.int64)
    skin = model.materials == CHARTS[0]
    uv_of_vertex[model.triangles[skin].ravel()] = model.uv_triangles[skin].ravel()
    return texture_coordinates(model.uv[uv_of_vertex[model.landmarks]], resolution)


def _lip_mask(model: FaceModel, resolution: int) -> np.ndarray:
    """Soft mask of the red of the lips: a closed spline through the outer lip landmarks."""
    outline = landmark_texels(model, resolution)[48:60]
    curve = ndimage.zoom(np.concatenate([outline] * 3), (8, 1), order=3, mode="nearest")
    third = len(curve) // 3
    mask = np.zeros((resolution, resolution), np.uint8)
    cv2.fillPoly(mask, [np.round(curve[third : 2 * third + 8] * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), resolution / 200).astype(np.float32) / 255


def skin_texture(person: Person, resolution: int, beard: np.ndarray, scalp: np.ndarray) -> SkinTexture:
    """A person's skin. ``beard`` and ``scalp`` float32 (2, r, r) in [0, 1] say where hair grows out of it."""
    chart, skin = skin_chart(resolution), person.skin
    points = chart.flat()
    shape = (len(CHARTS), resolution, resolution)
    seeds = person.rng("skin").integers(2**20, size=8)
    patches = noise(points, 0.45, 3, int(seeds[0])).reshape(shape)
    grain = noise(points, 3.5, 2, int(seeds[1])).reshape(shape)
    melanin = skin.melanin * (1 + 0.10 * patches + 0.07 * grain) + _spots(points, person).reshape(shape)
    blood = skin.haemoglobin * (1 + 0.35 * noise(points, 0.9, 3, int(seeds[2])).reshape(shape))
    blood = blood + _flush(chart.positions) * (0.4 + 2.2 * skin.haemoglobin)
    under_eye = _bump_at(chart.positions, (-3.1, 1.9, 9.2), (1.5, 0.65, 2.0))
    melanin = melanin + (0.05 + 0.09 * skin.age) * under_eye
    lips = chart.lips * (1 + 0.12 * grain)
    blood = blood + lips * (0.45 + 0.9 * skin.lip_colour)
    melanin = melanin * (1 - 0.25 * lips) + 0.10 * lips
    albedo = _DERMIS * np.exp(-melanin[..., None] * _MELANIN - blood[..., None] * _BLOOD)
    shaved = 0.5 if person.beard.style == "stubble" else 0.7
    albedo = _under_hair(albedo, np.asarray(person.beard.colour), shaved * beard)
    tint = np.asarray(person.hair.colour) * (1 - person.hair.grey) + 0.12 * person.hair.grey
    albedo = _under_hair(albedo, tint, scalp)
    oil = np.clip(skin.oil * (0.5 + 0.5 * _bump_at(chart.positions, (0, 3, 11.5), (3.2, 5, 5)) + 0.5 * lips), 0, 1)
    return SkinTexture(
        np.ascontiguousarray(albedo, np.float32),
        _relief(points, skin, lips.ravel(), int(seeds[3])).reshape(*shape, 3),
        oil[..., None].astype(np.float32),
        _parts(chart),
    )


def _under_hair(albedo: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Skin seen between hairs of ``colour``: ``cover`` in [0, 1] is how much of it they hide."""
    cover = np.clip(cover, 0, 1)[..., None]
    return (
        albedo * (1 - cover)
        + (0.25 * albedo + 0.75 * colour) * cover * (0.3 + 0.7 * cover)
        + albedo * 0.7 * cover * (1 - cover)
    )


def _bump_at(
    positions: np.ndarray, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> np.ndarray:
    """A Gaussian bump on both halves of the face: centre on the right half, radii in cm."""
    mirrored = positions.copy()
    mirrored[..., 0] = -np.abs(mirrored[..., 0])
    offset = (mirrored - np.asarray(centre, np.float32)) / np.asarray(radii, np.float32)
    return np.exp(-(offset**2).sum(axis=-1))


def _flush(positions: np.ndarray) -> np.ndarray:
    total = np.zeros(positions.shape[:-1], np.float32)
    for centre, radius, strength in _FLUSHES:
        total += strength * _bump_at(positions, centre, (radius, radius, radius))
    return total


def _spots(points: np.ndarray, person: Person) -> np.ndarray:
    """Extra melanin of freckles (nose and cheeks), age spots and a few moles, float32 (n,)."""
    rng = person.rng("spots")
    skin = person.skin
    melanin = np.zeros(len(points), np.float32)
    front = points[:, 2] > 2
    if skin.freckles > 0:
        fine = noise(points, 4.5, 1, int(rng.integers(2**20)))
        where = _bump_at(points, (-3.2, 1.0, 10.0), (3.2, 3.0, 4.5))
        melanin += skin.freckles * 0.55 * where * np.clip((fine - 0.35) / 0.3, 0, 1)
    if skin.age > 0.55:
        coarse = noise(points, 1.6, 2, int(rng.integers(2**20)))
        melanin += (skin.age - 0.5) * 0.18 * np.clip((coarse - 0.5) / 0.4, 0, 1)
    candidates = points[front]
    for _ in range(int(rng.integers(0, 4))):
        centre = candidates[rng.integers(len(candidates))]
        distance = np.linalg.norm(points - centre, axis=1) / rng.uniform(0.07, 0.12)
        melanin += 0.5 * np.clip(1.5 - distance, 0, 1)
    return melanin


def _relief(points: np.ndarray, skin: Skin, lips: np.ndarray, seed: int) -> np.ndarray:
    """Offset of the normal, float32 (n, 3): minus the slope of pores, uneven flesh and, with age, creases across the
    brow and by the eyes.
    """
    slope = 0.010 * noise_gradient(points, 3.2, 2, seed) + (0.018 + 0.02 * skin.age) * noise_gradient(
        points, 0.9, 2, seed + 9
    )
    stretched = points * np.array([0.16, 1.15, 0.16], np.float32)
    creases = noise_gradient(stretched, 1.6, 2, seed + 5) * np.array([0.16, 1.15, 0.16], np.float32)
    forehead = _bump_at(points, (0, 8.2, 10), (5.0, 1.9, 4.0))
    by_eye = _bump_at(points, (-5.9, 3.0, 7.6), (1.0, 1.2, 1.5))
    slope += (0.16 * skin.age**1.5 * (forehead + 1.2 * by_eye))[:, None] * creases
    across = points * np.array([1.0, 0.15, 0.15], np.float32)
    slope += (0.035 * lips)[:, None] * noise_gradient(across, 3.0, 2, seed + 7)
    return -slope.astype(np.float32)


def _parts(chart: SkinChart) -> np.ndarray:
    """Which skin is the face (inside the jaw line, below the hairline), which neck, ears and scalp, which lips."""
    x, y, z = np.moveaxis(chart.positions, -1, 0)
    jaw_y = np.interp(
        np.abs(x), [0, 1.5, 3.0, 4.3, 5.7, 6.6, 7.0, 7.4], [-8.0, -7.7, -7.3, -6.6, -4.9, -2.8, -1.0, 3.7]
    )
    front = z > np.interp(y, [-8, -4.5, 0, 3.7, 10], [7.0, 5.6, 4.0, 3.4, 4.5])
    face = (y > jaw_y) & (y < 9.8) & front
    parts = np.where(face, Part.FACE, Part.SKIN).astype(np.uint8)
    parts[chart.lips > 0.5] = Part.MOUTH
    return parts
