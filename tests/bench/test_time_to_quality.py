import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from likeness.bench.swaps import Bench, BenchSettings
from likeness.bench.time_to_quality import (
    REFERENCE,
    Contestant,
    Float32Original,
    HeldoutFaces,
    Point,
    Race,
    first_at,
    read_points,
    rebuilt_error,
    report,
)
from likeness.errors import SettingsError
from likeness.faces.faceset import FaceSet
from likeness.make.networks.autoencoder import Decoded
from likeness.make.recipes import recipe_for


def _curve(times: list[float], errors: list[float], decibels: list[float | None]) -> list[Point]:
    return [
        Point(seconds=at, iteration=round(10 * at), heldout=error, psnr=psnr)
        for at, error, psnr in zip(times, errors, decibels, strict=True)
    ]


SLOW = _curve([10, 300, 600], [0.1, 0.06, 0.04], [12, 18, 17])


def test_the_first_moment_that_is_as_good_counts() -> None:
    fast = _curve([5, 20, 60], [0.05, 0.04, 0.02], [17, None, 19])
    assert first_at(fast, "heldout", 0.04) == 20
    assert first_at(fast, "psnr", 18) == 60
    assert first_at(fast, "psnr", 20) is None


def test_the_report_gives_times_and_their_parts_of_the_reference() -> None:
    curves = {
        REFERENCE.name: {1.0: SLOW},
        "light, from noise": {
            0.1: _curve([5, 60], [0.05, 0.041], [17, 18.5]),
            1.0: _curve([90, 600], [0.04, 0.02], [17, 20]),
        },
    }
    text = report(curves, "CPU")
    assert "6000 iterations in 10.0 CPU minutes" in text
    assert "error 0.0400 (at 64 px) after 600 s, 18.00 dB in the swap after 300 s" in text
    assert "| light, from noise | 90.0 s | 1/7 | 60.0 s | 1/5 | 0.0200 | 20.00 |" in text


@pytest.fixture(scope="module")
def bench(short_pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("race") / "out"
    shutil.copytree(short_pair, folder)
    return Bench(folder, BenchSettings(pairs=1, starts=("noise",), threads=torch.get_num_threads()))


def test_a_training_is_looked_at_as_it_goes_on_and_once(bench: Bench) -> None:
    race, contestant = Race(bench, bench.pairs[0]), Contestant("light, from noise", "light", "noise", (1.0,))
    points = race.curve(contestant, 0.01)
    assert [point.seconds for point in points] == sorted(point.seconds for point in points)
    assert points[-1].seconds >= 0.6
    assert points[0].psnr is not None
    assert points[-1].psnr is not None
    assert 0 < points[-1].heldout < 0.5
    assert race.curve(contestant, 0.01) == points


class _Echo:
    """Gives back what it is shown, a little brighter."""

    def translate(self, faces: torch.Tensor, _source: str, _target: str) -> Decoded:
        return Decoded(faces + 0.1, None)


def test_heldout_faces_are_compared_at_64_pixels_whatever_the_network_makes(bench: Bench) -> None:
    """A finer picture of the same face has no more and no less error."""
    faces = HeldoutFaces.of(FaceSet.load(bench.faces(bench.pairs[0])[0]), np.arange(3))
    for arch, size in (("original", 64), ("light", 128)):
        seen = SimpleNamespace(recipe=recipe_for(arch, size), device=torch.device("cpu"), averaged=_Echo())
        assert rebuilt_error(seen, "a", faces) == pytest.approx(0.1, abs=0.012)  # type: ignore[arg-type]


def test_the_reference_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    network, faces = Float32Original().eval(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain = network.translate(faces, "a", "b").images
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside = network.translate(faces, "a", "b").images
            rebuilt, _ = network(faces, faces)
    assert plain.dtype == inside.dtype == rebuilt.images.dtype == torch.float32
    assert torch.equal(plain, inside)


def test_damaged_points_are_named(tmp_path: Path) -> None:
    (tmp_path / "points.jsonl").write_text('{"seconds": 1')
    with pytest.raises(SettingsError, match=r"points\.jsonl"):
        read_points(tmp_path / "points.jsonl")
    assert read_points(tmp_path / "none.jsonl") == []
