"""A small portrait model of drawn synthetic people, and the consent record that they carry."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from drawn_portraits import TINY, Averages, drawn

from likeness.make.consent import Consent
from likeness.make.portraits.data import Portraits
from likeness.make.portraits.permission import nobodys_record
from likeness.make.portraits.train import FitSettings, train_portraits

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def portraits() -> Portraits:
    return Portraits.of(drawn(64), drawn(16, seed=1), {"a.mp4": "0" * 64})


@pytest.fixture(scope="session")
def record() -> Consent:
    return nobodys_record("Drawn people", ["0" * 64], NOW, NOW + dt.timedelta(days=36500))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, portraits: Portraits, record: Consent) -> Path:
    """A model folder after four iterations, two of them apart."""
    out = tmp_path_factory.mktemp("portraits") / "model"
    settings = FitSettings(iterations=4, evaluate_every=1, distance_every=2, compared=32, measured=4)
    train_portraits(portraits, [record], out, settings, recipe=TINY, by=Averages())
    return out


@pytest.fixture
def fitted(trained: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


@pytest.fixture
def real_face_set(make_face_set: Callable[..., Path]) -> Path:
    return make_face_set("people", (200, 150, 120), 110)
