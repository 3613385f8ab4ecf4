"""A trained face swap: a folder with config.json, model.safetensors, history.csv, losses.png and preview.png."""

import errno
import json
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors
import torch
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from likeness.errors import ModelError, SettingsError
from likeness.faces.align import COVERAGE, warp
from likeness.files import atomic_write, storage_error, write_text
from likeness.make.compute import autocast, pick_device
from likeness.make.networks.autoencoder import Side, SwapNetwork
from likeness.make.recipes import Architecture, Recipe, recipe_for

FORMAT = 2  # of the folder; later versions read earlier ones
CONFIG, WEIGHTS, RESUME = "config.json", "model.safetensors", "resume.safetensors"
HISTORY, CURVES, PREVIEW = "history.csv", "losses.png", "preview.png"

Direction = Literal["a2b", "b2a"]

_BATCH = 32  # faces decoded together


class SideRecord(BaseModel):
    """Whose faces one decoder learnt: SHA-256 of the footage by name, and of the face set as ``digest``.

    ``face`` is the mean embedding of these faces, a unit vector, by the recogniser of that name (`faces.identity`);
    both are None in models of format 1.
    """

    model_config = ConfigDict(frozen=True)

    sources: dict[str, str]
    faces: int
    digest: str
    face: list[float] | None = None
    recogniser: str | None = None


class ModelConfig(BaseModel):
    """What config.json says. ``size`` px and ``coverage`` (see `faces.align`) of the faces that the model takes and
    makes; ``published``: whether the network has the published widths where ours are smaller; ``start``: whether it
    began from weights that know faces, or from noise."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    arch: Architecture
    size: int
    coverage: float
    iterations: int
    heldout_error: float | None
    sides: dict[Side, SideRecord]
    versions: dict[str, str]
    published: bool = False
    start: Literal["faces", "noise"] = "noise"

    @field_validator("sides")
    @classmethod
    def _both(cls, sides: dict[Side, SideRecord]) -> dict[Side, SideRecord]:
        if set(sides) != {"a", "b"}:
            raise ValueError("a face swap has two sides")
        return sides


class SwapModel:
    """A network that knows two faces, ready to swap.

    ``size`` is the side in pixels of what the model makes, ``coverage`` the part of it that the mean face's unit square
    takes. What it makes of a face set's crop shows the middle ``view`` of that crop.
    """

    def __init__(self, config: ModelConfig, network: SwapNetwork, device: torch.device) -> None:
        self.config, self.network, self.device = config, network, device

    @classmethod
    def load(cls, folder: Path) -> "SwapModel":
        """Open a model folder; raises ModelError where it is missing, damaged or of a newer version of Likeness."""
        config = read_config(folder)
        device, recipe = pick_device(), recipe_of(config, folder)
        network = recipe.build()
        try:
            network.load_state_dict(load_file(Path(folder) / WEIGHTS))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise ModelError(f"The weights in {folder} are missing or damaged. Train the model again.") from error
        return cls(config, network.placed_on(device).eval(), device)

    @property
    def size(self) -> int:
        """Side of the made faces in pixels."""
        return self.config.size

    @property
    def coverage(self) -> float:
        """Part of a made face's side that the mean face's unit square takes."""
        return self.config.coverage

    @property
    def view(self) -> float:
        """The middle part of a face set's crop that the model sees and makes."""
        return COVERAGE / self.coverage

    def face(self, side: Side) -> np.ndarray | None:
        """The mean embedding float32 (d,) of the faces that ``side`` learnt, as the recogniser named in the config's
        side sees them; None in models of format 1."""
        face = self.config.sides[side].face
        return None if face is None else np.array(face, np.float32)

    def sources(self, side: Side) -> dict[str, str]:
        """SHA-256 by name of the footage that ``side``'s decoder learnt from: what a consent record must cover."""
        return dict(self.config.sides[side].sources)

    @torch.inference_mode()
    def swap(self, crops: np.ndarray, direction: Direction) -> tuple[np.ndarray, np.ndarray]:
        """The faces in ``crops`` with the looks of the other side.

        ``crops`` are uint8 RGB (n, 256, 256, 3) of a face set (coverage 0.625), or (n, size, size, 3) at the model's
        own coverage. Returns images float32 (n, size, size, 3) and masks float32 (n, size, size) of the made face, both
        in [0, 1] and at the model's coverage; masks are all ones where the architecture learns none.
        """
        sides: tuple[Side, Side] = ("a", "b") if direction == "a2b" else ("b", "a")
        faces = torch.from_numpy(self._fit(crops))
        images, masks = [torch.zeros(0, 3, self.size, self.size)], [torch.zeros(0, 1, self.size, self.size)]
        for start in range(0, len(faces), _BATCH):
            batch = faces[start : start + _BATCH].to(self.device).permute(0, 3, 1, 2).float() / 255
            with autocast(self.device):
                decoded = self.network.translate(batch, *sides)
            images.append(decoded.images.float().clamp(0, 1).cpu())
            masks.append(self._full_size(decoded.masks, len(batch)))
        return torch.cat(images).permute(0, 2, 3, 1).numpy(), torch.cat(masks)[:, 0].numpy()

    def _full_size(self, masks: Tensor | None, count: int) -> Tensor:
        """Decoded masks at the size of the images; all ones where there are none."""
        if masks is None:
            return torch.ones(count, 1, self.size, self.size)
        return F.interpolate(masks.float().clamp(0, 1), size=self.size, mode="bilinear").cpu()

    def _fit(self, crops: np.ndarray) -> np.ndarray:
        """``crops`` at the size the network sees."""
        if crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[3] != 3:
            raise ModelError(f"Crops of shape {crops.shape} do not fit; the model takes uint8 RGB (n, side, side, 3).")
        if crops.shape[1] == self.size or not len(crops):
            return np.ascontiguousarray(crops)
        return centre_crops(crops, self.size, self.view)


