"""Does the face carry the same sensor noise and compression as what surrounds it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread_pairs
from likeness.examiner import Figure
from likeness.faces.align import TEMPLATE, apply, invert, umeyama
from likeness.faces.face import Face, Track
from likeness.faces.hull import face_outline
from likeness.media.clip import Clip

_PATCH = 20  # pixels a side, never resampled
_SLACK = 3  # pixels by which the landmarks may misplace a patch from one frame to the next
_BLOCK = 8  # pixels: the side of the blocks in which JPEG, MPEG and most of H.264 quantise
_RESIDUAL_GAIN = 6.0  # root of the summed squares of the residual's 3×3 kernel: white noise keeps its deviation
_FLOOR = 0.1  # grey levels: less than rounding to 8 bits leaves (0.29)
_SPACING = 0.18  # of the TEMPLATE's unit, between the middles of patches
_EXTENT = ((-0.45, -0.45), (1.45, 1.55))  # of the lattice of patches, in TEMPLATE's unit
_PAIRED_TEXTURE = 0.2  # of a patch's structure must be there to follow it from frame to frame, in grey levels


@dataclass(frozen=True)
class NoiseSettings:
    """Which patches may be compared. Lengths named ``…_part`` are parts of the mean face's width."""

    narrowest_px: float = 64.0  # below, no patch fits between the eyes and the edge of the face
    largest_yaw: float = 40.0  # degrees: beyond, one side of the surroundings is hidden
    most_frames: int = 48
    longest_gap_s: float = 0.1  # between two frames that are taken to show the same noise-free picture
    least_frames: int = 8  # of a moving clip
    guard_part: float = 0.05  # left out on both sides of the hull's edge: it may be blended
    nearest_part: float = 0.45  # how far from the hull the surroundings reach
    grey_range: tuple[float, float] = (16.0, 235.0)  # noise is clipped beyond
    greatest_texture: float = 14.0  # grey levels: patches with more structure than that hide their noise
    like_grey: float = 20.0  # grey levels within which noise depends little on brightness
    like_texture: float = 0.5  # log2 within which two patches count as equally structured
    least_matches: int = 3
    least_patches: int = 12  # of the face must find their like outside, in all frames of a clip together
    least_in_picture: int = 3
    least_noise: float = 0.4  # grey levels in the surroundings: rounding to 8 bits alone leaves 0.29
    least_followed: int = 40  # patches from frame to frame, on each side
    most_followed: int = 10  # pairs of frames: enough patches for a median, and following them takes time
    least_blocking: float = 0.05  # log2 by which steps between blocks must stand out to show a grid at all


@dataclass(frozen=True, eq=False)
class NoisePatches:
    """The patches of one face in one frame, none of them resampled.

    ``grey`` uint8 (n, 20, 20); ``inside`` bool (n,), on the face rather than around it; ``places`` int (n,), which
    point of the lattice each lies at, the same in every frame; ``corners`` int (n, 2), x and y of the first pixel.
    """

    time_s: float
    grey: np.ndarray
    inside: np.ndarray
    places: np.ndarray
    corners: np.ndarray


@dataclass(frozen=True, eq=False)
class PatchTable:
    """All patches of a track, one row each: the moment, the side, brightness, structure and residual (grey levels)."""

    frame: np.ndarray
    inside: np.ndarray
    brightness: np.ndarray
    texture: np.ndarray
    residual: np.ndarray


