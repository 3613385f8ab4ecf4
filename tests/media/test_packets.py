"""Coded packets: the same from every container that carries the same coded frames."""

import hashlib
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from made_media import Recipe, make_clip, numbered, tone
from PIL import Image

from likeness.errors import BadMediaError
from likeness.media.clip import open_clip
from likeness.media.packets import CodedPacket, Track, coded_packets, coding

SECONDS = 3


def _filmed(path: Path, muxer: str = "mp4", video: str | None = "libx264", audio: str | None = "aac") -> Path:
    """With B-frames, where the codec has them."""
    options = (("bf", "3"), ("g", "25")) if video == "libx264" else ()
    recipe = Recipe(muxer, video=video, audio=audio, size=(64, 48), options=options)
    frames = [numbered(i, 64, 48) for i in range(25 * SECONDS)] if video else []
    return make_clip(path, recipe, frames, samples=tone(SECONDS) if audio else None)


def remux(source: Path, target: Path, muxer: str) -> Path:
    """Copy the coded streams of ``source`` into another container, without a decoder or its metadata."""
    with av.open(str(source)) as read, av.open(str(target), "w", format=muxer) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in read.streams}
        packets = [packet for packet in read.demux() if packet.size]
        later: dict[int, int] = {}
        for packet in reversed(packets):  # mkv keeps no decoding times; FFmpeg guesses all but the first few
            if packet.dts is None:
                packet.dts = later[packet.stream.index] - packet.duration
            later[packet.stream.index] = packet.dts
        for packet in packets:
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return target


def _shown(path: Path, track: Track) -> list[tuple[float, str]]:
    read = sorted(coded_packets(open_clip(path), track), key=lambda packet: packet.time_s)
    return [(packet.time_s - read[0].time_s, hashlib.sha256(packet.content).hexdigest()) for packet in read]


def _same(one: list[tuple[float, str]], other: list[tuple[float, str]]) -> bool:
    """The same packets at the same times from the first on; mkv rounds to milliseconds."""
    near = all(abs(a - b) < 0.0011 for (a, _), (b, _) in zip(one, other, strict=True))
    return near and [made for _, made in one] == [made for _, made in other]


@pytest.mark.parametrize("video", ["libx264", "libx265", "mpeg4", "libvpx-vp9"])
def test_mp4_and_mkv_carry_the_same_pictures(tmp_path: Path, video: str) -> None:
    mp4 = _filmed(tmp_path / "a.mp4", video=video)
    mkv = remux(mp4, tmp_path / "b.mkv", "matroska")
    back = remux(mkv, tmp_path / "c.mp4", "mp4")
    assert len(_shown(mp4, "pictures")) == 25 * SECONDS
    for track in ("pictures", "sound"):
        assert _same(_shown(mp4, track), _shown(mkv, track))
        assert _same(_shown(mp4, track), _shown(back, track))
        assert coding(open_clip(mp4), track) == coding(open_clip(mkv), track) == coding(open_clip(back), track)


@pytest.mark.parametrize("video", ["libx264", "libx265"])
def test_a_transport_stream_carries_the_same_too(tmp_path: Path, video: str) -> None:
    """Annex B with parameter sets and delimiters in the stream, and AAC with ADTS headers."""
    mp4 = _filmed(tmp_path / "a.mp4", video=video)
    ts = remux(mp4, tmp_path / "b.ts", "mpegts")
    for track in ("pictures", "sound"):
        assert _same(_shown(mp4, track), _shown(ts, track))
    assert coding(open_clip(mp4), "pictures") == coding(open_clip(ts), "pictures")


def test_pcm_is_cut_evenly_whatever_the_muxer_does(tmp_path: Path) -> None:
    wav = make_clip(tmp_path / "a.wav", Recipe("wav", video=None, audio="pcm_s16le"), samples=tone(SECONDS))
    mkv = remux(wav, tmp_path / "b.mkv", "matroska")
    mov = remux(wav, tmp_path / "c.mov", "mov")
    assert len(_shown(wav, "sound")) == 50 * SECONDS
    assert _same(_shown(wav, "sound"), _shown(mkv, "sound"))
    assert _same(_shown(wav, "sound"), _shown(mov, "sound"))


def test_other_pictures_and_other_setups_differ(tmp_path: Path) -> None:
    one = _filmed(tmp_path / "a.mp4")
    frames = [np.full((48, 64, 3), i, np.uint8) for i in range(25)]
    other = make_clip(tmp_path / "b.mp4", Recipe("mp4", size=(64, 48), options=(("profile", "baseline"),)), frames)
    assert not {made for _, made in _shown(one, "pictures")} & {made for _, made in _shown(other, "pictures")}
    assert coding(open_clip(one), "pictures") != coding(open_clip(other), "pictures")


def test_a_missing_track_has_nothing(tmp_path: Path) -> None:
    silent = open_clip(_filmed(tmp_path / "a.mp4", audio=None))
    assert list(coded_packets(silent, "sound")) == []
    assert coding(silent, "sound") is None


def test_a_picture_has_no_packets(tmp_path: Path) -> None:
    Image.fromarray(numbered(1)).save(tmp_path / "a.png")
    clip = open_clip(tmp_path / "a.png")
    for read in (lambda: list(coded_packets(clip, "pictures")), lambda: coding(clip, "pictures")):
        with pytest.raises(BadMediaError, match="no coded packets"):
            read()


def test_a_cut_off_file_gives_what_is_there(tmp_path: Path) -> None:
    whole = remux(_filmed(tmp_path / "a.mp4"), tmp_path / "b.ts", "mpegts")
    cut = tmp_path / "c.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    read = list(coded_packets(open_clip(cut), "pictures"))
    assert 0 < len(read) < 25 * SECONDS
    assert all(isinstance(packet, CodedPacket) for packet in read)


@pytest.mark.parametrize("seed", range(8))
def test_damage_never_crashes(tmp_path: Path, seed: int) -> None:
    """Overwritten bytes in header and content: packets or one line of our own."""
    whole = _filmed(tmp_path / "a.mp4", audio=None)
    content = bytearray(whole.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(100, len(content), 60):
        content[place] = rng.integers(256)
    damaged = tmp_path / "b.mp4"
    damaged.write_bytes(content)
    with suppress(BadMediaError):
        clip = open_clip(damaged)
        assert all(packet.content for packet in coded_packets(clip, "pictures"))
        coding(clip, "pictures")
