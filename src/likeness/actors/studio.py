"""The studio: one person in one scene; every pose gives a picture and its exact truth."""

import zlib
from dataclasses import replace

import cv2
import numpy as np

from likeness.actors.backdrop import backdrop
from likeness.actors.face_model import face_model
from likeness.actors.facial_hair import beard_mask, facial_hair
from likeness.actors.figure import Figure, Material, follow_head, head_rotation
from likeness.actors.hair import grow_head_hair, scalp_share
from likeness.actors.person import Person
from likeness.actors.rasterize import vertex_normals
from likeness.actors.renderer import (
    Buffers,
    Shadows,
    develop,
    eye_look,
    head_middle,
    lighting,
    paint_strands,
    paint_surfaces,
)
from likeness.actors.scene import Scene
from likeness.actors.shading import Mesh, SkinMaps
from likeness.actors.shadows import openness
from likeness.actors.shot import Part, Pose, Shot
from likeness.actors.skin import skin_chart, skin_texture

__all__ = ["Part", "Pose", "Shot", "Studio"]

_VISIBLE_WITHIN_CM = 0.8  # a landmark this far behind the nearest surface still counts as on it
_HAIR_OVER_CM, _FACIAL_HAIR_OVER_CM = 0.10, 0.25  # strands this far under the skin are still drawn
_PUPIL = 0.36  # radius in irises
_PART_OF = np.array(
    [Part.FACE, Part.SKIN, Part.MOUTH, Part.TEETH, Part.TEETH, Part.EYES, Part.CLOTHES], np.uint8
)  # by Material


