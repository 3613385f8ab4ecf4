"""Verify as a whole: the shape of its record, recovery of stripped credentials, clashes, and files that go wrong."""

import ast
import json
import os
import re
import sqlite3
import struct
import wave
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published import QUICK, RATE, Published, encode, frames, portrait, publish, save

from likeness import cli_prove
from likeness.errors import BadMediaError, StorageError
from likeness.files import write_text
from likeness.media.clip import open_clip
from likeness.prove import (
    contradictions,
    fingerprint_examiner,
    layers,
    seconds_layer,
    verification,
    watermark_examiner,
    words,
)
from likeness.prove.claim import Claim, DigitalSourceType
from likeness.prove.credentials import sign
from likeness.prove.identity import identity_names, new_identity
from likeness.prove.manifest import Credentials
from likeness.prove.publish import mark_file
from likeness.prove.recognise import RecogniseSettings, Recognition
from likeness.prove.store import Store
from likeness.prove.verification import Verification
from likeness.prove.verify import VerifySettings, verify
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.read import MarkReading, ReadSettings

# A verdict is what none of this can give. "Not whether that is true" is the one sentence that may say so.
VERDICTS = re.compile(r"\b(authentic|genuine|real|verified|fake|forged|trustworthy|original|legitimate|true)\b", re.I)


def checked(found: Verification) -> Verification:
    """The same, after a look at what every output has to keep to."""
    record = json.loads(found.model_dump_json())
    assert {"file", "sha256", "credentials", "watermark", "tamper", "fingerprint", "contradictions"} <= set(record)
    assert {"state", "signer", "problems", "ingredients", "recovered"} <= set(record["credentials"])
    assert {"state", "id"} <= set(record["watermark"])
    assert {"state", "regions"} <= set(record["tamper"])
    assert {"state", "id"} <= set(record["fingerprint"])
    said = "\n".join(found.lines()[1:]).replace("not whether that is true", "")
    assert not VERDICTS.search(said), said
    assert not VERDICTS.search(" ".join(record[layer]["state"] for layer in ("credentials", "watermark", "tamper")))
    assert any("Whether what is shown took place" in text for text in found.not_known)
    return found


def test_no_sentence_that_can_be_printed_holds_a_verdict() -> None:
    modules = (cli_prove, contradictions, layers, seconds_layer, verification, words)
    for module in (*modules, watermark_examiner, fingerprint_examiner):
        tree = ast.parse(Path(module.__file__ or "").read_text())
        documented = ast.Module | ast.ClassDef | ast.FunctionDef
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
                text = node.value.replace("not whether that is true", "")
                assert not VERDICTS.search(text), f"{module.__name__}: {node.value}"


@pytest.fixture
def swap(tmp_path: Path) -> Published:
    return publish(tmp_path / "swap.png", portrait())


def test_finished_work_reads_back_in_every_layer(swap: Published) -> None:
    found = checked(verify(swap.path))
    assert (found.credentials.state, found.credentials.recovered) == ("trusted", False)
    assert (found.watermark.state, found.watermark.id, found.watermark.known) == ("found", swap.mark_id, True)
    assert found.tamper.state == "intact"
    assert (found.fingerprint.state, found.fingerprint.id) == ("match", swap.mark_id)
    assert "byte for byte" in found.fingerprint.text
    assert "bits differ" not in found.fingerprint.text
    assert found.fingerprint.agrees_with_watermark
    assert found.identical
    assert found.contradictions == []


def test_stripped_picture_is_recovered_through_both(swap: Published, tmp_path: Path) -> None:
    found = checked(verify(save(tmp_path / "copy.jpg", swap.marked[0], quality=75)))
    assert (found.credentials.state, found.credentials.recovered) == ("trusted", True)
    assert found.credentials.through == "watermark and fingerprint"
    assert found.credentials.declared == ["compositeWithTrainedAlgorithmicMedia"]
    assert not found.identical
    assert found.contradictions == []


@pytest.mark.parametrize(("kind", "origin"), [("compositeWithTrainedAlgorithmicMedia", "swap"), (None, "published")])
def test_recovery_through_the_fingerprint_alone_says_that_it_is_weaker(
    tmp_path: Path, kind: DigitalSourceType | None, origin: str
) -> None:
    publish(tmp_path / "work.png", portrait(), kind, origin)
    source = save(tmp_path / "source.png", portrait())  # never marked: what the work was made from
    found = checked(verify(source))
    assert found.watermark.state == "absent"
    assert (found.credentials.recovered, found.credentials.through) == (True, "fingerprint")
    assert "weaker" in found.credentials.text
    assert "may not belong to this file" in found.credentials.text


