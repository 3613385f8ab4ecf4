"""Blinks are counted where they are, and nothing is said where they cannot be seen."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_faces import clip_of, face, landmarks_at, skin, video, with_eyes

from likeness.detect.cues.blinking import (
    Blinking,
    BlinkingSettings,
    count_evidence,
    eye_aspect_ratio,
    eye_curve,
    find_blinks,
)
from likeness.examiner import Finding
from likeness.faces.face import Track
from likeness.media.clip import Clip

SETTINGS = BlinkingSettings()


def blinking_track(
    seconds: float, at: list[float], rate: float = 25.0, width: float = 110.0, duration: float = 0.2
) -> Track:
    """A face that blinks at the times ``at``: the lids follow a raised cosine of twice ``duration`` (its width at half
    depth).
    """
    rng = np.random.default_rng(3)
    faces = []
    for i in range(round(seconds * rate)):
        closed = sum(0.5 + 0.5 * np.cos(np.pi * np.clip((i / rate - t) / duration, -1, 1)) for t in at)
        points = landmarks_at(width=width, openness=1 - 0.85 * min(closed, 1.0))
        faces.append(face((points + rng.normal(0, 0.05, (68, 2))).astype(np.float32), i, rate))
    return Track(1, faces)


def examine(track: Track) -> Finding:
    return Blinking().examine(video(), [track])[0]


def test_aspect_ratio_is_height_over_width() -> None:
    points = landmarks_at()
    for eye in (36, 42):
        points[eye : eye + 6] = [(0, 0), (1, -1), (2, -1), (3, 0), (2, 1), (1, 1)]
    assert eye_aspect_ratio(points) == pytest.approx((2 + 2) / (2 * 3))
    assert eye_aspect_ratio(3 * points + 7) == pytest.approx(2 / 3)


def test_blinks_are_found_with_their_times_and_durations() -> None:
    at = [1.5, 4.0, 7.2]
    blinks = find_blinks(eye_curve(blinking_track(10, at, duration=0.24).faces, SETTINGS), SETTINGS)
    assert len(blinks) == 3
    for blink, time in zip(blinks, at, strict=True):
        assert blink.start_s < time < blink.end_s
        assert blink.duration_s == pytest.approx(0.24, abs=0.03)


def footage(path: Path, seconds: float, at: list[float]) -> Clip:
    """Drawn eyes that close for 0.2 s at the times ``at``."""
    face_of_skin = skin()
    open_eyes, closed_eyes = with_eyes(face_of_skin, 1.0), with_eyes(face_of_skin, 0.0)
    closed = [any(abs(i / 25 - t) <= 0.09 for t in at) for i in range(round(seconds * 25))]
    return clip_of(path, [closed_eyes if shut else open_eyes for shut in closed])


def test_a_finding_names_rate_and_duration_and_marks_the_blinks(tmp_path: Path) -> None:
    at = [2.0, 5.0, 8.0, 11.0]
    finding = Blinking().examine(footage(tmp_path / "a.mkv", 12, at), [blinking_track(12, at)])[0]
    assert finding.llr is not None
    assert -0.3 < finding.llr < 0
    assert finding.text.startswith("The eyes blink 4 times in 12.0 s (20 a minute")
    assert len(finding.spans) == 4
    assert finding.details["seen_by_landmarks"] == finding.details["seen_in_pixels"] == 4
    assert finding.figure is not None
    assert len(finding.figure.values) == 300


def test_eyes_that_never_close_are_weak_evidence_bounded(tmp_path: Path) -> None:
    finding = Blinking().examine(footage(tmp_path / "a.mkv", 10, []), [blinking_track(10, [])])[0]
    assert finding.llr is not None
    assert 0.3 < finding.llr < SETTINGS.bound
    assert finding.text == "No blink in 10.0 s; people blink 10 to 30 times a minute."
    assert count_evidence(0, 600, SETTINGS) > SETTINGS.bound


def test_blinks_that_the_landmarks_miss_are_seen_in_the_pixels(tmp_path: Path) -> None:
    at = [2.0, 4.5, 8.0]
    finding = Blinking().examine(footage(tmp_path / "a.mkv", 10, at), [blinking_track(10, [])])[0]
    assert (finding.details["seen_by_landmarks"], finding.details["seen_in_pixels"]) == (0, 3)
    assert finding.llr is not None
    assert finding.llr < 0
    for (start, end), time in zip(finding.spans, at, strict=True):
        assert start < time < end


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (blinking_track(3, []), "6 s"),
        (blinking_track(10, [], width=50), "50 px wide"),
        (blinking_track(10, [], rate=8), "8 frames a second"),
        (Track(1, [face(landmarks_at(), i, yaw=50) for i in range(250)]), "0 % of the time"),
        (Track(1, [face(landmarks_at(), i) for i in range(250) if i % 50 < 20 or i == 249]), "% of the time"),
    ],
    ids=["short", "small", "slow", "turned", "lost"],
)
def test_abstains_where_blinks_cannot_be_seen(track: Track, reason: str) -> None:
    finding = examine(track)
    assert finding.llr is None
    assert finding.abstained is not None
    assert reason in finding.abstained


def test_abstains_where_landmarks_are_noise() -> None:
    rng = np.random.default_rng(0)
    faces = [face((landmarks_at() + rng.normal(0, 2.0, (68, 2))).astype(np.float32), i) for i in range(250)]
    assert "followed closely enough" in (examine(Track(1, faces)).abstained or "")


def test_a_picture_shows_no_blinking() -> None:
    assert "picture" in (Blinking().examine(video("picture"), [blinking_track(1, [])])[0].abstained or "")


def test_no_face_is_an_abstention() -> None:
    assert Blinking().examine(video(), [])[0].abstained


@settings(max_examples=50)
@given(st.integers(0, 60), st.floats(6, 3600))
def test_evidence_is_finite_and_a_usual_rate_says_almost_nothing(blinks: int, seconds: float) -> None:
    llr = count_evidence(blinks, seconds, SETTINGS)
    assert np.isfinite(llr)
    assert llr >= np.log10(SETTINGS.share_repeating) - 1e-9
    assert count_evidence(round(seconds / 3), seconds, SETTINGS) < 0.05


@given(st.floats(6, 600), st.floats(1.01, 4))
def test_the_longer_no_blink_comes_the_more_it_says(seconds: float, longer: float) -> None:
    assert count_evidence(0, seconds * longer, SETTINGS) > count_evidence(0, seconds, SETTINGS)


def test_a_long_clip_is_watched_for_a_minute() -> None:
    track = Track(1, [face(landmarks_at(), i) for i in range(3000)])
    wanted = Blinking().wants(video(), track)
    assert 59 < wanted[-1].time_s - wanted[0].time_s <= 60
    apart = Track(1, [face(landmarks_at(), i + 20_000 * (i // 500)) for i in range(3000)])  # parts of a long clip
    assert len(Blinking().wants(video(), apart)) == 1500


def test_the_rate_is_that_of_the_minute_in_which_both_witnesses_look(tmp_path: Path) -> None:
    at = [2.0, 5.0, 8.0, 11.0]
    cue = Blinking(BlinkingSettings(longest_s=6.0))
    finding = cue.examine(footage(tmp_path / "a.mkv", 12, at), [blinking_track(12, at)])[0]
    assert finding.details["seconds_watched"] == 6
    assert finding.details["seen_by_landmarks"] == finding.details["seen_in_pixels"] == finding.details["blinks"] == 2
