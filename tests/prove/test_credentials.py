"""Credentials: signing every kind of file, and reading each state for what it is."""

import datetime as dt
import http.server
import os
import resource
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import c2pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from likeness.errors import BadMediaError, CredentialError, StorageError
from likeness.media.clip import open_clip
from likeness.prove.claim import SOURCE_TYPE_PREFIX
from likeness.prove.credentials import Claim, SignSettings, publish, read, sign
from likeness.prove.home import private_folder
from likeness.prove.identity import IdentitySettings, local_identity, local_root
from likeness.prove.manifest import PROVENANCE_LABEL
from likeness.prove.signer import Identity
from likeness.prove.trust import trust_list

SWAP = Claim("compositeWithTrainedAlgorithmicMedia", "face swap", "out", consent_sha256="c" * 64)
PORTRAIT = Claim("trainedAlgorithmicMedia", "portrait", "out")
MakeFile = Callable[[str], Path]


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """Somebody else's identity, from another computer."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("LIKENESS_HOME", str(tmp_path / "elsewhere"))
        return local_identity()


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


# What each public test file must read as: its state, and the states of its ingredients at every depth.
PUBLIC = {
    "A": ("absent", []),
    "I": ("absent", []),
    "CA": ("unknown_signer", ["absent"]),
    "CAI": ("unknown_signer", ["absent", "absent"]),
    "CAICA": ("unknown_signer", ["absent", "unknown_signer", "absent"]),
    "CICA": ("unknown_signer", ["unknown_signer", "absent"]),
    "CIE-sig-CA": ("unknown_signer", ["invalid", "absent"]),
    "E-dat-CA": ("invalid", ["absent"]),
    "E-sig-CA": ("invalid", ["absent"]),
    "E-uri-CA": ("invalid", ["absent"]),
    "XCA": ("invalid", ["absent"]),
}
BROKEN_PART = {
    "E-dat-CA": "assertion.dataHash.mismatch",
    "E-sig-CA": "claimSignature.mismatch",
    "E-uri-CA": "assertion.hashedURI.mismatch",
    "XCA": "assertion.dataHash.mismatch",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_files_read_as_their_names_say(name: str) -> None:
    path = Path(os.environ.get("LIKENESS_DATA", "/nowhere")) / "c2pa" / f"adobe-20220124-{name}.jpg"
    if not path.exists():
        pytest.skip("LIKENESS_DATA does not name a folder with the C2PA public test files")
    found = read(path)
    assert (found.state, [part.state for part in found.all_ingredients()]) == PUBLIC[name]
    assert name not in BROKEN_PART or BROKEN_PART[name] in found.problems
    if name == "CIE-sig-CA":
        assert "claimSignature.mismatch" in found.ingredients[0].problems


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.jpg", "a.png", "a.webp", "a.wav", "a.m4a"])
def test_signs_and_reads_every_kind(make_file: MakeFile, tmp_path: Path, name: str) -> None:
    source, out = make_file(name), tmp_path / f"signed-{name}"
    sign(source, out, PORTRAIT)
    found = read(out)
    assert (found.state, found.problems) == ("trusted", [])
    assert found.digital_source_types == ["trainedAlgorithmicMedia"]
    assert found.actions == ["c2pa.created"]
    assert found.signer == local_identity().name
    assert found.claim_generator.startswith("likeness ")
    assert read(source).state == "absent"


@pytest.mark.parametrize("source", ["src.mp4", "src.mkv"])
def test_the_source_is_the_parent_and_the_swap_an_edit(make_file: MakeFile, tmp_path: Path, source: str) -> None:
    out = tmp_path / "out.mp4"
    sign(make_file("made.mp4"), out, SWAP, ingredient=make_file(source))
    found = read(out)
    assert (found.state, found.actions) == ("trusted", ["c2pa.opened", "c2pa.edited"])
    assert found.digital_source_types == ["compositeWithTrainedAlgorithmicMedia"]
    assert [(p.title, p.relationship, p.state) for p in found.ingredients] == [(source, "parentOf", "absent")]
    assert found.provenance["consent_sha256"] == "c" * 64


def test_signing_in_place_and_signing_again(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    sign(path, path, PORTRAIT)
    once = path.stat().st_size
    sign(path, path, SWAP, ingredient=path)
    found = read(path)
    assert found.state == "trusted"
    assert [(p.state, p.digital_source_types) for p in found.ingredients] == [("trusted", ["trainedAlgorithmicMedia"])]
    assert path.stat().st_size > once
    assert [child.name for child in path.parent.iterdir() if child.name.startswith(".")] == []


def test_known_and_unknown_signers_are_kept_apart(make_file: MakeFile, stranger: Identity) -> None:
    path = make_file("a.jpg")
    sign(path, path, PORTRAIT, identity=stranger)
    found = read(path)
    assert (found.state, found.signer) == ("unknown_signer", stranger.name)
    local_identity()
    trust_list().write_text(stranger.certificates_pem.split("-----END CERTIFICATE-----\n")[1]
                                        + "-----END CERTIFICATE-----\n")  # fmt: skip
    assert read(path).state == "trusted"


def test_ingredient_of_a_stranger_keeps_its_own_state(make_file: MakeFile, tmp_path: Path, stranger: Identity) -> None:
    source, out = make_file("a.jpg"), tmp_path / "out.jpg"
    sign(source, source, PORTRAIT, identity=stranger)
    sign(make_file("b.jpg"), out, SWAP, ingredient=source)
    assert [(read(out).state, part.state) for part in read(out).ingredients] == [("trusted", "unknown_signer")]


def test_sound_claim_over_a_broken_ingredient_is_not_hidden(make_file: MakeFile, tmp_path: Path) -> None:
    source, out = make_file("a.jpg"), tmp_path / "out.jpg"
    sign(source, source, PORTRAIT)
    _flip(source, source.stat().st_size - 40)
    sign(make_file("b.jpg"), out, SWAP, ingredient=source)
    found = read(out)
    assert (found.state, found.ingredients[0].state) == ("trusted", "invalid")
    assert found.ingredients[0].problems == ["assertion.dataHash.mismatch"]


def _mdat(content: bytes) -> range:
    """Where the film's own samples lie: the top level of an mp4 is boxes of a 32-bit length and a name."""
    at = 0
    while content[at + 4 : at + 8] != b"mdat":
        at += int.from_bytes(content[at : at + 4])
    return range(at + 8, at + int.from_bytes(content[at : at + 4]))


