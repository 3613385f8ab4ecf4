"""How networks are shown a face: aligned crops, alone, in pairs and in short sequences of consecutive frames.

A picture goes in together with what its pixels add to their surroundings (`high_pass`), a pair together with what
changes between the two (`change`): decoders leave their traces in what is small and quick, and ImageNet's weights look
at what is large.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

CROP = 224  # pixels a side
COVERAGE = 0.5  # of the crop is taken by the face: hair, neck and background are seen too
SEQUENCE = 5  # consecutive frames
CHANNELS = 6

_GAIN = 4.0  # differences between neighbours are small against the range of a picture


def as_tensor(crops: Tensor) -> Tensor:
    """Crops uint8 (n, h, w, 3) as float (n, 3, h, w) in [-1, 1], channels last."""
    return (crops.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def high_pass(pictures: Tensor) -> Tensor:
    """``pictures`` (n, 3, h, w) less their mean over 3×3 pixels, enlarged to about the range of a picture."""
    return _GAIN * (pictures - F.avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False))


def of_frames(pictures: Tensor) -> Tensor:
    """What the frame network sees of pictures (n, 3, h, w) in [-1, 1]: float (n, 6, h, w)."""
    return _joined(pictures, high_pass(pictures))


def of_pairs(before: Tensor, after: Tensor) -> Tensor:
    """What the pair network sees of two consecutive pictures (n, 3, h, w) each: float (n, 6, h, w)."""
    return _joined(after, _GAIN * (after - before))


def _joined(one: Tensor, other: Tensor) -> Tensor:
    return torch.cat([one, other], dim=1).contiguous(memory_format=torch.channels_last)
