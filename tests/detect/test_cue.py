"""One cue that fails, one face that cannot be measured and one file that ends early cost nothing but themselves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_people import filmed
from made_faces import SIZE, clip_of, face, landmarks_at, skin

from likeness.detect.calibrate import UNCALIBRATED
from likeness.detect.cue import Cue, Measurement, look, measure
from likeness.detect.sightings import Sighting
from likeness.errors import ModelError
from likeness.faces.face import Face, Track
from likeness.footage import footage
from likeness.media.clip import Clip, open_clip

TRACK = Track(1, [face(landmarks_at(), i) for i in range(4)])


class Seen(Cue[float]):
    """Counts the faces it was shown."""

    name = "seen"
    without_faces = "No face was found."

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return track.faces

    def note(self, sighting: Sighting) -> float:
        return sighting.face.time_s

    def measure(self, clip: Clip, track: Track, notes: Sequence[float]) -> Measurement:
        return Measurement({"count": len(notes), "nothing": float("nan")})

    def sentence(self, measured: Measurement) -> str:
        return f"It was shown {measured.values['count']} faces."


class WithoutWeights(Seen):
    name = "without_weights"

    def note(self, sighting: Sighting) -> float:
        raise ModelError("The weights are missing. Install likeness again.")


def values_of(clip: Clip, track: Track) -> dict[str, float]:
    measured = measure([Seen(UNCALIBRATED)], clip, [track])[0][track.id]
    assert isinstance(measured, Measurement)
    return measured.values


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return clip_of(tmp_path_factory.mktemp("clip") / "a.mkv", [skin(i) for i in range(4)])


def test_a_cue_that_fails_abstains_alone(clip: Clip) -> None:
    failing, well = look([WithoutWeights(UNCALIBRATED), Seen(UNCALIBRATED)], clip, [TRACK])
    assert failing.abstained == "The weights are missing. Install likeness again."
    assert well.details == {"count": 4}
    assert well.text == "It was shown 4 faces."


@pytest.mark.parametrize(
    "changes",
    [
        {"landmarks": np.full((68, 2), np.nan, np.float32)},
        {"landmarks": np.full((68, 2), 50, np.float32)},
        {"landmarks": landmarks_at(x=SIZE - 40)},
        {"yaw": float("nan")},
        {"box": (0.0, 0.0, float("inf"), 9.0)},
    ],
    ids=["NaN", "one place", "outside", "no angle", "endless"],
)
def test_faces_that_cannot_be_seen_are_left_out(clip: Clip, changes: dict[str, object]) -> None:
    odd = [replace(one, **changes) if one.frame == 2 else one for one in TRACK.faces]  # type: ignore[arg-type]
    assert values_of(clip, Track(1, odd))["count"] == 3
    finding = look([Seen(UNCALIBRATED)], clip, [Track(1, odd[2:3])])[0]
    assert "landmarks" in (finding.abstained or "")


def test_a_file_whose_rest_is_gone_is_measured_by_its_beginning(tmp_path: Path) -> None:
    shipped, path = footage().actor_a, tmp_path / "a.mp4"
    data = bytearray(shipped.path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    early, late = ([f for f in filmed(shipped, 5) if a <= f.time_s < b] for a, b in ((0, 2), (10, 12)))
    assert values_of(open_clip(path), Track(1, early + late))["count"] == len(early)
    assert values_of(open_clip(path), Track(1, late))["count"] == 0
