"""Each contradiction by itself, from evidence put together by hand; and nothing from evidence that fits together."""

import datetime as dt
from dataclasses import replace

import pytest

from likeness.prove.contradictions import Evidence, contradictions
from likeness.prove.fingerprint import PictureFingerprint, SecondFingerprint
from likeness.prove.manifest import Credentials, Ingredient
from likeness.prove.recognise import Agreement, Look, Recognition
from likeness.prove.seconds import Located, Stretch
from likeness.prove.seconds_layer import Compared
from likeness.prove.store import Match, Work
from likeness.prove.watermark.read import MarkReading
from likeness.prove.watermark.tamper import TamperReading

SWAP = "compositeWithTrainedAlgorithmicMedia"
ABSENT = Credentials(state="absent", reason="the file carries none")
HASH = bytes(range(32))


def signed(*kinds: str, signer: str = "Ada", manifest: str = "urn:a", **more: object) -> Credentials:
    values = {"state": "trusted", "signer": signer, "digital_source_types": list(kinds), "manifest": manifest}
    return Credentials.model_validate(values | more)


def work(mark_id: str = "00000000aa", source_type: str | None = SWAP, origin: str = "swap") -> Work:
    return Work(
        mark_id=mark_id, title=f"{mark_id}.mp4", path="/x", kind="clip",
        made_at=dt.datetime(2026, 11, 1, tzinfo=dt.UTC), origin=origin, source_type=source_type,
        sha256=mark_id[-1] * 64,
    )  # fmt: skip


def found(mark_id: str = "00000000aa", also: tuple[str, ...] = ()) -> MarkReading:
    return MarkReading("found", mark_id, 1, 20.0, also=also)


NO_MARK = MarkReading("absent")


def seen(
    mark: MarkReading = NO_MARK,
    marked: Work | None = None,
    agreement: Agreement = "cannot_tell",
    looks_like: Work | None = None,
    looks: tuple[Look, ...] = (),
    moments: tuple[SecondFingerprint, ...] = (),
) -> Recognition:
    matches = [Match(looks_like, 4, "whole", "whole", False)] if looks_like else []
    return Recognition(mark, moments, looks, 0.0, marked, agreement, None, matches)


def test_layers_that_fit_together_do_not_contradict() -> None:
    ours = work()
    claim = signed(SWAP, mark_id="00000000aa")
    fits = seen(found(), ours, "match", ours)
    assert contradictions(Evidence(claim, fits, [(ours, claim)])) == []
    assert contradictions(Evidence(ABSENT, fits, [(ours, claim)])) == []
    assert contradictions(Evidence(ABSENT, seen())) == []
    assert contradictions(Evidence(signed("digitalCapture"), seen())) == []


def test_camera_claim_over_a_synthetic_mark() -> None:
    ours = work()
    (text,) = contradictions(Evidence(signed("digitalCapture"), seen(found(), ours, "match", ours)))
    assert "taken by a camera" in text
    assert "A synthetic work was given the credentials of a camera" in text


def test_camera_claim_over_what_looks_like_a_swap_may_be_its_source() -> None:
    (text,) = contradictions(Evidence(signed("digitalCapture"), seen(looks_like=work())))
    assert "cannot tell them apart" in text


def test_camera_claim_over_what_looks_like_a_synthetic_portrait() -> None:
    whole = work(source_type="trainedAlgorithmicMedia", origin="portrait")
    (text,) = contradictions(Evidence(signed("digitalCapture"), seen(looks_like=whole)))
    assert "cannot tell them apart" not in text


def test_synthetic_claim_over_published_camera_footage() -> None:
    filmed = work(source_type="digitalCapture", origin="published")
    (text,) = contradictions(Evidence(signed(SWAP), seen(found(), filmed, "match", filmed)))
    assert "published as taken by a camera" in text


def test_mark_over_something_else_is_named_with_what_it_looks_like() -> None:
    other = work("00000000bb", "digitalCapture", "published")
    (text,) = contradictions(Evidence(ABSENT, seen(found(), work(), "differs", other)))
    assert "copied" in text
    assert "00000000bb.mp4" in text


def test_a_copied_mark_does_not_make_a_camera_claim_false() -> None:
    texts = contradictions(Evidence(signed("digitalCapture"), seen(found(), work(), "differs")))
    assert len(texts) == 1
    assert "camera" not in texts[0]


