"""Check one file: open it, follow its faces, let every examiner look, weigh what they found."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from likeness.check.report import FaceReport, Population, Report, Span, View, versions
from likeness.check.weigh import WeighSettings, weigh
from likeness.detect.cue import Cue, look
from likeness.detect.cues import CUES
from likeness.detect.cues.identity import Identity
from likeness.detect.fuse import shipped_fusion
from likeness.detect.in_range import RangeNote, RangeSettings, note_range, reason_out_of_range
from likeness.detect.reference import Reference
from likeness.detect.sightings import consecutive
from likeness.errors import LikenessError
from likeness.examiner import Examiner, Finding, abstention
from likeness.faces.face import Face, Track
from likeness.faces.faceset import TABLE
from likeness.faces.tracker import Tracker
from likeness.files import sha256_of
from likeness.media.ahead import ahead
from likeness.media.clip import Clip, Frame, Limits, open_clip
from likeness.progress import progress, tracked
from likeness.prove.credentials_examiner import CredentialsExaminer
from likeness.prove.fingerprint_examiner import FingerprintExaminer
from likeness.prove.watermark_examiner import WatermarkExaminer

PROVENANCE_EXAMINERS: tuple[type[Examiner], ...] = (CredentialsExaminer, WatermarkExaminer, FingerprintExaminer)
EXAMINERS: tuple[type[Examiner], ...] = (*PROVENANCE_EXAMINERS, *CUES)

_IN_SIGHT_GAP_S = 0.5  # a face lost for less is reported as in sight throughout


@dataclass(frozen=True)
class CheckSettings:
    """How much of a file is looked at. Up to ``longest_s`` all of it; beyond, ``windows`` evenly spread parts of
    together that length.
    """

    longest_s: float = 120.0
    windows: int = 6
    most_faces: int = 8  # the rest of a crowd is counted, not examined
    shortest_face_s: float = 0.3  # of a video: what appears for less is left out
    views: int = 6
    view_px: int = 480  # longer side of a view
    view_quality: int = 82
    longest_file_s: float = 24 * 3600.0  # only the windows of a long file are decoded, so it may be longer than usual
    in_range: RangeSettings = field(default_factory=RangeSettings)
    weigh: WeighSettings = field(default_factory=WeighSettings)


@dataclass(frozen=True, eq=False)
class Watched:
    """What one pass over the frames leaves: faces over time, small views, the spans looked at, in seconds, and by track
    what tells whether it is within the examiners' range.
    """

    tracks: list[Track]
    views: list[View]
    examined: list[Span]
    notes: dict[int, list[RangeNote]]


def check_file(path: Path, settings: CheckSettings | None = None, reference: Path | None = None) -> Report:
    """Examine the file ``path`` and report. ``reference`` is a face set (`likeness extract`) of the person whom it is
    said to show. Raises BadMediaError where the file cannot be opened, FaceSetError where the reference is of no use.

    An examiner that fails on this file with an error of ours abstains with that error as its reason.
    """
    settings = settings or CheckSettings()
    known = None if reference is None else Reference.load(Path(reference))
    clip = open_clip(Path(path), Limits(max_duration_s=settings.longest_file_s))
    watched = watch(clip, settings)
    tracks = prominent(watched.tracks, clip, settings)
    out_of_range = {
        track.id: reason_out_of_range(clip, track, watched.notes[track.id], settings.in_range) for track in tracks
    }
    cues, unusable = build(CUES, known)
    with ThreadPoolExecutor(1, "provenance") as beside:  # two cores: one reads marks, one measures
        marks = beside.submit(examine_provenance, clip, tracks)
        seen = look_in_range(cues, clip, tracks, out_of_range)
        declared = marks.result()
    whose: list[int | None] = [track.id for track in tracks] or [None]
    silent = [abstention(name, reason, track) for name, reason in unusable.items() for track in whose]
    findings = [*declared, *seen, *silent]
    fusion = shipped_fusion()
    left_out = len(watched.tracks) - len(tracks)
    weighing = weigh(clip.kind, [track.id for track in tracks], findings, settings.weigh, fusion, left_out)
    return Report(
        file=str(path),
        sha256=sha256_of(clip.path),
        kind=clip.kind,
        verdict=weighing.verdict,
        llr=weighing.llr,
        probability=None if weighing.probability is None else round(weighing.probability, 4),
        reason=weighing.reason,
        faces=[
            _face_report(track, weighing.faces[track.id], weighing.parts[track.id], out_of_range[track.id])
            for track in tracks
        ],
        findings=findings,
        versions=versions(),
        size_bytes=clip.path.stat().st_size,
        width=clip.width,
        height=clip.height,
        duration_s=clip.duration_s,
        frame_rate=None if clip.frame_rate is None else float(clip.frame_rate),
        container=clip.container,
        examined=watched.examined,
        left_out=left_out,
        views=watched.views,
        file_parts=weighing.file_parts,
        populations=[_population(cue) for cue in cues if cue.calibration.genuine_clips],
        fusion=fusion,
        settings=_flat(asdict(settings)),
        reference=None if reference is None else f"{reference} (faces.parquet: {sha256_of(Path(reference) / TABLE)})",
    )


def examine_provenance(clip: Clip, tracks: list[Track]) -> list[Finding]:
    """What the examiners find that read where the file comes from, one after another."""
    examiners = tracked(
        PROVENANCE_EXAMINERS, f"Reading marks of {clip.path.name}", len(PROVENANCE_EXAMINERS), "examiners"
    )
    return [finding for examiner in examiners for finding in examine(examiner, clip, tracks)]


def examine(examiner: type[Examiner], clip: Clip, tracks: list[Track]) -> list[Finding]:
    """What ``examiner`` finds; where it fails on this file, an abstention that says why."""
    try:
        return examiner().examine(clip, tracks)
    except LikenessError as error:
        return [abstention(examiner.name, str(error))]


def build(cues: Sequence[type[Cue[Any]]], reference: Reference | None = None) -> tuple[list[Cue[Any]], dict[str, str]]:
    """One of each of ``cues``, with a ``reference`` also `Identity`, and by name why others cannot be used: their
    weights cannot be read.
    """
    built: list[Cue[Any]] = []
    unusable: dict[str, str] = {}
    for cue in cues:
        if cue is Identity:
            continue
        try:
            built.append(cue())
        except LikenessError as error:
            unusable[cue.name] = str(error)
    return built + ([Identity(reference)] if reference is not None else []), unusable


def look_in_range(
    cues: Sequence[Cue[Any]], clip: Clip, tracks: Sequence[Track], out_of_range: dict[int, str | None]
) -> list[Finding]:
    """What ``cues`` find, by cue and then by track; on a track that is ``out_of_range`` each abstains with the reason.

    Where the file fails while they look, each abstains with that error.
    """
    within = [track for track in tracks if out_of_range[track.id] is None]
    try:
        seen = look(cues, clip, within) if within or not tracks else []
    except LikenessError as error:
        seen = [abstention(cue.name, str(error), track.id) for cue in cues for track in within]
    outside = [abstention(cue.name, reason, track) for cue in cues for track, reason in out_of_range.items() if reason]
    places = {cue.name: place for place, cue in enumerate(cues)}
    return sorted([*seen, *outside], key=lambda finding: (places[finding.examiner], finding.track or 0))


def watch(clip: Clip, settings: CheckSettings) -> Watched:
    """Follow the faces through ``clip`` (or through parts of a long one) and keep a few small views."""
    if clip.kind == "sound":
        return Watched([], [], [], {})
    spans = spans_to_examine(clip.duration_s, settings)
    due = iter(_view_times(spans, settings.views))
    next_view = next(due, None)
    tracker, seen, views = Tracker(first_id=1), defaultdict[int, list[Face]](list), list[View]()
    notes, noted_s = defaultdict[int, list[RangeNote]](list), dict[int, float]()
    seconds = sum(end - start for start, end in spans)
    with progress(f"Following faces in {clip.path.name}", seconds * float(clip.frame_rate or 1)) as job:
        for frame in ahead(_frames(clip, spans)):
            here = tracker.update(frame)
            for number, face in here:
                seen[number].append(face)
                if frame.time_s - noted_s.get(number, -1e9) >= settings.in_range.note_every_s:
                    notes[number].append(note_range(frame.image, face, settings.in_range))
                    noted_s[number] = frame.time_s
            if next_view is not None and frame.time_s >= next_view:
                views.append(_view(frame, here, settings))
                next_view = next((time for time in due if time > frame.time_s), None)
            job.advance()
    return Watched([Track(number, faces) for number, faces in sorted(seen.items())], views, spans, dict(notes))


def spans_to_examine(duration_s: float, settings: CheckSettings) -> list[Span]:
    """All of a short clip, or ``windows`` evenly spread parts of a long one, as (start, end) in seconds."""
    if duration_s <= settings.longest_s:
        return [(0.0, duration_s)]
    length = settings.longest_s / settings.windows
    step = (duration_s - length) / (settings.windows - 1)
    return [(round(i * step, 3), round(i * step + length, 3)) for i in range(settings.windows)]


def prominent(tracks: Sequence[Track], clip: Clip, settings: CheckSettings) -> list[Track]:
    """The faces seen longest and largest, at most ``most_faces``, by number; fleeting ones are left out."""
    shortest = settings.shortest_face_s if clip.kind == "video" else 0.0
    lasting = [track for track in tracks if track.span_s[1] - track.span_s[0] >= shortest]
    ranked = sorted(lasting, key=lambda track: sum(face.width for face in track.faces), reverse=True)
    return sorted(ranked[: settings.most_faces], key=lambda track: track.id)


def _frames(clip: Clip, spans: Sequence[Span]) -> Iterator[Frame]:
    if len(spans) == 1:
        yield from clip.frames()
        return
    for start, end in spans:
        yield from clip.frames(start, end)


def _view_times(spans: Sequence[Span], count: int) -> list[float]:
    """``count`` times evenly over the examined seconds, each in the middle of its share."""
    total = sum(end - start for start, end in spans)
    times = []
    for i in range(count):
        left = (i + 0.5) * total / count
        for start, end in spans:
            if left <= end - start:
                times.append(start + left)
                break
            left -= end - start
    return times if total > 0 else [0.0]


def _view(frame: Frame, here: Sequence[tuple[int, Face]], settings: CheckSettings) -> View:
    picture = Image.fromarray(frame.image)
    picture.thumbnail((settings.view_px, settings.view_px))
    encoded = BytesIO()
    picture.save(encoded, "JPEG", quality=settings.view_quality)
    height, width = frame.image.shape[:2]
    boxes = [
        (number, (face.box[0] / width, face.box[1] / height, face.box[2] / width, face.box[3] / height))
        for number, face in here
    ]
    return View(time_s=frame.time_s, jpeg=encoded.getvalue(), width=picture.width, height=picture.height, boxes=boxes)


def _face_report(track: Track, llr: float | None, parts: dict[str, float], out_of_range: str | None) -> FaceReport:
    x0, y0, x1, y1 = (round(float(v), 1) for v in max(track.faces, key=lambda face: face.quality).box)
    pieces = consecutive(track.faces, _IN_SIGHT_GAP_S)
    return FaceReport(
        track=track.id,
        llr=llr,
        spans=[(round(piece[0].time_s, 3), round(piece[-1].time_s, 3)) for piece in pieces],
        box=(x0, y0, x1, y1),
        parts=parts,
        out_of_range=out_of_range,
    )


def _population(cue: Cue[Any]) -> Population:
    known = cue.calibration
    return Population(
        examiner=cue.name,
        described=known.population,
        genuine_people=known.genuine_people,
        genuine_clips=known.genuine_clips,
        synthetic_clips=known.synthetic_clips,
        bound=known.bound,
    )


def _flat(settings: dict[str, Any], within: str = "") -> dict[str, float | int | str]:
    """Nested settings as one level, names joined by points."""
    flat: dict[str, float | int | str] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return flat