def test_another_picture_is_not_recognised(swap: Published, tmp_path: Path) -> None:
    found = checked(verify(save(tmp_path / "other.png", portrait(4))))
    assert (found.credentials.state, found.watermark.state, found.fingerprint.state) == ("absent", "absent", "none")
    assert (found.tamper.state, found.contradictions) == ("unmarked", [])
    assert any("Where it comes from" in text for text in found.not_known)


def test_signed_anew_as_a_camera(swap: Published, tmp_path: Path) -> None:
    copy = save(tmp_path / "copy.png", swap.marked[0])
    sign(copy, copy, Claim("digitalCapture", "taken", "holiday"), identity=new_identity("Eve"))
    found = checked(verify(copy))
    assert found.credentials.state == "trusted"  # Eve's identity was made on this computer
    assert not found.credentials.recovered
    assert any("given the credentials of a camera" in text for text in found.contradictions)
    assert any("signed anew" in text and "Eve" in text for text in found.contradictions)


def test_signed_source_of_a_marked_copy_is_not_accused(tmp_path: Path) -> None:
    source = save(tmp_path / "source.png", portrait())
    sign(source, source, Claim("digitalCapture", "taken", "source.png"), identity=new_identity("press"))
    mark_file(source, tmp_path / "marked.png")
    found = checked(verify(source))
    assert (found.credentials.signer, found.fingerprint.title) == ("press", "marked.png")
    assert found.contradictions == []


def test_swap_made_from_marked_footage_names_it_without_accusing(tmp_path: Path) -> None:
    news = publish(tmp_path / "news.png", portrait(), "digitalCapture", "published")
    swap = publish(tmp_path / "swap.png", news.marked[0])
    found = checked(verify(save(tmp_path / "copy.png", swap.marked[0])))
    assert (found.watermark.id, found.watermark.also) == (swap.mark_id, [news.mark_id])
    assert found.tamper.state == "intact"  # looked for under the later mark
    assert found.contradictions == []
    assert any("also carries the mark of “news.png”" in text for text in found.not_known)


def test_credentials_without_a_signer_name_nobody() -> None:
    own = Credentials(state="invalid", problems=["org.likeness.manifest.oversized"], reason="They are too large.")
    text = layers.credentials_layer(own, None).text
    assert "signer" not in text
    assert "What they declare does not count." in text


def test_fingerprint_bears_out_the_mark_that_it_agrees_with(swap: Published) -> None:
    mark = MarkReading("found", swap.mark_id, 1, 20.0)
    seen = Recognition(mark, (), marked=swap.work, agreement="match", alike=0.25)
    layer = layers.fingerprint_layer(seen, open_clip(swap.path))
    assert (layer.state, layer.id, layer.agrees_with_watermark) == ("match", swap.mark_id, True)
    assert "25% of it looks like “swap.png”" in layer.text


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        (MarkReading("absent"), "no mark was found"),
        (MarkReading("found", None, 9, 20.0), "of a version that this program cannot read"),
        (MarkReading("found", "0123456789", 1, 20.0), "no frame could be looked at"),
    ],
)
def test_why_nothing_shows_an_alteration(swap: Published, mark: MarkReading, reason: str) -> None:
    assert reason in layers.tamper_layer(Recognition(mark, ()), open_clip(swap.path)).text


