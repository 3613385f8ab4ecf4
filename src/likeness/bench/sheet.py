"""What the figures are of: a few frames of each candidate under one another, for whoever runs the benchmark."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from likeness.errors import StorageError
from likeness.make.preview import NOTICE, write_sheet

_COLUMNS = 5
_CAPTION_PX, _FONT_PX = 26, 15


def write_strip(path: Path, caption: str, images: np.ndarray, made: bool) -> None:
    """Five frames of ``images`` uint8 (T, h, w, 3) side by side under ``caption``.

    Where the faces were ``made``, not filmed, the caption begins by saying so. Raises StorageError.
    """
    chosen = images[np.linspace(0, len(images) - 1, _COLUMNS + 2).round().astype(int)[1:-1]]
    frames = np.hstack(list(chosen))
    head = Image.new("RGB", (frames.shape[1], _CAPTION_PX), "white")
    text = f"{NOTICE}: {caption}" if made else caption
    ImageDraw.Draw(head).text((6, 4), text, fill="black", font=ImageFont.load_default(_FONT_PX))
    write_sheet(path, np.vstack([np.asarray(head), frames]))


def write_contact_sheet(path: Path, strips: list[Path]) -> None:
    """The ``strips`` of one pair, captions included, one under the other. Raises StorageError."""
    try:
        rows = [np.asarray(Image.open(strip).convert("RGB")) for strip in strips]
    except OSError as error:
        raise StorageError(f"{error.filename or strips[0].parent} cannot be read. Delete it and run again.") from error
    write_sheet(path, np.vstack(rows))
