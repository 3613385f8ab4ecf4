"""Our detectors before a training's swaps: scored in memory, plotted, and nothing else written."""

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.bench.detectability import Detectors, ShownClip, WatchSettings, scored
from likeness.bench.detector_scores import CUES, PLOT, TABLE, Score, plot_scores, read_scores, table, write_scores
from likeness.bench.recognition import recognised
from likeness.errors import NoFaceError, SettingsError
from likeness.faces.identity import recogniser
from likeness.footage import footage
from likeness.make.checkpoint import Progress
from likeness.make.model import WEIGHTS, ModelConfig, SideRecord, write_config, write_tensors
from likeness.make.recipes import recipe_for
from likeness.media.clip import open_clip
from likeness.media.frame import Frame
from likeness.media.writer import write_clip

SIZE, FRAMES = 192, 24


class _Unlabelled:
    """Stands in for a camera."""

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        return image

    def metadata(self) -> dict[str, str]:
        return {}

    def seal(self, path: Path, destination: Path) -> None:
        """Nothing to seal."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of A, small."""
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    frames = [
        Frame(np.asarray(Image.fromarray(frame.image).resize((SIZE, SIZE))), frame.time_s, frame.index)
        for frame, _ in zip(open_clip(footage().heldout.path).frames(), range(FRAMES), strict=False)
    ]
    write_clip(path, frames, frame_rate=Fraction(25), sound=None, labelling=_Unlabelled())
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that has learnt nothing yet, and says whose faces it was shown."""
    folder, recipe, side = tmp_path / "model", recipe_for("light"), {"sources": {"c": "0" * 64}, "faces": 1}
    torch.manual_seed(0)
    write_tensors(folder / WEIGHTS, recipe.build().state_dict())
    faces = {"a": np.eye(2, 128)[0], "b": np.eye(2, 128)[1]}
    sides = {
        name: SideRecord(**side, digest="", face=face.tolist(), recogniser=recogniser().name)
        for name, face in faces.items()
    }
    config = ModelConfig(
        arch="light", size=recipe.size, coverage=recipe.coverage, iterations=0, heldout_error=None, sides=sides,
        versions={},
    )  # fmt: skip
    write_config(folder, config)
    return folder


def test_scored_in_memory_and_only_when_due(clip: Path, model: Path, caplog: pytest.LogCaptureFixture) -> None:
    detectors, before = Detectors(clip), {path.name for path in model.iterdir()}
    for iteration, seconds in ((10, 60.0), (11, 66.0), (20, 90.0)):
        detectors(model, Progress(seed=0, iteration=iteration, seconds=seconds))
    detectors.finish(model, 20, 90.0)
    assert {path.name for path in model.iterdir()} == before | {TABLE, PLOT}, "no footage is written"
    scores = read_scores(model / TABLE)
    assert [(score.iteration, score.seconds) for score in scores] == [(0, 0.0), (10, 60.0), (20, 90.0)]
    assert scores[1].cues == scores[2].cues, "the same weights"
    genuine, swapped = scores[:2]
    assert genuine.cues["blinking"] is None, "a second is too short"
    assert genuine.cues["seam"] != swapped.cues["seam"], "it is the swap that is looked at"
    assert (genuine.as_a, genuine.as_b) == (None, None)
    assert (swapped.as_a, swapped.as_b) == (0.0, 0.0), "what it makes is nobody yet"
    assert not caplog.records
    with Image.open(model / PLOT) as plot:
        assert plot.width > plot.height


def test_a_blurred_face_scores_higher_than_the_footage(clip: Path) -> None:
    """What the detectors report follows what is to be seen."""
    detectors = Detectors(clip)
    frames = [replace(frame, image=_blurred(frame.image)) for frame in open_clip(clip).frames()]
    blurred = scored(ShownClip.of(open_clip(clip), frames), None, 1, 60.0)
    genuine = detectors.footage()
    assert genuine.cues["seam"] is not None
    assert blurred.cues["seam"] is not None
    assert blurred.cues["seam"] > genuine.cues["seam"] + 0.3
    assert blurred.llr is not None
    assert genuine.llr is not None
    assert blurred.llr > genuine.llr


def _blurred(image: np.ndarray) -> np.ndarray:
    """The middle of the face without its fine detail."""
    made = image.copy()
    face = np.s_[SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4]
    made[face] = cv2.GaussianBlur(made[face], (0, 0), 2.5)
    return made


def test_a_stage_that_cannot_be_scored_does_not_end_the_training(
    clip: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (model / WEIGHTS).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        Detectors(clip)(model, Progress(seed=0, iteration=1, seconds=5.0))
    assert "did not look" in caplog.text
    assert not (model / TABLE).exists()


def test_clips_that_show_nothing_are_refused(tmp_path: Path, clip: Path) -> None:
    Image.fromarray(np.full((120, 160, 3), 128, np.uint8)).save(tmp_path / "wall.png")
    with pytest.raises(NoFaceError):
        Detectors(tmp_path / "wall.png")
    with pytest.raises(SettingsError, match=r"lie in it"):
        Detectors(clip, WatchSettings(longest_s=-1.0))


def test_given_frames_stand_in_for_those_of_the_file(clip: Path) -> None:
    opened = open_clip(clip)
    shown = ShownClip.of(opened, [Frame(np.zeros((2, 2, 3), np.uint8), index / 25, index) for index in range(5)])
    assert [frame.index for frame in shown.frames(0.04, 0.12)] == [1, 2]
    assert (shown.path, shown.kind, shown.width) == (opened.path, "video", SIZE)


_llrs = st.none() | st.floats(-3, 3).map(lambda value: float(f"{value:.6g}"))
_score = st.builds(
    Score,
    iteration=st.integers(0, 10**7),
    seconds=st.floats(0, 1e5).map(lambda value: float(f"{value:.6g}")),
    verdict=st.sampled_from(["synthetic", "no_sign", "cannot_tell"]),
    llr=_llrs,
    cues=st.fixed_dictionaries({cue.name: _llrs for cue in CUES}),
    as_a=st.none() | st.sampled_from([0.0, 0.25, 1.0]),
    as_b=st.none() | st.sampled_from([0.0, 0.25, 1.0]),
)


@given(scores=st.lists(_score, max_size=4))
@settings(max_examples=25)
def test_scores_survive_the_way_through_a_file(tmp_path_factory: pytest.TempPathFactory, scores: list[Score]) -> None:
    path = tmp_path_factory.mktemp("scores") / TABLE
    write_scores(path, scores)
    assert read_scores(path) == scores


def test_damaged_tables_are_begun_anew(tmp_path: Path) -> None:
    for content in ("", "iteration\n1\n", "\x00", "iteration,seconds\nx,y\n"):
        (tmp_path / TABLE).write_text(content)
        assert read_scores(tmp_path / TABLE) == []


def test_several_trainings_share_a_plot_and_a_table(tmp_path: Path) -> None:
    cues = dict.fromkeys([cue.name for cue in CUES], 0.5)
    curve = [Score(iteration, 60.0 * iteration, "cannot_tell", 0.7, cues, 0.1, 0.9) for iteration in range(3)]
    plot_scores(tmp_path / PLOT, {"light": curve, "gan": curve[:2], "nothing": []})
    assert (tmp_path / PLOT).stat().st_size > 1000
    assert table({"light": curve[-1]}).splitlines()[-1].endswith("| 0.90 | 0.10 |")


def test_who_faces_are_taken_for() -> None:
    """Against the recogniser itself: a face is taken for its own embedding and not for the opposite one."""
    by = recogniser()
    crops = np.random.default_rng(0).integers(0, 255, (4, 128, 128, 3), dtype=np.uint8)
    crops[2:] = crops[:1]
    own = by.embed(crops[:1])[0]
    seen = recognised(crops, -own, own, by)
    assert seen.faces == 4
    assert seen.as_a == 0.0
    assert seen.as_b >= 0.75
    assert seen.like_b > 0.999 > -0.999 > seen.like_a
    with pytest.raises(SettingsError, match="no face"):
        recognised(crops[:0], own, own, by)
