"""How a model's swaps score under our own detectors, as training goes on.

The cues of `likeness check` look at swapped frames of a held-out clip before they are labelled or compressed; the
frames stay in memory. This is a report. Nothing is trained, chosen or stopped by it: a network optimised against
detectors would teach itself to escape them, and they would no longer measure anything.

    python -m likeness.bench.detectability CLIP MODEL… -o detectors.png
"""

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from likeness.bench.detector_scores import CUES, PLOT, TABLE, Score, plot_scores, read_scores, table, write_scores
from likeness.bench.recognition import recognised
from likeness.check.examine import CheckSettings, build, prominent, watch
from likeness.check.weigh import weigh
from likeness.detect.cue import look
from likeness.detect.fuse import shipped_fusion
from likeness.errors import LikenessError, SettingsError
from likeness.faces.align import aligned_crop
from likeness.faces.face import Track
from likeness.faces.faceset import CROP_SIZE
from likeness.faces.identity import recogniser
from likeness.make.checkpoint import Progress
from likeness.make.follow import FacePath, follow_faces
from likeness.make.model import SwapModel
from likeness.make.swapper import Swapper, SwapSettings, fitted
from likeness.media.clip import Clip, Frame, open_clip
from likeness.progress import tracked

_MOST_BYTES = 1 << 30  # of frames held in memory
_RECOGNISED_FRAMES = 32  # evenly over the clip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatchSettings:
    """``longest_s`` of the clip are looked at, from its start; blinking needs 6 s. A training is scored when its time
    has grown ``growth`` times since the last score, so that scoring stays a small part of a long one."""

    longest_s: float = 8.0
    growth: float = 1.5


@dataclass(frozen=True)
class ShownClip(Clip):
    """A clip whose frames are given, all of them in memory."""

    shown: tuple[Frame, ...] = ()

    def frames(
        self, start_s: float = 0.0, end_s: float | None = None, wanted: Callable[[float], bool] | None = None
    ) -> Iterator[Frame]:
        for frame in self.shown:
            inside = frame.time_s >= start_s and (end_s is None or frame.time_s < end_s)
            if inside and (wanted is None or wanted(frame.time_s)):
                yield frame

    @classmethod
    def of(cls, clip: Clip, frames: Sequence[Frame]) -> "ShownClip":
        """``frames`` in the place of those of ``clip``."""
        return cls(**{field.name: getattr(clip, field.name) for field in fields(Clip)}, shown=tuple(frames))


class Detectors:
    """Our detectors before a held-out clip of A. Calling it scores a model folder when that is due: the ``on_save`` of
    a training. Curves go on where an earlier run stopped."""

    def __init__(self, clip: Path, settings: WatchSettings | None = None) -> None:
        """Follow the face in ``clip``. Raises BadMediaError, NoFaceError, SettingsError where it is too large."""
        self.settings = settings or WatchSettings()
        self._clip = _held(Path(clip), self.settings.longest_s)
        self._paths: list[FacePath] = follow_faces(self._clip, "largest", SwapSettings().smooth)
        self._footage: Score | None = None

    def __call__(self, out: Path, progress: Progress) -> None:
        """Score the model in ``out`` if its training has gone on long enough. Fails with a warning, never otherwise."""
        scores = read_scores(out / TABLE)
        if not scores or progress.seconds >= self.settings.growth * scores[-1].seconds:
            self._try_to_score(out, progress.iteration, progress.seconds)

    def finish(self, out: Path, iteration: int, seconds: float) -> None:
        """Score what the training in ``out`` has come to, unless that was done. Fails with a warning."""
        scores = read_scores(out / TABLE)
        if not scores or scores[-1].iteration != iteration:
            self._try_to_score(out, iteration, seconds)

    def _try_to_score(self, out: Path, iteration: int, seconds: float) -> None:
        try:
            self.score(out, iteration, seconds)
        except LikenessError as error:
            log.warning("The detectors did not look at this stage of the training: %s", error)

    def score(self, out: Path, iteration: int, seconds: float) -> Score:
        """Score the model in ``out`` now and write its table and plot anew. Raises ModelError, StorageError."""
        scores = read_scores(out / TABLE) or [self.footage()]
        new = self.score_of(SwapModel.load(out), iteration, seconds)
        scores = [*(score for score in scores if score.seconds < seconds), new]
        write_scores(out / TABLE, scores)
        plot_scores(out / PLOT, {"": scores})
        return new

    def footage(self) -> Score:
        """What the detectors make of the clip as it is."""
        if self._footage is None:
            self._footage = scored(self._clip, None, 0, 0.0)
        return self._footage

    def score_of(self, model: SwapModel, iteration: int, seconds: float) -> Score:
        """What they make of ``model``'s swap of the clip; nothing is written."""
        swapper = Swapper(model, fitted(self._paths, model, "a2b"), SwapSettings())
        frames = tracked(swapper.frames(self._clip.shown), "Swapping for the detectors", len(self._clip.shown))
        return scored(ShownClip.of(self._clip, list(frames)), model, iteration, seconds)


