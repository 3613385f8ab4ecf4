import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from likeness.bench.results import ANSWER, NEAREST, UNCHANGED, Results, row_of
from likeness.bench.swaps import PLOT, RESULTS, SHEET, TABLE, Bench, BenchSettings, run
from likeness.bench.takes import TakeSettings
from likeness.errors import SettingsError

TINY = BenchSettings(pairs=1, minutes=(0.004, 0.002), archs=("light",), starts=("noise",), threads=1)
ROWS = [row_of("light", "noise", minutes) for minutes in (0.002, 0.004)]
PICTURES = {".png", ".jpg", ".mp4", ".webp", ".npz"}


@pytest.fixture(scope="module")
def out(short_pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark folder in which everything has been run once."""
    folder = tmp_path_factory.mktemp("bench") / "out"
    shutil.copytree(short_pair, folder)
    threads = torch.get_num_threads()
    text = run(folder, TINY)
    torch.set_num_threads(threads)
    assert all(row in text for row in (*ROWS, UNCHANGED, NEAREST, ANSWER))
    return folder


def test_every_cell_is_scored_the_shortest_training_first(out: Path) -> None:
    results = Results(out / RESULTS)
    assert [cell.candidate for cell in results.cells] == [UNCHANGED, NEAREST, ANSWER, *ROWS]
    assert all(len(cell.figures["psnr"]) == 4 for cell in results.cells)
    trained = [cell.training for cell in results.cells if cell.training is not None]
    assert all(used.spent_s >= 60 * used.minutes for used in trained)
    answer = results.of(ANSWER)[0]
    for cell in results.cells[:2]:
        assert cell.values("psnr").mean() < answer.values("psnr").mean()


def test_pictures_of_swaps_leave_stamped_and_footage_does_not_leave(out: Path) -> None:
    """Beside what was filmed and cut out of it there are only strips, their sheet and the plot."""
    written = {path.relative_to(out) for path in out.rglob("*") if path.suffix in PICTURES}
    beside = {path for path in written if path.parts[0] not in ("clips", "faces")}
    assert {path.parts[0] for path in beside} == {"strips", SHEET, PLOT}
    sheet, strips = np.asarray(Image.open(out / SHEET)), list((out / "strips").iterdir())
    assert len(strips) == 5
    assert sheet.shape[0] == 4 * np.asarray(Image.open(strips[0])).shape[0]  # A, nearest, the longest training, answer
    assert (out / TABLE).read_text().count("|") > 40


def test_what_is_finished_is_not_done_again_and_more_can_be_added(out: Path) -> None:
    before = (out / RESULTS).stat().st_mtime_ns
    bench = Bench(out, TINY)
    assert not list(bench.plans())
    bench.score_baselines(bench.pairs[0])
    assert (out / RESULTS).stat().st_mtime_ns == before
    more = Bench(out, replace(TINY, minutes=(0.002, 1), archs=("light", "original")))
    assert [plan.name for plan in more.plans()] == [
        "original-noise-0.002min", "light-noise-1min", "original-noise-1min",
    ]  # fmt: skip


def test_other_conditions_need_another_folder(out: Path) -> None:
    for other in (replace(TINY, seed=1), replace(TINY, clock="wall"), replace(TINY, takes=TakeSettings(size=128))):
        with pytest.raises(SettingsError, match="other conditions"):
            Bench(out, other)


def test_settings_that_train_nothing_are_refused() -> None:
    for wrong in ({"pairs": 13}, {"minutes": ()}, {"minutes": (2, -1)}, {"threads": 0}):
        with pytest.raises(SettingsError):
            BenchSettings(**wrong)
