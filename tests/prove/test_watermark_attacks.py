"""Attacks on the watermark: which of them succeed is printed, and what must hold all the same is asserted.

`pytest tests/prove/test_watermark_attacks.py -m "slow or not slow" -s` prints the counts behind what docs/limits.md
says of each attack.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from published import Published, portrait, publish, save

from likeness.errors import SettingsError
from likeness.prove.publish import mark_file
from likeness.prove.verify import verify
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.read import read_picture

Filter = Callable[[np.ndarray], np.ndarray]
MARK = "0a1b2c3d4e"


def smoothed(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 2.0)


def denoised(image: np.ndarray, strength: float = 5.0) -> np.ndarray:
    return cv2.fastNlMeansDenoisingColored(image, None, strength, strength, 7, 21)


def resampled(image: np.ndarray, share: float) -> np.ndarray:
    height, width = image.shape[:2]
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def added(image: np.ndarray, residual: np.ndarray, gain: float = 1.0) -> np.ndarray:
    return np.clip(np.rint(image + gain * residual), 0, 255).astype(np.uint8)


def estimated(marked: list[np.ndarray], filtered: Filter = smoothed) -> np.ndarray:
    """What an attacker takes for the mark: the mean of what a filter removes, float (h, w, 3)."""
    return np.mean([image.astype(np.float32) - filtered(image) for image in marked], axis=0)


@pytest.fixture
def swap(tmp_path: Path) -> Published:
    return publish(tmp_path / "swap.png", portrait())


@pytest.mark.parametrize("attacker", ["estimates the mark", "has the unmarked picture"])
def test_copied_mark_is_reported_and_never_recovers_anything(swap: Published, tmp_path: Path, attacker: str) -> None:
    marked, victim = swap.marked[0], portrait(4)
    residual = estimated([marked]) if attacker == "estimates the mark" else marked.astype(np.float32) - portrait()
    found = verify(save(tmp_path / "victim.png", added(victim, residual, 1.5)))
    assert not found.credentials.recovered
    assert found.fingerprint.id is None
    if attacker == "has the unmarked picture":
        assert found.watermark.id == swap.mark_id  # the pattern does not depend on the picture: this copy succeeds
    assert any("copied" in text for text in found.contradictions) == (found.watermark.id is not None)


def test_copied_mark_cannot_make_published_footage_synthetic(swap: Published, tmp_path: Path) -> None:
    news = publish(tmp_path / "news.png", portrait(4), "digitalCapture", "published")
    forged = save(tmp_path / "forged.png", added(portrait(4), swap.marked[0].astype(np.float32) - portrait()))
    found = verify(forged)
    assert found.fingerprint.id == news.mark_id
    assert any("“news.png”" in text and "instead" in text for text in found.contradictions)


@pytest.mark.slow
def test_how_often_a_copied_mark_is_read() -> None:
    pictures = [portrait(number) for number in range(10)]
    marked = [Marker(MARK).mark(picture) for picture in pictures[:5]]
    residuals = {
        "one picture, smoothed": estimated(marked[:1]),
        "one picture, denoised": estimated(marked[:1], denoised),
        "five pictures, smoothed": estimated(marked),
    }
    for name, residual in residuals.items():
        for gain in (1.0, 2.0):
            read = [read_picture(added(victim, residual, gain)).mark_id for victim in pictures[5:]]
            print(f"copy attack, {name}, gain {gain:g}: read in {read.count(MARK)} of {len(read)}")
            assert set(read) <= {MARK, None}  # never some third number


def test_second_mark_by_a_stranger_leaves_the_work_recognised(swap: Published, tmp_path: Path) -> None:
    twice = Marker("0123456789").mark(swap.marked[0])
    found = verify(save(tmp_path / "twice.png", twice))
    assert (found.watermark.id, found.watermark.also) == (swap.mark_id, ["0123456789"])  # what is known here counts
    assert found.fingerprint.id == swap.mark_id
    assert found.credentials.recovered
    assert any("marked more than once" in text for text in found.contradictions)


@pytest.mark.parametrize("first", ["fedcba9876", "b8e861a2e3"])
def test_two_marks_whose_messages_mix_are_both_read(first: str) -> None:
    """The decoder followed one message before and the other after the place where their paths meet."""
    reading = read_picture(Marker("0123456789").mark(Marker(first).mark(portrait())))
    assert {reading.mark_id, *reading.also} == {first, "0123456789"}


def test_a_marked_work_is_not_marked_again(swap: Published, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=swap.mark_id):
        mark_file(swap.path, tmp_path / "again.png")
    assert not (tmp_path / "again.png").exists()


FILTERS: dict[str, tuple[Filter, bool]] = {  # whether the mark has to survive
    "blur, sigma 1": (lambda image: cv2.GaussianBlur(image, (0, 0), 1.0), True),
    "blur, sigma 2": (lambda image: cv2.GaussianBlur(image, (0, 0), 2.0), False),
    "blur, sigma 3": (lambda image: cv2.GaussianBlur(image, (0, 0), 3.0), False),
    "median, 3 px": (lambda image: cv2.medianBlur(image, 3), True),
    "median, 5 px": (lambda image: cv2.medianBlur(image, 5), False),
    "median, 7 px": (lambda image: cv2.medianBlur(image, 7), False),
    "non-local means, 3": (lambda image: denoised(image, 3), False),
    "non-local means, 6": (lambda image: denoised(image, 6), False),
    "non-local means, 10": (lambda image: denoised(image, 10), False),
    "resampled to 3/4": (lambda image: resampled(image, 0.75), True),
    "resampled to 1/2": (lambda image: resampled(image, 0.5), True),
    "resampled to 1/4": (lambda image: resampled(image, 0.25), False),
}


@pytest.mark.parametrize("name", [name for name, (_, survives) in FILTERS.items() if survives])
def test_mild_filters_leave_the_mark(swap: Published, name: str) -> None:
    assert read_picture(FILTERS[name][0](swap.marked[0])).mark_id == swap.mark_id


@pytest.mark.slow
@pytest.mark.parametrize("name", FILTERS)
def test_what_filters_leave(tmp_path: Path, name: str) -> None:
    works = [publish(tmp_path / f"{number}.png", portrait(number)) for number in range(6)]
    found = [verify(save(tmp_path / f"out{i}.png", FILTERS[name][0](work.marked[0]))) for i, work in enumerate(works)]
    marks = sum(one.watermark.id == work.mark_id for one, work in zip(found, works, strict=True))
    looks = sum(one.fingerprint.id == work.mark_id for one, work in zip(found, works, strict=True))
    altered = sum(one.tamper.state == "altered" for one in found)
    print(f"{name}: mark {marks} of 6, fingerprint {looks} of 6, taken for altered in part {altered} of 6")
    assert all(one.watermark.id in (work.mark_id, None) for one, work in zip(found, works, strict=True))
    assert marks >= 5 or not FILTERS[name][1]
    assert looks == 6
    assert all(one.credentials.recovered for one in found)


def test_piece_pasted_under_a_valid_mark_shows_where(swap: Published, tmp_path: Path) -> None:
    pasted = swap.marked[0].copy()
    pasted[140:240, 130:230] = portrait(1)[140:240, 130:230]  # another actor's face over this one's
    found = verify(save(tmp_path / "pasted.png", pasted))
    assert found.watermark.id == swap.mark_id
    assert found.tamper.state == "altered"
    assert any(x0 < 230 and x1 > 130 and y0 < 240 and y1 > 140 for x0, y0, x1, y1 in found.tamper.regions)
    assert any("fine pattern is gone" in text for text in found.contradictions)
