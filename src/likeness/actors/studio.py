"""The studio: one person in one scene; every pose gives a picture and its exact truth."""

import cv2
import numpy as np

from likeness.actors.face_model import face_model
from likeness.actors.figure import Figure, Material
from likeness.actors.person import Person
from likeness.actors.rasterize import NOTHING, draw_triangles, vertex_normals
from likeness.actors.scene import Scene
from likeness.actors.shot import Part, Pose, Shot

__all__ = ["Part", "Pose", "Shot", "Studio"]


class Studio:
    """Films ``person`` in ``scene`` in pictures of ``size``² pixels, drawn ``supersampling`` times finer and averaged down.

    Everything that does not move is made once here; `shoot` is a pure function of the pose. Raises MissingDataError without the face model.
    """

    def __init__(self, person: Person, scene: Scene, size: int = 256, supersampling: int = 2):
        self.person, self.scene, self.size, self.supersampling = person, scene, size, supersampling
        self.figure = Figure(person, face_model())

    def shoot(self, pose: Pose) -> Shot:
        """Film one pose."""
        figure, side = self.figure, self.size * self.supersampling
        vertices = figure.turned(figure.expressed(pose), pose)
        screen = self.scene.camera.project(vertices, side)
        depth = np.full((side, side), np.inf, np.float32)
        triangle_at = np.full((side, side), NOTHING, np.int32)
        weights = np.zeros((side, side, 2), np.float32)
        draw_triangles(screen, figure.triangles, depth, triangle_at, weights)
        normals = vertex_normals(vertices, figure.triangles)
        drawn = triangle_at >= 0
        corners = figure.triangles[triangle_at[drawn]]
        w = np.concatenate([weights[drawn], 1 - weights[drawn].sum(axis=1, keepdims=True)], axis=1)
        normal = np.einsum("nk,nkc->nc", w, normals[corners])
        light = 0.35 + np.maximum(normal @ self.scene.key.direction, 0)[:, None] * np.array(self.scene.key.colour) * 0.4
        base = np.array(
            [
                [0.6, 0.4, 0.3],
                [0.6, 0.4, 0.3],
                [0.2, 0.05, 0.05],
                [0.4, 0.15, 0.15],
                [0.8, 0.8, 0.7],
                [0.8, 0.8, 0.8],
                [0.1, 0.1, 0.3],
            ]
        )
        image = np.full((side, side, 3), 0.3, np.float32)
        material = figure.materials[triangle_at[drawn]]
        image[drawn] = base[material] * light
        small = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)
        parts = np.zeros((side, side), np.uint8)
        part_of = np.array(
            [Part.FACE, Part.SKIN, Part.MOUTH, Part.TEETH, Part.TEETH, Part.EYES, Part.CLOTHES], np.uint8
        )
        parts[drawn] = part_of[material]
        step = self.supersampling
        place = self.scene.camera.project(vertices[figure.landmarks], self.size)
        inside = ((place[:, :2] >= 0) & (place[:, :2] <= self.size - 1)).all(axis=1)
        near = np.clip(np.round(place[:, :2]).astype(int), 0, self.size - 1)
        visible = inside & (place[:, 2] < depth[::step, ::step][near[:, 1], near[:, 0]] + 0.8)
        return Shot(
            image=np.clip(255 * small ** (1 / 2.2), 0, 255).astype(np.uint8),
            landmarks=place[:, :2],
            landmark_visible=visible,
            parts=parts[::step, ::step].copy(),
            depth_cm=depth[::step, ::step].copy(),
            head=np.asarray(pose.head, np.float32),
        )
