"""What all face-swapping autoencoders share: one encoder for both faces, one decoder for each."""

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

Side = Literal["a", "b"]


class Decoded(NamedTuple):
    """What a decoder makes: pictures and, where the network learns them, masks.

    ``images`` float (n, 3, size, size), about in [0, 1]. ``masks`` float (n, 1, m, m) in [0, 1], m at most size, or
    None. In the shape of the images, ``painted`` is the face before it was laid over the input, where it was, and
    ``draft`` the face before details were painted, where it is to be right by itself.
    """

    images: Tensor
    masks: Tensor | None
    painted: Tensor | None = None
    draft: Tensor | None = None

    @property
    def face(self) -> Tensor:
        """What the network painted of its own, (n, 3, size, size): what faces are judged by."""
        return self.images if self.painted is None else self.painted


class SwapNetwork(nn.Module, ABC):
    """A network that draws either of two faces; images are float (n, 3, size, size) in [0, 1]."""

    @abstractmethod
    def forward(self, faces_a: Tensor, faces_b: Tensor) -> tuple[Decoded, Decoded]:
        """Rebuild each face as itself, both sides as one batch."""

    @abstractmethod
    def translate(self, faces: Tensor, source: Side, target: Side) -> Decoded:
        """Show ``faces`` of ``source`` with the looks of ``target``."""

    def placed_on(self, device: torch.device) -> Self:
        """This network on ``device``, channels last: the layout that convolutions are fastest in."""
        for parameter in self.to(device).parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    def running_start(self) -> bool:
        """Begin with weights that know faces, where there are any; false where training begins with noise.

        Called once, before `start_from`.
        """
        return False

    def start_from(self, side: Side, faces: Tensor, masks: Tensor) -> None:
        """Look at the faces to learn, float (n, 3, size, size) in [0, 1], with their masks (n, 1, m, m), before
        training.

        Networks that learn all from scratch do not.
        """


class Autoencoder(SwapNetwork):
    """One encoder, and a way from its codes to either face."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` that ``codes`` describe."""

    def forward(self, faces_a: Tensor, faces_b: Tensor) -> tuple[Decoded, Decoded]:
        """Rebuild each face as itself. Both pass the encoder as one batch, which is the same but faster."""
        codes = self.encoder(torch.cat([self.normalized(faces_a, "a"), self.normalized(faces_b, "b")]))
        decoded_a, decoded_b = self.decode(codes[: len(faces_a)], "a"), self.decode(codes[len(faces_a) :], "b")
        return self.composed(decoded_a, faces_a), self.composed(decoded_b, faces_b)

    def translate(self, faces: Tensor, source: Side, target: Side) -> Decoded:
        """Show ``faces`` of ``source`` with the looks of ``target``: decode(E(faces), target)."""
        return self.composed(self.decode(self.encoder(self.normalized(faces, source)), target), faces)

    def composed(self, decoded: Decoded, faces: Tensor) -> Decoded:
        """``decoded`` laid over the ``faces`` it was made from; the plain autoencoder makes whole pictures."""
        return decoded

    def normalized(self, faces: Tensor, side: Side) -> Tensor:
        """What the encoder sees of ``faces``; the plain autoencoder looks at them as they are."""
        return faces


class SharedEncoderAutoencoder(Autoencoder):
    """One encoder, one decoder for each face: A' = D_A(E(warp A)), B' = D_B(E(warp B)); a swap exchanges the decoders.

    Source: the 2017 "deepfakes" original, as published.
    """

    def __init__(self, encoder: nn.Module, decoder_a: nn.Module, decoder_b: nn.Module) -> None:
        super().__init__(encoder)
        self.decoder_a, self.decoder_b = decoder_a, decoder_b

    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` that ``codes`` describe."""
        return Decoded((self.decoder_a if side == "a" else self.decoder_b)(codes), None)
