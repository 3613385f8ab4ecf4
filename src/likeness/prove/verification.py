"""What verifying one file gives: a record of every layer, each with one plain sentence.

No layer and no combination of them amounts to a verdict on whether a file shows what happened, and the record has no
field for one.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from likeness.media.probe import Kind
from likeness.prove.manifest import Ingredient, State
from likeness.prove.seconds import SignatureState

Span = tuple[float, float]
Region = tuple[float, float, float, float]
Through = Literal["watermark and fingerprint", "watermark", "fingerprint"]


class _Layer(BaseModel):
    """One layer; ``text`` says in a plain sentence what it shows."""

    model_config = ConfigDict(frozen=True)

    text: str


class CredentialsLayer(_Layer):
    """``recovered``: the file carries none, and these are what the store keeps of the work that it was recognised as,
    ``through`` the layers named. ``declared`` are IPTC digital source types, ``known_by`` the list that knows the
    signer.
    """

    state: State
    signer: str | None = None
    problems: list[str] = []
    ingredients: list[Ingredient] = []
    recovered: bool = False
    through: Through | None = None
    declared: list[str] = []
    known_by: str | None = None
    title: str | None = None
    notices: list[str] = []


class WatermarkLayer(_Layer):
    """``id`` ten hexadecimal digits; ``also`` further ones in other parts of a clip; ``score`` in standard deviations.

    ``known``: whether the store has a work under this number, None where it could not be asked.
    """

    state: Literal["found", "absent"]
    id: str | None = None
    also: list[str] = []
    known: bool | None = None
    mirrored: bool = False
    score: float = 0.0
    frames_read: int = 0


class TamperLayer(_Layer):
    """``regions``: boxes (x0, y0, x1, y1) in pixels of the upright frame; ``at_s`` when they were seen, in seconds."""

    state: Literal["intact", "altered", "unmarked"]
    regions: list[Region] = []
    at_s: list[float] = []


class FingerprintLayer(_Layer):
    """``id``: the watermark number of the work that looks the same, None where that has none. ``distance`` in bits of
    256, None where only single moments look like the marked work; ``others`` counts further works that look the same.
    ``agrees_with_watermark``: None without a work to compare.
    """

    state: Literal["match", "none"]
    id: str | None = None
    title: str | None = None
    distance: int | None = None
    others: int = 0
    mirrored: bool = False
    agrees_with_watermark: bool | None = None


class SecondsLayer(_Layer):
    """The hash list of a clip's seconds against the file. ``source`` says where the list came from.

    ``changed`` are stretches of the work, in seconds, that are missing or encoded otherwise, ``added`` stretches of
    this file that the work does not have; pictures and sound together.
    """

    state: Literal["unchanged", "changed", "encoded_anew", "unknown"]
    source: Literal["credentials", "store"] | None = None
    signature: SignatureState | None = None
    changed: list[Span] = []
    added: list[Span] = []
    moved: list[Span] = []


class Verification(BaseModel):
    """All layers of one file. ``contradictions`` are findings of their own, ``not_known`` what cannot be said.

    ``identical`` says that the store has this very file, byte for byte; ``store_problem`` why it could not be asked.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    kind: Kind
    credentials: CredentialsLayer
    watermark: WatermarkLayer
    tamper: TamperLayer
    fingerprint: FingerprintLayer
    seconds: SecondsLayer
    identical: bool = False
    contradictions: list[str] = Field(default_factory=list)
    not_known: list[str] = Field(default_factory=list)
    store_problem: str | None = None

    def lines(self) -> list[str]:
        """The record as plain text, a line each."""
        layers = {
            "credentials": self.credentials.text,
            "watermark": self.watermark.text,
            "alterations": self.tamper.text,
            "fingerprint": self.fingerprint.text,
            "seconds": self.seconds.text,
        }
        lines = [self.file, *(f"  {name}: {text}" for name, text in layers.items())]
        lines += ["  contradictions:"] if self.contradictions else ["  contradictions: none between these layers."]
        lines += [f"    - {text}" for text in self.contradictions]
        return [*lines, "  not known:", *(f"    - {text}" for text in self.not_known)]
