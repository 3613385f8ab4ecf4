"""The page: complete by itself, safe with hostile text, readable by machines for people, and not wider than a phone."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_reports import findings, report

from likeness.check.explain import clock, unexamined
from likeness.check.html import render, write_html
from likeness.check.plot import plot, timeline
from likeness.examiner import abstention

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
STYLE = resources.files("likeness.check").joinpath("report.css").read_text("utf-8")
VOID = {"meta", "img", "br", "link", "input", "hr", "rect", "line", "polyline", "path", "circle"}


class Outline(HTMLParser):
    """Checks that tags close in order, and collects tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else() -> None:
    page = render([report()])
    outline = Outline(page)
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "iframe", "object", "embed"}
    addresses = [value for _, attrs in outline.tags for name in ("src", "href") if (value := attrs.get(name))]
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses)
    assert "url(" not in page
    assert "http://" not in page.replace("http-equiv", "")
    assert "https://" not in page


def test_hostile_text_stays_text() -> None:
    page = render([report(file="<script>alert(1)</script>.mp4")])
    assert "<script>" not in page
    assert "<b>Mallory</b>" not in page
    assert "<b>Mallory</b> & Co" in Outline(page).text


def test_every_finding_and_abstention_is_in_words() -> None:
    text = Outline(render([report()])).text
    for finding in findings():
        assert finding.text in text
    assert "Motion abstains." in text
    assert "ab" * 32 in text
    assert "weak support" in text
    assert "authentic" not in text.lower()


def test_pictures_and_drawings_have_words() -> None:
    outline = Outline(render([report()]))
    assert all(attrs.get("alt") for tag, attrs in outline.tags if tag == "img")
    for tag, attrs in outline.tags:
        if tag == "svg":
            assert attrs.get("aria-hidden") == "true" or attrs.get("aria-label")
        if attrs.get("role") == "img":
            assert attrs.get("aria-label")
    identifiers = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize(
    "reports",
    [
        [report("a.mp4"), report("b.wav", "sound", []), report("c.jpg", "picture", [abstention("seam", "No.", 1)])],
        [report("no face.mp4", found=[abstention("blinking", "No face was found.")])],
        [],
    ],
    ids=["three kinds", "no face", "nothing"],
)
def test_any_set_of_reports_makes_a_page(reports: list, tmp_path: Path) -> None:
    write_html(reports, tmp_path / "report.html")
    outline = Outline((tmp_path / "report.html").read_text("utf-8"))
    assert [attrs["id"] for tag, attrs in outline.tags if tag == "article"] == [
        f"file-{i + 1}" for i in range(len(reports))
    ]


def test_a_curve_breaks_where_nothing_was_measured() -> None:
    figure = findings()[1].figure
    assert figure is not None
    gap = figure.model_copy(update={"times_s": [0.0, 0.1, 0.2, 3.0, 3.1], "values": [1.0, 0.9, 1.0, 1.0, None]})
    drawn = plot(findings()[1].model_copy(update={"figure": gap, "spans": [(2.9, 3.1), (9.0, 9.5)]}))
    assert [len(line) for line in drawn.lines] == [3, 1]
    assert len(drawn.shaded) == 2
    assert all(left + width <= 100.001 for left, width in drawn.shaded)


def test_a_curve_of_pairs_of_frames_is_one_line() -> None:
    figure = findings()[1].figure
    assert figure is not None
    times = [second + part for second in range(6) for part in (0.0, 0.04)]
    pairs = figure.model_copy(update={"times_s": times, "values": [0.5] * len(times)})
    assert [len(line) for line in plot(findings()[1].model_copy(update={"figure": pairs})).lines] == [12]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=5), st.floats(0, 50))
def test_bars_stay_on_the_timeline(spans: list[tuple[float, float]], duration: float) -> None:
    ordered = [(min(a, b, duration), min(max(a, b), duration)) for a, b in spans]
    for left, width in timeline(ordered, duration):
        assert left >= 0
        assert width > 0
        assert left + width <= 100.001


def test_times_read_like_times() -> None:
    assert [clock(t) for t in (0, 59.94, 64.25, 3723.4)] == ["0.0 s", "59.9 s", "1:04.2", "1:02:03"]


def test_what_was_not_looked_at_is_said() -> None:
    long = report().model_copy(update={"duration_s": 7200.0, "examined": [(0, 20), (500, 520)], "left_out": 2})
    limits = " ".join(unexamined(long))
    assert "40 of 7200 seconds" in limits
    assert "2 more faces" in limits
    assert "Sound is not examined" in limits


@pytest.mark.parametrize("ink", ["ink", "soft", "accent", "synthetic", "no_sign", "cannot_tell"])
@pytest.mark.parametrize("paper", ["paper", "tint", "desk"])
def test_text_stands_out_from_its_ground(ink: str, paper: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: a contrast of 4.5 : 1 for text."""
    colours = dict(re.findall(r"--(\w+): #([0-9a-f]{6})", STYLE))
    light, dark = luminance(colours[paper]), luminance(colours[ink])
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour "rrggbb", as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1200])
def test_a_browser_shows_it_without_sideways_scrolling(tmp_path: Path, width: int) -> None:
    page = render([report("a file with quite a long name that has to wrap somewhere.mp4"), report("b.mp4")])
    # The report allows no scripts; for this test alone one measures the page from within.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    measure = (
        "<script>onload=()=>document.title='wide '+document.documentElement.scrollWidth+' of '+innerWidth</script>"
    )
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", measure + "</body>"), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [str(BROWSER), *options, f"--window-size={width},900", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"<title>wide (\d+) of (\d+)</title>", shown)
    assert found, "the page did not load"
    assert int(found[1]) <= int(found[2])
