"""The keys that sign consent: Ed25519, one for each person, in a file of their own."""

import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from likeness.errors import ConsentError
from likeness.prove.home import write_private


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make the person's signing key and write it to ``path``, readable by its owner only. Never overwrites a key."""
    path = Path(path)
    if path.exists():
        raise ConsentError(f"{path} is there already and is not overwritten. Sign with it, or choose another name.")
    key = Ed25519PrivateKey.generate()
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, key.private_bytes(*encoding))
    return key


def load_key(path: Path, password: str | None = None) -> Ed25519PrivateKey:
    """Read an Ed25519 key (PEM, PKCS#8). Raises ConsentError: missing, damaged, wrong password."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConsentError(
            f"The key {path} cannot be read ({error.strerror}). Name the key file, or have one made with --new-key."
        ) from error
    try:
        key = serialization.load_pem_private_key(content, password.encode() if password else None)
    except (ValueError, TypeError) as error:
        raise ConsentError(
            f"{path} holds no key that can be opened: damaged, or a wrong or missing password. Name an Ed25519 PEM key."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConsentError(f"{path} holds a key of another kind. Name an Ed25519 key, or have one made with --new-key.")
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public half of ``key`` as 64 hex digits: what a record names its signer by."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def canonical(content: dict[str, Any]) -> bytes:
    """One byte string for one content: keys sorted, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_signed_by(public_key: str, signature: str, content: bytes) -> bool:
    """Whether the key of 64 hex digits made the ``signature`` of 128 over exactly ``content``."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True
