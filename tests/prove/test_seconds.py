"""Hash lists: they bear new containers, show every edit in its second, and cannot be changed once signed."""

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.media.clip import Clip, open_clip
from likeness.prove.identity import local_identity, local_root
from likeness.prove.seconds import (
    HashList,
    Located,
    SecondHash,
    Stretch,
    _located,
    _Packets,
    _seconds,
    check_signature,
    hash_list,
    locate,
    sign,
    signer_name,
)

SECONDS, RATE, SOUND_RATE = 8, Fraction(30000, 1001), 44100
# At a constant quantiser, or the rate control lets one second's pictures change how another is coded.
_CODING = {"bf": "2", "g": "30", "sc_threshold": "0", "qp": "24"}


def _film(path: Path, picture_at: float | None = None, beep_at: float | None = None) -> Path:
    """Eight seconds of H.264 with B-frames and AAC; a second of other pictures or another sound where wanted.

    A key frame begins every second, so that an edit does not reach beyond its own.
    """
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (96, 400, 3), dtype=np.uint8)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        container.metadata["comment"] = "ours"
        stream = container.add_stream("libx264", rate=RATE, options=_CODING)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for i in range(SECONDS * 30):
            picture = texture[:, i : i + 96]
            if picture_at is not None and 30 * picture_at <= i < 30 * picture_at + 30:
                picture = picture[::-1]
            stream_frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(stream_frame))
        container.mux(stream.encode(None))
        times = np.arange(SECONDS * SOUND_RATE) / SOUND_RATE
        wave = 0.2 * rng.normal(size=len(times)).astype(np.float32)
        if beep_at is not None:
            inside = (times >= beep_at) & (times < beep_at + 0.5)
            wave[inside] = np.sin(3000 * times[inside])
        for start in range(0, len(wave), 1024):
            block = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts = SOUND_RATE, start
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def _remuxed(source: Path, target: Path, keep: Sequence[tuple[float, float]] = ((-1.0, 1e9),)) -> Path:
    """Copy the coded streams, those parts of them only whose presentation times lie in ``keep``, one after another."""
    with av.open(str(source)) as read, av.open(str(target), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in read.streams}
        packets = [packet for packet in read.demux() if packet.size]
        later: dict[int, int] = {}
        for packet in reversed(packets):
            if packet.dts is None:
                packet.dts = later[packet.stream.index] - packet.duration
            later[packet.stream.index] = packet.dts
        kept_s = 0.0
        for start_s, end_s in keep:
            for packet in packets:
                if start_s <= float(packet.pts * packet.time_base) < end_s:
                    shift = round((kept_s - max(start_s, 0.0)) / packet.time_base)
                    copy = av.Packet(bytes(packet))
                    copy.pts, copy.dts, copy.time_base = packet.pts + shift, packet.dts + shift, packet.time_base
                    copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
                    copy.stream = streams[packet.stream.index]
                    out.mux(copy)
            kept_s += end_s - max(start_s, 0.0)
    return target


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _film(tmp_path_factory.mktemp("film") / "original.mp4")


@pytest.fixture(scope="module")
def listed(original: Path) -> HashList:
    return hash_list(open_clip(original), mark_id="0123456789")


def _states(stretches: Sequence[Stretch]) -> list[tuple[str, tuple[float, float] | None]]:
    return [(stretch.state, stretch.work_s) for stretch in stretches]


def _located_in(path: Path, listed: HashList) -> Located:
    return locate(open_clip(path), listed)


def test_the_original_is_intact(original: Path, listed: HashList) -> None:
    assert len(listed.pictures) == len(listed.sound) - 1 == SECONDS  # the sound's last block runs over
    located = _located_in(original, listed)
    assert located.intact
    assert located.pictures[0].work_s == (0.0, 9.0) or located.pictures[0].work_s == (0.0, 8.0)


def test_stripping_and_new_containers_change_nothing(original: Path, listed: HashList, tmp_path: Path) -> None:
    mkv = _remuxed(original, tmp_path / "a.mkv")
    back = _remuxed(mkv, tmp_path / "b.mp4")
    for path in (mkv, back):
        assert "ours" not in str(av.open(str(path)).metadata)
        assert _located_in(path, listed).intact
        again = hash_list(open_clip(path), mark_id=listed.mark_id)
        assert again == listed


