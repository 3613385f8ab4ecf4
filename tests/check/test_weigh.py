"""The weighing of findings, as a table of specifications, and what must hold of it whatever the findings."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.check.weigh import WeighSettings, any_of, combine, times, verbal, weigh
from likeness.detect.fuse import Fusion
from likeness.examiner import Finding, abstention

LLRS = st.lists(st.floats(-4, 4), max_size=6)


def said(llr: float, track: int | None = 1, examiner: str = "seam") -> Finding:
    return Finding(examiner=examiner, text=f"{examiner} says {llr}.", llr=llr, track=track)


def silent(track: int | None = 1, examiner: str = "blinking") -> Finding:
    return abstention(examiner, f"{examiner} cannot work here.", track)


# name, kind, tracks, findings, verdict, llr, a part of the reason
SPECIFICATION = [
    ("sound only", "sound", [], [silent(None)], "cannot_tell", None, "sound only"),
    ("no face", "video", [], [silent(None)], "cannot_tell", None, "No face was found"),
    ("all abstain", "video", [1], [silent(), silent(1, "seam")], "cannot_tell", None, "blinking cannot work here"),
    ("nothing stands out", "video", [1], [said(-0.1), said(0.1, 1, "motion")], "cannot_tell", 0.0, "too thin"),
    ("one weak cue", "video", [1], [said(0.7)], "cannot_tell", 0.7, "a verdict needs 10 times"),
    ("cues agree", "video", [1], [said(0.7), said(0.6, 1, "motion")], "synthetic", 1.0, "10 times"),
    ("two genuine cues", "video", [1], [said(-0.5), said(-0.4, 1, "motion")], "no_sign", -0.7, "no proof"),
    ("one genuine cue", "video", [1], [said(-0.7), silent()], "cannot_tell", -0.7, "not every face"),
    ("a little genuine", "video", [1], [said(-0.3), said(-0.2, 1, "motion")], "cannot_tell", -0.4, "too thin"),
    ("cues contradict", "video", [1], [said(0.7), said(-0.5, 1, "motion")], "cannot_tell", 0.2, "too thin"),
    ("credentials decide", "video", [1], [said(4, None, "signer"), silent()], "synthetic", 4.0, "signer says"),
    ("credentials, no face", "picture", [], [said(4, None, "credentials")], "synthetic", 4.0, "credentials says"),
    ("credentials of a sound", "sound", [], [said(2, None, "credentials")], "synthetic", 2.0, "credentials says"),
    ("credentials add in full", "video", [1], [said(2, None), said(-0.5)], "synthetic", 1.5, "32 times"),
    ("broken credentials", "video", [], [said(0.0, None, "credentials")], "cannot_tell", 0.0, "No face was found"),
    ("one record, three voices", "picture", [],
     [said(4, None, "credentials"), said(4, None, "watermark"), said(0.3, None, "fingerprint")], "synthetic", 4.0,
     "repeat one statement, the strongest counts"),
    ("mark without credentials", "picture", [], [silent(None, "credentials"), said(4, None, "watermark")], "synthetic",
     4.0, "watermark says"),
    ("looks like a swap", "video", [1], [said(0.3, None, "fingerprint"), said(-0.1)], "cannot_tell", 0.2, "too thin"),
    ("one of two faces", "video", [1, 2], [said(2.0), said(-2.0, 2)], "synthetic", 1.699, "seam says 2.0"),
    ("genuine and unseen face", "video", [1, 2], [said(-0.7), said(-0.7, 1, "motion"), silent(2)], "cannot_tell",
     math.log10((10**-1.05 + 1) / 2), "too thin"),
]  # fmt: skip


@pytest.mark.parametrize("case", SPECIFICATION, ids=lambda case: case[0])
def test_specification(case: tuple) -> None:
    _, kind, tracks, findings, verdict, llr, reason = case
    weighing = weigh(kind, tracks, findings)
    assert weighing.verdict == verdict
    assert weighing.llr == (None if llr is None else pytest.approx(llr, abs=2e-3))
    assert reason in weighing.reason
    assert set(weighing.faces) == set(tracks)


def test_the_reason_quotes_the_first_sentence_of_the_most_telling() -> None:
    long = Finding(examiner="noise", text="It has 3.1 times less noise. Blocks agree.", llr=0.8, track=1)
    assert weigh("video", [1], [long, said(0.4)]).reason.endswith("Most telling: It has 3.1 times less noise.")


def test_probability_is_that_of_even_prior_odds() -> None:
    assert weigh("video", [1], [said(1.0)]).probability == pytest.approx(10 / 11)
    assert weigh("video", [], []).probability is None


SAID = st.dictionaries(st.sampled_from(["blinking", "lips", "motion", "noise", "seam"]), st.floats(-4, 4))
FUSION = Fusion(
    weights={"seam": 0.5, "noise": 1.0, "motion": 0.0}, bound=1.5, population="made", people=4, genuine_faces=4,
    synthetic_faces=4, figures={},
)  # fmt: skip


@given(SAID)
def test_cues_of_one_face_never_count_more_than_their_sum(said: dict[str, float]) -> None:
    parts = combine(said, WeighSettings().discount)
    assert set(parts) == set(said)
    assert all(abs(parts[name]) <= abs(said[name]) and parts[name] * said[name] >= 0 for name in said)
    for side in (1, -1):
        own = [name for name in said if said[name] * side > 0]
        if own:  # the strongest counts in full
            assert max(parts[name] * side for name in own) == max(said[name] * side for name in own)


@given(SAID, st.randoms(use_true_random=False))
def test_order_does_not_matter(said: dict[str, float], random) -> None:
    names = list(said)
    random.shuffle(names)
    shuffled = {name: said[name] for name in names}
    assert combine(said, 0.5) == combine(shuffled, 0.5)
    assert any_of(list(said.values())) == (pytest.approx(any_of(list(shuffled.values()))) if said else None)


def _findings(llrs: dict[str, float]) -> list[Finding]:
    return [said(llr, 1, name) for name, llr in llrs.items()]


@given(SAID)
def test_parts_add_up_to_the_face_and_faces_to_the_file(said: dict[str, float]) -> None:
    weighing = weigh("video", [1], _findings(said))
    assert weighing.faces[1] == (pytest.approx(sum(weighing.parts[1].values()), abs=1e-3) if said else None)
    assert weighing.llr == weighing.faces[1]


def test_fitted_weights_take_the_place_of_discounts() -> None:
    found = [said(0.8), said(0.6, 1, "noise"), said(2.0, 1, "motion"), said(3.0, 1, "unheard of"), silent()]
    weighing = weigh("video", [1], found, fusion=FUSION)
    assert weighing.faces[1] == pytest.approx(0.5 * 0.8 + 0.6)
    assert weighing.parts[1] == {"seam": pytest.approx(0.4), "noise": pytest.approx(0.6)}
    assert weighing.verdict == "synthetic"


def test_the_fitted_whole_is_bounded() -> None:
    weighing = weigh("video", [1], [said(4.0), said(4.0, 1, "noise"), said(1.0, None, "credentials")], fusion=FUSION)
    assert weighing.faces[1] == 1.5
    assert weighing.llr == 2.5


def test_whether_it_is_a_given_person_stands_beside_the_verdict() -> None:
    weighing = weigh("video", [1], [said(0.9, 1, "identity"), said(0.7)])
    assert weighing.faces[1] == 0.7
    assert "identity" not in weighing.parts[1]
    assert weighing.reason.endswith("Beside the verdict: identity says 0.9.")
    assert "Beside" not in weigh("video", [1], [said(0.1, 1, "identity"), said(0.7)]).reason


@pytest.mark.parametrize("examiner", ["motion", "unheard of"])
def test_an_examiner_without_weight_neither_counts_nor_watches(examiner: str) -> None:
    alone = weigh("video", [1], [said(3.0, 1, examiner)], fusion=FUSION)
    assert (alone.verdict, alone.llr, alone.faces) == ("cannot_tell", None, {1: None})
    assert "No examiner whose evidence counts" in alone.reason
    with_one = weigh("video", [1], [said(-2.0, 1, examiner), said(-1.0, 1, "noise")], fusion=FUSION)
    assert with_one.verdict == "cannot_tell"


@given(st.floats(-3, 3), st.integers(1, 20))
def test_a_crowd_of_unexamined_faces_is_no_evidence(llr: float, others: int) -> None:
    crowd = any_of([llr, *[None] * others])
    assert crowd is not None
    assert abs(crowd) <= abs(llr) + 1e-9
    assert any_of([None] * others) is None


@given(SAID, LLRS)
def test_verdict_follows_from_the_number(of_face: dict[str, float], of_file: list[float]) -> None:
    settings = WeighSettings()
    findings = _findings(of_face) + [said(x, None, "credentials") for x in of_file]
    weighing = weigh("video", [1], findings, settings)
    if weighing.verdict == "synthetic":
        assert weighing.llr is not None
        assert weighing.llr >= settings.synthetic_from - 1e-3
    if weighing.verdict == "no_sign":
        assert len(of_face) >= settings.least_examiners
        assert weighing.llr is not None
        assert weighing.llr <= settings.no_sign_to + 1e-3
    assert "authentic" not in weighing.reason


@pytest.mark.parametrize(
    ("llr", "words"),
    [(None, "no opinion"), (0.2, "no support"), (0.31, "weak"), (1, "moderate support"),
     (-1.2, "moderate support for “as"),
     (2.0, "moderately strong"), (3.0, "strong"), (4.0, "very strong"), (6.5, "extremely strong")],
)  # fmt: skip
def test_verbal_scale_is_that_of_enfsi(llr: float | None, words: str) -> None:
    assert verbal(llr).startswith(words)


def test_factors_read_like_numbers_people_say() -> None:
    assert (times(0.3), times(-1), times(2.5), times(4)) == ("2.0 times", "10 times", "320 times", "10,000 times")
