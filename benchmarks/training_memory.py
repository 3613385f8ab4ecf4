"""How far the memory that a training takes is from what was foretold.

    python benchmarks/training_memory.py [--arch gan] [--size 64] [--batches 2 8]

Each batch is trained for three iterations of each phase in a process of its own, on faces of noise; its peak, less what
it held before the training was built, is printed beside the estimate of `likeness.make.memory`.
"""

import argparse
import resource
import subprocess
import sys
from typing import get_args

import torch
from swap_training import noise_faces

from likeness.make.compute import pick_device, prepare
from likeness.make.memory import need_of
from likeness.make.recipes import SIZES, Architecture, recipe_for
from likeness.make.training import StepSettings, Training

_ITERATIONS = 3


def peak_bytes() -> int:
    """The most memory that this process has held, or has held on its GPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def measure(arch: Architecture, size: int, batch: int) -> None:
    """Train in this process and print foretold and taken megabytes."""
    recipe, device = recipe_for(arch, size), pick_device()
    prepare(device)
    before = peak_bytes()
    training = Training(recipe, noise_faces(recipe), noise_faces(recipe), 0, StepSettings(batch=batch, start="noise"))
    for phase in recipe.phases:
        for _ in range(_ITERATIONS):
            training.step(phase.start)
    _ = training.weights()  # as when the best are kept
    foretold = need_of(recipe, 2 * len(training.faces["a"].crops.colours), device).total(batch)
    taken = peak_bytes() - before
    print(
        f"| {arch} {size} px | {batch} | {foretold / 1e6:.0f} | {taken / 1e6:.0f} | {foretold / taken:.2f} |",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=get_args(Architecture), action="append")
    parser.add_argument("--size", type=int)
    parser.add_argument("--batches", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--here", action="store_true", help="measure one batch in this very process")
    chosen = parser.parse_args()
    if chosen.here:
        measure(chosen.arch[0], chosen.size, chosen.batches[0])
        return
    print("| network | batch a side | foretold MB | taken MB | ratio |\n|---|---|---|---|---|", flush=True)
    for arch in chosen.arch or get_args(Architecture):
        for size in [chosen.size] if chosen.size else SIZES[arch]:
            for batch in chosen.batches:
                words = [sys.executable, __file__, "--here", "--arch", arch, "--size", str(size)]
                subprocess.run([*words, "--batches", str(batch)], check=True)


if __name__ == "__main__":
    main()
