"""What every test shares: a home of its own, so that no test signs with or writes into the user's."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("likeness", deadline=None)  # a first call may be slow: kernels are compiled, the cores busy
settings.load_profile("likeness")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LIKENESS_HOME points to an empty folder for the length of one test."""
    folder = tmp_path_factory.mktemp("home") / "likeness"
    monkeypatch.setenv("LIKENESS_HOME", str(folder))
    return folder
