"""A sheet to approve before the long run: a few frames as they are and as they would be, spread over time and poses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.errors import SettingsError
from likeness.faces.align import apply, invert
from likeness.faces.pose import pose_of
from likeness.files import check_output
from likeness.make.follow import FacePath
from likeness.make.label import SyntheticLabel
from likeness.make.preview import NOTICE
from likeness.make.swap import Prepared, prepare, source_file
from likeness.make.swapper import Swapper, SwapSettings
from likeness.media.clip import Clip, Frame
from likeness.media.writer import write_picture
from likeness.progress import tracked

_TILE_PX, _GAP_PX = 256, 4
_CAPTION_PX, _FONT_PX = 22, 14
_HEAD_PX = 160  # room for the visible label above the pictures
_AROUND = 1.6  # face widths that a close-up shows
_COLUMNS = ("frame", "swapped", "face", "swapped")
_TURN_DEG, _NOD_DEG = 30.0, 20.0  # differences of pose that count as much as the whole length of the clip


@dataclass(frozen=True)
class Shown:
    """One row of the sheet: frame number ``index``, the face of the path number ``path`` in it."""

    index: int
    path: int


def approval_sheet(
    clip: Path,
    model: Path,
    consent: Path,
    out: Path,
    sheet: Path,
    settings: SwapSettings | None = None,
    rows: int = 8,
) -> int:
    """Write ``rows`` frames before and after the swap to the picture ``sheet`` and return how many there are.

    All else is as for `swap.swap_clip`, which, called afterwards for the same ``out``, need not look for the faces
    again. The sheet shows swapped frames, so it is labelled, marked and signed like any. Raises as `swap_clip` does.
    """
    settings, sheet = settings or SwapSettings(), Path(sheet)
    if sheet.suffix.lower() != ".png":
        raise SettingsError(f"The sheet is written as .png: rename {sheet}.")
    if not 1 <= rows <= 100:
        raise SettingsError("A sheet has 1 to 100 rows.")
    check_output(sheet, [Path(clip), Path(out)])
    ready = prepare(clip, model, consent, out, settings)
    shown = spread(ready.paths, rows)
    drawn = [
        _row(frame, _swapped(frame, ready, settings), ready.paths[one.path])
        for frame, one in _frames(ready.footage, shown)
    ]
    label = SyntheticLabel("swap", source=source_file(ready.footage), model=Path(model).name, consent=ready.consent)
    write_picture(sheet, _sheet(drawn, f"{Path(clip).name}, {Path(model).name}"), labelling=label)
    return len(drawn)


def spread(paths: Sequence[FacePath], count: int) -> list[Shown]:
    """Up to ``count`` frames in order of time, far from one another in time and pose: each next one is the farthest
    from those chosen (Gonzalez 1985)."""
    seen = [(Shown(int(frame), number), path, place) for number, path in enumerate(paths)
            for place, frame in enumerate(path.frames)]  # fmt: skip
    last = max(one.index for one, _, _ in seen)
    features = []
    for one, path, place in seen:
        yaw, pitch, _ = pose_of(path.landmarks[place])
        features.append((one.index / max(last, 1), yaw / _TURN_DEG, pitch / _NOD_DEG))
    points = np.array(features)
    chosen = [int(np.abs(points - np.median(points, axis=0)).sum(axis=1).argmin())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    taken = {seen[chosen[0]][0].index}
    while len(chosen) < count:
        distance[[number for number, (one, _, _) in enumerate(seen) if one.index in taken]] = -1.0
        farthest = int(distance.argmax())
        if distance[farthest] < 0:
            break
        chosen.append(farthest)
        taken.add(seen[farthest][0].index)
        distance = np.minimum(distance, np.linalg.norm(points - points[farthest], axis=1))
    return sorted((seen[number][0] for number in chosen), key=lambda one: one.index)


def _frames(footage: Clip, shown: Sequence[Shown]) -> Iterator[tuple[Frame, Shown]]:
    wanted = {one.index: one for one in shown}
    for frame in tracked(footage.frames(), "Looking for the frames", total=footage.frame_count):
        if frame.index in wanted:
            yield frame, wanted.pop(frame.index)
        if not wanted:
            return


def _swapped(frame: Frame, ready: Prepared, settings: SwapSettings) -> Frame:
    [made] = Swapper(ready.model, ready.paths, settings).frames([frame])
    return made


def _row(before: Frame, after: Frame, path: FacePath) -> np.ndarray:
    """Frame, swapped frame and both close up, under a caption: uint8 (h, w, 3)."""
    place = path.at(before.index)
    assert place is not None
    points = apply(invert(place.matrix), place.landmarks)
    height, width = before.image.shape[:2]
    side = min(_AROUND * float(np.ptp(points[:, 0])), height, width)
    x, y = np.clip(points.mean(axis=0) - side / 2, 0, (width - side, height - side))
    box = (x, y, x + side, y + side)
    tiles = []
    for frame in (before, after):
        picture = Image.fromarray(frame.image)
        whole = Image.new("RGB", (_TILE_PX, _TILE_PX), "white")
        small = picture.copy()
        small.thumbnail((_TILE_PX, _TILE_PX), Image.Resampling.LANCZOS)
        whole.paste(small, ((_TILE_PX - small.width) // 2, (_TILE_PX - small.height) // 2))
        close = picture.transform((_TILE_PX, _TILE_PX), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC)
        tiles.append((whole, close))
    row = Image.new("RGB", (4 * _TILE_PX + 3 * _GAP_PX, _TILE_PX + _CAPTION_PX), "white")
    for column, tile in enumerate((tiles[0][0], tiles[1][0], tiles[0][1], tiles[1][1])):
        row.paste(tile, (column * (_TILE_PX + _GAP_PX), _CAPTION_PX))
    yaw, pitch, _ = pose_of(place.landmarks)
    caption = f"{before.time_s:.2f} s   track {path.track}   turned {yaw:+.0f}°, raised {pitch:+.0f}°"
    ImageDraw.Draw(row).text((4, 3), caption, fill="black", font=ImageFont.load_default(_FONT_PX))
    return np.asarray(row)


def _sheet(rows: list[np.ndarray], note: str) -> np.ndarray:
    head = Image.new("RGB", (rows[0].shape[1], _HEAD_PX), "white")
    draw, font = ImageDraw.Draw(head), ImageFont.load_default(_FONT_PX)
    draw.text((4, 3), f"{NOTICE}  {note}", fill="black", font=font)
    for number, name in enumerate(_COLUMNS):
        draw.text((number * (_TILE_PX + _GAP_PX) + 4, _HEAD_PX - _CAPTION_PX + 3), name, fill="black", font=font)
    return np.vstack([np.asarray(head), *rows])
