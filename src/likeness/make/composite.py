"""Put a made face into its frame: measure, steady over time, then recolour, match the detail, blend and paste.

`look` measures one face in one frame. `steadied` pools what was measured in the frames around it, so that neither mask
nor colours nor sharpness flicker. `put_back` does the rest by it. All of it happens at the size of the made face, in
its own upright square, except for what belongs to the frame's own pixels: the last mix, and the grain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import cv2
import numpy as np

from likeness.errors import SettingsError
from likeness.faces.align import apply, invert, scale_of, warp
from likeness.faces.face import INNER_LIPS, JAW, NOSE_BASE, OUTER_LIPS
from likeness.faces.hull import hull_mask
from likeness.make import colour, match_detail, occlusion
from likeness.make.blend import Blend, membrane, paste, raised, soft_mask
from likeness.make.colour import Colours, LightSettings, Match
from likeness.make.fit import compose, view_matrix
from likeness.make.follow import Placed
from likeness.make.match_detail import Detail
from likeness.make.multiband import band_correction

MaskChoice = Literal["hull", "network", "both"]

_MEASURED_AT_MOST = 256  # px a side at which sharpness is measured: a larger face is looked at smaller

_SKIN_APART = np.float32(0.12)  # by how much, of 1, the difference of two faces varies over them


@dataclass(frozen=True)
class SteadySettings:
    """How far masks, colours and sharpness are steadied over time.

    ``width_s``: standard deviation in seconds of the window they are averaged over; 0 turns it off. ``front_s``: what
    is in front of the face is the median over so much time to each side.
    """

    width_s: float = 0.06
    front_s: float = 0.045

    def __post_init__(self) -> None:
        if not 0 <= self.width_s <= 1 or not 0 <= self.front_s <= 1:
            raise SettingsError("Masks and colours can be steadied over 0 to 1 second.")

    @property
    def reach_s(self) -> float:
        """How far to each side neighbours count, in seconds."""
        return max(2 * self.width_s, self.front_s)

    def weights(self, apart_s: np.ndarray) -> np.ndarray:
        """How much frames ``apart_s`` (n,) seconds away count; 1 for the frame itself."""
        if self.width_s == 0:
            return (apart_s == 0).astype(np.float64)
        return np.exp(-0.5 * (apart_s / self.width_s) ** 2)


@dataclass(frozen=True)
class CompositeSettings:
    """How a made face is put into its frame.

    ``mask``: where the face is laid: what the ``network`` takes for face (the hull, where it learns none), the
    landmarks' ``hull``, or ``both`` together. ``raised``, ``grow`` and ``feather``, in face widths: how far the mask is
    drawn up over the brows, how far outside its edge the blend begins, and how wide the blend is. ``occlusion``: what
    is in front of the face in the frame stays in front. ``enhance``: a face that is larger in the frame than the model
    makes it is drawn at twice its size by the sharpener. ``detail``: sharpness, motion blur and noise are matched.
    """

    mask: MaskChoice = "network"
    match: Match = "light"
    blend: Blend = "feather"
    raised: float = 0.08
    grow: float = 0.03
    feather: float = 0.08
    occlusion: bool = True
    enhance: bool = True
    detail: bool = True
    steady: SteadySettings = field(default_factory=SteadySettings)

    def __post_init__(self) -> None:
        if not -0.3 <= self.grow <= 0.3 or not 0 <= self.feather <= 0.5:
            raise SettingsError("The mask can grow by -0.3 to 0.3 and be feathered by 0 to 0.5 face widths.")
        if not 0 <= self.raised <= 0.5:
            raise SettingsError("The mask can be drawn up by 0 to 0.5 face widths.")


@dataclass(frozen=True, eq=False)
class Made:
    """The other face as decoded: ``image`` float32 (s, s, 3) and the network's ``mask`` float32 (s, s), in [0, 1].

    ``front`` float32 (f, f) in [0, 1] is what is in front of the face in the frame, over the whole aligned crop; None
    where nothing is.
    """

    image: np.ndarray
    mask: np.ndarray
    front: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Look:
    """One face in one frame, measured.

    ``image`` (s, s, 3), ``mask`` (s, s) and ``front`` (s, s) are float32 in [0, 1] and lie in the made face's square;
    ``matrix`` (2, 3) takes pixels of the frame there, ``landmarks`` (68, 2) are the frame's own in it. ``learnt`` says
    that the network gave the mask; ``motion`` (2,) are pixels of the frame, turned upright, from one frame to the next.
    """

    image: np.ndarray
    mask: np.ndarray
    learnt: bool
    front: np.ndarray
    matrix: np.ndarray
    landmarks: np.ndarray
    motion: np.ndarray
    colours: Colours
    detail: Detail | None

    @property
    def face_width(self) -> float:
        """Pixels of the square that the face is wide."""
        return float(np.ptp(self.landmarks[:, 0]))


def look(frame: np.ndarray, place: Placed, made: Made, view: float, settings: CompositeSettings) -> Look:
    """Measure the face ``made``, which shows the middle ``view`` of the CROP² crop, against ``frame`` uint8 (H, W, 3),
    into which it goes at ``place``."""
    size = len(made.image)
    to_made = compose(view_matrix(size, view), invert(place.fit))
    matrix = compose(to_made, place.matrix)
    landmarks = apply(to_made, place.landmarks)
    front = np.zeros((size, size), np.float32)
    if made.front is not None:
        front = occlusion.placed(made.front, to_made, size)
    target = warp(frame, matrix, size).astype(np.float32) / 255
    both = hull_mask(landmarks, (size, size)) * (made.mask >= 0.5) * (1 - front)
    upright = place.matrix[:, :2] / scale_of(place.matrix)
    motion = upright @ place.motion
    return Look(
        image=made.image,
        mask=made.mask,
        learnt=bool(made.mask.min() < 1),
        front=front,
        matrix=matrix,
        landmarks=landmarks,
        motion=motion,
        colours=colour.observe(made.image, target, both, settings.match, LightSettings()),
        detail=_detail(frame, made.image, both, matrix, motion) if settings.detail else None,
    )


def _detail(frame: np.ndarray, image: np.ndarray, both: np.ndarray, matrix: np.ndarray, motion: np.ndarray) -> Detail:
    """Sharpness and noise of frame and made face, both upright at the frame's own scale."""
    per_pixel = min(1 / scale_of(matrix), _MEASURED_AT_MOST / len(image))
    side = max(round(len(image) * per_pixel), 16)
    resized = side / len(image)
    to_side = np.array([[resized, 0, (resized - 1) / 2], [0, resized, (resized - 1) / 2]])
    shown = warp(frame, compose(to_side, matrix), side).astype(np.float32) / 255
    how = cv2.INTER_AREA if resized < 1 else cv2.INTER_CUBIC
    made = cv2.resize(image, (side, side), interpolation=how)
    mask = cv2.resize(both, (side, side), interpolation=cv2.INTER_LINEAR)
    return match_detail.observe(shown, made, mask, motion)


