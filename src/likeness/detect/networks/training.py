"""Train a detector: couples of one source, augmented alike; the weights are chosen on people it never learns from."""

import copy
import csv
import math
import pickle
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.detect.networks.examples import AugmentSettings, Example, Examples, augmented
from likeness.detect.networks.inputs import as_tensor
from likeness.detect.networks.stored import LEAST_FRAMES, WEIGHTS, NetworkConfig, NetworkKind, save
from likeness.errors import ModelError, StorageError
from likeness.files import atomic_write
from likeness.progress import progress

STATE, TABLE, PLOT = "state.pt", "validation.csv", "validation.png"


@dataclass(frozen=True)
class TrainSettings:
    """``minutes`` of wall time in all; ``couples`` a step, of which the share ``same_source`` come from one source.

    ``margin`` weighs the wish that the synthetic one of a couple gets the higher logit, beside cross-entropy with
    ``smoothing``. Validation looks at ``validated`` examples every ``validate_every_s``.
    """

    minutes: float = 30.0
    couples: int = 12
    same_source: float = 0.9
    margin: float = 0.5
    smoothing: float = 0.02
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    averaging: float = 0.995
    warm_up: int = 50
    validate_every_s: float = 240.0
    validated: int = 300
    save_every_s: float = 120.0
    threads: int | None = None
    seed: int = 1
    augment: AugmentSettings = field(default_factory=AugmentSettings)


@dataclass(frozen=True)
class Curve:
    """One line of validation.csv."""

    step: int
    seconds: float
    loss: float
    validation_auc: float
    validation_loss: float


def train(
    network: nn.Module,
    config: NetworkConfig,
    examples: Examples,
    validation: Examples,
    out: Path,
    settings: TrainSettings | None = None,
    resume: bool = False,
) -> NetworkConfig:
    """Train ``network`` until the time is spent and leave the best of its averaged weights in ``out``.

    ``out`` gets config.json and model.safetensors (the best so far, by AUC on ``validation``), validation.csv and
    .png, and state.pt to go on from with ``resume``. Raises StorageError, ModelError.
    """
    return _Training(network, config, examples, validation, out, settings or TrainSettings()).run(resume)


def predict(network: nn.Module, kind: NetworkKind, rows: list[Example], batch: int = 8) -> np.ndarray:
    """Logits float64 (n,) of all ``rows``."""
    network.eval()
    logits = []
    with torch.inference_mode(), _autocast(network):
        for start in range(0, len(rows), batch):
            crops = np.stack([_shown(row.crops, kind) for row in rows[start : start + batch]])
            logits.append(network(_sequences(crops, _device(network))).float().cpu().numpy())
    return np.concatenate(logits).astype(np.float64)


