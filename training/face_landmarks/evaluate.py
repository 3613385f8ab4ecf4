"""How good finder, landmarks and tracker are: python -m training.face_landmarks.evaluate --data "$LIKENESS_DATA"

A face counts as found where a box overlaps the teacher's (around its 68 points) by 0.4 or more, for us and for YuNet
alike. Errors are mean distances from the teacher's points in % of its outer-eye distance. Intervals are 95 %: Wilson's
for shares, bootstrap over people for errors.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from likeness.faces.face import OUTER_EYE_CORNERS
from likeness.faces.finder import Box, FaceFinder, FinderSettings, box_of, overlap
from likeness.faces.landmarks import LandmarkModel
from likeness.faces.tracker import Tracker
from likeness.media.clip import Frame, open_clip
from training.face_landmarks.data import MESH_TO_IBUG, load_portraits, photo_paths, photo_split, read_rgb

_SAME_FACE = 0.4  # intersection over union
_YUNET_THRESHOLD = 0.7
_GRID_WIDTH = 360  # pixels: the teacher saw the clips' stored pixels, which are not square

Found = list[tuple[Box, np.ndarray | None]]  # boxes, with landmarks (68, 2) where the finder gives them
Finder = Callable[[np.ndarray], Found]


@dataclass
class Score:
    """Faces sought and found, and the error of each found one, by person."""

    sought: int = 0
    found: int = 0
    errors: dict[str, list[float]] = field(default_factory=dict)

    def add(self, person: str, found: Found, teacher: np.ndarray) -> None:
        """Count one face whose teacher's landmarks are ``teacher`` (68, 2)."""
        self.sought += 1
        best = max(found, key=lambda one: overlap(one[0], box_of(teacher)), default=None)
        if best is None or overlap(best[0], box_of(teacher)) < _SAME_FACE:
            return
        self.found += 1
        if best[1] is not None:
            right, left = OUTER_EYE_CORNERS
            distance = np.linalg.norm(best[1] - teacher, axis=1).mean()
            self.errors.setdefault(person, []).append(100 * distance / np.linalg.norm(teacher[left] - teacher[right]))

    def __str__(self) -> str:
        low, high = wilson(self.found, self.sought)
        text = f"found {self.found}/{self.sought} = {100 * self.found / self.sought:.2f} % [{low:.2f}, {high:.2f}]"
        if not self.errors:
            return text
        people = [np.array(errors) for errors in self.errors.values()]
        everything = np.concatenate(people)
        low, high = bootstrap(people)
        return f"{text}; error {everything.mean():.2f} % [{low:.2f}, {high:.2f}], median {np.median(everything):.2f} %"


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in %."""
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return 100 * (middle - half), 100 * (middle + half)


def bootstrap(people: list[np.ndarray], times: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean over all values when the people are drawn anew."""
    rng = np.random.default_rng(0)
    sums, counts = np.array([person.sum() for person in people]), np.array([len(person) for person in people])
    drawn = rng.integers(len(people), size=(times, len(people)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def our_finder(finder: FaceFinder) -> Finder:
    """The shipped finder in the form that is compared here."""
    return lambda image: [(face.box, face.landmarks) for face in finder.find(image)]


def yunet(data: Path) -> Finder:
    """YuNet, run by OpenCV on the picture as it is."""
    path = next((data / "face_finders").glob("yunet_n_640*.onnx"))
    detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _YUNET_THRESHOLD)

    def find(image: np.ndarray) -> Found:
        detector.setInputSize((image.shape[1], image.shape[0]))
        _, rows = detector.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        boxes = [] if rows is None else rows[:, :4].tolist()
        return [((x, y, x + width, y + height), None) for x, y, width, height in boxes]

    return find


def score_portraits(data: Path, find: Finder) -> Score:
    """The 110 portraits that no network was trained on."""
    score, faces = Score(), load_portraits(data, "test")
    for image, teacher, name in zip(faces.images, faces.landmarks, faces.names, strict=True):
        score.add(name, find(image), teacher)
    return score


def score_clips(data: Path, start: Callable[[], Callable[[Frame], Found]], every: int = 1) -> Score:
    """The 11 GRID clips. ``start`` gives, for each clip, a function from its frames to what is found in them."""
    score = Score()
    labels = np.load(data / "talking_heads" / "landmarks_478.npz")
    for name in labels.files:
        clip, find = open_clip(data / "talking_heads" / f"{name}.mpg"), start()
        stretch = np.array([clip.width / _GRID_WIDTH, 1.0])
        for frame, mesh in zip(clip.frames(), labels[name], strict=False):
            if frame.index % every == 0:
                score.add(name, [_unstretched(one, stretch) for one in find(frame)], mesh[MESH_TO_IBUG, :2])
    return score


def _unstretched(one: tuple[Box, np.ndarray | None], stretch: np.ndarray) -> tuple[Box, np.ndarray | None]:
    (x0, y0, x1, y1), points = one
    box = x0 / stretch[0], y0 / stretch[1], x1 / stretch[0], y1 / stretch[1]
    return box, None if points is None else points / stretch


def false_faces(data: Path, find: Finder) -> dict[str, tuple[int, int, int]]:
    """By half of the photographs: false faces, photographs with one, photographs."""
    counts = {"half 0": (0, 0, 0), "half 1": (0, 0, 0)}
    for path in photo_paths(data):
        false = len(find(read_rgb(path)))
        half = "half 0" if photo_split(path, 0) == "test" else "half 1"
        faces, photos, total = counts[half]
        counts[half] = faces + false, photos + bool(false), total + 1
    return counts


def frame_by_frame(find: Finder) -> Callable[[Frame], Found]:
    """``find`` as something that takes a clip's frames and remembers nothing."""
    return lambda frame: find(frame.image)


def main() -> None:
    """Print the table of the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data folder (LIKENESS_DATA)")
    parser.add_argument("--weights", type=Path, help="an ONNX file other than the shipped one")
    parser.add_argument("--threshold", type=float, default=FinderSettings().threshold)
    parser.add_argument("--every", type=int, default=5, help="for finders without memory: each nth frame of the clips")
    parser.add_argument("--parts", nargs="+", default=["portraits", "tracked", "clips", "photos"])
    options = parser.parse_args()
    cv2.setNumThreads(2)
    finder = FaceFinder(FinderSettings(threshold=options.threshold), LandmarkModel(options.weights))
    ours, peer = our_finder(finder), yunet(options.data)

    def tracked() -> Callable[[Frame], Found]:
        tracker = Tracker(finder=finder)
        return lambda frame: [(face.box, face.landmarks) for _, face in tracker.update(frame)]

    if "portraits" in options.parts:
        print("110 portraits   ours ", score_portraits(options.data, ours), flush=True)
        print("110 portraits   YuNet", score_portraits(options.data, peer), flush=True)
    if "tracked" in options.parts:
        print("11 GRID clips   ours, tracked", score_clips(options.data, tracked), flush=True)
    if "clips" in options.parts:
        for name, find in (("ours, each frame alone", ours), ("YuNet", peer)):
            alone = score_clips(options.data, partial(frame_by_frame, find), options.every)
            print(f"11 GRID clips, 1 frame in {options.every}   {name}", alone, flush=True)
    if "photos" in options.parts:
        for name, find in (("ours", ours), ("YuNet", peer)):
            for half, (faces, photos, total) in false_faces(options.data, find).items():
                low, high = wilson(photos, total)
                print(
                    f"photographs, {half}   {name} {faces} false faces in {photos} of {total} [{low:.1f}, {high:.1f}] %"
                )


if __name__ == "__main__":
    main()
