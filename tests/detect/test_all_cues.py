"""Whatever a clip shows, every cue gives one finding of numbers for each face, or says why it has none."""

import math
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from known_people import actor_a, filmed
from made_faces import SIZE, clip_of, face, landmarks_at, moving_track, skin
from PIL import Image

from likeness.detect.cue import Cue, look
from likeness.detect.cues import CUES
from likeness.detect.cues.handmade import WEIGHTS_FILE, Handmade
from likeness.detect.cues.identity import Identity
from likeness.detect.cues.sequences import Recurrent, Temporal
from likeness.detect.network_cue import NetworkCue
from likeness.detect.networks.shipped import FILES
from likeness.examiner import Finding
from likeness.faces.face import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE, Face, Track
from likeness.footage import footage
from likeness.media.clip import Clip, open_clip

RATE = 25
Shown = tuple[Clip, list[Track]]


def missing_weights(cue: type[Cue[Any]]) -> list[str]:
    """The files that ``cue`` wants and that are not in the package."""
    wanted: list[str] = []
    if issubclass(cue, NetworkCue):
        wanted = [FILES[name] for name in {cue.name, *(("frames",) if cue in (Recurrent, Temporal) else ())}]
    elif cue is Handmade:
        wanted = [WEIGHTS_FILE]
    return [name for name in wanted if not resources.files("likeness.weights").joinpath(name).is_file()]


def made(cue: type[Cue[Any]]) -> Cue[Any]:
    return Identity(actor_a()) if cue is Identity else cue.uncalibrated()


@cache
def actor_at_work() -> tuple[list[np.ndarray], list[Face]]:
    """Two seconds of a filmed actor, and where the face is."""
    clip = footage().heldout
    return [frame.image for frame in open_clip(clip.path).frames(0, 2.0)], [f for f in filmed(clip, 1) if f.time_s < 2]


def track_of(points: list[np.ndarray], number: int = 1) -> Track:
    return Track(number, [face(p.astype(np.float32), i, RATE) for i, p in enumerate(points)])


def no_face(folder: Path) -> Shown:
    return clip_of(folder / "a.mkv", [skin()] * 3), []


def ten_faces(folder: Path) -> Shown:
    """The actor ten times, 140 px wide, in two rows: twelve frames."""
    images, faces = (list(part[:12]) for part in actor_at_work())
    side = 260
    small = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images]
    tracks = [
        track_of([f.landmarks * (side / 384) + [x * side, y * side] for f in faces], 1 + x + 5 * y)
        for y in range(2)
        for x in range(5)
    ]
    return clip_of(folder / "a.mkv", [np.tile(image, (2, 5, 1)) for image in small]), tracks


def drawing(folder: Path) -> Shown:
    """A face in flat colours with black outlines, which sways for three seconds."""
    track, images = moving_track(75), []
    for one in track.faces:
        points, image = one.landmarks.round().astype(np.int32), np.full((SIZE, SIZE, 3), (120, 200, 255), np.uint8)
        outline = cv2.convexHull(points)
        for part, colour in (
            (outline, (255, 220, 80)), (points[RIGHT_EYE], (255, 255, 255)), (points[LEFT_EYE], (255, 255, 255)),
            (points[OUTER_LIPS], (220, 40, 60)), (points[INNER_LIPS], (255, 255, 255)),
        ):  # fmt: skip
            cv2.fillPoly(image, [part], colour)
            cv2.polylines(image, [part], True, (0, 0, 0), 2)
        images.append(image)
    return clip_of(folder / "a.mkv", images), [track]


