"""The PDF says what the page says, whatever the report holds."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_reports import FUSION, findings, many_findings, report

from likeness.check import explain
from likeness.check.pdf import render_pdf, write_pdf
from likeness.check.report import Report
from likeness.errors import StorageError
from likeness.examiner import abstention

READER = shutil.which("pdftotext")


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


@pytest.mark.parametrize(
    "reports",
    [
        [report()],
        [report(found=many_findings(), fusion=FUSION)],
        [report("a.mp4"), report("b.wav", "sound", []), report("c.jpg", "picture", [abstention("seam", "No.", 1)])],
        [report("no face.mp4", found=[abstention("blinking", "No face was found.")])],
        [report("<b>hostile & long</b> " + "name " * 80 + ".mp4")],
        [report("имя файла κλιπ.mp4")],
        [],
    ],
    ids=["usual", "many examiners", "three kinds", "no face", "hostile name", "other scripts", "nothing"],
)
def test_any_set_of_reports_makes_a_pdf(reports: list[Report], tmp_path: Path) -> None:
    write_pdf(reports, tmp_path / "report.pdf")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert pages(content) >= max(len(reports), 1)
    assert b"FontFile2" in content or not reports  # its font travels with it


def test_many_long_findings_are_split_over_pages() -> None:
    talkative = findings()[2].model_copy(update={"text": "It is softer than its surroundings. " * 300})
    many = [talkative.model_copy(update={"examiner": f"cue {i}"}) for i in range(12)]
    assert pages(render_pdf([report(found=many)])) > 5


@pytest.mark.skipif(READER is None, reason="no pdftotext on this machine")
def test_every_finding_and_abstention_is_in_words(tmp_path: Path) -> None:
    shown = report(found=many_findings(), fusion=FUSION)
    write_pdf([shown], tmp_path / "report.pdf")
    read = subprocess.run(
        [str(READER), tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    text = " ".join(read.split())
    for finding in shown.findings:
        assert finding.text in text
    for limit in explain.unexamined(shown):
        assert limit in text
    assert "GRID talking heads & actors" in text
    assert shown.sha256 in text.replace(" ", "")
    assert "extremely strong support for software" in text
    assert "authentic" not in text.lower()


def test_a_place_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").mkdir()
    with pytest.raises(StorageError):
        write_pdf([report()], tmp_path / "report.pdf")
