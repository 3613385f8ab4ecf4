"""The recorded people: whose clips calibrate the examiners, and whose are kept to test them. Split by person."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from likeness.errors import MissingDataError

Part = Literal["calibrate", "evaluate"]
Population = Literal["talking heads", "signing", "actors"]

MOST_OF_ONE_PERSON = 2  # clips: more would only take longer, people weigh the same

# GRID clips are named by sentence; these show one man (id2), and all s1_… clips show the man of bbaf2n.
_SAME_PERSON = {"id2_vcd_swwp2s": "grid id2", "pwij3p": "grid id2", "bbaf2n": "grid s1"}
# Who signs: five people, told apart by eye.
_SIGNERS = (
    ("again", "brother", "help", "no", "student", "yes"),
    ("bird", "milk", "please", "sorry", "thanks"),
    ("book", "learn", "school", "walk"),
    ("eat", "night", "sister"),
    ("hungry", "want"),
)


@dataclass(frozen=True)
class GenuineClip:
    """One clip as recorded (or, for actors, as filmed), who is in it, and which part of the calibration it serves."""

    path: Path
    person: str
    population: Population
    part: Part


def genuine_clips(data: Path) -> list[GenuineClip]:
    """The clips of the data folder, by population and name.

    Every second person of a population, in the order of their names, is kept for the evaluation.
    Raises MissingDataError where the data folder lacks the clips.
    """
    heads = sorted((data / "talking_heads").glob("*.mpg"))
    if not heads:
        raise MissingDataError(f"{data} has no talking_heads/*.mpg. Point LIKENESS_DATA at the data folder.")
    signing = sorted((data / "signing").glob("*.mkv"))
    return [
        *_split("talking heads", [(path, _talking_head(path.stem)) for path in heads]),
        *_split("signing", [(path, _signer(path.stem)) for path in signing]),
    ]


def _split(population: Population, clips: list[tuple[Path, str]]) -> list[GenuineClip]:
    """At most ``MOST_OF_ONE_PERSON`` clips of everybody, every second person's for the evaluation."""
    people = sorted({person for _, person in clips})
    parts: dict[str, Part] = {person: ("calibrate", "evaluate")[i % 2] for i, person in enumerate(people)}
    return [
        GenuineClip(path, person, population, parts[person])
        for i, (path, person) in enumerate(clips)
        if sum(other == person for _, other in clips[:i]) < MOST_OF_ONE_PERSON
    ]


def _talking_head(name: str) -> str:
    return "grid s1" if name.startswith("s1_") else _SAME_PERSON.get(name, f"grid {name}")


def _signer(name: str) -> str:
    return next((f"signer {i}" for i, own in enumerate(_SIGNERS, 1) if name in own), f"signer of {name}")