class _Training:
    def __init__(
        self,
        network: nn.Module,
        config: NetworkConfig,
        examples: Examples,
        validation: Examples,
        out: Path,
        settings: TrainSettings,
    ) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(device)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval()
        self.config, self.out, self.settings = config, out, settings
        self.examples, self.validation = examples, _evenly(validation.rows, settings.validated, settings.seed)
        learning = [one for one in network.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(learning, settings.learning_rate, weight_decay=settings.weight_decay)
        self.step, self.spent_s, self.best = 0, 0.0, -1.0
        self.curves: list[Curve] = []
        self._losses: list[float] = []  # since the last validation

    def run(self, resume: bool) -> NetworkConfig:
        if not resume and (self.out / WEIGHTS).is_file():
            raise ModelError(f"{self.out} holds a trained detector. Go on with --resume, or choose another folder.")
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.out} cannot be made a folder. Choose another one.") from error
        if resume:
            self._go_on()
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)
        torch.manual_seed(self.settings.seed + self.step)
        batches = self._batches(np.random.default_rng([self.settings.seed, self.step]))
        try:
            self._learn(batches)
        finally:
            batches.close()
            self._save_state()
        self._validate(float(np.mean(self._losses)) if self._losses else self.curves[-1].loss if self.curves else 0.0)
        return self.config

    def _learn(self, batches: Iterator[tuple[Tensor, Tensor]]) -> None:
        settings, before, begun = self.settings, self.spent_s, time.monotonic()
        validated = saved = time.monotonic()
        with progress(f"Training {self.config.kind}", settings.minutes * 60, "s") as job:
            job.advance(before)
            while self.spent_s < settings.minutes * 60:
                self._losses.append(self._one_step(*next(batches)))
                now = before + time.monotonic() - begun
                job.advance(now - self.spent_s)
                self.spent_s = now
                job.note(f"step {self.step}, loss {np.mean(self._losses[-50:]):.4f}, best AUC {max(self.best, 0):.3f}")
                if time.monotonic() - validated > settings.validate_every_s:
                    self._validate(float(np.mean(self._losses)))
                    self._losses.clear()
                    validated = time.monotonic()
                if time.monotonic() - saved > settings.save_every_s:
                    self._save_state()
                    saved = time.monotonic()

    def _one_step(self, genuine: Tensor, synthetic: Tensor) -> float:
        settings = self.settings
        self.network.train()
        done = self.spent_s / (settings.minutes * 60)
        rate = min(1.0, (self.step + 1) / settings.warm_up) * (
            0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        )
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate
        with _autocast(self.network):
            logits = self.network(torch.cat([genuine, synthetic])).float()
        if not torch.isfinite(logits).all():
            raise ModelError("The training has diverged. Start anew with a smaller learning rate.")
        of_genuine, of_synthetic = logits.chunk(2)
        target = torch.cat([torch.zeros_like(of_genuine), torch.ones_like(of_synthetic)])
        target = target * (1 - settings.smoothing) + settings.smoothing / 2
        loss = F.binary_cross_entropy_with_logits(logits, target)
        loss = loss + settings.margin * F.softplus(of_genuine - of_synthetic).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._move_average(min(settings.averaging, (1 + self.step) / (10 + self.step)))
        return float(loss.detach())

    @torch.no_grad()
    def _move_average(self, decay: float) -> None:
        for mean, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
            if current.requires_grad:
                mean.lerp_(current, 1 - decay)

    def _batches(self, rng: np.random.Generator) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Sequences (n, t, 3, h, w) genuine and synthetic, in couples, made while the last are learned from."""

        def make() -> tuple[np.ndarray, np.ndarray]:
            columns: tuple[list[np.ndarray], list[np.ndarray]] = [], []
            for _ in range(self.settings.couples):
                couple = self.examples.couple(rng, self.settings.same_source)
                seed, begin = int(rng.integers(2**62)), float(rng.random())
                for column, example in zip(columns, couple, strict=True):
                    crops = _shown(example.crops, self.config.kind, begin)
                    column.append(augmented(crops, self.settings.augment, seed))
            return np.stack(columns[0]), np.stack(columns[1])

        device = _device(self.network)
        with ThreadPoolExecutor(1) as maker:
            coming = maker.submit(make)
            while True:
                genuine, synthetic = coming.result()
                coming = maker.submit(make)
                yield _sequences(genuine, device), _sequences(synthetic, device)

    def _validate(self, loss: float) -> None:
        logits = predict(self.average, self.config.kind, self.validation)
        truth = np.array([row.synthetic for row in self.validation], np.float64)
        auc = float(roc_auc_score(truth, logits))
        wrong = float(np.mean(np.logaddexp(0, np.where(truth == 1, -logits, logits))))
        self.curves.append(Curve(self.step, round(self.spent_s, 1), round(loss, 5), round(auc, 5), round(wrong, 5)))
        if auc > self.best:
            self.best = auc
            self.config = self.config.model_copy(update={"step": self.step, "validation_auc": round(auc, 4)})
            save(self.out, self.average, self.config)
        _write_curves(self.out, self.curves)

    def _save_state(self) -> None:
        stored = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
            "best": self.best,
            "config": self.config.model_dump(),
            "curves": [asdict(curve) for curve in self.curves],
        }
        with atomic_write(self.out / STATE) as temporary:
            torch.save(stored, temporary)

    def _go_on(self) -> None:
        path = self.out / STATE
        if not path.is_file():
            return
        try:
            stored: dict[str, Any] = torch.load(path, weights_only=True, map_location=_device(self.network))
            config = NetworkConfig(**stored["config"])
            if (config.kind, config.backbone) != (self.config.kind, self.config.backbone):
                raise ModelError(f"{self.out} holds a training of {config.kind}. Choose another folder.")
            self.network.load_state_dict(stored["network"])
            self.average.load_state_dict(stored["average"])
            self.optimizer.load_state_dict(stored["optimizer"])
        except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise ModelError(f"{path} cannot be read, so that training cannot go on. Start anew.") from error
        self.config, self.best = config, float(stored["best"])
        self.step, self.spent_s = int(stored["step"]), float(stored["spent_s"])
        self.curves = [Curve(**row) for row in stored["curves"]]


def _shown(crops: np.ndarray, kind: NetworkKind, begin: float = 0.5) -> np.ndarray:
    """The consecutive frames of ``crops`` (t, …) that ``kind`` looks at at once, from the part ``begin`` on; a shorter
    sequence repeats its last frame."""
    count = LEAST_FRAMES[kind]
    if len(crops) < count:
        crops = np.concatenate([crops, np.repeat(crops[-1:], count - len(crops), axis=0)])
    start = min(int(begin * (len(crops) - count + 1)), len(crops) - count)
    return crops[start : start + count]


def _sequences(crops: np.ndarray, device: torch.device) -> Tensor:
    """Crops uint8 (n, t, h, w, 3) as float (n, t, 3, h, w) in [-1, 1]."""
    tensor = torch.from_numpy(crops).to(device)
    return as_tensor(tensor.flatten(0, 1)).unflatten(0, tensor.shape[:2])


def _evenly(rows: Any, most: int, seed: int) -> list[Example]:
    """At most ``most`` of ``rows``, half of them synthetic, drawn once and for all."""
    rng = np.random.default_rng(seed)
    chosen: list[Example] = []
    for synthetic in (False, True):
        own = [row for row in rows if row.synthetic == synthetic]
        chosen += [own[i] for i in rng.permutation(len(own))[: -(-most // 2)]]
    return chosen


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _autocast(network: nn.Module) -> torch.autocast:
    device = _device(network).type
    native = device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device, dtype=torch.bfloat16, enabled=native)


def _write_curves(out: Path, curves: list[Curve]) -> None:
    with atomic_write(out / TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(curves[0])))
        writer.writeheader()
        writer.writerows(asdict(curve) for curve in curves)
    picture = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(picture)
    losses, aucs = picture.subplots(1, 2)
    minutes = [curve.seconds / 60 for curve in curves]
    losses.plot(minutes, [curve.loss for curve in curves], label="training")
    losses.plot(minutes, [curve.validation_loss for curve in curves], label="validation people")
    losses.set(xlabel="minutes", ylabel="loss")
    losses.legend()
    aucs.plot(minutes, [curve.validation_auc for curve in curves], marker=".")
    aucs.set(xlabel="minutes", ylabel="AUC on validation people", ylim=(0.45, 1.0))
    with atomic_write(out / PLOT) as temporary:
        picture.savefig(temporary, format="png")
