"""Train a network on any data set: cut sequences of faces out of its clips, split by person, learn, choose, report."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import nn

from likeness.detect.datasets import Sample, SplitSettings, split
from likeness.detect.metrics import figures_of, roc_auc
from likeness.detect.networks.examples import Example, Examples
from likeness.detect.networks.inputs import COVERAGE, CROP, SEQUENCE
from likeness.detect.networks.sequences import SequenceNetwork
from likeness.detect.networks.stored import LEAST_FRAMES, WEIGHTS, NetworkConfig, NetworkKind, build, load
from likeness.detect.networks.training import TrainSettings, predict, train
from likeness.detect.sightings import runs
from likeness.errors import BadMediaError, FaceSetError, MissingDataError, ModelError, StorageError
from likeness.faces.align import alignment, apply, invert, square_in_crop, warp
from likeness.faces.faceset import FaceSet
from likeness.faces.tracker import track_faces
from likeness.files import atomic_write, write_text
from likeness.media.clip import open_clip
from likeness.progress import tracked

CROPS, FIGURES = "crops", "test.json"


@dataclass(frozen=True)
class FitNetworkSettings:
    """``bursts`` short sequences are taken of each clip. ``backbone`` is mobilenet or hub:NAME; ``pretrained`` is a
    file of MobileNetV2's ImageNet weights or, for sequences (which need one) and pairs, the folder of a trained frame
    network."""

    backbone: str = "mobilenet"
    pretrained: Path | None = None
    bursts: int = 8
    resume: bool = False
    split: SplitSettings = field(default_factory=SplitSettings)
    train: TrainSettings = field(default_factory=TrainSettings)


def fit_network(
    kind: NetworkKind, samples: Sequence[Sample], out: Path, settings: FitNetworkSettings | None = None
) -> NetworkConfig:
    """Train ``kind`` on ``samples`` into the folder ``out``; an interrupted run goes on with ``resume``.

    The crops are kept in ``out``/crops, so that they are cut once. People and sources are on one side of the split
    only; the weights are chosen by the validation people, test.json says how they do on the test people. Raises
    MissingDataError where a part lacks genuine or synthetic faces, ModelError, StorageError.
    """
    settings = settings or FitNetworkSettings()
    if not settings.resume and (out / WEIGHTS).is_file():
        raise ModelError(f"{out} holds a trained detector. Go on with --resume, or choose another folder.")
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out} is a file. Name a folder for the model.")
    network = begun(kind, settings)
    parts = split(samples, settings.split)
    learnt, chosen_by, tested = (
        cut_out(part, out / CROPS, settings.bursts, LEAST_FRAMES[kind])
        for part in (parts.train, parts.validate, parts.test)
    )
    if not learnt or not chosen_by:
        raise MissingDataError("There are too few people to train on some and to choose by others. Add clips.")
    config = NetworkConfig(kind=kind, backbone=settings.backbone)
    config = train(network, config, Examples(learnt), Examples(chosen_by), out, settings.train, settings.resume)
    if {row.synthetic for row in tested} == {False, True}:
        network, _ = load(out)
        write_text(out / FIGURES, json.dumps(_figures(network, kind, tested), indent=1) + "\n")
    return config


def cut_out(samples: Sequence[Sample], folder: Path, bursts: int, least_frames: int = 1) -> list[Example]:
    """``bursts`` sequences of consecutive aligned crops of the main face of each sample, kept in ``folder``.

    A file that cannot be opened, or shows no face, is left out; where ``least_frames`` are more than one, so is what
    holds no two frames that follow each other, as pictures do: a network would learn that nothing moves in them."""
    examples = []
    for sample in tracked(samples, "Cutting out faces", len(samples), "clips"):
        for crops in _stored_crops(sample.path, folder, bursts):
            if least_frames > 1 and np.array_equal(crops[0], crops[1]):
                continue
            person = sample.people[0] if sample.people else sample.source
            examples.append(Example(crops, sample.synthetic, sample.source, person, sample.manipulation))
    return examples


def _stored_crops(path: Path, folder: Path, bursts: int) -> list[np.ndarray]:
    name = hashlib.sha256(f"{path.resolve()}|{bursts}".encode()).hexdigest()[:24]
    stored = folder / f"{name}.npy"
    if not stored.is_file():
        try:
            cut = list(_of_face_set(path, bursts) if path.is_dir() else _of_clip(path, bursts))
        except (BadMediaError, FaceSetError):
            cut = []
        shape = (len(cut), SEQUENCE, CROP, CROP, 3)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(stored) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack(cut) if cut else np.zeros(shape, np.uint8))
    return list(np.load(stored, mmap_mode="r"))


def _of_clip(path: Path, bursts: int) -> Iterator[np.ndarray]:
    clip = open_clip(path)
    track = max(track_faces(clip), key=lambda one: len(one.faces), default=None)
    if track is None:
        return
    chosen = runs(track.faces, bursts, SEQUENCE)
    wanted = {face.frame: face for run in chosen for face in run}
    crops = {
        frame.index: warp(frame.image, alignment(wanted[frame.index].landmarks, CROP, COVERAGE), CROP)
        for frame in clip.frames()
        if frame.index in wanted
    }
    for run in chosen:
        if all(face.frame in crops for face in run):
            yield _filled([crops[face.frame] for face in run])


def _of_face_set(folder: Path, bursts: int) -> Iterator[np.ndarray]:
    """The same of a face set, whose crops show less around the face: what lies beyond repeats their edge."""
    faces = FaceSet.load(folder)
    columns = (faces.rows.column(name).to_pylist() for name in ("source", "track", "frame", "file"))
    rows = sorted(zip(*columns, strict=True))
    last = SEQUENCE - 1

    def consecutive(start: int) -> bool:
        begin, end = rows[start], rows[start + last]
        return begin[:2] == end[:2] and end[2] - begin[2] == last

    starts = [start for start in range(len(rows) - last) if consecutive(start)] or [0]
    chosen = (
        starts if len(starts) <= bursts else [starts[i] for i in np.linspace(0, len(starts) - 1, bursts).astype(int)]
    )
    for start in chosen:
        images = [cv2.imread(str(folder / file), cv2.IMREAD_COLOR) for *_, file in rows[start : start + SEQUENCE]]
        crops = [
            warp(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), _between(len(image)), CROP)
            for image in images
            if image is not None
        ]
        if crops:
            yield _filled(crops)


def _between(size: int) -> np.ndarray:
    """From the pixels of a face set's crop to those of a network's, (2, 3)."""
    back, forth = invert(square_in_crop(size)), square_in_crop(CROP, COVERAGE)
    linear = forth[:, :2] @ back[:, :2]
    return np.column_stack([linear, apply(forth, back[:, 2])])


def _filled(crops: list[np.ndarray]) -> np.ndarray:
    """``crops`` as a sequence of full length: the last one is repeated where there are too few."""
    return np.stack(crops + [crops[-1]] * (SEQUENCE - len(crops)))


def _figures(network: nn.Module, kind: NetworkKind, tested: list[Example]) -> dict[str, Any]:
    """AUC over the test people's sequences, with its interval by source; and how many."""
    logits, labels = predict(network, kind, tested), [row.synthetic for row in tested]
    found = figures_of(logits, labels, [row.source for row in tested], metrics={"auc": roc_auc})
    return {"sequences": len(tested), **{name: estimate.model_dump() for name, estimate in found.items()}}


def begun(kind: NetworkKind, settings: FitNetworkSettings) -> nn.Module:
    """A network of ``kind`` as ``settings`` say that it begins. Raises ModelError, MissingDataError."""
    pretrained = settings.pretrained
    if pretrained is None or pretrained.is_file():
        if kind in ("recurrent", "temporal"):
            raise ModelError(f"'{kind}' reads the features of a frame network. Name its folder with --pretrained.")
        return build(kind, settings.backbone, pretrained)
    trained, config = load(pretrained)
    if config.kind != "frames" or config.backbone != settings.backbone:
        raise ModelError(f"{pretrained} is no frame network on {settings.backbone}. Train one first.")
    network = build(kind, settings.backbone)
    target = network.frames if isinstance(network, SequenceNetwork) else network
    target.load_state_dict(trained.state_dict())
    return network
