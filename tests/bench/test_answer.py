import numpy as np
import pytest
from short_clips import cut_short

from likeness.actors.truth import Truth
from likeness.bench.answer import (
    FIGURES,
    PSNR_CEILING,
    Judge,
    KnownAnswer,
    expression_error,
    pose_error,
    pose_fit_of,
)
from likeness.bench.perceptual import distances
from likeness.bench.takes import PairClips
from likeness.faces.align import TEMPLATE
from likeness.faces.extract import extract
from likeness.faces.face import OUTER_LIPS
from likeness.faces.identity import recogniser
from likeness.faces.pose import pose_of
from likeness.footage import footage

FRAMES = 4
RANDOM = np.random.default_rng(4)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> KnownAnswer:
    """The first frames of the shipped held-out take and its answer, with half a second to know A and B by."""
    folder, shipped = tmp_path_factory.mktemp("answer"), footage()
    lengths = {"actor_a": 10, "actor_b": 10, "heldout": FRAMES, "answer": FRAMES}
    short = {name: cut_short(getattr(shipped, name), folder, count) for name, count in lengths.items()}
    clips = PairClips(short["actor_a"], short["actor_b"], short["heldout"], short["answer"])
    for name in ("actor_a", "actor_b"):
        extract([short[name]], folder / name)
    return KnownAnswer.load(clips, folder / "actor_a", folder / "actor_b", recogniser())


def test_the_answer_itself_is_best_in_every_figure_that_compares_with_it(known: KnownAnswer) -> None:
    judge = Judge(recogniser(), distances())
    best, unchanged = judge(known.answer, known), judge(known.unchanged, known)
    assert set(best) <= {figure.name for figure in FIGURES}
    assert best["psnr"] == pytest.approx(PSNR_CEILING)
    assert best["ssim"] == pytest.approx(1)
    assert best["identity_features"] == pytest.approx(0, abs=1e-6)
    assert np.nanmax(best["flicker"]) == 0
    for figure in FIGURES:
        if figure.name in ("psnr", "ssim", "identity_features", "imagenet_features", "pose") and figure.name in best:
            gain = figure.better * (best[figure.name] - unchanged[figure.name])
            assert np.nanmean(gain) > 0, figure.name


def test_a_clip_without_a_face_has_pixels_but_no_landmarks(known: KnownAnswer) -> None:
    grey = np.full_like(known.answer, 127)
    figures = Judge(recogniser(), {})(grey, known)
    assert np.isfinite(figures["psnr"]).all()
    for name in ("identity_answer", "identity_b", "pose", "expression", "jitter"):
        assert np.isnan(figures[name]).all()


def _moving(frames: int = 6) -> np.ndarray:
    """A face that opens its mouth, (T, 68, 2)."""
    clip = np.repeat(TEMPLATE[None].astype(np.float64) * 100 + 20, frames, axis=0)
    clip[:, OUTER_LIPS.start + 6 : OUTER_LIPS.stop] += np.arange(frames)[:, None, None] * (0, 2)
    return clip


def test_expressions_are_compared_without_who_it_is() -> None:
    """Another's face that does the same has no error; one that is frozen has all of it."""
    exact = _moving()
    other = exact * 1.3 + RANDOM.normal(0, 2, (1, 68, 2))  # larger, elsewhere, and of other features
    frozen = np.repeat(exact[:1], len(exact), axis=0)
    assert expression_error(exact, exact) == pytest.approx(0, abs=1e-9)
    assert expression_error(other, exact).max() < 0.25 * expression_error(frozen, exact).max()
    assert expression_error(frozen, exact).max() > 1


def test_pose_errors_are_degrees_and_a_persons_bias_is_read_off_their_clip() -> None:
    landmarks = TEMPLATE.astype(np.float64) * 100
    estimate = np.array(pose_of(landmarks))
    plain = np.eye(3, 4)
    found = np.stack([landmarks, np.full((68, 2), np.nan)])
    heads = estimate + np.array([(3, 4, 0), (0, 0, 0)])
    errors = pose_error(found, heads, plain)
    assert errors[0] == pytest.approx(5)
    assert np.isnan(errors[1])


def test_the_fit_of_poses_takes_away_what_is_wrong_alike() -> None:
    truth = Truth.load(footage().actor_b.truth)
    learnt, held = np.arange(0, 200, 3), np.arange(230, 300)
    fit = pose_fit_of(truth.landmarks[learnt], truth.head[learnt])
    own, plain = (pose_error(truth.landmarks[held], truth.head[held], matrix).mean() for matrix in (fit, np.eye(3, 4)))
    assert own < 0.6 * plain


def test_the_fit_keeps_the_estimate_where_poses_hardly_differ() -> None:
    """Frames of one moment tell the constant part of the bias alone."""
    truth = Truth.load(footage().actor_b.truth)
    fit = pose_fit_of(truth.landmarks[:3], truth.head[:3])
    assert fit[:, :3] == pytest.approx(np.eye(3), abs=0.05)
    assert pose_error(truth.landmarks[:3], truth.head[:3], fit).max() < 0.5
