"""How good a swap is, where the true answer exists: B giving A's performance in A's light.

    python -m likeness.bench.swap_quality SWAPPED TRUTH UNCHANGED SOURCE_B [--exact TRUTH.npz] [--json SCORE.json]

Every figure is taken inside the face: the hull of the true answer's landmarks, less the pixels of the visible label.
Beside the swap stands what it has to beat: A's clip as it was, and B's best-matching frame warped onto A
(`nearest_frame`).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from likeness.actors.truth import Truth
from likeness.bench.metrics import Interval, block_bootstrap, landmark_error, psnr, ssim
from likeness.bench.nearest_frame import NearestFrame, box_around, face_frames, main_face, mean_shape_of
from likeness.errors import BadMediaError, NoFaceError
from likeness.faces.face import Face
from likeness.faces.finder import FaceFinder
from likeness.faces.hull import hull_mask
from likeness.faces.tracker import Tracker
from likeness.files import write_text
from likeness.make.label import labelled
from likeness.media.clip import Clip, Frame, open_clip
from likeness.progress import tracked

_BLOCK_S = 0.5  # frames nearer than this are taken as one observation
_PSNR_CEILING = 100.0  # dB, of pictures that are equal
_LABEL_EDGE = 2  # grey levels; what the label changes by more is left out

SWAP = "swap"
UNCHANGED = "unchanged clip"
NEAREST = "B's nearest frame"
NEAREST_PIECEWISE = "B's nearest frame, bent to A's landmarks"


class Row(BaseModel):
    """One candidate's figures, means over frames: ``psnr`` in dB, ``ssim``, landmark errors in % of the outer-eye
    distance.

    ``landmarks`` compares the same finder's points on the candidate and on the true answer, so that its bias cancels;
    ``landmarks_exact`` compares them with the ground truth. ``found``: share of the frames in which the finder saw
    the face.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    psnr: Interval
    ssim: Interval
    landmarks: Interval | None
    landmarks_exact: Interval | None
    found: float


class Gain(BaseModel):
    """How much better the swap is than the candidate ``over``, frame by frame; positive is better in all three."""

    model_config = ConfigDict(frozen=True)

    over: str
    psnr: Interval
    ssim: Interval
    landmarks: Interval | None


class SwapScore(BaseModel):
    """The table for one clip."""

    model_config = ConfigDict(frozen=True)

    frames: int
    rows: list[Row]
    gains: list[Gain]

    @property
    def is_better(self) -> bool:
        """Whether the swap beats every other candidate in every figure, by its mean."""
        figures = [interval for gain in self.gains for interval in (gain.psnr, gain.ssim, gain.landmarks)]
        return all(interval is not None and interval.mean > 0 for interval in figures)

    def table(self) -> str:
        """The figures as a Markdown table, each with its 95 % interval over frames."""
        lines = [
            "| inside the face, against the true answer | PSNR dB | SSIM | landmark error % | against exact points % |",
            "|---|---|---|---|---|",
        ]
        for row in self.rows:
            cells = [_cell(row.psnr, 2), _cell(row.ssim, 3), _cell(row.landmarks, 2), _cell(row.landmarks_exact, 2)]
            lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


@dataclass
class _Figures:
    """One candidate's figures, one number a frame; nan where the finder saw no face."""

    psnr: list[float]
    ssim: list[float]
    landmarks: list[float]
    exact: list[float]


def score_swap(swapped: Path, truth: Path, unchanged: Path, source_b: Path, exact: Path | None = None) -> SwapScore:
    """Score ``swapped`` (A's clip with B's face) against ``truth`` (B giving that performance), frame by frame.

    ``unchanged`` is A's own clip and ``source_b`` footage of B for the baseline: what the model was trained on.
    ``exact`` is the ground truth (.npz) of ``truth``; without it the face's outline too comes from our finder. The
    clips must show the same frames at one size. Raises BadMediaError, NoFaceError.
    """
    clips = {"swap": open_clip(swapped), "truth": open_clip(truth), "unchanged": open_clip(unchanged)}
    if len({(clip.width, clip.height) for clip in clips.values()}) > 1:
        raise BadMediaError(f"{swapped}, {truth} and {unchanged} are not of one size. Score clips of the same take.")
    nearest = NearestFrame(face_frames(open_clip(source_b)), mean_shape_of(clips["unchanged"]))
    exact_landmarks = None if exact is None else Truth.load(exact).landmarks
    judge = _Judge(nearest, label_free((clips["truth"].height, clips["truth"].width)), exact_landmarks)
    for frames in tracked(_together(clips), "Scoring the swap", total=clips["truth"].frame_count):
        judge.see(**frames)
    if not judge.count:
        raise NoFaceError(f"No face was found in {truth}, so there is nothing to score. Name the true answer.")
    return judge.score(float(clips["truth"].frame_rate or 25))


