"""The shipped footage: two synthetic actors, a held-out performance of A, and the true answer: B giving it too.

Filmed by training/footage/film.py. Nobody in it exists. LICENSE-ICT-FaceKit is the notice of the face model behind it.
"""

from dataclasses import dataclass
from pathlib import Path

from likeness.errors import MissingDataError


@dataclass(frozen=True)
class ShippedClip:
    """``path``: 384×384 px, 25 frames a second, with speech; ``truth``: its ground truth, a `likeness.actors` Truth."""

    path: Path

    @property
    def truth(self) -> Path:
        return self.path.with_suffix(".npz")


@dataclass(frozen=True)
class Footage:
    """All of it. ``actor_a`` and ``actor_b`` are for training; ``heldout`` is A again, saying and doing other things;
    ``answer`` is B giving exactly the performance of ``heldout``, in the same light and framing: what a perfect swap
    of ``heldout`` from A to B shows. ``consent_a`` and ``consent_b`` are the actors' consent records."""

    actor_a: ShippedClip
    actor_b: ShippedClip
    heldout: ShippedClip
    answer: ShippedClip
    consent_a: Path
    consent_b: Path
    notice: Path


def footage_in(folder: Path) -> Footage:
    """The footage as it is laid out in ``folder``, whether or not it is there yet."""
    return Footage(
        actor_a=ShippedClip(folder / "actor_a.mp4"),
        actor_b=ShippedClip(folder / "actor_b.mp4"),
        heldout=ShippedClip(folder / "heldout.mp4"),
        answer=ShippedClip(folder / "answer.mp4"),
        consent_a=folder / "actor_a.consent.json",
        consent_b=folder / "actor_b.consent.json",
        notice=folder / "LICENSE-ICT-FaceKit",
    )


def footage() -> Footage:
    """The footage inside the package; raises MissingDataError where the installation is incomplete."""
    shipped = footage_in(Path(__file__).parent)
    for clip in (shipped.actor_a, shipped.actor_b, shipped.heldout, shipped.answer):
        if not clip.path.is_file():
            raise MissingDataError(f"{clip.path} is missing from the installation. Install likeness again.")
    return shipped
