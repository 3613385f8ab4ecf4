"""The studio: one person in one scene; every pose gives a picture and its exact truth."""

import zlib

import cv2
import numpy as np

from likeness.actors.backdrop import backdrop
from likeness.actors.face_model import face_model
from likeness.actors.figure import Figure, Material, head_rotation
from likeness.actors.person import Person
from likeness.actors.rasterize import vertex_normals
from likeness.actors.renderer import SHADOW_TEXELS, Buffers, develop, surface_light
from likeness.actors.scene import Scene
from likeness.actors.shadows import ShadowMap, openness
from likeness.actors.shot import Part, Pose, Shot
from likeness.actors.skin import skin_texture

__all__ = ["Part", "Pose", "Shot", "Studio"]

_VISIBLE_WITHIN_CM = 0.8  # a landmark this far behind the nearest surface still counts as on it
_PART_OF = np.array(
    [Part.FACE, Part.SKIN, Part.MOUTH, Part.TEETH, Part.TEETH, Part.EYES, Part.CLOTHES], np.uint8
)  # by Material


class Studio:
    """Films ``person`` in ``scene`` in pictures of ``size``² pixels, drawn ``supersampling`` times finer and averaged down.

    Everything that does not move is made once here; `shoot` is a pure function of the pose. Raises MissingDataError without the face model.
    """

    def __init__(self, person: Person, scene: Scene, size: int = 256, supersampling: int = 2):
        self.person, self.scene, self.size, self.supersampling = person, scene, size, supersampling
        self._figure = Figure(person, face_model())
        resolution = 512 if size <= 320 else 1024
        bare = np.zeros((2, resolution, resolution), np.float32)
        self._skin = skin_texture(person, resolution, bare, bare)
        self._backdrop = backdrop(scene, size * supersampling)
        rest = self._figure.neutral
        normals = vertex_normals(rest, self._figure.triangles)
        self._openness = openness(rest, normals, rest, self._figure.triangles, np.zeros((0, 3), np.float32))

    def shoot(self, pose: Pose) -> Shot:
        """Film one pose."""
        figure, side = self._figure, self.size * self.supersampling
        expressed = figure.expressed(pose)
        posed = figure.turned(expressed, pose)
        buffers = Buffers.draw(self.scene.camera.project(posed, side), figure.triangles, side)
        shadow = ShadowMap.empty(self.scene.key.direction, SHADOW_TEXELS)
        shadow.add_triangles(posed, figure.triangles)
        canvas = self._backdrop.copy()
        surface_light(
            self.person,
            self.scene,
            figure,
            self._skin,
            self._openness,
            expressed,
            posed,
            head_rotation(pose.head),
            0.36,
            shadow,
            buffers,
            canvas,
        )
        light = cv2.resize(canvas, (self.size, self.size), interpolation=cv2.INTER_AREA)
        seed = zlib.crc32(
            np.concatenate([pose.expression, pose.gaze, pose.head, pose.shift]).astype(np.float32).tobytes()
        )
        landmarks, visible = self._landmarks(posed, buffers)
        step = self.supersampling
        return Shot(
            image=develop(light, self.scene.exposure, self.scene.grain, seed),
            landmarks=landmarks,
            landmark_visible=visible,
            parts=self._parts(buffers)[::step, ::step].copy(),
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
        """The mask of `Part`, uint8, at the drawn resolution."""
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
