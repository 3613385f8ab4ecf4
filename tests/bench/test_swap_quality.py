import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from likeness.actors.take import ComputerGraphicsNote
from likeness.bench.swap_quality import NEAREST, NEAREST_PIECEWISE, SWAP, UNCHANGED, label_free, main, score_swap
from likeness.errors import BadMediaError
from likeness.footage import footage
from likeness.make.label import labelled
from likeness.media.clip import open_clip
from likeness.media.writer import write_clip

FRAMES = 4


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first frames of the held-out take, its true answer and B's footage."""
    folder = tmp_path_factory.mktemp("short")
    shipped = footage()
    short = {}
    for name in ("heldout", "answer", "actor_b"):
        frames = open_clip(getattr(shipped, name).path).frames(end_s=FRAMES / 25 - 0.01)
        short[name] = folder / f"{name}.mp4"
        write_clip(short[name], frames, frame_rate=Fraction(25), sound=None, labelling=ComputerGraphicsNote())
    return short


def test_a_perfect_swap_wins_and_an_unchanged_clip_does_not(clips: dict[str, Path]) -> None:
    arguments = (clips["answer"], clips["heldout"], clips["actor_b"], footage().answer.truth)
    perfect = score_swap(clips["answer"], *arguments)
    assert perfect.frames == FRAMES
    assert [row.name for row in perfect.rows] == [SWAP, UNCHANGED, NEAREST, NEAREST_PIECEWISE]
    assert perfect.rows[0].ssim.mean == pytest.approx(1)
    assert perfect.rows[0].landmarks is not None
    assert perfect.rows[0].landmarks.mean == 0
    assert perfect.is_better
    lazy = score_swap(clips["heldout"], *arguments)
    assert not lazy.is_better
    gain = lazy.gains[0]
    assert (gain.over, gain.psnr.mean, gain.ssim.mean) == (UNCHANGED, 0, 0)


def test_the_table_and_the_figures_come_out_of_the_command(
    clips: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "score.json"
    names = [str(clips[name]) for name in ("heldout", "answer", "heldout", "actor_b")]
    monkeypatch.setattr("sys.argv", ["swap_quality", *names, "--json", str(out)])
    main()
    printed = capsys.readouterr().out
    assert len(printed.strip().splitlines()) == 6
    assert all(line.count("|") == 6 for line in printed.strip().splitlines())
    assert json.loads(out.read_text())["rows"][0]["landmarks_exact"] is None


def test_clips_of_different_takes_are_refused(clips: dict[str, Path], tmp_path: Path) -> None:
    longer = tmp_path / "longer.mp4"
    frames = list(open_clip(footage().answer.path).frames(end_s=(FRAMES + 2) / 25))
    write_clip(longer, frames, frame_rate=Fraction(25), sound=None, labelling=ComputerGraphicsNote())
    with pytest.raises(BadMediaError, match="numbers of frames"):
        score_swap(longer, clips["answer"], clips["heldout"], clips["actor_b"])


def test_the_label_is_left_out_and_nothing_else() -> None:
    free = label_free((200, 300))
    plain = np.full((200, 300, 3), 128, np.uint8)
    drawn = labelled(plain)
    assert np.array_equal(drawn[free == 1], plain[free == 1])
    assert 0 < (free == 0).mean() < 0.05
    assert free[:100, 150:].min() == 0
    assert free[100:].min() == 1
