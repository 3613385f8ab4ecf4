"""Attacks on credentials. What is noticed must stay noticed; what succeeds is written down as succeeding."""

from collections.abc import Callable
from pathlib import Path

import c2pa
import pytest
from PIL import Image

from likeness.errors import CredentialError, SettingsError
from likeness.prove import media_kinds
from likeness.prove.credentials import Claim, publish, read, read_detached, read_manifest_bytes, sign
from likeness.prove.identity import local_identity, new_identity
from likeness.prove.mp4_boxes import outer_boxes
from likeness.prove.signer import OFFLINE, Identity, signer_of

MakeFile = Callable[[str], Path]
SWAP = Claim("compositeWithTrainedAlgorithmicMedia", "face swap", "out", mark_id="0123456789")
CAMERA = Claim("digitalCapture", "taken", "out")
MP4_KINDS = ["a.mp4", "a.mov", "a.m4a", "a.avif"]


@pytest.fixture
def forger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """Somebody with an identity of their own, on another computer."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("LIKENESS_HOME", str(tmp_path / "forger"))
        return local_identity()


def _sign_freely(source: Path, out: Path, manifest: dict, identity: Identity, parent: dict | None = None) -> None:
    """Sign what our own ``sign`` never would."""
    with (
        c2pa.Context.from_dict(OFFLINE) as context,
        c2pa.Builder(manifest, context=context) as builder,
        signer_of(identity) as signer,
    ):
        if parent is not None:
            with parent["file"].open("rb") as content:
                builder.add_ingredient(parent["json"], "image/jpeg", content)
        builder.sign_file(source, out, signer)


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def _strip(path: Path) -> None:
    """Encode the picture anew, without its metadata."""
    with Image.open(path) as picture:
        picture.convert("RGB").save(path)


# Boxes of mp4 files that no C2PA hash covers


@pytest.mark.parametrize("name", MP4_KINDS)
@pytest.mark.parametrize("kind", [b"free", b"skip"])
def test_box_added_after_signing_is_noticed(make_file: MakeFile, name: str, kind: bytes) -> None:
    path = make_file(name)
    sign(path, path, SWAP)
    assert (read(path).state, read(path).notices) == ("trusted", [])
    path.write_bytes(path.read_bytes() + _box(kind, b"hidden" * 900))
    found = read(path)
    assert (found.state, found.problems) == ("invalid", ["org.likeness.layout.mismatch"])
    assert found.notices == [f"A “{kind.decode()}” box was added after signing."]


@pytest.mark.parametrize("name", MP4_KINDS)
def test_changed_brand_is_noticed(make_file: MakeFile, name: str) -> None:
    path = make_file(name)
    sign(path, path, SWAP)
    content = bytearray(path.read_bytes())
    content[8:12] = b"dash"
    path.write_bytes(content)
    assert read(path).problems == ["org.likeness.layout.mismatch"]
    assert read(path).reason == "A “ftyp” box was changed after signing."


@pytest.mark.parametrize("name", MP4_KINDS)
@pytest.mark.parametrize("appended", [b"x" * 5000, bytes(5000), b"\0\0\0", _box(b"abcd", b"x")], ids=len)
def test_appended_bytes_are_noticed(make_file: MakeFile, name: str, appended: bytes) -> None:
    path = make_file(name)
    sign(path, path, SWAP)
    path.write_bytes(path.read_bytes() + appended)
    assert read(path).state == "invalid"
    assert read(path).problems


@pytest.mark.parametrize("kind", [b"mfra", b"meta", b"moov"])
def test_box_that_stops_the_reader_does_not_hide_the_credentials(make_file: MakeFile, kind: bytes) -> None:
    path = make_file("a.mp4")
    sign(path, path, SWAP)
    path.write_bytes(path.read_bytes() + _box(kind, b"junk" * 9))
    assert read(path).state == "invalid"


def test_enlarged_box_of_the_credentials_is_noticed(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    sign(path, path, SWAP)
    content = path.read_bytes()
    with path.open("rb") as file:
        (box,) = outer_boxes(file).of_c2pa(file)
    end = box.start + box.size
    grown = (box.size + 5000).to_bytes(4)
    path.write_bytes(content[: box.start] + grown + content[box.start + 4 : end] + b"x" * 5000 + content[end:])
    assert read(path).state == "invalid"


def test_second_box_of_credentials_is_noticed(make_file: MakeFile, forger: Identity) -> None:
    path, other = make_file("a.mp4"), make_file("b.mp4")
    sign(path, path, SWAP)
    sign(other, other, CAMERA, identity=forger)
    with other.open("rb") as file:
        (box,) = outer_boxes(file).of_c2pa(file)
    forged = other.read_bytes()[box.start : box.start + box.size]
    path.write_bytes(path.read_bytes() + forged)
    assert read(path).state == "invalid"


def test_content_that_was_there_at_signing_is_no_problem(make_file: MakeFile) -> None:
    path = make_file("a.mp4")
    path.write_bytes(path.read_bytes() + _box(b"free", b"made by an encoder"))
    sign(path, path, SWAP)
    assert (read(path).state, read(path).notices) == ("trusted", [])


def test_unhashed_content_in_a_strangers_film_is_a_notice(make_file: MakeFile, tmp_path: Path) -> None:
    """Their signature does not say what was in the box, so it breaks nothing; but it is said."""
    created = {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits",
    }
    out = tmp_path / "out.mp4"
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]}
    _sign_freely(make_file("a.mp4"), out, manifest, local_identity())
    assert (read(out).state, read(out).notices) == ("trusted", [])
    out.write_bytes(out.read_bytes() + _box(b"free", b"hidden"))
    found = read(out)
    assert found.state == "trusted"
    assert found.notices == ["A “free” box of 14 bytes holds content that no signature covers."]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.tiff", "a.wav", "a.mp3", "a.flac"])
def test_bytes_after_other_files_are_covered_by_the_signature(make_file: MakeFile, name: str) -> None:
    path = make_file(name)
    sign(path, path, SWAP)
    path.write_bytes(path.read_bytes() + b"appended")
    assert read(path).problems == ["assertion.dataHash.mismatch"]


# Manifests taken away, exchanged or made anew


def test_stripping_reads_absent_and_the_kept_manifest_still_speaks(make_file: MakeFile) -> None:
    path = make_file("a.jpg")
    sign(path, path, SWAP)
    manifest = read_manifest_bytes(path)
    assert manifest is not None
    _strip(path)
    assert read(path).state == "absent"
    found = read_detached(manifest, path)
    assert (found.state, found.problems, found.mark_id) == ("trusted", [], "0123456789")
    assert found.notices == ["The file no longer has the bytes that were signed."]


def test_manifest_moved_to_another_picture_is_broken(make_file: MakeFile) -> None:
    """The classic swap: the first picture's APP11 segments, in another picture."""
    one, other = make_file("a.jpg"), make_file("b.jpg")
    Image.effect_noise((96, 64), 90).convert("RGB").save(other)
    before = one.read_bytes()
    sign(one, one, CAMERA)
    added = len(one.read_bytes()) - len(before)
    content = other.read_bytes()
    other.write_bytes(content[:20] + one.read_bytes()[20 : 20 + added] + content[20:])
    assert read(other).problems == ["assertion.dataHash.mismatch"]


