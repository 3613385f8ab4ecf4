"""Clips asked for among others of the same people: LIKENESS_DATA=… python benchmarks/fingerprint_clips.py

Every clip of talking_heads and signing is kept; each is asked for as H.264 at half size and crf 30, whole and mirrored,
and from its second second on. Many of these clips show one speaker before one wall, which is the hard case: other clips
that match, too, are counted, and how often the right one comes first. Intervals are 95 % (Wilson).
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from fingerprint_robustness import wilson

from likeness.media.clip import Frame, open_clip
from likeness.progress import tracked
from likeness.prove.fingerprint import ClipFingerprinter, SecondFingerprint
from likeness.prove.store import Store, Work

_FROM_S = 1.3  # where the excerpt starts


def encoded_again(path: Path, folder: Path) -> Iterator[Frame]:
    """The frames of ``path`` after H.264 at half size and crf 30."""
    clip, again = open_clip(path), folder / "again.mp4"
    size = (clip.width // 4 * 2, clip.height // 4 * 2)
    with av.open(str(again), "w") as out:
        stream = out.add_stream("libx264", rate=round(clip.frame_rate or 25), options={"crf": "30"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in clip.frames():
            small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(small, np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    yield from open_clip(again).frames()


def main() -> None:
    """Read the options, keep all clips, ask for each, and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LIKENESS_DATA"))
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the data folder: LIKENESS_DATA or --data")
    data = Path(options.data)
    paths = sorted([*(data / "talking_heads").glob("*.mpg"), *(data / "signing").glob("*.mkv")])
    asked: dict[str, list[tuple[str, list[SecondFingerprint]]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "store.sqlite")
        for number, path in enumerate(tracked(paths, "Keeping and encoding again", total=len(paths), unit="clips")):
            kept = ClipFingerprinter()
            for frame in open_clip(path).frames():
                kept.update(frame.image, frame.time_s)
            store.record(work(number, path, kept.finish()))
            questions = {key: ClipFingerprinter("asked") for key in ("encoded again", "mirrored", f"from {_FROM_S} s")}
            for frame in encoded_again(path, folder):
                questions["encoded again"].update(frame.image, frame.time_s)
                questions["mirrored"].update(np.ascontiguousarray(frame.image[:, ::-1]), frame.time_s)
                if frame.time_s >= _FROM_S:
                    questions[f"from {_FROM_S} s"].update(frame.image, frame.time_s - _FROM_S)
            for key, question in questions.items():
                asked.setdefault(key, []).append((path.name, question.finish()))
        print(
            f"{len(paths)} clips\n\n| asked for | found | first of all | others that match | bits, own | bits, others |"
        )
        print("|---|---|---|---|---|---|")
        for key, all_asked in asked.items():
            print_rates(key, store, all_asked)


def work(number: int, path: Path, seconds: list[SecondFingerprint]) -> Work:
    """The record of one clip."""
    return Work(
        title=path.name,
        path=str(path),
        kind="clip",
        made_at="2026-11-01T00:00:00Z",  # type: ignore[arg-type]
        origin="published",
        sha256=f"{number:064x}",
        fingerprints=tuple(seconds),
    )


def print_rates(key: str, store: Store, all_asked: list[tuple[str, list[SecondFingerprint]]]) -> None:
    """One row of the table."""
    found = first = others = 0
    own_bits, other_bits = [], []
    for name, seconds in all_asked:
        matches = store.find_clip(seconds, most=100)
        titles = [match.work.title for match in matches]
        found += name in titles
        first += titles[:1] == [name]
        others += len(set(titles) - {name})
        own_bits += [match.distance for match in matches if match.work.title == name]
        other_bits += [match.distance for match in matches if match.work.title != name]
    count, pairs = len(all_asked), len(all_asked) * (len(all_asked) - 1)
    low, high = wilson(found, count)
    print(
        f"| {key} | {found / count:.1%} [{low:.1%}, {high:.1%}] | {first / count:.1%} | {others} of {pairs} | "
        f"{np.median(own_bits):.0f} | {np.median(other_bits) if other_bits else float('nan'):.0f} |"
    )


if __name__ == "__main__":
    main()
