"""How fast a file is checked: python benchmarks/check_speed.py [--seconds S …] [--memory S …] [--threads N]

The clip is 1920×1080, 25 frames a second, one face: the shipped actor A enlarged, with a border. For everything and for
each stage: seconds of wall and of CPU per second of clip, and how many times the plain decoding of the same clip that
is, which means something on a busy machine, too. Stages are timed one by one; `check` shares crops among its cues. Then
a fresh process checks a short and a long clip and says how much memory it took at most.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from likeness.check.examine import PROVENANCE_EXAMINERS, CheckSettings, build, check_file, examine, prominent, watch
from likeness.detect.cue import Cue, measure
from likeness.detect.cues import CUES
from likeness.detect.sightings import sightings
from likeness.faces.face import Track
from likeness.footage import footage
from likeness.media.clip import Clip, open_clip

WIDTH, HEIGHT, RATE = 1920, 1080, 25
_ENCODED_S = 10
_BATCH = 32  # sightings timed together: the few frames decoded ahead meanwhile must not count for much
_PEAK = (
    "import resource, sys; from pathlib import Path; import cv2; cv2.setNumThreads(int(sys.argv[2]));"
    "from likeness.check.examine import check_file; check_file(Path(sys.argv[1]));"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)


@dataclass(frozen=True)
class Cost:
    """Seconds of wall and of CPU for one stage."""

    name: str
    wall: float
    cpu: float


def make_clip(path: Path, seconds: float) -> Path:
    """Write the shipped actor A, 25 frames a second, to and fro, in the middle of 1920×1080 grey.

    At most ten seconds are encoded; a longer clip repeats their packets.
    """
    count = round(seconds * RATE)
    part = path.with_suffix(".part.mp4")
    _encode(part, min(count, _ENCODED_S * RATE))
    with av.open(str(path), "w") as container:
        stream = None
        for repeated in range(-(-count // (_ENCODED_S * RATE))):
            with av.open(str(part)) as source:
                stream = stream or container.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.pts is None or packet.dts is None or packet.time_base is None:
                        continue
                    shift = round(repeated * _ENCODED_S / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    container.mux(packet)
    part.unlink()
    return path


def _encode(path: Path, count: int) -> None:
    source = [frame.image for frame in open_clip(footage().actor_a.path).frames()]
    there_and_back = cycle([*source, *source[-2:0:-1]])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "veryfast", "crf": "21"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in islice(there_and_back, count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(enlarged(image), format="rgb24")))
        container.mux(stream.encode(None))


def enlarged(image: np.ndarray) -> np.ndarray:
    """``image`` at the full height, grey at its sides."""
    wide = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    width = min(WIDTH, round(image.shape[1] * HEIGHT / image.shape[0]))
    left = (WIDTH - width) // 2
    wide[:, left : left + width] = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return wide


def timed(name: str, work: Callable[[], object]) -> Cost:
    """What ``work`` costs this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(name, time.perf_counter() - wall, time.process_time() - cpu)


def stages(clip: Clip) -> Iterator[Cost]:
    """The floor, then each stage of a check by itself."""
    yield timed("decode", lambda: [None for _ in clip.frames()])
    settings = CheckSettings()
    watched: list[list[Track]] = []
    yield timed("decode and track", lambda: watched.append(prominent(watch(clip, settings).tracks, clip, settings)))
    tracks = watched[0]
    for examiner in PROVENANCE_EXAMINERS:
        yield timed(examiner.name, lambda examiner=examiner: examine(examiner, clip, tracks))  # type: ignore[misc]
    cues, _ = build(CUES)
    for cue in cues:
        yield from of_cue(cue, clip, tracks)
    yield timed("all cues in one pass", lambda: measure(cues, clip, tracks))


def of_cue(cue: Cue[Any], clip: Clip, tracks: Sequence[Track]) -> Iterator[Cost]:
    """What noting and measuring cost one cue on frames that are in memory."""
    able = [track for track in tracks if cue.reason_to_abstain(clip, track) is None]
    wanted = [(track.id, face) for track in able for face in cue.wants(clip, track)]
    notes: dict[int, list[Any]] = {track.id: [] for track in able}
    wall = cpu = 0.0
    seen = sightings(clip, wanted)
    while batch := list(islice(seen, _BATCH)):
        began, used = time.perf_counter(), time.process_time()
        noted = [cue.note(sighting) for sighting in batch]
        wall, cpu = wall + time.perf_counter() - began, cpu + time.process_time() - used
        for sighting, note in zip(batch, noted, strict=True):
            if note is not None:
                notes[sighting.track].append(note)
    yield Cost(f"{cue.name}: note, {len(wanted)} faces", wall, cpu)
    yield timed(f"{cue.name}: measure", lambda: [cue.measure(clip, track, notes[track.id]) for track in able])


def peak_mb(path: Path, threads: int) -> float:
    """The most memory that a fresh process takes to check ``path``, in MiB."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", _PEAK, str(path), str(threads)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(run.stdout.split()[-1])


def show(cost: Cost, floor: Cost, seconds: float) -> None:
    """Print ``cost`` and its ratio to the ``floor``."""
    print(
        f"{cost.name:36s} {cost.wall / seconds:7.3f} wall {cost.cpu / seconds:7.3f} CPU a second of clip, "
        f"{cost.cpu / floor.cpu:6.2f} × decoding",
        flush=True,
    )


def time_stages(path: Path, seconds: float) -> None:
    """Print what each stage of a check of ``path`` costs, and the whole."""
    print(f"a clip of {seconds:.0f} s, load {os.getloadavg()[0]:.1f}")
    floor: Cost | None = None
    for cost in stages(open_clip(path)):
        floor = floor or cost
        show(cost, floor, seconds)
    assert floor is not None
    show(timed("everything: check", lambda: check_file(path)), floor, seconds)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="*", default=[2.0, 10.0], help="lengths of the clips timed")
    parser.add_argument("--memory", type=float, nargs="*", default=[10.0, 60.0], help="lengths of those for the peak")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    print(f"{options.threads} threads on {os.cpu_count()} cores; {WIDTH}×{HEIGHT}")
    with tempfile.TemporaryDirectory() as folder:
        for seconds in options.seconds:
            time_stages(make_clip(Path(folder) / "clip.mp4", seconds), seconds)
        for seconds in options.memory:
            peak = peak_mb(make_clip(Path(folder) / "clip.mp4", seconds), options.threads)
            print(f"peak memory, {seconds:.0f} s: {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