def test_manifest_changed_while_detached_is_broken(make_file: MakeFile) -> None:
    path = make_file("a.jpg")
    sign(path, path, SWAP)
    manifest = read_manifest_bytes(path)
    assert manifest is not None
    forged = manifest.replace(b"compositeWithTrainedAlgorithmicMedia", b"digitalCaptureXXXXXXXXXXXXXXXXXXXXXX")
    assert forged != manifest
    for asset in (path, None):
        found = read_detached(forged, asset)
        assert found.state == "invalid"
        assert "assertion.hashedURI.mismatch" in found.problems


def test_strip_and_sign_anew_succeeds_under_the_forgers_name(make_file: MakeFile, forger: Identity) -> None:
    """It succeeds: any signer may sign anything. Only the name shows, and it is not one that is known here."""
    path = make_file("a.jpg")
    sign(path, path, SWAP)
    _strip(path)
    sign(path, path, CAMERA, identity=forger)
    found = read(path)
    assert (found.state, found.digital_source_types, found.ingredients) == ("unknown_signer", ["digitalCapture"], [])
    assert found.signer == forger.name


def test_a_known_signer_may_claim_anything(make_file: MakeFile) -> None:
    """It succeeds: a signature does not make a claim true."""
    created = {"action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/nonsense"}
    path, out = make_file("a.jpg"), make_file("out.jpg")
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]}
    _sign_freely(path, out, manifest, local_identity())
    assert (read(out).state, read(out).digital_source_types) == ("trusted", ["nonsense"])


