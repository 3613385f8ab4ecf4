"""The room behind an actor, out of focus: simple shapes in linear light, blurred by the disc of an open lens."""

import cv2
import numpy as np

from likeness.actors.scene import Scene

_CANVAS = 320  # pixels; the blur hides everything finer


def backdrop(scene: Scene, size: int) -> np.ndarray:
    """The background of ``scene``, linear RGB float32 (size, size, 3)."""
    rng = np.random.default_rng([scene.background_seed, 0xBACD])
    canvas = _PAINTERS[scene.background](rng)
    light = 0.55 * np.asarray(scene.key.colour) / 2 + np.asarray(scene.sky)
    canvas = (canvas * light).astype(np.float32)
    blurred = cv2.filter2D(canvas, -1, _lens(int(rng.integers(7, 13))), borderType=cv2.BORDER_REFLECT)
    inner = blurred[20:-20, 20:-20]
    picture = cv2.resize(inner, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.maximum(picture, 0) * _vignette(size)


def _lens(radius: int) -> np.ndarray:
    """The picture a lens makes of a far point: a disc, a little brighter at its rim."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    r = np.hypot(x, y)
    disc = np.clip(radius + 0.5 - r, 0, 1) * (0.8 + 0.4 * (r / radius) ** 3)
    return (disc / disc.sum()).astype(np.float32)


def _vignette(size: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return (1 - 0.16 * (x * x + y * y))[..., None].astype(np.float32)


def _wall(rng: np.random.Generator) -> np.ndarray:
    """A painted wall, lit from one side."""
    lightness = rng.uniform(0.12, 0.55)
    colour = lightness * (1 + rng.uniform(-0.28, 0.28, 3))
    x = np.linspace(-1, 1, _CANVAS)
    slope = 1 + rng.uniform(-0.35, 0.35) * x[None, :] + rng.uniform(-0.15, 0.15) * x[:, None]
    return (colour * slope[..., None]).astype(np.float32)


def _rectangle(canvas: np.ndarray, x: float, y: float, w: float, h: float, colour: np.ndarray) -> None:
    """Fill a rectangle given in shares of the canvas."""
    first = (round(x * _CANVAS), round(y * _CANVAS))
    last = (round((x + w) * _CANVAS), round((y + h) * _CANVAS))
    cv2.rectangle(canvas, first, last, [float(c) for c in colour], -1)


def _room(rng: np.random.Generator) -> np.ndarray:
    """A wall with a picture or two, a piece of furniture, a plant and perhaps a lamp."""
    canvas = _wall(rng)
    floor = rng.uniform(0.75, 0.95)
    _rectangle(canvas, 0, floor, 1, 1, canvas.mean(axis=(0, 1)) * rng.uniform(0.4, 0.7) * [1.1, 1, 0.85])
    for _ in range(int(rng.integers(1, 3))):
        x, y = rng.uniform(0, 0.85), rng.uniform(0.05, 0.35)
        w, h = rng.uniform(0.12, 0.3, 2)
        _rectangle(canvas, x - 0.015, y - 0.015, w + 0.03, h + 0.03, np.full(3, rng.choice([0.03, 0.5])))
        _rectangle(canvas, x, y, w, h, rng.uniform(0.1, 0.6, 3))
        _rectangle(canvas, x, y + h * 0.6, w, h * 0.4, rng.uniform(0.05, 0.3, 3))
    wood = rng.uniform(0.05, 0.25) * np.array([1.3, 0.9, 0.55])
    x = rng.uniform(-0.2, 0.8)
    _rectangle(canvas, x, rng.uniform(0.55, 0.75), rng.uniform(0.25, 0.5), 0.5, wood)
    _plant(canvas, rng, rng.choice([rng.uniform(0, 0.2), rng.uniform(0.8, 1)]), rng.uniform(0.4, 0.7))
    if rng.random() < 0.6:
        centre = (int(rng.choice([0.12, 0.88]) * _CANVAS), int(rng.uniform(0.15, 0.45) * _CANVAS))
        cv2.ellipse(canvas, centre, (20, 15), 0, 0, 360, (3.2, 2.5, 1.6), -1)
    return canvas


def _plant(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float) -> None:
    for _ in range(45):
        angle = rng.uniform(0, 180)
        tip = np.array([x + 0.16 * np.cos(np.radians(angle)), y - 0.22 * np.sin(np.radians(angle))]) + rng.normal(
            0, 0.03, 2
        )
        green = rng.uniform(0.04, 0.2) * np.array([0.6, 1.0, 0.35])
        centre = (int(tip[0] * _CANVAS), int(tip[1] * _CANVAS))
        cv2.ellipse(canvas, centre, (int(rng.integers(4, 14)), 4), angle, 0, 360, [float(c) for c in green], -1)


def _shelves(rng: np.random.Generator) -> np.ndarray:
    """Shelves full of books."""
    wood = rng.uniform(0.06, 0.3) * np.array([1.25, 0.9, 0.6])
    canvas = np.broadcast_to((0.35 * wood).astype(np.float32), (_CANVAS, _CANVAS, 3)).copy()
    rows = int(rng.integers(3, 6))
    for row in range(rows):
        base, x = (row + 1) / rows, -0.02
        while x < 1:
            width, height = rng.uniform(0.015, 0.05), rng.uniform(0.55, 0.85) / rows
            if rng.random() < 0.86:
                hue = np.abs(rng.normal(0.16, 0.1, 3)) + 0.02 + rng.uniform(0, 0.2)
                _rectangle(canvas, x, base - height, width, height, hue)
            x += width + 0.004
        _rectangle(canvas, 0, base - 0.02, 1, 0.03, wood)
    return canvas


def _window(rng: np.random.Generator) -> np.ndarray:
    """A bright window with a view of trees, in a dim wall."""
    canvas = _wall(rng) * 0.7
    x, y, w, h = rng.uniform(-0.1, 0.5), rng.uniform(-0.1, 0.1), rng.uniform(0.35, 0.7), rng.uniform(0.55, 0.8)
    view = _garden(rng) * 1.8
    mask = np.zeros(canvas.shape[:2], np.float32)
    cv2.rectangle(mask, (int(x * _CANVAS), int(y * _CANVAS)), (int((x + w) * _CANVAS), int((y + h) * _CANVAS)), 1.0, -1)
    canvas = np.where(mask[..., None] > 0, view, canvas).astype(np.float32)
    frame = np.full(3, rng.uniform(0.3, 0.7))
    for share in (0.0, 0.5, 1.0):
        _rectangle(canvas, x + share * w - 0.012, y, 0.024, h, frame)
    _rectangle(canvas, x, y + h - 0.012, w, 0.03, frame)
    return canvas


def _garden(rng: np.random.Generator) -> np.ndarray:
    """Leaves with the sky between them over a lawn."""
    y = np.linspace(0, 1, _CANVAS)[:, None, None]
    sky = np.array([0.75, 0.95, 1.25]) * rng.uniform(0.8, 1.2)
    canvas = np.broadcast_to((sky * (1 - 0.3 * y)).astype(np.float32), (_CANVAS, _CANVAS, 3)).copy()
    lawn = rng.uniform(0.6, 0.8)
    _rectangle(canvas, 0, lawn, 1, 1, np.array([0.13, 0.22, 0.06]) * rng.uniform(0.7, 1.5))
    season = np.array([rng.uniform(0.45, 1.0), 1.0, rng.uniform(0.2, 0.5)])
    for depth in np.linspace(0, 1, 420):
        centre = (int(rng.uniform(-0.05, 1.05) * _CANVAS), int((lawn + 0.05) * rng.beta(1.4, 1.3) * _CANVAS))
        green = rng.uniform(0.04, 0.34) * season * (0.5 + 0.7 * depth)
        axes = (int(rng.integers(5, 20)), int(rng.integers(4, 12)))
        cv2.ellipse(canvas, centre, axes, rng.uniform(0, 180), 0, 360, [float(c) for c in green], -1)
    for _ in range(40):
        centre = (int(rng.uniform(0, 1) * _CANVAS), int(rng.uniform(0, 0.6) * _CANVAS))
        cv2.circle(canvas, centre, 2, [float(c) for c in 5 * sky], -1)
    return canvas


def _street(rng: np.random.Generator) -> np.ndarray:
    """House fronts at dusk with lit windows and far lamps."""
    canvas = np.broadcast_to(np.array([0.10, 0.13, 0.22], np.float32), (_CANVAS, _CANVAS, 3)).copy()
    x = -0.05
    while x < 1:
        width = rng.uniform(0.15, 0.35)
        front = rng.uniform(0.03, 0.16) * (1 + rng.uniform(-0.25, 0.35, 3))
        top = rng.uniform(0.0, 0.3)
        _rectangle(canvas, x, top, width, 1, front)
        for column in np.arange(x + 0.03, x + width - 0.04, 0.075):
            for row in np.arange(top + 0.05, 0.8, 0.12):
                if rng.random() < 0.35:
                    glow = rng.uniform(0.3, 1.4) * np.array([1.3, 1.0, 0.55])
                    _rectangle(canvas, column, row, 0.035, 0.06, glow)
        x += width
    _rectangle(canvas, 0, 0.82, 1, 1, np.full(3, 0.07))
    for _ in range(int(rng.integers(10, 24))):
        centre = (int(rng.uniform(0, 1) * _CANVAS), int(rng.uniform(0.45, 0.9) * _CANVAS))
        palette = np.array([[9, 6.5, 3.0], [9, 2.0, 1.2], [7, 7.5, 9]])
        cv2.circle(canvas, centre, 2, [float(c) for c in palette[rng.integers(3)] * rng.uniform(0.4, 1.3)], -1)
    return canvas


def _studio(rng: np.random.Generator) -> np.ndarray:
    """A paper backdrop with a pool of light behind the head."""
    colour = rng.uniform(0.08, 0.5) * (1 + rng.uniform(-0.3, 0.3, 3))
    y, x = np.mgrid[-1 : 1 : _CANVAS * 1j, -1 : 1 : _CANVAS * 1j]
    pool = np.exp(-((x - rng.uniform(-0.4, 0.4)) ** 2 + (y - rng.uniform(-0.4, 0.3)) ** 2) / 0.9)
    return (colour * (0.55 + 0.9 * pool[..., None])).astype(np.float32)


_PAINTERS = {
    "room": _room,
    "shelves": _shelves,
    "window": _window,
    "garden": _garden,
    "street": _street,
    "studio": _studio,
}
BACKGROUNDS = tuple(_PAINTERS)
