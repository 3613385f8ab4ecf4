"""The face that a consent record is about, as a recogniser describes it: small, signed, and no picture."""

import base64
import binascii
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

_SMALLEST, _LARGEST = 16, 4096  # numbers in a description; recognisers give 128 to 1024


class BoundFace(BaseModel):
    """The mean of a person's faces, as the recogniser of that name describes them.

    ``embedding`` is base64 of int8 (d,): the direction of the unit vector, scaled so that its largest number is 127;
    rounding turns it by a fraction of a degree, and whole numbers read the same everywhere. ``threshold`` is the cosine
    from which on a face counts as this person's, as the recogniser held it when the record was made: signed with the
    rest, so that nobody loosens it afterwards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recogniser: str = Field(max_length=100, pattern=r"^[\x21-\x7e]+$")
    threshold: float = Field(gt=0, lt=1)
    embedding: str = Field(max_length=2 * _LARGEST)

    @field_validator("embedding")
    @classmethod
    def _describes_a_face(cls, text: str) -> str:
        numbers = _decoded(text)
        if not _SMALLEST <= len(numbers) <= _LARGEST or not numbers.any():
            raise ValueError("describes no face")
        return text

    @classmethod
    def of(cls, embedding: np.ndarray, recogniser: str, threshold: float) -> Self:
        """The description of the face with the unit vector ``embedding`` float32 (d,)."""
        whole = np.rint(embedding * (127 / np.abs(embedding).max())).astype(np.int8)
        text = base64.b64encode(whole.tobytes()).decode("ascii")
        return cls(recogniser=recogniser, threshold=round(threshold, 4), embedding=text)

    @property
    def vector(self) -> np.ndarray:
        """The unit vector float32 (d,)."""
        numbers = _decoded(self.embedding).astype(np.float32)
        unit: np.ndarray = numbers / np.linalg.norm(numbers)
        return unit


def _decoded(text: str) -> np.ndarray:
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), np.int8)
    except binascii.Error as error:
        raise ValueError("is no base64") from error