class Noise(Cue[NoisePatches]):
    """A swapped face is drawn by a decoder: it has no sensor noise, and was not compressed along with the rest.

    Every camera leaves noise in every frame, and every codec its grid of blocks, on a face as much as beside it.
    Features: ``cleanness``, log2 of how many times less residual noise the face has than equally bright, equally
    structured patches around it; ``clinging``, how much more of the residual stays with the face from frame to frame
    (drawn texture stays, noise is new in each frame), as a difference of correlations; ``grid_lost``, log2 of how much
    less the face shows the grid of blocks that its surroundings show. A single picture has ``picture_cleanness`` and
    ``picture_grid_lost``.

    The residual is that of Immerkær 1996 (Fast noise variance estimation), one of the rich models of Fridrich and
    Kodovský 2012 that Zhou et al. 2018 (Learning rich features for image manipulation detection) look through. Noise as
    a mark of origin: Lukáš, Fridrich & Goljan 2006; Cozzolino & Verdoliva 2020 (Noiseprint). Blocks: Fan & de Queiroz
    2003. Abstains on faces under 64 px, on few frames, where nothing around is like the face, and where compression has
    removed all noise. The forehead counts as surroundings: a swap that redraws it too is measured against the rest.
    """

    name = "noise"
    without_faces = "No face was found, so there is no noise to compare with that of the background."

    def __init__(self, settings: NoiseSettings | None = None, calibration: CueCalibration | None = None) -> None:
        super().__init__(calibration)
        self.settings = settings or NoiseSettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        usable, least = len(self._usable(track)), self._least_frames(clip)
        if usable < least:
            return (
                f"Only {usable} frames show the face at least {self.settings.narrowest_px:.0f} px wide and turned "
                f"less than {self.settings.largest_yaw:.0f}°; its noise needs {least}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread_pairs(self._usable(track), self.settings.most_frames, self.settings.longest_gap_s)

    def note(self, sighting: Sighting) -> NoisePatches | None:
        return patches_of(sighting, self.settings)

    def measure(self, clip: Clip, track: Track, notes: Sequence[NoisePatches]) -> Measurement | str:
        settings = self.settings
        if len(notes) < self._least_frames(clip):
            return "Too little of the face or of its surroundings lies in the picture to compare their noise."
        table = patch_table(notes, settings)
        differences = matched_differences(table, settings)
        compared = np.isfinite(differences)
        if compared.sum() < (settings.least_in_picture if clip.kind == "picture" else settings.least_patches):
            return "Nothing smooth around the face is as bright as the face, so their noise cannot be compared."
        around = np.exp2(differences[compared]) * (table.residual[compared] + _FLOOR) - _FLOOR
        noise = float(np.median(around))
        if noise < settings.least_noise:
            return "Compression has removed the noise from the whole picture, so the face cannot lack it."
        values = {"cleanness": float(np.nanmedian(differences))}
        values |= _optional("clinging", clinging(notes, settings))
        values |= _optional("grid_lost", grid_lost(notes, settings))
        details: dict[str, float | str | int | bool | None] = {
            "frames": len(notes),
            "noise_around_grey_levels": round(noise, 3),
            "patches_compared": int(compared.sum()),
        }
        if clip.kind == "picture":
            return Measurement({f"picture_{name}": value for name, value in values.items()}, details=details)
        times, curve = _curve(table, differences, notes)
        high = self.calibration.frame_high("cleanness")
        shortest = 2 * float(np.median(np.diff(times)))
        return Measurement(
            values,
            spans=[] if high is None else spans_above(times, curve, high, shortest),
            figure=_figure(times, curve, high),
            details=details,
        )

    def sentence(self, measured: Measurement) -> str:
        values, calibration = measured.values, self.calibration
        prefix = "picture_" if any(name.startswith("picture_") for name in values) else ""
        parts = []
        for name, above, below in (
            ("cleanness", "The face has {:.2f} times less noise than its surroundings", "{:.2f} times more noise"),
            ("grid_lost", "It shows the codec's blocks {:.2f} times less than they do", "{:.2f} times more"),
        ):
            if (value := values.get(prefix + name)) is not None:
                said = above if value >= 0 else f"{above[: above.index('{')]}{below}{above[above.index(' than') :]}"
                rarity = calibration.rarity(prefix + name, value)
                parts.append(f"{said.format(2 ** abs(value))} (as little or less: {rarity}).")
        if (value := values.get("clinging")) is not None:
            rarity = calibration.rarity("clinging", value)
            parts.append(
                f"From frame to frame {abs(value):.2f} {'more' if value >= 0 else 'less'} of its fine texture stays "
                f"than of theirs (as much or more: {rarity})."
            )
        return " ".join(parts)

    def _least_frames(self, clip: Clip) -> int:
        return 1 if clip.kind == "picture" else self.settings.least_frames

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)


def patches_of(sighting: Sighting, settings: NoiseSettings) -> NoisePatches | None:
    """Cut the patches on and around one face out of its frame; None where one of the two sides is out of sight."""
    image, face = sighting.frame.image, sighting.face
    to_image = invert(umeyama(face.landmarks, TEMPLATE))
    width = float(np.hypot(*to_image[:, 0]))
    lattice = apply(to_image, _lattice())
    outline = face_outline(face.landmarks)
    depth = np.array([cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in lattice])
    margin = _PATCH / 2 + settings.guard_part * width
    corners = np.floor(lattice).astype(int) - _PATCH // 2
    height, breadth = image.shape[:2]
    in_picture = (corners >= 0).all(axis=1) & (corners + _PATCH <= (breadth, height)).all(axis=1)
    near = depth >= -margin - settings.nearest_part * width
    places = np.flatnonzero(in_picture & near & (np.abs(depth) >= margin))
    inside = depth[places] > 0
    if not inside.any() or inside.all():
        return None
    grey = np.stack([_grey_patch(image, corners[place]) for place in places])
    return NoisePatches(sighting.frame.time_s, grey, inside, places, corners[places])


