"""Put the other face into a clip: follow, crop, decode with the other decoder, match, blend, write with the label."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from likeness.errors import BadMediaError, SettingsError
from likeness.faces.align import apply, invert, warp
from likeness.faces.face import INNER_LIPS, JAW, NOSE_BASE, OUTER_LIPS
from likeness.faces.hull import hull_mask
from likeness.faces.landmarks import LandmarkModel
from likeness.files import check_output
from likeness.make import consent as consent_records
from likeness.make.blend import Blend, membrane, paste, raised, soft_mask
from likeness.make.colour import Match, match_colour
from likeness.make.fit import CROP, compose, fit_on_head, view_matrix
from likeness.make.follow import Choice, FacePath, Placed, follow_faces
from likeness.make.label import SyntheticLabel
from likeness.make.model import Direction, SwapModel
from likeness.make.smooth import SmoothSettings
from likeness.media.clip import Clip, Frame, open_clip
from likeness.media.writer import write_clip, write_picture
from likeness.progress import tracked
from likeness.prove.identity import local_identity

MaskChoice = Literal["hull", "network", "both"]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_BATCH_BYTES = 128 << 20  # of frames that wait for their faces to be decoded together
_FALLBACK_RATE = Fraction(25)  # frames a second, where a file does not say


@dataclass(frozen=True)
class SwapSettings:
    """How the face is put back. ``a2b`` puts B's face into A's clip.

    ``faces``: the main face (`follow_faces`) or all. ``mask``: where the face is laid: what the ``network`` takes for
    face (the hull, where it learns none), the landmarks' ``hull``, or ``both`` together. ``raised``, ``grow``
    and ``feather``, in face widths: how far the mask is drawn up over the brows, how far outside its edge the blend
    begins, and how wide the blend is. ``batch``: frames whose faces are decoded together.
    """

    direction: Direction = "a2b"
    faces: Choice = "largest"
    mask: MaskChoice = "network"
    match: Match = "light"
    blend: Blend = "feather"
    raised: float = 0.08
    grow: float = 0.03
    feather: float = 0.08
    smooth: SmoothSettings = field(default_factory=SmoothSettings)
    batch: int = 16

    def __post_init__(self) -> None:
        if not -0.3 <= self.grow <= 0.3 or not 0 <= self.feather <= 0.5:
            raise SettingsError("The mask can grow by -0.3 to 0.3 and be feathered by 0 to 0.5 face widths.")
        if not 0 <= self.raised <= 0.5:
            raise SettingsError("The mask can be drawn up by 0 to 0.5 face widths.")
        if self.batch < 1:
            raise SettingsError("At least one frame has to be swapped at a time; raise the batch to 1 or more.")


@dataclass(frozen=True)
class SwapResult:
    """``frames`` written to ``path``, ``swapped`` of them with a face put in, and the ``seconds`` that it took."""

    path: Path
    frames: int
    swapped: int
    seconds: float


def swap_clip(clip: Path, model: Path, consent: Path, out: Path, settings: SwapSettings | None = None) -> SwapResult:
    """Write ``clip`` with the other face of ``model`` to ``out``: .mp4 for a clip, .png, .jpg or .webp for a picture.

    Nothing is done before ``consent`` is found to cover every source of the face that is put in. Frames without a
    face pass unchanged, sound is kept. Raises ConsentError, ModelError, BadMediaError, NoFaceError, SettingsError,
    StorageError; ``out`` is then as it was.
    """
    started = time.monotonic()
    settings = settings or SwapSettings()
    clip, model, out = Path(clip), Path(model), Path(out)
    record = consent_records.load(consent)
    swap_model = SwapModel.load(model)
    consent_records.check(record, swap_model.sources("b" if settings.direction == "a2b" else "a"), use="swap")
    footage = open_clip(clip)
    _check_output(footage, out)
    paths = follow_faces(footage, settings.faces, settings.smooth)
    swapper = Swapper(swap_model, fitted(paths, swap_model, settings.direction), settings)
    label = SyntheticLabel("swap", source=clip, model=model.name, consent=record)
    frames = tracked(swapper.frames(footage.frames()), "Swapping the face", total=footage.frame_count)
    if footage.kind == "picture":
        write_picture(out, next(frames).image, labelling=label)
    else:
        rate = footage.frame_rate or _FALLBACK_RATE
        write_clip(out, frames, frame_rate=rate, sound=footage, labelling=label)
    return SwapResult(out, swapper.seen, swapper.swapped, time.monotonic() - started)


def _check_output(footage: Clip, out: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if footage.kind == "sound":
        raise BadMediaError(f"{footage.path} has sound but no pictures. Choose footage in which a face is seen.")
    allowed = PICTURE_SUFFIXES if footage.kind == "picture" else (".mp4",)
    if out.suffix.lower() not in allowed:
        raise SettingsError(f"A {footage.kind} is written as {' or '.join(allowed)}, so give {out} such a name.")
    check_output(out, [footage.path])
    local_identity()  # made on first use: a home that cannot hold it is found now


def fitted(paths: list[FacePath], model: SwapModel, direction: Direction) -> list[FacePath]:
    """``paths`` with what ``model`` makes fitted on the heads that it goes to."""
    finder = LandmarkModel()
    fits = {samples: fit_on_head(model, direction, samples, finder) for samples in {path.samples for path in paths}}
    return [replace(path, fit=fits[path.samples]) for path in paths]


class Swapper:
    """The second pass: replaces the faces of ``paths`` and counts the frames it has ``seen`` and ``swapped``."""

    def __init__(self, model: SwapModel, paths: list[FacePath], settings: SwapSettings) -> None:
        self._model = model
        self._paths = paths
        self._settings = settings
        self.seen = self.swapped = 0

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """``frames`` in order with the faces replaced; those without a face are passed on as they are."""
        for batch in _batches(frames, self._settings.batch):
            yield from self._replaced(batch)

    def _replaced(self, batch: list[Frame]) -> Iterator[Frame]:
        places = [[place for path in self._paths if (place := path.at(frame.index))] for frame in batch]
        crops = [
            warp(frame.image, place.matrix, CROP) for frame, here in zip(batch, places, strict=True) for place in here
        ]
        made = iter(self._made(np.stack(crops)) if crops else [])
        for frame, here in zip(batch, places, strict=True):
            image = frame.image.copy() if here else frame.image
            for place in here:
                put_back(image, place, next(made), self._model.view, self._settings)
            self.seen += 1
            self.swapped += bool(here)
            yield Frame(image, frame.time_s, frame.index)

    def _made(self, crops: np.ndarray) -> list["Made"]:
        """What the model makes of CROP² crops uint8 (n, CROP, CROP, 3)."""
        images, masks = self._model.swap(crops, self._settings.direction)
        return [Made(image, mask) for image, mask in zip(images, masks, strict=True)]


@dataclass(frozen=True, eq=False)
class Made:
    """The other face as decoded: ``image`` float32 (s, s, 3) and the network's ``mask`` float32 (s, s), in [0, 1]."""

    image: np.ndarray
    mask: np.ndarray


