"""Measure the shipped watermark on pictures, people and clips that no training saw.

    LIKENESS_DATA=… python -m training.watermark.evaluate --actors CAST [--only pictures|clips|tamper|chance] [-o
    FOLDER]

`pictures`: PSNR, SSIM and whole messages read after each operation, on held-out portraits and actors' frames (and,
apart from them, on photographs), each with several messages; portraits that were looked at while the watermark was
being designed (looked_at.txt) are left out. `clips`: one second of H.264. `tamper`: splices, moved pieces, painted-out
objects and face swaps against gentle treatment. `chance`: readings of unmarked pictures and crops. Intervals are
Wilson's, 95 %.
"""

import argparse
import json
import os
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from scipy.stats import binomtest
from sklearn.metrics import f1_score, roc_auc_score

from likeness.actors.truth import Truth
from likeness.bench.metrics import psnr, ssim
from likeness.faces.align import alignment, warp
from likeness.faces.hull import hull_mask
from likeness.files import write_text
from likeness.make.blend import paste, soft_mask
from likeness.make.colour import lab_transfer
from likeness.media.clip import open_clip
from likeness.progress import tracked
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.read import read_frames, read_picture
from likeness.prove.watermark.tamper import MAP_SIZE, TamperSettings, look
from training.watermark.data import Picture, held_out, pictures

Operation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_CHANCE_READINGS = 100_000
_FRAMES = 25  # one second
_SHOWN = ("portrait", "actor", "photo")
_SWAP_PX = 128  # an autoencoder's usual size


def jpeg(quality: int) -> Operation:
    def apply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.ascontiguousarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1])

    return apply


def resized(factor: float) -> Operation:
    def apply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)

    return apply


def lit(gain: float, pivot: float) -> Operation:
    """Brightness (pivot 0) or contrast (pivot 128) times ``gain``."""

    def apply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _rounded((image.astype(np.float32) - pivot) * gain + pivot)

    return apply


def cropped(share: float) -> Operation:
    """``share`` of the picture's area cut away, anywhere, at its own shape."""

    def apply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = (round(side * (1 - share) ** 0.5) for side in image.shape[:2])
        top, left = rng.integers(image.shape[0] - height + 1), rng.integers(image.shape[1] - width + 1)
        return image[top : top + height, left : left + width]

    return apply


def blurred(sigma: float) -> Operation:
    return lambda image, rng: cv2.GaussianBlur(image, (0, 0), sigma)


def noisy(spread: float) -> Operation:
    return lambda image, rng: _rounded(image + rng.normal(0, spread, image.shape))


def denoised(strength: float) -> Operation:
    return lambda image, rng: cv2.fastNlMeansDenoisingColored(image, None, strength, strength, 7, 15)


def turned(degrees: float) -> Operation:
    def apply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)

    return apply


def then(*operations: Operation) -> Operation:
    def apply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for operation in operations:
            image = operation(image, rng)
        return image

    return apply


OPERATIONS: dict[str, Operation] = {
    "clean": lambda image, rng: image,
    "JPEG 50": jpeg(50),
    "JPEG 40": jpeg(40),
    "JPEG 30": jpeg(30),
    "JPEG 20": jpeg(20),
    "half size": resized(0.5),
    "double size": resized(2.0),
    "quarter size": resized(0.25),
    "brightness -50 %": lit(0.5, 0),
    "brightness +50 %": lit(1.5, 0),
    "contrast -50 %": lit(0.5, 128),
    "contrast +50 %": lit(1.5, 128),
    "10 % cropped away": cropped(0.1),
    "25 % cropped away": cropped(0.25),
    "40 % cropped away": cropped(0.4),
    "mirrored": lambda image, rng: np.ascontiguousarray(image[:, ::-1]),
    "10 % cropped, JPEG 50": then(cropped(0.1), jpeg(50)),
    "half size, JPEG 40": then(resized(0.5), jpeg(40)),
    "blur 1 px": blurred(1.0),
    "blur 2 px": blurred(2.0),
    "blur 4 px": blurred(4.0),
    "noise 5": noisy(5),
    "noise 10": noisy(10),
    "noise 20": noisy(20),
    "denoised 3": denoised(3),
    "denoised 6": denoised(6),
    "denoised 12": denoised(12),
    "turned 1 degree": turned(1.0),
    "turned 5 degrees": turned(5.0),
}

