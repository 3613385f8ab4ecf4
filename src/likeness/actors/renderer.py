"""From a posed figure to linear light in pixels: z-buffer, shadow map, fused shading, scattering; and from light to a photograph."""

from dataclasses import dataclass

import numpy as np

from likeness.actors.figure import Figure, Material
from likeness.actors.person import Person
from likeness.actors.rasterize import NOTHING, draw_triangles, vertex_normals
from likeness.actors.scene import Scene
from likeness.actors.shadows import ShadowMap
from likeness.actors.shading import scatter, shade
from likeness.actors.skin import SkinTexture

SHADOW_TEXELS = 512
_LID_LANDMARKS = (
    ((42, 43, 44, 45), (42, 47, 46, 45)),
    ((36, 37, 38, 39), (36, 41, 40, 39)),
)  # upper, lower; left eye first


@dataclass(eq=False)
class Buffers:
    """What the z-buffer knows of each pixel: ``depth`` float32, ``triangle_at`` int32 (h, w), ``weights`` float32 (h, w, 2)."""

    depth: np.ndarray
    triangle_at: np.ndarray
    weights: np.ndarray

    @classmethod
    def draw(cls, screen: np.ndarray, triangles: np.ndarray, side: int) -> "Buffers":
        """Draw triangles whose corners ``screen`` (n, 3) are in pixels and cm."""
        buffers = cls(
            np.full((side, side), np.inf, np.float32),
            np.full((side, side), NOTHING, np.int32),
            np.zeros((side, side, 2), np.float32),
        )
        draw_triangles(screen, triangles, buffers.depth, buffers.triangle_at, buffers.weights)
        return buffers


def surface_light(
    person: Person,
    scene: Scene,
    figure: Figure,
    skin: SkinTexture,
    openness: np.ndarray,
    expressed: np.ndarray,
    posed: np.ndarray,
    rotation: np.ndarray,
    pupil: float,
    shadow: ShadowMap,
    buffers: Buffers,
    canvas: np.ndarray,
) -> None:
    """Paint the figure's surfaces into ``canvas`` (h, w, 3), linear light; pixels without a triangle stay as they are."""
    side = canvas.shape[0]
    diffuse, albedo, gloss = np.zeros((3, side, side, 3), np.float32)
    camera = scene.camera
    lights = (scene.key, scene.fill, scene.rim)
    shade(
        buffers.triangle_at,
        buffers.weights,
        figure.triangles,
        figure.uv,
        figure.uv_triangles,
        figure.materials,
        posed,
        vertex_normals(posed, figure.triangles),
        expressed,
        openness,
        skin.albedo,
        skin.relief,
        skin.oil[..., None],
        rotation,
        figure.eye_axes,
        figure.eye_coordinates,
        lid_lines(expressed[figure.landmarks]),
        np.asarray(person.eyes.iris, np.float32),
        pupil,
        np.asarray(person.clothes.colour, np.float32),
        np.array([*camera.aim_cm, camera.distance_cm], np.float32),
        np.stack([light.direction for light in lights]),
        np.array([light.colour for light in lights], np.float32),
        np.asarray(scene.sky, np.float32),
        np.asarray(scene.ground, np.float32),
        shadow.depth,
        shadow.frame,
        diffuse,
        albedo,
        gloss,
    )
    drawn = buffers.triangle_at >= 0
    is_skin = (drawn & (figure.materials[buffers.triangle_at] <= Material.BACK)).astype(np.float32)
    diffuse = scatter(diffuse, is_skin, camera.pixels_per_cm(side))
    np.copyto(canvas, diffuse * albedo + gloss, where=drawn[..., None])


def lid_lines(landmarks: np.ndarray) -> np.ndarray:
    """The edges of the lids before the head turns: float32 (2 eyes, left first; 4 points; x, upper y, lower y), x rising."""
    lines = [
        [[landmarks[u, 0], landmarks[u, 1], landmarks[w, 1]] for u, w in zip(upper, lower, strict=True)]
        for upper, lower in _LID_LANDMARKS
    ]
    return np.array(lines, np.float32)


def develop(light: np.ndarray, exposure: float, grain: float, seed: int) -> np.ndarray:
    """Linear light (h, w, 3) to a photograph, uint8 sRGB: exposure, film curve (Narkowicz 2015, after ACES), grain drawn from ``seed``."""
    x = np.maximum(light, 0) * (0.62 * exposure)
    curve = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    display = np.where(curve <= 0.0031308, 12.92 * curve, 1.055 * np.maximum(curve, 1e-6) ** (1 / 2.4) - 0.055)
    if grain > 0:
        rng = np.random.default_rng(seed)
        shared = rng.standard_normal(light.shape[:2], np.float32)[..., None]
        own = rng.standard_normal(light.shape, np.float32)
        display = display + grain * (0.8 * shared + 0.45 * own) * (1.1 - 0.7 * display)
    return (np.clip(display, 0, 1) * 255 + 0.5).astype(np.uint8)
