"""The signing identity: made once, kept private, renewed, and clear about what is wrong with it."""

import datetime as dt
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from likeness.errors import CredentialError
from likeness.prove.identity import IdentitySettings, identity_folder, local_identity, local_root

_YEAR = dt.timedelta(days=365.25)
_MAKE = "from likeness.prove.identity import local_identity; print(local_identity().name)"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_is_made_on_first_use_and_then_kept() -> None:
    assert local_root() is None
    first = local_identity()
    assert local_identity() == first
    leaf, root = x509.load_pem_x509_certificates(first.certificates_pem.encode())
    leaf.verify_directly_issued_by(root)
    assert root.public_bytes(Encoding.PEM).decode() == local_root()


def test_files_are_for_their_owner_only(own_home: Path) -> None:
    local_identity()
    folder = identity_folder()
    assert _mode(own_home) == _mode(folder) == 0o700
    assert {_mode(file) for file in folder.iterdir()} == {0o600}
    assert [child.name for child in folder.parent.iterdir()] == ["local"], "nothing temporary may stay behind"


def test_its_text_never_shows_the_key() -> None:
    assert "PRIVATE" not in repr(local_identity())


def test_processes_that_start_at_once_agree_on_one() -> None:
    started = [subprocess.Popen([sys.executable, "-c", _MAKE], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    names = {process.communicate(timeout=60)[0] for process in started}
    assert names == {local_identity().name + "\n"}


def test_expired_leaf_is_renewed_by_the_same_root() -> None:
    past = dt.datetime.now(dt.UTC) - 2 * _YEAR
    settings = IdentitySettings(leaf_years=1)
    old = local_identity(settings, now=past)
    root = local_root()
    new = local_identity(settings)
    assert new.expires > dt.datetime.now(dt.UTC) > old.expires
    assert (new.name, local_root()) == (old.name, root)
    assert new.key_pem != old.key_pem
    assert local_identity(settings) == new


def test_expired_root_says_what_to_do() -> None:
    past = dt.datetime.now(dt.UTC) - 3 * _YEAR
    local_identity(IdentitySettings(root_years=2, leaf_years=1), now=past)
    with pytest.raises(CredentialError, match=r"expired on .* Move that folder away"):
        local_identity()


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_damaged_key_is_one_clear_line(content: bytes) -> None:
    local_identity()
    (identity_folder() / "signer.pem").write_bytes(content)
    with pytest.raises(CredentialError, match=r"signer\.pem is damaged") as caught:
        local_identity()
    assert "\n" not in str(caught.value)


def test_key_of_another_identity_is_noticed() -> None:
    local_identity()
    signer, root_key = identity_folder() / "signer.pem", identity_folder() / "root_key.pem"
    certificates = signer.read_text().split("-----END PRIVATE KEY-----\n")[1]
    signer.write_text(root_key.read_text() + certificates)
    with pytest.raises(CredentialError, match="do not belong together"):
        local_identity()


def test_unreadable_key_says_what_to_do() -> None:
    local_identity()
    signer = identity_folder() / "signer.pem"
    signer.unlink()
    signer.mkdir()  # unreadable for everybody, root included
    with pytest.raises(CredentialError, match="cannot be read"):
        local_identity()