GENTLE: dict[str, Operation] = {
    "as marked": OPERATIONS["clean"],
    "JPEG 90": jpeg(90),
    "JPEG 75": jpeg(75),
    "JPEG 60": jpeg(60),
    "half size": resized(0.5),
    "0.7 of the size": resized(0.7),
    "double size": resized(2.0),
    "brightness -30 %": lit(0.7, 0),
    "brightness +30 %": lit(1.3, 0),
    "contrast -30 %": lit(0.7, 128),
}


@dataclass(frozen=True)
class Share:
    """``hits`` of ``count``."""

    hits: int
    count: int

    def __str__(self) -> str:
        low, high = binomtest(self.hits, self.count).proportion_ci(method="wilson")
        return f"{self.hits}/{self.count} = {100 * self.hits / self.count:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def evaluate_pictures(shown: list[Picture], messages: int) -> dict[str, object]:
    """Every operation on every picture, with so many messages."""
    read: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    decibels, similarities = defaultdict(list), defaultdict(list)
    tried = [picture for picture in shown for _ in range(messages)]
    for number, picture in enumerate(tracked(tried, "Pictures", len(tried), "pictures")):
        rng = np.random.default_rng(number)
        mark_id = f"{rng.integers(2**40):010x}"
        marked = Marker(mark_id).mark(picture.image)
        group = "photographs" if picture.kind == "photo" else "faces"
        decibels[group].append(psnr(marked, picture.image))
        similarities[group].append(ssim(marked, picture.image))
        for name, operation in OPERATIONS.items():
            read[group][name].append(read_picture(operation(marked, rng)).mark_id == mark_id)
    result: dict[str, object] = {}
    for group, names in read.items():
        print(f"\n{group}: {len(decibels[group])} pictures")
        for what, values in (("PSNR", decibels[group]), ("SSIM", similarities[group])):
            line = (
                f"mean {np.mean(values):.4f}, least {np.min(values):.4f}, 5th percentile {np.percentile(values, 5):.4f}"
            )
            print(f"{what:24s} {line}")
            result[f"{group}/{what}"] = line
        for name, hits in names.items():
            result[f"{group}/{name}"] = str(Share(sum(hits), len(hits)))
            print(f"{name:24s} {result[f'{group}/{name}']}")
    return result


