"""Is this the person of the reference?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likeness.detect.calibrate import UNCALIBRATED, CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.recogniser_looks import Look, cosine_figure, look_of
from likeness.detect.reference import Reference, ReferenceSettings, habits_distance, shape_distance
from likeness.detect.sightings import Sighting, faces_within, spans_above, spread
from likeness.faces.face import Face, Track
from likeness.faces.identity import mean_embedding
from likeness.media.clip import Clip


@dataclass(frozen=True)
class IdentitySettings:
    """How much of a clip is compared, and what the distances are worth.

    ``..._limits`` are the distances, in spreads of the reference, between which evidence (log10) rises from ``..._for``
    (0 for shape and habits) to ``..._against``. They are chosen with caution, not fitted.
    """

    most_faces: int = 24
    least_faces: int = 4
    narrowest_px: float = 40.0
    largest_yaw: float = ReferenceSettings.largest_yaw
    face_limits: tuple[float, float] = (1.0, 5.0)
    shape_limits: tuple[float, float] = (2.5, 5.0)
    habit_limits: tuple[float, float] = (1.5, 3.0)
    face_for: float = -0.1  # a swap that wears the known person's face resembles them as they do themselves
    face_against: float = 0.7
    other_against: float = 0.15
    bound: float = 1.0


class Identity(Cue[Look]):
    """A swap shows somebody's face on another's: set beside footage of the person, it can be told from them.

    What is weighed is not "synthetic" against "genuine": it is "a swap, or another person" against "the known person".
    ``face`` is how much less the face resembles the reference than the reference resembles itself (the recogniser of
    `faces.identity`), ``shape`` how far distances between landmarks are from the reference's at the same pose, and
    ``habits`` how far the correlations between movements of head, brows and mouth are (Agarwal et al. 2019, Protecting
    World Leaders Against Deep Fakes), each in spreads of the reference. Without a calibration the likelihood ratio is a
    cautious mapping of these, within ±1 (`IdentitySettings`): unlikeness counts, likeness hardly, since a swap that
    wears the known person's face resembles them. Abstains without a reference, on small or turned faces and on few of
    them. A reference from one recording knows little of other light, cameras and years.
    """

    name = "identity"
    without_faces = "No face was found to compare with the reference."

    def __init__(
        self,
        reference: Reference | None = None,
        settings: IdentitySettings | None = None,
        calibration: CueCalibration | None = None,
    ) -> None:
        super().__init__(calibration or UNCALIBRATED)
        self.reference = reference
        self.settings = settings or IdentitySettings()

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if self.reference is None:
            return "No reference was given to compare the face with. Name a folder of the person's faces (--reference)."
        settings, usable = self.settings, self._usable(track)
        needed = settings.least_faces if clip.kind == "video" else 1
        if len(usable) < needed:
            return (
                f"{len(usable)} frames show the face at least {settings.narrowest_px:.0f} px wide and turned less than "
                f"{settings.largest_yaw:.0f}°; comparing it with the reference needs {needed}."
            )
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        return spread(self._usable(track), self.settings.most_faces)

    def note(self, sighting: Sighting) -> Look:
        return look_of(sighting)

    def measure(self, clip: Clip, track: Track, notes: Sequence[Look]) -> Measurement | str:
        reference = self.reference
        if reference is None or not notes:
            return "The face could not be seen in the picture to compare it with the reference."
        embeddings = reference.recogniser.embed(np.stack([note.crop for note in notes]))
        likenesses = embeddings @ reference.mean
        if clip.kind != "video":
            likeness = float(likenesses.mean())
            return Measurement({"picture_face": reference.single.distance(likeness)}, details=self._seen(likeness))
        likeness = float(mean_embedding(embeddings) @ reference.mean)
        values = {"face": reference.parts.distance(likeness)}
        faces = self._usable(track)
        if reference.shape is not None:
            values["shape"] = shape_distance(faces, reference.shape, reference.settings)
        if reference.habits is not None:
            values["habits"] = habits_distance(faces, reference.habits, reference.settings)
        times, limit = np.array([note.time_s for note in notes]), reference.recogniser.threshold
        shortest = 1.5 * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        return Measurement(
            {name: value for name, value in values.items() if np.isfinite(value)},
            spans=spans_above(times, -likenesses, -limit, shortest),
            figure=cosine_figure(
                "How much the face resembles the reference",
                times,
                likenesses,
                {"usual in the reference": reference.single.centre, "another person below": limit},
            ),
            details=self._seen(likeness),
        )

    def sentence(self, measured: Measurement) -> str:
        if self.reference is None:
            return ""
        single = "picture_face" in measured.values
        usual = self.reference.single if single else self.reference.parts
        likeness = float(measured.details["likeness"] or 0)
        as_far = int((usual.likenesses <= likeness).sum())
        text = (
            f"The face resembles the reference {self.reference.name} by {likeness:.2f}, where parts of that resemble "
            f"the rest by {usual.centre:.2f} ({as_far} of {len(usual.likenesses)} parts as little or less)."
        )
        others = [
            f"{words} {'is' if name == 'shape' else 'are'} {measured.values[name]:.1f} times its spread away"
            for name, words in (("shape", "the face's shape"), ("habits", "habits of movement"))
            if name in measured.values
        ]
        if others:
            text += f" From the reference {' and '.join(others)}."
        return f"{text} Weighed is a swap or another person against the known person."

    def llr(self, measured: Measurement) -> float:
        """log10 likelihood ratio of "a swap, or another person" against "the known person"."""
        if self.calibration.features:
            return super().llr(measured)
        settings = self.settings
        face, other = (settings.face_for, settings.face_against), (0.0, settings.other_against)
        worth = {
            "face": (settings.face_limits, face),
            "picture_face": (settings.face_limits, face),
            "shape": (settings.shape_limits, other),
            "habits": (settings.habit_limits, other),
        }
        evidence = sum(float(np.interp(value, *worth[name])) for name, value in measured.values.items())
        return float(np.clip(evidence, -settings.bound, settings.bound))

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)

    def _seen(self, likeness: float) -> dict[str, float | str | int | bool | None]:
        reference = self.reference
        return {
            "likeness": round(likeness, 4),
            "reference": reference.name if reference else None,
            "reference_faces": reference.faces if reference else None,
            "recogniser": reference.recogniser.name if reference else None,
        }
