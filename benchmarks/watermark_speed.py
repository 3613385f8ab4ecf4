"""How fast frames of 1920 × 1080 are marked and read, beside what decoding and encoding them costs.

    python benchmarks/watermark_speed.py [--frames 50]

Every figure is the best of three rounds; the ratios compare within one run.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np

from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.watermark import networks
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.read import read_frames
from likeness.prove.watermark.strength import luminance
from likeness.prove.watermark.tamper import look

SIZE = (1920, 1080)


def film(path: Path, frames: list[np.ndarray]) -> None:
    """Encode ``frames`` at the writer's default settings."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18", "preset": "medium"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the fastest of ``rounds``."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print frames a second."""
    parser = argparse.ArgumentParser(description="Frames of 1920 × 1080 marked and read a second.")
    parser.add_argument("--frames", type=int, default=50)
    count = parser.parse_args().frames
    small = [frame.image for frame in open_clip(footage().heldout.path).frames()][:count]
    frames = [cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC) for image in small]
    marker = Marker("0123456789")
    marked = [marker.mark(frame) for frame in frames]
    seen = [luminance(frame) for frame in marked]
    reading = read_frames(marked[:10])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        times = {
            "encode (crf 18, medium)": best(lambda: film(path, frames), 1),
            "decode": best(lambda: list(open_clip(path).frames())),
            "mark": best(lambda: [marker.mark(frame) for frame in frames]),
            "read frames in memory": best(lambda: read_frames(marked)),
            "read network alone": best(lambda: [networks.chip_odds(frame) for frame in seen]),
            "tamper map": best(lambda: [look(frame, reading) for frame in marked[:10]]) * len(frames) / 10,
        }
    for name, seconds in times.items():
        print(f"{name:26s} {len(frames) / seconds:7.1f} frames/s   {seconds / times['decode']:5.2f} of decoding")


if __name__ == "__main__":
    main()