@pytest.mark.parametrize("second", [0, 3, 7])
def test_a_replaced_second_is_named_and_its_sound_is_not(
    original: Path, listed: HashList, tmp_path: Path, second: int
) -> None:
    located = _located_in(_film(tmp_path / "a.mp4", picture_at=second), listed)
    changed = [stretch for stretch in located.pictures if stretch.state != "unchanged"]
    assert [stretch.state for stretch in changed] == ["changed"]
    assert changed[0].work_s is not None
    assert changed[0].clip_s is not None
    # Frame 30 is shown a thousandth late, so that the second before may share a group of pictures with this one.
    assert max(second - 1, 0) <= changed[0].work_s[0] <= second
    assert second + 1 <= changed[0].work_s[1] <= second + 2
    assert {stretch.state for stretch in located.sound} == {"unchanged"}


def test_another_sound_alone_is_named(original: Path, listed: HashList, tmp_path: Path) -> None:
    located = _located_in(_film(tmp_path / "a.mp4", beep_at=4.2), listed)
    assert {stretch.state for stretch in located.pictures} == {"unchanged"}
    changed = [stretch for stretch in located.sound if stretch.state == "changed"]
    assert changed
    assert changed[0].work_s is not None
    assert changed[0].work_s[0] <= 4 < changed[0].work_s[1]


def test_a_cut_leaves_the_rest_known_and_moved(original: Path, listed: HashList, tmp_path: Path) -> None:
    located = _located_in(_remuxed(original, tmp_path / "a.mp4", [(-1, 3.003), (5.005, 1e9)]), listed)
    states = {stretch.state: stretch for stretch in located.pictures}
    assert states["unchanged"].work_s == (0.0, 3.0)
    assert states["moved"].work_s is not None
    assert states["moved"].work_s[1] == 8.0
    assert states["moved"].clip_s is not None
    assert states["moved"].clip_s[0] == pytest.approx(states["moved"].work_s[0] - 2.0, abs=0.1)
    gone = [stretch for stretch in located.pictures if stretch.state in ("missing", "changed")]
    assert gone
    assert not located.intact


def test_an_excerpt_says_which_seconds_it_is(original: Path, listed: HashList, tmp_path: Path) -> None:
    located = _located_in(_remuxed(original, tmp_path / "a.mkv", [(3.003, 6.006)]), listed)
    moved = [stretch for stretch in located.pictures if stretch.state == "moved"]
    assert len(moved) == 1
    assert moved[0].work_s is not None
    assert 3.0 <= moved[0].work_s[0] <= 4.0
    assert moved[0].work_s[1] == 6.0


def test_an_insertion_is_added(original: Path, listed: HashList, tmp_path: Path) -> None:
    repeated = _remuxed(original, tmp_path / "a.mp4", [(-1, 4.004), (0, 2.002), (4.004, 1e9)])
    located = _located_in(repeated, listed)
    assert located.seconds("pictures", "added") == pytest.approx(2.0, abs=0.1)
    assert located.seconds("pictures", "missing") == 0
    assert located.seconds("pictures", "unchanged") + located.seconds("pictures", "moved") >= SECONDS - 1


def test_a_new_encoding_is_changed_all_over(listed: HashList, tmp_path: Path, original: Path) -> None:
    with av.open(str(original)) as read, av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "35"})
        stream.width = stream.height = 96
        for frame in read.decode(video=0):
            frame.pts = None
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    located = _located_in(tmp_path / "a.mp4", listed)
    assert [stretch.state for stretch in located.pictures] == ["changed"]
    assert [stretch.state for stretch in located.sound] == ["missing"]
    assert not located.pictures_setup
    assert not located.sound_setup


_DIGEST = st.integers(0, 2**40).map(lambda value: value.to_bytes(32, "little"))


def _track(digests: Sequence[bytes], rate: int = 4) -> _Packets:
    return _Packets([i / rate for i in range(len(digests))], list(digests))


