"""Identities under a name of their own, and those brought along: one clear line for everything that can be wrong."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from certificate_authority import DAY, NOW, Authority, write_chain, write_key
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from likeness.errors import CredentialError
from likeness.prove.certificates import PrivateKey
from likeness.prove.credentials import Claim, read, sign
from likeness.prove.identity import (
    IdentitySettings,
    default_name,
    export_certificates,
    export_with_key,
    identity_folder,
    identity_names,
    import_key,
    import_pkcs12,
    load_identity,
    local_identity,
    new_identity,
    signing_identity,
    use_identity,
)
from likeness.prove.trust import add_to_trust_list

MakeFile = Callable[[str], Path]
CAMERA = Claim("digitalCapture", "taken", "a")
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.fixture
def authority() -> Authority:
    """An authority below another one, as real ones are."""
    return Authority("Issuing authority", parent=Authority("Root authority"))


def _files(folder: Path, authority: Authority, key: PrivateKey, **options: object) -> tuple[Path, Path]:
    leaf = authority.issue("Press", key, **options)  # type: ignore[arg-type]
    return write_chain(folder / "chain.pem", leaf, *authority.chain()), write_key(folder / "key.pem", key)


@pytest.mark.parametrize("algorithm", KEYS)
def test_imports_and_signs_with_every_kind_of_key(
    make_file: MakeFile, tmp_path: Path, authority: Authority, algorithm: str
) -> None:
    identity = import_key("press", *_files(tmp_path, authority, KEYS[algorithm]()))
    assert (identity.algorithm, identity.name, identity.organisation) == (algorithm, "Press", "Test press")
    assert load_identity("press") == identity
    path = make_file("a.jpg")
    sign(path, path, CAMERA, identity=signing_identity("press"))
    assert (read(path).state, read(path).signer) == ("trusted", "Press")


def test_key_with_a_password(tmp_path: Path, authority: Authority) -> None:
    key = KEYS["es256"]()
    chain, plain = _files(tmp_path, authority, key)
    locked = write_key(tmp_path / "locked.pem", key, b"secret")
    with pytest.raises(CredentialError, match="has a password"):
        import_key("press", chain, locked)
    with pytest.raises(CredentialError, match="Wrong password"):
        import_key("press", chain, locked, b"wrong")
    with pytest.raises(CredentialError, match="has no password"):
        import_key("press", chain, plain, b"secret")
    assert identity_names() == []
    assert import_key("press", chain, locked, b"secret").name == "Press"


@pytest.mark.parametrize("password", [None, b"secret"])
def test_pkcs12_in_any_order(tmp_path: Path, authority: Authority, password: bytes | None) -> None:
    key = KEYS["es384"]()
    leaf, encryption = authority.issue("Press", key), BestAvailableEncryption(password) if password else NoEncryption()
    content = pkcs12.serialize_key_and_certificates(b"press", key, leaf, authority.chain()[::-1], encryption)
    (tmp_path / "press.p12").write_bytes(content)
    with pytest.raises(CredentialError, match="cannot be opened"):
        import_pkcs12("press", tmp_path / "press.p12", b"wrong")
    identity = import_pkcs12("press", tmp_path / "press.p12", password)
    names = [certificate.subject for certificate in x509.load_pem_x509_certificates(identity.certificates_pem.encode())]
    assert names == [leaf.subject, *(certificate.subject for certificate in authority.chain())]


WRONG_LEAVES = {
    "not made for signatures": {"digital_signature": False},
    "lacks an extended key usage": {"purpose": None},
    "lacks an extended key usage that C2PA": {"purpose": ExtendedKeyUsageOID.SERVER_AUTH},
    "valid from .* only, which is not now": {"start": NOW - 9 * DAY, "end": NOW - DAY},
    "which is not now. Get": {"start": NOW + DAY},
}


@pytest.mark.parametrize("complaint", WRONG_LEAVES)
def test_unfit_certificate_is_one_clear_line(tmp_path: Path, authority: Authority, complaint: str) -> None:
    files = _files(tmp_path, authority, KEYS["es256"](), **WRONG_LEAVES[complaint])
    _refuses(complaint, *files)


def test_wrong_chains_are_one_clear_line(tmp_path: Path, authority: Authority) -> None:
    key = KEYS["es256"]()
    chain, key_file = _files(tmp_path, authority, key)
    leaf, issuing, root = x509.load_pem_x509_certificates(chain.read_bytes())
    other = tmp_path / "other.pem"
    _refuses("wrong order. Put the signer's own", write_chain(other, issuing, leaf, root), key_file)
    _refuses("broken or in the wrong order", write_chain(other, leaf, root, issuing), key_file)
    _refuses("broken or in the wrong order", write_chain(other, leaf, Authority("Stranger").certificate), key_file)
    _refuses("does not belong to the first certificate", chain, write_key(other, KEYS["es256"]()))
    _refuses("signed by itself", write_chain(other, authority.parent.certificate), _key_of(tmp_path, authority.parent))
    _refuses("is an authority's", write_chain(other, issuing, root), _key_of(tmp_path, authority))


def _key_of(folder: Path, authority: Authority | None) -> Path:
    assert authority is not None
    return write_key(folder / "authority.pem", authority.key)


def _refuses(complaint: str, chain: Path, key: Path) -> None:
    with pytest.raises(CredentialError, match=complaint) as caught:
        import_key("press", chain, key)
    assert "\n" not in str(caught.value)
    assert identity_names() == []


@pytest.mark.parametrize(
    "key", [lambda: ec.generate_private_key(ec.SECP256K1()), lambda: rsa.generate_private_key(65537, 1024)]
)
def test_keys_that_c2pa_has_no_algorithm_for(tmp_path: Path, authority: Authority, key: Callable) -> None:
    _refuses("cannot sign credentials", *_files(tmp_path, authority, key()))


def test_key_of_another_kind_altogether(tmp_path: Path, authority: Authority) -> None:
    chain, _ = _files(tmp_path, authority, KEYS["es256"]())
    key = dsa.generate_private_key(1024)
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "dsa.pem").write_bytes(content)
    _refuses("C2PA has no algorithm for", chain, tmp_path / "dsa.pem")


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_unreadable_files_are_one_clear_line(tmp_path: Path, authority: Authority, content: bytes) -> None:
    chain, key = _files(tmp_path, authority, KEYS["es256"]())
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    _refuses("no usable private key", chain, bad)
    _refuses("no usable PEM certificates", bad, key)
    _refuses("cannot be read", tmp_path / "nothing", key)
    _refuses("cannot be read", chain, tmp_path)


def test_new_identities_have_their_names_and_can_be_in_use(make_file: MakeFile) -> None:
    new_identity("Zoë's desk".replace("'", ""), IdentitySettings(organisation="Daily Planet", leaf_years=2))
    assert default_name() == "local"
    use_identity("Zoës desk")
    path = make_file("a.jpg")
    sign(path, path, CAMERA)
    assert (read(path).state, read(path).signer, read(path).issuer) == ("trusted", "Zoës desk", "Daily Planet")
    use_identity("local")
    assert signing_identity() == local_identity()
    assert identity_names() == ["Zoës desk", "local"]


def test_expired_leaf_is_renewed_for_as_long_as_before() -> None:
    second = 1 / 365.25 / 86400
    first = new_identity("press", IdentitySettings(leaf_years=second))
    time.sleep(2.1)
    second_one = signing_identity("press")
    assert second_one.key_pem != first.key_pem
    assert dt.timedelta(0) < second_one.expires - first.expires < dt.timedelta(hours=3)


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", ".hidden", "x" * 65, "a\nb", "dot.", "a\0b"])
def test_names_that_could_leave_their_folder_are_refused(name: str) -> None:
    with pytest.raises(CredentialError, match="cannot name an identity"):
        new_identity(name)
    with pytest.raises(CredentialError, match="There is no identity"):
        load_identity(name)


def test_a_name_is_given_once() -> None:
    new_identity("press")
    with pytest.raises(CredentialError, match="already"):
        new_identity("press")
    with pytest.raises(CredentialError, match=r"no identity “other” \(known: press\)"):
        use_identity("other")


def test_exported_certificate_makes_others_know_the_signer(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_file("a.jpg")
    sign(path, path, CAMERA, identity=new_identity("press"))
    export_certificates("press", tmp_path / "press.pem")
    assert b"PRIVATE" not in (tmp_path / "press.pem").read_bytes()
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "elsewhere"))
    assert read(path).state == "unknown_signer"
    add_to_trust_list(tmp_path / "press.pem")
    assert (read(path).state, read(path).known_by) == ("trusted", "user")


def test_exported_key_moves_to_another_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_identity("press")
    copy = tmp_path / "press.pem"
    export_with_key("press", copy, b"secret")
    assert b"ENCRYPTED" in copy.read_bytes()
    assert copy.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "elsewhere"))
    assert import_key("press", copy, copy, b"secret") == made


def test_imported_identity_that_has_run_out_is_named(tmp_path: Path, authority: Authority) -> None:
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.5)
    import_key("press", *_files(tmp_path, authority, KEYS["es256"](), end=end))
    time.sleep(1.6)
    with pytest.raises(CredentialError, match="“press” ran out on"):
        signing_identity("press")


def test_imported_key_is_for_its_owner_only(tmp_path: Path, authority: Authority) -> None:
    import_key("press", *_files(tmp_path, authority, KEYS["es256"]()))
    assert {file.stat().st_mode & 0o777 for file in identity_folder("press").iterdir()} == {0o600}
