from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.bench.answer import FIGURES, Figure
from likeness.bench.plots import plot_results
from likeness.bench.results import (
    ANSWER,
    NEAREST,
    UNCHANGED,
    Cell,
    Learnt,
    Results,
    gains_table,
    row_of,
    stored_figures,
    table,
    trainings,
)
from likeness.bench.sheet import write_contact_sheet, write_strip
from likeness.errors import SettingsError
from likeness.make.preview import NOTICE

PSNR, POSE = (next(figure for figure in FIGURES if figure.name == name) for name in ("psnr", "pose"))
RANDOM = np.random.default_rng(2)


def _cell(pair: str, candidate: str, psnr: float, learnt: Learnt | None = None) -> Cell:
    """50 frames around ``psnr``; the pose is unknown in the first ten."""
    values = psnr + RANDOM.normal(0, 0.1, 50)
    pose = np.where(np.arange(50) < 10, np.nan, 20 / psnr)
    figures = stored_figures({"psnr": values, "pose": pose})
    return Cell(pair=pair, candidate=candidate, training=learnt, frame_rate=25, machine="this one", figures=figures)


def _learnt(minutes: float) -> Learnt:
    return Learnt(arch="light", start="noise", minutes=minutes, spent_s=61, iterations=99, heldout_error=0.02)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two pairs who differ by 5 dB; ten minutes gain 2 dB on both, two minutes are known of one."""
    kept = Results(tmp_path / "results.jsonl")
    for pair, level in (("ada-bruno", 15.0), ("chidi-dalia", 20.0)):
        kept.add(_cell(pair, UNCHANGED, level))
        kept.add(_cell(pair, NEAREST, level - 1))
        kept.add(_cell(pair, ANSWER, 100))
        kept.add(_cell(pair, row_of("light", "noise", 10), level + 2, _learnt(10)))
    kept.add(_cell("ada-bruno", row_of("light", "noise", 2), 15.5, _learnt(2)))
    return kept


def test_cells_outlast_the_program(results: Results) -> None:
    again = Results(results.path)
    assert again.cells == results.cells
    assert again.has("ada-bruno", NEAREST)
    assert not again.has("chidi-dalia", row_of("light", "noise", 2))
    assert np.isnan(again.cells[0].values("pose")[:10]).all()
    assert again.cells[0].values("ssim").size == 0


def test_two_runs_in_one_folder_keep_each_others_cells(results: Results) -> None:
    other = Results(results.path)
    results.add(_cell("emil-farah", UNCHANGED, 15))
    other.add(_cell("emil-farah", NEAREST, 15))
    kept = Results(results.path)
    assert kept.has("emil-farah", UNCHANGED)
    assert kept.has("emil-farah", NEAREST)


def test_a_damaged_file_is_named_and_left_alone(results: Results) -> None:
    results.path.write_text(results.path.read_text()[:-40])
    with pytest.raises(SettingsError, match=r"results\.jsonl"):
        Results(results.path)


def test_intervals_are_over_pairs_and_gains_within_them(results: Results) -> None:
    """Pairs differ by 5 dB, so the mean is uncertain; the gain is alike on both, so it is not."""
    name = row_of("light", "noise", 10)
    level, gain = results.interval(name, "psnr"), results.gain(name, UNCHANGED, PSNR)
    assert level is not None
    assert gain is not None
    assert level.mean == pytest.approx(19.5, abs=0.1)
    assert level.high - level.low > 3
    assert gain.mean == pytest.approx(2, abs=0.1)
    assert gain.high - gain.low < 0.3
    pose = results.gain(name, UNCHANGED, POSE)  # less is better, so this too is a gain
    assert pose is not None
    assert pose.mean > 0
    assert results.gain(name, UNCHANGED, Figure("ssim", "SSIM", 1, 3)) is None


def test_the_table_has_a_row_a_candidate_in_order_and_only_figures_that_exist(results: Results) -> None:
    lines = table(results).splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == [
        UNCHANGED, NEAREST, row_of("light", "noise", 2), row_of("light", "noise", 10), ANSWER,
    ]  # fmt: skip
    assert lines[0] == "| inside the face, against the true answer | pairs | PSNR dB | pose error ° |"
    assert [line.split(" | ")[1] for line in lines[2:]] == ["2", "2", "1", "2", "2"]
    assert len(gains_table(results).splitlines()) == 4
    assert sum("99 iterations in 61 s" in line for line in trainings(results)) == 3


def test_the_plot_is_a_picture(results: Results, tmp_path: Path) -> None:
    plot_results(tmp_path / "plot.png", results, "CPU")
    picture = np.asarray(Image.open(tmp_path / "plot.png").convert("RGB"))
    assert min(picture.shape[:2]) > 300
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_strips_of_made_faces_say_so_and_the_sheet_is_all_of_them(tmp_path: Path) -> None:
    images = np.full((9, 40, 40, 3), 90, np.uint8)
    write_strip(tmp_path / "filmed.png", "one", images, made=False)
    write_strip(tmp_path / "made.png", "one", images, made=True)
    filmed, made = (np.asarray(Image.open(tmp_path / name)) for name in ("filmed.png", "made.png"))
    assert filmed.shape == made.shape
    assert NOTICE
    assert (made[:26] < 128).sum() > 2 * (filmed[:26] < 128).sum()
    assert np.array_equal(made[26:], filmed[26:])
    write_contact_sheet(tmp_path / "sheet.png", [tmp_path / "filmed.png", tmp_path / "made.png"])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), np.vstack([filmed, made]))
