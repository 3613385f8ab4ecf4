"""Manipulated faces to learn from: whose face, through which decoder, laid in by which hand.

A `Manipulation` is one kind that a detector is trained and tested on. Each draws a face for every frame of a burst by
itself, as swap programs do, and lays it in with one hand for the whole burst (`Hand`): what trembles is drawn a frame.

- `blend`: the face itself, a little recoloured, sharpened or softened and moved (self-blended images, Shiohara &
  Yamasaki 2022, with the time axis added).
- `resolution`: the face itself at the few pixels of a small decoder.
- `paste`: another person's face, brought into shape by its landmarks (as FaceSwap does), or the true answer where two
  filmed people give one performance.
- `autoencoder`: such a face, or the own one, redrawn by an autoencoder (`redrawers.py`).
- `flow`: another person's face drawn by the running start of `flow`, our own MAKE.

`generated` is a kind of its own: a whole portrait of nobody by our own generator, in the place of the burst.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from likeness.faces.align import COVERAGE, alignment, apply, warp
from likeness.faces.hull import hull_mask
from likeness.make.blend import membrane, paste, soft_mask
from likeness.make.networks.flow import SIZE as FLOW_SIZE
from likeness.make.networks.flow import Drawer, load_running_start
from likeness.make.networks.standardise import colours_within
from likeness.make.recipes import recipe_for
from training.detectors.burst import Burst
from training.detectors.degrade import sharper
from training.detectors.redrawers import Redrawer

KINDS = ("blend", "resolution", "paste", "autoencoder", "flow")
GENERATED = "generated"
ALL_KINDS = (*KINDS, GENERATED)
_GRID = 17  # nodes a side on which a warp by landmarks is computed
_FLOW_COVERAGE = recipe_for("flow").coverage


@dataclass(frozen=True)
class Hand:
    """How made faces are laid in, the same throughout a burst. ``size`` px of the working crop; ``tremble`` px and
    ``flicker`` (Lab) are standard deviations a frame; ``feather`` and ``grow`` in parts of the crop; ``sharpen`` is an
    unsharp mask's amount, ``soften`` a blur in px; ``shift`` a colour error in Lab; ``opacity`` of the whole;
    ``match_detail``: the face gets about as much fine detail as the one that it covers.
    """

    size: int
    tremble: float
    flicker: float
    feather: float
    grow: float
    sharpen: float
    soften: float
    shift: tuple[float, float, float]
    opacity: float
    match_colour: bool
    poisson: bool
    low_jaw: float
    grain: float
    match_detail: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Hand":
        """As careful and as careless as people are."""
        careless = rng.uniform(0.0, 1.0)
        shift = rng.normal(0, [3.0, 1.5, 1.5]) * careless
        return cls(
            size=int(rng.choice([128, 128, 160, 192, 224, 256])),
            tremble=float(10 ** rng.uniform(-1.3, -0.2)) * careless,
            flicker=float(10 ** rng.uniform(-1.5, -0.2)) * careless,
            feather=float(rng.uniform(0.03, 0.14)),
            grow=float(rng.uniform(-0.05, 0.04)),
            sharpen=float(rng.uniform(0.1, 0.9)) if rng.random() < 0.5 else 0.0,
            soften=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.2 else 0.0,
            shift=(float(shift[0]), float(shift[1]), float(shift[2])),
            opacity=float(rng.choice([0.75, 1.0, 1.0, 1.0])),
            match_colour=bool(rng.random() < 0.8),
            poisson=bool(rng.random() < 0.3),
            low_jaw=float(rng.uniform(0.0, 1.0)) if rng.random() < 0.3 else 0.0,
            grain=float(rng.uniform(0.5, 3.0)) if rng.random() < 0.2 else 0.0,
            match_detail=bool(rng.random() < 0.85),
        )


@dataclass(frozen=True, eq=False)
class Donor:
    """Whose face is laid in: pictures uint8 (n, h, w, 3) with landmarks float32 (n, 68, 2). ``answers``: picture i is
    what frame i of the burst should show, so that it needs no warping."""

    burst: Burst
    answers: bool


@dataclass(frozen=True, eq=False)
class Decoders:
    """Networks that draw faces: redrawers by name, and the running start of `flow`."""

    redrawers: dict[str, Redrawer]
    drawer: Drawer

    @classmethod
    def of(cls, redrawers: dict[str, Redrawer]) -> "Decoders":
        drawer = Drawer()
        drawer.load_state_dict(load_running_start())
        return cls(redrawers, drawer.eval())


def manipulated(kind: str, burst: Burst, donor: Donor, decoders: Decoders, rng: np.random.Generator) -> Burst:
    """``burst`` with its face manipulated by ``kind``, one of KINDS."""
    hand = Hand.drawn(rng)
    matrices = [alignment(points, hand.size) for points in burst.landmarks]
    own = np.stack([
        warp(frame, matrix, hand.size).astype(np.float32) / 255
        for frame, matrix in zip(burst.frames, matrices, strict=True)
    ])  # fmt: skip
    faces = _MAKERS[kind](own, burst, donor, decoders, hand, rng)
    frames = burst.frames.copy()
    for row, frame in enumerate(frames):
        lay_in(frame, faces[row], own[row], burst.landmarks[row], matrices[row], hand, rng)
    return burst.with_frames(frames)


def lay_in(
    frame: np.ndarray,
    face: np.ndarray,
    own: np.ndarray,
    landmarks: np.ndarray,
    matrix: np.ndarray,
    hand: Hand,
    rng: np.random.Generator,
) -> None:
    """Lay ``face`` float32 (s, s, 3) over ``frame``, in place, where ``matrix`` (2, 3) leads to the crop ``own``."""
    points = apply(matrix, landmarks)
    points[6:11, 1] += hand.low_jaw * 0.06 * hand.size  # masks that reach over the chin, as some programs draw them
    mask = hull_mask(points, own.shape[:2])
    if hand.match_colour:
        face = with_colours_of(own, face, mask)
    lab = cv2.cvtColor(np.clip(face, 0, 1).astype(np.float32), cv2.COLOR_RGB2LAB)
    shifted = lab + (np.array(hand.shift) + rng.normal(0, hand.flicker, 3)).astype(np.float32)
    face = cv2.cvtColor(shifted, cv2.COLOR_LAB2RGB)
    if hand.match_detail:
        face = with_detail_of(own, face, mask)
    if hand.soften:
        face = cv2.GaussianBlur(face, (0, 0), hand.soften)
    if hand.sharpen:
        face = sharper(face, hand.sharpen)
    if hand.grain:
        face = face + rng.normal(0, hand.grain / 255, face.shape).astype(np.float32)
    if hand.poisson:
        face = face + membrane(face, own, mask)
    alpha = hand.opacity * soft_mask(mask, hand.grow * hand.size, hand.feather * hand.size)
    trembling = matrix.copy()
    trembling[:, 2] += rng.normal(0, hand.tremble, 2)
    paste(frame, np.clip(face, 0, 1).astype(np.float32), alpha, trembling)


def with_colours_of(target: np.ndarray, face: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``face`` with mean and deviation of ``target`` in Lab inside ``mask`` (Reinhard et al. 2001)."""
    inside = mask >= 0.5
    if inside.sum() < 16:
        return face
    of_face, of_target = (
        cv2.cvtColor(np.clip(image, 0, 1).astype(np.float32), cv2.COLOR_RGB2LAB) for image in (face, target)
    )
    for channel in range(3):
        there, wanted = of_face[..., channel], of_target[..., channel][inside]
        factor = float(np.clip(wanted.std() / max(float(there[inside].std()), 1e-3), 0.6, 1.6))
        of_face[..., channel] = (there - there[inside].mean()) * factor + wanted.mean()
    return cv2.cvtColor(of_face, cv2.COLOR_LAB2RGB)


