"""The outermost boxes of a film: walked exactly, recorded, and compared without missing a change."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.prove import mp4_boxes
from likeness.prove.mp4_boxes import changes, layout, looks_boxed, outer_boxes, remarks

KINDS = ("ftyp", "moov", "mdat", "free", "skip", "mfra", "wide", "abcd")
Parts = list[tuple[str, bytes, bool]]
BOXES = st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=40), st.booleans()), max_size=8)


def _box(kind: str, content: bytes, long: bool = False) -> bytes:
    if long:
        return (1).to_bytes(4) + kind.encode() + (16 + len(content)).to_bytes(8) + content
    return (8 + len(content)).to_bytes(4) + kind.encode() + content


def _film(parts: Parts) -> io.BytesIO:
    return io.BytesIO(b"".join(_box(*part) for part in parts))


@given(parts=BOXES, junk=st.sampled_from([b"", b"xy", b"\xff" * 50]))
def test_walks_every_box_and_counts_what_is_none(parts: Parts, junk: bytes) -> None:
    film = io.BytesIO(_film(parts).getvalue() + junk)
    found = outer_boxes(film)
    assert [(box.kind, box.size - box.header) for box in found.boxes] == [(kind, len(body)) for kind, body, _ in parts]
    assert found.trailing == len(junk)


@given(parts=BOXES, data=st.data())
def test_any_change_of_what_is_unhashed_is_named(parts: Parts, data: st.DataObject) -> None:
    recorded = layout(_film(parts))
    assert changes(recorded, _film(parts)) == []
    unhashed = [index for index, part in enumerate(parts) if part[0] in mp4_boxes.UNHASHED]
    kind = data.draw(st.sampled_from(["added", *(["changed", "taken"] if unhashed else [])]))
    if kind == "added":
        parts = [*parts, ("free", b"hidden", False)]
    else:
        index = data.draw(st.sampled_from(unhashed))
        name, body, long = parts[index]
        parts = [*parts[:index], *([(name, body + b"!", long)] if kind == "changed" else []), *parts[index + 1 :]]
    assert changes(recorded, _film(parts))


def test_says_which_box_was_changed() -> None:
    film: Parts = [("ftyp", b"isom", False), ("free", b"", False), ("mdat", b"film", False)]
    recorded = layout(_film(film))
    other_brand: Parts = [("ftyp", b"mp42", False), *film[1:]]
    assert changes(recorded, _film(other_brand)) == ["A “ftyp” box was changed after signing."]
    assert changes(recorded, _film([*film, ("skip", b"x", False)])) == ["A “skip” box was added after signing."]
    assert changes(recorded, _film(film[1:]))[-1] == "A “free” box was taken away after signing."


def test_many_boxes_are_recorded_as_one_digest() -> None:
    film: Parts = [("free", bytes([number % 251]), False) for number in range(200)]
    recorded = layout(_film(film))
    assert len(recorded["boxes"]) == 64
    assert changes(recorded, _film([*film[:-1], ("free", b"other", False)]))


@pytest.mark.parametrize("recorded", [{}, {"digest": 3, "boxes": "text"}, {"boxes": [None, 7, "\x1b[2J"]}])
def test_a_strange_record_is_a_change_and_no_crash(recorded: dict) -> None:
    found = changes(recorded, _film([("ftyp", b"isom", False)]))
    assert found
    assert all(text.isprintable() for text in found)


def test_remarks_on_hidden_content_only() -> None:
    assert remarks(_film([("free", bytes(5000), False), ("mdat", b"film", False)])) == []
    (note,) = remarks(_film([("free", bytes(5000) + b"x", False)]))
    assert "5009 bytes" in note
    (note,) = remarks(io.BytesIO(_box("mdat", b"film") + b"appended"))
    assert "8 bytes stand after the last box" in note


def test_too_many_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 3 boxes"):
        outer_boxes(_film([("free", b"", False)] * 4), most=3)


def test_last_box_may_reach_to_the_end() -> None:
    found = outer_boxes(io.BytesIO(_box("ftyp", b"isom") + (0).to_bytes(4) + b"mdat" + b"film"))
    assert (found.boxes[-1].kind, found.boxes[-1].size, found.trailing) == ("mdat", 12, 0)


@pytest.mark.parametrize("content", [b"", b"ftyp", b"\x89PNG\r\n\x1a\n", b"RIFFxxxxWAVE"])
def test_other_files_do_not_look_boxed(content: bytes) -> None:
    assert not looks_boxed(io.BytesIO(content))
