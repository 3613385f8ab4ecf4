"""The report as a PDF: the same words and drawings as the page, for files and courts. Drawings are vectors."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    Image,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus import Paragraph as Text

from likeness.check import explain
from likeness.check.pdf_drawings import BOLD, INK, RULE, SOFT, TEXT, curve, framed, ladder, part_bar, timelines
from likeness.check.plot import plot, timeline
from likeness.check.report import FaceReport, Report, View
from likeness.check.weigh import times, verbal
from likeness.examiner import Finding, Picture
from likeness.files import write_bytes

_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_VIEWS_ABREAST = 3
_WIDEST_PICTURE = 0.48 * _WIDTH
_TEXT_STYLE = ParagraphStyle("text", fontName=TEXT, fontSize=8.6, leading=12.2, textColor=INK, spaceAfter=4)
_STYLES = {
    "text": _TEXT_STYLE,
    "small": ParagraphStyle("small", _TEXT_STYLE, fontSize=7.2, leading=9.6, textColor=SOFT),
    "cell": ParagraphStyle("cell", _TEXT_STYLE, fontSize=7.6, leading=9.8, spaceAfter=0, splitLongWords=True),
    "number": ParagraphStyle("number", _TEXT_STYLE, fontSize=7.6, leading=9.8, spaceAfter=0, alignment=TA_RIGHT),
    "middle": ParagraphStyle("middle", _TEXT_STYLE, fontSize=7.2, leading=9.6, textColor=SOFT, alignment=TA_CENTER),
    "title": ParagraphStyle("title", _TEXT_STYLE, fontName=BOLD, fontSize=17, leading=21, spaceAfter=2),
    "file": ParagraphStyle("file", _TEXT_STYLE, fontName=BOLD, fontSize=12.5, leading=16, spaceBefore=8, spaceAfter=6),
    "headline": ParagraphStyle("headline", _TEXT_STYLE, fontName=BOLD, fontSize=15, leading=19, spaceAfter=4),
    "section": ParagraphStyle(
        "section", _TEXT_STYLE, fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=10, spaceAfter=4, keepWithNext=1
    ),
    "finding": ParagraphStyle(
        "finding", _TEXT_STYLE, fontName=BOLD, fontSize=8.8, leading=12, spaceBefore=6, keepWithNext=1
    ),
    "head": ParagraphStyle("head", _TEXT_STYLE, fontSize=7.2, leading=9.6, textColor=SOFT, alignment=TA_RIGHT),
}
_LINES = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
    ]
)


def write_pdf(reports: Sequence[Report], path: Path) -> None:
    """Write ``reports`` as one PDF to ``path``, atomically. Raises StorageError where it cannot be written."""
    write_bytes(Path(path), render_pdf(reports))


def render_pdf(reports: Sequence[Report], made_at: datetime | None = None) -> bytes:
    """The PDF for ``reports``. ``made_at`` is printed as the time of the examination (default: now)."""
    _register_fonts()
    when = (made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    about = reports[0].file if len(reports) == 1 else f"{len(reports)} files"
    written = BytesIO()
    document = BaseDocTemplate(
        written, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN,
        title=f"Examination of {about}", author="Likeness", lang="en",
    )  # fmt: skip
    body = Frame(_MARGIN, _MARGIN, _WIDTH, A4[1] - 2 * _MARGIN, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate("page", [body], onPage=_footer(f"Examination of {about} · {when}")))
    story: list[Flowable] = [_text("Examination report", "title"), _text(f"Likeness · {about} · {when}", "small")]
    for number, report in enumerate(reports):
        story += ([PageBreak()] if number else []) + _about_file(report)
    story += [_text("How to read this report", "section"), *(_text(paragraph) for paragraph in explain.METHOD)]
    document.build(story)
    return written.getvalue()


@lru_cache(maxsize=1)
def _register_fonts() -> None:
    """DejaVu, which matplotlib brings: free to embed, and it knows the scripts of most file names."""
    fonts = resources.files("matplotlib").joinpath("mpl-data", "fonts", "ttf")
    for name, file in ((TEXT, "DejaVuSans.ttf"), (BOLD, "DejaVuSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, BytesIO(fonts.joinpath(file).read_bytes())))
    pdfmetrics.registerFontFamily(TEXT, normal=TEXT, bold=BOLD, italic=TEXT, boldItalic=BOLD)


def _footer(words: str) -> Callable[[Canvas, BaseDocTemplate], None]:
    def draw(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setFont(TEXT, 6.8)
        canvas.setFillColor(SOFT)
        canvas.drawString(_MARGIN, 10 * mm, words if len(words) < 110 else f"{words[:70]}… {words[-36:]}")
        canvas.drawRightString(A4[0] - _MARGIN, 10 * mm, f"Page {document.page}")

    return draw


def _about_file(report: Report) -> list[Flowable]:
    story: list[Flowable] = [_text(report.file, "file"), *_verdict(report), *_facts(report)]
    if report.views:
        story += [_text("Frames", "section"), _views(report.views)]
    for face in report.faces:
        story += _face(report, face)
    about = [finding for finding in report.findings if finding.track is None]
    if about:
        story.append(_text("The file itself", "section"))
        story += [_told(f, report.file_parts.get(f.examiner)) for f in about if f.abstained is None]
        story += _bullets(f"<b>{escape(who)}</b> {escape(why)}" for who, why in explain.silent(about))
    story += [_text("What cannot be said", "section"), *_bullets(map(escape, explain.unexamined(report)))]
    return story + _calibrated_on(report) + _repeat(report)


def _verdict(report: Report) -> list[Flowable]:
    inside: list[Flowable] = [_text(explain.HEADLINES[report.verdict], "headline"), _text(report.reason)]
    if report.llr is None or report.probability is None:
        inside.append(_text("No examiner could give an opinion, so there is no likelihood ratio."))
    else:
        side = "a face here was made or replaced by software" if report.llr > 0 else "a camera recorded this"
        inside += [
            ladder(report.llr, 0.8 * _WIDTH),
            _text(
                f"{verbal(report.llr).capitalize()}. The findings are {times(report.llr)} more probable if {side}. "
                "Were both held equally likely beforehand, the probability of software would now be "
                f"{explain.chance(report.probability)}."
            ),
        ]
    rule = {"width": "100%", "thickness": 1.4, "color": INK, "spaceBefore": 2, "spaceAfter": 6}
    return [HRFlowable(**rule), *inside, _scale(report.llr), HRFlowable(**rule)]


def _scale(llr: float | None) -> Flowable:
    rungs = explain.scale(llr)
    rows = [
        [_text(rung.times, "number"), _cell(rung.words, rung.here), _cell("◄ this file" if rung.here else "", True)]
        for rung in rungs
    ]
    style = TableStyle([("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 0)])
    head = _text("The verbal scale (ENFSI 2015): how many times more probable the findings are on one side", "small")
    return KeepTogether([head, Table(rows, [0.22 * _WIDTH, 0.42 * _WIDTH, 0.2 * _WIDTH], style=style, hAlign="LEFT")])


def _facts(report: Report) -> list[Flowable]:
    rows = [("Evidence", f"{report.kind}, {report.container}, {explain.size(report.size_bytes)}")]
    if report.kind != "sound":
        rate = f", {report.frame_rate:.3g} frames a second" if report.frame_rate and report.kind == "video" else ""
        rows.append(("Picture", f"{report.width} × {report.height} px{rate}"))
    if report.kind != "picture":
        rows.append(("Length", explain.clock(report.duration_s)))
    left_out = f", {report.left_out} left out" if report.left_out else ""
    rows += [("Faces", f"{len(report.faces) or 'none found'}{left_out}"), ("SHA-256", report.sha256)]
    return [Spacer(1, 6), _table([[_cell(name, True), _cell(value)] for name, value in rows], [0.14, 0.86])]


def _views(views: Sequence[View]) -> Flowable:
    wide = _WIDTH / _VIEWS_ABREAST - 8
    cells: list[list[Flowable]] = []
    for view in views:
        height = wide * view.height / view.width
        boxes = [(f"Face {track}", box) for track, box in view.boxes]
        shown = _Over(Image(BytesIO(view.jpeg), wide, height), framed(wide, height, boxes))
        cells.append([shown, _text(explain.clock(view.time_s), "small")])
    rows = [cells[i : i + _VIEWS_ABREAST] for i in range(0, len(cells), _VIEWS_ABREAST)]
    padded = [[*row, *[""] * (_VIEWS_ABREAST - len(row))] for row in rows]
    plain = TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return Table(padded, [_WIDTH / _VIEWS_ABREAST] * _VIEWS_ABREAST, style=plain)


class _Over(Flowable):
    """A drawing laid over a picture of the same size."""

    def __init__(self, below: Image, above: Flowable) -> None:
        super().__init__()
        self.below, self.above = below, above
        self.width, self.height = below.drawWidth, below.drawHeight

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        self.below.drawOn(self.canv, 0, 0)
        self.above.drawOn(self.canv, 0, 0)


def _face(report: Report, face: FaceReport) -> list[Flowable]:
    own = [finding for finding in report.findings if finding.track == face.track]
    ratio = "" if face.llr is None else f" (log10 LR {explain.signed(face.llr)})"
    head = _text(f"Face {face.track}: {verbal(face.llr)}{ratio}", "section")
    if face.out_of_range:
        return [
            head,
            _text(f"Out of range. {face.out_of_range} So none of the examiners of faces says anything of it."),
        ]
    rows = explain.voices(report, face)
    story: list[Flowable] = [
        head,
        _text(f"{explain.agreement(rows)} {explain.mostly(report, face)}"),
        _voices(rows),
    ]
    if report.kind == "video":
        bars = [("in sight", timeline(face.spans, report.duration_s), False)]
        bars += [(explain.title_of(f.examiner), timeline(f.spans, report.duration_s), True) for f in own if f.spans]
        story += [Spacer(1, 8), timelines(bars, report.duration_s, _WIDTH)]
    story += [_told(finding, face.parts.get(finding.examiner)) for finding in explain.by_weight(report, face)]
    quiet = explain.silent(own)
    if quiet:
        story.append(_text("What cannot be said of this face", "finding"))
    return story + _bullets(f"<b>{escape(who)}</b> {escape(why)}" for who, why in quiet)


def _voices(rows: Sequence[explain.Voice]) -> Flowable:
    bar = 0.34 * _WIDTH
    head = [
        *(_text(words, "small") for words in ("Examiner", "Speaks")),
        *(_text(words, "head") for words in ("log10 LR", "Counts")),
        _text("← camera | software →", "middle"),
    ]
    table = [
        [
            _cell(explain.title_of(row.examiner), True),
            _cell(explain.STANCES[row.stance]),
            _text(explain.signed(row.llr), "number"),
            _text(explain.signed(row.part), "number"),
            part_bar(row, bar - 8),
        ]
        for row in rows
    ]
    return _table([head, *table], [0.22, 0.18, 0.13, 0.13, 0.34])


def _told(finding: Finding, part: float | None) -> Flowable:
    """One finding: who, how much, in words, and its pictures and curve, kept on one page."""
    said, counts = explain.signed(finding.llr), explain.signed(part)
    counted = ", not counted" if part is None else f", counts {counts}" if counts != said else ""
    name = explain.title_of(finding.examiner).capitalize()
    stance = explain.STANCES[explain.stance_of(finding)]
    parts: list[Flowable] = [_text(f"{name} – {stance}: log10 LR {said}{counted}", "finding"), _text(finding.text)]
    parts += [flowable for picture in finding.pictures for flowable in _shown(picture)]
    if finding.figure is not None:
        drawn = plot(finding)
        named = "; ".join(f"{level.name} ({level.value:.2f})" for level in drawn.levels)
        parts += [
            curve(drawn, _WIDTH, 50 if explain.stance_of(finding) == "neutral" else 78),
            _text(
                f"{drawn.figure.title}. Upwards: {drawn.figure.y_label}." + (f" Dashed: {named}." if named else "")
                + (" Shaded: where the finding is." if drawn.shaded else ""),
                "small",
            ),
        ]  # fmt: skip
    return KeepTogether(parts)


def _shown(picture: Picture) -> list[Flowable]:
    wide = min(_WIDEST_PICTURE, picture.width * 0.75)
    image = Image(BytesIO(picture.jpeg), wide, wide * picture.height / picture.width, hAlign="LEFT")
    return [image, _text(picture.caption, "small")]


def _calibrated_on(report: Report) -> list[Flowable]:
    if not report.populations and report.fusion is None:
        return []
    story: list[Flowable] = [_text("On what this was calibrated", "section")]
    if report.populations:
        head = [
            _text("Examiner", "small"),
            *(_text(name, "head") for name in ("People", "Genuine clips", "Synthetic clips", "Limit")),
            _text("Population", "small"),
        ]
        rows = [
            [
                _cell(explain.title_of(row.examiner), True),
                *(_text(str(n), "number") for n in (row.genuine_people, row.genuine_clips, row.synthetic_clips)),
                _text(f"±{row.bound:.2f}", "number"),
                _cell(row.described),
            ]
            for row in report.populations
        ]
        story.append(_table([head, *rows], [0.17, 0.09, 0.1, 0.11, 0.09, 0.44]))
    if report.fusion is None:
        return [*story, Spacer(1, 4), _text(explain.UNFITTED)]
    figures = [[_cell(explain.FIGURES.get(n, n)), _cell(str(f))] for n, f in report.fusion.figures.items()]
    return [*story, Spacer(1, 4), _text(explain.weights_in_words(report.fusion)), _table(figures, [0.65, 0.35])]


def _repeat(report: Report) -> list[Flowable]:
    known = report.versions
    packages, weights = known["packages"], known["weights"]
    listed = [*packages.items()] if isinstance(packages, dict) else []
    hashes = [*weights.items()] if isinstance(weights, dict) else []
    words = f"likeness {known['likeness']}, Python {known['python']}, " + ", ".join(f"{n} {v}" for n, v in listed) + "."
    story: list[Flowable] = [_text("To repeat this examination", "section"), _text(words, "small")]
    if report.settings:
        story.append(_text("Settings: " + ", ".join(f"{n} = {v}" for n, v in report.settings.items()) + ".", "small"))
    if report.reference:
        story.append(_text(f"Reference face set: {report.reference}", "small"))
    if hashes:
        story.append(_table([[_text(n, "small"), _text(h, "small")] for n, h in hashes], [0.34, 0.66]))
    return story


def _text(words: str, style: str = "text") -> Text:
    return Text(escape(words), _STYLES[style])


def _cell(words: str, bold: bool = False) -> Text:
    return Text(f"<b>{escape(words)}</b>" if bold else escape(words), _STYLES["cell"])


def _bullets(marked_up: Iterable[str]) -> list[Flowable]:
    return [Text(f"• {line}", _STYLES["text"]) for line in marked_up]


def _table(rows: Sequence[Sequence[Flowable]], shares: Sequence[float]) -> Table:
    return Table([list(row) for row in rows], [share * _WIDTH for share in shares], style=_LINES, hAlign="LEFT")
