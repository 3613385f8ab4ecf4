"""An actor's body as triangles: the face model's mesh with an identity, an expression, a gaze and a turned head."""

from enum import IntEnum
from functools import cache

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from likeness.actors.clothing import garment, under_garment
from likeness.actors.eyelids import Eyelids
from likeness.actors.face_model import FaceModel
from likeness.actors.person import IDENTITY_MODES, Person
from likeness.actors.shot import Pose

_PIVOT = np.array([0.0, -6.0, -2.5], np.float32)  # cm, where the head turns
NECK_Y = (-17.5, -8.0)  # cm: below the first nothing follows the head, above the second everything does
SOCKETS = slice(11248, 14062)  # vertices of the insides of mouth and eye sockets
EYEBALLS = (slice(21451, 22221), slice(23021, 23791))  # vertices of the subject's left and right eyeball


_ASYMMETRY = 0.4  # share of an identity's left-right differences that is kept


class Material(IntEnum):
    """How a triangle is shaded."""

    FACE = 0
    BACK = 1  # the back of the head, neck and shoulders: the second tile of the skin texture
    SOCKET = 2
    GUMS = 3
    TEETH = 4
    EYE = 5
    CLOTH = 6


_MATERIALS = {
    "M_Face": Material.FACE,
    "M_BackHead": Material.BACK,
    "M_GumsTongue": Material.GUMS,
    "M_Teeth": Material.TEETH,
    "M_ScleraLeft": Material.EYE,
    "M_ScleraRight": Material.EYE,
}


