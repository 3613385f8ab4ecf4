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

_GRID_POINTS = 5  # a side; a grid point more is interpolated beyond the edges and cut off again


@dataclass(frozen=True)
class WarpSettings:
    """How far faces are moved. Defaults are those of the 2018 recipe."""

    rotation_deg: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05  # of the crop's side
    flip: float = 0.4  # probability
    grid_noise: float = 5 / 160  # standard deviation of a grid point, of the view's side


class Warped(NamedTuple):
    """``inputs`` are float (n, c, size, size) and warped, ``targets`` the same view of the same layers unwarped."""

    inputs: Tensor
    targets: Tensor


def random_warp(layers: Tensor, size: int, view: float, settings: WarpSettings, random: torch.Generator) -> Warped:
    """Move each face at random, and show it once through a warped 5×5 grid and once straight.

    ``layers`` are uint8 or float (n, c, side, side) crops; only their first three layers, the colours, are warped for
    ``inputs``. The straight view is the similarity that fits the warped grid best, so that the warp teaches shape, not
    place. (The 2018 code put that view half a pixel off its input; here both sample at pixel centres.) ``random`` lives
    on the CPU, so that all devices draw the same numbers. Results are float in the range of ``layers``; edge pixels
    repeat outside a crop.
    """
    count = len(layers)
    straight = _regular_grid(view).expand(count, -1, -1, -1)
    bent = straight + torch.randn(straight.shape, generator=random) * (2 * view * settings.grid_noise)
    place = _random_similarity(count, settings, random)
    warped_points = _fine_grid(_move(bent, place), size)
    fitted = _fit_similarity(straight, bent)
    straight_points = _fine_grid(_move(_move(straight, fitted), place), size)
    layers = layers.float()
    return Warped(_sample(layers[:, :3], warped_points), _sample(layers, straight_points))


def centre_view(layers: Tensor, size: int, view: float) -> Tensor:
    """The middle ``view`` of ``layers`` (n, c, side, side) as float (n, c, size, size), undisturbed."""
    points = _fine_grid(_regular_grid(view).expand(len(layers), -1, -1, -1), size)
    return _sample(layers.float(), points)


def _regular_grid(view: float) -> Tensor:
    """The undisturbed control grid, float (1, 5, 5, 2)."""
    line = torch.linspace(-view, view, _GRID_POINTS)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([columns, rows], -1)[None]


def _fine_grid(control: Tensor, size: int) -> Tensor:
    """Control grids (n, 5, 5, 2) interpolated to one point per output pixel, (n, size, size, 2).

    As in the recipe, five points are resized to 5/4 of ``size`` (80 for 64) and the middle ``size`` kept, which is
    exactly the area between the outer grid points.
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


def _move(points: Tensor, matrices: Tensor) -> Tensor:
    """``points`` (n, h, w, 2) through ``matrices`` (n, 2, 3)."""
    return torch.einsum("nij,nhwj->nhwi", matrices[:, :, :2], points) + matrices[:, None, None, :, 2]


def _sample(layers: Tensor, points: Tensor) -> Tensor:
    points = points.to(layers.device, non_blocking=True)
    return F.grid_sample(layers, points, mode="bilinear", padding_mode="border", align_corners=False)