def test_credentials_name_another_mark() -> None:
    (text,) = contradictions(Evidence(signed(mark_id="00000000bb"), seen(found())))
    assert "00000000bb" in text
    assert "00000000aa" in text


def test_credentials_name_a_mark_that_is_not_there() -> None:
    (text,) = contradictions(Evidence(signed(mark_id="00000000bb"), seen()))
    assert "none can be read" in text
    broken = signed(mark_id="00000000bb", state="invalid")
    assert contradictions(Evidence(broken, seen())) == []  # the picture has changed anyway


def test_credentials_name_the_fingerprint_of_another_picture() -> None:
    flipped = bytes(byte ^ 0x0F for byte in HASH)
    moment = SecondFingerprint(0.0, {"whole": PictureFingerprint(HASH, 100)})
    same, other = (Evidence(signed(fingerprint=value.hex()), seen(moments=(moment,))) for value in (HASH, flipped))
    assert contradictions(same) == []
    (text,) = contradictions(other)
    assert "128 of 256 bits" in text
    for nonsense in ("", "zz", "00"):
        assert contradictions(Evidence(signed(fingerprint=nonsense), seen(moments=(moment,)))) == []


def test_two_marks_in_one_clip() -> None:
    (text,) = contradictions(Evidence(ABSENT, seen(found(also=("00000000bb",)))))
    assert "00000000bb" in text
    assert "put together" in text


def test_unknown_mark_on_a_known_work() -> None:
    (text,) = contradictions(Evidence(ABSENT, seen(found("00000000cc"), looks_like=work())))
    assert "marked again" in text


def test_work_of_ours_signed_anew() -> None:
    ours, published = work(), signed(SWAP, manifest="urn:ours")
    fits = seen(found(), ours, "match", ours)
    (text,) = contradictions(Evidence(signed(SWAP, signer="Eve", manifest="urn:eve"), fits, [(ours, published)]))
    assert "signed anew" in text
    assert "Eve" in text
    edit = signed(
        SWAP,
        signer="Eve",
        manifest="urn:eve",
        ingredients=[Ingredient(title="a", relationship="parentOf", state="trusted", signer="Ada",
                                digital_source_types=[SWAP], manifest="urn:ours")],
    )  # fmt: skip
    assert contradictions(Evidence(edit, fits, [(ours, published)])) == []
    namesake = edit.model_copy(update={"ingredients": [edit.ingredients[0].model_copy(update={"manifest": "urn:b"})]})
    assert "signed anew" in contradictions(Evidence(namesake, fits, [(ours, published)]))[0]


def test_what_a_work_was_made_from_is_not_signed_anew() -> None:
    source = signed("digitalCapture", manifest="urn:source")
    part = Ingredient(title="s", relationship="parentOf", state="trusted", signer="Ada", manifest="urn:source")
    ours = work(source_type=None, origin="published")
    published = signed(manifest="urn:ours", ingredients=[part])
    assert contradictions(Evidence(source, seen(looks_like=ours), [(ours, published)])) == []
    broken = source.model_copy(update={"state": "invalid"})
    assert contradictions(Evidence(broken, seen(looks_like=ours), [(ours, published)])) != []


@pytest.mark.parametrize("origin", ["published", "swap"])
def test_mere_likeness_to_a_work_does_not_say_signed_anew(origin: str) -> None:
    ours = work(source_type=SWAP if origin == "swap" else None, origin=origin)
    own = signed(signer="Eve", manifest="urn:eve")
    (text,) = contradictions(Evidence(own, seen(looks_like=ours), [(ours, signed(manifest="urn:ours"))]))
    assert "signed anew" not in text
    assert "or it is the footage it was made from" in text
    same_signer = signed(manifest="urn:more")
    assert contradictions(Evidence(same_signer, seen(looks_like=ours), [(ours, signed(manifest="urn:ours"))])) == []


def test_mark_of_the_footage_under_that_of_a_swap_is_no_contradiction() -> None:
    swap, footage = work(), work("00000000bb", "digitalCapture", "published")
    mark = found(also=("00000000bb",))
    explained = replace(seen(mark, swap, "match", swap), beneath=[footage])
    assert contradictions(Evidence(ABSENT, explained)) == []
    foreign = replace(explained, mark=found(also=("00000000bb", "00000000cc")))
    (text,) = contradictions(Evidence(ABSENT, foreign))
    assert "00000000cc" in text
    assert "00000000bb" not in text


