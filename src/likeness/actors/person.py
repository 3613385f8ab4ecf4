"""Who an actor is: everything that stays the same from shot to shot. Nobody here is anybody: identities are random
draws.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from likeness.errors import SettingsError

IDENTITY_MODES = 40  # of the model's 50: they hold 97 % of the displacement
Colour = tuple[float, float, float]  # linear RGB, 0–1

BLACK: Colour = (0.012, 0.010, 0.009)
DARK_BROWN: Colour = (0.035, 0.021, 0.013)
BROWN: Colour = (0.085, 0.046, 0.024)
AUBURN: Colour = (0.15, 0.048, 0.018)
RED: Colour = (0.30, 0.095, 0.028)
DARK_BLOND: Colour = (0.25, 0.138, 0.062)
BLOND: Colour = (0.54, 0.33, 0.155)
GREY: Colour = (0.30, 0.30, 0.30)
WHITE: Colour = (0.62, 0.61, 0.59)

DARK_IRIS: Colour = (0.030, 0.014, 0.006)
BROWN_IRIS: Colour = (0.095, 0.042, 0.015)
HAZEL_IRIS: Colour = (0.13, 0.095, 0.030)
GREEN_IRIS: Colour = (0.10, 0.15, 0.075)
BLUE_IRIS: Colour = (0.10, 0.19, 0.33)
GREY_IRIS: Colour = (0.20, 0.24, 0.27)

FEMININE_STYLES = ("long", "bob", "wavy", "afro", "coils", "pixie", "bun", "curly")
MASCULINE_STYLES = ("short", "crop", "bald", "balding", "coils", "side", "quiff", "curly", "receding")


@dataclass(frozen=True)
class Skin:
    """``melanin`` 0.05 (very light) – 1.3 (very dark), ``haemoglobin`` about 0.2, ``freckles`` and ``age`` (creases,
    spots) 0–1, ``lip_colour`` 0–1.
    """

    melanin: float = 0.3
    haemoglobin: float = 0.2
    freckles: float = 0.0
    age: float = 0.2
    oil: float = 0.4
    lip_colour: float = 0.4


@dataclass(frozen=True)
class Hair:
    """``style`` names a cut of `hair.STYLES`; ``grey`` is the share of grey strands; ``parting`` −1 (own right) – 1
    (own left).
    """

    style: str = "short"
    colour: Colour = BROWN
    grey: float = 0.0
    parting: float = 0.3


@dataclass(frozen=True)
class Brows:
    """``thickness`` and ``density`` about 1, ``arch`` in cm above the mean, ``length`` about 1, ``tilt`` in cm the
    outer end is raised.
    """

    colour: Colour = DARK_BROWN
    thickness: float = 1.0
    density: float = 1.0
    arch: float = 0.0
    length: float = 1.0
    tilt: float = 0.0


@dataclass(frozen=True)
class Beard:
    """``style``: none, stubble, moustache, goatee or full; ``length_cm`` of its hairs."""

    style: str = "none"
    colour: Colour = DARK_BROWN
    length_cm: float = 0.5
    grey: float = 0.0


NO_BEARD = Beard()


@dataclass(frozen=True)
class Eyes:
    """``iris`` is the linear RGB of the iris' middle, ``lashes`` the strength of the lashes, about 1."""

    iris: Colour = (0.10, 0.05, 0.02)
    lashes: float = 1.0


@dataclass(frozen=True)
class Clothes:
    """``collar``: crew, vee or shirt."""

    colour: Colour = (0.05, 0.08, 0.2)
    collar: str = "crew"


