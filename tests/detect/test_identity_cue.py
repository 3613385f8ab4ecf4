"""Somebody else's face on the known person's performance is told from the person; nobody is judged by no reference."""

from pathlib import Path

import pytest
from known_people import actor_a, filmed
from made_faces import face, landmarks_at, moving_track, video
from PIL import Image

from likeness.detect.calibrate import CueCalibration, Feature
from likeness.detect.cue import look
from likeness.detect.cues.identity import Identity, IdentitySettings
from likeness.detect.reference import Reference
from likeness.faces.face import Track
from likeness.footage import footage
from likeness.media.clip import Clip, open_clip

SETTINGS = IdentitySettings(most_faces=8)


@pytest.fixture(scope="module")
def known() -> Reference:
    return actor_a()


@pytest.fixture(scope="module")
def other() -> tuple[Clip, Track]:
    """B giving A's performance, as a perfect swap shows."""
    shipped = footage().answer
    return open_clip(shipped.path), Track(1, filmed(shipped, 3))


@pytest.fixture(scope="module")
def person() -> tuple[Clip, Track]:
    """The same performance by A."""
    shipped = footage().heldout
    return open_clip(shipped.path), Track(1, filmed(shipped, 3))


def test_the_known_person_is_near_and_counts_hardly(known: Reference, person: tuple[Clip, Track]) -> None:
    finding = look([Identity(known, SETTINGS)], person[0], [person[1]])[0]
    assert finding.llr is not None
    assert -0.15 < finding.llr <= 0
    assert finding.details["face"] < 1  # type: ignore[operator]
    assert not finding.spans


def test_a_swap_is_far_and_says_what_is_weighed(known: Reference, other: tuple[Clip, Track]) -> None:
    finding = look([Identity(known, SETTINGS)], other[0], [other[1]])[0]
    assert finding.llr is not None
    assert 0.6 < finding.llr <= 1
    assert finding.details["face"] > 4  # type: ignore[operator]
    assert finding.text.endswith("Weighed is a swap or another person against the known person.")
    assert "0 of 6 parts" in finding.text
    assert finding.spans
    assert finding.figure is not None
    assert len(finding.figure.times_s) == len(finding.figure.values) == 8


def test_a_calibration_is_used_where_there_is_one(known: Reference, other: tuple[Clip, Track]) -> None:
    calibration = CueCalibration(
        features={"face": Feature(centre=0.0, scale=1.0, weight=-1.0, genuine=[0.0])}, intercept=0.0, bound=0.3,
        share_marked=1.0, genuine_people=1, genuine_clips=1, synthetic_clips=1, population="made",
    )  # fmt: skip
    assert look([Identity(known, SETTINGS, calibration)], other[0], [other[1]])[0].llr == -0.3


def test_a_single_picture_is_compared_with_single_faces(known: Reference, tmp_path: Path) -> None:
    shipped = footage().heldout
    first = filmed(shipped, 200)[0]
    path = tmp_path / "a.png"
    Image.fromarray(next(open_clip(shipped.path).frames()).image).save(path)
    finding = look([Identity(known, SETTINGS)], open_clip(path), [Track(1, [first])])[0]
    assert finding.llr is not None
    assert set(finding.details) >= {"picture_face", "likeness"}
    assert finding.llr <= 0.2


def test_without_a_reference_it_abstains_and_says_so(person: tuple[Clip, Track]) -> None:
    finding = Identity().examine(person[0], [person[1]])[0]
    assert finding.llr is None
    assert "No reference was given" in (finding.abstained or "")
    assert Identity().examine(video(), [])[0].abstained


@pytest.mark.parametrize(
    "track",
    [
        Track(1, [face(landmarks_at(width=30), i) for i in range(20)]),
        Track(1, [face(landmarks_at(), i, yaw=60) for i in range(20)]),
        moving_track(3),
    ],
    ids=["small", "turned", "three frames"],
)
def test_abstains(known: Reference, track: Track) -> None:
    finding = Identity(known, SETTINGS).examine(video(), [track])[0]
    assert finding.llr is None
    assert "needs 4" in (finding.abstained or "")
