"""Fusion gives weight to those who know, none to those who do not, and never claims more than its people support."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.detect import fuse
from likeness.detect.calibrate import KNEE
from likeness.detect.fuse import Fusion, FusionRow, FusionSettings, fit_fusion, shipped_fusion
from likeness.detect.metrics import BootstrapSettings
from likeness.errors import ModelError

SETTINGS = FusionSettings(population="made", bootstrap=BootstrapSettings(resamples=5))
FUSION = Fusion(
    weights={"seam": 0.5, "noise": 1.0}, bound=1.5, population="made", people=4, genuine_faces=4, synthetic_faces=4,
    figures={},
)  # fmt: skip


def rows(people: int = 60, seed: int = 0, silent: float = 0.0) -> list[FusionRow]:
    """Two faces a person: "knows" is calibrated evidence, "echo" repeats it, "chance" says anything, "wrong" is
    upside down. ``silent``: how often each abstains."""
    random = np.random.default_rng(seed)
    made = []
    for person in range(people):
        for synthetic in (False, True):
            side = 1 if synthetic else -1
            knows = random.normal(side, np.sqrt(2)) / np.log(10)
            said = {
                "knows": knows,
                "echo": knows + random.normal(0, 0.05),
                "chance": random.normal(0, 0.4),
                "wrong": random.normal(-side, 0.5),
            }
            heard: dict[str, float | None] = {
                k: None if random.random() < silent else float(v) for k, v in said.items()
            }
            made.append(FusionRow(heard, synthetic, f"p{person}", f"s{person}"))
    return made


def test_weight_goes_to_those_who_know() -> None:
    fusion = fit_fusion(rows(200), SETTINGS)
    assert 0.8 < fusion.weights["knows"] + fusion.weights["echo"] < 1.6  # each of them by itself is worth 1
    assert fusion.weights["chance"] < 0.2
    assert fusion.weights["wrong"] == 0
    assert fusion.figures["cllr"].value < 0.85
    assert fusion.alone["wrong"]["cllr"].value > 1
    assert (fusion.people, fusion.genuine_faces, fusion.synthetic_faces) == (200, 200, 200)


def test_drop_outs_share_the_weight_among_those_who_say_the_same() -> None:
    shared = fit_fusion(rows(), SETTINGS).weights
    assert min(shared["knows"], shared["echo"]) > 0.2
    assert fit_fusion(rows(silent=0.5), SETTINGS).figures["cllr"].value < 0.95


def test_one_person_with_many_faces_counts_as_one() -> None:
    loud = [
        FusionRow({"wrong": 0.7 if synthetic else -0.7, "knows": 0.0}, synthetic, "p0", "s0")
        for _ in range(300)
        for synthetic in (False, True)
    ]
    assert fit_fusion([*rows(), *loud], SETTINGS).weights["wrong"] < 0.1


def test_cross_validation_leaves_people_out() -> None:
    """Noise on few people fits well and predicts nothing: figures from people whom the fit has seen would flatter."""
    random = np.random.default_rng(3)
    noise = [
        FusionRow({f"e{i}": float(v) for i, v in enumerate(random.normal(0, 1, 60))}, side, f"p{n}", f"s{n}")
        for n in range(8)
        for side in (False, True)
    ]
    settings = FusionSettings(population="noise", ridge=0.01, drop=0.0, bootstrap=BootstrapSettings(resamples=10))
    fusion = fit_fusion(noise, settings)
    within = [fused.llr for row in noise if (fused := fusion.fuse(row.llrs))]
    from_fit = np.mean([np.sign(llr) == (1 if row.synthetic else -1) for llr, row in zip(within, noise, strict=True)])
    assert from_fit > 0.8
    assert fusion.figures["cllr"].value > 0.9


@pytest.mark.parametrize("people", [2, 8, 30])
def test_few_people_support_little(people: int) -> None:
    assert fit_fusion(rows(people), SETTINGS).bound == pytest.approx(np.log10(people + 1), abs=1e-3)
    assert fit_fusion(rows(people), FusionSettings("made", bound=0.2, bootstrap=SETTINGS.bootstrap)).bound == 0.2


NAMES = ("seam", "noise", "unheard of")
SAID = st.dictionaries(st.sampled_from(NAMES), st.none() | st.floats(-4, 4))


@given(SAID)
def test_the_whole_stays_within_its_bound_and_is_the_sum_of_its_parts(said: dict[str, float | None]) -> None:
    fused = FUSION.fuse(said)
    spoke = {name for name, llr in said.items() if llr is not None and name in FUSION.weights}
    if not spoke:
        assert fused is None
        return
    assert fused is not None
    assert set(fused.parts) == spoke
    assert abs(fused.llr) <= FUSION.bound
    assert fused.bounded == (abs(sum(fused.parts.values())) > KNEE * FUSION.bound)
    if not fused.bounded:
        assert fused.llr == pytest.approx(sum(fused.parts.values()))


@given(SAID, st.floats(0, 2))
def test_more_evidence_never_counts_less(said: dict[str, float | None], more: float) -> None:
    said = {**said, "seam": said.get("seam") or 0.0}
    before = FUSION.fuse(said)
    after = FUSION.fuse({**said, "noise": (said.get("noise") or 0.0) + more})
    assert before is not None
    assert after is not None
    assert after.llr >= before.llr - 1e-12


def test_it_survives_its_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse.resources, "files", lambda package: tmp_path)
    assert shipped_fusion() is None
    fusion = fit_fusion(rows(6), SETTINGS)
    (tmp_path / fuse.FUSION_FILE).write_text(fusion.model_dump_json(), "utf-8")
    assert shipped_fusion() == fusion
    (tmp_path / fuse.FUSION_FILE).write_text('{"weights": {}}', "utf-8")
    with pytest.raises(ModelError, match="Install likeness again"):
        shipped_fusion()


@pytest.mark.parametrize(
    "wrong",
    [[], [row for row in rows(4) if row.synthetic], [row for row in rows(4) if row.person == "p1"]],
    ids=["nothing", "one class", "one person"],
)
def test_what_cannot_be_fitted_is_refused(wrong: list[FusionRow]) -> None:
    with pytest.raises(ValueError, match="fit_fusion needs"):
        fit_fusion(wrong, SETTINGS)


def test_faces_on_which_all_abstain_are_no_obstacle() -> None:
    silent = [FusionRow({}, row.synthetic, row.person, row.source) for row in rows(4)]
    fusion = fit_fusion(silent, SETTINGS)
    assert fusion.weights == {}
    assert fusion.fuse({"seam": 2.0}) is None
    assert fusion.figures["cllr"].value == pytest.approx(1)