@pytest.mark.parametrize("signing", [SignSettings(), SignSettings(long_bytes=0, piece_kb=1)], ids=["whole", "pieces"])
@given(share=st.floats(0, 1))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_of_the_footage_is_noticed(make_file: MakeFile, signing: SignSettings, share: float) -> None:
    path = make_file("a.mp4")
    sign(path, path, PORTRAIT, settings=signing)
    assert read(path).state == "trusted"
    samples = _mdat(path.read_bytes())
    _flip(path, samples[round(share * (len(samples) - 1))])
    assert (read(path).state, read(path).problems) == ("invalid", ["assertion.bmffHash.mismatch"])


def _lengthen(path: Path, size: int, boxes: int) -> None:
    """Make the film's mdat ``size`` bytes longer (a hole, which costs no disk), or follow it by further ``boxes``."""
    content = path.read_bytes()
    with path.open("wb") as film:
        if boxes == 0:
            samples = _mdat(content)
            film.write(content[: samples.start - 8] + content[samples.stop :])
            film.write((len(samples) + 8 + size).to_bytes(4) + content[samples.start - 4 : samples.stop])
            film.truncate(film.tell() + size)
        else:
            film.write(content)
            for _ in range(boxes):
                film.write(size.to_bytes(4) + b"mdat")
                film.seek(size - 8, os.SEEK_CUR)
            film.truncate()


@pytest.mark.slow
def test_films_over_4_gib_are_signed_soundly(make_file: MakeFile, tmp_path: Path) -> None:
    """A 64-bit mdat box; the hole costs no disk in the source, but 4.1 GiB in what is signed."""
    path, out = make_file("a.mp4"), tmp_path / "out.mp4"
    content, size = path.read_bytes(), 4200 << 20
    samples = _mdat(content)
    with path.open("wb") as film:
        film.write(content[: samples.start - 8] + content[samples.stop :])
        film.write((1).to_bytes(4) + b"mdat" + (len(samples) + 16 + size).to_bytes(8))
        film.write(content[samples.start : samples.stop])
        film.truncate(film.tell() + size)
    sign(path, out, PORTRAIT)
    assert (read(out).state, out.stat().st_size > 1 << 32) == ("trusted", True)
    with out.open("r+b") as film:
        film.seek(4 << 30)
        film.write(b"!")
    assert read(out).problems == ["assertion.bmffHash.mismatch"]