def steadied(middle: Look, near: Sequence[Look], apart_s: np.ndarray, settings: CompositeSettings) -> Look:
    """``middle`` with mask, colours and detail pooled over ``near``, its neighbours ``apart_s`` (n,) seconds away, of
    which it is one itself."""
    steady = settings.steady
    weights = steady.weights(apart_s)
    counted = [number for number, weight in enumerate(weights) if weight > 0]
    kept, share = [near[number] for number in counted], weights[counted]
    mean_mask = np.tensordot((share / share.sum()).astype(np.float32), np.stack([one.mask for one in kept]), axes=1)
    close = [one.front for one, apart in zip(near, apart_s, strict=True) if abs(apart) <= steady.front_s]
    details = [one.detail for one in kept if one.detail is not None]
    return replace(
        middle,
        mask=mean_mask,
        front=occlusion.steadied(close or [middle.front]),
        colours=colour.pooled(middle.colours, [one.colours for one in kept], share),
        detail=match_detail.pooled(details, share) if len(details) == len(kept) else middle.detail,
    )


def put_back(frame: np.ndarray, seen: Look, settings: CompositeSettings, index: int = 0, face: int = 0) -> None:
    """Lay the face of ``seen`` over ``frame`` uint8 (H, W, 3), in place. The grain follows from the number of the frame
    (``index``) and of the ``face``."""
    size = len(seen.image)
    target = warp(frame, seen.matrix, size).astype(np.float32) / 255
    mask = raised(face_mask(seen.mask, seen.landmarks, settings.mask, seen.learnt), settings.raised * seen.face_width)
    image = colour.recolour(seen.image, seen.colours, settings.match, LightSettings())
    grain = None
    if seen.detail is not None:
        image = match_detail.corrected(image, seen.detail, seen.motion, scale_of(seen.matrix))
        factor = match_detail.grain_factor(seen.detail.noise)
        grain = partial(match_detail.grain, factor=factor, frame=index, face=face)
    if settings.blend == "poisson":
        image = image + membrane(image, _plausible(image, target, mask), mask)
    alpha = soft_mask(mask, settings.grow * seen.face_width, settings.feather * seen.face_width) * (1 - seen.front)
    added = None
    if settings.blend == "multiband":
        added = band_correction(image, target, alpha) * (1 - seen.front)[:, :, None]
    paste(frame, image, alpha, seen.matrix, added, grain)


def _plausible(image: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``target`` as far from ``image`` as skin is from skin: where the mask reaches over the face's edge, the colours
    of what is behind it must not flow in."""
    difference = target - image
    usual = np.median(difference[mask >= 0.5], axis=0) if (mask >= 0.5).any() else np.zeros(3, np.float32)
    return image + np.clip(difference, usual - _SKIN_APART, usual + _SKIN_APART)


def face_mask(network: np.ndarray, landmarks: np.ndarray, choice: MaskChoice, learnt: bool = True) -> np.ndarray:
    """Where the made face is laid, float32 (s, s), for the frame's own ``landmarks`` (68, 2) in the same pixels.

    ``network`` (s, s) counts only where it was ``learnt``; some architectures learn none. The frame's own brows, eyes
    and nose are always inside, so that none of them shows beside the made ones.
    """
    if choice == "hull" or not learnt:
        return hull_mask(landmarks, network.shape)
    own = landmarks.copy()
    if choice == "network":
        own[JAW] = own[OUTER_LIPS] = own[INNER_LIPS] = landmarks[NOSE_BASE].mean(axis=0)
    return np.maximum(network, hull_mask(own, network.shape))