class Studio:
    """Films ``person`` in ``scene`` in pictures of ``size``² pixels, drawn ``supersampling`` times finer and averaged
    down.

    Everything that does not move is made once here; `shoot` is a pure function of the pose. Raises MissingDataError
    without the face model.
    """

    def __init__(self, person: Person, scene: Scene, size: int = 256, supersampling: int = 2):
        self.person, self.scene, self.size, self.supersampling = person, scene, size, supersampling
        model = face_model()
        self._figure = Figure(person, model)
        rest, triangles = self._figure.neutral, self._figure.triangles
        normals = vertex_normals(rest, triangles)
        chart = skin_chart(_texels(size))
        points = chart.flat()
        shape = chart.lips.shape
        beard = beard_mask(person, points, chart.lips.ravel()).reshape(shape)
        self._skin = skin_texture(person, chart.resolution, beard, scalp_share(person, points).reshape(shape))
        self._hair = grow_head_hair(person, self._figure, model, normals)
        self._facial_hair = facial_hair(person, self._figure, model, normals)
        every = np.concatenate([rest, self._hair.points])
        facing = np.concatenate([normals, np.zeros_like(self._hair.points)])  # hair looks all ways
        seen = openness(every, facing, rest, triangles, self._hair.points, self._hair.points_each)
        self._openness, self._hair_openness = seen[: len(rest)], seen[len(rest) :]
        self._backdrop = backdrop(scene, size * supersampling)

    def move_to(self, scene: Scene) -> None:
        """Go on in another scene; the person is not made anew."""
        self.scene = scene
        self._backdrop = backdrop(scene, self.size * self.supersampling)

    def shoot(self, pose: Pose) -> Shot:
        """Film one pose."""
        figure, scene, side = self._figure, self.scene, self.size * self.supersampling
        expressed = figure.expressed(pose)
        posed = figure.turned(expressed, pose)
        buffers = Buffers.draw(scene.camera.project(posed, side), figure.triangles, side)
        hair = replace(self._hair, points=follow_head(self._hair.points, pose))
        shadows = Shadows.cast(scene, posed, figure.triangles, [hair])
        light = lighting(scene, shadows)
        canvas = self._backdrop.copy()
        paint_surfaces(
            buffers,
            Mesh(
                figure.triangles,
                figure.uv,
                figure.uv_triangles,
                figure.materials,
                posed,
                vertex_normals(posed, figure.triangles),
                expressed,
                self._openness,
            ),
            SkinMaps(self._skin.albedo, self._skin.relief, self._skin.oil, head_rotation(pose.head)),
            eye_look(figure, expressed, self.person.eyes.iris, _PUPIL),
            np.asarray(self.person.clothes.colour, np.float32),
            light,
            scene.camera.pixels_per_cm(side),
            canvas,
        )
        parts = self._parts(buffers)
        middle = head_middle(pose)
        for grown, rooting in self._facial_hair:
            strands = replace(grown, points=rooting.place(posed))
            open_sky = np.full(len(strands.points), 0.8, np.float32)
            cover = np.zeros((side, side), np.float32)
            paint_strands(
                strands, open_sky, shadows, light, scene, middle, _FACIAL_HAIR_OVER_CM, buffers.depth, canvas, cover
            )
            if strands.part:
                parts[cover > 0.35] = strands.part
        cover = np.zeros((side, side), np.float32)
        paint_strands(
            hair, self._hair_openness, shadows, light, scene, middle, _HAIR_OVER_CM, buffers.depth, canvas, cover
        )
        parts[cover > 0.5] = Part.HAIR
        return self._developed(pose, canvas, parts, posed, buffers)

    def _developed(
        self, pose: Pose, canvas: np.ndarray, parts: np.ndarray, posed: np.ndarray, buffers: Buffers
    ) -> Shot:
        """The finished picture with its truth."""
        light = cv2.resize(canvas, (self.size, self.size), interpolation=cv2.INTER_AREA)
        moves = np.concatenate([pose.expression, pose.gaze, pose.head, pose.shift]).astype(np.float32)
        landmarks, visible = self._landmarks(posed, buffers)
        step = self.supersampling
        return Shot(
            image=develop(light, self.scene.exposure, self.scene.grain, zlib.crc32(moves.tobytes())),
            landmarks=landmarks,
            landmark_visible=visible,
            parts=parts[::step, ::step].copy(),
            depth_cm=buffers.depth[::step, ::step].copy(),
            head=np.asarray(pose.head, np.float32),
        )

    def _landmarks(self, posed: np.ndarray, buffers: Buffers) -> tuple[np.ndarray, np.ndarray]:
        """The 68 landmarks in pixels of the picture, and which of them can be seen."""
        place = self.scene.camera.project(posed[self._figure.landmarks], self.size)
        inside = ((place[:, :2] >= -0.5) & (place[:, :2] <= self.size - 0.5)).all(axis=1)
        step = self.supersampling
        column, row = np.clip(np.round((place[:, :2] + 0.5) * step - 0.5).astype(int), 0, self.size * step - 1).T
        return place[:, :2], inside & (place[:, 2] < buffers.depth[row, column] + _VISIBLE_WITHIN_CM)

    def _parts(self, buffers: Buffers) -> np.ndarray:
        """The mask of `Part` without hair, uint8, at the drawn resolution."""
        figure, parts = self._figure, np.zeros(buffers.triangle_at.shape, np.uint8)
        drawn = buffers.triangle_at >= 0
        triangle = buffers.triangle_at[drawn]
        material = figure.materials[triangle]
        found = _PART_OF[material]
        on_skin = material <= Material.BACK
        w = np.concatenate([buffers.weights[drawn], 1 - buffers.weights[drawn].sum(axis=1, keepdims=True)], axis=1)
        uv = np.einsum("nk,nkc->nc", w[on_skin], figure.uv[figure.uv_triangles[triangle[on_skin]]])
        resolution = self._skin.parts.shape[1]
        column = np.clip(((uv[:, 0] - material[on_skin]) * resolution).astype(int), 0, resolution - 1)
        row = np.clip(((1 - uv[:, 1]) * resolution).astype(int), 0, resolution - 1)
        found[on_skin] = self._skin.parts[material[on_skin], row, column]
        parts[drawn] = found
        return parts


def _texels(size: int) -> int:
    """Resolution of the skin texture for pictures of ``size``²: a texel is never much larger than a pixel."""
    return 256 if size <= 128 else 512 if size <= 320 else 1024