@given(digests=st.lists(_DIGEST, min_size=1, max_size=40))
@settings(max_examples=60)
def test_any_track_is_unchanged_against_its_own_list(digests: list[bytes]) -> None:
    track = _track(digests)
    assert {stretch.state for stretch in _located(track, _seconds(track))} == {"unchanged"}


@given(
    digests=st.lists(_DIGEST, min_size=4, max_size=40, unique=True),
    place=st.integers(0, 39),
    edit=st.sampled_from(["replace", "remove", "insert"]),
)
@settings(max_examples=80)
def test_every_edit_of_one_packet_shows_in_its_second_alone(digests: list[bytes], place: int, edit: str) -> None:
    place %= len(digests)
    listed = _seconds(_track(digests))
    new = b"\xff" * 32
    replacement = {"replace": [new], "remove": [], "insert": [new, digests[place]]}[edit]
    stretches = _located(_track([*digests[:place], *replacement, *digests[place + 1 :]]), listed)
    harmed = place // 4
    kept = sum(s.work_s[1] - s.work_s[0] for s in stretches if s.state in ("unchanged", "moved") and s.work_s)
    if edit == "insert" and place % 4 == 0:
        assert kept == len(listed)  # between two seconds: neither is harmed
        assert [s.state for s in stretches if s.work_s is None] == ["added"]
    else:
        assert kept == len(listed) - 1
        (gone,) = [s.work_s for s in stretches if s.state in ("changed", "missing")]
        assert gone == (harmed, harmed + 1)


@given(digests=st.lists(_DIGEST, min_size=1, max_size=30), other=st.lists(_DIGEST, max_size=30))
@settings(max_examples=60)
def test_all_of_both_is_accounted_for_once(digests: list[bytes], other: list[bytes]) -> None:
    listed, track = _seconds(_track(digests)), _track(other)
    stretches = _located(track, listed)
    work = sorted(stretch.work_s for stretch in stretches if stretch.work_s)
    assert sum(end - start for start, end in work) == len(listed)
    assert all(one[1] <= later[0] for one, later in pairwise(work))
    clip = [stretch.clip_s for stretch in stretches if stretch.clip_s]
    assert sum(end - start for start, end in clip) == pytest.approx(track.end_s(len(other) - 1) if other else 0.0)


def test_signed_by_the_local_identity(listed: HashList) -> None:
    signed = sign(listed)
    root = local_root()
    assert root is not None
    assert check_signature(listed, root) == "unsigned"
    assert check_signature(signed, root) == "trusted"
    assert check_signature(signed, "") == "unknown_signer"
    assert signer_name(signed) == local_identity().name
    assert signer_name(listed) is None
    again = HashList.model_validate_json(signed.model_dump_json())
    assert again == signed
    assert again.digest() == signed.digest()
    assert check_signature(again, root) == "trusted"


def test_a_signed_list_cannot_be_changed(listed: HashList) -> None:
    signed = sign(listed)
    root = local_root() or ""
    other = SecondHash(packets=25, first="0" * 16, sha256="a" * 64)
    later = (signed.signed_at or dt.datetime.now(dt.UTC)) + dt.timedelta(seconds=1)
    for change in (
        {"mark_id": "9876543210"},
        {"mark_id": None},
        {"pictures": (*signed.pictures[1:], other)},
        {"sound": ()},
        {"pictures_coding": "a" * 64},
        {"signed_at": later},
        {"signature": "00" * 64},
        {"signature": signed.signature[2:]},
        {"certificates": "nonsense"},
    ):
        assert check_signature(signed.model_copy(update=change), root) == "invalid"


def test_a_signature_outside_its_certificate_s_time_is_not_trusted(listed: HashList) -> None:
    early = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert check_signature(sign(listed, now=early), local_root() or "") == "unknown_signer"


def test_shipped_footage_has_all_its_seconds() -> None:
    from likeness.footage import footage

    clip: Clip = open_clip(footage().actor_a.path)
    made = hash_list(clip)
    assert (len(made.pictures), len(made.sound)) == (12, 13)  # the encoder adds a block at each end of the sound
    assert locate(clip, made).intact