def put_back(frame: np.ndarray, place: Placed, made: Made, view: float, settings: SwapSettings) -> None:
    """Lay the face ``made`` over ``frame`` uint8 (H, W, 3), in place, where ``place`` says.

    ``made`` shows the middle ``view`` of the CROP² crop.
    """
    size = len(made.image)
    to_made = compose(view_matrix(size, view), invert(place.fit))
    matrix = compose(to_made, place.matrix)
    landmarks = apply(to_made, place.landmarks)
    target = warp(frame, matrix, size).astype(np.float32) / 255
    face_width = float(np.ptp(landmarks[:, 0]))
    mask = raised(face_mask(made.mask, landmarks, settings.mask), settings.raised * face_width)
    both = hull_mask(landmarks, (size, size)) * (made.mask >= 0.5)
    image = match_colour(made.image, target, both, settings.match)
    if settings.blend == "poisson":
        image = image + membrane(image, target, mask)
    alpha = soft_mask(mask, settings.grow * face_width, settings.feather * face_width)
    paste(frame, image, alpha, matrix)


def face_mask(network: np.ndarray, landmarks: np.ndarray, choice: MaskChoice) -> np.ndarray:
    """Where the made face is laid, float32 (s, s), for the frame's own ``landmarks`` (68, 2) in the same pixels.

    ``network`` (s, s) is all ones where the architecture learns no mask. The frame's own brows, eyes and nose are
    always inside, so that none of them shows beside the made ones.
    """
    learnt = bool(network.min() < 1)
    if choice == "hull" or not learnt:
        return hull_mask(landmarks, network.shape)
    own = landmarks.copy()
    if choice == "network":
        own[JAW] = own[OUTER_LIPS] = own[INNER_LIPS] = landmarks[NOSE_BASE].mean(axis=0)
    return np.maximum(network, hull_mask(own, network.shape))


def _batches(frames: Iterable[Frame], most: int) -> Iterator[list[Frame]]:
    """Group ``frames``, fewer at a time where they are large."""
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) >= most or len(batch) * frame.image.nbytes >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
