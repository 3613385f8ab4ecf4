"""Film the clips that the package ships: `src/likeness/footage`.

    LIKENESS_DATA=… python training/footage/film.py -o src/likeness/footage
    python training/footage/film.py -o src/likeness/footage --consents-only

The second writes the consent records anew and films nothing: they describe the faces by the shipped recogniser, so new
weights of it ask for new records.

A and B speak in front of their own backgrounds. The held-out take is A's again, with other words and another seed in
the same style, so that its poses and expressions lie within what the training clips show; the answer is B giving that
very performance in A's scene.
"""

import argparse
import datetime as dt
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from likeness.actors.face_model import find_face_model
from likeness.actors.performance import Performance, Style, perform
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.speech import Voice, monologue
from likeness.actors.take import Take, film_to, truth_path
from likeness.files import write_bytes
from likeness.footage import footage_in
from likeness.make.consent import save, synthetic_consent
from likeness.media.writer import WriterSettings

SIZE, TRAINING_S, HELDOUT_S = 384, 12.0, 5.0
CRF = 19  # libx264; the four clips together stay under 9 MB
SOUND_BITS = 64_000  # a second; speech of 11 kHz bandwidth needs no more
HELDOUT_SEED = 232  # two blinks, yaw −21…14°, inside the range of both training clips
CONSENT_HOLDS = dt.timedelta(days=365 * 50)


@dataclass(frozen=True)
class Part:
    """One actor's part: who, where, and the manner of acting."""

    person: Person
    scene: Scene
    style: Style
    seed: int

    def performance(self, seconds: float, seed: int) -> Performance:
        return perform(monologue(seconds - 0.8, seed, self.style.voice), seconds, seed, self.style)


def parts() -> tuple[Part, Part]:
    """A and B: near in the tone of the skin, far in features; their scenes are lit from the same side."""
    manner = Style(head_deg=(26.0, 11.0, 7.0), blinks_a_minute=18.0)
    camera = replace(Scene().camera, distance_cm=80.0)
    scene_a = replace(Scene(), camera=camera)
    scene_b = replace(Scene.from_seed(5), camera=camera)
    a = Part(Person.named("Bruno"), scene_a, replace(manner, voice=Voice("m3", 42, 50, 160)), seed=26)
    b = Part(Person.named("Farah"), scene_b, replace(manner, voice=Voice("f2", 56, 55, 165)), seed=49)
    return a, b


def takes() -> dict[str, Take]:
    """The four takes by the name of their file."""
    a, b = parts()
    training_a, training_b = a.performance(TRAINING_S, a.seed), b.performance(TRAINING_S, b.seed)
    heldout = Take(a.person, a.scene, heldout_performance(a, (training_a, training_b)), SIZE)
    return {
        "actor_a": Take(a.person, a.scene, training_a, SIZE),
        "actor_b": Take(b.person, b.scene, training_b, SIZE),
        "heldout": heldout,
        "answer": heldout.given_by(b.person),
    }


def heldout_performance(part: Part, training: tuple[Performance, ...]) -> Performance:
    """Other words and motion by ``part``; ends the recipe where they leave the range of any training clip."""
    performance = part.performance(HELDOUT_S, HELDOUT_SEED)
    if not all(_within(performance, clip) for clip in training):
        raise SystemExit(
            "The held-out performance leaves the range of the training clips: choose another HELDOUT_SEED."
        )
    return performance


def _within(candidate: Performance, training: Performance) -> bool:
    """Whether all head poses and nine in ten expressions stay inside those of ``training``."""
    head = (candidate.head >= training.head.min(axis=0)) & (candidate.head <= training.head.max(axis=0))
    strongest = training.expression.max(axis=0)
    expression = candidate.expression.max(axis=0) <= np.maximum(1.1 * strongest, 0.15)
    return bool(head.all() and expression.mean() > 0.9)


def film_clips(out: Path) -> None:
    """Film what is not there yet, two clips at a time."""
    settings = WriterSettings(crf=CRF, sound_bits=SOUND_BITS)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        clips = {out / f"{name}.mp4": take for name, take in takes().items()}
        filming = {
            path: pool.submit(film_to, path, take, settings)
            for path, take in clips.items()
            if not truth_path(path).is_file()
        }
        for path, filmed in filming.items():
            filmed.result()
            print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)


def write_consents(out: Path) -> None:
    """A record each over all clips of that actor, bound to the face in them by the shipped recogniser."""
    if "LIKENESS_RECOGNISER" in os.environ:
        raise SystemExit("Shipped records describe faces by the shipped recogniser: unset LIKENESS_RECOGNISER.")
    clips = footage_in(out)
    a, b = parts()
    for person, covered, path in (
        (a.person, (clips.actor_a, clips.heldout), clips.consent_a),
        (b.person, (clips.actor_b, clips.answer), clips.consent_b),
    ):
        until = dt.datetime.now(dt.UTC) + CONSENT_HOLDS
        save(synthetic_consent(person.name, [clip.path for clip in covered], until), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--consents-only", action="store_true", help="film nothing, write the consent records anew")
    options = parser.parse_args()
    out = options.out
    if options.consents_only:
        write_consents(out)
        return
    film_clips(out)
    write_consents(out)
    notice = find_face_model().with_name("LICENSE")
    if notice.is_file():
        write_bytes(footage_in(out).notice, notice.read_bytes())


if __name__ == "__main__":
    main()
