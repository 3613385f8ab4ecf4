"""Measure every subject by every cue: the numbers on which calibration, fusion and the tables of results rest.

    LIKENESS_DATA=… python -m training.detectors.measure ACTORS SWAPS REDRAWERS -o MEASURED.jsonl

One line a subject; those that are there are skipped, so that an interrupted run goes on. `--cues` measures only some,
into a file of its own: `calibrate.py` joins what it is given, so that new weights of one cue do not ask for all anew.
Nothing in it is a picture or describes a face: only what the cues measured, from which everything after can be repeated
without the footage.
"""

import argparse
import json
import logging
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from likeness.check.examine import CheckSettings, prominent, watch
from likeness.detect.cue import Measurement, measure
from likeness.detect.cues import CUES
from likeness.progress import tracked
from training.detectors.populations import PARTS, Places, Subject, subjects


@dataclass(frozen=True)
class Row:
    """What was measured of one subject. ``values`` by cue and feature; ``moments``: what one curve of the cue says of
    single moments, thinned; ``abstained`` by cue, with the reason."""

    name: str
    part: str
    footage: str
    person: str
    source: str
    manipulation: str
    compression: str
    kind: str
    values: dict[str, dict[str, float]]
    moments: dict[str, list[float]]
    abstained: dict[str, str]


def measured(subject: Subject, names: frozenset[str]) -> Row:
    """Measure the most prominent face of ``subject`` by the cues ``names``."""
    clip = subject.make()
    settings = CheckSettings(views=0)
    tracks = prominent(watch(clip, settings).tracks, clip, settings)[:1]
    values: dict[str, dict[str, float]] = {}
    moments: dict[str, list[float]] = {}
    abstained: dict[str, str] = {}
    cues = [cue.uncalibrated() for cue in CUES if cue.name in names]
    found: list[dict[int, Measurement | str]]
    found = measure(cues, clip, tracks) if tracks else [{0: "No face was found."} for _ in cues]
    for cue, by_track in zip(cues, found, strict=True):
        for result in by_track.values():
            if isinstance(result, Measurement):
                values[cue.name] = result.values
                if result.figure is not None:
                    known = [value for value in result.figure.values if value is not None]
                    moments[cue.name] = known[:: max(1, len(known) // 24)]
            else:
                abstained[cue.name] = result
    return Row(
        subject.name, subject.part, subject.footage, subject.person, subject.source, subject.manipulation,
        subject.compression, clip.kind, values, moments, abstained,
    )  # fmt: skip


def read_rows(*paths: Path) -> list[Row]:
    """All rows of the files ``paths``; what several say of one subject is joined, the later in place of the earlier."""
    rows: dict[str, Row] = {}
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            row = Row(**json.loads(line))
            known = rows.get(row.name)
            if known is None:
                rows[row.name] = row
                continue
            for name in (*row.values, *row.abstained):
                known.values.pop(name, None)
                known.moments.pop(name, None)
                known.abstained.pop(name, None)
            known.values.update(row.values)
            known.moments.update(row.moments)
            known.abstained.update(row.abstained)
    return list(rows.values())


def _measure_share(
    places: Places, share: int, shares: int, done: frozenset[str], names: frozenset[str]
) -> Iterator[str]:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    todo = [one for part in PARTS for one in subjects(places, part) if one.name not in done]
    for subject in todo[share::shares]:
        yield json.dumps(vars(measured(subject, names)), ensure_ascii=False)


def _collect(places: Places, share: int, shares: int, done: frozenset[str], names: frozenset[str], out: Path) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    count = 0
    for line in _measure_share(places, share, shares, done, names):
        with out.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actors", type=Path, help="what `python -m training.running_start.film_pairs` filmed")
    parser.add_argument("swaps", type=Path, help="what `python -m training.detectors.own_swaps` trained")
    parser.add_argument("redrawers", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--cues", default=",".join(cue.name for cue in CUES), help="separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    places = Places(Path(os.environ["LIKENESS_DATA"]), options.actors, options.swaps, options.redrawers)
    done = frozenset(row.name for row in read_rows(options.out)) if options.out.is_file() else frozenset()
    names = frozenset(options.cues.split(","))
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawning) as pool:
        shares = [
            pool.submit(_collect, places, share, options.workers, done, names, options.out)
            for share in range(options.workers)
        ]
        for finished in tracked(shares, "Measuring", total=len(shares), unit="shares"):
            finished.result()


if __name__ == "__main__":
    main()
