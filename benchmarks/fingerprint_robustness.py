"""Which operations a picture's fingerprint survives, and how often different pictures are taken for one.

    LIKENESS_DATA=… python benchmarks/fingerprint_robustness.py [--most N] [--choose]

The pictures are halved by source: on one half the views are chosen (--choose prints how), on the other they are judged.
Every picture is published with its visible label and stored with and without it, altered, and asked for. Intervals are
95 % (Wilson).
"""

import argparse
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pdqhash

from likeness.make.label import SyntheticLabel
from likeness.media.clip import open_clip
from likeness.progress import tracked
from likeness.prove.fingerprint import (
    MATCH_BITS,
    SecondFingerprint,
    asked_fingerprint,
    fingerprint_picture,
    stored_fingerprint,
)
from likeness.prove.matching import WORDS, words

Operation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Cut = tuple[float, float, float, float]  # top, bottom, left, right as shares


def _windows(size: float, steps: int) -> dict[str, Cut]:
    """Parts of ``size``, at ``steps`` × ``steps`` places from corner to corner; the centre is among the others."""
    places = [(1 - size) * step / (steps - 1) for step in range(steps)]
    return {
        f"{100 * size:.0f} at {row}{column}": (top, top + size, left, left + size)
        for row, top in enumerate(places)
        for column, left in enumerate(places)
        if 2 * row != steps - 1 or 2 * column != steps - 1
    }


# What a view could show. The first is always there.
CANDIDATES: dict[str, Cut] = {
    "whole": (0, 1, 0, 1),
    "centre 95": (0.025, 0.975, 0.025, 0.975),
    "centre 90": (0.05, 0.95, 0.05, 0.95),
    "centre 80": (0.1, 0.9, 0.1, 0.9),
    "top off": (0.15, 1, 0, 1),
    "bottom off": (0, 0.85, 0, 1),
    "left off": (0, 1, 0.1, 1),
    "right off": (0, 1, 0, 0.9),
    **_windows(0.95, 3),
    **_windows(0.9, 2),
}


def _jpeg(quality: int) -> Operation:
    def encode(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()

    return encode


def _scaled(factor: float) -> Operation:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda image, _: cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)


def _levels(gain: float, offset: float = 0.0) -> Operation:
    return lambda image, _: np.clip(gain * image.astype(np.float32) + offset, 0, 255).astype(np.uint8)


def _cropped(share: float) -> Operation:
    """``share`` of the height and of the width taken off, at a random place."""

    def crop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = (round(size * (1 - share)) for size in image.shape[:2])
        top, left = rng.integers(image.shape[0] - height + 1), rng.integers(image.shape[1] - width + 1)
        return image[top : top + height, left : left + width]

    return crop


def _cut(top: float, bottom: float, left: float, right: float) -> Operation:
    return lambda image, _: part(image, (top, bottom, left, right))