def test_a_name_proves_nobody(make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can make an identity in anybody's name; it is known only where its root is."""
    honest = new_identity("Daily Planet")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("LIKENESS_HOME", str(tmp_path / "forger"))
        forged = new_identity("Daily Planet")
    one, other = make_file("a.jpg"), make_file("b.jpg")
    sign(one, one, CAMERA, identity=honest)
    sign(other, other, CAMERA, identity=forged)
    assert [(read(path).state, read(path).signer) for path in (one, other)] == [
        ("trusted", "Daily Planet"),
        ("unknown_signer", "Daily Planet"),
    ]


# Sidecars


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_sidecar_binds_every_byte(make_file: MakeFile, tmp_path: Path, name: str) -> None:
    out = tmp_path / f"out{Path(name).suffix}"
    sidecar = sign(make_file(name), out, SWAP)
    assert sidecar == tmp_path / "out.c2pa"
    assert out.read_bytes() == (tmp_path / name).read_bytes()
    found = read(out)
    assert (found.state, found.problems, found.sidecar) == ("trusted", [], True)
    content = out.read_bytes()
    for changed in (content + b"\0", content[:-1], content[:99] + bytes([content[99] ^ 1]) + content[100:]):
        out.write_bytes(changed)
        assert read(out).problems == ["assertion.dataHash.mismatch"]


@pytest.mark.parametrize("suffix", sorted(media_kinds._BESIDE))
def test_sidecars_serve_every_kind_that_has_no_place_inside(tmp_path: Path, suffix: str) -> None:
    """The SDK takes their bytes as they are, so any will do; ``publish`` wants a medium."""
    path, out = tmp_path / f"a{suffix}", tmp_path / f"out{suffix}"
    path.write_bytes(bytes(range(256)) * 4)
    assert sign(path, out, CAMERA) == tmp_path / "out.c2pa"
    assert (read(out).state, read(out).sidecar) == ("trusted", True)


def test_sidecar_overwritten_by_a_forger_shows_the_forger(
    make_file: MakeFile, tmp_path: Path, forger: Identity
) -> None:
    out, theirs = tmp_path / "out.mkv", tmp_path / "theirs.mkv"
    sidecar = sign(make_file("a.mkv"), out, SWAP)
    forged = sign(tmp_path / "a.mkv", theirs, CAMERA, identity=forger)
    assert sidecar is not None
    assert forged is not None
    sidecar.write_bytes(forged.read_bytes())
    assert (read(out).state, read(out).signer) == ("unknown_signer", forger.name)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0\0\0\x20jumb" + bytes(40)])
def test_sidecar_overwritten_by_garbage_is_invalid(make_file: MakeFile, tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.mkv"
    sidecar = sign(make_file("a.mkv"), out, SWAP)
    assert sidecar is not None
    sidecar.write_bytes(content)
    found = read(out)
    assert found.state == "invalid"
    assert all("\n" not in text for text in found.problems)


def test_sidecar_of_another_film_is_not_taken_for_its_own(make_file: MakeFile, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    sign(make_file("a.mkv"), out, SWAP)
    (tmp_path / "out.webm").write_bytes(make_file("b.webm").read_bytes())
    Image.new("RGB", (8, 8)).save(tmp_path / "out.jpg")
    assert [read(tmp_path / f"out.{kind}").state for kind in ("webm", "jpg", "mkv")] == ["absent", "absent", "trusted"]
    (tmp_path / "out.webm").unlink()
    with pytest.raises(CredentialError, match="belongs to another file"):
        sign(tmp_path / "b.webm", tmp_path / "out.webm", SWAP)
    assert read(out).state == "trusted"


def test_embedded_credentials_go_before_a_planted_sidecar(
    make_file: MakeFile, tmp_path: Path, forger: Identity
) -> None:
    path = make_file("a.jpg")
    sign(path, path, SWAP)
    forged = sign(make_file("b.mkv"), tmp_path / "c.mkv", CAMERA, identity=forger)
    assert forged is not None
    forged.rename(tmp_path / "a.c2pa")
    assert (read(path).state, read(path).sidecar) == ("trusted", False)


# Ingredients


def test_ingredient_that_vouches_for_itself_is_not_believed(make_file: MakeFile, tmp_path: Path) -> None:
    """A forger writes "validated, trusted" into the ingredient assertion of a picture that has no credentials."""
    good = [
        {"code": code, "url": "x", "explanation": "x"}
        for code in ("signingCredential.trusted", "claimSignature.validated")
    ]
    forged = {"activeManifest": {"success": good, "informational": [], "failure": []}}
    parent: dict = {"title": "reuters.jpg", "relationship": "parentOf", "label": "p", "instance_id": "p"}
    parent["validation_results"] = forged
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [opened]}}]}
    out = tmp_path / "out.jpg"
    _sign_freely(make_file("b.jpg"), out, manifest, local_identity(), {"json": parent, "file": make_file("a.jpg")})
    assert [(part.title, part.state, part.signer) for part in read(out).ingredients] == [
        ("reuters.jpg", "absent", None)
    ]