class _Judge:
    """Sees the frames one after the other and keeps the figures of every candidate."""

    def __init__(self, nearest: NearestFrame, free: np.ndarray, exact: np.ndarray | None) -> None:
        self._nearest = nearest
        self._free = free
        self._exact = exact
        finder = FaceFinder()
        self._trackers = {
            name: Tracker(finder=finder) for name in (SWAP, UNCHANGED, NEAREST, NEAREST_PIECEWISE, "truth")
        }
        self._figures = {name: _Figures([], [], [], []) for name in (SWAP, UNCHANGED, NEAREST, NEAREST_PIECEWISE)}
        self.count = 0

    def see(self, swap: Frame, truth: Frame, unchanged: Frame) -> None:
        """Take one frame of each clip into account, unless the true answer or A shows no face there."""
        true_face, a_face = self._find("truth", truth), self._find(UNCHANGED, unchanged)
        if true_face is None or a_face is None:
            return
        outline = true_face.landmarks if self._exact is None else self._exact[truth.index]
        mask = hull_mask(outline, truth.image.shape[:2]) * self._free
        if mask.sum() < 1:
            return
        x0, y0, x1, y1 = box_around(outline, mask.shape)
        face_of = np.s_[y0:y1, x0:x1]
        self.count += 1
        images = {SWAP: swap.image, UNCHANGED: unchanged.image}
        images[NEAREST] = self._nearest.lay_over(unchanged.image, a_face.landmarks, "similarity")
        images[NEAREST_PIECEWISE] = self._nearest.lay_over(unchanged.image, a_face.landmarks, "piecewise")
        for name, image in images.items():
            face = a_face if name == UNCHANGED else self._find(name, Frame(image, truth.time_s, truth.index))
            figures = self._figures[name]
            figures.psnr.append(min(psnr(image[face_of], truth.image[face_of], mask[face_of]), _PSNR_CEILING))
            figures.ssim.append(ssim(image[face_of], truth.image[face_of], mask[face_of]))
            figures.landmarks.append(_error(face, true_face.landmarks))
            figures.exact.append(np.nan if self._exact is None else _error(face, outline))

    def _find(self, name: str, frame: Frame) -> Face | None:
        return main_face(self._trackers[name].update(frame))

    def score(self, frame_rate: float) -> SwapScore:
        """The table of what has been seen."""
        block = max(1, round(_BLOCK_S * frame_rate))
        rows = [
            Row(
                name=name,
                psnr=block_bootstrap(np.array(figures.psnr), block),
                ssim=block_bootstrap(np.array(figures.ssim), block),
                landmarks=_mean_found(np.array(figures.landmarks), block),
                landmarks_exact=_mean_found(np.array(figures.exact), block),
                found=float(np.isfinite(figures.landmarks).mean()),
            )
            for name, figures in self._figures.items()
        ]
        swap = self._figures[SWAP]
        gains = [
            Gain(
                over=name,
                psnr=block_bootstrap(np.subtract(swap.psnr, other.psnr), block),
                ssim=block_bootstrap(np.subtract(swap.ssim, other.ssim), block),
                landmarks=_mean_found(np.subtract(other.landmarks, swap.landmarks), block),
            )
            for name, other in self._figures.items()
            if name != SWAP
        ]
        return SwapScore(frames=self.count, rows=rows, gains=gains)


def label_free(shape: tuple[int, int]) -> np.ndarray:
    """float32 (height, width): 1 where the visible label leaves a picture of this ``shape`` alone, else 0."""
    free = np.ones(shape, np.float32)
    for level in (0, 255):
        plain = np.full((*shape, 3), level, np.uint8)
        free[np.abs(labelled(plain).astype(int) - plain).max(axis=2) > _LABEL_EDGE] = 0
    return free


def _together(clips: dict[str, Clip]) -> Iterator[dict[str, Frame]]:
    """The clips' frames side by side. Raises BadMediaError where one ends before the others."""
    try:
        for frames in zip(*(clip.frames() for clip in clips.values()), strict=True):
            yield dict(zip(clips, frames, strict=True))
    except ValueError as error:
        names = ", ".join(str(clip.path) for clip in clips.values())
        raise BadMediaError(f"{names} have different numbers of frames. Score clips of the same take.") from error


def _error(face: Face | None, truth: np.ndarray) -> float:
    return np.nan if face is None else landmark_error(face.landmarks, truth)


def _mean_found(values: np.ndarray, block: int) -> Interval | None:
    found = values[np.isfinite(values)]
    return block_bootstrap(found, block) if len(found) else None


def _cell(interval: Interval | None, digits: int) -> str:
    if interval is None:
        return "–"
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}–{interval.high:.{digits}f}]"


def main() -> None:
    """Score a swap from the command line."""
    parser = argparse.ArgumentParser(description="Score a face swap against the true answer.")
    for name, what in (
        ("swapped", "A's clip with B's face"),
        ("truth", "B giving A's performance"),
        ("unchanged", "A's clip"),
        ("source_b", "the footage of B that the model learnt from"),
    ):
        parser.add_argument(name, type=Path, help=what)
    parser.add_argument("--exact", type=Path, help="ground truth (.npz) of TRUTH")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    score = score_swap(options.swapped, options.truth, options.unchanged, options.source_b, options.exact)
    print(score.table())
    if options.json:
        write_text(options.json, score.model_dump_json(indent=2) + "\n")


if __name__ == "__main__":
    main()