_SIGN_AND_READ = """
import resource, sys
from pathlib import Path
from likeness.prove.credentials import Claim, SignSettings, publish, read, sign
path, before = Path(sys.argv[1]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sign(path, path, Claim("trainedAlgorithmicMedia", "made", "a.mp4"))
print(read(path).state, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_long_films_are_not_held_in_memory(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    _lengthen(path, 64 << 20, boxes=0)
    command = [sys.executable, "-c", _SIGN_AND_READ, str(path)]
    state, grown_mb = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert state == "trusted"
    assert int(grown_mb) < 32


def test_long_films_in_several_boxes_are_signed_soundly(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    _lengthen(path, 3 << 20, boxes=2)
    sign(path, path, PORTRAIT, settings=SignSettings(long_bytes=0))
    assert read(path).state == "trusted"


@pytest.mark.parametrize("damage", [lambda content: content[:300], lambda content: b"not a film at all" * 9])
def test_a_source_that_cannot_be_parsed_is_still_named(
    make_file: MakeFile, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    source, out = make_file("src.mp4"), tmp_path / "out.mp4"
    source.write_bytes(damage(source.read_bytes()))
    sign(make_file("made.mp4"), out, SWAP, ingredient=source)
    assert read(out).actions == ["c2pa.opened", "c2pa.edited"]
    assert [(part.title, part.state) for part in read(out).ingredients] == [("src.mp4", "absent")]


@given(share=st.floats(0, 1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_of_the_claim_never_reads_as_another_claim(make_file: MakeFile, share: float) -> None:
    path = make_file("a.png")
    sign(path, path, PORTRAIT)
    before = read(path)
    _flip(path, round(share * (path.stat().st_size - 1)))
    after = read(path)
    assert after.state in ("invalid", "absent") or after == before


def test_remuxing_strips_and_reads_absent(make_file: MakeFile, tmp_path: Path) -> None:
    path, stripped = make_file("a.mp4"), tmp_path / "stripped.mp4"
    sign(path, path, PORTRAIT)
    with av.open(str(path)) as source, av.open(str(stripped), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert (read(stripped).state, read(stripped).reason) == ("absent", "the file carries no credentials")


@pytest.mark.parametrize("name", ["a.ppm", "a.pcx"])
def test_kinds_without_credentials_say_so(make_file: MakeFile, tmp_path: Path, name: str) -> None:
    out = tmp_path / f"out{Path(name).suffix}"
    with pytest.raises(CredentialError, match="cannot carry credentials"):
        sign(make_file(name), out, PORTRAIT)
    assert not out.exists()
    found = read(tmp_path / name)
    assert (found.state, found.reason) == ("absent", "this kind of file cannot carry credentials")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_cut_off_files_are_read_without_a_crash(make_file: MakeFile, share: float) -> None:
    path = make_file("a.mp4")
    sign(path, path, PORTRAIT)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert read(path).state in ("absent", "invalid")


def test_full_disk_is_named_and_leaves_nothing(make_file: MakeFile, tmp_path: Path) -> None:
    local_identity()
    source, out = make_file("a.png"), tmp_path / "out" / "a.png"
    Image.effect_noise((256, 256), 90).save(source)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (source.stat().st_size // 2, unlimited[1]))
    try:
        with pytest.raises(StorageError, match="could not be written: File too large"):
            sign(source, out, PORTRAIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert list(out.parent.iterdir()) == []


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _of_200_megapixels(content: bytes) -> bytes:
    """A small png whose header claims 20,000 × 10,000 pixels."""
    header = b"IHDR" + struct.pack(">II", 20_000, 10_000) + content[24:29]
    return content[:12] + header + zlib.crc32(header).to_bytes(4) + content[33:]


@pytest.mark.parametrize(
    ("name", "change", "error", "complaint"),
    [
        ("a.jpg", _cut, BadMediaError, "damaged or cut off"),
        ("a.png", _cut, BadMediaError, "damaged or cut off"),
        ("a.mp4", _cut, BadMediaError, "damaged or cut off"),
        ("a.png", _of_200_megapixels, BadMediaError, "larger than the limit of 64 Mpixel"),
        ("a.heic", lambda _: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", BadMediaError, "a HEIF picture"),
        ("a.bmp", bytes, CredentialError, "bmp files cannot carry credentials"),
        ("a.aac", bytes, CredentialError, "aac files cannot carry credentials"),
    ],
)
def test_nothing_is_published_that_cannot_be_verified(
    make_file: MakeFile, tmp_path: Path, name: str, change: Callable[[bytes], bytes], error: type, complaint: str
) -> None:
    path, out = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    path.write_bytes(change(make_file(name if path.suffix in (".jpg", ".png", ".mp4") else "b.png").read_bytes()))
    with pytest.raises(error, match=complaint) as caught:
        publish(path, out, PORTRAIT)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    if error is BadMediaError:
        with pytest.raises(BadMediaError) as opening:
            open_clip(path)
        assert str(opening.value) == str(caught.value)


def test_long_names_have_no_sidecar(make_file: MakeFile, tmp_path: Path) -> None:
    """A name that is allowed, but too long once more letters follow it."""
    path = make_file("a.png").rename(tmp_path / ("n" * 251 + ".png"))
    assert read(path).state == "absent"
    film = make_file("a.mkv")
    with pytest.raises(StorageError, match="File name too long"):
        sign(film, tmp_path / ("n" * 251 + ".mkv"), PORTRAIT)
    assert sorted(tmp_path.iterdir()) == sorted([path, film])


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadMediaError, match="cannot be read"):
        read(tmp_path / "nothing.mp4")
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(CredentialError, match=r"The source .* cannot be read"):
        sign(tmp_path / "a.png", tmp_path / "b.png", SWAP, ingredient=tmp_path / "gone.mp4")
    assert not (tmp_path / "b.png").exists()


def test_expired_certificate_is_named(make_file: MakeFile, tmp_path: Path) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=800)
    expired = local_identity(IdentitySettings(leaf_years=1), now=past)
    path = make_file("a.jpg")
    with pytest.raises(CredentialError, match="could not be signed"):
        sign(path, tmp_path / "out.jpg", PORTRAIT, identity=expired)
    assert not (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize(
    "content", [b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"]
)
def test_damaged_trust_list_is_one_clear_line(make_file: MakeFile, content: bytes) -> None:
    private_folder(trust_list().parent)
    trust_list().write_bytes(content)
    with pytest.raises(CredentialError, match=r"trust list .* cannot be used") as caught:
        read(make_file("a.jpg"))
    assert "\n" not in str(caught.value)


def test_reading_leaves_no_traces(make_file: MakeFile, own_home: Path) -> None:
    read(make_file("a.jpg"))
    assert local_root() is None
    assert not own_home.exists()


_STRANGE = [None, 3, "text", [1, [2]], {"actions": 3}, {"actions": [None, {"action": 3, "digitalSourceType": [1]}]}]


@pytest.mark.parametrize("content", _STRANGE, ids=str)
def test_strange_assertions_do_no_harm(make_file: MakeFile, tmp_path: Path, content: object) -> None:
    """The SDK itself refuses malformed assertions of the specification's own; those of others may hold anything."""
    label = PROVENANCE_LABEL
    _sign_freely(
        make_file("a.jpg"), tmp_path / "out.jpg", "a\x1b[2J\nb" + "c" * 999, [{"label": label, "data": content}]
    )
    found = read(tmp_path / "out.jpg")
    texts = [found.claim_generator or "", *found.provenance, *found.provenance.values()]
    assert found.state == "trusted"
    assert all(text.isprintable() and len(text) <= 200 for text in texts)


