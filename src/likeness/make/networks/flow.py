"""`flow`: a face is drawn by moving the person's own pictures into the pose that is asked for, and painting the rest.

An autoencoder has to learn every pore of a face before it can show one. Here a few pictures of the person, the
references, stay at hand: for each, a flow field says where every point of the new face is found in it (appearance flow:
Zhou et al. 2016, "View synthesis by appearance flow"), confidences weigh the moved references, and what none of them
shows is painted over (as in Siarohin et al. 2019, "First order motion model"). The network sees colours standardised
for each side, draws with A's pictures or with B's, and is the same for both; it was trained on synthetic people whose
true swaps are known (training/running_start), so that it draws a new pair from the first look on.
"""

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.errors import ModelError
from likeness.make.networks.autoencoder import Decoded, Side, SwapNetwork
from likeness.make.networks.layers import SLOPE, conv
from likeness.make.networks.standardise import colours_within

SIZE = 128
REFERENCES = 7  # pictures of each side that a model keeps
SHOWN = (0, 1, 3)  # of them in an iteration: a line of the Fano plane, so that all pairs meet equally often
MEASURES = 7  # yaw, pitch, roll, opening of the right and the left eye and of the mouth, width of the mouth
EYES = slice(3, 5)  # of the measures

_STEP = 4  # pixels, of space to depth and pixel shuffle
_WIDTHS = (64, 96, 160)  # channels at a quarter, an eighth and a sixteenth of 128 pixels
_REACH = 0.5  # half-widths of the picture that a predicted flow of 1 moves by
_FARTHEST = 4.0  # half-widths; beyond it a flow only repeats the edge
_EYE_STEP = 0.2  # of a measure, two fifths of a blink: lids that differ by it lower the confidence by 1
_MOST_APART = 8.0  # e to the minus this: as good as no confidence at all
_EYE_ROW, _EYE_HEIGHT = 0.24, 0.08  # of the view: `faces.align.TEMPLATE` has the eyes at 0.23, between brows and nose


class Features(NamedTuple):
    """Features of pictures: float (..., 64, 32, 32), (..., 96, 16, 16), (..., 160, 8, 8)."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class References(NamedTuple):
    """Pictures to draw with: ``seen`` and standardised ``pixels`` float (m, r, 3, size, size) of r pictures each of m
    people."""

    seen: Features
    pixels: Tensor


class Drawn(NamedTuple):
    """Standardised colours float (n, 3, size, size): the face, and what the moved references alone show; its mask
    (n, 1, size / 4, size / 4)."""

    face: Tensor
    moved: Tensor
    mask: Tensor


class LookEncoder(nn.Module):
    """Standardised faces float (n, 3, 128, 128) to `Features` of n pictures."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.fine = nn.Sequential(nn.PixelUnshuffle(_STEP), conv(3 * _STEP**2, fine), conv(fine, fine))
        self.middle, self.coarse = conv(fine, middle, stride=2), conv(middle, coarse, stride=2)

    def forward(self, faces: Tensor) -> Features:
        fine = self.fine(faces)
        middle = self.middle(fine)
        return Features(fine, middle, self.coarse(middle))


class Joined(nn.Module):
    """A 3×3 convolution over what a driving face, a reference, and both show: one sum of three, so that driver and
    reference are each convolved once, however many they are paired with."""

    def __init__(self, channels: int, paired: int, filters: int) -> None:
        super().__init__()
        self.driver = nn.Conv2d(channels, filters, 3, padding=1)
        self.reference = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        self.paired = nn.Conv2d(paired, filters, 3, padding=1, bias=False) if paired else None

    def forward(self, driver: Tensor, reference: Tensor, of: Tensor, paired: Tensor | None = None) -> Tensor:
        """``driver`` (n, c, h, w), ``reference`` (m, r, c, h, w), ``paired`` (n·r, p, h, w), ``of`` int64 (n,) in
        [0, m): float (n·r, filters, h, w)."""
        count = reference.shape[1]
        pairs = (of[:, None] * count + torch.arange(count, device=of.device)).flatten()
        shown = self.reference(_channels_last(reference.flatten(0, 1)))[pairs]
        joined = _channels_last(shown) + _channels_last(self.driver(driver).repeat_interleave(count, 0))
        return joined if self.paired is None or paired is None else joined + self.paired(paired)


