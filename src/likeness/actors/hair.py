"""Head hair: where it grows, and the cuts. Strands grow from the scalp, are combed, fall, clump, curl and lie on head
and shoulders.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.actors.face_model import FaceModel
from likeness.actors.figure import Figure, Material
from likeness.actors.noise import noise
from likeness.actors.person import Person
from likeness.actors.shot import Part
from likeness.actors.strands import Strands

HEAD_CENTRE = np.array([0.0, 3.0, -0.5], np.float32)  # cm
_CROWN = np.array([1.2, 12.6, -5.0], np.float32)  # where the hair's whorl is
_MAP = (48, 96)  # the radial head map: rows from top to bottom, columns around
_LONG_CM = 8.0  # hair longer than this is kept off the face
_GROUND_CM = 0.5  # a cell of the height map of the shoulders

# The hairline on the mean face: height in cm over the angle around the head in degrees (0 the front, 180 the back).
_HAIRLINE_ANGLE = (0, 15, 26, 36, 43, 54, 60, 63, 70, 74, 104, 110, 118, 130, 180)
_HAIRLINE_Y = (9.7, 9.75, 9.4, 8.6, 7.0, 5.4, 3.9, 1.4, 1.0, 4.6, 4.9, 2.0, -1.5, -4.2, -5.5)

# The outline hair keeps off the face: half width in cm over height.
_FACE_Y = (-16.0, -9.0, -5.0, 0.0, 4.0, 7.0, 9.5, 11.0)
_FACE_X = (5.0, 6.6, 7.0, 7.3, 7.1, 6.2, 3.5, 0.0)


@dataclass(frozen=True)
class Cut:
    """A haircut. Lengths and sizes in cm; ``comb``: whorl, parting, back or out; ``lift`` 0 lies flat, 1 stands up;
    ``recede`` 0–1.
    """

    strands: int
    points: int
    top: float = 5.0
    sides: float = 3.0
    back: float = 4.0
    comb: str = "whorl"
    lift: float = 0.4
    stiffness: float = 0.5  # 1 keeps its direction, 0 hangs
    volume: float = 1.2  # thickness of the layer of hair
    curl: float = 0.0  # radius of curls
    curl_turns: float = 0.0  # turns for each cm
    frizz: float = 0.12
    clump: float = 0.5
    width: float = 0.075
    recede: float = 0.0
    crown: float = 0.0  # 1: bare on top
    tint: float = 0.9  # how much the scalp takes the hair's colour
    bun: float = 0.0  # radius of a bun


STYLES = {
    "bald": Cut(0, 3, tint=0.10),
    "balding": Cut(9000, 4, 1.6, 1.6, 1.8, lift=0.35, volume=0.5, recede=1.0, crown=1.0, tint=0.55),
    "crop": Cut(22000, 3, 0.9, 0.6, 0.7, lift=0.55, volume=0.3, frizz=0.25, width=0.06, tint=0.8),
    "short": Cut(15000, 5, 4.2, 1.6, 2.0, lift=0.5, stiffness=0.85, volume=1.3, frizz=0.16),
    "side": Cut(13000, 6, 7.0, 1.8, 2.2, "parting", 0.45, 0.7, 1.5, frizz=0.10, clump=0.6),
    "receding": Cut(13000, 5, 3.4, 1.6, 2.0, lift=0.45, volume=1.0, recede=0.8, tint=0.7),
    "quiff": Cut(13000, 6, 6.0, 1.3, 1.8, "back", 0.75, 0.85, 2.2, frizz=0.12),
    "pixie": Cut(13000, 6, 6.5, 3.6, 4.2, "parting", 0.35, 0.6, 1.5, frizz=0.14, clump=0.6),
    "bob": Cut(7200, 11, 19.0, 15.0, 14.0, "parting", 0.35, 0.25, 1.5, frizz=0.035, width=0.10),
    "long": Cut(6600, 12, 34.0, 30.0, 30.0, "parting", 0.35, 0.2, 1.6, frizz=0.035, width=0.11),
    "wavy": Cut(5000, 16, 26.0, 23.0, 22.0, "parting", 0.40, 0.2, 1.7, 0.50, 0.085, 0.035, 0.7, 0.12),
    "bun": Cut(8500, 9, 15.0, 13.0, 13.0, "bun", 0.1, 1.0, 0.6, frizz=0.03, width=0.11, bun=3.1),
    "curly": Cut(6600, 12, 8.5, 6.0, 7.0, "whorl", 0.7, 0.5, 2.4, 0.42, 0.42, 0.10, 0.65, 0.10),
    "afro": Cut(9500, 8, 4.8, 4.2, 4.4, "out", 1.0, 1.0, 4.4, 0.34, 0.9, 0.12, 0.2, 0.10),
    "coils": Cut(11000, 7, 2.6, 1.6, 2.0, "out", 1.0, 0.9, 2.0, 0.22, 1.1, 0.2, 0.3, 0.09),
}


def scalp(person: Person, points: np.ndarray) -> np.ndarray:
    """How much hair grows at points (n, 3) of the mean face, float32 (n,) in [0, 1]."""
    cut = STYLES[person.hair.style]
    rng = person.rng("hairline")
    around = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] + 0.5))
    line = np.interp(around, _HAIRLINE_ANGLE, _HAIRLINE_Y) + rng.normal(0, 0.25)
    peak = rng.uniform(-0.4, 0.5)
    line = line - peak * np.exp(-((points[:, 0] / 1.2) ** 2)) * (points[:, 2] > 0)
    temples = np.exp(-(((around - 30) / 14) ** 2))
    line = line + cut.recede * (2.6 * temples + 1.0 * (around < 30)) + 0.35 * noise(points, 0.9, 3, person.seed)
    share = np.clip((points[:, 1] - line) / 0.7 + 0.3, 0, 1)
    if cut.crown > 0:
        share *= 1 - cut.crown * np.clip((points[:, 1] - 8.0) / 2.0, 0, 1)
    on_ear = (np.abs(points[:, 0]) > 7.75) & (points[:, 1] < 5.2) & (np.abs(points[:, 2]) < 3)
    share[on_ear] = 0
    return (share * share * (3 - 2 * share)).astype(np.float32)


def scalp_share(person: Person, points: np.ndarray) -> np.ndarray:
    """How much the scalp takes the hair's colour at points (n, 3) of the mean face, float32 (n,) in [0, 1]."""
    return STYLES[person.hair.style].tint * scalp(person, points)