def with_detail_of(target: np.ndarray, face: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``face`` sharpened or softened until its fine detail inside ``mask`` is about as strong as ``target``'s."""
    inside = mask >= 0.5
    if inside.sum() < 16:
        return face
    soft = cv2.GaussianBlur(face, (0, 0), 1.2)
    fine, wanted = face - soft, target - cv2.GaussianBlur(target, (0, 0), 1.2)
    factor = float(np.clip(wanted[inside].std() / max(float(fine[inside].std()), 1e-4), 0.2, 4.0))
    return soft + factor * fine


def _blended(
    own: np.ndarray, burst: Burst, donor: Donor, decoders: Decoders, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    scale, turn = rng.uniform(0.97, 1.03), rng.uniform(-1.5, 1.5)
    matrix = cv2.getRotationMatrix2D((hand.size / 2, hand.size / 2), turn, scale)
    matrix[:, 2] = matrix[:, 2] + rng.normal(0, 0.012, 2) * hand.size
    gain, hue = rng.uniform(0.92, 1.08), rng.normal(0, 0.02, 3)
    change = rng.choice(["none", "sharpen", "soften", "shrink"])
    faces = []
    for image in own:
        moved = cv2.warpAffine(image, matrix, (hand.size, hand.size), borderMode=cv2.BORDER_REFLECT)
        moved = np.clip(moved * gain + hue, 0, 1).astype(np.float32)
        if change == "sharpen":
            moved = sharper(moved, 0.7)
        elif change == "soften":
            moved = cv2.GaussianBlur(moved, (0, 0), hand.size / 160)
        elif change == "shrink":
            moved = _at_resolution(moved, hand.size // 2)
        faces.append(moved)
    return np.stack(faces)


def _coarse(
    own: np.ndarray, burst: Burst, donor: Donor, decoders: Decoders, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    side = int(rng.choice([48, 64, 80, 96, 112]))
    return np.stack([_at_resolution(image, min(side, hand.size)) for image in own])


def _pasted(
    own: np.ndarray, burst: Burst, donor: Donor, decoders: Decoders, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    faces = []
    for row, points in enumerate(burst.landmarks):
        source = row if donor.answers else 0
        image, shown = donor.burst.frames[source], donor.burst.landmarks[source]
        matrix = alignment(shown, hand.size)
        crop = warp(image, matrix, hand.size).astype(np.float32) / 255
        if not donor.answers:
            crop = warped_to(crop, apply(matrix, shown), apply(alignment(points, hand.size), points))
        faces.append(crop)
    return np.stack(faces)


def _redrawn(
    own: np.ndarray, burst: Burst, donor: Donor, decoders: Decoders, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    which = rng.random()
    faces = own
    if which < 0.65:
        faces = _pasted(own, burst, donor, decoders, hand, rng)
    elif which < 0.8:
        faces = _drawn_by_flow(own, burst, donor, decoders, hand, rng)
    network = decoders.redrawers[str(rng.choice(sorted(decoders.redrawers)))]
    side = int(rng.choice([96, 128, 128, 160, 192]))
    shrunk = np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces])
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = network(_tensor(shrunk))
    return _images(drawn.float(), hand.size)


def _drawn_by_flow(
    own: np.ndarray, burst: Burst, donor: Donor, decoders: Decoders, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    drivers = _crops(burst, FLOW_SIZE, _FLOW_COVERAGE)
    shown = donor.burst.taken(slice(None, None, max(1, len(donor.burst) // 3)))
    references = _crops(shown, FLOW_SIZE, _FLOW_COVERAGE)
    masks = [_masks(one) for one in (burst, shown)]
    (mean, deviation), (r_mean, r_deviation) = (
        colours_within(pictures, mask) for pictures, mask in zip((drivers, references), masks, strict=True)
    )
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        pictures = decoders.drawer.references(((references - r_mean) / r_deviation)[None])
        seen = decoders.drawer.seen((drivers - mean) / deviation)
        drawn = decoders.drawer(seen, pictures, torch.zeros(len(drivers), dtype=torch.int64))
    faces = _images((drawn.face.float() * deviation + mean).clamp(0, 1), hand.size)
    factor = COVERAGE / _FLOW_COVERAGE  # the network's view is narrower or wider than the crop that is laid in
    middle = hand.size / 2
    matrix = np.array([[factor, 0, middle * (1 - factor)], [0, factor, middle * (1 - factor)]])
    fitted = [
        cv2.warpAffine(face, matrix, (hand.size, hand.size), dst=one.copy(), borderMode=cv2.BORDER_TRANSPARENT)
        for face, one in zip(faces, own, strict=True)
    ]
    return np.stack(fitted)


_MAKERS: dict[str, Callable[[np.ndarray, Burst, Donor, Decoders, Hand, np.random.Generator], np.ndarray]] = {
    "blend": _blended,
    "resolution": _coarse,
    "paste": _pasted,
    "autoencoder": _redrawn,
    "flow": _drawn_by_flow,
}


def warped_to(crop: np.ndarray, points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """``crop`` float32 (s, s, 3) with ``points`` (68, 2) moved to ``wanted`` by a thin-plate spline (Bookstein 1989),
    computed on a coarse grid; the border stays."""
    size = len(crop)
    line = np.linspace(0, size - 1, 4)
    border = np.array([(x, y) for x in line for y in line if x in line[[0, -1]] or y in line[[0, -1]]])
    to, come = np.vstack([wanted, border]), np.vstack([points, border])
    count = len(to)

    def kernel(squared: np.ndarray) -> np.ndarray:
        return squared * np.log(squared + 1e-9)

    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = kernel(((to[:, None] - to[None]) ** 2).sum(-1)) + 0.5 * size * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), to])
    system[count:, :count] = system[:count, count:].T
    solved = np.linalg.solve(system, np.vstack([come, np.zeros((3, 2))]))
    nodes = np.linspace(0, size - 1, _GRID)
    grid = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2)
    bent = kernel(((grid[:, None] - to[None]) ** 2).sum(-1)) @ solved[:count]
    places = bent + np.column_stack([np.ones(len(grid)), grid]) @ solved[count:]
    field = cv2.resize(places.reshape(_GRID, _GRID, 2).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return cv2.remap(crop, field[..., 0], field[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _at_resolution(image: np.ndarray, side: int) -> np.ndarray:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _crops(burst: Burst, size: int, coverage: float) -> Tensor:
    crops = [
        warp(frame, alignment(points, size, coverage), size)
        for frame, points in zip(burst.frames, burst.landmarks, strict=True)
    ]
    return _tensor(np.stack(crops).astype(np.float32) / 255)


def _masks(burst: Burst) -> Tensor:
    masks = [
        hull_mask(apply(alignment(points, FLOW_SIZE, _FLOW_COVERAGE), points), (FLOW_SIZE, FLOW_SIZE))
        for points in burst.landmarks
    ]
    return torch.from_numpy(np.stack(masks))[:, None].float()


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _images(faces: Tensor, size: int) -> np.ndarray:
    pictures = faces.permute(0, 2, 3, 1).numpy()
    return np.stack([cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in pictures])
