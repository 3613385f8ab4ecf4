"""The second pass of a swap: decode the followed faces and put them back into the frames, in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import cv2
import numpy as np

from likeness.errors import SettingsError
from likeness.faces.align import scale_of, warp
from likeness.faces.landmarks import LandmarkModel
from likeness.faces.parts import PartSegmenter
from likeness.make.composite import CompositeSettings, Look, Made, look, put_back, steadied
from likeness.make.fit import CROP, fit_on_head, view_matrix
from likeness.make.follow import Choice, FacePath, Placed, Span
from likeness.make.model import Direction, SwapModel
from likeness.make.occlusion import in_front
from likeness.make.resume import MadeFaces, Workspace
from likeness.make.sharpen import Sharpener
from likeness.make.smooth import SmoothSettings
from likeness.make.window import windows
from likeness.media.frame import Frame
from likeness.media.sequence import SequenceKind

_BATCH_BYTES = 128 << 20  # of frames that wait: for their faces to be decoded together, and for those that follow them
_LARGER = 1.25  # times that a face must be larger in the frame than it is made, to be enhanced


@dataclass(frozen=True)
class SwapSettings(CompositeSettings):
    """Which faces are swapped, how they are followed, and how they are put back.

    ``direction``: ``a2b`` puts B's face into A's clip. ``faces``: the main face (`follow.apart`) or all; ``track``: the
    one with this number; ``like``: the person in this picture. ``start_s`` and ``end_s``: the part of the clip that is
    written. ``only``: seconds (from, to) of the clip in which faces are swapped; () is all of it. ``sequence``: write
    pictures of that kind into a folder. ``frame_rate``: of a folder of pictures that is read. ``revocations``: files
    and folders that are searched for a revocation of the consent. ``batch``: frames whose faces are decoded together.
    """

    direction: Direction = "a2b"
    faces: Choice = "largest"
    track: int | None = None
    like: Path | None = None
    start_s: float = 0.0
    end_s: float | None = None
    only: tuple[Span, ...] = ()
    sequence: SequenceKind | None = None
    frame_rate: Fraction | None = None
    revocations: tuple[Path, ...] = ()
    smooth: SmoothSettings = field(default_factory=SmoothSettings)
    batch: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch < 1:
            raise SettingsError("At least one frame has to be swapped at a time; raise the batch to 1 or more.")
        if (self.track is not None) + (self.like is not None) + (self.faces == "all") > 1:
            raise SettingsError("Choose the face by its track, by a picture, or take all faces: one of the three.")
        for start_s, end_s in (*self.only, (self.start_s, np.inf if self.end_s is None else self.end_s)):
            if not 0 <= start_s < end_s:
                raise SettingsError(f"From {start_s:g} to {end_s:g} s is no part of a clip. Give from and to in order.")
        if any(before[1] > after[0] for before, after in pairwise(sorted(self.only))):
            raise SettingsError("The parts in which faces are swapped overlap. Name each second once.")


def fitted(paths: list[FacePath], model: SwapModel, direction: Direction) -> list[FacePath]:
    """``paths`` with what ``model`` makes fitted on the heads that it goes to."""
    finder = LandmarkModel()
    fits = {samples: fit_on_head(model, direction, samples, finder) for samples in {path.samples for path in paths}}
    return [replace(path, fit=fits[path.samples]) for path in paths]


@dataclass(eq=False)
class _Moment:
    """A frame and what was measured of its faces, by the number of their path. ``image`` goes once it is composed."""

    time_s: float
    index: int
    image: np.ndarray | None
    looks: dict[int, Look]


class Swapper:
    """Replaces the faces of ``paths`` and counts the frames it has ``seen`` and ``swapped``.

    A few frames around each are held, so that what is measured can be steadied; memory does not grow with the clip.
    With a ``workspace`` the faces that were made are kept there, and taken from there.
    """

    def __init__(
        self, model: SwapModel, paths: list[FacePath], settings: SwapSettings, workspace: Workspace | None = None
    ) -> None:
        self._model = model
        self._paths = paths
        self._settings = settings
        self._workspace = workspace
        self._segmenter = PartSegmenter() if settings.occlusion and paths else None
        enlarged = {number for number, path in enumerate(paths) if settings.enhance and self._enlarged(path)}
        self._enlarged_paths = enlarged
        self._sharpener = Sharpener() if enlarged else None
        self.seen = self.swapped = 0

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """``frames`` in order with the faces replaced; those without a face are passed on as they are."""
        moments = self._moments(frames)
        first = next(moments, None)
        if first is None or first.image is None:
            return
        most = max(1, _BATCH_BYTES // first.image.nbytes)
        reach_s = self._settings.steady.reach_s
        for moment, near in windows(chain([first], moments), lambda moment: moment.time_s, reach_s, most):
            yield self._composed(moment, near)

    def _composed(self, moment: _Moment, near: list[_Moment]) -> Frame:
        assert moment.image is not None
        image = moment.image.copy() if moment.looks else moment.image
        for number, seen in moment.looks.items():
            around = [other for other in near if number in other.looks]
            apart_s = np.array([other.time_s - moment.time_s for other in around])
            steady = steadied(seen, [other.looks[number] for other in around], apart_s, self._settings)
            put_back(image, steady, self._settings, moment.index, number)
        moment.image = None
        self.seen += 1
        self.swapped += bool(moment.looks)
        return Frame(image, moment.time_s, moment.index)

    def _moments(self, frames: Iterable[Frame]) -> Iterator[_Moment]:
        """Every frame, measured; its faces are decoded a batch at a time."""
        for number, batch in enumerate(_batches(frames, self._settings.batch)):
            places = [
                {face: place for face, path in enumerate(self._paths) if (place := path.at(frame.index))}
                for frame in batch
            ]
            made = self._made(number, batch, places)
            for frame, here in zip(batch, places, strict=True):
                looks = {
                    face: look(frame.image, place, next(made), self._model.view, self._settings)
                    for face, place in here.items()
                }
                yield _Moment(frame.time_s, frame.index, frame.image, looks)

    def _made(self, number: int, batch: list[Frame], places: list[dict[int, Placed]]) -> Iterator[Made]:
        """The faces of a batch as they are put back, frame by frame."""
        faces = [face for here in places for face in here]
        if not faces:
            return

        def make() -> MadeFaces:
            crops = [
                warp(frame.image, place.matrix, CROP)
                for frame, here in zip(batch, places, strict=True)
                for place in here.values()
            ]
            return self._decoded(np.stack(crops))

        made = self._workspace.made(number, make) if self._workspace else make()
        images, masks = made.images.astype(np.float32) / 255, made.masks.astype(np.float32) / 255
        fronts = made.fronts.astype(np.float32) / 255
        for row, face in enumerate(faces):
            image, mask = images[row], masks[row]
            if face in self._enlarged_paths and self._sharpener is not None:
                image = self._sharpener(image[None])[0]
                mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            yield Made(image, mask, fronts[row] if fronts.size else None)

    def _decoded(self, crops: np.ndarray) -> MadeFaces:
        """What the model makes of CROP² crops uint8 (n, CROP, CROP, 3), and what is in front of the faces in them."""
        images, masks = self._model.swap(crops, self._settings.direction)
        fronts = np.zeros((len(crops), 0, 0), np.float32)
        if self._segmenter is not None:
            fronts = in_front(self._segmenter(crops))
        return MadeFaces(*(np.rint(255 * values).astype(np.uint8) for values in (images, masks, fronts)))

    def _enlarged(self, path: FacePath) -> bool:
        """Whether the face is mostly larger in the frames than the model makes it."""
        per_crop_pixel = scale_of(view_matrix(self._model.size, self._model.view)) / scale_of(path.fit)
        scales = [scale_of(matrix) * per_crop_pixel for matrix in path.matrices]
        return bool(np.median(scales) * _LARGER < 1)


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
