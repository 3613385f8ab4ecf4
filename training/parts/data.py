"""What the parts network learns from: filmed people with exact masks, covered in many ways; and real portraits.

People come from training/people, split by group: groups whose number is 24 modulo 25 are for evaluation. Portraits have
no masks; what surely is face on them, inside the landmarks' hull and away from the eyes, where glasses may be, and the
eyes themselves, counts as such, what surely is none, well outside, as background or hair, the rest as no occluder, and
the surroundings of the eyes do not count. Photographs lend surfaces and backgrounds; the test half is for evaluation.

Of the actors' hair, that on the scalp is hair; a beard is face, since a made face brings its own: for actors with a
beard, hair below the eyes and inside the slightly grown hull of the landmarks.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from likeness.actors.person import Person
from likeness.actors.shot import Part
from likeness.errors import MissingDataError
from likeness.faces.align import MIRROR, alignment, apply
from likeness.faces.face import LEFT_EYE, RIGHT_EYE
from likeness.faces.hull import hull_mask
from likeness.faces.parts import BACKGROUND, FACE, HAIR, OCCLUDER, SIZE
from likeness.progress import tracked
from training.face_landmarks.data import load_portraits, photo_paths, read_rgb, shrunk
from training.parts.occluders import KINDS, Layer, Subject, occluder
from training.parts.spoil import spoil

HELD_OUT_EVERY = 25

_PORTRAIT_FACE_PX = 130.0
_BEARDS = ("moustache", "goatee", "full")
_BEARD_GROWTH = 1.12  # of the hull: hairs stand off the skin
_SURE = 0.93  # of a portrait's hull: the jaw's landmarks are not exact
_DARK = 0.7  # opacity of a lens, or of any occluder, that hides what is behind
_FAR = 1.35  # of it: ears and hairline lie closer
_BACKDROP = 4  # of the background of actors, what may be exchanged
# Two planes beside the four parts: background or hair, and anything but an occluder; nobody knows which.
EITHER, NO_OCCLUDER = 4, 5
PLANES = 6
_PHOTO_PX = 256

# Which part each `Part` of the actors belongs to.
_PART_OF = np.array([BACKGROUND, FACE, BACKGROUND, HAIR, FACE, FACE, FACE, FACE, BACKGROUND], np.uint8)


@dataclass(frozen=True)
class SampleSettings:
    """Chances and spreads. ``landmark_noise`` is the standard deviation of each landmark in units of the face's width,
    ``turn_deg``, ``log_scale`` and ``shift`` those of the whole crop."""

    portrait_share: float = 0.25
    new_backdrop: float = 0.5
    occluded: float = 0.75
    second_occluder: float = 0.25
    shadow: float = 0.3
    landmark_noise: float = 0.02
    turn_deg: float = 5.0
    log_scale: float = 0.05
    shift: float = 0.025
    spoilt: float = 0.8


@dataclass(frozen=True, eq=False)
class People:
    """``images`` uint8 (n, 168, 168, 3), ``parts`` uint8 (n, 168, 168) of `likeness.faces.parts` with 4 for the
    backdrop, ``landmarks`` float32 (n, 68, 2) and ``groups`` (n,)."""

    images: np.ndarray
    parts: np.ndarray
    landmarks: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True, eq=False)
class Portraits:
    """Real faces: ``images`` and their ``landmarks``."""

    images: list[np.ndarray]
    landmarks: np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """``image`` uint8 (128, 128, 3); ``parts`` float32 (6, 128, 128): shares of each pixel that are one of PARTS,
    EITHER background or hair, or NO_OCCLUDER; they add up to 1, or to 0 where nobody knows; ``landmarks`` (68, 2)
    pixels."""

    image: np.ndarray
    parts: np.ndarray
    landmarks: np.ndarray


def load_people(folder: Path, *, for_evaluation: bool) -> People:
    """All groups of one side of the split that have been filmed so far."""
    paths = [path for path in sorted(folder.glob("group_*.npz")) if held_out(path) == for_evaluation]
    if not paths:
        raise MissingDataError(f"{folder} holds no groups of people for this. Run training.people.film first.")
    images, parts, landmarks, groups = [], [], [], []
    for path in tracked(paths, "Loading people", len(paths), "groups"):
        with np.load(path) as group:
            bearded = [Person.from_seed(int(seed)).beard.style in _BEARDS for seed in group["people"]]
            places = group["landmarks"].reshape(-1, 68, 2)
            each = len(places) // len(bearded)
            images.append(group["images"].reshape(-1, *group["images"].shape[-3:]))
            drawn = group["parts"].reshape(-1, *group["parts"].shape[-2:])
            parts.append(
                np.stack([parts_of(mask, places[i], bearded[i // each]) for i, mask in enumerate(drawn)])
            )  # fmt: skip
            landmarks.append(places)
            groups.append(np.full(len(places), int(path.stem.split("_")[1])))
    return People(*(np.concatenate(rows) for rows in (images, parts, landmarks, groups)))


def held_out(path: Path) -> bool:
    """Whether the group of ``path`` is for evaluation."""
    return int(path.stem.split("_")[1]) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def parts_of(mask: np.ndarray, landmarks: np.ndarray, bearded: bool) -> np.ndarray:
    """`actors.shot.Part` (h, w) as the parts told apart here, with a beard as face and 4 for the backdrop."""
    parts = _PART_OF[mask]
    parts[mask == Part.BACKGROUND] = _BACKDROP
    if bearded:
        middle = landmarks.mean(0)
        region = hull_mask(middle + _BEARD_GROWTH * (landmarks - middle), mask.shape) > 0.5
        region[: int(max(landmarks[RIGHT_EYE, 1].max(), landmarks[LEFT_EYE, 1].max())) + 1] = False
        parts[region & (parts == HAIR)] = FACE
    return parts


def load_real(data: Path) -> Portraits:
    """The portraits that the landmark network was trained on, made small."""
    portraits = shrunk(load_portraits(data, "train"), _PORTRAIT_FACE_PX)
    return Portraits(portraits.images, portraits.landmarks)


def load_photos(data: Path, *, for_evaluation: bool) -> list[np.ndarray]:
    """Photographs without faces, at most 256 pixels on the shorter side."""
    paths = photo_paths(data, "test") if for_evaluation else photo_paths(data, "train")
    photos = []
    for path in paths:
        photo = read_rgb(path)
        scale = max(_PHOTO_PX / min(photo.shape[:2]), SIZE / min(photo.shape[:2]))
        photos.append(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return photos


class Sampler:
    """Draws samples; ``kinds`` are the occluders that may be drawn."""

    def __init__(
        self, people: People, portraits: Portraits | None, photos: list[np.ndarray], settings: SampleSettings,
        kinds: tuple[str, ...] = KINDS,
    ) -> None:  # fmt: skip
        self.people, self.portraits, self.photos = people, portraits, photos
        self.settings, self.kinds = settings, kinds

    def draw(self, rng: np.random.Generator) -> Sample:
        """A sample of anyone."""
        if self.portraits is not None and rng.random() < self.settings.portrait_share:
            return self.of_portrait(int(rng.integers(len(self.portraits.images))), rng)
        return self.of_actor(int(rng.integers(len(self.people.images))), rng)

    def of_actor(self, row: int, rng: np.random.Generator) -> Sample:
        """Actor's picture ``row``, covered, lit and spoilt at random."""
        image, landmarks = self.people.images[row], self.people.landmarks[row]
        matrix = self._placed(landmarks, rng)
        shares = [
            np.where(self.people.parts[row] == part, np.uint8(255), np.uint8(0)) for part in (FACE, HAIR, _BACKDROP)
        ]
        planes = cv2.warpAffine(
            np.stack(shares, -1), matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32) / np.float32(255)  # fmt: skip
        face, hair, backdrop = (planes[..., plane] for plane in range(3))
        parts = np.zeros((PLANES, SIZE, SIZE), np.float32)
        parts[:3] = 1 - face - hair, face, hair
        view = _seen(image, matrix).astype(np.float32)
        if rng.random() < self.settings.new_backdrop:
            view += backdrop[..., None] * (self._surface(rng) - view)
        return self._finished(view, parts, apply(matrix, landmarks), rng)

    def of_portrait(self, row: int, rng: np.random.Generator) -> Sample:
        """A real face, of which only the sure parts count."""
        assert self.portraits is not None
        image, landmarks = self.portraits.images[row], self.portraits.landmarks[row]
        matrix = self._placed(landmarks, rng)
        places = apply(matrix, landmarks)
        middle = places.mean(0)
        bridge, base = places[[27, 33], 1]  # the nose spans 0.35 of the face's height
        band = slice(int(max(bridge - 0.1 * SIZE, 0)), int(bridge + 0.5 * (base - bridge)))
        parts = np.zeros((PLANES, SIZE, SIZE), np.float32)
        parts[FACE] = hull_mask(middle + _SURE * (places - middle), (SIZE, SIZE))
        parts[EITHER] = 1 - hull_mask(middle + _FAR * (places - middle), (SIZE, SIZE), forehead=0.3)
        parts[EITHER, : band.start] = 0  # foreheads may be high
        parts[NO_OCCLUDER] = 1 - parts[FACE] - parts[EITHER]
        parts[:, band] = 0  # rims may be here
        for eye in (RIGHT_EYE, LEFT_EYE):
            cv2.fillConvexPoly(parts[FACE], np.round(places[eye]).astype(np.int32), 1.0)
        return self._finished(_seen(image, matrix).astype(np.float32), parts, places, rng)

    def _placed(self, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The alignment by inexact landmarks, further moved by a little."""
        s = self.settings
        width = float(np.ptp(landmarks[:, 0]))
        matrix = alignment(landmarks + rng.normal(0, s.landmark_noise * width, landmarks.shape), SIZE)
        angle, scale = np.radians(rng.normal(0, s.turn_deg)), np.exp(rng.normal(0, s.log_scale))
        turned = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.full(2, SIZE / 2)
        shift = rng.normal(0, s.shift * SIZE, 2)
        return np.column_stack([turned @ matrix[:, :2], turned @ (matrix[:, 2] - centre) + centre + shift])

    def _surface(self, rng: np.random.Generator) -> np.ndarray:
        photo = self.photos[rng.integers(len(self.photos))]
        side = int(rng.integers(SIZE, min(photo.shape[:2]) + 1))
        top, left = (int(rng.integers(0, extent - side + 1)) for extent in photo.shape[:2])
        return cv2.resize(photo[top : top + side, left : left + side], (SIZE, SIZE)).astype(np.float32)

    def _finished(self, view: np.ndarray, parts: np.ndarray, places: np.ndarray, rng: np.random.Generator) -> Sample:
        if rng.random() < 0.5:
            view, parts = view[:, ::-1], parts[..., ::-1]
            places = (np.array([SIZE - 1.0, 0]) + places * [-1, 1])[MIRROR]
        if rng.random() < self.settings.occluded:
            subject = self._subject(view, parts, places, rng)
            for number in range(2 if rng.random() < self.settings.second_occluder else 1):
                for layer in occluder(str(rng.choice(self.kinds)), subject, rng):
                    if number == 0 and rng.random() < self.settings.shadow:
                        view = shaded(view, layer.alpha, rng)
                    view, parts = laid_over(view, parts, layer)
        image = np.clip(view, 0, 255).astype(np.uint8)
        if rng.random() < self.settings.spoilt:
            image = spoil(image, rng)
        return Sample(*(np.ascontiguousarray(array) for array in (image, parts, places)))

    def _subject(
        self, view: np.ndarray, parts: np.ndarray, places: np.ndarray, rng: np.random.Generator
    ) -> Subject:  # fmt: skip
        # Of a portrait no mask is known: its cheeks and nose stand for the skin.
        x, y = np.clip(places[[2, 14, 30, 33, 48, 54]].mean(0), 4, SIZE - 5).astype(int)
        skin = np.median(view[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3), axis=0)
        hairy = parts[HAIR] > 0.9
        hair = view[hairy].mean(0) if np.count_nonzero(hairy) > 50 else None
        return Subject(places, skin, hair, self.photos[rng.integers(len(self.photos))])


def laid_over(view: np.ndarray, parts: np.ndarray, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Picture and parts after ``layer`` was put in front. What was not known stays so: where portraits are unknown an
    occluder would be the only answer ever given, and be learned as that."""
    alpha = layer.alpha
    view = view + alpha[..., None] * (layer.colour - view)
    if layer.part is None:
        return view, parts
    known = np.zeros_like(parts)
    known[layer.part] = parts.sum(0)
    covered = np.minimum(1, alpha / np.float32(_DARK)) if layer.part == OCCLUDER else alpha
    return view, parts + covered * (known - parts)


def shaded(view: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``view`` in the soft shadow of a layer: darker beside it, and nothing else."""
    moved = np.array([[1, 0, rng.normal(0, 5)], [0, 1, rng.normal(0, 5)]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, moved, (SIZE, SIZE)), (0, 0), rng.uniform(1, 6))
    return view * (1 - rng.uniform(0.1, 0.6) * shadow[..., None])


def _seen(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
