"""Brows, lashes and beard: short strands bound to triangles of the skin, so that they follow every expression."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from likeness.actors.face_model import FaceModel
from likeness.actors.figure import Figure, Material
from likeness.actors.noise import noise
from likeness.actors.person import Person
from likeness.actors.shot import Part
from likeness.actors.skin import skin_chart, texture_coordinates
from likeness.actors.strands import Strands

_LASH_STRIPS = tuple(
    (25351 + 114 * strip, strip % 6 < 3) for strip in range(12)
)  # first vertex of each, and whether upper
_LASH_COLUMNS, _LASH_ROWS = 19, 6


@dataclass(frozen=True, eq=False)
class Rooting:
    """Strand points in the frames of triangles: ``corners`` int32 (n, 3) vertices, ``weights`` float32 (n, 3) along two
    edges and the normal.
    """

    corners: np.ndarray
    weights: np.ndarray

    def place(self, vertices: np.ndarray) -> np.ndarray:
        """Where the points are on a moved mesh, float32 (n, 3)."""
        a, b, c = (vertices[self.corners[:, corner]] for corner in range(3))
        first, second = b - a, c - a
        normal = np.cross(first, second)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        w = self.weights
        return (a + w[:, :1] * first + w[:, 1:2] * second + w[:, 2:] * normal).astype(np.float32)


def bind(points: np.ndarray, corners: np.ndarray, vertices: np.ndarray) -> Rooting:
    """Bind points (n, 3) to the triangles with ``corners`` (n, 3) of the mesh at rest."""
    a, b, c = (vertices[corners[:, corner]].astype(np.float64) for corner in range(3))
    first, second = b - a, c - a
    normal = np.cross(first, second)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    frame = np.stack([first, second, normal], axis=2)
    weights = np.linalg.solve(frame + 1e-9 * np.eye(3), (points - a)[:, :, None])[:, :, 0]
    return Rooting(corners.astype(np.int32), weights.astype(np.float32))


def facial_hair(person: Person, figure: Figure, model: FaceModel, normals: np.ndarray) -> list[tuple[Strands, Rooting]]:
    """A person's brows, beard and lashes at rest, each with its binding to the figure's mesh."""
    found = [grow_brows(person, figure, model, normals), grow_lashes(person, figure, model)]
    if person.beard.style != "none":
        found.append(grow_beard(person, figure, model, normals))
    return found


def _surface(figure: Figure, normals: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The skin under points ``near`` (n, 3): triangle corners (n, 3), the points moved onto the mesh, and its normals
    there.
    """
    skin = figure.triangles[figure.materials == Material.FACE]
    centres = figure.neutral[skin].mean(axis=1)
    _, nearest = cKDTree(centres).query(near)
    corners = skin[nearest]
    normal = normals[corners].mean(axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    height = ((near - centres[nearest]) * normal).sum(axis=1, keepdims=True)
    return corners, near - height * normal, normal


def _strands(
    figure: Figure,
    corners: np.ndarray,
    roots: np.ndarray,
    directions: np.ndarray,
    normals: np.ndarray,
    length: np.ndarray,
    bend: np.ndarray,
    points_each: int,
) -> tuple[np.ndarray, Rooting]:
    """Curves from ``roots`` along ``directions`` (n, 3), bending by ``bend`` (n, 3) for each unit of length, bound to
    the skin.
    """
    s = np.linspace(0, 1, points_each)[None, :, None]
    along = directions[:, None] * s + 0.5 * bend[:, None] * s**2
    points = roots[:, None] + 0.01 * normals[:, None] + along * length[:, None, None]
    flat = points.reshape(-1, 3)
    return flat.astype(np.float32), bind(flat, np.repeat(corners, points_each, axis=0), figure.neutral)


def grow_brows(person: Person, figure: Figure, model: FaceModel, normals: np.ndarray) -> tuple[Strands, Rooting]:
    """Brows: hairs rise at the inner end, lie outwards along the arch and thin out at the tail."""
    brows, rng = person.brows, person.rng("brows")
    each = int(480 * brows.density * (0.6 + 0.4 * brows.thickness))
    roots, directions = [], []
    for numbers in ((21, 20, 19, 18, 17), (22, 23, 24, 25, 26)):  # from the nose outwards
        line = figure.neutral[model.landmarks[list(numbers)]].copy()
        line[:, 1] += np.array([0, 0.45, 1, 0.8, 0]) * brows.arch + np.linspace(0, 1, 5) * brows.tilt - 0.30
        t = rng.beta(1.35, 1.75, each) * min(brows.length, 1.12)
        half = 0.46 * brows.thickness * np.interp(t, [0, 0.15, 0.5, 1.0, 1.2], [0.8, 1.0, 0.85, 0.25, 0.1])
        across = np.clip(rng.normal(0, 0.55, each), -1.15, 1.15)
        knots = np.linspace(0, 1, 5)
        fit = [np.polynomial.Polynomial.fit(knots, line[:, axis], 3) for axis in range(3)]
        middle = np.stack([f(t) for f in fit], axis=1)
        slope = np.stack([f.deriv()(t) for f in fit], axis=1)
        slope /= np.linalg.norm(slope, axis=1, keepdims=True)
        middle[:, 1] += across * half
        rise = np.interp(t, [0, 0.2, 0.6, 1], [1.3, 0.75, 0.15, -0.25]) - 0.45 * across
        direction = slope + rise[:, None] * np.array([0, 1, 0]) + rng.normal(0, 0.24, (each, 3))
        roots.append(middle)
        directions.append(direction / np.linalg.norm(direction, axis=1, keepdims=True))
    corners, on_skin, normal = _surface(figure, normals, np.concatenate(roots))
    direction = np.concatenate(directions)
    direction -= 0.85 * normal * (direction * normal).sum(axis=1, keepdims=True)
    direction += 0.18 * normal
    count = len(direction)
    length = rng.uniform(0.35, 0.75, count) * (0.75 + 0.25 * brows.thickness)
    bend = -0.30 * normal + rng.normal(0, 0.12, (count, 3))
    points, rooting = _strands(figure, corners, on_skin, direction, normal, length, bend, 4)
    opacity = np.tile(0.58 * np.array([0.7, 1.0, 0.75, 0.12], np.float32), count)
    colour = np.asarray(brows.colour) * np.exp(rng.normal(0, 0.25, (count, 1)))
    grey = rng.random(count) < 0.7 * person.hair.grey
    colour[grey] = 0.33
    width = rng.uniform(0.035, 0.06, count)
    return _finished(points, 4, colour, width, opacity, Part.BROWS), rooting


def grow_lashes(person: Person, figure: Figure, model: FaceModel) -> tuple[Strands, Rooting]:
    """Lashes along the model's own lash strips, which move with the lids."""
    rng = person.rng("lashes")
    corners, weights = [], []
    strength = person.eyes.lashes
    for first, upper in _LASH_STRIPS:
        grid = _lash_grid(model, first)
        for _ in range(int((26 if upper else 13) * strength)):
            u = rng.uniform(0, _LASH_COLUMNS - 1.001)
            column, f = int(u), u - int(u)
            reach = min((0.55 if upper else 0.42) * np.sqrt(strength) * rng.uniform(0.8, 1.15), 1.0)
            for share in (0.0, 0.5, 1.0):
                v = share * reach * (_LASH_ROWS - 1)
                row = min(int(v), _LASH_ROWS - 2)
                corners.append((grid[row, column], grid[row, column + 1], grid[row + 1, column]))
                weights.append((f, v - row, 0.0))
    rooting = Rooting(np.array(corners, np.int32), np.array(weights, np.float32))
    count = len(corners) // 3
    opacity = np.tile(np.array([0.75, 0.6, 0.1], np.float32), count)
    colour = np.tile(0.35 * np.asarray(person.brows.colour) + 0.004, (count, 1))
    strands = _finished(
        rooting.place(figure.neutral), 3, colour, rng.uniform(0.025, 0.04, count), opacity, Part.BACKGROUND
    )
    return strands, rooting


def _lash_grid(model: FaceModel, first: int) -> np.ndarray:
    """Vertex numbers of the lash strip that starts at vertex ``first``: rows root to tip, columns along the lid."""
    chosen = model.materials == "M_EyeLashes"
    uv_of_vertex = np.zeros((len(model.vertices), 2))
    uv_of_vertex[model.triangles[chosen]] = model.uv[model.uv_triangles[chosen]]
    uv = uv_of_vertex[first : first + _LASH_ROWS * _LASH_COLUMNS]
    return first + np.lexsort((uv[:, 0], -uv[:, 1].round(2))).reshape(_LASH_ROWS, _LASH_COLUMNS)


def beard_mask(person: Person, points: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """How much beard grows at points (n, 3) of the mean face, float32 (n,) in [0, 1]; ``lips`` (n,) in [0, 1] grow
    none.
    """
    style = person.beard.style
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    ragged = 0.35 * noise(points, 1.3, 2, person.seed + 31)
    cheek = (
        np.interp(x, [0, 1.6, 2.6, 3.6, 5.0, 6.3, 7.0, 7.4], [-1.35, -1.55, -2.3, -3.3, -2.9, -1.2, 1.2, 3.0]) + ragged
    )
    below = np.clip((cheek - y) / 0.9, 0, 1)
    above = np.clip((y + np.interp(x, [0, 4, 7], [10.2, 9.2, 6.0]) + ragged) / 1.2, 0, 1)
    front = np.clip((z - np.interp(y, [-9, -4, 3], [2.5, 1.8, 2.0])) / 0.8, 0, 1)
    share = below * above * front * np.clip(1 - 1.6 * lips, 0, 1)
    share = share * np.clip(np.hypot(x / 0.75, (y + 0.9) / 0.5), 0.2, 1)
    if style == "moustache":
        share = share * (y > -3.55) * (x < 3.1) * (z > 9.5)
    elif style == "goatee":
        share = share * np.clip((3.4 + 0.5 * ragged - x) / 0.5, 0, 1) * (z > 6.5)
    elif style == "none":
        return np.zeros(len(points), np.float32)
    return share.astype(np.float32)


def grow_beard(person: Person, figure: Figure, model: FaceModel, normals: np.ndarray) -> tuple[Strands, Rooting]:
    """A beard of short strands pointing down and out."""
    beard, rng = person.beard, person.rng("beard")
    skin = np.flatnonzero(figure.materials == Material.FACE)
    corners = figure.triangles[skin]
    centres = model.vertices[corners].mean(axis=1)
    edges = model.vertices[corners]
    area = np.linalg.norm(np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0]), axis=1)
    chart = skin_chart(256)
    column, row = np.clip(
        texture_coordinates(figure.uv[figure.uv_triangles[skin]].mean(axis=1), 256).round().astype(int), 0, 255
    ).T
    lips = chart.lips[0, row, column]
    odds = (
        area * beard_mask(person, centres, lips) ** 1.5
    )  # triangles around the mouth are small enough for an even edge
    count = {"stubble": 2600, "moustache": 900, "goatee": 1500, "full": 4200}[beard.style]
    chosen = rng.choice(len(skin), count, p=odds / odds.sum())
    u = rng.dirichlet([1, 1, 1], count)
    corner = corners[chosen]
    roots = np.einsum("nk,nkc->nc", u, figure.neutral[corner])
    normal = np.einsum("nk,nkc->nc", u, normals[corner])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    outwards = np.stack([0.12 * roots[:, 0], np.full(count, -1.0), np.full(count, 0.15)], axis=1)
    outwards[:, 0] += np.where(roots[:, 1] > -2.9, 0.5 * np.sign(roots[:, 0]), 0)
    outwards -= normal * (outwards * normal).sum(axis=1, keepdims=True)
    direction = 0.45 * normal + outwards + rng.normal(0, 0.22, (count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    short = 0.14 if beard.style == "stubble" else beard.length_cm
    at_lip = np.clip((-1.2 - roots[:, 1]) / 3.0, 0.45, 1)
    length = short * rng.uniform(0.55, 1.1, count) * at_lip
    bend = np.array([0, -0.5, 0]) + rng.normal(0, 0.25, (count, 3))
    points, rooting = _strands(figure, corner, roots, direction, normal, length, bend, 4)
    colour = np.asarray(beard.colour) * np.exp(rng.normal(0, 0.3, (count, 1)))
    colour[rng.random(count) < beard.grey] = 0.4
    strength = 0.42 if beard.style == "stubble" else 0.6
    opacity = np.tile(strength * np.array([0.9, 1.0, 0.8, 0.1], np.float32), count)
    width = rng.uniform(0.05, 0.085, count)
    part = Part.BACKGROUND if beard.style == "stubble" else Part.HAIR
    return _finished(points, 4, colour, width, opacity, part), rooting


def _finished(
    points: np.ndarray, points_each: int, colour: np.ndarray, width: np.ndarray, opacity: np.ndarray, part: Part
) -> Strands:
    return Strands(
        points, points_each, colour.astype(np.float32), width.astype(np.float32), opacity.astype(np.float32), int(part)
    )
