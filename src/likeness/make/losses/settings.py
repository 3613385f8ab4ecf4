"""What a training minimises: every weight of every term."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms. Defaults are the 2018 recipe: the mean absolute error of all pixels alike.

    Of the reconstruction: ``pixel`` weighs |x' − x|, ``square`` (x' − x)², ``dssim`` (1 − SSIM)/2, ``gradient`` the
    steps between neighbouring pixels, which keeps edges sharp, ``features`` |x' − x| on eyes and mouth once more.
    ``face`` moves that share of pixel, square and gradient from the whole view onto the face (`Targets.weight`).
    ``mask`` trains the learned mask towards the hull, and ``draft`` weighs all these terms for the face before details
    were painted.

    Of faces judged by networks: ``perceptual`` compares feature maps, ``adversarial`` asks the discriminator.

    Of the α mask: ``alpha_hinge`` max(0, ½ − α), ``alpha_mean`` α and ``alpha_variation`` |∇α|.

    ``cycle`` takes each face there and back.
    """

    pixel: float = 1.0
    square: float = 0.0
    dssim: float = 0.0
    gradient: float = 0.0
    features: float = 0.0
    face: float = 0.0
    mask: float = 0.0
    draft: float = 0.0
    perceptual: float = 0.0
    adversarial: float = 0.0
    alpha_hinge: float = 0.0
    alpha_mean: float = 0.0
    alpha_variation: float = 0.0
    cycle: float = 0.0
