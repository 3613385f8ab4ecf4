"""Can the examiners of pixels speak of this face at all? Not of tiny, blurred, averted, drawn or unmoving ones.

They were calibrated on moving footage of people. Outside of that their numbers mean nothing, even where they can be
measured: a photograph shown in a clip never blinks, and a drawing has no noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from likeness.faces.align import aligned_crop
from likeness.faces.face import Face, Track
from likeness.faces.quality import sharpness_of
from likeness.media.clip import Clip

_CROP, _COVERAGE = 96, 1.0  # the face as compared for flatness: noise averages out here, light and skin do not
_LOOK, _EDGE = 48, 4  # side of the crops that are compared over time, and what is left out at their edges
_MOST_LOOKS = 24
_BLUR, _STRONGEST = 1.5, 0.95  # a change of mouth or lids is local and coarse; noise is everywhere and fine
_ECC_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)
_FLAT_SIDE = 5  # window, in pixels of the crop, in which a flat place hardly changes
_COLOUR_BITS, _COLOURS = 4, 8  # a colour is its upper bits; so many of the commonest are counted
_LEAST_CONTRAST = 4.0  # grey levels
_FULL_RANGE, _MOST_GAIN = 230.0, 4.0  # dark and faint pictures are stretched before flatness and colours are counted


@dataclass(frozen=True)
class RangeSettings:
    """Where the examiners' range ends.

    Of 37 official portraits and 11 clips, also stored as JPEG of quality 35 or darkened to a quarter, none had more
    than 0.24 of the face flat; in eight colours lay up to 0.48, darkened 0.72. Plain drawings had at least 0.35 and
    0.76. Photographs shown in a clip changed by 0.02 to 0.04, people who speak or sign by 0.10 to 0.87; a photograph
    that is zoomed into can pass for a face (0.03 to 0.16).
    """

    note_every_s: float = 0.5
    narrowest_px: float = 40.0
    largest_yaw: float = 60.0  # degrees
    least_facing: float = 0.1  # of the moments noted must show the face turned less than that
    least_sharpness: float = 0.12  # as `sharpness_of` measures it; well-focused portraits have 0.5 to 1
    flat_levels: int = 4  # grey levels within a flat place
    most_flat: float = 0.30  # part of the face; drawn only where the next is passed, too
    most_in_few_colours: float = 0.62  # part of the face that takes the eight commonest colours
    least_change: float = 0.06  # of the face's contrast, at its liveliest moment
    least_notes: int = 4  # fewer say nothing of change


@dataclass(frozen=True, eq=False)
class RangeNote:
    """One face at one moment. ``flat`` and ``in_few_colours`` are parts of the face, ``look`` is the face upright,
    uint8 (48, 48): small, as there may be hundreds of each face of a crowd.
    """

    width_px: float
    yaw: float
    sharpness: float
    flat: float
    in_few_colours: float
    look: np.ndarray


def note_range(image: np.ndarray, face: Face, settings: RangeSettings) -> RangeNote:
    """What matters of ``face`` in ``image`` (uint8 RGB); about a millisecond, so not for every frame."""
    crop = aligned_crop(image, face.landmarks, _CROP, _COVERAGE)
    clear = _stretched(crop)
    window = np.ones((_FLAT_SIDE, _FLAT_SIDE), np.uint8)
    spread = (cv2.dilate(clear, window) - cv2.erode(clear, window)).max(axis=2)
    upper = (clear >> (8 - _COLOUR_BITS)).astype(np.int32)
    colours = np.bincount(
        ((upper[..., 0] << 2 * _COLOUR_BITS) + (upper[..., 1] << _COLOUR_BITS) + upper[..., 2]).ravel()
    )
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return RangeNote(
        width_px=face.width,
        yaw=face.yaw,
        sharpness=sharpness_of(image, face.landmarks),
        flat=float((spread <= settings.flat_levels).mean()),
        in_few_colours=float(np.sort(colours)[-_COLOURS:].sum() / colours.sum()),
        look=cv2.resize(grey, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA),
    )


def _stretched(crop: np.ndarray) -> np.ndarray:
    """``crop`` with its darkest and brightest hundredths taken to the ends of the range, as far as the gain allows."""
    low, high = np.percentile(crop, [2, 98])
    gain = min(_MOST_GAIN, _FULL_RANGE / max(float(high - low), 1.0))
    return np.clip((crop - low) * gain + (255 - _FULL_RANGE) / 2, 0, 255).astype(np.uint8)


def reason_out_of_range(
    clip: Clip, track: Track, notes: Sequence[RangeNote], settings: RangeSettings | None = None
) -> str | None:
    """Why no examiner of pixels may speak of ``track``, in one sentence, or None. ``notes`` are in order of time."""
    settings = settings or RangeSettings()
    width = float(np.median([face.width for face in track.faces]))
    if width < settings.narrowest_px:
        return f"The face is only {width:.0f} px wide; from {settings.narrowest_px:.0f} px on it shows enough."
    if not notes:
        return None
    facing = [note for note in notes if abs(note.yaw) <= settings.largest_yaw]
    if len(facing) < settings.least_facing * len(notes):
        return "The face is seen from the side nearly throughout, so most of it is hidden."
    if float(np.median([note.sharpness for note in facing])) < settings.least_sharpness:
        return "The face is so blurred that nothing fine is left of it to examine."
    if is_drawn(facing, settings):
        return "The face looks drawn: flat areas in few colours. The examiners know camera footage only."
    if clip.kind == "video" and len(notes) >= settings.least_notes and change(notes) < settings.least_change:
        return (
            "The face never changes: it is a still picture shown in a clip, and the examiners know living faces only."
        )
    return None


def is_drawn(notes: Sequence[RangeNote], settings: RangeSettings) -> bool:
    """Whether the face has large flat areas and few colours, which light, skin and sensors never leave."""
    flat, few = (float(np.median(values)) for values in zip(*((n.flat, n.in_few_colours) for n in notes), strict=True))
    return flat > settings.most_flat and few > settings.most_in_few_colours


def change(notes: Sequence[RangeNote]) -> float:
    """How far the face is from its usual look at its liveliest moment, in parts of its contrast.

    Landmarks waver by a pixel even on a still picture, and it may be panned or zoomed: each look is first laid on the
    usual one by the affine map under which they agree best (Evangelidis & Psarakis 2008, IEEE TPAMI 30).
    """
    looks = [
        _standardised(notes[i].look)
        for i in np.linspace(0, len(notes) - 1, min(len(notes), _MOST_LOOKS)).round().astype(int)
    ]
    usual = np.median(np.stack(looks), axis=0).astype(np.float32)
    return max(_difference(look, usual) for look in looks)


def _standardised(look: np.ndarray) -> np.ndarray:
    """``look`` as float32 with mean 0 and deviation 1."""
    bright = look.astype(np.float32)
    return (bright - bright.mean()) / max(float(bright.std()), _LEAST_CONTRAST)


def _difference(look: np.ndarray, usual: np.ndarray) -> float:
    place: np.ndarray = np.eye(2, 3, dtype=np.float32)
    inner = slice(_EDGE, _LOOK - _EDGE), slice(_EDGE, _LOOK - _EDGE)
    try:
        everywhere = np.full((_LOOK, _LOOK), 255, np.uint8)
        place = np.asarray(cv2.findTransformECC(usual, look, place, cv2.MOTION_AFFINE, _ECC_STOP, everywhere, 3)[1])
    except cv2.error:  # so different, or so even, that nothing agrees: they are compared as they are
        place = np.eye(2, 3, dtype=np.float32)
    laid = cv2.warpAffine(look, place, (_LOOK, _LOOK), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[inner]
    laid, known = laid - laid.mean(), usual[inner] - usual[inner].mean()
    gain = float((laid * known).sum() / max(float((laid * laid).sum()), 1e-6))
    changed = cv2.GaussianBlur(gain * laid - known, (0, 0), _BLUR)
    return float(np.quantile(np.abs(changed), _STRONGEST))
