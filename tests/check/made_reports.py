"""Reports made by hand, for the page and the JSON."""

from io import BytesIO

from PIL import Image

from likeness.check.report import FaceReport, Report, View, versions
from likeness.check.weigh import Kind, weigh
from likeness.examiner import Figure, Finding, abstention

CURVE = Figure(
    title="How far the eyes are open",
    y_label="share of the person's open eye",
    times_s=[i / 25 for i in range(100)],
    values=[1.0 if i % 50 else 0.2 for i in range(99)] + [None],
    levels={"blink below": 0.75},
)


def view(time_s: float) -> View:
    jpeg = BytesIO()
    Image.new("RGB", (320, 180), (120, 90, 80)).save(jpeg, "JPEG")
    return View(time_s=time_s, jpeg=jpeg.getvalue(), width=320, height=180, boxes=[(1, (0.3, 0.2, 0.6, 0.8))])


def findings() -> list[Finding]:
    """Of every sort: about the file, about a face with and without figure, and an abstention."""
    return [
        Finding(
            examiner="credentials", text="Signed by <b>Mallory</b> & Co, whom this computer does not know.", llr=0.0
        ),
        Finding(examiner="blinking", text="No blink.", llr=0.5, track=1, spans=[(0.5, 0.8)], figure=CURVE),
        Finding(examiner="seam", text="The face is softer.", llr=0.7, track=1, spans=[(0.0, 4.0)], box=(1, 2, 3, 4)),
        abstention("motion", "The face hardly moves, so there is no motion to compare.", 1),
    ]


def report(file: str = "clip.mp4", kind: Kind = "video", found: list[Finding] | None = None) -> Report:
    found = findings() if found is None else found
    tracks = sorted({finding.track for finding in found if finding.track is not None})
    weighing = weigh(kind, tracks, found)
    return Report(
        file=file, sha256="ab" * 32, kind=kind, verdict=weighing.verdict, llr=weighing.llr,
        probability=weighing.probability, reason=weighing.reason,
        faces=[FaceReport(track=t, llr=weighing.faces[t], spans=[(0.0, 4.0)], box=(1, 2, 3, 4)) for t in tracks],
        findings=found, versions=versions(), size_bytes=123_456, width=320, height=180, duration_s=4.0, frame_rate=25.0,
        container="mp4", examined=[(0.0, 4.0)], views=[view(0.5), view(2.0)] if tracks else [],
    )  # fmt: skip
