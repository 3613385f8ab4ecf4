"""Many faces at one look: the preview of a training, the grid of a sample, and faces beside their nearest."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.make.preview import NOTICE

_HEADER_PX, _GAP_PX, _FONT_PX = 24, 2, 16


def grid(pictures: np.ndarray, columns: int | None = None, scale: int = 1) -> np.ndarray:
    """``pictures`` uint8 (n, s, s, 3) row by row as one, uint8 (h, w, 3); about as high as wide unless told
    otherwise."""
    count, size = len(pictures), pictures.shape[1] * scale
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    step = size + _GAP_PX
    sheet = np.full((rows * step - _GAP_PX, columns * step - _GAP_PX, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // columns * step, number % columns * step
        sheet[y : y + size, x : x + size] = enlarged(picture, size)
    return sheet


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """``picture`` uint8 (s, s, 3) at ``side`` pixels, smoothly."""
    if picture.shape[0] == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))


def portrait_sheet(pictures: np.ndarray, note: str = "", columns: int | None = None, scale: int = 2) -> np.ndarray:
    """A grid of ``pictures`` under a header that says they are generated: uint8 (h, w, 3), for whoever trains."""
    sheet = grid(pictures, columns, scale)
    head = Image.new("RGB", (sheet.shape[1], _HEADER_PX), "white")
    text = f"{NOTICE}  {note}".rstrip()
    ImageDraw.Draw(head).text((4, 2), text, fill="black", font=ImageFont.load_default(_FONT_PX))
    return np.vstack([np.asarray(head), sheet])