def still(folder: Path) -> Shown:
    """One picture of the actor, 240 px wide, for eight seconds: long enough for a pulse."""
    images, faces = actor_at_work()
    small = cv2.resize(images[0], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return clip_of(folder / "a.mkv", [small] * 200), [track_of([faces[0].landmarks * (SIZE / 384)] * 200)]


def five_frames(folder: Path) -> Shown:
    images, faces = actor_at_work()
    return clip_of(folder / "a.mkv", images[:5]), [Track(1, faces[:5])]


def picture(folder: Path) -> Shown:
    images, faces = actor_at_work()
    Image.fromarray(images[0]).save(folder / "a.png")
    return open_clip(folder / "a.png"), [Track(1, faces[:1])]


def without_sound(folder: Path) -> Shown:
    images, faces = actor_at_work()
    return clip_of(folder / "a.mkv", images), [Track(1, faces)]


def corrupt_middle(folder: Path) -> Shown:
    """Nine seconds of H.264 with speech, of which two and a half from the fourth on are overwritten."""
    shipped, path = footage().actor_a, folder / "a.mp4"
    data = bytearray(shipped.path.read_bytes())
    begin, end = int(0.33 * len(data)), int(0.5 * len(data))
    data[begin:end] = np.random.default_rng(0).bytes(end - begin)
    path.write_bytes(data)
    return open_clip(path), [Track(1, [f for f in filmed(shipped, 1) if f.time_s < 9])]


def landmarks_that_are_none(folder: Path) -> Shown:
    """Faces with NaN among their landmarks: one in three frames, all frames; all landmarks in one place; no faces."""
    images, faces = actor_at_work()
    broken = faces[0].landmarks.copy()
    broken[30] = np.nan
    some = [broken if i % 3 == 1 else f.landmarks for i, f in enumerate(faces)]
    flat = [face(np.full((68, 2), 100, np.float32), i) for i in range(50)]
    flat = [Face(f.frame, f.time_s, (0.0, 0.0, 200.0, 200.0), f.landmarks, 1.0, 0.0, 0.0, 0.0, 1.0) for f in flat]
    tracks = [track_of(some, 1), track_of([broken] * 50, 2), Track(3, flat), Track(4, [])]
    return clip_of(folder / "a.mkv", images), tracks


def partly_outside(folder: Path) -> Shown:
    """Faces cut by the left, the lower and the upper edge, one larger than the picture and one beside it."""
    corners = ((-50, 40, 130), (60, 165, 130), (60, -60, 130), (-60, -60, 380), (900, 900, 130))
    tracks = [
        track_of([landmarks_at(x + i / 3, y, width) for i in range(40)], number)
        for number, (x, y, width) in enumerate(corners, 1)
    ]
    return clip_of(folder / "a.mkv", [skin(i) for i in range(40)]), tracks


INPUTS: tuple[Callable[[Path], Shown], ...] = (
    no_face, ten_faces, drawing, still, five_frames, picture, without_sound, corrupt_middle, landmarks_that_are_none,
    partly_outside,
)  # fmt: skip


@pytest.fixture(scope="module", params=INPUTS, ids=lambda make: make.__name__)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[int | None], list[Finding]]:
    """The tracks of one input, and what all cues whose weights are there find, from one look at it."""
    clip, tracks = request.param(tmp_path_factory.mktemp("input"))
    findings = look([made(cue) for cue in CUES if not missing_weights(cue)], clip, tracks)
    return [track.id for track in tracks] or [None], findings


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cue", CUES, ids=lambda cue: cue.name)
def test_one_finding_of_numbers_for_each_face(
    found: tuple[list[int | None], list[Finding]], cue: type[Cue[Any]]
) -> None:
    if missing := missing_weights(cue):
        pytest.skip(f"{', '.join(missing)} is not in the package yet")
    tracks, findings = found
    own = [finding for finding in findings if finding.examiner == cue.name]
    assert [finding.track for finding in own] == tracks
    for finding in own:
        assert len(finding.text) > 10
        assert finding.text.endswith(".")
        assert "nan" not in finding.text.lower().split()
        assert (finding.llr is None) == (finding.abstained is not None)
        assert all(math.isfinite(number) for number in numbers_of(finding))


def numbers_of(finding: Finding) -> list[float]:
    """Every number that a report would print of ``finding``."""
    numbers = [value for value in (finding.llr, *finding.details.values()) if isinstance(value, float)]
    numbers += [time for span in finding.spans for time in span]
    if finding.figure is not None:
        figure = finding.figure
        assert len(figure.times_s) == len(figure.values)
        numbers += [*figure.times_s, *(value for value in figure.values if value is not None), *figure.levels.values()]
    return numbers
