"""Choose how wide a neighbourhood of the tamper map is averaged, and from which score on a picture counts as altered.

    LIKENESS_DATA=… python -m training.watermark.choose_threshold --actors CAST [--pictures N]

On pictures of the training side only: the width that finds most alterations where two gently treated pictures in a
hundred pass for altered, that score, and the probability of a place with the highest F1 over altered pictures.
"""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from likeness.progress import tracked
from likeness.prove.watermark.read import read_picture
from likeness.prove.watermark.tamper import MAP_SIZE, look
from training.watermark.data import pictures
from training.watermark.evaluate import tamper_cases

WIDTHS = (3, 5, 7, 9, 11, 13)
LIKELY = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
FALSE_ALARMS = (0.01, 0.02, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actors", type=Path, help="a folder that `likeness cast` wrote")
    parser.add_argument("--pictures", type=int, default=150)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    loaded = pictures(Path(os.environ["LIKENESS_DATA"]), arguments.actors, for_evaluation=False)
    shown = [picture for picture in loaded if picture.kind in ("portrait", "actor")]
    shown = shown[:: max(1, len(shown) // arguments.pictures)]
    altered, maps, truths = list[bool](), list[np.ndarray](), list[np.ndarray]()
    for case in tracked(tamper_cases(arguments.actors, shown, for_evaluation=False), "Alterations", None, "pictures"):
        reading = read_picture(case.image)
        if reading.state == "found":
            altered.append(bool(case.truth.any()))
            maps.append(look(case.image, reading).map)
            small = cv2.resize(case.truth.astype(np.float32), (MAP_SIZE, MAP_SIZE), interpolation=cv2.INTER_AREA)
            truths.append(small > 0.5)
    print(f"{len(maps)} pictures, {sum(altered)} altered")
    for width in WIDTHS:
        scores = np.array([cv2.blur(one, (width, width), borderType=cv2.BORDER_REFLECT).max() for one in maps])
        chosen = []
        for share in FALSE_ALARMS:
            threshold = float(np.quantile(scores[~np.array(altered)], 1 - share))
            chosen.append(f"{threshold:.3f} at {share:.0%} finds {np.mean(scores[altered] > threshold):.3f}")
        print(f"width {width:2d}: AUC {roc_auc_score(altered, scores):.4f}, thresholds {', '.join(chosen)}")
    inside = np.concatenate([truth.ravel() for truth, one in zip(truths, altered, strict=True) if one])
    said = np.concatenate([answer.ravel() for answer, one in zip(maps, altered, strict=True) if one])
    for likely in LIKELY:
        print(f"likely {likely}: pooled F1 of places {f1_score(inside, said >= likely):.3f}")


if __name__ == "__main__":
    main()
