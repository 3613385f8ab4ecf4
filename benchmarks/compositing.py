"""What each part of the compositing does to the figures, on the shipped held-out take, where the true answer is known.

    python benchmarks/compositing.py [MODEL] [--seconds 2] [--start 0] [--sheet SHEET.png]

MODEL is a folder made by `likeness demo` (or by `train` on the shipped footage). Without one a stand-in decodes: B's
true face, small, made softer, and with colours and mask that waver from frame to frame, so that what remains of these
known errors is the compositing's doing. Only the setting named in a row differs from the defaults. PSNR in dB over the
true face; flicker in grey levels against the true answer's (`bench.temporal`); milliseconds of CPU time a frame,
decoding included.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.actors.truth import Truth
from likeness.bench.metrics import psnr
from likeness.bench.temporal import flicker
from likeness.faces.align import COVERAGE, apply, warp
from likeness.faces.hull import hull_mask
from likeness.footage import footage
from likeness.make.composite import SteadySettings
from likeness.make.fit import compose, view_matrix
from likeness.make.follow import FacePath, apart, follow_everyone
from likeness.make.model import SwapModel
from likeness.make.preview import NOTICE, write_sheet
from likeness.make.swap import Swapper, SwapSettings, fitted
from likeness.media.clip import open_clip

_CAPTION_PX = 22
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


class StandIn:
    """Decodes by showing what B's true face looks like there, with errors of known size; in the order of frames."""

    def __init__(self, answer: np.ndarray, landmarks: np.ndarray, path: FacePath, softness_px: float = 1.2) -> None:
        self.size, self.view = 128, COVERAGE / 0.8
        to_made = view_matrix(self.size, self.view)
        rng = np.random.default_rng(0)
        images, masks = [], []
        for frame, points, matrix in zip(answer, landmarks, path.matrices, strict=True):
            there = compose(to_made, matrix)
            image = warp(frame, there, self.size).astype(np.float32) / 255
            image = cv2.GaussianBlur(image, (0, 0), softness_px) * rng.normal(1, 0.04, 3)
            images.append(np.clip(image, 0, 1).astype(np.float32))
            grown = points + rng.normal(0, 1.0, 2)
            masks.append(hull_mask(apply(there, grown), (self.size, self.size), forehead=0.15))
        self._images, self._masks, self._next = np.stack(images), np.stack(masks), 0

    def swap(self, crops: np.ndarray, direction: str) -> tuple[np.ndarray, np.ndarray]:
        """The next ones."""
        chosen = slice(self._next, self._next + len(crops))
        self._next = chosen.stop % len(self._images)
        return self._images[chosen], self._masks[chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
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
    followed = follow_everyone(held)
    paths = followed.paths(apart(followed.sightings.values()), SwapSettings().smooth)
    if options.model is None:
        model: Any = StandIn(answer, landmarks, paths[0])
    else:
        model = SwapModel.load(options.model)
        paths = fitted(paths, model, "a2b")
    print(f"{len(answer)} frames\n\n| setting | PSNR dB | flicker | CPU ms/frame |\n|---|---|---|---|")
    rows = []
    for name in options.only:
        started = time.process_time()
        images = np.stack([frame.image for frame in Swapper(model, paths, VARIANTS[name]).frames(held.frames())])
        took = 1000 * (time.process_time() - started) / len(images)
        quality = np.mean([psnr(*pair) for pair in zip(images, answer, masks, strict=True)])
        unsteady = np.nanmean(flicker(images, answer, landmarks))
        print(f"| {name} | {quality:.2f} | {unsteady:.3f} | {took:.0f} |", flush=True)
        rows.append(images[len(images) // 2])
    if options.sheet:
        names = [*options.only, "the true answer"]
        write_sheet(options.sheet, _sheet(names, [*rows, answer[len(answer) // 2]]))


def _sheet(names: list[str], pictures: list[np.ndarray]) -> np.ndarray:
    """The pictures four in a row, each under its name: uint8 (h, w, 3)."""
    height, width = pictures[0].shape[:2]
    sheet = Image.new("RGB", (4 * width, -(-len(pictures) // 4) * (height + _CAPTION_PX)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        x, y = number % 4 * width, number // 4 * (height + _CAPTION_PX)
        draw.text((x + 4, y + 3), f"{name}, {NOTICE}", fill="black", font=font)
        sheet.paste(Image.fromarray(picture), (x, y + _CAPTION_PX))
    return np.asarray(sheet)


if __name__ == "__main__":
    main()
