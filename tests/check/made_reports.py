"""Reports made by hand, for the page and the JSON."""

from functools import cache
from io import BytesIO

from PIL import Image

from likeness.check.report import FaceReport, Population, Report, View, versions
from likeness.check.weigh import Kind, weigh
from likeness.detect.fuse import Fusion
from likeness.detect.metrics import Estimate
from likeness.examiner import Figure, Finding, Picture, abstention

CURVE = Figure(
    title="How far the eyes are open",
    y_label="share of the person's open eye",
    times_s=[i / 25 for i in range(100)],
    values=[1.0 if i % 50 else 0.2 for i in range(99)] + [None],
    levels={"blink below": 0.75},
)


_versions = cache(versions)  # every weight is hashed for it


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


def many_findings() -> list[Finding]:
    """What a dozen examiners may say of a swapped face: most of them for software, one against, some silent."""
    picture = Picture(jpeg=view(1.0).jpeg, width=320, height=180, caption="The face where its noise differs most.")
    levels = {"1 in 20 genuine moments above": 0.6, "equal": 0.0}
    curve = CURVE.model_copy(update={"title": "Noise of the face against its surroundings", "levels": levels})
    return [
        *findings()[:3],
        Finding(examiner="noise", text="The face has 3.1 times less noise than its surroundings (as little: 0 of 40 "
                "genuine clips).", llr=0.9, track=1, spans=[(1.0, 3.0)], figure=curve, pictures=[picture]),
        Finding(examiner="lips", text="Lips and voice agree (correlation 0.62).", llr=-0.6, track=1),
        Finding(examiner="light", text="Light falls on face and neck from one side.", llr=-0.1, track=1, figure=CURVE),
        Finding(examiner="eyes_and_teeth", text="Both eyes reflect one lamp.", llr=0.05, track=1),
        abstention("motion", "The face hardly moves, so there is no motion to compare.", 1),
        abstention("pulse", "The clip is shorter than 8 s.", 1),
        abstention("expression", "The clip is shorter than 8 s.", 1),
    ]  # fmt: skip


FUSION = Fusion(
    weights={"seam": 0.5, "noise": 0.8, "lips": 0.6, "light": 0.3, "blinking": 0.4}, bound=1.1, population="made clips",
    people=12, genuine_faces=40, synthetic_faces=44,
    figures={"roc_auc": Estimate(value=0.9, low=0.8, high=0.95), "cllr": Estimate(value=0.6, low=0.5, high=0.8)},
)  # fmt: skip


def report(
    file: str = "clip.mp4", kind: Kind = "video", found: list[Finding] | None = None, fusion: Fusion | None = None
) -> Report:
    found = findings() if found is None else found
    tracks = sorted({finding.track for finding in found if finding.track is not None})
    weighing = weigh(kind, tracks, found, fusion=fusion)
    return Report(
        file=file, sha256="ab" * 32, kind=kind, verdict=weighing.verdict, llr=weighing.llr,
        probability=weighing.probability, reason=weighing.reason,
        faces=[
            FaceReport(track=t, llr=weighing.faces[t], spans=[(0.0, 4.0)], box=(1, 2, 3, 4), parts=weighing.parts[t])
            for t in tracks
        ],
        findings=found, versions=_versions(), size_bytes=123_456, width=320, height=180, duration_s=4.0,
        frame_rate=25.0,
        container="mp4", examined=[(0.0, 4.0)], views=[view(0.5), view(2.0)] if tracks else [],
        file_parts=weighing.file_parts, fusion=fusion, settings={"longest_s": 120.0, "weigh.discount": 0.5},
        populations=[Population(examiner="seam", described="GRID talking heads & actors", genuine_people=9,
                                genuine_clips=10, synthetic_clips=20, bound=0.74)],
    )  # fmt: skip