def grow_head_hair(person: Person, figure: Figure, model: FaceModel, normals: np.ndarray) -> Strands:
    """A person's hair on the figure at rest, with skin ``normals`` (n, 3) at its vertices."""
    on_skin = figure.materials <= Material.BACK
    corners = figure.triangles[on_skin]
    mean = model.vertices[corners]
    area = np.linalg.norm(np.cross(mean[:, 1] - mean[:, 0], mean[:, 2] - mean[:, 0]), axis=1)
    rng, wanted = person.rng("roots"), STYLES[person.hair.style].strands
    odds = area * (scalp(person, mean.mean(axis=1)) + 0.02)
    drawn = rng.choice(len(corners), 2 * wanted, p=odds / odds.sum())
    u = rng.dirichlet([1, 1, 1], len(drawn))
    grows = rng.random(len(drawn)) < scalp(person, np.einsum("nk,nkc->nc", u, mean[drawn]))
    u, chosen = u[grows][:wanted], corners[drawn[grows][:wanted]]
    roots = np.einsum("nk,nkc->nc", u, figure.neutral[chosen])
    normal = np.einsum("nk,nkc->nc", u, normals[chosen])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    head = figure.neutral[np.unique(corners)]
    return grow_hair(person, roots, normal, head, figure.neutral[np.unique(figure.triangles[~on_skin])])