def patch_table(notes: Sequence[NoisePatches], settings: NoiseSettings) -> PatchTable:
    """Brightness, structure and residual of every patch that is smooth and neither black nor white."""
    grey = np.concatenate([note.grey for note in notes]).astype(np.float32)
    frame = np.repeat(np.arange(len(notes)), [len(note.grey) for note in notes])
    inside = np.concatenate([note.inside for note in notes])
    brightness = grey.mean(axis=(1, 2))
    # Structure is what 4×4 means show, which noise hardly reaches; shading, a slope, hides no noise.
    coarse = grey.reshape(len(grey), _PATCH // 4, 4, _PATCH // 4, 4).mean(axis=(2, 4)).reshape(len(grey), -1)
    texture = (coarse @ _without_slope()).std(axis=1)
    residual = np.abs(residual_of(grey)).mean(axis=(1, 2)) * np.sqrt(np.pi / 2)
    low, high = settings.grey_range
    fit = (brightness >= low) & (brightness <= high) & (texture <= settings.greatest_texture)
    return PatchTable(frame[fit], inside[fit], brightness[fit], texture[fit], residual[fit])


def residual_of(grey: np.ndarray) -> np.ndarray:
    """The noise residual (n, h − 2, w − 2) of patches (n, h, w): second differences across both axes.

    Immerkær 1996, equation 2: slopes and straight edges along an axis leave nothing; white noise keeps its deviation.
    """
    residual: np.ndarray = np.diff(np.diff(grey, 2, axis=1), 2, axis=2) / _RESIDUAL_GAIN
    return residual


def matched_differences(table: PatchTable, settings: NoiseSettings) -> np.ndarray:
    """log2 of how many times less residual each patch of the face has than its like around it: float64, by patch.

    Like are patches outside, in any frame, of nearly the same brightness and structure; NaN where there are too few,
    and for patches that are not on the face.
    """
    level = np.log2(table.residual + _FLOOR)
    texture = np.log2(table.texture + _FLOOR)
    differences = np.full(len(level), np.nan)
    outside = np.flatnonzero(~table.inside)
    for row in np.flatnonzero(table.inside):
        like = (np.abs(table.brightness[outside] - table.brightness[row]) <= settings.like_grey) & (
            np.abs(texture[outside] - texture[row]) <= settings.like_texture
        )
        if like.sum() >= settings.least_matches:
            differences[row] = np.median(level[outside[like]]) - level[row]
    return differences


def clinging(notes: Sequence[NoisePatches], settings: NoiseSettings) -> float | None:
    """How much more the residual of the face resembles that of the frame before than the surroundings' does.

    A difference of median correlations, in [-2, 2]; each patch is first found again to the pixel by its structure.
    None where too few patches could be followed.
    """
    found: dict[bool, list[float]] = {True: [], False: []}
    pairs = [
        (before, after) for before, after in pairwise(notes) if after.time_s - before.time_s <= settings.longest_gap_s
    ]
    for before, after in pairs[:: max(1, -(-len(pairs) // settings.most_followed))]:
        _, rows, columns = np.intersect1d(before.places, after.places, return_indices=True)
        for row, column in zip(rows, columns, strict=True):
            correlation = _resemblance(before.grey[row], after.grey[column])
            if correlation is not None:
                found[bool(before.inside[row])].append(correlation)
    if min(len(side) for side in found.values()) < settings.least_followed:
        return None
    return float(np.median(found[True]) - np.median(found[False]))


def grid_lost(notes: Sequence[NoisePatches], settings: NoiseSettings) -> float | None:
    """log2 of how much less the face steps at the edges of 8×8 blocks than its surroundings do.

    The grid is looked for in the surroundings, at every one of its eight positions along each axis. None where they
    show none.
    """
    corners = np.concatenate([note.corners for note in notes])
    grey = np.concatenate([note.grey for note in notes]).astype(np.float32)
    inside = np.concatenate([note.inside for note in notes])
    lost = []
    for axis in (0, 1):  # x, y
        bends = _bends_by_phase(grey, corners, axis)
        outer, inner = (np.log2(np.median(bends[side], axis=0) + _FLOOR) for side in (~inside, inside))
        phase = int(outer.argmax())
        standing_out = [float(levels[phase] - np.median(levels)) for levels in (outer, inner)]
        if standing_out[0] >= settings.least_blocking:
            lost.append(standing_out[0] - standing_out[1])
    return float(np.mean(lost)) if lost else None


@cache
def _lattice() -> np.ndarray:
    """The middles of all patches, float64 (n, 2), in TEMPLATE's unit square and around it."""
    low, high = _EXTENT
    xs, ys = (np.arange(low[axis], high[axis], _SPACING) for axis in (0, 1))
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


@cache
def _without_slope() -> np.ndarray:
    """The projection (25, 25) that takes the plane out of a patch's 5×5 coarse pixels."""
    rows, columns = np.indices((_PATCH // 4, _PATCH // 4)).reshape(2, -1)
    plane = np.linalg.qr(np.column_stack([np.ones(len(rows)), rows, columns]))[0]
    return np.eye(len(rows)) - plane @ plane.T


def _grey_patch(image: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The green channel: half of a sensor's pixels are green, so it is interpolated least."""
    x, y = corner
    return image[y : y + _PATCH, x : x + _PATCH, 1]


def _resemblance(before: np.ndarray, after: np.ndarray) -> float | None:
    """The correlation of two patches' residuals (20, 20) where their structure fits best; None where there is none."""
    middle = before[_SLACK:-_SLACK, _SLACK:-_SLACK]
    smooth, pattern = (cv2.GaussianBlur(patch, (0, 0), 1.0).astype(np.float32) for patch in (after, middle))
    if pattern.std() < _PAIRED_TEXTURE:
        return None
    x, y = cv2.minMaxLoc(cv2.matchTemplate(smooth, pattern, cv2.TM_SQDIFF))[2]
    side = middle.shape[0]
    one, other = (
        patch.astype(np.float32) - cv2.blur(patch.astype(np.float32), (3, 3))
        for patch in (middle, after[y : y + side, x : x + side])
    )
    spread_of = float(one.std() * other.std())
    return float((one * other).mean() - one.mean() * other.mean()) / spread_of if spread_of > 1e-6 else None


def _bends_by_phase(grey: np.ndarray, corners: np.ndarray, axis: int) -> np.ndarray:
    """Mean absolute third difference (n, 8) across ``axis`` of each patch, by the position in a block of 8 pixels.

    Position p is the step between the pixels p − 1 and p of the picture, counted modulo 8. A third difference is
    largest where it is centred on a step, and leaves nothing of shading.
    """
    along = grey if axis == 0 else grey.transpose(0, 2, 1)
    bends = np.abs(np.diff(along, 3, axis=2)).mean(axis=1)  # (n, 17): bend i is centred on the step from i + 1 to i + 2
    first = (corners[:, axis] + 2) % _BLOCK
    turned = np.empty((len(grey), _BLOCK), np.float64)
    for phase in range(_BLOCK):
        columns = (phase - first) % _BLOCK
        turned[:, phase] = (bends[np.arange(len(grey)), columns] + bends[np.arange(len(grey)), columns + _BLOCK]) / 2
    return turned


def _curve(table: PatchTable, differences: np.ndarray, notes: Sequence[NoisePatches]) -> tuple[np.ndarray, np.ndarray]:
    """Time and median difference of every frame; NaN where a frame has no patch that found its like."""
    times = np.array([note.time_s for note in notes])
    curve = np.full(len(notes), np.nan)
    for row in range(len(notes)):
        own = differences[(table.frame == row) & np.isfinite(differences)]
        if len(own):
            curve[row] = np.median(own)
    return times, curve


def _optional(name: str, value: float | None) -> dict[str, float]:
    return {} if value is None else {name: value}


def _figure(times: np.ndarray, curve: np.ndarray, high: float | None) -> Figure:
    levels = {"as noisy": 0.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title="How much less noise the face has than its surroundings",
        y_label="cleanness (log2)",
        times_s=[round(float(t), 3) for t in times],
        values=[round(float(v), 3) if np.isfinite(v) else None for v in curve],
        levels=levels,
    )
