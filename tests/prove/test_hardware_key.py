"""Keys on a PKCS#11 token, tried on SoftHSM 2: they sign without leaving it, and say what is wrong."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from certificate_authority import Authority, write_chain, write_key
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from likeness.errors import CredentialError
from likeness.prove.certificates import PrivateKey
from likeness.prove.credentials import Claim, read, sign
from likeness.prove.identity import identity_folder, identity_names, import_hardware_key, signing_identity

pytest.importorskip("pkcs11", reason="the optional package python-pkcs11 is not installed")

MakeFile = Callable[[str], Path]
PIN = "4321"
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
}
# Where the library lies in the usual systems; SOFTHSM2_MODULE and SOFTHSM2_UTIL name it elsewhere.
MODULES = [
    os.environ.get("SOFTHSM2_MODULE", ""),
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
]
MODULE = next((module for module in MODULES if module and Path(module).exists()), None)
UTILITY = os.environ.get("SOFTHSM2_UTIL") or shutil.which("softhsm2-util")
pytestmark = pytest.mark.skipif(MODULE is None or UTILITY is None, reason="SoftHSM 2 (softhsm2) is not installed")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A token with a key of each kind, and the chain of each."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # read once, when the library is loaded
    _run("--init-token", "--free", "--label", "press", "--so-pin", "1234", "--pin", PIN)
    authority, chains = Authority(), {}
    for number, (name, make) in enumerate(KEYS.items(), start=1):
        key = make()
        chains[name] = write_chain(folder / f"{name}.pem", authority.issue("Press", key), authority.certificate)
        file = write_key(folder / "key.pem", key)
        _run("--import", str(file), "--token", "press", "--label", name, "--id", f"0{number}", "--pin", PIN)
        file.unlink()
    return chains


def _run(*arguments: str) -> None:
    subprocess.run([str(UTILITY), *arguments, "--module", str(MODULE)], check=True, capture_output=True)


@pytest.fixture
def environment(token: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The variables that name the token's first key."""
    for name, value in (("MODULE", str(MODULE)), ("TOKEN", "press"), ("KEY", "es256"), ("PIN", PIN)):
        monkeypatch.setenv(f"LIKENESS_PKCS11_{name}", value)
    return monkeypatch


@pytest.mark.parametrize("algorithm", KEYS)
def test_signs_with_a_key_that_stays_on_its_token(
    environment: pytest.MonkeyPatch, token: dict[str, Path], make_file: MakeFile, algorithm: str
) -> None:
    environment.setenv("LIKENESS_PKCS11_KEY", algorithm)
    identity = import_hardware_key("press", token[algorithm])
    assert (identity.algorithm, identity.key_pem) == (algorithm, None)
    kept = b"".join(file.read_bytes() for file in identity_folder("press").iterdir())
    assert b"PRIVATE" not in kept
    assert PIN.encode() not in kept
    path = make_file("a.mp4")
    sign(path, path, Claim("digitalCapture", "taken", "a"), identity=signing_identity("press"))
    assert (read(path).state, read(path).signer) == ("trusted", "Press")


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PIN", "9999", "PIN .* is wrong"),
        ("PIN", "", "set LIKENESS_PKCS11_PIN"),
        ("TOKEN", "other", "no token “other”"),
        ("KEY", "other", "not exactly one key “other”"),
        ("KEY", "es384", "do not belong together|cannot sign"),
        ("MODULE", "/nowhere.so", "cannot be used"),
    ],
)
def test_everything_that_can_be_wrong_is_one_clear_line(
    environment: pytest.MonkeyPatch, token: dict[str, Path], variable: str, value: str, complaint: str
) -> None:
    environment.setenv(f"LIKENESS_PKCS11_{variable}", value)
    with pytest.raises(CredentialError, match=complaint) as caught:
        import_hardware_key("press", token["es256"])
    assert "\n" not in str(caught.value)
    assert identity_names() == []


def test_wrong_pin_at_signing_is_named(
    environment: pytest.MonkeyPatch, token: dict[str, Path], make_file: MakeFile, tmp_path: Path
) -> None:
    identity = import_hardware_key("press", token["es256"])
    environment.setenv("LIKENESS_PKCS11_PIN", "9999")
    with pytest.raises(CredentialError, match=r"PIN .* is wrong"):
        sign(make_file("a.jpg"), tmp_path / "out.jpg", Claim("digitalCapture", "taken", "a"), identity=identity)
    assert not (tmp_path / "out.jpg").exists()
