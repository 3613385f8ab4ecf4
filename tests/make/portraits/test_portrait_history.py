from pathlib import Path

from PIL import Image

from likeness.make.portraits.history import ChanceSettings, Entry, is_at_chance, plot_history, write_history

RULE = ChanceSettings(window=3, margin=0.03, learnt=0.6)


def entries(*accuracies: float) -> list[Entry]:
    return [
        Entry(number, number * 16, number, 1e-4, 1.0, 0.7, 0.7, accuracy, accuracy, 0.0, 0.0)
        for number, accuracy in enumerate(accuracies, 1)
    ]


def test_it_ends_when_the_discriminator_has_learnt_and_is_right_half_the_time_again():
    assert is_at_chance(entries(0.5, 0.9, 0.52, 0.48, 0.51), RULE)


def test_a_discriminator_that_never_learnt_only_guesses():
    assert not is_at_chance(entries(0.5, 0.5, 0.5, 0.5, 0.5), RULE)


def test_one_unlucky_evaluation_is_not_chance():
    assert not is_at_chance(entries(0.9, 0.9, 0.9, 0.8, 0.5), RULE)


def test_fewer_evaluations_than_the_window_decide_nothing():
    assert not is_at_chance(entries(0.9, 0.5), RULE)


def test_a_discriminator_that_is_always_wrong_is_not_at_chance():
    assert not is_at_chance(entries(0.9, 0.1, 0.1, 0.1), RULE)


def test_the_curve_is_written_as_a_table_and_a_picture(tmp_path: Path):
    write_history(tmp_path / "history.csv", entries(0.9, 0.7))
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0].split(",")[7] == "accuracy"
    assert lines[1].split(",")[7] == "0.9"
    plot_history(tmp_path / "training.png", entries(0.9, 0.7))
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.width > 600