def centre_crops(crops: np.ndarray, size: int, view: float) -> np.ndarray:
    """The middle ``view`` of ``crops`` uint8 (n, side, side, 3) as uint8 (n, size, size, 3), averaged where it shrinks.

    The middle of the one is the middle of the other, counted to the pixels' centres, as when training.
    """
    side = crops.shape[1]
    scale = size / (side * view)
    shift = (size - 1) / 2 - scale * (side - 1) / 2
    matrix = np.array([[scale, 0, shift], [0, scale, shift]])
    return np.stack([warp(crop, matrix, size) for crop in crops])


def recipe_of(config: ModelConfig, folder: Path) -> Recipe:
    """The recipe of the model in ``folder``; raises ModelError where there is none such."""
    try:
        recipe = recipe_for(config.arch, config.size, config.published)
    except SettingsError:
        recipe = None
    if recipe is None or config.coverage != recipe.coverage:
        raise ModelError(f"{Path(folder) / CONFIG} does not describe a model of kind '{config.arch}'. Train it again.")
    return recipe


def read_config(folder: Path) -> ModelConfig:
    """The config.json of a model folder; raises ModelError where there is none, or none that can be read."""
    path = Path(folder) / CONFIG
    try:
        text = path.read_text(encoding="utf-8")
        stated = json.loads(text)
    except FileNotFoundError as error:
        raise ModelError(f"There is no model in {folder}. Train one with `likeness train`.") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read. Train the model again.") from error
    if isinstance(stated, dict) and isinstance(stated.get("format"), int) and stated["format"] > FORMAT:
        raise ModelError(f"The model in {folder} was made by a newer Likeness. Update Likeness to use it.")
    try:
        return ModelConfig.model_validate(stated)
    except ValidationError as error:
        raise ModelError(f"{path} is not the description of a face swap model. Train the model again.") from error


def write_config(folder: Path, config: ModelConfig) -> None:
    """Write config.json; raises StorageError."""
    write_text(Path(folder) / CONFIG, config.model_dump_json(indent=2) + "\n")


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file atomically; raises StorageError, and then ``path`` is as it was."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with atomic_write(path) as temporary:
            mode = temporary.stat().st_mode
            save_file(contiguous, temporary, metadata)
            temporary.chmod(mode)  # the library makes a file that only its owner can read
    except safetensors.SafetensorError as error:  # how the library reports a failed write
        reason = OSError(errno.ENOSPC, str(error)) if "No space" in str(error) else OSError(str(error))
        raise storage_error(path, reason) from error


def installed_versions() -> dict[str, str]:
    """Versions of what made a model, for its config."""
    return {name: version(name) for name in ("likeness", "torch", "numpy")}
