"""A small unsigned file of each kind."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

MakeFile = Callable[[str], Path]
_SOUND_CODECS = {".wav": "pcm_s16le", ".m4a": "aac", ".mp3": "libmp3lame", ".flac": "flac"}


def _film(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for index in range(12):
            picture = np.full((64, 64, 3), 40 + 10 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _record(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16000, layout="mono")
        wave = np.sin(np.arange(16000) / 20).astype(np.float32)[None]
        block = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        block.sample_rate = 16000
        resampled = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=16000).resample(block)
        for frame in resampled:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Writes a small file named ``name``, of the kind its suffix says."""

    def make(name: str) -> Path:
        path = tmp_path / name
        if path.suffix in _SOUND_CODECS:
            _record(path, _SOUND_CODECS[path.suffix])
        elif path.suffix in (".mp4", ".mov", ".mkv", ".webm"):
            _film(path, "libvpx" if path.suffix == ".webm" else "libx264")
        else:
            ramp = np.tile(np.arange(96, dtype=np.uint8), (64, 1))
            Image.fromarray(np.stack([ramp, ramp // 2, ramp], -1)).save(path)
        return path

    return make
