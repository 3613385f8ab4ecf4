"""From a posed figure to linear light in pixels: z-buffer, shadow map, fused shading, scattering, strands; then to a
photograph.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from likeness.actors.figure import Figure, Material
from likeness.actors.hair import HEAD_CENTRE
from likeness.actors.rasterize import NOTHING, draw_triangles
from likeness.actors.scene import Scene
from likeness.actors.shading import EyeLook, Layers, Lighting, Mesh, SkinMaps, scatter, shade
from likeness.actors.shadows import ShadowMap, transmitted
from likeness.actors.shot import Pose
from likeness.actors.strands import Strands, back_to_front, draw_strands, strand_light

SHADOW_TEXELS = 512
HAIR_SHADOW_TEXELS = 256
_LID_LANDMARKS = (
    ((42, 43, 44, 45), (42, 47, 46, 45)),
    ((36, 37, 38, 39), (36, 41, 40, 39)),
)  # upper, lower; left first


@dataclass(eq=False)
class Buffers:
    """What the z-buffer knows of each pixel: ``depth`` float32, ``triangle_at`` int32 (h, w), ``weights`` float32 (h,
    w, 2).
    """

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


@dataclass(frozen=True, eq=False)
class Shadows:
    """The key light's shadow maps: of surfaces, and of hair."""

    solid: ShadowMap
    hair: ShadowMap

    @classmethod
    def cast(cls, scene: Scene, posed: np.ndarray, triangles: np.ndarray, strands: list[Strands]) -> "Shadows":
        """Shadows of a posed mesh and of strands in ``scene``."""
        shadows = cls(
            ShadowMap.empty(scene.key.direction, SHADOW_TEXELS),
            ShadowMap.empty(scene.key.direction, HAIR_SHADOW_TEXELS),
        )
        shadows.solid.add_triangles(posed, triangles)
        for hair in strands:
            shadows.hair.add_strands(hair.points, hair.points_each)
        if strands:  # single strands are too thin to cast shadows: only the mass of hair does
            cv2.GaussianBlur(shadows.hair.count, (0, 0), 2.0, dst=shadows.hair.count)
            cv2.erode(shadows.hair.depth, np.ones((5, 5), np.uint8), dst=shadows.hair.depth)
        return shadows

    def reach(self, points: np.ndarray) -> np.ndarray:
        """Share of the key light that reaches points (n, 3) inside the hair, float32 (n,)."""
        past_skin = transmitted(self.solid.place(points), self.solid.depth, 0.2, 0.5)
        return past_skin * transmitted(self.hair.place(points), self.hair.depth, 1.1, 0.25)


def lighting(scene: Scene, shadows: Shadows) -> Lighting:
    """A scene's lights for the kernels."""
    lights = (scene.key, scene.fill, scene.rim)
    return Lighting(
        np.array([*scene.camera.aim_cm, scene.camera.distance_cm], np.float32),
        np.stack([light.direction for light in lights]),
        np.array([light.colour for light in lights], np.float32),
        np.asarray(scene.sky, np.float32),
        np.asarray(scene.ground, np.float32),
        shadows.solid.depth,
        shadows.hair.depth,
        shadows.hair.count,
        shadows.solid.frame,
    )


def paint_surfaces(
    buffers: Buffers,
    mesh: Mesh,
    maps: SkinMaps,
    look: EyeLook,
    cloth: np.ndarray,
    light: Lighting,
    pixels_per_cm: float,
    canvas: np.ndarray,
) -> None:
    """Paint shaded surfaces into ``canvas`` float32 (h, w, 3), linear; pixels without a triangle stay as they are."""
    layers = Layers(*np.zeros((3, *canvas.shape), np.float32))
    shade(buffers.triangle_at, buffers.weights, mesh, maps, look, cloth, light, layers)
    drawn = buffers.triangle_at >= 0
    is_skin = (drawn & (mesh.materials[buffers.triangle_at] <= Material.BACK)).astype(np.float32)
    diffuse = scatter(layers.diffuse, is_skin, pixels_per_cm)
    np.copyto(canvas, diffuse * layers.albedo + layers.gloss, where=drawn[..., None])


def paint_strands(
    strands: Strands,
    openness: np.ndarray,
    shadows: Shadows,
    light: Lighting,
    scene: Scene,
    middle: np.ndarray,
    nearer_cm: float,
    depth: np.ndarray,
    canvas: np.ndarray,
    cover: np.ndarray,
) -> None:
    """Draw strands softly over ``canvas`` (h, w, 3), hidden by ``depth`` (h, w); ``cover`` (h, w) gathers their
    opacity.
    """
    side = canvas.shape[0]
    radiance = strand_light(
        strands.points,
        strands.points_each,
        strands.colour,
        openness,
        shadows.reach(strands.points),
        middle,
        light.eye,
        light.directions,
        light.colours,
        light.sky,
        light.ground,
    )
    screen = scene.camera.project(strands.points, side)
    width = np.maximum(strands.width_cm * scene.camera.pixels_per_cm(side), 0.35).astype(np.float32)
    order = back_to_front(screen[:, 2], strands.points_each)
    draw_strands(screen, strands.points_each, radiance, strands.opacity, width, order, nearer_cm, depth, canvas, cover)


def eye_look(figure: Figure, expressed: np.ndarray, iris: tuple[float, float, float], pupil: float) -> EyeLook:
    """The eyes of an expressed figure for the kernels."""
    place = expressed[figure.landmarks]
    lids = [
        [[place[u, 0], place[u, 1], place[w, 1]] for u, w in zip(upper, lower, strict=True)]
        for upper, lower in _LID_LANDMARKS
    ]
    return EyeLook(
        figure.eye_axes, figure.eye_coordinates, np.array(lids, np.float32), np.asarray(iris, np.float32), pupil
    )


def head_middle(pose: Pose) -> np.ndarray:
    """The head's centre in world space, float32 (3,), near enough for shading hair."""
    return (HEAD_CENTRE + np.asarray(pose.shift, np.float32)).astype(np.float32)


def develop(light: np.ndarray, exposure: float, grain: float, seed: int) -> np.ndarray:
    """Linear light (h, w, 3) to a photograph, uint8 sRGB: exposure, film curve (Narkowicz 2015, after ACES), seeded
    grain.
    """
    x = np.maximum(light, 0) * (0.56 * exposure)
    curve = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    display = np.where(curve <= 0.0031308, 12.92 * curve, 1.055 * np.maximum(curve, 1e-6) ** (1 / 2.4) - 0.055)
    if grain > 0:
        rng = np.random.default_rng(seed)
        shared = rng.standard_normal(light.shape[:2], np.float32)[..., None]
        own = rng.standard_normal(light.shape, np.float32)
        display = display + grain * (0.8 * shared + 0.45 * own) * (1.1 - 0.7 * display)
    return (np.clip(display, 0, 1) * 255 + 0.5).astype(np.uint8)
