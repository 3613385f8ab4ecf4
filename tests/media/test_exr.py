import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.errors import BadMediaError
from likeness.media import exr
from likeness.media.clip import open_clip
from likeness.media.limits import Limits

# OpenCV's own codec reads and writes EXR as an independent implementation. It is off unless the environment asks for
# it before OpenCV is loaded, hence another process.
_OPENCV = """
import sys, cv2, numpy as np
kind, source, target = sys.argv[1:4]
if kind == "read":
    np.save(target, cv2.imread(source, cv2.IMREAD_UNCHANGED)[:, :, ::-1])
else:
    options = [cv2.IMWRITE_EXR_TYPE, int(sys.argv[4]), cv2.IMWRITE_EXR_COMPRESSION, int(sys.argv[5])]
    cv2.imwrite(target, np.ascontiguousarray(np.load(source)[:, :, ::-1]), options)
"""
HALF, FLOAT = 1, 2
NONE, ZIPS, ZIP, PIZ = 0, 2, 3, 4


def _opencv(*arguments: object) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _OPENCV, *map(str, arguments)],
        env={**os.environ, "OPENCV_IO_ENABLE_OPENEXR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        pytest.skip(f"this OpenCV has no EXR: {run.stderr.splitlines()[-1]}")


def _picture(height: int = 37, width: int = 53) -> np.ndarray:
    rng = np.random.default_rng(height * width)
    return np.clip(rng.normal(128, 60, (height, width, 3)).cumsum(axis=1) % 256, 0, 255).astype(np.uint8)


def _read(path: Path) -> np.ndarray:
    return next(open_clip(path).frames()).image


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, height: int, width: int) -> None:
    path = tmp_path_factory.mktemp("exr") / "a.exr"
    path.write_bytes(exr.encode(_picture(height, width), {}))
    assert np.array_equal(_read(path), _picture(height, width))


def test_every_level_survives_linear_light(tmp_path: Path) -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    (tmp_path / "a.exr").write_bytes(exr.encode(levels, {"comment": "AI: swapped"}))
    assert np.array_equal(_read(tmp_path / "a.exr"), levels)
    assert b"AI: swapped" in (tmp_path / "a.exr").read_bytes()


def test_other_programs_read_it_as_linear_light(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_bytes(exr.encode(_picture(), {"comment": "x"}))
    _opencv("read", tmp_path / "a.exr", tmp_path / "a.npy")
    light, level = np.load(tmp_path / "a.npy"), _picture() / 255
    wanted = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    assert np.allclose(light, wanted, atol=1e-3)


@pytest.mark.parametrize("sample", [HALF, FLOAT])
@pytest.mark.parametrize("compression", [NONE, ZIPS, ZIP])
def test_what_other_programs_write_is_read(tmp_path: Path, sample: int, compression: int) -> None:
    light = np.random.default_rng(0).uniform(-0.1, 1.4, (37, 53, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", light)
    _opencv("write", tmp_path / "a.npy", tmp_path / "a.exr", sample, compression)
    cut = np.clip(light, 0, 1)
    wanted = np.where(cut <= 0.0031308, cut * 12.92, 1.055 * cut ** (1 / 2.4) - 0.055)
    assert np.abs(_read(tmp_path / "a.exr") - 255 * wanted).max() < 1


def test_other_kinds_are_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((40, 40, 3), np.float32))
    _opencv("write", tmp_path / "a.npy", tmp_path / "a.exr", HALF, PIZ)
    with pytest.raises(BadMediaError, match="PIZ"):
        open_clip(tmp_path / "a.exr")
    content = bytearray(exr.encode(_picture(), {}))
    content[5] |= 0x02  # tiles
    (tmp_path / "tiles.exr").write_bytes(content)
    with pytest.raises(BadMediaError, match="tiles"):
        open_clip(tmp_path / "tiles.exr")
    (tmp_path / "large.exr").write_bytes(exr.encode(_picture(), {}))
    with pytest.raises(BadMediaError, match="limit"):
        open_clip(tmp_path / "large.exr", Limits(max_pixels=1000))


@settings(max_examples=150)
@given(st.integers(4, 100_000), st.integers(0, 255), st.booleans())
def test_damage_is_refused_or_decodes(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: bool
) -> None:
    content = bytearray(exr.encode(_picture(20, 24), {}))
    place = 4 + place % (len(content) - 4)
    content[place] = value
    path = tmp_path_factory.mktemp("exr") / "a.exr"
    path.write_bytes(content[:place] if cut else content)
    with suppress(BadMediaError):
        assert _read(path).dtype == np.uint8
