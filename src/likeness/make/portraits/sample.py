"""Portraits of nobody, written: a picture a seed, a grid of them, a clip that wanders from face to face.

Everything leaves through the writer of footage, labelled, with the digest of the consent record behind the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from likeness.errors import SettingsError
from likeness.files import check_output
from likeness.make.label import SyntheticLabel
from likeness.make.portraits.model import PortraitModel
from likeness.make.portraits.permission import still_permitted
from likeness.make.portraits.sheet import enlarged, grid
from likeness.media.frame import Frame
from likeness.media.writer import write_clip, write_picture
from likeness.progress import tracked

GRID, CLIP = "grid.png", "interpolation.mp4"

_FRAME_RATE = 25
_MOST = 10_000  # portraits of one run
_LONGEST_S = 600.0


@dataclass(frozen=True)
class SampleSettings:
    """Which portraits, and how they are written.

    ``truncation`` ψ draws faces towards the mean one: 1 as learnt, 0 the mean face itself. ``traits`` are changes in
    standard deviations by name. ``side`` is that of the written pictures in pixels; what the model makes is enlarged to
    it. ``as_grid`` writes one picture of all faces, ``interpolate_s`` a clip of so many seconds through all of them and
    back, instead of a picture each.
    """

    seeds: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9)
    truncation: float = 0.8
    traits: dict[str, float] = field(default_factory=dict)
    side: int = 256
    as_grid: bool = False
    interpolate_s: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.seeds) <= _MOST:
            raise SettingsError(f"{len(self.seeds)} portraits were asked for. Choose 1 to {_MOST}.")
        if not 0 <= self.truncation <= 2:
            raise SettingsError(f"A truncation of {self.truncation:g} makes no faces. Choose 0 to 2; 1 is as learnt.")
        if not 64 <= self.side <= 1024:
            raise SettingsError(f"Portraits of {self.side} px are not written. Choose 64 to 1024.")
        if any(not abs(amount) <= 5 for amount in self.traits.values()):
            raise SettingsError("Change a trait by at most 5 standard deviations either way.")
        if self.interpolate_s is not None and not 0 < self.interpolate_s <= _LONGEST_S:
            raise SettingsError(f"Clips last more than 0 and up to {_LONGEST_S:.0f} s.")
        if self.interpolate_s is not None and len(self.seeds) < 2:
            raise SettingsError("A clip from face to face needs at least two seeds.")


def sample(out: Path, model_folder: Path | None = None, settings: SampleSettings | None = None) -> list[Path]:
    """Write portraits into the folder ``out`` and return their paths; ``model_folder`` is by default the shipped model.

    Raises ModelError, ConsentError where a record behind the model is not in force any more, SettingsError and
    StorageError.
    """
    settings, out = settings or SampleSettings(), Path(out)
    model = PortraitModel.load(model_folder)
    still_permitted(model.records)
    label = _Labels(model)
    if settings.as_grid or settings.interpolate_s is not None:
        paths = []
        if settings.as_grid:
            paths.append(_write_grid(out / GRID, model, settings, label))
        if settings.interpolate_s is not None:
            paths.append(_write_clip(out / CLIP, settings.interpolate_s, model, settings, label))
        return paths
    paths = [out / f"portrait_{seed}.png" for seed in dict.fromkeys(settings.seeds)]
    for path in paths:
        check_output(path)
    seeds = list(dict.fromkeys(settings.seeds))
    portraits = model.portraits(seeds, settings.truncation, settings.traits)
    for path, portrait in tracked(zip(paths, portraits, strict=True), "Writing", len(paths), "portraits"):
        write_picture(path, enlarged(portrait, settings.side), labelling=label.new())
    return paths


def interpolated(latents: Tensor, frames: int) -> Tensor:
    """z (frames, latent) along great circles from each of ``latents`` (n, latent) to the next, and from the last back
    to the first: straight lines would pass near the middle, where no face lies (White 2016, "Sampling Generative
    Networks")."""
    length = latents.shape[1] ** 0.5
    ends = latents / latents.norm(dim=1, keepdim=True) * length
    places = torch.arange(frames) / frames * len(ends)
    before = places.long()
    one, other, part = ends[before], ends[(before + 1) % len(ends)], (places - before)[:, None]
    angle = torch.acos(((one * other).sum(1, keepdim=True) / length**2).clamp(-1, 1))
    sine = torch.sin(angle)
    curved = (torch.sin((1 - part) * angle) * one + torch.sin(part * angle) * other) / sine.clamp(min=1e-6)
    return torch.where(sine > 1e-4, curved, one)


class _Labels:
    """A new label for each file, as each has an identifier of its own; the record behind the model is made once."""

    def __init__(self, model: PortraitModel) -> None:
        self.name, self.record = model.name, model.record

    def new(self) -> SyntheticLabel:
        return SyntheticLabel("portrait", model=self.name, consent=self.record)


def _write_grid(path: Path, model: PortraitModel, settings: SampleSettings, label: _Labels) -> Path:
    check_output(path)
    portraits = model.portraits(list(settings.seeds), settings.truncation, settings.traits)
    write_picture(path, grid(portraits, scale=max(1, settings.side // model.size)), labelling=label.new())
    return path


def _write_clip(path: Path, seconds: float, model: PortraitModel, settings: SampleSettings, label: _Labels) -> Path:
    check_output(path)
    latents = interpolated(model.latents(list(settings.seeds)), max(2, round(seconds * _FRAME_RATE)))
    styles = model.styles(latents, settings.truncation, settings.traits)
    frames = _frames(model.draw(styles), settings.side)
    write_clip(path, frames, frame_rate=Fraction(_FRAME_RATE), sound=None, labelling=label.new())
    return path


def _frames(portraits: np.ndarray, side: int) -> Iterator[Frame]:
    for index, portrait in enumerate(tracked(portraits, "Writing", len(portraits))):
        yield Frame(enlarged(portrait, side), index / _FRAME_RATE, index)