def test_ingredient_that_is_broken_shows_under_a_sound_claim(make_file: MakeFile, tmp_path: Path) -> None:
    parent, out = make_file("a.jpg"), tmp_path / "out.jpg"
    sign(parent, parent, CAMERA)
    content = bytearray(parent.read_bytes())
    content[-40] ^= 1
    parent.write_bytes(content)
    sign(make_file("b.jpg"), out, SWAP, ingredient=parent)
    found = read(out)
    assert (found.state, found.sound) == ("trusted", False)
    assert found.notices == ["What it was made from, “a.jpg”, has broken credentials."]
    assert [part.state for part in found.broken_ingredients()] == ["invalid"]


def test_ingredient_that_was_never_used_succeeds(make_file: MakeFile, tmp_path: Path) -> None:
    """It succeeds: a claim may name any sound file as its source. Whether it looks like it, a person has to judge."""
    unrelated, out = make_file("a.jpg"), tmp_path / "out.jpg"
    sign(unrelated, unrelated, CAMERA)
    Image.effect_noise((96, 64), 90).convert("RGB").save(tmp_path / "b.jpg")
    sign(tmp_path / "b.jpg", out, Claim("humanEdits", "cropped", "out"), ingredient=unrelated)
    assert (read(out).sound, read(out).ingredients[0].digital_source_types) == (True, ["digitalCapture"])


# What signing itself must not do


def test_publishing_keeps_what_the_file_already_says(make_file: MakeFile, tmp_path: Path, forger: Identity) -> None:
    path, out = make_file("a.jpg"), tmp_path / "out.jpg"
    sign(path, path, SWAP, identity=forger)
    publish(path, out, CAMERA)
    found = read(out)
    assert [(part.state, part.digital_source_types) for part in found.ingredients] == [
        ("unknown_signer", ["compositeWithTrainedAlgorithmicMedia"])
    ]
    assert found.actions == ["c2pa.opened", "c2pa.edited"]


