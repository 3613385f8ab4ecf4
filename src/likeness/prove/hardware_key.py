"""Keys that never leave their token: signing through PKCS#11 (OASIS PKCS #11, version 2.40 and later).

The token is named by the environment: LIKENESS_PKCS11_MODULE is the library that came with it, LIKENESS_PKCS11_TOKEN
its label, LIKENESS_PKCS11_KEY the key's label, LIKENESS_PKCS11_PIN the user's PIN, which is kept nowhere.
"""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from likeness.errors import CredentialError, MissingDataError

MODULE, TOKEN, KEY, PIN = (f"LIKENESS_PKCS11_{name}" for name in ("MODULE", "TOKEN", "KEY", "PIN"))
_ONE_AT_A_TIME = threading.Lock()  # a token logs one session of a process in


@dataclass(frozen=True)
class HardwareKey:
    """Where a key is: the labels of its token and of itself."""

    token: str
    label: str


def hardware_key_from_environment() -> HardwareKey:
    """The key that the environment names. Raises CredentialError where a variable is missing."""
    return HardwareKey(token=_variable(TOKEN), label=_variable(KEY))


def sign_on_token(key: HardwareKey, algorithm: str, content: bytes) -> bytes:
    """``content`` signed by the token with one of C2PA's algorithms; for elliptic curves r and s, as COSE wants it.

    Raises CredentialError, MissingDataError.
    """
    with _session(key) as session:
        from pkcs11 import MGF, Mechanism, ObjectClass

        private = _object(session, ObjectClass.PRIVATE_KEY, key)
        if algorithm.startswith("es"):
            digest = hashlib.new(f"sha{algorithm[2:]}", content).digest()
            return bytes(private.sign(digest, mechanism=Mechanism.ECDSA))
        parameters = (Mechanism.SHA256, MGF.SHA256, 32)
        return bytes(private.sign(content, mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=parameters))


@contextmanager
def _session(key: HardwareKey) -> Iterator[Any]:
    try:
        import pkcs11
        from pkcs11 import exceptions
    except ImportError as error:
        raise MissingDataError(
            "Keys on a PKCS#11 token need the package python-pkcs11. Install it: pip install python-pkcs11"
        ) from error
    module, pin = _variable(MODULE), _variable(PIN)
    try:
        with _ONE_AT_A_TIME, pkcs11.lib(module).get_token(token_label=key.token).open(user_pin=pin) as session:
            yield session
    except exceptions.PinIncorrect as error:
        raise CredentialError(f"The PIN in {PIN} is wrong for the token “{key.token}”.") from error
    except exceptions.NoSuchToken as error:
        raise CredentialError(f"There is no token “{key.token}” behind {module}. Check {TOKEN}.") from error
    except (exceptions.PKCS11Error, RuntimeError, OSError) as error:
        text = str(error) or type(error).__name__
        raise CredentialError(f"The token “{key.token}” cannot be used ({text}). Check {MODULE} and {PIN}.") from error


def _object(session: Any, kind: Any, key: HardwareKey) -> Any:
    from pkcs11 import exceptions

    try:
        return session.get_key(object_class=kind, label=key.label)
    except (exceptions.NoSuchKey, exceptions.MultipleObjectsReturned) as error:
        raise CredentialError(f"The token “{key.token}” has not exactly one key “{key.label}”. Check {KEY}.") from error


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CredentialError(f"The key is on a PKCS#11 token: set {name} in the environment.")
    return value
