"""The preview sheet: how far the training is, at one look."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.files import atomic_write

NOTICE = "AI-generated preview"
_COLUMNS = ("A", "A'", "A as B", "B", "B'", "B as A")
_HEADER_PX, _GAP_PX = 44, 2
_FONT_PX = 16


def preview_sheet(columns: list[np.ndarray], note: str = "") -> np.ndarray:
    """A sheet uint8 (height, width, 3) under a header that says it is generated.

    ``columns`` are the six pictures of each row, float (n, size, size, 3) in [0, 1]: A, A', A→B, B, B', B→A, where ' is
    rebuilt and → is swapped.
    """
    rows, size = len(columns[0]), columns[0].shape[1]
    width, height = len(columns) * (size + _GAP_PX) - _GAP_PX, rows * (size + _GAP_PX) - _GAP_PX + _HEADER_PX
    sheet = np.full((height, width, 3), 255, np.uint8)
    for number, column in enumerate(columns):
        x = number * (size + _GAP_PX)
        for row, picture in enumerate(column):
            y = _HEADER_PX + row * (size + _GAP_PX)
            sheet[y : y + size, x : x + size] = np.round(np.clip(picture, 0, 1) * 255)
    image = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT_PX)
    draw.text((4, 2), f"{NOTICE}  {note}".rstrip(), fill="black", font=font)
    for number, name in enumerate(_COLUMNS):
        draw.text((number * (size + _GAP_PX) + 4, _HEADER_PX // 2), name, fill="black", font=font)
    return np.asarray(image)


def write_sheet(path: Path, sheet: np.ndarray) -> None:
    """Write a preview sheet as a picture; raises StorageError."""
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary)
