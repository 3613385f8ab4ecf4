"""One file from opening to report: what is looked at, and that a failing examiner abstains."""

import time
import wave
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from likeness.check.examine import (
    EXAMINERS,
    CheckSettings,
    build,
    check_file,
    examine,
    examine_provenance,
    look_in_range,
    prominent,
    spans_to_examine,
    watch,
)
from likeness.detect.calibrate import UNCALIBRATED
from likeness.detect.cue import Cue
from likeness.detect.cues import CUES
from likeness.detect.cues.identity import Identity
from likeness.detect.cues.seam import Seam
from likeness.errors import BadMediaError, FaceSetError, ModelError
from likeness.examiner import Examiner, Finding
from likeness.faces.align import TEMPLATE
from likeness.faces.face import Face, Track
from likeness.footage import footage
from likeness.media.clip import Clip, open_clip


@pytest.fixture(scope="module")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of noise at 5 frames a second."""
    path = tmp_path_factory.mktemp("made") / "noise.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(5))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(50):
            image = rng.integers(0, 255, (64, 96, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_clip_without_a_face_is_cannot_tell_with_its_own_reason(faceless: Path) -> None:
    report = check_file(faceless)
    assert (report.verdict, report.llr, report.faces) == ("cannot_tell", None, [])
    assert report.reason.startswith("No face was found")
    assert {finding.examiner for finding in report.findings} == {examiner.name for examiner in EXAMINERS} - {"identity"}
    assert len(report.views) == CheckSettings().views


def test_a_sound_is_cannot_tell_with_its_own_reason(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(np.arange(8000) / 5)).astype("<i2").tobytes())
    report = check_file(tmp_path / "tone.wav")
    assert (report.kind, report.verdict, report.views) == ("sound", "cannot_tell", [])
    assert report.reason.startswith("This file holds sound only")


def test_a_picture_without_a_face(tmp_path: Path) -> None:
    Image.new("RGB", (120, 80), (90, 120, 150)).save(tmp_path / "wall.png")
    report = check_file(tmp_path / "wall.png")
    assert (report.kind, report.verdict, len(report.views)) == ("picture", "cannot_tell", 1)


def test_a_file_that_is_no_medium_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(BadMediaError) as refused:
        check_file(tmp_path / "empty.mp4")
    assert "\n" not in str(refused.value)


def test_the_shipped_actor_is_followed_and_examined() -> None:
    report = check_file(footage().heldout.path)
    assert len(report.faces) == 1
    face = report.faces[0]
    assert face.track == 1
    assert sum(end - start for start, end in face.spans) > 0.9 * report.duration_s
    assert all(view.boxes for view in report.views)
    said = {finding.examiner: finding for finding in report.findings if finding.track == 1}
    assert set(said) == {cue.name for cue in CUES} - {"identity"}  # which wants a reference
    assert said["seam"].llr is not None
    assert report.faces[0].out_of_range is None
    assert report.faces[0].parts["seam"] == pytest.approx(said["seam"].llr, abs=3)
    assert {population.examiner for population in report.populations} <= set(said)
    assert report.settings["weigh.synthetic_from"] == 1.0
    assert report.record()["file"] == str(footage().heldout.path)


def test_what_is_found_does_not_depend_on_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [frame.image for frame in open_clip(footage().heldout.path).frames(0.0, 1.2)]
    path = write_clip(tmp_path / "short.mp4", frames, Fraction(25), (384, 384))
    report = check_file(path)
    monkeypatch.setattr("likeness.check.examine.ahead", iter)
    clip = open_clip(path)
    watched = watch(clip, CheckSettings())
    tracks = prominent(watched.tracks, clip, CheckSettings())
    cues, unusable = build(CUES)
    measured = look_in_range(cues, clip, tracks, {track.id: None for track in tracks})
    said = [finding for finding in report.findings if finding.examiner not in unusable]
    assert said == [*examine_provenance(clip, tracks), *measured]
    assert [face.box for face in report.faces] == [
        tuple(round(float(v), 1) for v in max(track.faces, key=lambda face: face.quality).box) for track in tracks
    ]


class Broken(Examiner):
    name = "broken"

    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        raise BadMediaError("The second half cannot be decoded. Copy the file again.")


def test_an_examiner_that_fails_abstains(faceless: Path) -> None:
    found = examine(Broken, open_clip(faceless), [])
    assert [finding.abstained for finding in found] == ["The second half cannot be decoded. Copy the file again."]


class Unbuilt(Seam):
    name = "unbuilt"

    def __init__(self) -> None:
        raise ModelError("The calibration is missing. Install likeness again.")


def test_a_cue_whose_weights_are_damaged_abstains() -> None:
    cues, unusable = build([Unbuilt, Seam])
    assert [cue.name for cue in cues] == ["seam"]
    assert unusable == {"unbuilt": "The calibration is missing. Install likeness again."}


class Watching(Seam):
    """Sees every frame, as none of the cues may be shown one of a face that is out of range."""

    name = "watching"

    def __init__(self) -> None:
        super().__init__(calibration=UNCALIBRATED)
        self.shown: set[int] = set()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        self.shown.add(track.id)
        return "It only watches."


def test_a_face_out_of_range_is_shown_to_no_cue(faceless: Path) -> None:
    face = Face(0, 0.0, (2, 2, 22, 22), 2 + 20 * TEMPLATE, 0.9, 0, 0, 0, 0.5)
    watching, seam = Watching(), Seam(calibration=UNCALIBRATED)
    cues: list[Cue] = [watching, seam]
    tracks = [Track(3, [face]), Track(7, [face])]
    found = look_in_range(cues, open_clip(faceless), tracks, {3: "It is drawn.", 7: None})
    assert watching.shown == {7}
    assert [(f.examiner, f.track) for f in found] == [("watching", 3), ("watching", 7), ("seam", 3), ("seam", 7)]
    assert [f.abstained for f in found[::2]] == ["It is drawn."] * 2
    everybody_out = look_in_range(cues, open_clip(faceless), tracks, {3: "It is drawn.", 7: "It is small."})
    assert [f.abstained for f in everybody_out] == ["It is drawn.", "It is small."] * 2


def test_a_reference_is_asked_for_only_where_one_is_given() -> None:
    assert [cue.name for cue in build([Seam])[0]] == ["seam"]
    cues, unusable = build([Identity, Seam])
    assert [cue.name for cue in cues] == ["seam"]
    assert unusable == {}
    with pytest.raises(FaceSetError):
        check_file(footage().heldout.path, reference=Path("nowhere"))


def write_clip(path: Path, images: Iterable[np.ndarray], rate: Fraction, size: tuple[int, int]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_an_eight_hour_file_is_looked_at_in_parts_within_seconds(tmp_path: Path) -> None:
    """One small frame in ten seconds: what is decoded and kept must not grow with the length."""
    even = np.full((48, 64, 3), 90, np.uint8)
    path = write_clip(tmp_path / "long.mp4", (even for _ in range(2880)), Fraction(1, 10), (64, 48))
    began = time.monotonic()
    report = check_file(path)
    assert time.monotonic() - began < 60
    assert report.duration_s == pytest.approx(8 * 3600, rel=1e-3)
    assert sum(end - start for start, end in report.examined) == pytest.approx(120, abs=0.1)
    assert (report.verdict, report.reason.startswith("No face was found")) == ("cannot_tell", True)


def test_frames_damaged_in_the_middle_are_left_out(tmp_path: Path) -> None:
    damaged = bytearray(footage().heldout.path.read_bytes())
    third = len(damaged) // 3
    noise = np.random.default_rng(0).integers(0, 256, third // 4, np.uint8).tobytes()
    damaged[third : third + len(noise)] = noise
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    clip = open_clip(tmp_path / "damaged.mp4")
    watched = watch(clip, CheckSettings())
    tracks = prominent(watched.tracks, clip, CheckSettings())
    found = look_in_range(build(CUES)[0], clip, tracks, {track.id: None for track in tracks})
    assert tracks
    assert found
    assert all(finding.llr is None or np.isfinite(finding.llr) for finding in found)


def test_of_ten_faces_the_most_are_examined_and_the_rest_counted(tmp_path: Path) -> None:
    tiles = [cv2.resize(frame.image, (128, 128)) for frame in islice(open_clip(footage().heldout.path).frames(), 12)]
    crowd = (np.vstack([np.hstack([tile] * 5)] * 2) for tile in tiles)
    clip = open_clip(write_clip(tmp_path / "crowd.mp4", crowd, Fraction(25), (640, 256)))
    watched = watch(clip, CheckSettings())
    tracks = prominent(watched.tracks, clip, CheckSettings())
    assert len(watched.tracks) >= 8
    assert len(tracks) == 8
    found = look_in_range(build(CUES)[0], clip, tracks, {track.id: None for track in tracks})
    assert {finding.track for finding in found} == {track.id for track in tracks}


def test_a_long_clip_is_looked_at_in_parts(faceless: Path) -> None:
    settings = CheckSettings(longest_s=3.0, windows=3, views=3)
    watched = watch(open_clip(faceless), settings)
    assert [tuple(map(round, span)) for span in watched.examined] == [(0, 1), (4, 6), (9, 10)]
    assert [round(view.time_s) for view in watched.views] == [0, 5, 9] or len(watched.views) == 3


@pytest.mark.parametrize("duration", [0.0, 1.0, 120.0, 120.5, 7200.0])
def test_examined_spans_lie_inside_the_clip_in_order(duration: float) -> None:
    settings = CheckSettings()
    spans = spans_to_examine(duration, settings)
    assert spans[0][0] == 0
    assert spans[-1][1] == pytest.approx(duration, abs=0.01)
    assert sum(end - start for start, end in spans) == pytest.approx(min(duration, settings.longest_s), abs=0.1)
    assert all(a[1] <= b[0] + 0.01 for a, b in pairwise(spans))


def test_a_crowd_is_cut_to_the_most_prominent(faceless: Path) -> None:
    def faces(count: int, width: float) -> Iterator[Face]:
        for i in range(count):
            yield Face(i, i / 25, (0, 0, width, width), np.zeros((68, 2), np.float32), 0.9, 0, 0, 0, 0.5)

    tracks = [Track(i, list(faces(50, 20.0 + i))) for i in range(12)] + [Track(99, list(faces(3, 500.0)))]
    kept = prominent(tracks, open_clip(faceless), CheckSettings())
    assert [track.id for track in kept] == list(range(4, 12))
