"""The words of a report: who agrees, of what the total is made, the whole scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_reports import FUSION, many_findings, report

from likeness.check.explain import agreement, by_weight, chance, mostly, scale, signed, silent, stance_of, voices
from likeness.check.weigh import verbal
from likeness.detect.calibrate import within
from likeness.examiner import Finding, abstention


def test_who_agrees_and_who_differs() -> None:
    shown = report(found=many_findings())
    said = agreement(voices(shown, shown.faces[0]))
    assert said.startswith("The examiners differ: noise, seam and blinking for software, lips for a camera.")
    assert "2 say nothing either way (light, eyes and teeth) and 3 abstain (motion, pulse, expression)." in said


@pytest.mark.parametrize(
    ("llrs", "begin"),
    [
        ([0.5], "Seam 0 speaks for software; nobody differs."),
        ([0.5, 0.6], "Seam 1 and seam 0 agree and speak for software; nobody differs."),
        ([-0.5, -0.6], "Seam 1 and seam 0 agree and speak for a camera; nobody differs."),
        ([0.0, 0.1], "No examiner speaks for either side. 2 say nothing either way (seam 1, seam 0)."),
    ],
)
def test_agreement_of_few(llrs: list[float], begin: str) -> None:
    found = [Finding(examiner=f"seam {i}", text="It is so.", llr=llr, track=1) for i, llr in enumerate(llrs)]
    shown = report(found=found)
    assert agreement(voices(shown, shown.faces[0])).startswith(begin)


def test_the_total_is_explained_by_its_parts() -> None:
    fused = report(found=many_findings(), fusion=FUSION)
    face = fused.faces[0]
    assert face.llr == pytest.approx(within(sum(face.parts.values()), FUSION.bound), abs=1e-3)
    said = mostly(fused, face)
    assert said.startswith(f"The total for this face is {face.llr:+.2f}: +0.72 from noise, ")
    rows = voices(fused, face)
    assert [row.examiner for row in rows[:2]] == ["noise", "lips"]
    assert {row.examiner for row in rows if row.llr is not None and row.part is None} == {"eyes_and_teeth"}
    assert [f.examiner for f in by_weight(fused, face)][:2] == ["noise", "lips"]


def test_a_limited_sum_says_so() -> None:
    strong = [
        Finding(examiner="noise", text="x", llr=4.0, track=1),
        Finding(examiner="seam", text="x", llr=4.0, track=1),
    ]
    shown = report(found=strong, fusion=FUSION)
    assert shown.faces[0].llr == FUSION.bound
    assert "+5.20, is limited" in mostly(shown, shown.faces[0])


def test_the_same_reason_is_given_once() -> None:
    assert silent(many_findings()) == [
        ("Motion abstains.", "The face hardly moves, so there is no motion to compare."),
        ("Pulse and expression abstain.", "The clip is shorter than 8 s."),
    ]


@given(st.none() | st.floats(-9, 9))
def test_the_whole_scale_is_shown_with_one_place(llr: float | None) -> None:
    rungs = scale(llr)
    assert len(rungs) == 13
    here = [rung for rung in rungs if rung.here]
    assert len(here) == (llr is not None)
    if llr is not None:
        strength = verbal(llr).split(" support")[0]
        assert here[0].words.startswith(strength)
        assert ("software" in here[0].words) == (llr > 0 and strength != "no")


@given(st.floats(-9, 9))
def test_stance_and_scale_agree(llr: float) -> None:
    neutral = verbal(llr).startswith("no support")
    assert (stance_of(Finding(examiner="seam", text="x", llr=llr)) == "neutral") == neutral
    assert stance_of(abstention("seam", "No.")) == "abstains"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | st.floats(-4, 4)), unique_by=lambda x: x[0]))
def test_every_examiner_has_one_row_and_bars_stay_in_their_box(said: list[tuple[str, float | None]]) -> None:
    found = [
        abstention(name, "No.", 1) if llr is None else Finding(examiner=name, text="x", llr=llr, track=1)
        for name, llr in said
    ]
    if not found:
        return
    shown = report(found=found)
    rows = voices(shown, shown.faces[0])
    assert sorted(row.examiner for row in rows) == sorted(name for name, _ in said)
    for row in rows:
        assert -0.01 <= row.left <= row.left + row.width <= 100.01
        assert (row.part is None) == (row.llr is None)


def test_numbers_read_like_numbers() -> None:
    assert (signed(0.5), signed(-0.256), signed(-0.001), signed(None)) == ("+0.50", "−0.26", "+0.00", "–")
    assert (chance(0.5), chance(0.999), chance(0.001)) == ("50 %", "over 99 %", "under 1 %")