def test_credentials_may_name_any_of_the_marks() -> None:
    texts = contradictions(Evidence(signed(mark_id="00000000bb"), seen(found(also=("00000000bb",)))))
    assert not any("credentials name" in text for text in texts)


def test_broken_parent_under_credentials_that_hold() -> None:
    part = Ingredient(title="part.jpg", relationship="parentOf", state="invalid")
    (text,) = contradictions(Evidence(signed(ingredients=[part]), seen()))
    assert "part.jpg" in text


def test_camera_claim_made_from_something_synthetic() -> None:
    part = Ingredient(title="p", relationship="parentOf", state="trusted", digital_source_types=[SWAP])
    (text,) = contradictions(Evidence(signed("digitalCapture", ingredients=[part]), seen()))
    assert "name “p”" in text


@pytest.mark.parametrize(("own", "words"), [(ABSENT, "does not vouch"), (signed(), "credentials hold")])
def test_altered_region_under_a_mark(own: Credentials, words: str) -> None:
    altered = (Look(0.5, TamperReading("altered", 0.9, [(0.0, 0.0, 9.0, 9.0)])),)
    (text,) = contradictions(Evidence(own, seen(found(), looks=altered)))
    assert words in text


def test_one_look_of_many_is_not_enough() -> None:
    looks = (Look(0.5, TamperReading("altered", 0.9)), *(Look(i + 0.5, TamperReading("intact")) for i in range(1, 9)))
    assert contradictions(Evidence(ABSENT, seen(found(), looks=looks))) == []


def test_two_neighbouring_looks_at_one_place_are_enough() -> None:
    def looks(*places: float | None) -> tuple[Look, ...]:
        return tuple(
            Look(
                i + 0.5, TamperReading("intact") if x is None else TamperReading("altered", 0.9, [(x, 0.0, x + 9, 9.0)])
            )
            for i, x in enumerate(places)
        )

    for places, count in (
        ((None, 0.0, 5.0, None), 1),
        ((None, 0.0, 50.0, None), 0),
        ((0.0, None, 0.0, None), 0),
        ((0.0, 0.0), 1),
        ((0.0,), 1),
    ):
        assert len(contradictions(Evidence(ABSENT, seen(found(), looks=looks(*places))))) == count, places


def test_what_is_bit_for_bit_as_published_was_not_altered() -> None:
    altered = (Look(0.5, TamperReading("altered", 0.9, [(0.0, 0.0, 9.0, 9.0)])),)
    ours = work()
    same = Recognition(found(), (), altered, 0.0, ours, "match", ours, unchanged=True)
    assert contradictions(Evidence(ABSENT, same)) == []


PICTURES = (Stretch("unchanged", (0, 3), (0, 3)), Stretch("changed", (3, 4), (3, 4)))


def test_changed_second_under_credentials_with_a_list_and_without() -> None:
    located = Located(PICTURES, (), True, True)
    for own, source, words in ((signed(), "credentials", "credentials hold"), (ABSENT, "store", "edited")):
        (text,) = contradictions(Evidence(own, seen(), seconds=Compared(source, "trusted", located)))
        assert words in text
        assert "3–4 s" in text


def test_list_of_what_a_signed_clip_looks_like_is_not_that_of_its_credentials() -> None:
    anew = Compared("store", "trusted", Located((Stretch("changed", (0, 4), (0, 4)),), (), True, True))
    assert contradictions(Evidence(signed(), seen(looks_like=work()), seconds=anew)) == []


def test_kept_sound_alone_says_edited_only_of_what_is_firmly_the_work() -> None:
    tracks = (Stretch("changed", (0, 4), (0, 4)),), (Stretch("unchanged", (0, 4), (0, 4)),)
    copied, ours = Compared("store", "trusted", Located(*tracks, True, True)), work()
    assert contradictions(Evidence(ABSENT, seen(looks_like=ours), seconds=copied)) == []
    (text,) = contradictions(Evidence(ABSENT, seen(found(), ours, "match", ours), seconds=copied))
    assert "edited" in text


def test_a_new_encoding_is_no_contradiction() -> None:
    compared = Compared("store", "trusted", Located((Stretch("changed", (0, 4), (0, 4)),), (), False, True))
    assert contradictions(Evidence(ABSENT, seen(), seconds=compared)) == []
