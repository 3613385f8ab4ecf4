"""The one contract of every check: an Examiner looks at a clip and its faces and returns Findings."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from likeness.faces.face import Track
from likeness.media.clip import Clip


class Figure(BaseModel):
    """A small plot that shows the evidence: curves over time in seconds. ``levels`` are named horizontal lines."""

    model_config = ConfigDict(frozen=True)

    title: str
    y_label: str
    times_s: list[float]
    values: list[float | None]
    levels: dict[str, float] = Field(default_factory=dict)


class Picture(BaseModel):
    """A small picture that shows the evidence: JPEG bytes and what is to be seen in it."""

    model_config = ConfigDict(frozen=True)

    jpeg: bytes
    width: int
    height: int
    caption: str


class Finding(BaseModel):
    """What one examiner says of one clip, or of one face in it.

    ``llr`` is a calibrated log10 likelihood ratio (> 0 speaks for "synthetic"); None where the examiner abstains, and
    then ``abstained`` holds the reason. ``spans`` are (start, end) in seconds, ``box`` (x0, y0, x1, y1) pixels of the
    upright frame. ``text`` is one plain sentence.
    """

    model_config = ConfigDict(frozen=True)

    examiner: str
    text: str
    llr: float | None = None
    abstained: str | None = None
    track: int | None = None
    spans: list[tuple[float, float]] = Field(default_factory=list)
    box: tuple[float, float, float, float] | None = None
    figure: Figure | None = None
    pictures: list[Picture] = Field(default_factory=list)
    details: dict[str, float | str | int | bool | None] = Field(default_factory=dict)


class Examiner(ABC):
    """One way of looking. ``name`` is what reports and the command line call it."""

    name: ClassVar[str]

    @abstractmethod
    def examine(self, clip: Clip, tracks: list[Track]) -> list[Finding]:
        """Look at ``clip`` and the faces tracked in it; always at least one Finding, if only an abstention."""


def abstention(examiner: str, reason: str, track: int | None = None) -> Finding:
    """A finding that says nothing and why."""
    return Finding(examiner=examiner, text=reason, abstained=reason, track=track)
