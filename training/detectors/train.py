"""Train the shipped networks on what `material.py` made.

    python -m training.detectors.train frames MATERIAL -o RUN/frames --pretrained mobilenet_v2_imagenet.npz --minutes 45
    python -m training.detectors.train pairs MATERIAL -o RUN/pairs --pretrained RUN/frames --minutes 30
    python -m training.detectors.train recurrent MATERIAL -o RUN/recurrent --pretrained RUN/frames --minutes 8
    python -m training.detectors.train temporal MATERIAL -o RUN/temporal --pretrained RUN/frames --minutes 8

With `--kinds` only some manipulations are learnt, for the matrix. On a GPU: `--couples 64 --minutes 25`.
"""

import argparse
from pathlib import Path
from typing import get_args

from likeness.detect.fit_network import FitNetworkSettings, begun
from likeness.detect.networks.stored import NetworkConfig, NetworkKind
from likeness.detect.networks.training import TrainSettings, train
from training.detectors.manipulate import ALL_KINDS
from training.detectors.shards import load_examples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=get_args(NetworkKind))
    parser.add_argument("material", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--kinds", default=",".join(ALL_KINDS), help="manipulations to learn, separated by commas")
    parser.add_argument("--minutes", type=float, default=TrainSettings.minutes)
    parser.add_argument("--couples", type=int, default=TrainSettings.couples)
    parser.add_argument("--learning-rate", type=float, default=TrainSettings.learning_rate)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    settings = TrainSettings(
        minutes=options.minutes,
        couples=options.couples,
        learning_rate=options.learning_rate,
        threads=options.threads,
    )
    network = begun(options.kind, FitNetworkSettings(pretrained=options.pretrained))
    examples = load_examples(options.material, "train", kinds)
    validation = load_examples(options.material, "validation", kinds)
    print(f"{len(examples.rows)} examples to learn from, {len(validation.rows)} to choose by", flush=True)
    config = NetworkConfig(kind=options.kind)
    config = train(network, config, examples, validation, options.out, settings, options.resume)
    print(f"{config.kind}: step {config.step}, AUC {config.validation_auc} on validation people", flush=True)


if __name__ == "__main__":
    main()
