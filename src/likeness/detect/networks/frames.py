"""The network on single frames."""

from typing import NamedTuple

from torch import Tensor, nn

from likeness.detect.networks.backbones import Backbone
from likeness.detect.networks.inputs import of_frames


class Seen(NamedTuple):
    """``logit`` (n,) of "synthetic"; ``where`` (n, h, w): its parts, whose mean it is; ``maps`` (n, c, h, w)."""

    logit: Tensor
    where: Tensor
    maps: Tensor


class FrameNetwork(nn.Module):
    """A backbone and one weighted sum at each place; the mean over places is the answer.

    So the answer falls apart into places without any further reckoning: class activation maps (Zhou et al. 2016).
    """

    def __init__(self, backbone: Backbone, dropout: float = 0.2) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(backbone.channels, 1, 1)
        nn.init.zeros_(self.classify.weight)

    def forward(self, sequences: Tensor) -> Tensor:
        """Logits (n,) of sequences (n, t, 3, h, w) in [-1, 1]: the mean over their frames."""
        return self.see(sequences.flatten(0, 1)).logit.unflatten(0, sequences.shape[:2]).mean(1)

    def see(self, pictures: Tensor) -> Seen:
        """What it makes of pictures (n, 3, h, w) in [-1, 1]."""
        maps = self.backbone(of_frames(pictures))
        where = self.classify(self.dropout(maps))[:, 0]
        return Seen(where.flatten(1).mean(1), where, maps)