def grow_hair(person: Person, roots: np.ndarray, normals: np.ndarray, head: np.ndarray, top: np.ndarray) -> Strands:
    """Grow a person's hair from ``roots`` (n, 3) with skin ``normals``; ``head`` (h, 3) and ``top`` (t, 3) are what it
    lies on.
    """
    cut, rng = STYLES[person.hair.style], person.rng("hair")
    count, k = len(roots), cut.points
    if not count:
        nothing = np.zeros((0, 3), np.float32)
        return Strands(nothing, k, nothing, nothing[:, 0], nothing[:, 0], int(Part.HAIR))
    length = (
        _lengths(cut, roots)
        * rng.uniform(0.78 if cut.comb != "out" else 0.9, 1.05, count)
        * (1 + 0.12 * noise(roots, 0.7, 2, person.seed))
    )
    layer = (0.08 + cut.volume * rng.uniform(0, 1, count) ** 0.8).astype(np.float32)
    direction = _combed(person, cut, roots, normals)
    direction += cut.frizz * 1.6 * rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
    wander = (cut.frizz * rng.standard_normal((count, k, 3))).astype(np.float32)
    curves = _grow(
        roots.astype(np.float32),
        direction.astype(np.float32),
        (length / (k - 1)).astype(np.float32),
        layer,
        wander,
        _fall(cut),
        radial_map(head),
        height_map(np.concatenate([top, head[head[:, 1] < -9]])),
        np.asarray(_FACE_Y),
        np.asarray(_FACE_X),
        cut.comb == "bun",
    )
    curves = _clumped(curves, cut.clump, rng)
    if cut.top > _LONG_CM:
        curves, length = _off_the_face(curves, length)
    if cut.curl > 0:
        curves = _curled(curves, cut, length, person.seed)
    if cut.bun > 0:
        curves = np.concatenate([curves, _bun(cut, k, rng)])
    fade = 1 - 0.85 * np.linspace(0, 1, k) ** 3
    fade[0] = 0.6  # no hard hairline
    opacity = np.broadcast_to(0.88 * fade, (len(curves), k)).astype(np.float32).ravel()
    width = (cut.width * rng.uniform(0.6, 1.35, len(curves))).astype(np.float32)
    return Strands(
        curves.reshape(-1, 3).astype(np.float32), k, _colours(person, curves[:, 0], rng), width, opacity, int(Part.HAIR)
    )


def _lengths(cut: Cut, roots: np.ndarray) -> np.ndarray:
    """Length in cm by where a strand is rooted: top, sides, back."""
    high = np.clip((roots[:, 1] - 7.0) / 3.5, 0, 1)
    behind = np.clip((-roots[:, 2] - 1.0) / 4.0, 0, 1)
    low = cut.sides * (1 - behind) + cut.back * behind
    return cut.top * high + low * (1 - high)


def _fall(cut: Cut) -> float:
    """How much a strand turns downwards for each cm."""
    return 0.30 * (1 - cut.stiffness)