def _sign_freely(source: Path, out: Path, tool: str, assertions: list[dict], remote: str | None = None) -> None:
    """Sign what our own ``sign`` never would."""
    identity = local_identity()
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE_PREFIX + "digitalCapture"}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [created]}}
    manifest = {"claim_generator_info": [{"name": tool}], "assertions": [actions, *assertions]}
    chain, key = identity.certificates_pem.encode(), identity.key_pem.encode()
    with (
        c2pa.Builder(manifest) as builder,
        c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, key, None)) as who,
    ):
        if remote is not None:
            builder.set_no_embed()
            builder.set_remote_url(remote)
        builder.sign_file(source, out, who)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server on this computer, and the paths it was asked for."""
    asked: list[str] = []

    class Recorder(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Recorder) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_remote_credentials_are_never_fetched(
    make_file: MakeFile, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, asked = server
    _sign_freely(make_file("a.jpg"), tmp_path / "remote.jpg", "tool", [], remote=f"{url}/manifest.c2pa")
    found = read(tmp_path / "remote.jpg")
    assert (found.state, asked) == ("absent", []), found
    assert "not fetched" in found.reason


def test_threads_do_not_disturb_one_another(make_file: MakeFile, tmp_path: Path, stranger: Identity) -> None:
    source = make_file("a.jpg")

    def round_trip(number: int) -> str:
        out = tmp_path / f"{number}.jpg"
        sign(source, out, PORTRAIT, identity=stranger if number % 2 else None)
        return read(out).state

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(round_trip, range(12))) == ["trusted", "unknown_signer"] * 6
