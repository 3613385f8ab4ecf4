"""The house rules that a reader would otherwise have to check by eye: directions of imports, one writer of footage."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "likeness"
MAY_IMPORT = {
    "media": set(),
    "faces": {"media"},
    "actors": {"media", "faces"},
    "footage": {"media", "faces", "actors"},
    "prove": {"media", "faces"},
    "detect": {"media", "faces"},
    "make": {"media", "faces", "prove"},
    "bench": {"media", "faces", "actors", "make", "detect", "check"},
    "check": {"media", "faces", "detect", "prove"},
    "weights": set(),
}
ROOMS = sorted(MAY_IMPORT)
WRITES_FOOTAGE = ("VideoWriter", "add_stream")


def _imported_modules(file: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
    return modules


@pytest.mark.parametrize("room", ROOMS)
def test_imports_follow_the_direction_of_the_data(room: str) -> None:
    for file in sorted((PACKAGE / room).rglob("*.py")):
        rooms = {module.split(".")[1] for module in _imported_modules(file) if module.startswith("likeness.")}
        wrong = {other for other in rooms & set(ROOMS) | rooms & {"cli", "demo"} if other != room} - MAY_IMPORT[room]
        assert not wrong, f"{file.relative_to(PACKAGE)} imports {sorted(wrong)}"


def test_every_room_is_listed() -> None:
    rooms = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and any(folder.glob("*.py"))}
    assert rooms == set(ROOMS)


def test_only_the_writer_writes_footage() -> None:
    for file in sorted(PACKAGE.rglob("*.py")):
        if file == PACKAGE / "media" / "writer.py":
            continue
        names = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Attribute | ast.Name)
        }
        assert not names & set(WRITES_FOOTAGE), f"{file.relative_to(PACKAGE)} opens an encoder of its own"
