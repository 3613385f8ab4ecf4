"""Disturb faces on the compute device: one random transform, and a warp that the network learns to undo.

Points are (x, y) in units of half a crop: (-1, -1) is the outer corner of a crop's first pixel, (1, 1) of its last, so
a network that looks at the middle ``view`` of a crop looks at [-view, view]².
"""

from dataclasses import dataclass
from math import pi
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

PART_STEP = 4  # pixels of a view for one of its mask
_GRID_POINTS = 5  # a side; a grid point more is interpolated beyond the edges and cut off again


@dataclass(frozen=True)
class WarpSettings:
    """How far faces are moved. Defaults are those of the 2018 recipe."""

    rotation_deg: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05  # of the crop's side
    flip: float = 0.4  # probability
    grid_noise: float = 5 / 160  # standard deviation of a grid point, of the view's side


class Crops(NamedTuple):
    """Faces as they are kept: ``colours`` uint8 RGB (n, 3, side, side), ``parts`` uint8 (n, 2, m, m): mask and weight.

    Mask and weight are smooth, so they are kept coarser; both tensors cover the same square.
    """

    colours: Tensor
    parts: Tensor


class Warped(NamedTuple):
    """Float, in the range of the crops: warped ``inputs`` and straight ``colours`` (n, 3, size, size), straight
    ``parts``
    (n, 2, size / 4, size / 4)."""

    inputs: Tensor
    colours: Tensor
    parts: Tensor


def random_warp(
    crops: Crops, size: int, view: float, settings: WarpSettings, random: torch.Generator, shown: Tensor | None = None
) -> Warped:
    """Move each face at random, and show it once through a warped 5×5 grid and once straight.

    The straight view is the similarity that fits the warped grid best, so that the warp teaches shape, not place. (The
    2018 code put that view half a pixel off its input; here both sample at pixel centres.) ``random`` lives on the CPU,
    so that all devices draw the same numbers. Edge pixels repeat outside a crop. ``shown`` uint8 (n, 3, side, side) is
    what the warped view is taken from, where that is to show somebody else in the same pose.
    """
    count = len(crops.colours)
    regular = _control_grid(view).expand(count, -1, -1, -1)
    bent = regular + torch.randn(regular.shape, generator=random) * (2 * view * settings.grid_noise)
    place = _random_similarity(count, settings, random)
    straight = _compose(place, _fit_similarity(regular, bent))
    colours = crops.colours.float()
    return Warped(
        _sample(colours if shown is None else shown.float(), _interpolated(_move(bent, place), size)),
        _sample(colours, _move(_pixel_centres(size, view), straight)),
        _sample(crops.parts.float(), _move(_pixel_centres(size // PART_STEP, view), straight)),
    )


def centre_view(crops: Crops, size: int, view: float) -> Warped:
    """The middle ``view`` of ``crops``, undisturbed: inputs and targets are the same."""
    upright = torch.eye(2, 3).expand(len(crops.colours), -1, -1)
    colours = _sample(crops.colours.float(), _move(_pixel_centres(size, view), upright))
    parts = _sample(crops.parts.float(), _move(_pixel_centres(size // PART_STEP, view), upright))
    return Warped(colours, colours, parts)


def _control_grid(view: float) -> Tensor:
    """The undisturbed control grid, float (1, 5, 5, 2)."""
    return _square(torch.linspace(-view, view, _GRID_POINTS))


def _pixel_centres(size: int, view: float) -> Tensor:
    """Where the pixels of a view lie, float (1, size, size, 2)."""
    return _square(((torch.arange(size) + 0.5) / size * 2 - 1) * view)


def _square(line: Tensor) -> Tensor:
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([columns, rows], -1)[None]


def _interpolated(control: Tensor, size: int) -> Tensor:
    """Control grids (n, 5, 5, 2) interpolated to one point per output pixel, (n, size, size, 2).

    As in the recipe, five points are resized to 5/4 of ``size`` (80 for 64) and the middle ``size`` kept, which is
    exactly the area between the outer grid points. ``size`` is a multiple of 8.
    """
    margin = size // (2 * (_GRID_POINTS - 1))
    fine = F.interpolate(control.permute(0, 3, 1, 2), size=size + 2 * margin, mode="bilinear", align_corners=False)
    return fine[:, :, margin:-margin, margin:-margin].permute(0, 2, 3, 1)


def _random_similarity(count: int, settings: WarpSettings, random: torch.Generator) -> Tensor:
    """Rotation, zoom, shift and mirroring that take output points to crop points, (n, 2, 3)."""
    uniform = torch.rand((count, 5), generator=random)
    signed = uniform * 2 - 1
    angle = signed[:, 0] * (settings.rotation_deg * pi / 180)
    scale = 1 + signed[:, 1] * settings.zoom
    mirror = torch.where(uniform[:, 4] < settings.flip, -1.0, 1.0)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    shift = signed[:, 2:4] * (2 * settings.shift)
    return torch.stack([cosine * mirror, -sine, shift[:, 0], sine * mirror, cosine, shift[:, 1]], -1).view(-1, 2, 3)


def _fit_similarity(points: Tensor, bent: Tensor) -> Tensor:
    """The similarity (n, 2, 3) from straight to bent points, inverse of the Umeyama fit of ``bent`` to ``points``.

    In the plane, and without mirroring, Umeyama's least squares have a closed form: with centred points as complex
    numbers s and d, the fit d ≈ a·s has a = Σ conj(s)·d / Σ |s|².
    """
    straight = torch.view_as_complex(points.flatten(1, 2).contiguous())
    source = torch.view_as_complex(bent.flatten(1, 2).contiguous())
    centre, source_centre = straight.mean(1), source.mean(1)
    centred = source - source_centre[:, None]
    factor = (centred.conj() * (straight - centre[:, None])).sum(1) / centred.abs().square().sum(1)
    inverse = 1 / factor
    offset = source_centre - inverse * centre
    return torch.stack([inverse.real, -inverse.imag, offset.real, inverse.imag, inverse.real, offset.imag], -1).view(
        -1, 2, 3
    )


def _compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The matrices (n, 2, 3) that apply ``inner`` first and ``outer`` then."""
    linear = outer[:, :, :2] @ inner
    return torch.cat([linear[:, :, :2], linear[:, :, 2:] + outer[:, :, 2:]], -1)


def _move(points: Tensor, matrices: Tensor) -> Tensor:
    """``points`` (n or 1, h, w, 2) through ``matrices`` (n, 2, 3)."""
    moved = points.flatten(1, 2) @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    return moved.unflatten(1, points.shape[1:3])


def _sample(layers: Tensor, points: Tensor) -> Tensor:
    points = points.to(layers.device, non_blocking=True)
    return F.grid_sample(layers, points, mode="bilinear", padding_mode="border", align_corners=False)
