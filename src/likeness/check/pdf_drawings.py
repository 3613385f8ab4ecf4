"""The drawings of the PDF, all vectors: the ladder of evidence, timelines, bars of contributions, curves."""

from collections.abc import Sequence

from reportlab.graphics.shapes import Drawing, Line, Polygon, PolyLine, Rect, String
from reportlab.lib.colors import Color, HexColor

from likeness.check.explain import Voice, clock
from likeness.check.plot import Plot, ladder_place

TEXT, BOLD = "LikenessSans", "LikenessSans-Bold"  # registered by `pdf`
INK, SOFT, RULE, TINT, ACCENT, SHADE = map(HexColor, ("#1a222d", "#4b5766", "#d4d9e0", "#f4f6f8", "#22496b", "#c3d2e0"))
SMALL = 7.0  # points

_RUNGS = ((-2, "1/100"), (-1, "1/10"), (0, "1"), (1, "10"), (2, "100"), (3, "1,000"), (4, "10,000"))
_DASHES = ((5, 3), (1.5, 2))  # a level of a curve is told from the next by its dashes
_NAME_WIDTH, _ROW = 70.0, 13.0


def ladder(llr: float, width: float) -> Drawing:
    """The scale of evidence with a mark at ``llr`` (log10)."""
    drawing, base = Drawing(width, 46), 22.0
    usable = width - 40

    def x(value: float) -> float:
        return 20 + usable * ladder_place(value) / 100

    for start, end in ((-2.0, -0.5), (1.0, 4.0)):
        drawing.add(Rect(x(start), base, x(end) - x(start), 7, fillColor=RULE, strokeColor=None))
    drawing.add(Line(x(-2), base, x(4), base, strokeColor=INK, strokeWidth=1.2))
    for value, name in _RUNGS:
        drawing.add(Line(x(value), base - 3, x(value), base + 3, strokeColor=INK, strokeWidth=0.6))
        drawing.add(_text(x(value), base - 11, name, anchor="middle"))
    drawing.add(_text(20, 1, "← camera"))
    drawing.add(_text(20 + usable / 2, 1, "likelihood ratio", anchor="middle"))
    drawing.add(_text(20 + usable, 1, "software →", anchor="end"))
    at = x(llr)
    drawing.add(
        Polygon([at, base + 2, at - 5, base + 13, at + 5, base + 13], fillColor=INK, strokeColor=None, strokeWidth=0)
    )
    return drawing


def part_bar(voice: Voice, width: float, height: float = 9.0) -> Drawing:
    """What one examiner contributes: a full bar to the right for software, an empty one to the left for a camera."""
    drawing = Drawing(width, height)
    drawing.add(Line(width / 2, 0, width / 2, height, strokeColor=INK, strokeWidth=0.6))
    if voice.width > 0.2:
        fill = ACCENT if (voice.part or 0.0) > 0 else None
        left, long = voice.left * width / 100, voice.width * width / 100
        drawing.add(Rect(left, 1, long, height - 2, fillColor=fill, strokeColor=ACCENT, strokeWidth=0.7))
    return drawing


def timelines(
    rows: Sequence[tuple[str, Sequence[tuple[float, float]], bool]], duration_s: float, width: float
) -> Drawing:
    """Named bars over the clip's length. A row is (name, (left, width) in per cent, whether it marks a finding)."""
    height = _ROW * len(rows) + 12
    drawing = Drawing(width, height)
    bar = width - _NAME_WIDTH
    for place, (name, bars, marked) in enumerate(rows):
        y = height - _ROW * (place + 1)
        drawing.add(_text(_NAME_WIDTH - 5, y + 3, name, anchor="end"))
        drawing.add(Rect(_NAME_WIDTH, y, bar, _ROW - 3, fillColor=TINT, strokeColor=RULE, strokeWidth=0.5))
        for left, long in bars:
            fill, edge = (ACCENT, INK) if marked else (SHADE, None)
            x = _NAME_WIDTH + bar * left / 100
            drawing.add(Rect(x, y, bar * long / 100, _ROW - 3, fillColor=fill, strokeColor=edge, strokeWidth=0.5))
    for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        drawing.add(_text(_NAME_WIDTH + bar * part, 1, clock(part * duration_s), anchor=anchor))
    return drawing


def curve(plot: Plot, width: float, height: float = 78.0) -> Drawing:
    """A curve over time with its levels and the marked seconds."""
    left, below = 34.0, 11.0
    drawing, across, up = Drawing(width, height), width - left, height - below
    drawing.add(Rect(left, below, across, up, fillColor=TINT, strokeColor=RULE, strokeWidth=0.5))

    def place(x: float, y: float) -> tuple[float, float]:
        return left + across * x / 100, below + up * (100 - y) / 100

    for start, long in plot.shaded:
        drawing.add(
            Rect(left + across * start / 100, below, across * long / 100, up, fillColor=SHADE, strokeColor=None)
        )
    for number, level in enumerate(plot.levels):
        (x0, y0), (x1, _) = place(0, level.top), place(100, level.top)
        dash = _DASHES[number % len(_DASHES)]
        drawing.add(Line(x0, y0, x1, y0, strokeColor=INK, strokeWidth=0.6, strokeDashArray=dash))
    for line in plot.lines:
        points = [place(x, y) for x, y in line]
        if len(points) == 1:
            points.append((points[0][0] + 1.5, points[0][1]))
        drawing.add(PolyLine([v for point in points for v in point], strokeColor=ACCENT, strokeWidth=1.0))
    drawing.add(_text(left - 3, height - SMALL, f"{plot.high:.2f}", anchor="end"))
    drawing.add(_text(left - 3, below, f"{plot.low:.2f}", anchor="end"))
    middle_s = (plot.start_s + plot.end_s) / 2
    for x, anchor, time_s in ((0, "start", plot.start_s), (50, "middle", middle_s), (100, "end", plot.end_s)):
        drawing.add(_text(left + across * x / 100, 1, clock(time_s), anchor=anchor))
    return drawing


def framed(width: float, height: float, boxes: Sequence[tuple[str, tuple[float, float, float, float]]]) -> Drawing:
    """Named frames to lay over a view; each box is (x0, y0, x1, y1) in parts of its width and height, y down."""
    drawing = Drawing(width, height)
    for name, (x0, y0, x1, y1) in boxes:
        x, y, w, h = x0 * width, (1 - y1) * height, (x1 - x0) * width, (y1 - y0) * height
        for colour, thick in ((HexColor("#111111"), 2.2), (HexColor("#ffffff"), 1.0)):
            drawing.add(Rect(x, y, w, h, fillColor=None, strokeColor=colour, strokeWidth=thick))
        label = min(y + h, height - 9)
        drawing.add(Rect(x - 1, label, 4.2 * len(name) + 3, 9, fillColor=HexColor("#111111"), strokeColor=None))
        drawing.add(_text(x + 1, label + 2, name, colour=HexColor("#ffffff")))
    return drawing


def _text(x: float, y: float, text: str, anchor: str = "start", colour: Color = SOFT) -> String:
    return String(x, y, text, fontName=TEXT, fontSize=SMALL, fillColor=colour, textAnchor=anchor)