def seconds_of(data: Path, actors: Path | None, shown: list[Picture]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Seconds of 25 frames: held-out actors' and speakers' clips, and slow zooms into held-out portraits."""
    folders = [(data / "talking_heads", "*.mpg", "talking"), (data / "signing", "*.mkv", "signing")]
    folders += [(actors, "*.mp4", "actor")] if actors else []
    for folder, pattern, kind in folders:
        for path in sorted(folder.glob(pattern)):
            if path.stem.startswith("s1_") or not held_out(f"{kind}/{path.stem}"):
                continue
            frames = [frame.image for frame in open_clip(path).frames()]
            for start in range(0, len(frames) - _FRAMES + 1, _FRAMES):
                yield f"{kind} {path.stem}", frames[start : start + _FRAMES]
    for picture in [picture for picture in shown if picture.kind == "portrait"][:40]:
        height, width = picture.image.shape[:2]
        zoomed = []
        for i in range(_FRAMES):
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0.0, 1.0 + 0.004 * i)
            zoomed.append(cv2.warpAffine(picture.image, matrix, (width, height), flags=cv2.INTER_CUBIC))
        yield picture.source, zoomed


def h264(frames: list[np.ndarray], crf: int, factor: float = 1.0) -> list[np.ndarray]:
    """``frames`` through x264 (preset medium) and back."""
    height, width = (round(side * factor) // 2 * 2 for side in frames[0].shape[:2])
    encoder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
    encoder.options = {"crf": str(crf), "preset": "medium"}
    packets = []
    for i, image in enumerate(frames):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) if factor != 1.0 else image
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        frame.pts = i
        packets += encoder.encode(frame.reformat(format="yuv420p"))
    decoded = [frame for packet in packets + encoder.encode(None) for frame in decoder.decode(packet)]
    return [frame.to_ndarray(format="rgb24") for frame in decoded + decoder.decode(None)]


def evaluate_clips(data: Path, actors: Path | None, shown: list[Picture]) -> dict[str, object]:
    """One second after H.264."""
    cases = {
        "crf 23": (23, 1.0),
        "crf 30": (30, 1.0),
        "crf 35": (35, 1.0),
        "crf 40": (40, 1.0),
        "crf 30, half size": (30, 0.5),
    }
    hits: dict[str, list[bool]] = defaultdict(list)
    for number, (_, frames) in enumerate(tracked(list(seconds_of(data, actors, shown)), "Clips", None, "seconds")):
        mark_id = f"{number + 4096:010x}"
        marker = Marker(mark_id)
        marked = [marker.mark(frame) for frame in frames]
        for name, (crf, factor) in cases.items():
            hits[name].append(read_frames(h264(marked, crf, factor)).mark_id == mark_id)
    result: dict[str, object] = {name: str(Share(sum(read), len(read))) for name, read in hits.items()}
    for name, line in result.items():
        print(f"H.264 {name:20s} {line}")
    return result


@dataclass(frozen=True, eq=False)
class Case:
    """A picture to judge: ``truth`` bool (H, W) is where it was altered."""

    image: np.ndarray
    truth: np.ndarray
    kind: str


def evaluate_tamper(actors: Path | None, shown: list[Picture]) -> dict[str, object]:
    """AUC of the score over altered against gently treated pictures, and F1 of the map's pixels on altered ones."""
    kinds: dict[str, list[float]] = defaultdict(list)
    overlap: dict[str, list[float]] = defaultdict(list)
    states: dict[str, list[str]] = defaultdict(list)
    cells: list[tuple[np.ndarray, np.ndarray]] = []
    for case in tracked(tamper_cases(actors, shown), "Alterations", None, "pictures"):
        reading = read_picture(case.image)
        seen = look(case.image, reading)
        kinds[case.kind].append(seen.score if reading.state == "found" else 0.0)
        states[case.kind].append(seen.state)
        if case.truth.any() and reading.state == "found":
            truth = cv2.resize(case.truth.astype(np.float32), (MAP_SIZE, MAP_SIZE), interpolation=cv2.INTER_AREA) > 0.5
            overlap[case.kind].append(
                f1_score(truth.ravel(), seen.map.ravel() >= TamperSettings().likely, zero_division=0.0)
            )
            cells.append((truth.ravel(), seen.map.ravel() >= TamperSettings().likely))
    benign = [score for kind, scores in kinds.items() if kind.startswith("gentle") for score in scores]
    malicious = [score for kind, scores in kinds.items() if not kind.startswith("gentle") for score in scores]
    result: dict[str, object] = {
        "AUC": float(roc_auc_score([0] * len(benign) + [1] * len(malicious), benign + malicious))
    }
    truth, said = (np.concatenate(part) for part in zip(*cells, strict=True))
    result["pixel F1, pooled"] = float(f1_score(truth, said))
    result["pixel F1, mean of pictures"] = float(np.mean([value for values in overlap.values() for value in values]))
    for kind, scores in kinds.items():
        parts = [f"called altered {Share(states[kind].count('altered'), len(scores))}"]
        parts += [f"unmarked {states[kind].count('unmarked')}"]
        if not kind.startswith("gentle"):
            parts.append(f"AUC {roc_auc_score([0] * len(benign) + [1] * len(scores), benign + scores):.4f}")
            parts.append(f"F1 {np.mean(overlap[kind]):.3f}")
        result[kind] = ", ".join(parts)
    for name, value in result.items():
        print(f"{name:36s} {value}")
    return result


def tamper_cases(actors: Path | None, shown: list[Picture], for_evaluation: bool = True) -> Iterator[Case]:
    """Gently treated and altered marked pictures of ``shown``, and face swaps of actors of the same side."""
    faces = [picture for picture in shown if picture.kind != "photo"]
    names = list(GENTLE)
    for number, picture in enumerate(faces):
        rng = np.random.default_rng(7000 + number)
        marked = Marker(f"{number:010x}").mark(picture.image)
        other = faces[(number * 7 + 11) % len(faces)]
        other_marked = Marker("0a0b0c0d0e").mark(other.image)
        for name in (names[number % len(names)], names[(number + 3) % len(names)]):
            yield Case(GENTLE[name](marked, rng), np.zeros(marked.shape[:2], bool), f"gentle: {name}")
        pieces = {
            "splice": other.image,
            "splice from a marked picture": other_marked,
            "moved piece": None,
            "painted out": None,
        }
        for kind, piece in pieces.items():
            place = _place(marked.shape[:2], rng)
            altered = _altered(marked, piece, place, kind, rng)
            name = names[int(rng.integers(len(names)))]
            yield _treated(Case(altered, place > 0.5, kind), GENTLE[name], rng)
    if actors is not None:
        yield from _swaps(actors, for_evaluation)


def _treated(case: Case, operation: Operation, rng: np.random.Generator) -> Case:
    image = operation(case.image, rng)
    truth = cv2.resize(case.truth.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    return Case(image, truth, case.kind)


def _place(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """One ellipse or box of 2 to 15 % of the picture: float32 (H, W) in [0, 1], with a slightly soft edge."""
    height, width = shape
    place = np.zeros(shape, np.float32)
    area, ratio = rng.uniform(0.02, 0.15) * height * width, np.exp(rng.uniform(-0.5, 0.5))
    a, b = (area * ratio / np.pi) ** 0.5, (area / ratio / np.pi) ** 0.5
    centre = (int(rng.uniform(a, width - a)), int(rng.uniform(b, height - b)))
    if rng.random() < 0.5:
        cv2.ellipse(place, centre, (int(a), int(b)), 0, 0, 360, 1.0, -1)
    else:
        a, b = a * 0.886, b * 0.886
        cv2.rectangle(
            place, (int(centre[0] - a), int(centre[1] - b)), (int(centre[0] + a), int(centre[1] + b)), 1.0, -1
        )
    return cv2.GaussianBlur(place, (0, 0), 1.5)


def _altered(
    marked: np.ndarray, piece: np.ndarray | None, place: np.ndarray, kind: str, rng: np.random.Generator
) -> np.ndarray:
    if kind == "painted out":
        return cv2.inpaint(marked, (place > 0.02).astype(np.uint8), 5, cv2.INPAINT_TELEA)
    if piece is None:
        shift = [int(rng.uniform(0.15, 0.5) * side) for side in marked.shape[:2]]
        piece = np.roll(marked, shift, (0, 1))
    piece = (
        cv2.resize(piece, marked.shape[1::-1], interpolation=cv2.INTER_AREA) if piece.shape != marked.shape else piece
    )
    return np.rint(marked * (1 - place[..., None]) + piece * place[..., None]).astype(np.uint8)


def _swaps(actors: Path, for_evaluation: bool) -> Iterator[Case]:
    """Other actors' faces laid over the faces of one side's actors, as swap programs do: aligned, at 128 px, matched in
    colour, blended with a soft hull mask."""
    clips = {path.stem: path for path in sorted(actors.glob("*.mp4"))}
    names, gentle = list(clips), list(GENTLE)
    frames = {name: [frame.image for frame in open_clip(path).frames()][::6] for name, path in clips.items()}
    truths = {name: Truth.load(path.with_suffix(".npz")) for name, path in clips.items()}
    for name in names:
        if held_out(f"actor/{name}") != for_evaluation:
            continue
        for i, image in enumerate(frames[name]):
            rng = np.random.default_rng(zlib.crc32(f"{name}{i}".encode()))
            marked = Marker(f"{i + 512:010x}").mark(image)
            donor = names[int(rng.integers(len(names)))]
            if donor == name:
                continue
            swapped, place = swap_face(
                marked, truths[name].landmarks[6 * i], frames[donor][i], truths[donor].landmarks[6 * i]
            )
            treatment = GENTLE[gentle[int(rng.integers(len(gentle)))]]
            yield _treated(Case(swapped, place, "face swap"), treatment, rng)
            yield _treated(Case(marked, np.zeros(marked.shape[:2], bool), "gentle: actors"), treatment, rng)


def swap_face(
    frame: np.ndarray, here: np.ndarray, donor: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``frame`` with the donor's face laid in, and the place bool (H, W). Landmarks are (68, 2) pixels."""
    to, source = alignment(here, _SWAP_PX), alignment(there, _SWAP_PX)
    face, target = warp(donor, source, _SWAP_PX), warp(frame, to, _SWAP_PX)
    points = here @ to[:, :2].T + to[:, 2]
    mask = hull_mask(points, (_SWAP_PX, _SWAP_PX), forehead=0.3)
    matched = lab_transfer(face, target, mask, True)
    alpha = soft_mask(mask, 0.0, 0.05 * _SWAP_PX)
    result = frame.copy()
    paste(result, matched, alpha, to)
    place = np.zeros_like(frame)
    paste(place, np.full((_SWAP_PX, _SWAP_PX, 3), 255, np.uint8), alpha, to)
    return result, place[..., 0] > 127


def evaluate_chance(shown: list[Picture], count: int, minutes: float, seed: int) -> dict[str, object]:
    """Readings of unmarked pictures: random crops of pictures at random sizes, some compressed; ``count`` of them, or
    as many as ``minutes`` allow."""
    rng = np.random.default_rng(seed)
    ends, false, done = time.monotonic() + 60 * minutes, 0, 0
    for _ in tracked(range(count), "Unmarked crops", count, "pictures"):
        image = shown[int(rng.integers(len(shown)))].image
        rows, columns = (int(side * rng.uniform(0.25, 1.0)) for side in image.shape[:2])
        top, left = rng.integers(image.shape[0] - rows + 1), rng.integers(image.shape[1] - columns + 1)
        part = np.ascontiguousarray(image[top : top + rows, left : left + columns])
        if rng.random() < 0.3:
            part = jpeg(int(rng.integers(20, 95)))(part, rng)
        false, done = false + (read_picture(part).state == "found"), done + 1
        if time.monotonic() > ends:
            break
    print(f"false readings of unmarked pictures: {Share(false, done)}, seed {seed}")
    return {"false readings": false, "of": done, "seed": seed}


def _looked_at(picture: Picture) -> bool:
    names = (Path(__file__).parent / "looked_at.txt").read_text().split()
    return picture.kind == "portrait" and picture.source.removeprefix("portrait/") in names


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actors", type=Path, help="a folder that `likeness cast` wrote")
    parser.add_argument("--only", choices=["pictures", "clips", "tamper", "chance"])
    parser.add_argument("--pictures", type=int, default=0, help="so many of them at most; 0 for all")
    parser.add_argument("--messages", type=int, default=3, help="for each picture")
    parser.add_argument("--readings", type=int, default=_CHANCE_READINGS, help="for chance")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="for chance, at most")
    parser.add_argument("--seed", type=int, default=0, help="for chance")
    parser.add_argument("-o", "--out", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data = Path(os.environ["LIKENESS_DATA"])
    shown = [p for p in pictures(data, arguments.actors, for_evaluation=True) if p.kind in _SHOWN and not _looked_at(p)]
    if arguments.pictures:
        shown = shown[:: max(1, len(shown) // arguments.pictures)]
    figures: dict[str, object] = {}
    if arguments.only in (None, "pictures"):
        figures["pictures"] = evaluate_pictures(shown, arguments.messages)
    if arguments.only in (None, "clips"):
        figures["clips"] = evaluate_clips(data, arguments.actors, shown)
    if arguments.only in (None, "tamper"):
        figures["tamper"] = evaluate_tamper(arguments.actors, shown)
    if arguments.only in (None, "chance"):
        everything = shown + pictures(data, arguments.actors, for_evaluation=False)
        figures["chance"] = evaluate_chance(everything, arguments.readings, arguments.minutes, arguments.seed)
    if arguments.out:
        write_text(arguments.out / f"watermark_{arguments.only or 'all'}.json", json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