def test_single_frame_of_a_clip_is_looked_at(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.mp4", frames(1))
    found = checked(verify(work.path, QUICK))
    assert (found.watermark.id, found.tamper.state) == (work.mark_id, "intact")


def test_manifest_of_another_work_is_broken(swap: Published, tmp_path: Path) -> None:
    other = publish(tmp_path / "other.png", portrait(4))
    mixed = tmp_path / "mixed.c2pa"
    mixed.write_bytes(other.work.manifest or b"")
    copy = encode(tmp_path / "mixed.mkv", frames(3))
    found = checked(verify(copy, QUICK))
    assert found.credentials.state == "invalid"
    assert "changed after signing" in found.credentials.text


def test_short_clip_that_changes_fast_is_not_accused_of_being_another(tmp_path: Path) -> None:
    """Its fingerprint was taken of the last frame, it is asked for with the one before, and still it is that file."""
    publish(tmp_path / "earlier.png", portrait(0, 256))
    made = publish(tmp_path / "cut.mp4", [portrait(0, 256)] * 4 + [portrait(1, 256)])
    found = checked(verify(made.path, QUICK))
    assert found.identical
    assert found.watermark.id == found.fingerprint.id == made.mark_id
    assert "that very file" in found.fingerprint.text
    assert found.contradictions == []


def test_mark_on_another_picture_is_never_believed(swap: Published, tmp_path: Path) -> None:
    other = save(tmp_path / "other.png", Marker(swap.mark_id).mark(portrait(4)))
    found = checked(verify(other))
    assert (found.watermark.id, found.fingerprint.agrees_with_watermark) == (swap.mark_id, False)
    assert not found.credentials.recovered
    assert any("copied" in text for text in found.contradictions)


def test_unknown_mark(tmp_path: Path) -> None:
    found = checked(verify(save(tmp_path / "elsewhere.png", Marker("0123456789").mark(portrait()))))
    assert (found.watermark.id, found.watermark.known) == ("0123456789", False)
    assert found.contradictions == []
    assert any("0123456789" in text for text in found.not_known)


def test_clip_that_lost_its_metadata_and_one_second(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.mp4", frames(2 * RATE))
    found = checked(verify(work.path, QUICK))
    assert (found.watermark.id, found.seconds.state, found.seconds.source) == (
        work.mark_id,
        "unchanged",
        "credentials",
    )
    assert found.contradictions == []
    packets = encode_packets(work.path, tmp_path / "cut.mp4", drop=1)
    found = checked(verify(packets, QUICK))
    assert (found.credentials.recovered, found.watermark.id) == (True, work.mark_id)
    assert (found.seconds.state, found.seconds.source, found.seconds.signature) == ("changed", "store", "trusted")
    assert found.seconds.changed == [(1.0, 2.0)]
    assert any("1–2 s" in text and "edited" in text for text in found.contradictions)


def encode_packets(source: Path, out: Path, drop: int) -> Path:
    """The packets of ``source`` without metadata and without second ``drop``, not encoded anew."""
    import av

    with av.open(str(source)) as read, av.open(str(out), "w") as write:
        stream = read.streams.video[0]
        copied = write.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.pts is None or int(float(packet.pts * packet.time_base)) == drop:
                continue
            packet.stream = copied
            write.mux(packet)
    return out


def test_clip_put_together_from_two_works(tmp_path: Path) -> None:
    first = publish(tmp_path / "first.mp4", frames(RATE))
    second = publish(tmp_path / "second.mp4", frames(RATE, actor=1))
    joined = encode(tmp_path / "joined.mp4", [*first.marked, *second.marked])
    ends = VerifySettings(recognise=RecogniseSettings(read=ReadSettings(windows=2, window_frames=8)))
    found = checked(verify(joined, ends))
    assert {found.watermark.id, *found.watermark.also} == {first.mark_id, second.mark_id}
    assert any("different watermarks" in text and "put together" in text for text in found.contradictions)


def test_which_of_two_works_that_look_the_same_stays_open(swap: Published, tmp_path: Path) -> None:
    news = publish(tmp_path / "news.png", portrait(), "digitalCapture", "published")
    found = checked(verify(save(tmp_path / "copy.png", news.marked[0])))
    assert found.watermark.id == news.mark_id
    assert any("“news.png”" in text and "“swap.png”" in text for text in found.not_known)


@pytest.mark.slow
def test_clip_without_metadata_at_half_size_and_crf_30(tmp_path: Path) -> None:
    work = publish(tmp_path / "swap.mp4", frames(2 * RATE, 384))
    half = [
        np.asarray(Image.fromarray(frame.image).resize((192, 192), Image.Resampling.BICUBIC))
        for frame in open_clip(work.path).frames()
    ]
    found = checked(verify(encode(tmp_path / "platform.mp4", half, crf=30)))
    assert found.watermark.id == work.mark_id
    assert found.fingerprint.id == work.mark_id
    assert (found.credentials.recovered, found.credentials.through) == (True, "watermark and fingerprint")
    assert found.seconds.state == "encoded_anew"
    # At this compression the fine pattern may be gone in parts, which looks the same as an alteration (docs/verify.md).
    assert [text for text in found.contradictions if "fine pattern" not in text] == []


def test_sound_has_neither_mark_nor_picture(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(np.arange(8000) / 5)).astype("<i2").tobytes())
    found = checked(verify(path))
    assert (found.watermark.state, found.tamper.state, found.fingerprint.state) == ("absent", "unmarked", "none")


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (15, 400)])
def test_tiny_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    found = checked(verify(save(tmp_path / "tiny.png", image)))
    assert (found.watermark.state, found.tamper.state) == ("absent", "unmarked")


