"""How fast the face swap trains here, beside what this machine's arithmetic could do.

    python benchmarks/swap_training.py [--threads 2] [--iterations 20] [--batch 16] [--arch gan] [--size 64]

Prints for each architecture, size and phase with a loss of its own, CPU-seconds (all threads) and iterations a second,
faces a second (both sides), the arithmetic of one iteration, and how much of the machine's measured rate of bf16 matrix
products it reaches. CPU-seconds and shares of them hardly depend on
what else runs, above all with one thread; iterations a second do. faceswap, measured on two such cores at 16 faces a
side and 64 px: 4.1–4.5 CPU-seconds an iteration for its `original`.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch.utils.flop_counter import FlopCounterMode

from likeness.make.batches import Faces
from likeness.make.compute import pick_device, prepare
from likeness.make.memory import costliest_phase
from likeness.make.model import SideRecord
from likeness.make.phases import Phase
from likeness.make.recipes import SIZES, Architecture, Recipe, recipe_for
from likeness.make.training import StepSettings, Training
from likeness.make.warp import PART_STEP, Crops

FACESWAP_BATCH = 16  # faces a side
FACESWAP_CPU_S = {"original": (4.1, 4.5)}  # an iteration, 16 faces a side, 64 px, two cores
_FACES = 64  # a side; what they show does not matter for speed
_SQUARE = 3072  # side of the multiplied matrices
_WARM_UP = 3


@dataclass(frozen=True)
class Cost:
    """Median CPU-seconds and wall-clock seconds of one call."""

    cpu_s: float
    wall_s: float

    @property
    def device_s(self) -> float:
        """What rates are compared by: CPU-seconds, or on a GPU the clock."""
        return self.wall_s if torch.cuda.is_available() else self.cpu_s


def median_cost(call: Callable[[], object], times: int) -> Cost:
    """Time ``call``, after warming up."""
    for _ in range(_WARM_UP):
        call()
    costs = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        costs.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu_s, wall_s = (sorted(column)[len(costs) // 2] for column in zip(*costs, strict=True))
    return Cost(cpu_s, wall_s)


def matmul_rate(dtype: torch.dtype, times: int) -> float:
    """Floating-point operations of square matrix products in a second of one thread, or of a GPU."""
    device = pick_device()
    one, other = (torch.randn(_SQUARE, _SQUARE, device=device).to(dtype) for _ in range(2))
    return 2 * _SQUARE**3 / median_cost(lambda: one @ other, times).device_s


def noise_faces(recipe: Recipe) -> Faces:
    """Faces of noise on the compute device."""
    device, count, side = pick_device(), _FACES, recipe.crop
    colours = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, device=device)
    parts = torch.full((count, 2, side // PART_STEP, side // PART_STEP), 64, dtype=torch.uint8, device=device)
    record = SideRecord(sources={}, faces=count, digest="")
    return Faces(Crops(colours, parts), torch.arange(4, count), torch.arange(4), record)


def training_of(arch: Architecture, size: int, published: bool, batch: int) -> Training:
    """A training of ``arch`` on noise, from noise."""
    recipe = recipe_for(arch, size, published)
    settings = StepSettings(batch=batch, start="noise")
    return Training(recipe, noise_faces(recipe), noise_faces(recipe), seed=0, settings=settings)


def operations(training: Training, done: float) -> int:
    """Floating-point operations of the layers in one iteration, forwards and backwards, ``done`` of the training being
    over."""
    with FlopCounterMode(display=False) as counter:
        training.step(done)
    return counter.get_total_flops()


def costly_phases(recipe: Recipe) -> list[Phase]:
    """The first phase, and the costliest where that is another."""
    return list(dict.fromkeys((recipe.phases[0], costliest_phase(recipe))))


def row(arch: Architecture, training: Training, phase: Phase, times: int, bf16: float) -> str:
    """One line of the table."""
    cost = median_cost(lambda: training.step(phase.start), times)
    flop = operations(training, phase.start)
    millions = sum(parameter.numel() for parameter in training.network.parameters()) / 1e6
    slow, slower = FACESWAP_CPU_S.get(arch, (0.0, 0.0)) if training.batch == FACESWAP_BATCH else (0.0, 0.0)
    beside = f"{slow / cost.cpu_s:.1f}–{slower / cost.cpu_s:.1f}×" if slow else "–"
    return (
        f"| {arch} {training.recipe.size} px | {phase.name or 'only'} | {millions:.2f} M | {cost.cpu_s:.2f} "
        f"| {1 / cost.wall_s:.2f} | {2 * training.batch / cost.wall_s:.0f} | {flop / 1e9:.0f} "
        f"| {flop / cost.device_s / bf16:.0%} | {beside} |"
    )


def count(arch: Architecture, size: int, published: bool) -> str:
    """One line of the table of sizes: parameters, and multiply-adds for one swapped face; nothing is computed."""
    recipe = recipe_for(arch, size, published)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = recipe.build()
        network.translate(torch.zeros(1, 3, size, size), "a", "b")
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    widths = "published" if published or arch == "original" else "ours"
    return f"| {arch} {size} px | {widths} | {millions:.2f} M | {counter.get_total_flops() / 2e9:.2f} |"


def print_counts() -> None:
    """Print the table of sizes."""
    print("| network | widths | parameters | GMAC a face |\n|---|---|---|---|")
    for arch in get_args(Architecture):
        for size in SIZES[arch]:
            for published in (False, True) if arch in ("gan", "liae") else (False,):
                print(count(arch, size, published))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16, help="faces a side")
    parser.add_argument("--arch", choices=get_args(Architecture), action="append", help="only these")
    parser.add_argument("--size", type=int, action="append", help="only these")
    parser.add_argument("--published", action="store_true", help="gan and liae at their published widths")
    parser.add_argument(
        "--count", action="store_true", help="print parameters and arithmetic only, and measure nothing"
    )
    chosen = parser.parse_args()
    if chosen.count:
        print_counts()
        return
    torch.set_num_threads(chosen.threads)
    prepare(pick_device())
    fp32, bf16 = (matmul_rate(dtype, 8) for dtype in (torch.float32, torch.bfloat16))
    each = "" if torch.cuda.is_available() else " each"
    print(
        f"{pick_device()}, {chosen.threads} threads; matrix products{each} {fp32 / 1e9:.0f} GFLOP/s in fp32,", end=" "
    )
    print(f"{bf16 / 1e9:.0f} in bf16 ({bf16 / fp32:.1f}×); {chosen.batch} faces a side\n")
    print("| network | phase | parameters | CPU-s / it | it / s | faces / s | GFLOP / it ", end="")
    print("| share of bf16 rate | faceswap's CPU-s ÷ ours |\n|---|---|---|---|---|---|---|---|---|")
    for arch in chosen.arch or get_args(Architecture):
        for size in chosen.size or SIZES[arch]:
            training = training_of(arch, size, chosen.published, chosen.batch)
            for phase in costly_phases(training.recipe):
                print(row(arch, training, phase, chosen.iterations, bf16), flush=True)


if __name__ == "__main__":
    main()
