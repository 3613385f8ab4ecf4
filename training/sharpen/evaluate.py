"""Measure the sharpener against bicubic enlargement, on people and portraits never trained on.

    LIKENESS_DATA=… python -m training.sharpen.evaluate PEOPLE [--weights FILE] [--recogniser]

Sharp faces of 128 pixels are made soft in three fixed ways and halved; what comes back is compared with them: PSNR
(dB), SSIM, and sharpness: the mean strength of the picture's Laplacian as a share of the true one's. Intervals are
95 %, of 2,000 bootstrap draws of groups (of portraits). `--recogniser` adds how alike the face stays to the true one in
the eyes of the recogniser (cosine).
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from likeness.bench.metrics import psnr, ssim
from likeness.faces.identity import recogniser
from likeness.make.sharpen import Sharpener
from likeness.progress import tracked
from training.sharpen.data import load_crops, load_people

SIZE = 128  # px, side of the sharp faces

_EACH = 16  # pictures of a group of people
_DRAWS = 2000


def halved(image: np.ndarray) -> np.ndarray:
    """Fewer pixels and nothing else."""
    return cv2.resize(image, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA)


def blurred(image: np.ndarray) -> np.ndarray:
    """A Gaussian of two pixels, then halved: what a decoder of 64 leaves early in its training."""
    return halved(cv2.GaussianBlur(image, (0, 0), 2.0))


def third(image: np.ndarray) -> np.ndarray:
    """Brought down three times and up again, halved, and packed as JPEG of quality 80."""
    few = cv2.resize(image, (SIZE // 3, SIZE // 3), interpolation=cv2.INTER_AREA)
    small = halved(cv2.resize(few, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR))


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"halved": halved, "blurred": blurred, "a third": third}


def sharpness(image: np.ndarray, truth: np.ndarray) -> float:
    """Mean |Laplacian| of ``image`` as a share of that of ``truth``, both uint8."""
    strengths = [np.abs(cv2.Laplacian(picture.astype(np.float32), cv2.CV_32F)).mean() for picture in (image, truth)]
    return float(strengths[0] / max(strengths[1], 1e-6))


def measure(
    sharp: np.ndarray, way: Callable[[np.ndarray], np.ndarray], sharpener: Sharpener, identity: bool
) -> dict[str, np.ndarray]:  # fmt: skip
    """Figures (n, 2), bicubic first, of each face of ``sharp`` uint8 (n, 128, 128, 3)."""
    soft = np.stack([way(image) for image in sharp])
    bicubic = np.stack([cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for image in soft])
    ours = np.round(sharpener(soft.astype(np.float32) / 255) * 255).astype(np.uint8)
    figures = {
        measure.__name__: np.array(
            [[measure(made[i], sharp[i]) for made in (bicubic, ours)] for i in range(len(sharp))]
        )
        for measure in (psnr, ssim, sharpness)
    }
    if identity:
        true, *made = (recogniser().embed(images) for images in (sharp, bicubic, ours))
        figures["identity"] = np.stack([(true * vectors).sum(1) for vectors in made], 1)
    return figures


def interval(values: np.ndarray, groups: np.ndarray) -> str:
    """Mean of ``values`` with the interval of the means of resampled groups."""
    names, where = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(where, values), np.bincount(where)
    chosen = np.random.default_rng(0).integers(0, len(names), (_DRAWS, len(names)))
    low, high = np.percentile(sums[chosen].sum(1) / counts[chosen].sum(1), [2.5, 97.5])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def faces(people: Path, data: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Sharp faces of 128 pixels and the group of each: filmed people and portraits, both held out."""
    images, groups = load_people(people, for_evaluation=True)
    rows = np.concatenate([np.flatnonzero(groups == group)[::5][:_EACH] for group in np.unique(groups)])
    middle = (images.shape[1] - SIZE) // 2  # people are filmed at their size: cut, not shrunk
    cut = slice(middle, middle + SIZE)
    real = [cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for crop in load_crops(data, "validation")]
    return {
        "people": (images[rows][:, cut, cut], groups[rows]),
        "portraits": (np.stack(real), np.arange(len(real))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--recogniser", action="store_true")
    options = parser.parse_args()
    sharpener = Sharpener(options.weights)
    lines = []
    for kind, (sharp, groups) in faces(options.people, Path(os.environ["LIKENESS_DATA"])).items():
        for name, way in tracked(WAYS.items(), f"Measuring {kind}", len(WAYS), "ways"):
            for figure, values in measure(sharp, way, sharpener, options.recogniser and kind == "portraits").items():
                cells = [interval(column, groups) for column in (*values.T, values[:, 1] - values[:, 0])]
                lines.append(f"| {len(sharp)} {kind}, {name} | {figure} | {' | '.join(cells)} |")
    print("| faces | figure | bicubic | sharpener | difference |\n|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