def _combed(person: Person, cut: Cut, roots: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Directions in which strands leave the skin."""
    if cut.comb == "parting":
        line = 4.5 * person.hair.parting
        astray = person.rng("parting").normal(0, 0.5 if cut.top > _LONG_CM else 1.2, len(roots))
        side = np.tanh((roots[:, 0] - line - 0.25 * noise(roots, 1.2, 2, person.seed + 3) + astray) / 0.35)
        front = np.clip(roots[:, 2] / 8, 0, 1)
        comb = np.stack([1.2 * side, -0.35 + 0 * side, -0.15 - 0.75 * front], axis=1)
    elif cut.comb == "back":
        comb = np.stack(
            [0.25 * np.sign(roots[:, 0]) * (roots[:, 1] < 9), 0 * roots[:, 0], -1 + 0 * roots[:, 0]], axis=1
        )
        comb[:, 1] = np.where(roots[:, 1] < 8, -0.6, 0.2)
    elif cut.comb == "bun":
        comb = np.array([0, 13.0, -6.5]) - roots
    elif cut.comb == "out":
        comb = np.zeros_like(roots)
    else:
        comb = roots - _CROWN
        comb[:, 0] += 2.0 * person.hair.parting
        swirl = np.stack([comb[:, 2], 0 * comb[:, 0], -comb[:, 0]], axis=1)
        comb = comb + 0.35 * swirl
    comb = comb + 0.4 * np.stack([noise(roots, 0.35, 2, person.seed + axis) for axis in (5, 6, 7)], axis=1)
    comb = comb - normals * (comb * normals).sum(axis=1, keepdims=True)
    comb /= np.linalg.norm(comb, axis=1, keepdims=True) + 1e-6
    return normals * cut.lift + comb * (1 - cut.lift)


def radial_map(head: np.ndarray) -> np.ndarray:
    """Distance in cm from `HEAD_CENTRE` to the outside of the head's points (n, 3), by direction: float32 (48, 96)."""
    offset = head[head[:, 1] > -9] - HEAD_CENTRE
    r = np.linalg.norm(offset, axis=1)
    row = np.clip(np.arccos(offset[:, 1] / r) / np.pi * _MAP[0], 0, _MAP[0] - 1).astype(int)
    column = ((np.arctan2(offset[:, 0], offset[:, 2]) / (2 * np.pi) + 0.5) * _MAP[1]).astype(int) % _MAP[1]
    radius = np.zeros(_MAP, np.float32)
    np.maximum.at(radius, (row, column), r)
    spread = ndimage.maximum_filter(radius, 5, mode=("nearest", "wrap"))
    radius = np.where(radius > 0, radius, spread)
    return ndimage.gaussian_filter(radius, 0.8, mode=("nearest", "wrap")).astype(np.float32)


def height_map(body: np.ndarray) -> np.ndarray:
    """Height in cm of the shoulders over (x, z): float32 (65 over z, 101 over x), cells of half a cm, −60 where nothing
    is.
    """
    heights = np.full((65, 101), -60.0, np.float32)
    row = np.clip(np.round(body[:, 2] / _GROUND_CM + 32), 0, 64).astype(int)
    column = np.clip(np.round(body[:, 0] / _GROUND_CM + 50), 0, 100).astype(int)
    np.maximum.at(heights, (row, column), body[:, 1])
    return ndimage.maximum_filter(heights, 7)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _radius_towards(radius: np.ndarray, x: float, y: float, z: float, r: float) -> float:
    rows, columns = radius.shape
    row = min(max(np.arccos(min(max(y / r, -1.0), 1.0)) / np.pi * rows - 0.5, 0.0), rows - 1.001)
    column = (np.arctan2(x, z) / 6.283185307 + 0.5) * columns - 0.5
    i, j = int(row), int(np.floor(column))
    fy, fx = row - i, column - j
    left, right = j % columns, (j + 1) % columns
    top = radius[i, left] * (1 - fx) + radius[i, right] * fx
    low = radius[i + 1, left] * (1 - fx) + radius[i + 1, right] * fx
    return top * (1 - fy) + low * fy


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _grow(
    roots: np.ndarray,
    directions: np.ndarray,
    steps: np.ndarray,
    layers: np.ndarray,
    wander: np.ndarray,
    fall: float,
    radius: np.ndarray,
    heights: np.ndarray,
    face_y: np.ndarray,
    face_x: np.ndarray,
    gathered: bool,
) -> np.ndarray:
    """Curves float32 (n, k, 3): step along, bend down, stay outside head, face and shoulders."""
    count, k = wander.shape[:2]
    curves = np.zeros((count, k, 3), np.float32)
    p, d = np.zeros(3), np.zeros(3)
    for s in range(count):
        for c in range(3):
            p[c], d[c] = roots[s, c], directions[s, c]
            curves[s, 0, c] = p[c]
        step = steps[s]
        for i in range(1, k):
            if gathered:
                d[0], d[1], d[2] = (
                    d[0] * 0.5 - 0.09 * p[0],
                    d[1] * 0.5 + 0.09 * (9.0 - p[1]),
                    d[2] * 0.5 + 0.09 * (-9.5 - p[2]),
                )
            d[1] -= fall * step
            length = 1e-9
            for c in range(3):
                d[c] += wander[s, i, c]
                length += d[c] * d[c]
            for c in range(3):
                p[c] += step * d[c] / np.sqrt(length)
            x, y, z = p[0] - HEAD_CENTRE[0], p[1] - HEAD_CENTRE[1], p[2] - HEAD_CENTRE[2]
            r = np.sqrt(x * x + y * y + z * z) + 1e-6
            outside = _radius_towards(radius, x, y, z, r) + layers[s] * min(1.0, i / 3)
            if r < outside and p[1] > -8:
                for c in range(3):
                    p[c] = HEAD_CENTRE[c] + (p[c] - HEAD_CENTRE[c]) * outside / r
            if p[2] > 2.5 and p[1] < 11:
                keep = np.interp(p[1], face_y, face_x) + 0.5 * layers[s]
                if abs(p[0]) < keep and step * k > 6:
                    side = 1.0 if roots[s, 0] + 0.3 * directions[s, 0] > 0 else -1.0
                    p[0] += 0.6 * (side * keep - p[0])
            row, column = int(p[2] * 2 + 32.5), int(p[0] * 2 + 50.5)
            if 0 <= row < heights.shape[0] and 0 <= column < heights.shape[1]:
                ground = heights[row, column] + 0.3 + 0.6 * layers[s]
                if p[1] < ground and ground - p[1] < 6:
                    p[1] = ground
            for c in range(3):
                d[c] = (p[c] - curves[s, i - 1, c]) / (step + 1e-6)
                curves[s, i, c] = p[c]
    return curves


def _off_the_face(curves: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Curves and lengths without the strands that would hang before eyes, nose and mouth."""
    x, y, z = np.abs(curves[..., 0]), curves[..., 1], curves[..., 2]
    in_front = (x < np.interp(y, [-9, -2, 5, 8], [5.5, 6.6, 6.4, 4.0])) & (y > -9) & (y < 8.3) & (z > 4.5)
    kept = ~in_front.any(axis=1)
    return curves[kept], length[kept]


def _clumped(curves: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Draw neighbouring strands together towards their tips."""
    count, k = curves.shape[:2]
    guides = rng.choice(count, max(1, count // 24), replace=False)
    _, nearest = cKDTree(curves[guides, 0]).query(curves[:, 0])
    pull = strength * (np.linspace(0, 1, k) ** 1.3)[None, :, None] * rng.uniform(0.3, 1, (count, 1, 1))
    return curves + pull * (curves[guides[nearest]] - curves)


def _curled(curves: np.ndarray, cut: Cut, length: np.ndarray, seed: int) -> np.ndarray:
    """Wind strands into curls; neighbours curl together."""
    k = curves.shape[1]
    along = np.linspace(0, 1, k)[None, :] * length[:, None]
    phase = 4 * noise(curves[:, 0], 0.8, 2, seed + 11)[:, None]
    angle = 2 * np.pi * cut.curl_turns * along * (1 + 0.2 * np.sin(phase)) + phase * 3
    size = cut.curl * np.minimum(1, along / 2.0)
    offset = np.stack([np.cos(angle), 0.6 * np.sin(angle * 0.7 + phase), np.sin(angle)], axis=2)
    return curves + size[..., None] * offset


def _bun(cut: Cut, k: int, rng: np.random.Generator) -> np.ndarray:
    """A knot of hair at the back of the head: strands wound around a flattened ball."""
    count = 2200
    tilt, start = rng.normal(0, 0.5, (count, 1)), rng.uniform(0, 2 * np.pi, (count, 1))
    around = start + np.linspace(0, 1.6, k)[None, :]
    r = cut.bun * rng.uniform(0.75, 1.0, (count, 1)) * np.cos(np.clip(tilt, -1.3, 1.3))
    x, y = r * np.cos(around), r * np.sin(around)
    z = cut.bun * 0.8 * np.sin(np.clip(tilt, -1.3, 1.3)) + 0 * around
    return np.stack([x, y + 13.6, z - 6.8], axis=2)


def _colours(person: Person, roots: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour for each strand: streaks, and single grey ones."""
    count = len(roots)
    streaks = np.exp(0.28 * noise(roots, 0.8, 2, person.seed + 21) + rng.normal(0, 0.22, count))
    colour = np.asarray(person.hair.colour) * streaks[:, None]
    grey = rng.random(count) < person.hair.grey
    share = rng.uniform(0.35 + 0.65 * person.hair.grey, 1, (int(grey.sum()), 1))
    colour[grey] += share * (0.42 * rng.uniform(0.6, 1.2, share.shape) - colour[grey])
    return np.minimum(colour, 0.8).astype(np.float32)
