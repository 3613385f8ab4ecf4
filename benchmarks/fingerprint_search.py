"""How fast the store finds a hash among 10³ to 10⁶: python benchmarks/fingerprint_search.py [--sizes N ...]

For each size a store is filled with works of a thousand random hashes each. "Cold" is the first question of a new
Store, which opens the file and reads its pages; "warm" the median of the following ones. A picture is asked for in all
its views, a clip for ten seconds. "Record" is adding one more work of 22 hashes, the disk included.
"""

import argparse
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from likeness.progress import tracked
from likeness.prove.fingerprint import ClipFingerprinter, PictureFingerprint, SecondFingerprint, asked_fingerprint
from likeness.prove.store import Store, Work

_WORK = 1000  # hashes a work


def work(number: int, hashes: int, rng: np.random.Generator) -> Work:
    """A clip of ``hashes`` seconds with a random hash each."""
    made = rng.bytes(32 * hashes)
    moments = tuple(
        SecondFingerprint(i + 0.5, {"whole": PictureFingerprint(made[32 * i : 32 * i + 32], 100)})
        for i in range(hashes)
    )
    return Work(
        mark_id=f"{number:010x}",
        title=f"Work {number}",
        path="/none",
        kind="clip",
        made_at=dt.datetime.now(dt.UTC),
        origin="published",
        sha256=f"{number:064x}",
        fingerprints=moments,
    )


def timed(run: Callable[[], object], times: int) -> np.ndarray:
    """Median milliseconds of ``times`` runs: on the wall, and of the processor, which counts on busy machines."""
    taken = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        taken.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)))
    return np.median(taken, axis=0)


def ten_seconds(seed: int) -> list[SecondFingerprint]:
    """Ten seconds of noise as a clip that is asked for."""
    rng, fingerprinter = np.random.default_rng(seed), ClipFingerprinter("asked")
    for i in range(50):
        fingerprinter.update(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), i / 5)
    return fingerprinter.finish()


def main() -> None:
    """Read the options, fill the stores and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    asked = [asked_fingerprint(picture)]
    one = [SecondFingerprint(0.0, {"whole": asked[0].views["whole"]})]
    clip = ten_seconds(1)
    print("| hashes | file MB | cold ms | one hash ms | a picture ms | ten seconds ms | by mark ms | record ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        store, filled = Store(Path(folder) / "store.sqlite"), 0
        for size in options.sizes:
            numbers = range(filled // _WORK, size // _WORK)
            for number in tracked(numbers, "Filling the store", total=len(numbers), unit="works"):
                store.record(work(number, _WORK, rng))
            filled = size
            copy = Store(Path(folder) / "copy.sqlite")
            shutil.copy(store.path, copy.path)
            row = [
                timed(lambda: Store(store.path).find_clip(one), 5),
                timed(lambda: store.find_clip(one), 15),
                timed(lambda: store.find_clip(asked), 15),
                timed(lambda: store.find_clip(clip), 3),
                timed(lambda: store.get(f"{0:010x}"), 15),
                timed(partial(copy.record, work(0, 22, rng)), 9),
            ]
            size_mb = store.path.stat().st_size / 1e6
            print(
                f"| {size:,} | {size_mb:.1f} | " + " | ".join(f"{w:.1f} ({c:.1f})" for w, c in row) + " |", flush=True
            )


if __name__ == "__main__":
    main()