def test_huge_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    width, height = 20_000, 10_000
    rows = bytes((1 + width // 8) * height)  # one bit a pixel, all black
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    coded = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(coded))
    with pytest.raises(BadMediaError, match="limit of 64 Mpixel") as refused:
        verify(tmp_path / "huge.png")
    assert "\n" not in str(refused.value)


def test_truncated_file_gives_a_line_or_what_is_left(swap: Published, tmp_path: Path) -> None:
    content = swap.path.read_bytes()
    cut = tmp_path / "cut.png"
    cut.write_bytes(content[: len(content) // 3])
    with pytest.raises(BadMediaError):
        verify(cut)


@pytest.mark.parametrize("damage", ["text", "locked", "folder"])
def test_store_that_cannot_be_used_leaves_the_other_layers(
    swap: Published, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Store().path
    monkeypatch.setattr(Store.__init__, "__defaults__", (None, 0.1))  # seconds of waiting for a lock, not ten
    holder = None
    if damage == "text":
        path.unlink()
        write_text(path, "this is no database " * 100)
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        holder = sqlite3.connect(path)
        holder.execute("BEGIN EXCLUSIVE")
    found = checked(verify(swap.path))
    if holder is not None:
        holder.close()
    assert found.store_problem is not None
    assert "\n" not in found.store_problem
    assert (found.credentials.state, found.watermark.id) == ("trusted", swap.mark_id)
    assert (found.watermark.known, found.fingerprint.state) == (None, "none")
    assert any(found.store_problem in text for text in found.not_known)


@pytest.mark.parametrize("name", ["trust.pem", "revoked.txt", "revoked.pem"])
def test_damaged_list_leaves_all_but_who_is_known(swap: Published, tmp_path: Path, own_home: Path, name: str) -> None:
    (own_home / name).write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    bare = save(tmp_path / "copy.png", swap.marked[0])
    for path, recovered in ((swap.path, False), (bare, True)):
        found = checked(verify(path))
        assert (found.credentials.state, found.credentials.recovered) == ("unknown_signer", recovered)
        assert found.credentials.signer == swap.work.signer
        assert any(str(own_home / name) in notice for notice in found.credentials.notices)
        assert not re.search(r"\.\.", "".join(found.lines()[1:]))
        assert found.watermark.id == swap.mark_id


def test_home_that_is_a_file_is_an_error_and_no_empty_store(
    swap: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").write_text("no folder")
    for named in (tmp_path / "plain", tmp_path / "plain" / "below"):
        monkeypatch.setenv("LIKENESS_HOME", str(named))
        for ask in (lambda: verify(swap.path), identity_names):
            with pytest.raises(StorageError, match=r"plain is a file and no folder\. Let LIKENESS_HOME"):
                ask()


def test_verifying_writes_nothing_at_home(swap: Published, own_home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in [own_home, *own_home.rglob("*")]}
    found = checked(verify(swap.path))
    assert (found.credentials.state, found.watermark.known, found.store_problem) == ("trusted", True, None)
    assert {path: path.stat().st_mtime_ns for path in [own_home, *own_home.rglob("*")]} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_home_that_cannot_be_written_is_still_read(swap: Published, own_home: Path) -> None:
    for path in [own_home, *own_home.rglob("*")]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    found = checked(verify(swap.path))
    assert (found.credentials.state, found.watermark.known, found.store_problem) == ("trusted", True, None)


def test_empty_home_stays_empty(tmp_path: Path, own_home: Path) -> None:
    checked(verify(save(tmp_path / "a.png", portrait())))
    assert not own_home.exists()
