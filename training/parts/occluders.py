"""What comes between a camera and a face, drawn in two dimensions with its exact mask.

Hands of capsules on a palm, things cut out of photographs, glasses on the landmarks, strands of fringe, scarves, masks
and caps. Each is a few `Layer`s of `SIZE`² pixels, drawn at twice that size and averaged, so that edges are soft.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from likeness.faces.align import TEMPLATE
from likeness.faces.face import LEFT_EYE, RIGHT_EYE
from likeness.faces.parts import HAIR, OCCLUDER, SIZE

KINDS = ("hand", "object", "glasses", "fringe", "scarf")

_FINE = 2 * SIZE  # pixels, side of the canvas that is drawn on
_FACE = 0.625 * _FINE  # pixels of it that a face is wide
# Skin in sRGB from very light to very dark, and hair from black over brown and red to white.
_SKIN = np.array(
    [(250, 222, 200), (232, 190, 160), (204, 152, 116), (160, 108, 76), (108, 68, 48), (62, 40, 30)], np.float32
)
_HAIR = np.array([(18, 15, 14), (45, 30, 22), (92, 62, 40), (140, 70, 38), (190, 150, 96), (205, 203, 200)], np.float32)


@dataclass(frozen=True, eq=False)
class Layer:
    """``colour`` float32 (128, 128, 3) in grey levels, ``alpha`` float32 (128, 128) in [0, 1]; ``part`` is what it
    counts as, None where one sees through it."""

    colour: np.ndarray
    alpha: np.ndarray
    part: int | None


@dataclass(frozen=True, eq=False)
class Subject:
    """Whom it is drawn over: ``landmarks`` (68, 2) pixels; ``skin`` and ``hair`` float32 (3,), colours of the person;
    ``photo`` uint8 (h, w, 3), a photograph that lends its surface."""

    landmarks: np.ndarray
    skin: np.ndarray
    hair: np.ndarray | None
    photo: np.ndarray


def occluder(kind: str, subject: Subject, rng: np.random.Generator) -> list[Layer]:
    """The layers of one occluder of ``kind``, one of KINDS, from the back to the front."""
    draw: dict[str, Callable[[Subject, np.random.Generator], list[Layer]]] = {
        "hand": hand, "object": held_object, "glasses": glasses, "fringe": fringe, "scarf": scarf
    }  # fmt: skip
    return draw[kind](subject, rng)


# ---- hands -----------------------------------------------------------------------------------------------------------


def hand(subject: Subject, rng: np.random.Generator, at: np.ndarray | None = None) -> list[Layer]:
    """A hand and forearm of any pose, side and tone, sometimes the person's own, often touching the face."""
    width = _FACE * 0.5 * np.exp(rng.normal(0, 0.2))  # of the palm: hands are about half as wide as faces
    turn = rng.uniform(-np.pi, np.pi) if rng.random() < 0.4 else rng.normal(0, 0.7)
    if at is None:
        at = 2 * subject.landmarks[rng.integers(68)] + rng.normal(0, 0.2 * _FACE, 2)
    tone = subject.skin if rng.random() < 0.4 else _between(_SKIN, rng)
    tone = np.clip(tone * np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.03, 3)), 8, 250)
    across = np.array([np.cos(turn), np.sin(turn)]) * rng.choice([-1, 1])  # towards the little finger
    along = np.array([np.sin(turn), -np.cos(turn)])  # towards the finger tips
    place = np.array([across, along]) * width
    canvas = _Canvas(tone.astype(np.float32), rng)
    _forearm(canvas, at, place, width, rng)
    _palm(canvas, at, place, width)
    curls = _finger_poses(rng)
    order = rng.permutation(4)
    for finger in order:
        _finger(canvas, at, place, width, int(finger), float(curls[finger]), rng)
    _thumb(canvas, at, place, width, rng)
    return [canvas.layer()]


