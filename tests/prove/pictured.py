"""Pictures with enough structure to be told apart, and works made of them."""

import datetime as dt
from functools import lru_cache

import cv2
import numpy as np

from likeness.prove.fingerprint import SecondFingerprint
from likeness.prove.store import Work


def scene(seed: int, size: int = 256, cells: int = 12) -> np.ndarray:
    """Uint8 RGB (size, size, 3): smooth random shapes in a grid of ``cells``, others for every seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


_shot = lru_cache(maxsize=64)(scene)  # for films, which show one scene in many frames; not to be written into


def moving(seed: int, time_s: float, size: int = 192) -> np.ndarray:
    """A film: the view pans over one large scene, and another one is faded in and out over it every three seconds."""
    base = _shot(seed, 3 * size, 36)
    x, y = (round(size * (1 + np.sin(rate * time_s))) for rate in (0.1, 0.06))
    other = _shot(1000 * seed + int(time_s // 3), size)
    weight = 0.5 * (1 - np.cos(2 * np.pi * time_s / 3))
    return cv2.addWeighted(base[y : y + size, x : x + size], 1 - 0.6 * weight, other, 0.6 * weight, 0)


def work(number: int, *fingerprints: SecondFingerprint, **more: object) -> Work:
    """A work that is told by its ``number``."""
    values: dict[str, object] = {
        "mark_id": f"{number:010x}",
        "title": f"Work {number}",
        "path": f"/made/{number}.png",
        "kind": "picture" if len(fingerprints) < 2 else "clip",
        "made_at": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        "origin": "swap",
        "source_type": "compositeWithTrainedAlgorithmicMedia",
        "sha256": f"{number:064x}",
        "manifest": b"\x00manifest",
        "label": "AI",
        "signer": "Somebody",
        "fingerprints": tuple(fingerprints),
    }
    return Work(**(values | more))
