"""The report on one file: what is written as JSON, and beside it what the page needs to show the evidence."""

from importlib import metadata, resources
from platform import python_version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from likeness import __version__
from likeness.check.weigh import Kind, Verdict
from likeness.detect.fuse import Fusion
from likeness.examiner import Finding
from likeness.files import sha256_of

Box = tuple[float, float, float, float]
Span = tuple[float, float]

# Packages whose version can change what is measured.
_PACKAGES = ("av", "c2pa-python", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "scipy", "torch")
_WEIGHT_SUFFIXES = (".safetensors", ".json", ".onnx", ".npz")

_RECORD: dict[str, Any] = {
    "file": True, "sha256": True, "kind": True, "verdict": True, "llr": True, "probability": True, "reason": True,
    "faces": {"__all__": {"track", "llr", "spans", "box"}},
    "findings": {"__all__": {"examiner", "llr", "abstained", "spans", "text"}},
    "versions": True,
}  # fmt: skip


class FaceReport(BaseModel):
    """One face: ``llr`` log10 likelihood ratio (None: no examiner could work on it), ``spans`` (start, end) in seconds
    in which it is in sight, ``box`` (x0, y0, x1, y1) pixels of the upright frame where it is seen best.

    ``parts`` are what each examiner contributes to ``llr``, by name; ``out_of_range`` says why none may speak of it.
    """

    model_config = ConfigDict(frozen=True)

    track: int
    llr: float | None
    spans: list[Span]
    box: Box
    parts: dict[str, float] = Field(default_factory=dict)
    out_of_range: str | None = None


class View(BaseModel):
    """A small picture of one frame: JPEG bytes, its time, and the boxes of the tracks in it as parts of width and
    height, in [0, 1].
    """

    model_config = ConfigDict(frozen=True)

    time_s: float
    jpeg: bytes
    width: int
    height: int
    boxes: list[tuple[int, Box]] = Field(default_factory=list)


class Population(BaseModel):
    """On what an examiner's likelihood ratios were calibrated, and the log10 ``bound`` within which that keeps them."""

    model_config = ConfigDict(frozen=True)

    examiner: str
    described: str
    genuine_people: int
    genuine_clips: int
    synthetic_clips: int
    bound: float


class Report(BaseModel):
    """What was looked at, what was found, how it was weighed. ``probability`` is that of "synthetic" for a prior of one
    half.

    ``record`` gives the published JSON object. The other fields serve the page: the size, length and frame rate of the
    clip, the ``examined`` spans in seconds (all of it for a short clip), faces ``left_out`` of a crowd, small views of
    some frames, what findings about the file itself contribute (``file_parts``), the ``populations`` of the calibrated
    examiners, the fitted weights if there were any, and for a repetition the ``settings`` and the SHA-256 of the table
    of the ``reference`` face set.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    kind: Kind
    verdict: Verdict
    llr: float | None
    probability: float | None
    reason: str
    faces: list[FaceReport]
    findings: list[Finding]
    versions: dict[str, str | dict[str, str]]

    size_bytes: int
    width: int
    height: int
    duration_s: float
    frame_rate: float | None
    container: str
    examined: list[Span]
    left_out: int = 0
    views: list[View] = Field(default_factory=list)
    file_parts: dict[str, float] = Field(default_factory=dict)
    populations: list[Population] = Field(default_factory=list)
    fusion: Fusion | None = None
    settings: dict[str, float | int | str] = Field(default_factory=dict)
    reference: str | None = None

    def record(self) -> dict[str, Any]:
        """The JSON object of ``check --json``: exactly its documented keys, plain types.

        Where there are several faces, the text of a finding begins with the face it is about.
        """
        record = self.model_dump(mode="json", include=_RECORD)
        if len(self.faces) > 1:
            for finding, written in zip(self.findings, record["findings"], strict=True):
                if finding.track is not None:
                    written["text"] = f"Face {finding.track}: {finding.text}"
        return record


def versions() -> dict[str, str | dict[str, str]]:
    """Everything that a repetition of the examination must have alike: versions, and the SHA-256 of each shipped
    weight.
    """
    return {
        "likeness": __version__,
        "python": python_version(),
        "packages": {package: metadata.version(package) for package in _PACKAGES},
        "weights": weight_hashes(),
    }


def weight_hashes() -> dict[str, str]:
    """SHA-256 of every file of weights that comes with the package, by name."""
    with resources.as_file(resources.files("likeness.weights")) as folder:
        files = sorted(path for path in folder.iterdir() if path.suffix in _WEIGHT_SUFFIXES)
        return {path.name: sha256_of(path) for path in files}