def test_publishing_keeps_what_a_sidecar_says(make_file: MakeFile, tmp_path: Path, forger: Identity) -> None:
    film, out, broken = tmp_path / "film.mkv", tmp_path / "out.mkv", tmp_path / "broken.mkv"
    sign(make_file("a.mkv"), film, SWAP, identity=forger)
    publish(film, out, CAMERA)
    (part,) = read(out).ingredients
    assert (part.state, part.signer) == ("unknown_signer", forger.name)
    assert part.digital_source_types == ["compositeWithTrainedAlgorithmicMedia"]
    film.write_bytes(film.read_bytes() + b"!")
    publish(film, broken, CAMERA)
    assert (read(broken).state, read(broken).sound) == ("trusted", False)
    assert "assertion.dataHash.mismatch" in read(broken).ingredients[0].problems


def test_a_garbled_sidecar_does_not_stop_publishing(make_file: MakeFile, tmp_path: Path) -> None:
    film, out = make_file("film.mkv"), tmp_path / "out.mkv"
    film.with_suffix(".c2pa").write_bytes(b"garbage")
    publish(film, out, CAMERA)
    assert [(part.title, part.state) for part in read(out).ingredients] == [("film.mkv", "absent")]


def test_publishing_without_a_source_type_claims_no_origin(make_file: MakeFile, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    publish(make_file("a.mp4"), out, Claim(None, "published as it is", "news"))
    found = read(out)
    assert (found.state, found.actions, found.digital_source_types) == (
        "trusted",
        ["c2pa.opened", "c2pa.published"],
        [],
    )
    assert (found.title, [part.title for part in found.ingredients]) == ("news", ["a.mp4"])


def test_publishing_never_overwrites_its_source(make_file: MakeFile) -> None:
    path = make_file("a.jpg")
    with pytest.raises(SettingsError, match="would overwrite"):
        publish(path, path, CAMERA)


def test_all_of_the_claim_comes_back(make_file: MakeFile, tmp_path: Path) -> None:
    seconds = {"alg": "sha256", "seconds": ["a" * 64, "b" * 64], "rate": 25}
    out = tmp_path / "out.mp4"
    claim = Claim(
        "trainedAlgorithmicMedia", "made", "t", "c" * 64, mark_id="00ff00ff00", fingerprint="d" * 64, seconds=seconds
    )
    sign(make_file("a.mp4"), out, claim)
    found = read(out)
    assert (found.mark_id, found.fingerprint, found.seconds) == ("00ff00ff00", "d" * 64, seconds)
    assert found.provenance["consent_sha256"] == "c" * 64
    assert found.actions == ["c2pa.created", "c2pa.watermarked.bound"]
    assert found.claimed_at is not None


@pytest.mark.parametrize("manifest", [b"", b"garbage", b"\0\0\0\x20jumb" + bytes(40)])
def test_garbage_found_in_a_store_is_invalid(make_file: MakeFile, manifest: bytes) -> None:
    for path in (None, make_file("a.jpg")):
        found = read_detached(manifest, path)
        assert found.state == ("invalid" if manifest or path else "absent")
        assert all("\n" not in text for text in found.problems)


def test_oversized_detached_manifest_is_one_clear_line() -> None:
    with pytest.raises(CredentialError, match="over the limit"):
        read_detached(bytes((64 << 20) + 1))


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg"])
def test_detached_manifest_of_an_unchanged_file_needs_no_notice(
    make_file: MakeFile, forger: Identity, name: str
) -> None:
    path = make_file(name)
    sign(path, path, SWAP, identity=forger)
    manifest = read_manifest_bytes(path)
    assert manifest is not None
    for asset in (None, path):
        found = read_detached(manifest, asset)
        assert (found.state, found.problems, found.notices) == ("unknown_signer", ["signingCredential.untrusted"], [])
