"""One take: a person gives a performance in a scene. The same performance and scene with another person is its pair.

For a face swap from A to B, B's take of A's performance in A's scene is the exact answer: light, framing and motion
agree and only the person differs. No recorded footage can offer that.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from likeness.actors.performance import Performance
from likeness.actors.person import Person
from likeness.actors.scene import Scene
from likeness.actors.shot import Shot
from likeness.actors.studio import Studio
from likeness.actors.truth import Truth, TruthRecorder
from likeness.media.clip import Frame
from likeness.media.writer import SoundTrack, WriterSettings, write_clip


class ComputerGraphicsNote:
    """The `Labelling` of actors' own footage: a note in the container, nothing drawn and nothing sealed.

    Actors' clips stand in for camera footage in training and tests, with exact truth: nobody's face is used and nothing
    has been swapped, so there is nobody to be mistaken for. A label drawn into the picture would be learnt by the
    networks trained on it.
    """

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        """Return the frame as it is."""
        return image

    def metadata(self) -> dict[str, str]:
        """Say in the container what this is."""
        return {"comment": "Rendered by likeness: computer graphics of a person who does not exist"}

    def seal(self, path: Path, destination: Path) -> None:
        """Nothing to seal: credentials vouch for what is made of people's faces."""


@dataclass(frozen=True, eq=False)
class Take:
    """Who performs what, where, at which size. ``size`` pixels, square; ``supersampling`` rays a pixel and axis."""

    person: Person
    scene: Scene
    performance: Performance
    size: int = 256
    supersampling: int = 2

    def given_by(self, person: Person) -> "Take":
        """The paired take: the same performance, its sound included, in the same scene by another person."""
        return replace(self, person=person)


def film(take: Take) -> Iterator[tuple[Frame, Shot]]:
    """Stream the take's frames, each with its ground truth. Raises MissingDataError without the face model."""
    studio = Studio(take.person, take.scene, take.size, take.supersampling)
    for index, time_s in enumerate(take.performance.times_s):
        shot = studio.shoot(take.performance.pose(index))
        yield Frame(shot.image, float(time_s), index), shot


def film_to(
    path: Path,
    take: Take,
    settings: WriterSettings | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> Truth:
    """Film ``take`` into the clip ``path`` and its ground truth beside it (`truth_path`); returns the truth.

    ``on_frame`` is called after each frame; what it raises stops the filming and leaves no files.
    The truth is written last: where it is there, the clip is whole.
    """
    performance = take.performance
    recorder = TruthRecorder(take.person, take.scene, performance, (take.size, take.size))

    def frames() -> Iterator[Frame]:
        for frame, shot in film(take):
            recorder.add(shot)
            yield frame
            on_frame()

    sound = None if performance.sound is None else SoundTrack(performance.sound[:, None], performance.sample_rate)
    write_clip(
        path,
        frames(),
        frame_rate=performance.frame_rate,
        sound=sound,
        labelling=ComputerGraphicsNote(),
        settings=settings or WriterSettings(),
    )
    truth = recorder.truth()
    truth.save(truth_path(path))
    return truth


def truth_path(clip: Path) -> Path:
    """Where the ground truth of ``clip`` lies: the same name with .npz."""
    return clip.with_suffix(".npz")
