"""ISCC codes: what iscc-core computes conforms, and ours are put together from it; without it, one clear line."""

import sys
from pathlib import Path

import numpy as np
import pytest
from pictured import scene
from PIL import Image

from likeness.errors import BadMediaError, MissingDataError
from likeness.prove.iscc import image_code, iscc_codes


def test_without_the_package_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "iscc_core", None)
    with pytest.raises(MissingDataError, match="pip install iscc-core"):
        iscc_codes(tmp_path / "a.png")


def test_the_conformance_vectors_of_iscc_core_hold() -> None:
    iscc_core = pytest.importorskip("iscc_core", reason="iscc-core is not installed")
    vectors = list(iscc_core.conformance_testdata())
    assert {"gen_image_code_v0", "gen_data_code_v0", "gen_instance_code_v0"} <= {v[1].__name__ for v in vectors}
    for name, function, inputs, outputs in vectors:
        assert function(*inputs) == outputs, name


def test_the_image_code_is_that_of_32_by_32_grey_values() -> None:
    iscc_core = pytest.importorskip("iscc_core", reason="iscc-core is not installed")
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8), 3, axis=2)
    assert image_code(grey) == iscc_core.gen_image_code_v0(grey[..., 0].ravel().tolist())["iscc"]


def test_codes_of_pictures_and_other_files(tmp_path: Path) -> None:
    pytest.importorskip("iscc_core", reason="iscc-core is not installed")
    Image.fromarray(scene(1)).save(tmp_path / "a.png")
    Image.fromarray(scene(1)).save(tmp_path / "b.jpg", quality=80)
    png, jpg = iscc_codes(tmp_path / "a.png"), iscc_codes(tmp_path / "b.jpg")
    assert png == iscc_codes(tmp_path / "a.png")
    assert png.image is not None
    assert png.image == jpg.image
    assert png.instance != jpg.instance
    assert all(code.startswith("ISCC:") for code in (png.code, png.image, png.data, png.instance))


def test_a_clip_has_the_codes_of_its_data_only() -> None:
    pytest.importorskip("iscc_core", reason="iscc-core is not installed")
    from likeness.footage import footage

    codes = iscc_codes(footage().actor_a.path)
    assert codes.image is None
    assert codes.code.startswith("ISCC:K")


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("iscc_core", reason="iscc-core is not installed")
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(BadMediaError):
        iscc_codes(tmp_path / "a.txt")
