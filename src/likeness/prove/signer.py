"""An identity at work: the SDK's signer for it, and the trial that shows whether it can sign at all."""

import datetime as dt
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import c2pa
from cryptography import x509
from PIL import Image

from likeness.errors import CredentialError, LikenessError
from likeness.prove.certificates import certificate_pem
from likeness.prove.hardware_key import HardwareKey, sign_on_token
from likeness.prove.manifest import plain

_ALGORITHMS = {algorithm.name.lower(): algorithm for algorithm in c2pa.C2paSigningAlg}


@dataclass(frozen=True, repr=False)
class Identity:
    """Somebody who can sign. ``certificates_pem`` is the chain, leaf first; ``algorithm`` C2PA's name of it.

    The key is ``key_pem``, unencrypted PKCS#8, or ``hardware_key``, which stays on its token.
    """

    name: str
    organisation: str
    certificates_pem: str
    key_pem: str | None
    expires: dt.datetime
    algorithm: str = "es256"
    hardware_key: HardwareKey | None = None

    def __repr__(self) -> str:
        return f"Identity(name={self.name!r}, expires={self.expires:%Y-%m-%d})"  # never the key

    def leaf_pem(self) -> str:
        """The signer's own certificate, without its chain."""
        return certificate_pem(x509.load_pem_x509_certificate(self.certificates_pem.encode())).decode("ascii")


OFFLINE: dict[str, dict[str, Any]] = {
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_trust": True,
        "verify_after_sign": False,
    },
    "core": {"allowed_network_hosts": []},
    # A thumbnail of the parent would put the unaltered picture into the file made from it.
    "builder": {"thumbnail": {"enabled": False}},
}


def trust_only(identity: Identity) -> dict[str, Any]:
    """The SDK's trust settings under which this one signer is known, and nobody else."""
    return {"anchors": [anchors("own", [], [identity.leaf_pem()])]}


def anchors(name: str, roots: list[str], leaves: list[str]) -> dict[str, str]:
    """One trust list as the SDK takes it: ``roots`` may have signed others, ``leaves`` are known themselves."""
    return {
        "trust_uri": name,
        "trust_kind": "manifest",
        "trust_anchors": "\n".join(roots),
        "allowed_list": "\n".join(leaves),
    }


@contextmanager
def signer_of(identity: Identity) -> Iterator[c2pa.Signer]:
    """The SDK's signer. A failure of the token is raised as what it is; the SDK only says that signing failed."""
    failures: list[LikenessError] = []
    chain, key = identity.certificates_pem, (identity.key_pem or "").encode()
    if identity.hardware_key is None:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(identity.algorithm, chain.encode(), key, None))
    else:
        token = partial(_sign_on_token, identity.hardware_key, identity.algorithm, failures)
        signer = c2pa.Signer.from_callback(token, _ALGORITHMS[identity.algorithm], chain)
    with signer:
        try:
            yield signer
        except c2pa.C2paError as error:
            raise (failures[0] if failures else error) from error


def _sign_on_token(key: HardwareKey, algorithm: str, failures: list[LikenessError], content: bytes) -> bytes:
    try:
        return sign_on_token(key, algorithm, content)
    except LikenessError as error:
        failures.append(error)
        return b""  # the SDK takes this for a failure without writing to the log


def try_out(identity: Identity) -> None:
    """Sign a tiny picture in memory and read it back. Raises CredentialError with the SDK's reason where that fails."""
    picture, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [_CREATED]}}]}
    try:
        with (
            c2pa.Context.from_dict(OFFLINE | {"trust": trust_only(identity)}) as context,
            c2pa.Builder(manifest, context=context) as builder,
            signer_of(identity) as signer,
        ):
            builder.sign(signer, "image/png", picture, signed)
            with c2pa.Reader("image/png", signed, context=context) as reader:
                state = reader.get_validation_state()
    except c2pa.C2paError as error:
        raise CredentialError(
            f"“{identity.name}” cannot sign: {plain(error).rstrip('.')}. Check its certificate with whoever issued it."
        ) from error
    if state != "Trusted":
        raise CredentialError(
            f"What “{identity.name}” signs does not hold: the key and the certificate do not belong together. "
            "Name the matching two."
        )


_CREATED = {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