def head_rotation(head: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll in degrees (signs as in `Pose`) to a float32 (3, 3) rotation: roll first, then pitch, then
    yaw.
    """
    yaw, pitch, roll = np.radians(np.asarray(head, np.float64))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    lean = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return (turn @ nod @ lean).astype(np.float32)


def follow_head(points: np.ndarray, pose: Pose, follow: np.ndarray | None = None) -> np.ndarray:
    """Points float32 (n, 3) at rest to where ``pose`` takes them; ``follow`` (n,) in [0, 1] is `neck_weight` by
    default.
    """
    weight = neck_weight(points) if follow is None else follow
    return _turn(points, weight, head_rotation(pose.head), np.asarray(pose.shift, np.float32))


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(points: np.ndarray, weight: np.ndarray, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    moved = np.empty_like(points)
    for p in range(points.shape[0]):
        x, y, z = points[p, 0] - _PIVOT[0], points[p, 1] - _PIVOT[1], points[p, 2] - _PIVOT[2]
        for c in range(3):
            turned = rotation[c, 0] * x + rotation[c, 1] * y + rotation[c, 2] * z + _PIVOT[c]
            moved[p, c] = points[p, c] + weight[p] * (turned - points[p, c]) + shift[c]
    return moved


def neck_weight(points: np.ndarray) -> np.ndarray:
    """How far points (n, 3) follow the head, float32 (n,) in [0, 1]: a smooth step down the neck."""
    low, high = NECK_Y
    t = np.clip((points[:, 1] - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def evened(head: np.ndarray, model: FaceModel) -> np.ndarray:
    """A head (n, 3) with 40 % of its left-right differences: mixed scans add up to more than people have."""
    flip = np.array([-1, 1, 1], np.float32)
    partner = mirror_partners(model)
    mirrored = head[partner] * flip
    return ((head + mirrored) / 2 + _ASYMMETRY * (head - mirrored) / 2).astype(np.float32)


@cache
def mirror_partners(model: FaceModel) -> np.ndarray:
    """For each vertex of the mean face the number of its mirror image, int64 (n,)."""
    _, partner = cKDTree(model.vertices).query(model.vertices * [-1, 1, 1])
    return partner


class Figure:
    """A person's mesh at rest and its moves.

    ``neutral`` float32 (n, 3) in cm; ``triangles`` int32 (m, 3) are the drawn ones, with ``uv_triangles`` int32 (m, 3)
    into ``uv`` and ``materials`` uint8 (m,) of `Material`.
    """

    def __init__(self, person: Person, model: FaceModel):
        head = evened(model.shape(np.asarray(person.identity[:IDENTITY_MODES])), model)
        skin = np.unique(model.triangles[np.isin(model.materials, ["M_Face", "M_BackHead"])])
        top, top_triangles = garment(person.clothes, head[skin])
        self.neutral = np.concatenate([head, top])
        hidden = under_garment(person.clothes, head)[model.triangles].all(axis=1)
        kept = np.isin(model.materials, list(_MATERIALS)) & ~hidden
        materials = np.array([_MATERIALS[name] for name in model.materials[kept]], np.uint8)
        triangles = model.triangles[kept]
        in_socket = ((triangles >= SOCKETS.start) & (triangles < SOCKETS.stop)).all(axis=1)
        materials[in_socket] = Material.SOCKET
        self.triangles = np.concatenate([triangles, top_triangles + len(head)])
        self.materials = np.concatenate([materials, np.full(len(top_triangles), Material.CLOTH, np.uint8)])
        self.uv = model.uv
        self.uv_triangles = np.concatenate([model.uv_triangles[kept], np.zeros_like(top_triangles)])
        self.landmarks = model.landmarks
        self._names = model.expression_names
        self._deltas = model.expression_deltas.reshape(len(self._names), -1)
        self._head_vertices = len(head)
        self._follow = neck_weight(self.neutral)
        self.eye_centres = np.stack([head[ball].mean(axis=0) for ball in EYEBALLS])
        self.eye_coordinates, self.eye_axes = self._eyes(model)
        self._blinks = [self._names.index(name) for name in ("eyeBlink_L", "eyeBlink_R")]
        self._eyelids = [
            Eyelids.around(head[ball], axis, _without_eyes(model.expression_deltas[blink]))
            for ball, axis, blink in zip(EYEBALLS, self.eye_axes, self._blinks, strict=True)
        ]

    def _eyes(self, model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
        """Each eyeball vertex as a direction from its eye's centre, float32 (n, 3), and the directions of the two
        irises' middles, (2, 3).
        """
        directions = np.zeros_like(self.neutral)
        axes = []
        for ball, centre, material in zip(EYEBALLS, self.eye_centres, ("M_ScleraLeft", "M_ScleraRight"), strict=True):
            directions[ball] = self.neutral[ball] - centre
            chosen = model.materials == material
            uv, vertices = model.uv[model.uv_triangles[chosen].ravel()], model.triangles[chosen].ravel()
            middle = directions[vertices[np.argmin(np.linalg.norm(uv - 0.5, axis=1))]]
            axes.append(middle / np.linalg.norm(middle))
        return directions, np.array(axes, np.float32)

    def expressed(self, pose: Pose) -> np.ndarray:
        """The mesh float32 (n, 3) with expression and gaze, the head still straight."""
        weights = self._with_lids(pose)
        used = np.flatnonzero(weights)
        vertices = self.neutral.copy()
        if len(used):
            vertices[: self._head_vertices] += (weights[used] @ self._deltas[used]).reshape(-1, 3)
        gaze = head_rotation(np.array([pose.gaze[0], pose.gaze[1], 0]))
        for ball, lids, blink in zip(EYEBALLS, self._eyelids, self._blinks, strict=True):
            vertices[ball] = (self.neutral[ball] - lids.pivot) @ gaze.T + lids.pivot
            lids.keep_off_ball(vertices, gaze, float(weights[blink]))
        return vertices

    def turned(self, vertices: np.ndarray, pose: Pose) -> np.ndarray:
        """Expressed vertices to world space: the head turned and the body shifted."""
        return follow_head(vertices, pose, self._follow)

    def _with_lids(self, pose: Pose) -> np.ndarray:
        """The pose's weights, with the lids following the gaze unless they are shut; whoever already moved them further
        keeps that.
        """
        yaw, pitch = float(pose.gaze[0]), float(pose.gaze[1])
        wanted = {
            "eyeLookDown_L": -pitch / 30,
            "eyeLookDown_R": -pitch / 30,
            "eyeLookUp_L": pitch / 30,
            "eyeLookUp_R": pitch / 30,
            "eyeLookOut_L": yaw / 35,
            "eyeLookIn_R": yaw / 35,
            "eyeLookIn_L": -yaw / 35,
            "eyeLookOut_R": -yaw / 35,
        }
        weights = np.asarray(pose.expression, np.float32).copy()
        left, right = weights[self._blinks]
        for name, weight in wanted.items():
            index, shut = self._names.index(name), left if name.endswith("_L") else right
            weights[index] = max(weights[index], min(max(weight, 0.0), 1.0) * (1.0 - min(shut, 1.0)))
        return weights


def _without_eyes(deltas: np.ndarray) -> np.ndarray:
    """Deltas (n, 3) with those of the eyes and of the insides of their sockets at zero."""
    skin = deltas.copy()
    for inside in (*EYEBALLS, SOCKETS):
        skin[inside] = 0
    return skin