class Drawer(nn.Module):
    """The trained part: draws people, by their references, as the driving faces look."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.look = LookEncoder()
        self.pair = Joined(coarse, 0, 192)
        self.around = nn.Sequential(conv(192, 256, stride=2), conv(256, 256), conv(256, 4 * 128), nn.PixelShuffle(2))
        self.rise_coarse = Joined(coarse, 128, 4 * 96)
        self.rise_middle = Joined(middle, 96, 4 * 64)
        self.flow = Joined(fine, 64, 3)
        self.paint = nn.Sequential(
            conv(64 + fine + 3 * _STEP**2, 96), conv(96, 96), nn.Conv2d(96, 3 * _STEP**2 + 1, 3, padding=1)
        )
        self.measure = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(16 * coarse, 64),
            nn.LeakyReLU(SLOPE),
            nn.Linear(64, MEASURES),
        )
        for layer in (self.flow, self.paint[-1]):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)  # at first nothing moves and nothing is painted

    def seen(self, faces: Tensor) -> Features:
        """Features of standardised faces (n, 3, size, size)."""
        return self.look(_shrunk(faces, SIZE))

    def references(self, pictures: Tensor) -> References:
        """What drawing needs of standardised ``pictures`` (m, r, 3, size, size)."""
        seen = self.seen(pictures.flatten(0, 1))
        return References(Features(*(maps.unflatten(0, pictures.shape[:2]) for maps in seen)), pictures)

    def measures(self, seen: Features) -> Tensor:
        """Pose and expression of faces, float (n, 7), each about in [-1, 1]."""
        return self.measure(seen.coarse)

    def forward(self, driver: Features, references: References, of: Tensor) -> Drawn:
        """Draw for each of n driving faces the person ``of`` int64 (n,) among the m of ``references``."""
        count, size = references.pixels.shape[1], references.pixels.shape[-1]
        maps = self.around(F.leaky_relu(self.pair(driver.coarse, references.seen.coarse, of), SLOPE))
        maps = self._risen(self.rise_coarse(driver.coarse, references.seen.coarse, of, maps))
        maps = self._risen(self.rise_middle(driver.middle, references.seen.middle, of, maps))
        predicted = self.flow(driver.fine, references.seen.fine, of, maps).float()
        predicted = F.interpolate(predicted, size=size, mode="bilinear", align_corners=False)
        # grid_sample's backward pass reads outside memory where a place is no number; the softmax passes such on
        shift = (_REACH * predicted[:, :2]).nan_to_num(0.0).clamp(-_FARTHEST, _FARTHEST).permute(0, 2, 3, 1)
        places = _pixel_centres(size, predicted) + shift
        pixels = references.pixels[of].flatten(0, 1).float()
        moved = F.grid_sample(pixels, places, padding_mode="border", align_corners=False)
        apart = self._lids_apart(driver, references, of, size)
        confidence = (predicted[:, 2:].unflatten(0, (-1, count)) - apart).softmax(1)
        face = (moved.unflatten(0, (-1, count)) * confidence).sum(1)
        weights = _shrunk(confidence.flatten(0, 1), maps.shape[-1]).to(maps.dtype)
        common = (maps * weights).unflatten(0, (-1, count)).sum(1)
        small = F.pixel_unshuffle(_shrunk(face, SIZE), _STEP).to(maps.dtype)
        painted = self.paint(_channels_last(torch.cat([common, driver.fine, small], 1))).float()
        paint, mask = F.pixel_shuffle(painted[:, 1:], _STEP), painted[:, :1].sigmoid()
        return Drawn(face + _enlarged(paint, size), face, _enlarged(mask, size // _STEP))

    @torch.no_grad()
    def _lids_apart(self, driver: Features, references: References, of: Tensor, size: int) -> Tensor:
        """How little each reference's eyes are open as the driver's, where eyes are: float (n, r, 1, size, size).

        Open and shut eyes averaged are half shut ones, so the nearer in this are to be trusted more.
        """
        wanted = self.measure(driver.coarse.detach())[:, None, EYES].float()
        shown = self.measure(references.seen.coarse.detach().flatten(0, 1))
        apart = (wanted - shown.unflatten(0, references.pixels.shape[:2])[of][..., EYES].float()) / _EYE_STEP
        return apart.square().mean(-1).clamp_max(_MOST_APART)[..., None, None, None] * _eye_band(size, driver.fine)

    @staticmethod
    def _risen(maps: Tensor) -> Tensor:
        return _channels_last(F.pixel_shuffle(F.leaky_relu(maps, SLOPE), 2))


def _eye_band(size: int, like: Tensor) -> Tensor:
    """float (size, 1): 1 in the rows of a face's eyes, falling off to 0 towards brows and nose."""
    rows = (torch.arange(size, device=like.device) + 0.5) / size
    return (-(((rows - _EYE_ROW) / _EYE_HEIGHT) ** 2)).exp()[:, None]


def _channels_last(maps: Tensor) -> Tensor:
    """``maps`` in the layout that convolutions are fastest in; joining and picking loses it."""
    return maps.contiguous(memory_format=torch.channels_last)


