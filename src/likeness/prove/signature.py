"""Signatures of our own records with a signing identity, by the algorithm its certificate is for.

Elliptic curves sign as r and s one after another (RFC 7518, 3.4), RSA with PSS and a salt of 32 bytes, Ed25519 as it
is: what C2PA uses, so that keys on a token serve both.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from likeness.errors import CredentialError
from likeness.prove.hardware_key import sign_on_token
from likeness.prove.identity import Identity

_CURVE_HASHES: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def sign_bytes(identity: Identity, content: bytes) -> bytes:
    """The signature of ``identity`` over ``content``. Raises CredentialError where its key cannot sign."""
    if identity.hardware_key is not None:
        return sign_on_token(identity.hardware_key, identity.algorithm, content)
    if identity.key_pem is None:
        raise CredentialError(f"The identity {identity.name} has no key. Import it again with its key.")
    key = serialization.load_pem_private_key(identity.key_pem.encode(), password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(content, ec.ECDSA(_CURVE_HASHES[key.curve.key_size])))
        width = -(-key.curve.key_size // 8)
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, _PSS, hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    raise CredentialError(f"The key of {identity.name} is of a kind that cannot sign here. Use one for ES256.")


def signature_holds(public_key: object, signature: bytes, content: bytes) -> bool:
    """Whether ``signature`` over ``content`` was made with the key that belongs to ``public_key``."""
    try:
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            algorithm = ec.ECDSA(_CURVE_HASHES[public_key.curve.key_size])
            public_key.verify(encode_dss_signature(r, s), content, algorithm)
        elif isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, content, _PSS, hashes.SHA256())
        elif isinstance(public_key, ed25519.Ed25519PublicKey):
            public_key.verify(signature, content)
        else:
            return False
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True
