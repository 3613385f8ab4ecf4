"""Real frames for the tests of this room: the shipped actors', alone or composed."""

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from composed_faces import Head, cut_out

from likeness.errors import MissingDataError
from likeness.faces.finder import FaceFinder
from likeness.faces.landmarks import LandmarkModel
from likeness.footage import Footage, footage
from likeness.media.clip import Frame, open_clip


@pytest.fixture(scope="session")
def shipped() -> Footage:
    """The shipped footage; skips where this checkout has none yet."""
    try:
        return footage()
    except MissingDataError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of LIKENESS_DATA."""
    if "LIKENESS_DATA" not in os.environ:
        pytest.skip("LIKENESS_DATA is not set: real faces are not here")
    return Path(os.environ["LIKENESS_DATA"])


@pytest.fixture(scope="session")
def finder() -> FaceFinder:
    """The shipped finder, on one thread."""
    return FaceFinder(model=LandmarkModel(threads=1))


@pytest.fixture(scope="session")
def frames_a(shipped: Footage) -> list[Frame]:
    """The first second of actor A."""
    return list(islice(open_clip(shipped.actor_a.path).frames(), 25))


@pytest.fixture(scope="session")
def frames_b(shipped: Footage) -> list[Frame]:
    """The first second of actor B."""
    return list(islice(open_clip(shipped.actor_b.path).frames(), 25))


@pytest.fixture(scope="session")
def head_a(frames_a: list[Frame], finder: FaceFinder) -> Head:
    """Actor A's head cut out: RGB (h, w, 3) and mask float32 (h, w, 1)."""
    return cut_out(frames_a[0].image, finder)


@pytest.fixture(scope="session")
def head_b(frames_b: list[Frame], finder: FaceFinder) -> Head:
    """Actor B's head cut out."""
    return cut_out(frames_b[0].image, finder)


WriteClip = Callable[[Path, Iterator[np.ndarray]], Path]


@pytest.fixture(scope="session")
def write_clip() -> WriteClip:
    """Writes pictures as a small H.264 clip of 25 frames a second: input for tests, not output of the project."""

    def write(path: Path, pictures: Iterator[np.ndarray]) -> Path:
        with av.open(str(path), "w") as container:
            stream = None
            for picture in pictures:
                if stream is None:
                    stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write
