"""Is this the same person in every frame?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.recogniser_looks import Look, cosine_figure, look_of
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread
from likeness.faces.face import Face, Track
from likeness.faces.identity import Recogniser, recogniser
from likeness.media.clip import Clip


@dataclass(frozen=True)
class IdentityDriftSettings:
    """How much of a track is compared with itself."""

    most_faces: int = 24
    least_faces: int = 12
    shortest_s: float = 1.5
    narrowest_px: float = 60.0
    largest_yaw: float = 25.0  # degrees: beyond, recognisers are weak


class IdentityDrift(Cue[Look]):
    """A swap that is drawn frame by frame is not equally somebody else in all of them.

    ``drift`` is how far the recogniser's vectors of a face lie from what its pose makes of them, in the middle frame,
    and ``flip`` how much farther they are in the worst ones (log2), as where a swap falls out (compare Liu et al. 2023,
    TI2Net: Temporal Identity Inconsistency). Needs no reference. Abstains on small or turned faces, on few of them and
    on pictures.
    """

    name = "identity_drift"
    without_faces = "No face was found that could stay the same."

    def __init__(
        self,
        settings: IdentityDriftSettings | None = None,
        calibration: CueCalibration | None = None,
        model: Recogniser | None = None,
    ) -> None:
        super().__init__(calibration)
        self.settings = settings or IdentityDriftSettings()
        self._given = model

    @cached_property
    def recogniser(self) -> Recogniser:
        return self._given or recogniser()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind != "video":
            return "A single picture shows nobody change."
        settings, usable = self.settings, self._usable(track)
        seconds = usable[-1].time_s - usable[0].time_s if usable else 0.0
        if len(usable) < settings.least_faces or seconds < settings.shortest_s:
            return (
                f"{len(usable)} frames in {seconds:.1f} s show the face at least {settings.narrowest_px:.0f} px wide "
                f"and turned less than {settings.largest_yaw:.0f}°; comparing it with itself needs "
                f"{settings.least_faces} in {settings.shortest_s:.1f} s."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_faces)

    def note(self, sighting: Sighting) -> Look:
        return look_of(sighting)

    def measure(self, clip: Clip, track: Track, notes: Sequence[Look]) -> Measurement | str:
        if len(notes) < self.settings.least_faces:
            return "Too few frames of the face could be read to compare it with itself."
        embeddings = self.recogniser.embed(np.stack([note.crop for note in notes])).astype(np.float64)
        pose = np.radians([(note.yaw, note.pitch) for note in notes])
        times, away = np.array([note.time_s for note in notes]), drift_of(embeddings, pose)
        high = self.calibration.frame_high("drift")
        shortest = 1.5 * float(np.median(np.diff(times)))
        levels = {} if high is None else {"1 in 20 genuine moments above": high}
        return Measurement(
            {
                "drift": float(np.median(away)),
                "flip": float(np.log2(max(np.quantile(away, 0.95), 1e-4) / max(np.median(away), 1e-4))),
            },
            spans=[] if high is None else spans_above(times, away, high, shortest),
            figure=cosine_figure("How far the face is from its own usual look", times, away, levels),
            details={"frames": len(notes), "recogniser": self.recogniser.name},
        )

    def sentence(self, measured: Measurement) -> str:
        drift, flip = measured.values["drift"], measured.values["flip"]
        return (
            f"From frame to frame the face differs from its own usual look by {drift:.3f} (as much or more: "
            f"{self.calibration.rarity('drift', drift)}), at worst {2**flip:.1f} times as much (as much or more: "
            f"{self.calibration.rarity('flip', flip)})."
        )

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)


def drift_of(embeddings: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """How far each of ``embeddings`` (n, d) is from what its ``pose`` (n, 2; radians) makes of it: 1 − cosine, (n,)."""
    centred = pose - pose.mean(axis=0)
    terms = np.column_stack([np.ones(len(pose)), centred, centred[:, 0] ** 2])
    expected = terms @ np.linalg.lstsq(terms, embeddings, rcond=None)[0]
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(embeddings, axis=1)
    return np.asarray(np.clip(1 - (expected * embeddings).sum(axis=1) / np.maximum(lengths, 1e-9), 0, 2))
