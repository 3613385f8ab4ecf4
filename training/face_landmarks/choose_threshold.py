"""Where to draw the line between face and no face, on validation pictures alone.

    python -m training.face_landmarks.choose_threshold --data "$LIKENESS_DATA" [--weights FILE.onnx]

Faces: the 50 validation portraits as they are, small (face about 40 px), dark, blurred and leaning. No faces: the
validation photographs of the half that was trained on, as they are and enlarged about their middle.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from likeness.faces.finder import FaceFinder, FinderSettings, box_of, overlap
from likeness.faces.landmarks import LandmarkModel
from training.face_landmarks.data import load_portraits, photo_paths, read_rgb

THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999)


def spoilt(image: np.ndarray, landmarks: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The portrait in five conditions, with its landmarks."""
    height, width = image.shape[:2]
    yield image, landmarks
    yield cv2.resize(image, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA), landmarks * 0.2
    yield (image * 0.25).astype(np.uint8), landmarks
    yield cv2.GaussianBlur(image, (0, 0), 6), landmarks
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 30, 0.8)
    yield cv2.warpAffine(image, turn, (width, height)), landmarks @ turn[:, :2].T + turn[:, 2]


def main() -> None:
    """Print recall and false faces at every threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data folder (LIKENESS_DATA)")
    parser.add_argument("--weights", type=Path, help="an ONNX file other than the shipped one")
    parser.add_argument("--half", type=int, choices=(0, 1), default=0, help="as in training")
    options = parser.parse_args()
    finder = FaceFinder(FinderSettings(threshold=THRESHOLDS[0]), LandmarkModel(options.weights))
    faces, surest, false = load_portraits(options.data, "validation"), [], []
    for portrait, teacher in zip(faces.images, faces.landmarks, strict=True):
        for image, landmarks in spoilt(portrait, teacher):
            hits = [face.confidence for face in finder.find(image) if overlap(face.box, box_of(landmarks)) > 0.4]
            surest.append(max(hits, default=0.0))
    for path in photo_paths(options.data, "validation", options.half):
        photo = read_rgb(path)
        height, width = photo.shape[:2]
        middle = photo[height // 4 : -height // 4, width // 4 : -width // 4]
        for image in (photo, cv2.resize(middle, (width, height))):
            false += [face.confidence for face in finder.find(image)]
    plain = np.array(surest[::5])
    for threshold in THRESHOLDS:
        kept, spoilt_kept = (plain >= threshold).mean(), (np.array(surest) >= threshold).mean()
        taken = (np.array(false) >= threshold).sum()
        print(
            f"{threshold:.3f}: plain {100 * kept:.1f} %, all {100 * spoilt_kept:.1f} %, false faces {taken}", flush=True
        )


if __name__ == "__main__":
    main()
