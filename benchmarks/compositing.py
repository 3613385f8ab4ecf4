"""What each part of the compositing does to the figures, on the shipped held-out take, where the true answer is known.

    python benchmarks/compositing.py MODEL [--seconds 2] [--start 0] [--sheet SHEET.png]

MODEL is a folder made by `likeness demo` (or by `train` on the shipped footage). Only the setting named in a row differs
from the defaults. PSNR in dB over the true face; flicker in grey levels and jitter in % of the eye distance against the
true answer's (`bench.temporal`); milliseconds a frame for decoding and compositing together.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from likeness.actors.truth import Truth
from likeness.bench.metrics import psnr
from likeness.bench.temporal import flicker
from likeness.faces.hull import hull_mask
from likeness.footage import footage
from likeness.make.composite import SteadySettings
from likeness.make.follow import apart, follow_everyone
from likeness.make.model import SwapModel
from likeness.make.preview import write_sheet
from likeness.make.swap import Swapper, SwapSettings, fitted
from likeness.media.clip import open_clip

_UNSTEADY = SteadySettings(width_s=0, front_s=0)
VARIANTS: dict[str, SwapSettings] = {
    "defaults": SwapSettings(),
    "not steadied": SwapSettings(steady=_UNSTEADY),
    "no occlusion": SwapSettings(occlusion=False),
    "no detail": SwapSettings(detail=False),
    "no enhance": SwapSettings(enhance=False),
    "none of the four": SwapSettings(steady=_UNSTEADY, occlusion=False, detail=False, enhance=False),
    **{f"match {match}": SwapSettings(match=match) for match in ("none", "mean", "reinhard", "linear", "mkl")},
    "match histogram": SwapSettings(match="histogram"),
    "match sliced": SwapSettings(match="sliced"),
    "match linear, not steadied": SwapSettings(match="linear", steady=_UNSTEADY),
    "match sliced, not steadied": SwapSettings(match="sliced", steady=_UNSTEADY),
    "blend poisson": SwapSettings(blend="poisson"),
    "blend multiband": SwapSettings(blend="multiband"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--sheet", type=Path, help="the middle frame under every setting, for people to look at")
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    clips = footage()
    end_s = options.start + options.seconds
    held = open_clip(clips.heldout.path).cut(options.start, end_s)
    answer = np.stack([frame.image for frame in open_clip(clips.answer.path).cut(options.start, end_s).frames()])
    first = round(options.start * 25)
    landmarks = Truth.load(clips.answer.truth).landmarks[first : first + len(answer)]
    masks = [hull_mask(points, answer.shape[1:3]) for points in landmarks]
    model = SwapModel.load(options.model)
    followed = follow_everyone(held)
    plain = SwapSettings()
    paths = fitted(followed.paths(apart(followed.sightings.values()), plain.smooth), model, "a2b")
    print(
        f"{len(answer)} frames from {options.start:g} s\n\n| setting | PSNR dB | flicker | ms/frame |\n|---|---|---|---|"
    )
    rows = []
    for name in options.only:
        started = time.monotonic()
        images = np.stack([frame.image for frame in Swapper(model, paths, VARIANTS[name]).frames(held.frames())])
        took = 1000 * (time.monotonic() - started) / len(images)
        quality = np.mean([psnr(*pair) for pair in zip(images, answer, masks, strict=True)])
        unsteady = np.nanmean(flicker(images, answer, landmarks))
        print(f"| {name} | {quality:.2f} | {unsteady:.3f} | {took:.0f} |", flush=True)
        rows.append(images[len(images) // 2])
    if options.sheet:
        rows.append(answer[len(answer) // 2])
        while len(rows) % 4:
            rows.append(np.zeros_like(rows[0]))
        write_sheet(options.sheet, np.vstack([np.hstack(rows[k : k + 4]) for k in range(0, len(rows), 4)]))


if __name__ == "__main__":
    main()