def _shrunk(maps: Tensor, size: int) -> Tensor:
    """``maps`` (n, c, side, side) at ``size``, of which the side is a multiple."""
    return maps if maps.shape[-1] == size else F.avg_pool2d(maps, maps.shape[-1] // size)


def _enlarged(maps: Tensor, size: int) -> Tensor:
    """``maps`` (n, c, side, side) at ``size``, interpolated."""
    return maps if maps.shape[-1] == size else F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _pixel_centres(size: int, like: Tensor) -> Tensor:
    """Where pixels are sampled that do not move, float (1, size, size, 2)."""
    line = (torch.arange(size, device=like.device) + 0.5) / size * 2 - 1
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([columns, rows], -1)[None]


class Flow(SwapNetwork):
    """Input and output (n, 3, size, size) in [0, 1], and a mask (n, 1, size / 4, size / 4) of the face's hull.

    Features, flow and paint are those of 128 pixels; a larger size moves the references' own pixels.
    """

    mean: Tensor
    deviation: Tensor
    pictures: Tensor
    turn: Tensor

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        self.size = size
        self.drawer = Drawer()
        self.register_buffer("mean", torch.full((2, 3, 1, 1), 0.5))
        self.register_buffer("deviation", torch.full((2, 3, 1, 1), 0.25))
        self.register_buffer("pictures", torch.full((2, REFERENCES, 3, size, size), 128, dtype=torch.uint8))
        self.register_buffer("turn", torch.zeros((), dtype=torch.int64))  # counts iterations; saved, to resume alike

    def forward(self, faces_a: Tensor, faces_b: Tensor) -> tuple[Decoded, Decoded]:
        """Rebuild each face as itself, from three of its side's references, in turn."""
        shown = (torch.tensor(SHOWN, device=self.turn.device) + self.turn) % REFERENCES
        self.turn += 1
        faces = torch.cat([self._standardised(faces_a, 0), self._standardised(faces_b, 1)])
        sides = torch.arange(2, device=faces.device)
        of = torch.cat(
            [torch.zeros_like(sides[:1]).expand(len(faces_a)), torch.ones_like(sides[:1]).expand(len(faces_b))]
        )
        drawn = self._drawn(faces, sides, of, shown)
        return _rows(drawn, slice(len(faces_a))), _rows(drawn, slice(len(faces_a), None))

    def translate(self, faces: Tensor, source: Side, target: Side) -> Decoded:
        """Show ``faces`` of ``source`` with the looks of ``target``, from all its references."""
        sides = torch.tensor([_row(target)], device=faces.device)
        of = torch.zeros(len(faces), dtype=torch.int64, device=faces.device)
        return self._drawn(self._standardised(faces, _row(source)), sides, of, slice(None))

    def running_start(self, weights: Path | None = None) -> bool:
        """Begin with weights learnt from thousands of synthetic people, whose true swaps are known, instead of
        noise."""
        self.drawer.load_state_dict(load_running_start(weights))
        return True

    @torch.no_grad()
    def start_from(self, side: Side, faces: Tensor, masks: Tensor) -> None:
        """Choose the side's references, and note its colours inside the masks; both are saved with the weights."""
        row = _row(side)
        self.mean[row], self.deviation[row] = colours_within(faces, masks)
        measured = self.drawer.measures(self.drawer.seen(self._standardised(faces, row)))
        self.pictures[row] = (255 * faces[farthest_points(measured, REFERENCES)]).round().byte()

    def _drawn(self, faces: Tensor, sides: Tensor, of: Tensor, shown: Tensor | slice) -> Decoded:
        """Standardised ``faces`` (n, 3, size, size) as those of ``sides`` [of], from the references ``shown``."""
        mean, deviation = self.mean[sides], self.deviation[sides]
        pictures = (self.pictures[sides][:, shown].float() / 255 - mean[:, None]) / deviation[:, None]
        drawn = self.drawer(self.drawer.seen(faces), self.drawer.references(pictures), of)
        face, draft = (colours * deviation[of] + mean[of] for colours in (drawn.face, drawn.moved))
        return Decoded(face, drawn.mask, draft=draft)

    def _standardised(self, faces: Tensor, row: int) -> Tensor:
        return (faces - self.mean[row]) / self.deviation[row]


def farthest_points(measured: Tensor, count: int) -> Tensor:
    """Indices int64 (count,) of faces that are most unlike one another: the most usual, then again and again the one
    that is farthest from all taken (farthest-point sampling). Indices repeat where there are fewer faces.

    ``measured`` float (n, m); beyond two deviations from the median nothing counts as farther, so that no mistaken
    measure of one face decides.
    """
    centred = measured - measured.median(0).values
    scaled = (centred / centred.square().mean(0).sqrt().clamp_min(1e-6)).clamp(-2, 2)
    taken = [int(scaled.square().sum(1).argmin())]
    nearest = (scaled - scaled[taken[0]]).square().sum(1)
    while len(taken) < count:
        taken.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (scaled - scaled[taken[-1]]).square().sum(1))
    return torch.tensor(taken)


def load_running_start(weights: Path | None = None) -> dict[str, Tensor]:
    """The state of a `Drawer` in the shipped file, or in ``weights``. Raises ModelError."""
    path = weights or shipped_weights()
    try:
        state = {name: tensor.float() for name, tensor in load_file(path).items()}
        Drawer().load_state_dict(state)
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"{path} holds no running start. Install Likeness again, or train with --start noise."
        ) from error
    return state


def shipped_weights() -> Path:
    """The weights in the package: weights/running_start.safetensors (bf16), described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "running_start.safetensors"))


def _row(side: Side) -> int:
    return 0 if side == "a" else 1


def _rows(decoded: Decoded, rows: slice) -> Decoded:
    """Some of the faces of ``decoded``."""
    return Decoded(*(None if part is None else part[rows] for part in decoded))  # type: ignore[arg-type]
