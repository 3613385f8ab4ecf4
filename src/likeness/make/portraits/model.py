"""A portrait model: a folder with config.json, model.safetensors, consents, history.csv, training.png and preview.png.

The one that is shipped is a single file, weights/portraits.safetensors, with the description in its metadata.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import safe_open
from torch import Tensor

from likeness.errors import ModelError, SettingsError
from likeness.faces.align import COVERAGE
from likeness.files import write_text
from likeness.make.compute import autocast, pick_device
from likeness.make.consent import Consent
from likeness.make.model import CONFIG, WEIGHTS, write_tensors
from likeness.make.portraits.networks import Generator, NetworkSettings
from likeness.make.portraits.permission import load_records, record_behind
from likeness.make.portraits.training import to_pixels

FORMAT = 1  # of the folder; later versions read earlier ones
CURVES = "training.png"

_BATCH = 64  # portraits made together
_NETWORK, _CHANGE = "generator.", "change."


class PortraitConfig(BaseModel):
    """What config.json says. ``network`` are the `NetworkSettings`; ``faces`` and ``sources`` count what was learnt,
    ``digest`` is SHA-256 of it; ``distance`` is the least Fréchet distance to held-out faces that was seen, in the
    embedding of ``recogniser``."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    kind: str = "portrait"
    network: dict[str, Any]
    coverage: float = COVERAGE
    iterations: int
    images: int
    faces: int
    sources: int
    digest: str
    distance: float | None
    recogniser: str
    versions: dict[str, str]

    @property
    def network_settings(self) -> NetworkSettings:
        return NetworkSettings(**{**self.network, "widths": tuple(self.network["widths"])})


class PortraitModel:
    """A generator taken out of its training, ready to make portraits of nobody.

    ``changes`` are directions (style,) by the name of a trait: adding one to w raises that trait by a standard
    deviation among the generator's faces. ``record`` is the consent record that labels carry, ``records`` all those
    behind the model.
    """

    def __init__(
        self,
        config: PortraitConfig,
        generator: Generator,
        changes: dict[str, Tensor],
        records: list[Consent],
        name: str,
    ) -> None:
        self.config, self.generator, self.changes, self.records, self.name = config, generator, changes, records, name
        self.device = next(generator.parameters()).device

    @classmethod
    def load(cls, folder: Path | None = None) -> "PortraitModel":
        """Open a model folder, or the shipped model. Raises ModelError where it is missing, damaged or of a newer
        version, ConsentError where its records are."""
        if folder is not None:
            folder = Path(folder)
            return cls.from_weights(folder / WEIGHTS, read_config(folder), load_records(folder), folder.name)
        path = shipped_weights()
        try:
            with safe_open(path, framework="pt") as stored:
                stated = stored.metadata() or {}
            config, records = json.loads(stated["config"]), json.loads(stated["consents"])
        except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
            raise ModelError(f"The shipped model {path} is missing or damaged. Install Likeness again.") from error
        return cls.from_weights(
            path, _config(config, path), [Consent.model_validate(record) for record in records], "likeness portraits"
        )

    @classmethod
    def from_weights(
        cls, path: Path, config: PortraitConfig, records: list[Consent], name: str = "portraits"
    ) -> "PortraitModel":
        """A model from a file that `write_weights` wrote; raises ModelError where it is missing or damaged."""
        device = pick_device()
        try:
            with safe_open(path, framework="pt") as stored:
                tensors = {key: stored.get_tensor(key).float() for key in stored.keys()}  # noqa: SIM118 (not a dict)
            generator = Generator(config.network_settings)
            generator.load_state_dict(_below(_NETWORK, tensors))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise ModelError(f"The weights {path} are missing or damaged. Fit the model again.") from error
        generator = generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        changes = {key: vector.to(device) for key, vector in _below(_CHANGE, tensors).items()}
        return cls(config, generator.eval().requires_grad_(False), changes, records, name)

    @property
    def size(self) -> int:
        """Side of the portraits in pixels."""
        return self.generator.settings.size

    @property
    def record(self) -> Consent:
        """The consent record whose digest the portraits carry."""
        return record_behind(self.records)

    def latents(self, seeds: list[int]) -> Tensor:
        """z float32 (n, latent): standard normal numbers that follow from each seed alone, on every machine."""
        rows = [np.random.default_rng(_unsigned(seed)).standard_normal(self.config.network["latent"]) for seed in seeds]
        return torch.from_numpy(np.array(rows, np.float32).reshape(len(seeds), -1))

    @torch.inference_mode()
    def styles(self, latents: Tensor, truncation: float = 1.0, traits: dict[str, float] | None = None) -> Tensor:
        """w (n, style) = w̄ + ψ (w(z) − w̄) + Σ amount · direction, ψ the ``truncation`` (Karras et al. 2019, B).

        ``traits``: amounts in standard deviations by name. Raises SettingsError for one that the model does not know.
        """
        mean = self.generator.mean_style
        styles = mean + truncation * (self.generator.style(latents.to(self.device)) - mean)
        for name, amount in (traits or {}).items():
            if name not in self.changes:
                known = ", ".join(sorted(self.changes)) or "none"
                raise SettingsError(f"The model cannot change '{name}'. It knows: {known}.")
            styles = styles + amount * self.changes[name]
        return styles

    @torch.inference_mode()
    def draw(self, styles: Tensor) -> np.ndarray:
        """Portraits uint8 RGB (n, size, size, 3) for w (n, style), aligned as the crops of a face set."""
        made = [torch.zeros(0, 3, self.size, self.size)]
        for part in styles.split(_BATCH):
            with autocast(self.device):
                made.append(self.generator.draw(part).float().cpu())
        return to_pixels(torch.cat(made))

    def portraits(
        self, seeds: list[int], truncation: float = 1.0, traits: dict[str, float] | None = None
    ) -> np.ndarray:
        """The face of each seed, uint8 RGB (n, size, size, 3)."""
        return self.draw(self.styles(self.latents(seeds), truncation, traits))