@dataclass(frozen=True)
class Person:
    """A synthetic person: a name, a seed for all small details, and the traits that make the person.

    ``identity`` holds standard-normal weights of the face model's modes; mode 0 is size and feminine (+) or masculine
    (−).
    """

    name: str
    seed: int
    identity: tuple[float, ...]
    skin: Skin = field(default_factory=Skin)
    hair: Hair = field(default_factory=Hair)
    brows: Brows = field(default_factory=Brows)
    beard: Beard = field(default_factory=Beard)
    eyes: Eyes = field(default_factory=Eyes)
    clothes: Clothes = field(default_factory=Clothes)

    @classmethod
    def named(cls, name: str) -> "Person":
        """The cast member of that name (any case); raises SettingsError for other names."""
        for person in CAST:
            if person.name.lower() == name.lower():
                return person
        names = ", ".join(person.name for person in CAST)
        raise SettingsError(f"Nobody in the cast is called {name}. Choose one of: {names}.")

    @classmethod
    def from_seed(cls, seed: int) -> "Person":
        """A random person; the same seed always gives the same one."""
        return _random_person(seed)

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for one detail of this person, the same on every call."""
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def _random_person(seed: int) -> Person:
    """Traits drawn independently, except that hair, brows and beard share a colour and greying comes with age."""
    rng = np.random.default_rng([seed, 0x9E0])
    femininity = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.3))
    melanin = float(rng.choice([rng.uniform(0.06, 0.3), rng.uniform(0.3, 0.7), rng.uniform(0.7, 1.25)]))
    age = float(rng.uniform(0.05, 1) ** 1.3)
    natural = (
        [BLACK, DARK_BROWN, BROWN] if melanin > 0.35 else [BLACK, DARK_BROWN, BROWN, AUBURN, RED, DARK_BLOND, BLOND]
    )
    colour = natural[rng.integers(len(natural))]
    grey = float(np.clip((age - 0.6) * rng.uniform(0, 3), 0, 1))
    styles = FEMININE_STYLES if femininity > 0 else MASCULINE_STYLES
    beards = ["none"] if femininity > 0 else ["none", "none", "stubble", "moustache", "goatee", "full"]
    irises = [DARK_IRIS, BROWN_IRIS] if melanin > 0.35 else [BROWN_IRIS, HAZEL_IRIS, GREEN_IRIS, BLUE_IRIS, GREY_IRIS]
    brow_colour = tuple(0.7 * channel for channel in colour)
    return Person(
        name=f"person-{seed}",
        seed=seed,
        identity=_identity(seed, femininity),
        skin=Skin(
            melanin,
            float(rng.uniform(0.14, 0.27)),
            float(rng.uniform(0, 1) ** 3) if melanin < 0.4 else 0.0,
            age,
            float(rng.uniform(0.2, 0.7)),
            float(rng.uniform(0.2, 0.9) if femininity > 0 else rng.uniform(0.1, 0.4)),
        ),
        hair=Hair(styles[rng.integers(len(styles))], colour, grey, float(rng.uniform(-0.6, 0.6))),
        brows=Brows(
            brow_colour,  # type: ignore[arg-type]
            float(rng.uniform(0.6, 1.0) if femininity > 0 else rng.uniform(0.9, 1.5)),
            float(rng.uniform(0.6, 1.3)),
            float(rng.uniform(-0.15, 0.35)),
            float(rng.uniform(0.85, 1.1)),
            float(rng.uniform(-0.2, 0.3)),
        ),
        beard=Beard(beards[rng.integers(len(beards))], colour, float(rng.uniform(0.2, 1.5)), grey),
        eyes=Eyes(irises[rng.integers(len(irises))], float(rng.uniform(0.9, 1.5) if femininity > 0 else 0.7)),
        clothes=Clothes(
            tuple(float(c) for c in rng.uniform(0.02, 0.6) * rng.dirichlet([2, 2, 2]) * 2),  # type: ignore[arg-type]
            str(rng.choice(["crew", "vee", "shirt"])),
        ),
    )


def _identity(seed: int, femininity: float) -> tuple[float, ...]:
    """Standard-normal weights with mode 0 given; held within 2.2 standard deviations, where faces stay believable."""
    weights = np.clip(np.random.default_rng([seed, 0x1D]).standard_normal(IDENTITY_MODES), -2.2, 2.2)
    weights[0] = femininity
    return tuple(float(weight) for weight in weights)


def _member(
    name: str,
    seed: int,
    femininity: float,
    skin: Skin,
    hair: Hair,
    brows: Brows,
    eyes: Eyes,
    clothes: Clothes,
    beard: Beard = NO_BEARD,
) -> Person:
    """A cast member: a seeded face with traits chosen by hand."""
    return Person(name, seed, _identity(seed, femininity), skin, hair, brows, beard, eyes, clothes)


CAST: tuple[Person, ...] = (
    _member(
        "Ada",
        11,
        1.0,
        Skin(0.20, 0.22, freckles=0.5, age=0.15, lip_colour=0.35),
        Hair("bob", AUBURN, parting=0.35),
        Brows((0.10, 0.040, 0.018), 0.75, 0.9, arch=0.25),
        Eyes(GREEN_IRIS, 1.2),
        Clothes((0.03, 0.12, 0.11)),
    ),
    _member(
        "Bruno",
        12,
        -1.1,
        Skin(0.42, 0.22, age=0.35, oil=0.5, lip_colour=0.2),
        Hair("short", DARK_BROWN, parting=0.4),
        Brows(DARK_BROWN, 1.35, 1.2, tilt=0.1),
        Eyes(BROWN_IRIS, 0.9),
        Clothes((0.20, 0.03, 0.03)),
        Beard("stubble", DARK_BROWN),
    ),
    _member(
        "Chidi",
        31,
        -0.9,
        Skin(1.15, 0.20, age=0.3, oil=0.6, lip_colour=0.15),
        Hair("crop", BLACK),
        Brows(BLACK, 1.1, 0.9, arch=-0.05),
        Eyes(DARK_IRIS, 0.8),
        Clothes((0.62, 0.42, 0.05)),
    ),
    _member(
        "Dalia",
        44,
        0.9,
        Skin(0.52, 0.21, age=0.2, oil=0.45, lip_colour=0.6),
        Hair("wavy", DARK_BROWN, parting=-0.3),
        Brows(DARK_BROWN, 1.0, 1.2, arch=0.3, tilt=0.15),
        Eyes(HAZEL_IRIS, 1.5),
        Clothes((0.30, 0.04, 0.12), "vee"),
    ),
    _member(
        "Emil",
        52,
        -1.2,
        Skin(0.24, 0.25, age=0.75, oil=0.5, lip_colour=0.2),
        Hair("bald", GREY, grey=0.8),
        Brows(BROWN, 1.1, 0.8, tilt=-0.1),
        Eyes(BLUE_IRIS, 0.7),
        Clothes((0.07, 0.08, 0.10), "shirt"),
        Beard("full", DARK_BROWN, 0.9, grey=0.5),
    ),
    _member(
        "Farah",
        63,
        1.1,
        Skin(0.46, 0.20, age=0.25, lip_colour=0.8),
        Hair("bun", BLACK),
        Brows(BLACK, 0.9, 1.3, arch=0.3),
        Eyes(HAZEL_IRIS, 1.4),
        Clothes((0.05, 0.18, 0.30)),
    ),
    _member(
        "Greta",
        74,
        0.8,
        Skin(0.16, 0.24, age=0.95, lip_colour=0.2),
        Hair("pixie", GREY, grey=0.95, parting=-0.4),
        Brows((0.14, 0.12, 0.10), 0.7, 0.6, arch=0.15),
        Eyes(BLUE_IRIS, 0.7),
        Clothes((0.35, 0.05, 0.05), "shirt"),
    ),
    _member(
        "Hiro",
        81,
        -0.7,
        Skin(0.34, 0.18, age=0.2, lip_colour=0.2),
        Hair("side", BLACK, parting=0.5),
        Brows(BLACK, 1.0, 1.0, tilt=0.25),
        Eyes(DARK_IRIS, 0.6),
        Clothes((0.55, 0.56, 0.58), "shirt"),
    ),
    _member(
        "Imani",
        95,
        1.0,
        Skin(0.95, 0.21, age=0.15, oil=0.5, lip_colour=0.5),
        Hair("afro", BLACK),
        Brows(BLACK, 0.85, 1.1, arch=0.3),
        Eyes(DARK_IRIS, 1.5),
        Clothes((0.55, 0.10, 0.03), "vee"),
    ),
    _member(
        "Jonas",
        104,
        -0.8,
        Skin(0.14, 0.27, freckles=0.4, age=0.25, lip_colour=0.3),
        Hair("curly", DARK_BLOND),
        Brows(DARK_BLOND, 1.0, 0.9),
        Eyes(GREY_IRIS, 0.8),
        Clothes((0.02, 0.04, 0.16)),
        Beard("goatee", AUBURN, 0.5),
    ),
    _member(
        "Kiran",
        113,
        -1.0,
        Skin(0.72, 0.21, age=0.45, oil=0.55, lip_colour=0.2),
        Hair("quiff", BLACK, grey=0.12),
        Brows(BLACK, 1.5, 1.3, arch=0.1),
        Eyes(BROWN_IRIS, 1.1),
        Clothes((0.08, 0.20, 0.07)),
        Beard("moustache", BLACK, 0.5),
    ),
    _member(
        "Lena",
        121,
        1.2,
        Skin(0.15, 0.20, age=0.1, lip_colour=0.7),
        Hair("long", BLOND, parting=0.1),
        Brows(DARK_BLOND, 0.8, 1.0, arch=0.2, tilt=0.1),
        Eyes(BLUE_IRIS, 1.4),
        Clothes((0.06, 0.06, 0.07), "vee"),
    ),
    _member(
        "Marco",
        137,
        -1.3,
        Skin(0.38, 0.24, age=0.6, oil=0.6, lip_colour=0.2),
        Hair("receding", DARK_BROWN, grey=0.3),
        Brows(BLACK, 1.4, 1.0, arch=-0.1),
        Eyes(BROWN_IRIS, 0.8),
        Clothes((0.38, 0.36, 0.30), "shirt"),
    ),
    _member(
        "Nia",
        148,
        0.7,
        Skin(1.25, 0.22, age=0.3, oil=0.55, lip_colour=0.3),
        Hair("coils", BLACK),
        Brows(BLACK, 0.9, 0.9, arch=0.15),
        Eyes(DARK_IRIS, 1.2),
        Clothes((0.50, 0.50, 0.45)),
    ),
    _member(
        "Olga",
        156,
        1.0,
        Skin(0.20, 0.26, age=0.65, lip_colour=0.5),
        Hair("bob", GREY, grey=0.6, parting=-0.4),
        Brows(BROWN, 0.8, 0.8, arch=0.1, tilt=-0.1),
        Eyes(HAZEL_IRIS, 1.0),
        Clothes((0.16, 0.05, 0.28)),
    ),
    _member(
        "Piet",
        167,
        -1.0,
        Skin(0.18, 0.28, age=0.85, oil=0.4, lip_colour=0.2),
        Hair("balding", GREY, grey=0.7),
        Brows((0.2, 0.17, 0.14), 1.3, 0.9, tilt=-0.2),
        Eyes(GREY_IRIS, 0.6),
        Clothes((0.10, 0.16, 0.24)),
        Beard("moustache", GREY, 0.8, grey=0.8),
    ),
)
