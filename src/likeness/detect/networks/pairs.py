"""The network on pairs of consecutive frames: what changes between them, where in the face."""

from torch import Tensor, nn

from likeness.detect.networks.backbones import Backbone
from likeness.detect.networks.frames import Seen
from likeness.detect.networks.inputs import of_pairs


class PairNetwork(nn.Module):
    """As `FrameNetwork`, over a frame and its difference from the one before: a swap is drawn anew in every frame."""

    def __init__(self, backbone: Backbone, dropout: float = 0.2) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(backbone.channels, 1, 1)
        nn.init.zeros_(self.classify.weight)

    def forward(self, sequences: Tensor) -> Tensor:
        """Logits (n,) of sequences (n, t, 3, h, w), t ≥ 2: the mean over their pairs of neighbours."""
        before, after = sequences[:, :-1], sequences[:, 1:]
        seen = self.see(before.flatten(0, 1), after.flatten(0, 1))
        return seen.logit.unflatten(0, before.shape[:2]).mean(1)

    def see(self, before: Tensor, after: Tensor) -> Seen:
        """What it makes of pictures (n, 3, h, w) in [-1, 1] and those that follow them."""
        maps = self.backbone(of_pairs(before, after))
        where = self.classify(self.dropout(maps))[:, 0]
        return Seen(where.flatten(1).mean(1), where, maps)
