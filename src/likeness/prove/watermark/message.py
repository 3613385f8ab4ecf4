"""The message of the robust watermark: a version, a 40-bit identifier and a check, spread over 228 coded bits.

4 bits of version, 40 of payload and a 24-bit CRC (the error-detecting code) go through a rate-1/3 convolutional code of
constraint length 9 (the error-correcting code; generators 557, 663, 711 octal, as in 3GPP TS 25.212, section 4.2.3.1)
that ends in the zero state. The decoder is Viterbi's with soft decisions, so that what many tiles and frames say
weakly adds up.
"""

import secrets
from dataclasses import dataclass

import numpy as np

from likeness.errors import SettingsError

MarkId = str  # ten lower-case hexadecimal digits: the 40 bits of payload

VERSION = 1
PAYLOAD_BITS = 40
CODED_BITS = 228

_VERSION_BITS = 4
_CRC_BITS = 24
_CRC_POLYNOMIAL = 0x5D6DCB  # CRC-24/FLEXRAY-A: Hamming distance 6 up to messages far longer than ours
_CRC_START = 0xFEDCBA
_MEMORY = 8
_STATES = 1 << _MEMORY
_GENERATORS = (0o557, 0o663, 0o711)


@dataclass(frozen=True)
class Message:
    """What a mark says: ``mark_id`` is looked up in the local store; ``version`` says how the rest is to be read."""

    mark_id: MarkId
    version: int = VERSION


def new_id() -> MarkId:
    """A fresh random identifier of 40 bits."""
    return secrets.token_hex(PAYLOAD_BITS // 8)


def checked_id(text: str) -> MarkId:
    """``text`` as an identifier. Raises SettingsError where it is none."""
    lowered = text.strip().lower()
    if len(lowered) != PAYLOAD_BITS // 4 or any(digit not in "0123456789abcdef" for digit in lowered):
        raise SettingsError(f"{text!r} is no watermark id. Give {PAYLOAD_BITS // 4} hexadecimal digits.")
    return lowered


def encode(message: Message) -> np.ndarray:
    """The coded bits of ``message``: int8 (228,) of 0 and 1. Raises SettingsError for an id that is none."""
    head = (message.version << PAYLOAD_BITS) | int(checked_id(message.mark_id), 16)
    bits = _bits(head, _VERSION_BITS + PAYLOAD_BITS)
    information = np.concatenate([bits, _bits(_crc(bits), _CRC_BITS), np.zeros(_MEMORY, dtype=np.int8)])
    register, coded = 0, []
    for bit in information:
        register = ((register << 1) | int(bit)) & (2 * _STATES - 1)
        coded += [(register & generator).bit_count() & 1 for generator in _GENERATORS]
    return np.asarray(coded, dtype=np.int8)


def decode(evidence: np.ndarray) -> Message | None:
    """The message behind ``evidence``, or None where the check fails.

    ``evidence`` float (228,) says for each coded bit how strongly it is a one (positive) or a zero (negative); any
    common scale will do.
    """
    information = _viterbi(np.asarray(evidence, dtype=np.float64).reshape(-1, len(_GENERATORS)))
    body, check = information[: -_MEMORY - _CRC_BITS], information[-_MEMORY - _CRC_BITS : -_MEMORY]
    if _number(check) != _crc(body):
        return None
    head = _number(body)
    version, payload = head >> PAYLOAD_BITS, head & ((1 << PAYLOAD_BITS) - 1)
    return Message(f"{payload:0{PAYLOAD_BITS // 4}x}", version)


def _branches() -> tuple[np.ndarray, np.ndarray]:
    """For each new state its two predecessors (256, 2) and, as ±1, the bits sent on the way (256, 2, 3)."""
    state = np.arange(_STATES)
    before = np.stack([state >> 1, (state >> 1) | (_STATES >> 1)], axis=1)
    register = (before << 1) | (state & 1)[:, None]
    sent = [np.bitwise_count(register & generator) & 1 for generator in _GENERATORS]
    return before, 2.0 * np.stack(sent, axis=2) - 1.0


_BEFORE, _SENT = _branches()


def _viterbi(evidence: np.ndarray) -> np.ndarray:
    """The information bits int8 of the likeliest path from the zero state to the zero state; evidence (n, 3)."""
    score = np.full(_STATES, -np.inf)
    score[0] = 0.0
    steps = np.empty((len(evidence), _STATES), dtype=np.int8)
    for i, seen in enumerate(evidence):
        candidates = score[_BEFORE] + _SENT @ seen
        steps[i] = candidates.argmax(axis=1)
        score = candidates.max(axis=1)
    state, bits = 0, np.empty(len(evidence), dtype=np.int8)
    for i in range(len(evidence) - 1, -1, -1):
        bits[i] = state & 1
        state = _BEFORE[state, steps[i, state]]
    return bits


def _crc(bits: np.ndarray) -> int:
    register = _CRC_START
    for bit in bits:
        feedback = (register >> (_CRC_BITS - 1)) ^ int(bit)
        register = (register << 1) & ((1 << _CRC_BITS) - 1)
        if feedback & 1:
            register ^= _CRC_POLYNOMIAL
    return register


def _bits(number: int, count: int) -> np.ndarray:
    return np.asarray([(number >> i) & 1 for i in range(count - 1, -1, -1)], dtype=np.int8)


def _number(bits: np.ndarray) -> int:
    return int("".join(str(int(bit)) for bit in bits), 2)
