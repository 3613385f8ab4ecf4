"""Trained on one manipulation, tested on each: the matrix of the founding documents, for every kind of detector.

    LIKENESS_DATA=… python -m training.detectors.matrix MATERIAL REDRAWERS -o MATRIX --pretrained IMAGENET.npz

For each manipulation, and for all of them, the four networks are trained for minutes (MATRIX/KIND/NETWORK) and then see
faces of the 110 test portraits in motion, manipulated in every way, at three compressions. The committee is the one of
the challenge that the documents describe: two sequence networks and one frame network, their logits averaged; the
ensemble averages all four. MATRIX gets matrix.md with the AUC of each. What is finished is kept.
"""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from likeness.detect.fit_network import FitNetworkSettings, begun
from likeness.detect.networks.examples import Example
from likeness.detect.networks.inputs import CROP, SEQUENCE
from likeness.detect.networks.stored import NetworkConfig, NetworkKind, load
from likeness.detect.networks.training import TrainSettings, predict, train
from likeness.files import atomic_write, write_text
from likeness.progress import tracked
from training.detectors.burst import Burst
from training.detectors.degrade import recorded, through_h264
from training.detectors.manipulate import ALL_KINDS, GENERATED, KINDS, Decoders, Donor, manipulated
from training.detectors.material import crops_of, generated
from training.detectors.populations import COMPRESSIONS, CRFS
from training.detectors.redrawers import load_redrawers
from training.detectors.shards import load_examples
from training.detectors.sources import moved_about
from training.face_landmarks.data import load_portraits

NETWORKS: tuple[NetworkKind, ...] = ("frames", "pairs", "recurrent", "temporal")
TOGETHER = {"committee": ("recurrent", "temporal", "frames"), "ensemble": NETWORKS}
ALL = "all"


@dataclass(frozen=True)
class MatrixSettings:
    """``minutes`` of training by network; ``couples`` to test on for each manipulation."""

    minutes: dict[NetworkKind, float]
    couples: int = 8


def test_crops(data: Path, redrawers: Path, couples: int, out: Path) -> np.ndarray:
    """Test bursts uint8 (kinds, couples, compressions, 2, SEQUENCE, CROP, CROP, 3), made once and kept in ``out``."""
    stored = out / "test.npy"
    if not stored.is_file():
        stills, decoders = load_portraits(data, "test"), Decoders.of(load_redrawers(redrawers))
        crops = np.empty((len(ALL_KINDS), couples, len(CRFS), 2, SEQUENCE, CROP, CROP, 3), np.uint8)
        todo = [(kind, number) for kind in range(len(ALL_KINDS)) for number in range(couples)]
        for kind, number in tracked(todo, "Making the test", len(todo), "couples"):
            rng = np.random.default_rng([kind, number, 80])
            one, other = (int(row) for row in rng.choice(len(stills.images), 2, replace=False))
            portrait, donor = (
                Burst(stills.images[row][None], stills.landmarks[row][None], stills.names[row], "portraits")
                for row in (one, other)
            )
            genuine = recorded(moved_about(portrait, rng), rng)
            made = (
                generated(rng)
                if ALL_KINDS[kind] == GENERATED
                else manipulated(ALL_KINDS[kind], genuine, Donor(donor, answers=False), decoders, rng)
            )
            for row, crf in enumerate(CRFS):
                for which, burst in enumerate((genuine, made)):
                    coded = burst.with_frames(through_h264(burst.frames, crf)).taken(slice(-SEQUENCE, None))
                    crops[kind, number, row, which] = crops_of(coded, np.zeros((SEQUENCE, 2)))
        with atomic_write(stored) as temporary, temporary.open("wb") as file:
            np.save(file, crops)
    return np.load(stored, mmap_mode="r")


def train_on(kind: str, material: Path, out: Path, pretrained: Path, settings: MatrixSettings) -> None:
    """The four networks, trained on one manipulation (or ALL), unless they are there."""
    kinds = ALL_KINDS if kind == ALL else (kind,)
    for network in NETWORKS:
        folder = out / kind / network
        if (folder / "finished").is_file():
            continue
        begin = pretrained if network == "frames" else out / kind / "frames"
        start = begun(network, FitNetworkSettings(pretrained=begin))
        learnt, chosen_by = (load_examples(material, split, kinds) for split in ("train", "validation"))
        minutes = settings.minutes[network]
        timing = replace(TrainSettings(), minutes=minutes, validate_every_s=minutes * 20, validated=120, threads=1)
        train(start, NetworkConfig(kind=network), learnt, chosen_by, folder, timing)
        (folder / "state.pt").unlink(missing_ok=True)
        write_text(folder / "finished", "")


def scores_of(out: Path, kind: str, crops: np.ndarray) -> dict[str, np.ndarray]:
    """Logits (kinds, couples, compressions, 2) of the networks trained on ``kind``, and of what they say together."""
    shape = crops.shape[:4]
    rows = [Example(sequence, False, "", "") for sequence in crops.reshape(-1, *crops.shape[4:])]
    found = {}
    for name in NETWORKS:
        network, config = load(out / kind / name)
        found[name] = predict(network, config.kind, rows).reshape(shape)
    return found | {name: np.mean([found[one] for one in members], axis=0) for name, members in TOGETHER.items()}


def tables(scores: dict[str, dict[str, np.ndarray]]) -> str:
    """One table for each detector: rows are what it was trained on, columns what it is tested on, AUC at the three
    compressions."""
    lines = []
    for name in (*NETWORKS, *TOGETHER):
        lines += [f"### {name}", "", f"| trained on | {' | '.join(ALL_KINDS)} |", "|---|" + "---|" * len(ALL_KINDS)]
        for trained, by_name in scores.items():
            cells = []
            for kind in range(len(ALL_KINDS)):
                aucs = []
                for compression in range(len(COMPRESSIONS)):
                    genuine, made = (by_name[name][kind, :, compression, which] for which in (0, 1))
                    truth = np.repeat([0, 1], len(genuine))
                    aucs.append(f"{roc_auc_score(truth, np.concatenate([genuine, made])):.2f}")
                cells.append(" ".join(aucs))
            lines.append(f"| {trained} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("material", type=Path)
    parser.add_argument("redrawers", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--pretrained", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=3.0, help="for frames; pairs two thirds, sequences a third")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    shares: dict[NetworkKind, float] = {"frames": 1.0, "pairs": 2 / 3, "recurrent": 1 / 3, "temporal": 1 / 3}
    settings = MatrixSettings({kind: options.minutes * share for kind, share in shares.items()})
    crops = test_crops(Path(os.environ["LIKENESS_DATA"]), options.redrawers, settings.couples, options.out)
    scores = {}
    for kind in (*KINDS, ALL):
        train_on(kind, options.material, options.out, options.pretrained, settings)
        scores[kind] = scores_of(options.out, kind, crops)
        write_text(options.out / "matrix.md", tables(scores))


if __name__ == "__main__":
    main()
