"""The seal of a model folder: what it says of whose faces it learnt, and its weights, are as training left them.

Which footage a face was learnt from, and what that face looks like, stands in config.json, and consent is judged by it.
So training signs that file and the weights with the identity of this computer, and `swap` looks at the seal before it
believes either. It shows a changed line or exchanged weights; it does not stop somebody who writes a seal of their own.
"""

import base64
import binascii
import logging
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from likeness.errors import CredentialError, ModelError, StorageError
from likeness.files import sha256_of, storage_error, write_text
from likeness.make.consent_keys import canonical
from likeness.make.model import CONFIG, WEIGHTS, read_config
from likeness.prove.certificates import name_of
from likeness.prove.identity import local_identity, own_roots

SEAL = "seal.json"

_SEALED_SINCE = 2  # format of the folder
_DOMAIN = b"likeness model 1\n"  # keeps the signature from being valid for anything else
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

log = logging.getLogger(__name__)


class Seal(BaseModel):
    """``config`` and ``weights`` are SHA-256 of the two files. ``certificates`` (PEM, the signer's first) name the
    signer; ``signature`` is ECDSA over P-256 with SHA-256 (DER, base64)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    config: _Sha256
    weights: _Sha256
    certificates: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return _DOMAIN + canonical(self.model_dump(mode="json", exclude={"signature"}))


def seal(folder: Path) -> None:
    """Seal the model in ``folder`` as it is now. Called after every save, since a save changes what is sealed.

    Where this computer's identity cannot be used, the folder is left without a seal and a warning says why. Raises
    StorageError where the folder cannot be written.
    """
    folder = Path(folder)
    try:
        identity = local_identity()
    except (CredentialError, StorageError) as error:
        log.warning("The model in %s is not sealed. %s", folder, error)
        (folder / SEAL).unlink(missing_ok=True)
        return
    digests = _digests(folder)
    bare = Seal(config=digests["config"], weights=digests["weights"], certificates=identity.certificates_pem)
    key = serialization.load_pem_private_key((identity.key_pem or "").encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the local identity is made with a key on P-256")
    signature = key.sign(bare.signed_bytes(), ec.ECDSA(hashes.SHA256()))
    signed = bare.model_copy(update={"signature": base64.b64encode(signature).decode("ascii")})
    write_text(folder / SEAL, signed.model_dump_json(indent=2) + "\n")


def check_seal(folder: Path) -> None:
    """Raise ModelError where the model in ``folder`` is not what was sealed, or has lost its seal.

    Models of format 1 never had one; they, and those that another computer sealed, are used with a warning.
    """
    folder = Path(folder)
    signer = _signer(folder)
    if signer is None:
        log.warning(
            "The model in %s was trained by an earlier Likeness and is not sealed, so whose face it makes rests on its "
            "%s alone. Resume its training for a moment to have it sealed.",
            folder,
            CONFIG,
        )
    elif not _is_own(signer):
        log.warning(
            "The model in %s was sealed on another computer, by %s. Use it only if you know who trained it.",
            folder,
            name_of(signer),
        )


def is_intact(folder: Path) -> bool:
    """Whether the model in ``folder`` is what was sealed, or of format 1. Raises StorageError."""
    try:
        _signer(Path(folder))
    except ModelError:
        return False
    return True


def _signer(folder: Path) -> x509.Certificate | None:
    """Who sealed the model, None where one of format 1 has no seal. Raises ModelError where it does not hold."""
    path = folder / SEAL
    if not path.exists():
        if read_config(folder).format >= _SEALED_SINCE:
            raise ModelError(
                f"The model in {folder} has no seal, so whose face it makes is not certain. "
                "Resume its training for a moment to have it sealed, or restore the folder as it was."
            )
        return None
    try:
        sealed = Seal.model_validate_json(path.read_bytes())
        certificates = x509.load_pem_x509_certificates(sealed.certificates.encode())
    except (OSError, ValidationError, ValueError) as error:
        raise _broken(folder, SEAL) from error
    for name, digest in _digests(folder).items():
        if digest != getattr(sealed, name):
            raise _broken(folder, CONFIG if name == "config" else WEIGHTS)
    if not _is_signed(sealed, certificates[0]):
        raise _broken(folder, SEAL)
    return certificates[0]


def _digests(folder: Path) -> dict[str, str]:
    try:
        return {"config": sha256_of(folder / CONFIG), "weights": sha256_of(folder / WEIGHTS)}
    except FileNotFoundError as error:
        raise ModelError(f"There is no model in {folder}. Train one with `likeness train`.") from error
    except OSError as error:
        raise storage_error(folder, error) from error


def _is_signed(sealed: Seal, certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        signature = base64.b64decode(sealed.signature, validate=True)
        key.verify(signature, sealed.signed_bytes(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _is_own(certificate: x509.Certificate) -> bool:
    """Whether an identity made on this computer certified the signer; its leaf may have been renewed since."""
    for pem in own_roots():
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(pem.encode()))
        except (InvalidSignature, ValueError, TypeError):
            continue
        return True
    return False


def _broken(folder: Path, name: str) -> ModelError:
    return ModelError(
        f"The model in {folder} is not used: its {name} was changed after training, so whose face it makes is not "
        "certain. Restore the folder as it was, or train again."
    )