def _held(path: Path, longest_s: float) -> ShownClip:
    clip = open_clip(path)
    clip = clip.cut(0.0, longest_s) if clip.kind == "video" and clip.duration_s > longest_s else clip
    if clip.width * clip.height * 3 * (clip.frame_count or 1) > _MOST_BYTES:
        raise SettingsError(f"{path} is too large to be held in memory. Choose a clip of fewer pixels or frames.")
    return ShownClip.of(clip, list(clip.frames()))


def scored(clip: ShownClip, model: SwapModel | None, iteration: int, seconds: float) -> Score:
    """What the detectors make of the main face in ``clip``, which ``model`` has put there (None: nobody has)."""
    check = CheckSettings(views=0)
    tracks = prominent(watch(clip, check).tracks, clip, check)[:1]
    findings = look(build(CUES)[0], clip, tracks)
    weighing = weigh(clip.kind, [track.id for track in tracks], findings, check.weigh, shipped_fusion())
    cues = {finding.examiner: finding.llr for finding in findings}
    as_a, as_b = _taken_for(clip, tracks, model)
    return Score(iteration, seconds, weighing.verdict, weighing.llr, cues, as_a, as_b)


def _taken_for(clip: ShownClip, tracks: list[Track], model: SwapModel | None) -> tuple[float | None, float | None]:
    """The shares of frames in ``clip`` that are taken for A and B, None where they cannot be compared.

    A frame in which no face is found is taken for nobody.
    """
    by = recogniser()
    if model is None:
        return None, None
    a, b = model.face("a"), model.face("b")
    if a is None or b is None or {side.recogniser for side in model.config.sides.values()} != {by.name}:
        return None, None
    found = {face.frame: face for track in tracks for face in track.faces}
    looked_at = clip.shown[:: max(1, len(clip.shown) // _RECOGNISED_FRAMES)]
    crops = [
        aligned_crop(frame.image, found[frame.index].landmarks, CROP_SIZE)
        for frame in looked_at
        if frame.index in found
    ]
    if not crops:
        return 0.0, 0.0
    seen, share = recognised(np.stack(crops), a, b, by), len(crops) / len(looked_at)
    return share * seen.as_a, share * seen.as_b


def main() -> None:
    """Score finished models on one clip, print the table and plot their trainings side by side."""
    parser = argparse.ArgumentParser(description="How swaps score under our own detectors.")
    parser.add_argument("clip", type=Path, help="held-out footage of A")
    parser.add_argument("models", type=Path, nargs="+", help="model folders")
    parser.add_argument("-o", "--output", type=Path, help="plot the curves that their trainings left here")
    options = parser.parse_args()
    detectors = Detectors(options.clip)
    scores = {"nobody: the footage itself": detectors.footage()}
    for folder in options.models:
        model = SwapModel.load(folder)
        scores[f"{folder.name} ({model.config.arch})"] = detectors.score_of(model, model.config.iterations, 0.0)
    print(table(scores))
    if options.output:
        plot_scores(options.output, {folder.name: read_scores(folder / TABLE) for folder in options.models})


if __name__ == "__main__":
    main()
