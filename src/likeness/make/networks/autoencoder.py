"""What all face-swapping autoencoders share: one encoder for both faces, one decoder for each."""

from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

Side = Literal["a", "b"]


class Decoded(NamedTuple):
    """``images`` float (n, 3, size, size), about in [0, 1]; ``masks`` float (n, 1, size / 4, size / 4) in [0, 1], or
    None
    where the network learns none."""

    images: Tensor
    masks: Tensor | None


class SharedEncoderAutoencoder(nn.Module):
    """Two faces, one encoder: A' = D_A(E(warp A)), B' = D_B(E(warp B)); a swap exchanges the decoders.

    Images are float (n, 3, size, size) in [0, 1]. Source: the 2017 "deepfakes" original, as published.
    """

    def __init__(self, encoder: nn.Module, decoder_a: nn.Module, decoder_b: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder_a, self.decoder_b = encoder, decoder_a, decoder_b

    def forward(self, faces_a: Tensor, faces_b: Tensor) -> tuple[Decoded, Decoded]:
        """Rebuild each face with its own decoder. Both pass the encoder as one batch, which is the same but faster."""
        codes = self.encoder(torch.cat([self.normalized(faces_a, "a"), self.normalized(faces_b, "b")]))
        return self.decode(codes[: len(faces_a)], "a"), self.decode(codes[len(faces_a) :], "b")

    def translate(self, faces: Tensor, source: Side, target: Side) -> Decoded:
        """Show ``faces`` of ``source`` with the looks of ``target``: D_target(E(faces))."""
        return self.decode(self.encoder(self.normalized(faces, source)), target)

    def placed_on(self, device: torch.device) -> Self:
        """This network on ``device``, channels last: the layout that convolutions are fastest in."""
        for parameter in self.to(device).parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` that ``codes`` describe."""
        return Decoded((self.decoder_a if side == "a" else self.decoder_b)(codes), None)

    def normalized(self, faces: Tensor, side: Side) -> Tensor:
        """What the encoder sees of ``faces``; the plain autoencoder looks at them as they are."""
        return faces

    def start_from(self, side: Side, faces: Tensor, masks: Tensor) -> None:
        """Look at the faces to learn, float (n, 3, size, size) in [0, 1], with their masks (n, 1, m, m), before
        training.

        The plain autoencoder learns all from scratch.
        """