class _Canvas:
    """Parts of a hand one over the other, each shaded as if round."""

    def __init__(self, tone: np.ndarray, rng: np.random.Generator) -> None:
        self.tone, self.rng = tone, rng
        self.shade = np.zeros((_FINE, _FINE), np.float32)
        self.mask = np.zeros((_FINE, _FINE), np.uint8)
        angle = rng.uniform(0, 2 * np.pi)
        self.light = rng.uniform(0.1, 0.45) * np.array([np.cos(angle), np.sin(angle)])
        self.flat = rng.uniform(0.5, 0.8)  # brightness of an edge that is turned away

    def add(self, part: np.ndarray, radius: float) -> None:
        """Lay ``part`` (uint8 mask) over the rest; ``radius`` pixels from its edge it faces the camera."""
        x, y, w, h = cv2.boundingRect(part)
        if w == 0 or h == 0:
            return
        cut = slice(max(y - 1, 0), y + h + 1), slice(max(x - 1, 0), x + w + 1)
        inside = np.ascontiguousarray(part[cut])
        deep = np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 3) / max(radius, 1.0), 1.0)
        height = np.sqrt(np.maximum(1 - (1 - deep) ** 2, 0)).astype(np.float32)
        slope_x, slope_y = (cv2.Sobel(height, cv2.CV_32F, dx, 1 - dx, scale=radius / 8) for dx in (1, 0))
        lit = self.flat + (1 - self.flat) * height - self.light[0] * slope_x - self.light[1] * slope_y
        self.shade[cut] = np.where(inside > 0, np.clip(lit, 0.25, 1.35), self.shade[cut])
        self.mask[cut] |= inside

    def crease(self, points: np.ndarray, depth: float, thickness: int) -> None:
        """A darker line, or a lighter one where ``depth`` is negative."""
        line = np.zeros((_FINE, _FINE), np.uint8)
        cv2.polylines(line, [points.astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
        self.shade *= 1 - depth * (line / np.float32(255))

    def layer(self) -> Layer:
        grain = _noise(self.rng, 12, 0.05) + _noise(self.rng, 70, 0.03) + 1
        blotch = 1 + _noise(self.rng, 6, 0.05)[..., None] * np.array([0.3, 1.0, 1.0], np.float32)
        colour = self.tone * (self.shade * grain)[..., None] * blotch
        alpha = (self.mask > 0).astype(np.float32)
        return _layer(colour, alpha, OCCLUDER)


def _finger_poses(rng: np.random.Generator) -> np.ndarray:
    """How far the four fingers are bent, 0 straight to 1 into the fist."""
    pose = rng.choice(["open", "relaxed", "fist", "pointing", "any"], p=[0.35, 0.25, 0.12, 0.13, 0.15])
    if pose == "open":
        return rng.uniform(0, 0.25, 4)
    if pose == "relaxed":
        return np.clip(rng.uniform(0.1, 0.7) + rng.normal(0, 0.08, 4), 0, 1)
    if pose == "fist":
        return rng.uniform(0.85, 1, 4)
    if pose == "pointing":
        return np.where(np.arange(4) < rng.integers(1, 3), rng.uniform(0, 0.15), rng.uniform(0.8, 1, 4))
    return rng.uniform(0, 1, 4)


def _palm(canvas: _Canvas, at: np.ndarray, place: np.ndarray, width: float) -> None:
    corners = np.array([(-0.32, -0.5), (0.3, -0.5), (0.42, 0.1), (0.4, 0.45), (0.1, 0.53), (-0.4, 0.47), (-0.46, 0)])
    part = _filled(at + corners @ place)
    cv2.polylines(part, [(at + corners @ place).astype(np.int32)], True, 255, max(1, int(width * 0.14)), cv2.LINE_AA)
    canvas.add(_solid(part), width * 0.3)


def _forearm(canvas: _Canvas, at: np.ndarray, place: np.ndarray, width: float, rng: np.random.Generator) -> None:
    lean = rng.normal(0, 0.3)
    corners = np.array([(-0.3, -0.4), (0.3, -0.4), (0.5 + lean * 3, -4.0), (-0.5 + lean * 3, -4.0)])
    canvas.add(_filled(at + corners @ place), width * 0.35)


def _finger(
    canvas: _Canvas, at: np.ndarray, place: np.ndarray, width: float, finger: int, curl: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Three bones from the knuckle; what bends towards the camera looks shorter."""
    root = np.array([-0.36 + 0.25 * finger, 0.42 + (0.06, 0.1, 0.08, 0.0)[finger]])
    length = (0.85, 0.95, 0.88, 0.7)[finger] * np.exp(rng.normal(0, 0.06))
    angle = (finger - 1.5) * rng.uniform(0.0, 0.2) + rng.normal(0, 0.05)
    joints = [root]
    bent = 0.0
    for bone in (0.45, 0.3, 0.25):
        bent += curl * rng.uniform(0.8, 1.1)
        step = bone * length * np.cos(min(bent, 2.6)) if curl > 0.5 else bone * length * (1 - 0.4 * curl)
        joints.append(joints[-1] + step * np.array([np.sin(angle), np.cos(angle)]))
        angle += rng.normal(0, 0.05) + 0.25 * curl * rng.normal(0, 0.5)
    _bones(canvas, at + np.array(joints) @ place, width * (0.12, 0.125, 0.12, 0.105)[finger], place)


def _thumb(canvas: _Canvas, at: np.ndarray, place: np.ndarray, width: float, rng: np.random.Generator) -> None:
    angle = rng.uniform(-1.2, 0.5)
    joints = [np.array([-0.32, -0.28])]
    for bone in (0.45, 0.36, 0.28):
        joints.append(joints[-1] + bone * np.array([np.sin(angle), np.cos(angle)]))
        angle += rng.uniform(-0.1, 0.45)
    _bones(canvas, at + np.array(joints) @ place, width * 0.14, place)


def _bones(canvas: _Canvas, joints: np.ndarray, radius: float, place: np.ndarray) -> None:
    """A capsule along ``joints`` that grows thinner, with creases at its joints and sometimes a nail."""
    part = np.zeros((_FINE, _FINE), np.uint8)
    for number, (start, end) in enumerate(pairwise(joints)):
        thick = max(1, round(2 * radius * (1 - 0.1 * number)))
        cv2.line(part, _pixel(start), _pixel(end), 255, thick)
    canvas.add(part, radius)
    sideways = np.array([-(joints[-1] - joints[0])[1], (joints[-1] - joints[0])[0]])
    sideways = radius * sideways / max(float(np.linalg.norm(sideways)), 1.0)
    for joint in joints[1:-1]:
        if canvas.rng.random() < 0.7:
            canvas.crease(np.array([joint - 0.7 * sideways, joint + 0.7 * sideways]), canvas.rng.uniform(0.05, 0.3), 2)
    if canvas.rng.random() < 0.4:
        canvas.crease(np.array([joints[-1] - 0.3 * sideways, joints[-1] + 0.3 * sideways]), -0.2, max(2, int(radius)))


# ---- things ----------------------------------------------------------------------------------------------------------


def held_object(subject: Subject, rng: np.random.Generator) -> list[Layer]:
    """A thing with a photograph's surface, or a plain one, anywhere over the face; often in a hand."""
    centre = np.array([_FINE / 2, _FINE * 0.6]) + rng.normal(0, 0.25, 2) * _FINE
    reach = _FACE * rng.uniform(0.12, 0.5)
    part = _solid(_shape(rng)(centre, reach, rng.uniform(-np.pi, np.pi), rng))
    surface = _photographed(subject.photo, rng) if rng.random() < 0.7 else _plain(rng)
    layers = [_layer(surface, part / np.float32(255), OCCLUDER)]
    if rng.random() < 0.35:
        layers += hand(subject, rng, centre + rng.normal(0, 0.6, 2) * reach)
    return layers


def _shape(rng: np.random.Generator) -> Callable[[np.ndarray, float, float, np.random.Generator], np.ndarray]:
    return (_blob, _ellipse, _phone, _cup, _microphone)[int(rng.integers(5))]


def _blob(centre: np.ndarray, reach: float, turn: float, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(3, 12))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = reach * rng.uniform(0.4, 1.2, count)
    return _filled(centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1))


def _ellipse(centre: np.ndarray, reach: float, turn: float, rng: np.random.Generator) -> np.ndarray:
    part = np.zeros((_FINE, _FINE), np.uint8)
    axes = max(1, int(reach)), max(1, int(reach * rng.uniform(0.3, 1)))
    cv2.ellipse(part, _pixel(centre), axes, np.degrees(turn), 0, 360, 255, -1, cv2.LINE_AA)
    return part


def _phone(centre: np.ndarray, reach: float, turn: float, rng: np.random.Generator) -> np.ndarray:
    half = np.array([0.5, 1.0]) * reach
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    part = _filled(centre + corners @ _turn(turn))
    thickness = max(1, int(reach * rng.uniform(0.05, 0.3)))  # round corners
    cv2.polylines(part, [(centre + corners @ _turn(turn)).astype(np.int32)], True, 255, thickness, cv2.LINE_AA)
    return part


def _cup(centre: np.ndarray, reach: float, turn: float, rng: np.random.Generator) -> np.ndarray:
    turn = rng.normal(0, 0.4)
    taper = rng.uniform(0.6, 1)
    corners = np.array([(-0.7, -0.8), (0.7, -0.8), (0.7 * taper, 0.8), (-0.7 * taper, 0.8)]) * reach
    part = _filled(centre + corners @ _turn(turn))
    side = rng.choice([-1, 1])
    handle = centre + np.array([0.8 * side, 0.0]) @ _turn(turn) * reach
    if rng.random() < 0.6:
        cv2.circle(part, _pixel(handle), max(2, int(0.4 * reach)), 255, max(2, int(0.14 * reach)), cv2.LINE_AA)
    return part


def _microphone(centre: np.ndarray, reach: float, turn: float, rng: np.random.Generator) -> np.ndarray:
    part = np.zeros((_FINE, _FINE), np.uint8)
    head = max(2, int(reach * rng.uniform(0.25, 0.5)))
    end = centre + np.array([np.sin(turn), abs(np.cos(turn))]) * _FINE
    cv2.circle(part, _pixel(centre), head, 255, -1, cv2.LINE_AA)
    cv2.line(part, _pixel(centre), _pixel(end), 255, max(2, int(head * rng.uniform(0.5, 1.4))), cv2.LINE_AA)
    return part


# ---- glasses ---------------------------------------------------------------------------------------------------------


def glasses(subject: Subject, rng: np.random.Generator) -> list[Layer]:
    """Rims, bridge and temples; lenses clear, lightly tinted with a reflection, or dark. Dark ones hide the face."""
    fit = _fit(subject.landmarks)
    wide, tall, square = rng.uniform(0.16, 0.23), rng.uniform(0.09, 0.19), rng.uniform(2, 6)
    around = np.linspace(0, 2 * np.pi, 40)
    rim = np.stack([_power(np.cos(around), 2 / square) * wide, _power(np.sin(around), 2 / square) * tall], -1)
    drop = np.array([0.0, rng.uniform(0.0, 0.05)])
    centres = [TEMPLATE[eye].mean(0) + drop for eye in (RIGHT_EYE, LEFT_EYE)]
    outlines = [_moved(fit, centre + rim) for centre in centres]
    lens = np.zeros((_FINE, _FINE), np.uint8)
    cv2.fillPoly(lens, [outline.astype(np.int32) for outline in outlines], 255, cv2.LINE_AA)
    lens_alpha = lens / np.float32(255)
    layers = _lenses(lens_alpha, rng)
    layers.append(_frame(subject.landmarks, fit, outlines, centres, wide, rng))
    return layers


def _lenses(inside: np.ndarray, rng: np.random.Generator) -> list[Layer]:
    tint = _flat(rng.uniform(0, 90, 3))
    if rng.random() < 0.3:
        ramp = np.linspace(1, rng.uniform(0.75, 1), _FINE, dtype=np.float32)[:, None]
        return [_layer(tint, inside * rng.uniform(0.7, 1.0) * ramp, OCCLUDER), *_glint(inside, rng)]
    return [_layer(tint, inside * rng.uniform(0, 0.3), None), *_glint(inside, rng)]


def _glint(inside: np.ndarray, rng: np.random.Generator) -> list[Layer]:
    if rng.random() < 0.5:
        return []
    shape = _filled(rng.uniform(0.2, 0.8, (4, 2)) * _FINE) / np.float32(255)
    return [_layer(_flat(rng.uniform(170, 255, 3)), inside * shape * rng.uniform(0.05, 0.45), None)]


def _frame(
    landmarks: np.ndarray, fit: np.ndarray, outlines: list[np.ndarray], centres: list[np.ndarray], wide: float,
    rng: np.random.Generator,
) -> Layer:  # fmt: skip
    part = np.zeros((_FINE, _FINE), np.uint8)
    thick = max(1, round(_FACE * rng.choice([0.012, 0.02, 0.035, 0.05]) * rng.uniform(0.8, 1.2)))
    for outline in outlines:
        cv2.polylines(part, [outline.astype(np.int32)], True, 255, thick, cv2.LINE_AA)
    inner = np.array([centres[0] + [wide, 0], (centres[0] + centres[1]) / 2 - [0, 0.03], centres[1] - [wide, 0]])
    cv2.polylines(part, [_moved(fit, inner).astype(np.int32)], False, 255, thick, cv2.LINE_AA)
    for centre, side, ear in ((centres[0], -1, 0), (centres[1], 1, 16)):
        hinge = _moved(fit, centre + np.array([side * wide, -0.01]))
        reach = (2 * landmarks[ear] - hinge) @ (_moved(fit, centre + np.array([side, 0.0])) - hinge)
        if reach > 0:  # the ear is on this side of the hinge: the temple is not behind the head
            cv2.line(part, _pixel(hinge), _pixel(2 * landmarks[ear]), 255, thick, cv2.LINE_AA)
    dark = rng.random() < 0.7
    colour = rng.uniform(5, 60) * np.ones(3) + rng.normal(0, 8, 3) if dark else rng.uniform(40, 230, 3)
    shine = 1 + _noise(rng, 10, 0.2)[..., None]
    return _layer(np.clip(colour, 0, 255).astype(np.float32) * shine, part / np.float32(255), OCCLUDER)


def _fit(landmarks: np.ndarray) -> np.ndarray:
    """The affine map (3, 2) from TEMPLATE's units to the canvas that suits eyes, bridge and ears: it follows a turn."""
    rows = [*range(0, 3), *range(14, 17), *range(27, 31), *range(36, 48)]
    known = np.column_stack([TEMPLATE[rows], np.ones(len(rows))])
    return np.linalg.lstsq(known, 2 * landmarks[rows].astype(np.float64), rcond=None)[0]


def _moved(fit: np.ndarray, points: np.ndarray) -> np.ndarray:
    points = np.atleast_2d(points)
    moved = np.column_stack([points, np.ones(len(points))]) @ fit
    return moved[0] if len(moved) == 1 else moved


# ---- hair and cloth --------------------------------------------------------------------------------------------------


def fringe(subject: Subject, rng: np.random.Generator) -> list[Layer]:
    """Locks that fall over forehead, eyes or one cheek, in the person's colour."""
    fit = _fit(subject.landmarks)
    own = subject.hair is not None and rng.random() < 0.8
    tone = subject.hair if own and subject.hair is not None else _between(_HAIR, rng) * rng.uniform(0.6, 1.2)
    left, right = np.sort(rng.uniform(-0.15, 1.15, 2))
    longest = rng.uniform(0.3, 0.7) if rng.random() < 0.75 else rng.uniform(0.7, 1.6)
    lean = rng.normal(0, 0.3)
    colour = np.zeros((_FINE, _FINE, 3), np.uint8)
    alpha = np.zeros((_FINE, _FINE), np.uint8)
    locks = int(rng.integers(1, 9))
    for _ in range(locks):
        root, length = rng.uniform(left, right), longest * rng.uniform(0.5, 1)
        tip = root + lean * length + rng.normal(0, 0.05)
        bend = rng.normal(0, 0.08)
        for _ in range(int(rng.integers(3, 25))):
            start = root + rng.normal(0, 0.05)
            end = tip + rng.normal(0, 0.03)
            t = np.linspace(0, 1, 8)
            x = start + (end - start) * t**1.3 + bend * np.sin(np.pi * t)
            y = -0.42 + length * rng.uniform(0.8, 1.05) * t
            strand = [_moved(fit, np.stack([x, y], -1)).astype(np.int32)]
            shade = np.clip(tone * np.exp(rng.normal(0, 0.25)), 0, 255)
            thickness = int(rng.integers(1, 4))
            cv2.polylines(colour, strand, False, tuple(float(level) for level in shade), thickness)
            cv2.polylines(alpha, strand, False, 255, thickness)
    return [_layer(colour.astype(np.float32), alpha / np.float32(255), HAIR)]


def scarf(subject: Subject, rng: np.random.Generator) -> list[Layer]:
    """Cloth: a scarf over the chin, a mask over mouth and nose, or a cap or headscarf down to the brows."""
    fit = _fit(subject.landmarks)
    kind = rng.choice(["scarf", "mask", "cap"])
    x = np.linspace(-0.6, 1.6, 24)
    wave = 0.03 * np.sin(x * rng.uniform(2, 9) + rng.uniform(0, 6)) + rng.normal(0, 0.1) * (x - 0.5)
    if kind == "mask":
        jaw = subject.landmarks[2:15] * 2.0
        grown = jaw.mean(0) + rng.uniform(0.95, 1.1) * (jaw - jaw.mean(0))
        top = _moved(fit, np.stack([np.linspace(0.85, 0.15, 7), rng.uniform(0.26, 0.4) + wave[:7] * 0.3], -1))
        part = _filled(np.concatenate([grown, top]))
    else:
        edge = rng.uniform(0.35, 1.05) if kind == "scarf" else rng.uniform(-0.3, 0.02)
        far = 3.0 if kind == "scarf" else -2.0
        border = np.stack([x, edge + wave - (0.25 if kind == "cap" else 0.0) * (1 - (2 * x - 1) ** 2) * 0.3], -1)
        closing = np.array([(1.6, far), (-0.6, far)])
        part = _filled(_moved(fit, np.concatenate([border, closing])))
    surface = _photographed(subject.photo, rng) if rng.random() < 0.4 else _plain(rng)
    angle, folds = rng.uniform(0, np.pi), rng.uniform(3, 25)
    axis = np.linspace(0, 1, _FINE, dtype=np.float32)
    run = np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None] + _noise(rng, 5, 0.08)
    surface = surface * (1 + rng.uniform(0, 0.3) * np.sin(2 * np.pi * folds * run))[..., None]
    return [_layer(surface, part / np.float32(255), OCCLUDER)]


# ---- surfaces and shapes ---------------------------------------------------------------------------------------------


def _photographed(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.integers(40, max(41, min(photo.shape[:2]))))
    top, left = (int(rng.integers(0, extent - side + 1)) for extent in photo.shape[:2])
    part = cv2.resize(photo[top : top + side, left : left + side], (_FINE, _FINE), interpolation=cv2.INTER_LINEAR)
    return part.astype(np.float32) * np.float32(np.exp(rng.normal(0, 0.2)))


def _plain(rng: np.random.Generator) -> np.ndarray:
    ramp = 1 + rng.uniform(-0.4, 0.4) * np.linspace(-1, 1, _FINE, dtype=np.float32)
    turned = ramp[:, None] if rng.random() < 0.5 else ramp[None]
    return _flat(rng.uniform(5, 250, 3)) * (turned + _noise(rng, int(rng.integers(4, 90)), 0.05))[..., None]


def _flat(colour: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colour.astype(np.float32), (_FINE, _FINE, 3))


def _noise(rng: np.random.Generator, knots: int, strength: float) -> np.ndarray:
    """Smooth random values around 0, float32 (256, 256)."""
    coarse = rng.normal(0, strength, (knots, knots)).astype(np.float32)
    return cv2.resize(coarse, (_FINE, _FINE), interpolation=cv2.INTER_LINEAR)


def _layer(colour: np.ndarray, alpha: np.ndarray, part: int | None) -> Layer:
    """Averaged to SIZE²; pixels that nothing was drawn on lend no colour."""
    small = cv2.resize(np.clip(colour, 0, 255), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    covered = cv2.resize(alpha.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    drawn = cv2.resize((colour.sum(-1) > 0).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    small = small / np.maximum(drawn, 1e-3)[..., None]
    return Layer(np.clip(small, 0, 255).astype(np.float32), covered, part)


def _between(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random colour on the polyline through ``colours`` (n, 3)."""
    place = rng.uniform(0, len(colours) - 1)
    first = int(place)
    return colours[first] + (place - first) * (colours[min(first + 1, len(colours) - 1)] - colours[first])


def _filled(points: np.ndarray) -> np.ndarray:
    part = np.zeros((_FINE, _FINE), np.uint8)
    cv2.fillPoly(part, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
    return part


def _solid(part: np.ndarray) -> np.ndarray:
    return np.where(part > 127, 255, 0).astype(np.uint8)


def _power(values: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(values) * np.abs(values) ** exponent


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _pixel(point: Sequence[float] | np.ndarray) -> tuple[int, int]:
    limit = 4 * _FINE  # OpenCV's lines may not start farther away than 2¹⁵ pixels
    return int(np.clip(point[0], -limit, limit)), int(np.clip(point[1], -limit, limit))
