"""Whom this computer knows: the three lists, what was revoked, and certificates that have run out."""

import datetime as dt
import io
import time
from collections.abc import Callable
from pathlib import Path

import c2pa
import pytest
from certificate_authority import DAY, NOW, Authority, write_chain
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from likeness.errors import CredentialError
from likeness.prove.certificates import certificate_pem, key_pem
from likeness.prove.credentials import Claim, read, sign
from likeness.prove.home import private_folder
from likeness.prove.identity import import_key, local_identity
from likeness.prove.signer import Identity
from likeness.prove.trust import (
    add_revocations,
    add_to_trust_list,
    revoked_serials,
    set_official_list,
    trust_list,
    trusted_names,
)

MakeFile = Callable[[str], Path]
CAMERA = Claim("digitalCapture", "taken", "a")


@pytest.fixture
def authority() -> Authority:
    """Somebody who certifies signers."""
    return Authority()


def identity_of(authority: Authority, name: str = "Press", **options: object) -> Identity:
    """A signer certified by ``authority``, whose key is not among the identities here."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue(name, key, **options)  # type: ignore[arg-type]
    chain = b"".join(map(certificate_pem, [leaf, *authority.chain()])).decode()
    return Identity(name, "Test press", chain, key_pem(key).decode(), leaf.not_valid_after_utc)


def leaf_of(identity: Identity) -> x509.Certificate:
    """The signer's own certificate."""
    return x509.load_pem_x509_certificate(identity.certificates_pem.encode())


@pytest.fixture
def signed(make_file: MakeFile, authority: Authority) -> tuple[Path, Identity]:
    """A picture signed by somebody with a certificate of the authority."""
    path, press = make_file("a.jpg"), identity_of(authority)
    sign(path, path, CAMERA, identity=press)
    return path, press


def test_says_which_list_made_a_signer_known(
    signed: tuple[Path, Identity], authority: Authority, tmp_path: Path
) -> None:
    path, _ = signed
    assert (read(path).state, read(path).known_by) == ("unknown_signer", None)
    roots = write_chain(tmp_path / "root.pem", authority.certificate)
    assert set_official_list(roots) == 1
    assert (read(path).state, read(path).known_by) == ("trusted", "official")
    assert add_to_trust_list(roots) == ["Test authority"]
    assert read(path).state == "trusted"
    own = tmp_path / "own.jpg"
    sign(path, own, CAMERA, identity=local_identity())
    assert (read(own).state, read(own).known_by) == ("trusted", "own")
    assert {which for which, _, _ in trusted_names()} == {"own", "user", "official"}


def test_a_single_signer_can_be_known_without_their_authority(
    signed: tuple[Path, Identity], authority: Authority, make_file: MakeFile, tmp_path: Path
) -> None:
    path, press = signed
    add_to_trust_list(write_chain(tmp_path / "leaf.pem", leaf_of(press)))
    assert (read(path).state, read(path).known_by) == ("trusted", "user")
    other = make_file("b.jpg")
    sign(other, other, CAMERA, identity=identity_of(authority, "Somebody else"))
    assert read(other).state == "unknown_signer"


def test_an_imported_identity_is_known_but_not_its_authority(
    authority: Authority, make_file: MakeFile, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue("Press", key)
    (tmp_path / "key.pem").write_bytes(key_pem(key))
    identity = import_key(
        "press", write_chain(tmp_path / "chain.pem", leaf, authority.certificate), tmp_path / "key.pem"
    )
    mine, theirs = make_file("a.jpg"), make_file("b.jpg")
    sign(mine, mine, CAMERA, identity=identity)
    sign(theirs, theirs, CAMERA, identity=identity_of(authority, "Another customer"))
    assert (read(mine).state, read(mine).known_by) == ("trusted", "own")
    assert read(theirs).state == "unknown_signer"


def test_known_signers_are_added_once(authority: Authority, tmp_path: Path) -> None:
    roots = write_chain(tmp_path / "root.pem", authority.certificate, Authority("Other").certificate)
    assert add_to_trust_list(roots) == ["Test authority", "Other"]
    assert add_to_trust_list(roots) == []
    assert trust_list().read_text().count("BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("form", ["pem", "der", "serial", "serial with colons"])
def test_revoked_certificate_is_told_apart(
    signed: tuple[Path, Identity], authority: Authority, tmp_path: Path, form: str
) -> None:
    path, press = signed
    add_to_trust_list(write_chain(tmp_path / "root.pem", authority.certificate))
    crl, serial = authority.revoke(leaf_of(press)), f"{leaf_of(press).serial_number:x}"
    if form in ("pem", "der"):
        content = crl if form == "pem" else x509.load_pem_x509_crl(crl).public_bytes(Encoding.DER)
        (tmp_path / "list").write_bytes(content)
        assert add_revocations(tmp_path / "list") == 1
    else:
        serial = serial.zfill(len(serial) + len(serial) % 2)
        pairs = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2)).upper()
        revoked_serials().write_text(f"# stolen\n\n{pairs if 'colons' in form else serial}  # laptop\n")
    found = read(path)
    assert (found.state, found.problems) == ("invalid", ["signingCredential.revoked"])
    assert found.reason is not None
    assert "was revoked" in found.reason
    assert found.signer == "Press"


