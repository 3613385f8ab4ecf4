"""Where an actor sits: the lights, the camera and the room behind, drawn from a seed or written by hand."""

from dataclasses import dataclass, field

import numpy as np

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A far light: ``towards`` points from the actor to it (+x image right, +y up, +z to the camera), ``colour`` is
    linear RGB radiance.
    """

    towards: Vector
    colour: Vector

    @property
    def direction(self) -> np.ndarray:
        """``towards`` as a float32 unit vector."""
        vector = np.asarray(self.towards, np.float32)
        return vector / np.linalg.norm(vector)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on the z axis: ``focal`` in half picture heights, ``distance_cm`` from the head's centre, aimed
    at ``aim_cm`` (x, y).
    """

    distance_cm: float = 95.0
    focal: float = 5.2
    aim_cm: tuple[float, float] = (0.0, 0.4)

    def project(self, points: np.ndarray, size: int) -> np.ndarray:
        """World points (n, 3) in cm to float32 (n, 3): x, y in pixels of a ``size``² picture (pixel centres are whole
        numbers), distance in cm.
        """
        distance = self.distance_cm - points[:, 2]
        scale = self.focal * size / 2 / distance
        middle = size / 2 - 0.5
        x = middle + (points[:, 0] - self.aim_cm[0]) * scale
        y = middle - (points[:, 1] - self.aim_cm[1]) * scale
        return np.stack([x, y, distance], axis=1).astype(np.float32)

    def pixels_per_cm(self, size: int) -> float:
        """Scale at the head's centre."""
        return self.focal * size / 2 / self.distance_cm


@dataclass(frozen=True)
class Scene:
    """Light, framing and background of a shot; the same scene always looks the same.

    ``sky`` and ``ground`` are the linear RGB of the ambient light from above and below; ``background`` names the kind
    of room and ``background_seed`` draws its details; ``grain`` is the standard deviation of the sensor's noise in [0,
    1] display units.
    """

    key: Light = Light((-0.55, 0.45, 0.8), (2.3, 2.2, 2.05))
    fill: Light = Light((0.9, 0.1, 0.7), (0.35, 0.4, 0.5))
    rim: Light = Light((0.7, 0.5, -0.8), (0.9, 0.95, 1.0))
    sky: Vector = (0.42, 0.45, 0.5)
    ground: Vector = (0.24, 0.21, 0.19)
    camera: Camera = field(default_factory=Camera)
    background: str = "room"
    background_seed: int = 0
    exposure: float = 1.0
    grain: float = 0.008

    @classmethod
    def from_seed(cls, seed: int) -> "Scene":
        """A believable scene drawn from ``seed``: daylight or lamp light, close or wider framing, any background."""
        rng = np.random.default_rng([seed, 0x5CE4E])
        side = rng.choice([-1.0, 1.0])
        warmth = rng.uniform(-1, 1)
        key_colour = _tinted(rng.uniform(1.5, 2.6), warmth)
        key = Light((side * rng.uniform(0.15, 1.0), rng.uniform(0.15, 0.8), rng.uniform(0.6, 1.0)), key_colour)
        fill = Light(
            (-side * rng.uniform(0.5, 1.1), rng.uniform(-0.1, 0.4), 0.8), _tinted(rng.uniform(0.2, 0.8), -warmth)
        )
        rim = Light((-side * rng.uniform(0.3, 1.0), rng.uniform(0.2, 0.7), -0.8), _tinted(rng.uniform(0.0, 1.6), 0.3))
        ambient = rng.uniform(0.3, 0.6)
        camera = Camera(rng.uniform(75, 120), 5.2, aim_cm=(float(rng.normal(0, 0.8)), float(0.4 + rng.normal(0, 0.8))))
        return cls(
            key=key,
            fill=fill,
            rim=rim,
            sky=_tinted(ambient, -0.5 * warmth),
            ground=_tinted(0.55 * ambient, 0.4),
            camera=camera,
            background=str(rng.choice(["room", "shelves", "window", "garden", "street", "studio"])),
            background_seed=int(rng.integers(2**31)),
            exposure=float(rng.uniform(0.85, 1.15)),
            grain=float(rng.uniform(0.004, 0.014)),
        )


def _tinted(intensity: float, warmth: float) -> Vector:
    """Linear RGB of about ``intensity``: ``warmth`` from −1 (open shade, about 8000 K) to 1 (a lamp, about 3800 K)."""
    return (
        float(intensity * (1 + 0.14 * warmth)),
        float(intensity),
        float(intensity * (1 - 0.2 * warmth)),
    )
