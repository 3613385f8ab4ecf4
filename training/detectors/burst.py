"""A burst: a few consecutive frames around one face, which everything in this folder is made of."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from likeness.faces.align import apply


@dataclass(frozen=True, eq=False)
class Burst:
    """``frames`` uint8 (n, h, w, 3) RGB and ``landmarks`` float32 (n, 68, 2) in their pixels; ``person`` is who is
    seen, ``kind`` the kind of footage: portraits, actors, talking heads, signing."""

    frames: np.ndarray
    landmarks: np.ndarray
    person: str
    kind: str

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def face_px(self) -> float:
        """Median width of the face in pixels."""
        return float(np.median(np.ptp(self.landmarks[:, :, 0], axis=1)))

    def with_frames(self, frames: np.ndarray) -> "Burst":
        """The same burst with other pixels."""
        return replace(self, frames=frames)

    def taken(self, rows: slice) -> "Burst":
        """Some of its frames."""
        return replace(self, frames=self.frames[rows], landmarks=self.landmarks[rows])

    def seen_through(self, matrices: np.ndarray, size: tuple[int, int]) -> "Burst":
        """Each frame seen through its matrix (n, 2, 3), in pictures of ``size`` (width, height)."""
        frames = [
            cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
            for frame, matrix in zip(self.frames, matrices, strict=True)
        ]
        points = [apply(matrix, one) for matrix, one in zip(matrices, self.landmarks, strict=True)]
        return replace(self, frames=np.stack(frames), landmarks=np.array(points, np.float32))


def resized(burst: Burst, factor: float) -> Burst:
    """``burst`` with sides ``factor`` times as long, made even, as video codecs want them."""
    height, width = burst.frames.shape[1:3]
    size = max(2 * round(width * factor / 2), 32), max(2 * round(height * factor / 2), 32)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    frames = np.stack([cv2.resize(frame, size, interpolation=how) for frame in burst.frames])
    factors = np.array(size) / [width, height]
    return replace(burst, frames=frames, landmarks=((burst.landmarks + 0.5) * factors - 0.5).astype(np.float32))
