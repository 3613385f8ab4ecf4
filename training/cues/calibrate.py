"""Calibrate the cues: measure genuine and redrawn clips, fit on some people, count false alarms on others.

    LIKENESS_DATA=… python training/cues/calibrate.py --actors FOLDER -o src/likeness/weights

Writes cues.json (what the package ships), cues.md (its card) and, with --table, every measured value, from which the
fit can be repeated without the footage. Takes about ten minutes on two cores.
"""

import argparse
import csv
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from card import write_card
from populations import GenuineClip, Part, genuine_clips
from redraw import recompressed, redrawn

from likeness.detect.calibrate import CUES_FILE, UNCALIBRATED, Calibrations, CueCalibration, FitSettings, Measured, fit
from likeness.detect.cues.motion import Motion
from likeness.detect.cues.seam import Seam, summary
from likeness.errors import MissingDataError
from likeness.faces.face import Track
from likeness.faces.tracker import track_faces
from likeness.files import write_text
from likeness.media.clip import Clip, open_clip
from likeness.progress import tracked

RIDGE = 2.0  # as strong as two clips' worth of disagreement
MOST_EVIDENCE = 0.8  # log10: six times; no cue alone may claim more, whatever the fit
REDRAWN_PER_CLIP = 2
RECOMPRESSED_QUALITIES = (70,)
FRAME_SHARE = 0.05  # of genuine moments above what the figures call high

MAIN_FEATURE = {"seam": "softness", "motion": "jitter"}  # the one that is drawn over time


@dataclass(frozen=True)
class Row:
    """What one cue measured in one clip. ``kind``: genuine, recompressed, redrawn or swapped."""

    cue: str
    clip: str
    person: str
    population: str
    part: Part
    kind: str
    values: dict[str, float]
    moments: tuple[float, ...]


def main() -> None:
    options = _options()
    data = os.environ.get("LIKENESS_DATA")
    if not data:
        raise MissingDataError("LIKENESS_DATA is not set. Point it at the data folder.")
    clips = genuine_clips(Path(data), sorted(options.actors.glob("*.mp4")) if options.actors else [])
    swaps = sorted(options.swaps.glob("*.mp4")) if options.swaps else []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        measured = chain(pool.map(measure_clip, clips, range(len(clips))), pool.map(measure_swap, swaps))
        rows = [row for found in tracked(measured, "Measuring", len(clips) + len(swaps), "clips") for row in found]
    cues = {cue: calibrate(cue, rows) for cue in ("seam", "motion")}
    write_text(options.output / CUES_FILE, Calibrations(cues=cues).model_dump_json(indent=1) + "\n")
    write_card(options.output / "cues.md", cues, rows, clips)
    if options.table:
        _write_table(options.table, rows)


def measure_clip(clip: GenuineClip, seed: int) -> list[Row]:
    """Everything that is measured on one clip: as it is, recompressed, and redrawn in a few ways."""
    cv2.setNumThreads(1)
    footage = open_clip(clip.path)
    track = main_face(footage)
    if track is None:
        return []
    rows = _rows(clip, "genuine", footage, track)
    if not rows:
        return []  # too small, too short or too still for every cue: nor would a variant of it be measured
    for quality in RECOMPRESSED_QUALITIES:
        rows += _rows(clip, "recompressed", recompressed(footage, quality), track)
    for i in range(REDRAWN_PER_CLIP):
        fake = redrawn(footage, track, REDRAWN_PER_CLIP * seed + i)
        rows += _rows(clip, "redrawn", fake, main_face(fake))
    return rows


def measure_swap(path: Path) -> list[Row]:
    """What is measured on a real swap, which is never used to calibrate."""
    footage = open_clip(path)
    return _rows(GenuineClip(path, path.stem, "actors", "evaluate"), "swapped", footage, main_face(footage))


def main_face(clip: Clip) -> Track | None:
    """The face seen longest, None where there is none."""
    return max(track_faces(clip), key=lambda track: len(track.faces), default=None)


def calibrate(cue: str, rows: Sequence[Row]) -> CueCalibration:
    """Fit ``cue`` on the people of the calibration part; recompressed clips count as genuine, which they are."""
    own = [row for row in rows if row.cue == cue and row.part == "calibrate"]
    genuine, synthetic, reference = (
        [Measured(row.values, row.person) for row in own if row.kind in kinds]
        for kinds in (("genuine", "recompressed"), ("redrawn",), ("genuine",))
    )
    moments = np.concatenate([row.moments for row in own if row.kind == "genuine"])
    high = round(float(np.quantile(moments, 1 - FRAME_SHARE)), 4)
    settings = FitSettings(
        bound=round(min(MOST_EVIDENCE, evidence_bound(len({row.person for row in genuine}))), 3),
        ridge=RIDGE,
        population="GRID talking heads, signers, rendered actors; synthetic: the same faces redrawn in every frame",
        frame_high={MAIN_FEATURE[cue]: high},
    )
    return fit(genuine, synthetic, reference, settings)


def evidence_bound(people: int) -> float:
    """The most that ``people`` can vouch for, log10: half of 1 / P(a next person is beyond all of them), Laplace's 1 /
    (n + 2).
    """
    return float(np.log10((people + 2) / 2))


def _rows(clip: GenuineClip, kind: str, footage: Clip, track: Track | None) -> list[Row]:
    if track is None:
        return []

    def row(cue: str, values: dict[str, float], moments: Sequence[float]) -> Row:
        return Row(
            cue, clip.path.stem, clip.person, clip.population, clip.part, kind, values, tuple(map(float, moments))
        )

    rows = []
    seam, motion = Seam(calibration=UNCALIBRATED), Motion(calibration=UNCALIBRATED)
    if seam.reason_to_abstain(footage, track) is None:
        measures = seam.measure(footage, [track])[track.id]
        if seam.reason_unmeasurable(measures) is None:
            rows.append(row("seam", summary(measures), [m.softness for m in measures]))
    if motion.reason_to_abstain(track) is None:
        measure = motion.measure(footage, [track])[track.id]
        rows.append(row("motion", measure.values, list(measure.jitter)))
    return rows


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    features = sorted({name for row in rows for name in row.values})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["cue", "clip", "person", "population", "part", "kind", *features])
        writer.writeheader()
        for row in rows:
            own = {k: v for k, v in asdict(row).items() if k not in ("values", "moments")}
            writer.writerow(own | {name: round(value, 4) for name, value in row.values.items()})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actors", type=Path, help="folder of filmed actors, ACTOR-*.mp4")
    parser.add_argument("--swaps", type=Path, help="folder of swaps made with likeness, *.mp4, only to evaluate")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/cues"), help="folder for cues.json and cues.md")
    parser.add_argument("--table", type=Path, help="write all measured values here (CSV)")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    return parser.parse_args()


if __name__ == "__main__":
    main()