def write_weights(
    path: Path,
    generator: dict[str, Tensor],
    changes: dict[str, Tensor] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write the generator alone, and its directions, as bf16; raises StorageError."""
    tensors = {f"{_NETWORK}{name}": tensor.to(torch.bfloat16) for name, tensor in generator.items()}
    tensors |= {f"{_CHANGE}{name}": vector.to(torch.bfloat16) for name, vector in (changes or {}).items()}
    write_tensors(path, tensors, metadata)


def read_config(folder: Path) -> PortraitConfig:
    """The config.json of a model folder; raises ModelError where there is none, or none that can be read."""
    path = Path(folder) / CONFIG
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"There is no model in {folder}. Make one with `likeness portrait fit`.") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read. Fit the model again.") from error
    return _config(stated, path)


def write_config(folder: Path, config: PortraitConfig) -> None:
    """Write config.json; raises StorageError."""
    write_text(Path(folder) / CONFIG, config.model_dump_json(indent=2) + "\n")


def shipped_weights() -> Path:
    """The model in the package: weights/portraits.safetensors, described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "portraits.safetensors"))


def _config(stated: object, path: Path) -> PortraitConfig:
    if isinstance(stated, dict) and isinstance(stated.get("format"), int) and stated["format"] > FORMAT:
        raise ModelError(f"{path} was made by a newer Likeness. Update Likeness to use it.")
    if not isinstance(stated, dict) or stated.get("kind") != "portrait":
        raise ModelError(f"{path} is not the description of a portrait model. Fit one with `likeness portrait fit`.")
    try:
        config = PortraitConfig.model_validate(stated)
        _ = config.network_settings
    except (ValidationError, TypeError, KeyError) as error:
        raise ModelError(f"{path} is not the description of a portrait model. Fit the model again.") from error
    return config


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _unsigned(seed: int) -> tuple[int, int]:
    """A seed of either sign as numpy takes it."""
    return abs(seed), int(seed < 0)
