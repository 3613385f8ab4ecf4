"""There and back: a face that takes on the other's looks and its own again should be what it was.

L = |G_A(G_B(warp a)) − a| + |G_B(G_A(warp b)) − b|   (CycleGAN: Zhu et al. 2017, eq. 2)
"""

from torch import Tensor

from likeness.make.networks.autoencoder import Side, SwapNetwork


def cycle_loss(network: SwapNetwork, inputs: Tensor, true: Tensor, side: Side) -> Tensor:
    """One term of the equation, for ``inputs`` and ``true`` pictures (n, 3, size, size) of ``side`` in [0, 1]; a
    scalar."""
    other: Side = "b" if side == "a" else "a"
    there = network.translate(inputs, side, other).images
    back = network.translate(there, other, side).images
    return (back.float() - true).abs().mean()
