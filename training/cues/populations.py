"""The people whose clips calibrate the cues, and those kept to count false alarms. Split by person, not by clip."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from likeness.errors import MissingDataError

Part = Literal["calibrate", "evaluate"]
Population = Literal["talking heads", "signing", "actors"]

MOST_OF_ONE_PERSON = 8  # clips: more of one man would only take longer

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


def genuine_clips(data: Path, actors: list[Path]) -> list[GenuineClip]:
    """The clips of the data folder and ``actors`` (files named by actor up to the first "-"), by population and name.

    Every second person of a population, in the order of their names, is kept for the evaluation.
    Raises MissingDataError where the data folder lacks the clips.
    """
    same_man = sorted((data / "talking_heads").glob("s1_*.mpg"))[MOST_OF_ONE_PERSON:]
    heads = [
        (path, _talking_head(path.stem))
        for path in sorted((data / "talking_heads").glob("*.mpg"))
        if path not in same_man
    ]
    signers = [(path, _signer(path.stem)) for path in sorted((data / "signing").glob("*.mkv"))]
    filmed = [(path, path.stem.split("-")[0]) for path in sorted(actors)]
    if not heads:
        raise MissingDataError(f"{data} has no talking_heads/*.mpg. Point LIKENESS_DATA at the data folder.")
    found: list[GenuineClip] = []
    populations: dict[Population, list[tuple[Path, str]]] = {
        "talking heads": heads,
        "signing": signers,
        "actors": filmed,
    }
    for population, clips in populations.items():
        people = sorted({person for _, person in clips})
        parts: dict[str, Part] = {who: ("calibrate", "evaluate")[i % 2] for i, who in enumerate(people)}
        found += [GenuineClip(path, person, population, parts[person]) for path, person in clips]
    return found


def _talking_head(name: str) -> str:
    return "grid s1" if name.startswith("s1_") else _SAME_PERSON.get(name, f"grid {name}")


def _signer(name: str) -> str:
    return next((f"signer {i}" for i, own in enumerate(_SIGNERS, 1) if name in own), f"signer of {name}")
