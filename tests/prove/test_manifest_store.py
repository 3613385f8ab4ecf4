"""The raw manifest store: taken out of every kind of file exactly as it was put in."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import c2pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likeness.errors import CredentialError, LikenessError
from likeness.prove.credentials import Claim, read, read_manifest_bytes, sign
from likeness.prove.identity import local_identity
from likeness.prove.manifest_store import find_sidecar, read_store
from likeness.prove.signer import OFFLINE, signer_of

MakeFile = Callable[[str], Path]
KINDS = ["jpg", "png", "webp", "gif", "tiff", "avif", "wav", "mp3", "flac", "m4a", "mp4", "mov"]
CREATED = {
    "action": "c2pa.created",
    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
}


def _signed_by_sdk(source: Path, out: Path, filling: int = 0) -> bytes:
    """The store as the SDK itself says that it has written it."""
    assertions = [
        {"label": "c2pa.actions.v2", "data": {"actions": [CREATED]}},
        {"label": "org.likeness.filling", "data": {"filling": "x" * filling}},
    ]
    with (
        c2pa.Context.from_dict(OFFLINE) as context,
        c2pa.Builder({"assertions": assertions}, context=context) as builder,
        signer_of(local_identity()) as signer,
    ):
        return builder.sign_file(source, out, signer)


@pytest.mark.parametrize("kind", KINDS)
def test_is_what_the_sdk_has_written(make_file: MakeFile, tmp_path: Path, kind: str) -> None:
    source, out = make_file(f"a.{kind}"), tmp_path / f"out.{kind}"
    assert read_store(source) is None
    manifest = _signed_by_sdk(source, out)
    assert read_store(out) == manifest


@pytest.mark.parametrize("kind", ["jpg", "gif", "png"])
def test_large_stores_come_out_of_their_pieces(make_file: MakeFile, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"out.{kind}"
    manifest = _signed_by_sdk(make_file(f"a.{kind}"), out, filling=300_000)
    assert read_store(out) == manifest


def test_a_planted_store_is_not_taken(make_file: MakeFile, tmp_path: Path) -> None:
    out, planted = tmp_path / "out.jpg", tmp_path / "planted.jpg"
    manifest = _signed_by_sdk(make_file("a.jpg"), out)
    planted.write_bytes(make_file("b.jpg").read_bytes() + manifest)
    assert read_store(planted) is None


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "tiff", "mp3", "mp4"])
@given(share=st.floats(0, 1), damage=st.sampled_from(["cut", "flip"]))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_never_crash(make_file: MakeFile, kind: str, share: float, damage: str) -> None:
    path = make_file(f"a.{kind}")
    sign(path, path, Claim("digitalCapture", "made", "a"))
    content = bytearray(path.read_bytes())
    at = round(share * (len(content) - 1))
    if damage == "cut":
        content = content[:at]
    else:
        content[at] ^= 0xFF
    path.write_bytes(content)
    with contextlib.suppress(LikenessError):  # one of our own, never another
        read_manifest_bytes(path)


def test_oversized_store_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + (65 << 20).to_bytes(4) + b"caBX")
        file.truncate(66 << 20)  # a hole, which costs no disk
    with pytest.raises(CredentialError, match="over the limit of 64 MiB") as caught:
        read_manifest_bytes(path)
    assert "\n" not in str(caught.value)
    found = read(path)
    assert (found.state, found.problems) == ("invalid", ["org.likeness.manifest.oversized"])


def test_sidecars_of_both_names_are_found(tmp_path: Path) -> None:
    film = tmp_path / "clip.mkv"
    assert find_sidecar(film) is None
    (tmp_path / "clip.mkv.c2pa").write_bytes(b"one")
    assert find_sidecar(film) == tmp_path / "clip.mkv.c2pa"
    (tmp_path / "clip.c2pa").write_bytes(b"two")
    assert find_sidecar(film) == tmp_path / "clip.c2pa"
    assert find_sidecar(tmp_path / "clip.c2pa") is None


def test_sdk_reads_what_was_taken_out(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    sign(path, path, Claim("digitalCapture", "made", "a"))
    store = read_store(path)
    assert store is not None
    with (
        c2pa.Context.from_dict(OFFLINE) as context,
        c2pa.Reader("application/c2pa", io.BytesIO(store), context=context) as reader,
    ):
        assert reader.get_active_manifest()["label"] == read(path).manifest
