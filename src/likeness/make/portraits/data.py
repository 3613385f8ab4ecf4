"""The faces that a portrait model learns from, in memory, and those that it never sees."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from likeness.errors import FaceSetError
from likeness.faces.faceset import FaceSet
from likeness.make.batches import SplitSettings, split_by_time

MIN_FACES = 100  # fewer are learnt by heart


@dataclass(frozen=True, eq=False)
class Portraits:
    """``learnt`` and ``heldout`` uint8 RGB (n, 3, size, size), whole crops of a face set (coverage 0.625).

    ``sources`` are SHA-256 of the footage by name; ``digest`` is one of all learnt pictures.
    """

    learnt: Tensor
    heldout: Tensor
    sources: dict[str, str]
    digest: str

    @classmethod
    def of(cls, learnt: np.ndarray, heldout: np.ndarray, sources: dict[str, str]) -> "Portraits":
        """From crops uint8 (n, size, size, 3)."""
        digest = hashlib.sha256(np.ascontiguousarray(learnt).data).hexdigest()
        first, second = (torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous() for crops in (learnt, heldout))
        return cls(first, second, sources, digest)


def load_portraits(faces: FaceSet, size: int, split: SplitSettings | None = None) -> Portraits:
    """The faces of a face set at ``size`` pixels a side; a tenth of their time is held out (`make.batches`).

    Raises FaceSetError where there are too few.
    """
    if len(faces) < MIN_FACES:
        raise FaceSetError(
            f"{faces.folder} holds {len(faces)} faces, and portraits need at least {MIN_FACES}, better thousands of "
            "many people: fewer are learnt by heart. Extract more footage."
        )
    crops = faces.crops(size)
    sources, times_s = faces.rows.column("source").to_pylist(), faces.rows.column("time_s").to_numpy()
    learnt, heldout = split_by_time(sources, times_s, split or SplitSettings())
    return Portraits.of(crops[learnt], crops[heldout], dict(faces.sources))


def draw(pictures: Tensor, count: int, mirror: bool, random: torch.Generator, device: torch.device) -> Tensor:
    """``count`` of ``pictures`` uint8 (n, 3, s, s) at random, as float in [−1, 1]; half of them mirrored if wanted."""
    chosen = pictures[torch.randint(len(pictures), (count,), generator=random)].to(device)
    scaled = chosen.float() / 127.5 - 1
    if not mirror:
        return scaled
    turned = (torch.rand(count, generator=random) < 0.5).to(device)
    return torch.where(turned[:, None, None, None], scaled.flip(3), scaled)
