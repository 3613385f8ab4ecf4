"""The networks on sequences, on the features of a frame network: a recurrent one, and a convolution over time and
place."""

from typing import Literal

import torch
from torch import Tensor, nn

from likeness.detect.networks.frames import FrameNetwork

Reading = Literal["recurrent", "temporal"]
_WIDTH = 96


class RecurrentHead(nn.Module):
    """Pooled features of t frames through a GRU in both directions (compare Güera & Delp 2018), (n, t, c, h, w) to
    logits (n,)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Dropout(0.3), nn.Linear(channels, _WIDTH), nn.LayerNorm(_WIDTH), nn.ReLU())
        self.recurrent = nn.GRU(_WIDTH, _WIDTH // 2, batch_first=True, bidirectional=True)
        self.classify = nn.Linear(2 * _WIDTH, 1)

    def forward(self, maps: Tensor) -> Tensor:
        narrow = self.narrow(maps.mean((3, 4)))
        passed, _ = self.recurrent(narrow)
        told = torch.cat([passed.mean(1), passed.amax(1)], dim=1)
        return self.classify(told)[:, 0]


class TemporalHead(nn.Module):
    """Convolutions over time and place of the maps of t frames (compare the 3-D head of the DFDC's third place),
    (n, t, c, h, w) to logits (n,)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv3d(channels, _WIDTH, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), nn.Dropout3d(0.2), nn.Conv3d(_WIDTH, _WIDTH, (3, 1, 1), padding=(1, 0, 0)), nn.ReLU(),
            nn.Conv3d(_WIDTH, _WIDTH, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.classify = nn.Linear(2 * _WIDTH, 1)

    def forward(self, maps: Tensor) -> Tensor:
        mixed = self.mix(self.narrow(maps.transpose(1, 2)))
        told = torch.cat([mixed.mean((2, 3, 4)), mixed.diff(dim=2).abs().mean((2, 3, 4))], dim=1)
        return self.classify(told)[:, 0]


class SequenceNetwork(nn.Module):
    """A frame network, whose weights stay as they are, and a head that reads its features over time."""

    def __init__(self, frames: FrameNetwork, reading: Reading) -> None:
        super().__init__()
        self.frames = frames.requires_grad_(False)
        channels = frames.backbone.channels
        self.head: nn.Module = RecurrentHead(channels) if reading == "recurrent" else TemporalHead(channels)

    def train(self, mode: bool = True) -> "SequenceNetwork":
        """Only the head is in training: the frame network gives the features that it gives in use."""
        super().train(mode)
        self.frames.eval()
        return self

    def forward(self, sequences: Tensor) -> Tensor:
        """Logits (n,) of sequences (n, t, 3, h, w) in [-1, 1]."""
        with torch.no_grad():
            maps = self.frames.see(sequences.flatten(0, 1)).maps
        return self.head(maps.unflatten(0, sequences.shape[:2]))