def _square(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def _turned(degrees: float) -> Operation:
    def turn(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)

    return turn


def _noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def _barred(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    bar = np.zeros((round(0.15 * image.shape[0]), *image.shape[1:]), np.uint8)
    return np.concatenate([bar, image, bar])


def _framed(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    edge = round(0.1 * min(image.shape[:2]))
    return np.pad(image, ((edge, edge), (edge, edge), (0, 0)), constant_values=245)


def _captioned(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """A white bar with words over the lowest 12 %."""
    altered, height, width = image.copy(), *image.shape[:2]
    altered[round(0.88 * height) :] = 250
    size = height / 512
    place = (round(0.05 * width), round(0.96 * height))
    return cv2.putText(altered, "A caption goes here", place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 2)


def _logo(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """A filled circle in the bottom left corner, 12 % of the shorter side wide."""
    altered, radius = image.copy(), round(0.06 * min(image.shape[:2]))
    return cv2.circle(altered, (2 * radius, image.shape[0] - 2 * radius), radius, (220, 30, 30), -1)


OPERATIONS: dict[str, Operation] = {
    "none": lambda image, _: image,
    "JPEG 50": _jpeg(50),
    "JPEG 20": _jpeg(20),
    "half size": _scaled(0.5),
    "quarter size": _scaled(0.25),
    "double size": _scaled(2.0),
    "brightness × 1.5": _levels(1.5),
    "brightness × 0.5": _levels(0.5),
    "contrast × 1.5": _levels(1.5, -64.0),
    "contrast × 0.5": _levels(0.5, 64.0),
    "noise, σ 12": _noisy,
    "blur, σ 2": lambda image, _: cv2.GaussianBlur(image, (0, 0), 2.0),
    "mirrored": lambda image, _: np.ascontiguousarray(image[:, ::-1]),
    "2 % cropped": _cropped(0.02),
    "5 % cropped": _cropped(0.05),
    "10 % cropped": _cropped(0.10),
    "20 % cropped": _cropped(0.20),
    "5 % cropped, mirrored, JPEG 50": lambda image, rng: _jpeg(50)(_cropped(0.05)(image, rng)[:, ::-1], rng),
    "5 % off each edge": _cut(0.05, 0.95, 0.05, 0.95),
    "10 % off each edge": _cut(0.1, 0.9, 0.1, 0.9),
    "15 % off the top": _cut(0.15, 1.0, 0.0, 1.0),
    "10 % off the right": _cut(0.0, 1.0, 0.0, 0.9),
    "cut to a square": _square,
    "black bars, 15 % each": _barred,
    "white frame, 10 %": _framed,
    "caption over 12 %": _captioned,
    "logo in a corner": _logo,
    "turned by 2°": _turned(2.0),
    "turned by 5°": _turned(5.0),
}


@dataclass(frozen=True, eq=False)
class Picture:
    """``label_free`` and ``published`` uint8 RGB (h, w, 3); ``altered`` by operation, from the published one."""

    name: str
    label_free: np.ndarray
    published: np.ndarray
    altered: Mapping[str, np.ndarray]


def part(image: np.ndarray, cut: Cut) -> np.ndarray:
    """The part of ``image`` within ``cut``."""
    height, width = image.shape[:2]
    top, bottom, left, right = cut
    return image[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]


def files(data: Path, half: int, most: int | None) -> list[Path]:
    """The pictures of one half, by the name of the source; ``most`` of them, drawn evenly."""
    found = sorted(
        path
        for folder in ("portraits", "photos")
        for path in (data / folder).rglob("*")
        if path.suffix in (".jpg", ".png")
    )
    mine = [path for path in found if zlib.crc32(path.stem.encode()) % 2 == half]
    return mine if most is None else mine[:: max(len(mine) // most, 1)][:most]


def pictures(paths: Iterable[Path]) -> Iterable[Picture]:
    """Open, label and alter each. The label painted over without a trace is what was there before it."""
    label = SyntheticLabel("portrait")
    for path in paths:
        image = next(open_clip(path).frames()).image
        rng = np.random.default_rng(zlib.crc32(path.name.encode()))
        published = label.draw(image, 0.0)
        altered = {name: operation(published, rng) for name, operation in OPERATIONS.items()}
        altered["label removed"] = image
        altered["label removed, 5 % cropped"] = _cropped(0.05)(image, rng)
        yield Picture(path.name, image, published, altered)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return float(max(middle - half, 0)), float(min(middle + half, 1))


def nearest(asked: SecondFingerprint, stored: SecondFingerprint) -> int:
    """The least distance in bits over all pairs of usable views; 256 where there is none."""
    one, other = (words([h.hash for h in f.views.values() if h.usable]) for f in (asked, stored))
    if not len(one) or not len(other):
        return 256
    return int(np.bitwise_count(one[:, None] ^ other[None]).sum(axis=2).min())


def report(paths: list[Path]) -> None:
    """Print the match rate of every operation and the false matches between different pictures."""
    stored, asked, names = [], [], []
    distances: dict[str, list[int]] = {}
    for picture in tracked(pictures(paths), "Altering and asking", total=len(paths), unit="pictures"):
        kept = stored_fingerprint(picture.published, picture.label_free)
        for name, image in picture.altered.items():
            fingerprint = asked_fingerprint(image)
            distances.setdefault(name, []).append(nearest(fingerprint, kept))
            if name == "none":
                asked.append(fingerprint)
        stored.append(kept)
        names.append(picture.name)
    print(f"{len(paths)} pictures\n\n| operation | matched | 95 % interval | median distance |\n|---|---|---|---|")
    for name, values in distances.items():
        hits = sum(value <= MATCH_BITS for value in values)
        low, high = wilson(hits, len(values))
        print(f"| {name} | {hits / len(values):.1%} | {low:.1%}–{high:.1%} | {np.median(values):.0f} |")
    print_false_matches(asked, stored, names)


def print_false_matches(asked: list[SecondFingerprint], stored: list[SecondFingerprint], names: list[str]) -> None:
    """Every picture asked for among all others, by all views and by the whole pictures alone."""
    false, whole, count = [], 0, 0
    bank = words([made.hash for kept in stored for made in kept.views.values()]).reshape(len(stored), -1, WORDS)
    usable = np.array([[made.usable for made in kept.views.values()] for kept in stored])
    for number, question in enumerate(asked):
        least = np.full(len(stored), 256)
        for view, made in question.views.items():
            if not made.usable:
                continue
            bits = np.where(usable, np.bitwise_count(bank ^ words([made.hash])[0]).sum(axis=2), 256)
            least = np.minimum(least, bits.min(axis=1))
            if view == "whole":
                whole += int((np.delete(bits[:, 0], number) <= MATCH_BITS).sum())
        least[number] = 256
        false += [(names[number], names[other], int(least[other])) for other in np.flatnonzero(least <= MATCH_BITS)]
        count += len(stored) - 1
    low, high = wilson(len(false), count)
    print(f"\nDifferent pictures taken for one: {len(false)} of {count} ordered pairs [{low:.2g}, {high:.2g}]")
    print(f"by the whole pictures alone: {whole}")
    for one, other, bits_ in false[:40]:
        print(f"  {one} and {other}: {bits_} bits")


def print_reasons(paths: list[Path]) -> None:
    """What plain PDQ makes of another size and of a mirrored picture, for which ours is scaled and hashed itself."""
    sizes, ours, mirrored = [], [], []
    for path in paths:
        image = next(open_clip(path).frames()).image
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        small = cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)
        sizes.append((pdqhash.compute(image)[0] != pdqhash.compute(half)[0]).sum())
        ours.append(fingerprint_picture(image).distance(fingerprint_picture(half)))
        turned = pdqhash.compute(np.ascontiguousarray(small[:, ::-1]))[0]
        mirrored.append((pdqhash.compute_dihedral(small)[0][5] != turned).sum())
    print(f"half size: {np.median(sizes):.0f} bits with plain PDQ, {np.median(ours):.0f} scaled first (medians)")
    print(f"mirrored: what PDQ derives is {np.median(mirrored):.0f} bits from what it makes of the mirrored picture")


def choose(paths: list[Path], rounds: int = 14) -> None:
    """Add to the stored or the asked views, one at a time, what raises the mean match rate most."""
    kept, wanted, operations = [], [], []
    for picture in tracked(pictures(paths), "Cutting and hashing", total=len(paths), unit="pictures"):
        works = [part(image, cut) for image in (picture.published, picture.label_free) for cut in CANDIDATES.values()]
        kept.append(words([fingerprint_picture(view).hash for view in works]))
        operations = [name for name in picture.altered if "mirrored" not in name]
        asked = [part(picture.altered[name], cut) for name in operations for cut in CANDIDATES.values()]
        wanted.append(words([fingerprint_picture(view).hash for view in asked]))
    cuts = len(CANDIDATES)
    one = np.array(wanted).reshape(len(paths), len(operations), cuts, 1, WORDS)
    bits = np.concatenate(
        [np.bitwise_count(o[..., 0, None, :] ^ k).sum(axis=-1)[None] for o, k in zip(one, np.array(kept), strict=True)]
    )
    match = bits <= MATCH_BITS  # (pictures, operations, asked views, stored views)
    names = list(CANDIDATES)
    stored_views, asked_views = [0, cuts], [0]
    for _ in range(rounds):
        gains = []
        for candidate in range(1, cuts):
            for side in ("stored", "asked"):
                s = stored_views + ([candidate, cuts + candidate] if side == "stored" else [])
                a = asked_views + ([candidate] if side == "asked" else [])
                gains.append((float(match[:, :, a][..., s].any(axis=(2, 3)).mean()), side, candidate))
        rate, side, candidate = max(gains)
        if side == "stored":
            stored_views += [candidate, cuts + candidate]
        else:
            asked_views.append(candidate)
        print(f"{rate:.1%} with {side} {names[candidate]}")
    rates = match[:, :, asked_views][..., stored_views].any(axis=(2, 3)).mean(axis=0)
    for name, rate in zip(operations, rates, strict=True):
        print(f"  {name}: {rate:.1%}")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LIKENESS_DATA"))
    parser.add_argument("--most", type=int, help="pictures; all by default")
    parser.add_argument("--choose", action="store_true", help="choose views on the first half instead of judging them")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the data folder: LIKENESS_DATA or --data")
    paths = files(Path(options.data), 0 if options.choose else 1, options.most)
    if options.choose:
        print_reasons(paths)
        choose(paths)
    else:
        report(paths)


if __name__ == "__main__":
    main()
