from pathlib import Path

from PIL import Image

from likeness.make.history import Entry, Plateau, StopSettings, plot_history, write_history

STOP = StopSettings(gain=0.01, patience_s=100, evaluations=3)


def entry(seconds: float, heldout: float) -> Entry:
    return Entry(int(seconds * 10), seconds, 1e-3, 0.1, 0.2, heldout - 0.01, heldout + 0.01)


def test_it_is_time_to_stop_after_enough_seconds_and_judgements_without_a_gain():
    plateau = Plateau()
    assert plateau.update(entry(10, 0.5), STOP)
    assert plateau.update(entry(20, 0.499), STOP)  # better, but too little to count as a gain
    assert not plateau.update(entry(100, 0.51), STOP)
    assert not plateau.is_flat(111, STOP)  # long enough, but judged too seldom
    plateau.update(entry(112, 0.505), STOP)
    assert plateau.is_flat(112, STOP)
    assert plateau.flat_s(112) == 102
    plateau.update(entry(115, 0.4), STOP)
    assert not plateau.is_flat(115, STOP)


def test_history_is_written_as_table_and_picture(tmp_path: Path):
    entries = [entry(10.0 * step, 0.5 / step) for step in range(1, 6)]
    write_history(tmp_path / "history.csv", entries)
    plot_history(tmp_path / "losses.png", entries)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "iteration,seconds,learning_rate,loss_a,loss_b,heldout_a,heldout_b"
    assert len(lines) == 6
    with Image.open(tmp_path / "losses.png") as picture:
        assert picture.width > 400
