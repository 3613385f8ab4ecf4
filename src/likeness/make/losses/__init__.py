"""What a rebuilt face is compared by: one term a file, each with its equation and source."""

from likeness.make.losses.reconstruction import reconstruction_loss
from likeness.make.losses.settings import LossSettings
from likeness.make.losses.targets import Targets, face_error

__all__ = ["LossSettings", "Targets", "face_error", "reconstruction_loss"]
