from pathlib import Path

import numpy as np
from PIL import Image

from likeness.make.preview import preview_sheet, write_sheet


def test_the_sheet_has_six_columns_under_its_notice(tmp_path: Path):
    columns = [np.full((3, 64, 64, 3), shade / 5, np.float32) for shade in range(6)]
    sheet = preview_sheet(columns, "iteration 5")
    height = sheet.shape[0] - 3 * 66 + 2
    assert sheet.shape[1] == 6 * 66 - 2
    assert (sheet[:height] < 128).any()  # the notice is written in black on white
    for shade in range(6):
        assert (sheet[height + 5, shade * 66 + 5] == round(255 * shade / 5)).all()
    write_sheet(tmp_path / "preview.png", sheet)
    with Image.open(tmp_path / "preview.png") as picture:
        assert picture.size == (sheet.shape[1], sheet.shape[0])
