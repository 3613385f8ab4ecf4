"""The message: whatever is encoded is decoded, through much noise, and noise alone is not a message."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.errors import SettingsError
from likeness.prove.watermark.message import CODED_BITS, Message, checked_id, decode, encode, new_id

ids = st.integers(0, 2**40 - 1).map(lambda number: f"{number:010x}")


@given(mark_id=ids, version=st.integers(0, 15), scale=st.floats(1e-3, 1e3))
def test_what_is_encoded_is_decoded_at_any_scale(mark_id: str, version: int, scale: float) -> None:
    coded = encode(Message(mark_id, version))
    assert coded.shape == (CODED_BITS,)
    assert set(np.unique(coded)) <= {0, 1}
    assert decode(scale * (2.0 * coded - 1)) == Message(mark_id, version)


@given(mark_id=ids, seed=st.integers(0, 2**32 - 1))
def test_a_tenth_of_the_bits_may_be_wrong(mark_id: str, seed: int) -> None:
    evidence = 2.0 * encode(Message(mark_id)) - 1
    wrong = np.random.default_rng(seed).choice(CODED_BITS, CODED_BITS // 10, replace=False)
    evidence[wrong] *= -0.5  # a weak word against the truth, as noise gives it
    assert decode(evidence) == Message(mark_id)


def test_noise_of_twice_the_signal_is_outlived_and_noise_alone_says_nothing() -> None:
    rng = np.random.default_rng(3)
    sent = 2.0 * encode(Message("0123456789")) - 1
    read = [decode(sent + rng.normal(0, 1.0, CODED_BITS)) for _ in range(50)]
    assert read.count(Message("0123456789")) >= 48
    assert [decode(rng.normal(0, 1.0, CODED_BITS)) for _ in range(200)].count(None) == 200


def test_two_ids_differ_in_many_coded_bits() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        number, bit = int(rng.integers(2**40)), int(rng.integers(40))
        one, other = (encode(Message(f"{value:010x}")) for value in (number, number ^ (1 << bit)))
        assert np.count_nonzero(one != other) >= 18  # the code's free distance


def test_an_id_is_ten_hexadecimal_digits() -> None:
    assert checked_id(" 00AB34cdef ") == "00ab34cdef"
    for text in ("", "123", "0123456789a", "zz23456789", "0x23456789"):
        with pytest.raises(SettingsError, match="hexadecimal"):
            checked_id(text)
    assert len({new_id() for _ in range(100)}) == 100