def test_revoked_signer_of_an_ingredient_is_not_hidden(
    signed: tuple[Path, Identity], authority: Authority, make_file: MakeFile, tmp_path: Path
) -> None:
    path, press = signed
    out = tmp_path / "out.jpg"
    sign(make_file("b.jpg"), out, Claim("humanEdits", "edited", "out"), ingredient=path)
    (tmp_path / "list").write_bytes(authority.revoke(leaf_of(press)))
    add_revocations(tmp_path / "list")
    found = read(out)
    assert (found.state, [part.state for part in found.ingredients], found.sound) == ("trusted", ["invalid"], False)
    assert "signingCredential.revoked" in found.ingredients[0].problems
    assert "broken credentials" in found.notices[0]


def test_the_same_serial_of_another_issuer_is_not_revoked(signed: tuple[Path, Identity], tmp_path: Path) -> None:
    path, press = signed
    (tmp_path / "list").write_bytes(Authority("Elsewhere").revoke(leaf_of(press)))
    add_revocations(tmp_path / "list")
    assert read(path).state == "unknown_signer"


def test_forged_revocation_list_is_refused(signed: tuple[Path, Identity], authority: Authority, tmp_path: Path) -> None:
    _, press = signed
    add_to_trust_list(write_chain(tmp_path / "root.pem", authority.certificate))
    (tmp_path / "list").write_bytes(Authority().revoke(leaf_of(press)))
    with pytest.raises(CredentialError, match="not signed by the authority"):
        add_revocations(tmp_path / "list")


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_damaged_revocation_list_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(CredentialError, match="no usable certificate revocation list") as caught:
        add_revocations(tmp_path / "list")
    assert "\n" not in str(caught.value)


def test_line_that_is_no_serial_number_is_named(make_file: MakeFile) -> None:
    private_folder(revoked_serials().parent)
    revoked_serials().write_text("no number\n")
    with pytest.raises(CredentialError, match="no serial number"):
        read(make_file("a.jpg"))


def test_certificate_that_ran_out_after_signing(make_file: MakeFile, authority: Authority, tmp_path: Path) -> None:
    path = make_file("a.jpg")
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    press = identity_of(authority, end=end)
    sign(path, path, CAMERA, identity=press)
    add_to_trust_list(write_chain(tmp_path / "leaf.pem", leaf_of(press)))
    assert read(path).state == "trusted"
    time.sleep(max(0.0, (end - dt.datetime.now(dt.UTC)).total_seconds()) + 1.1)  # certificates count whole seconds
    found = read(path)
    assert found.state == "invalid"
    assert "signingCredential.expired" in found.problems
    assert found.reason is not None
    assert "when it still held, but no time stamp proves that day" in found.reason


def test_certificate_that_had_run_out_at_signing(make_file: MakeFile, authority: Authority) -> None:
    """The SDK signs with a sound certificate; its owner slips in an expired one of the same length and key."""
    path, key, serial = make_file("a.jpg"), ec.generate_private_key(ec.SECP256R1()), x509.random_serial_number()
    expired, sound = _twins(authority, key, serial)
    path.write_bytes(_signed_with_another_certificate(path.read_bytes(), authority, key, sound, expired))
    found = read(path)
    assert found.state == "invalid"
    assert "signingCredential.expired" in found.problems
    assert "claimSignature.mismatch" not in found.problems
    assert found.reason is not None
    assert "had run out on" in found.reason


def _twins(
    authority: Authority, key: ec.EllipticCurvePrivateKey, serial: int
) -> tuple[x509.Certificate, x509.Certificate]:
    """Two certificates of the same length in DER: signatures vary by a byte or two, so more than one try."""
    while True:
        expired = authority.issue("Press", key, start=NOW - 9 * DAY, end=NOW - 2 * DAY, serial=serial)
        sound = authority.issue("Press", key, start=NOW - DAY, end=NOW + 9 * DAY, serial=serial)
        if len(expired.public_bytes(Encoding.DER)) == len(sound.public_bytes(Encoding.DER)):
            return expired, sound


def _signed_with_another_certificate(
    picture: bytes,
    authority: Authority,
    key: ec.EllipticCurvePrivateKey,
    sound: x509.Certificate,
    expired: x509.Certificate,
) -> bytes:
    def replaced(content: bytes) -> bytes:
        assert sound.public_bytes(Encoding.DER) in content
        return content.replace(sound.public_bytes(Encoding.DER), expired.public_bytes(Encoding.DER))

    def callback(content: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(replaced(content), ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    when = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    created = {
        "action": "c2pa.created",
        "when": when,
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
    }
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]}
    chain = b"".join(map(certificate_pem, [sound, authority.certificate])).decode()
    settings = {"verify": {"verify_after_sign": False, "remote_manifest_fetch": False}}
    with (
        c2pa.Context.from_dict(settings) as context,
        c2pa.Builder(manifest, context=context) as builder,
        c2pa.Signer.from_callback(callback, c2pa.C2paSigningAlg.ES256, chain) as signer,
    ):
        out = io.BytesIO()
        builder.sign(signer, "image/jpeg", io.BytesIO(picture), out)
    return replaced(out.getvalue())


def test_certificate_that_has_not_begun_cannot_sign(make_file: MakeFile, authority: Authority, tmp_path: Path) -> None:
    later = identity_of(authority, start=NOW + 5 * DAY)
    with pytest.raises(CredentialError, match="could not be signed"):
        sign(make_file("a.jpg"), tmp_path / "out.jpg", CAMERA, identity=later)
