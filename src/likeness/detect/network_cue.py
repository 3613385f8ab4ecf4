"""What the cues that ask a network have in common: which moments they look at, and how they tell of it."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from likeness.detect.calibrate import CueCalibration
from likeness.detect.cue import Cue, Measurement
from likeness.detect.heat_map import heat_map, strongest_region
from likeness.detect.networks.inputs import COVERAGE, CROP, SEQUENCE
from likeness.detect.networks.shipped import ShippedNetworks
from likeness.detect.sightings import Sighting, faces_within, runs
from likeness.examiner import Figure, Picture
from likeness.faces.face import Face, Track
from likeness.media.clip import Clip


@dataclass(frozen=True)
class NetworkCueSettings:
    """``bursts`` runs of consecutive frames are looked at. Faces narrower than ``narrowest_px``, turned beyond
    ``largest_yaw`` degrees were not learnt from."""

    bursts: int = 8
    narrowest_px: float = 64.0
    largest_yaw: float = 50.0
    shown: int = 2  # moments shown as pictures


@dataclass(frozen=True, eq=False)
class NetworkNote:
    """One frame as a network saw it: ``where`` float32 (h, w) are the parts of its logit, ``maps`` float16 (c, h, w)
    its features; None where that network does not look at single frames."""

    frame: int
    time_s: float
    crop: np.ndarray
    where: np.ndarray | None
    maps: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Moment:
    """What a network answers to one run of frames: its ``logit`` and, where it has one, the map ``where`` (h, w)."""

    time_s: float
    logit: float
    where: np.ndarray | None
    crop: np.ndarray


class NetworkCue(Cue[NetworkNote]):
    """A cue that asks a network about runs of frames; a subclass says how (`answers`) and what the network looks at.

    Abstains on faces of sizes and poses that the network was not trained on, and without consecutive frames where it
    needs some.
    """

    looks_at: str
    least_frames: int = 1
    works_on_pictures: bool = False
    without_faces = "No face was found, so there is nothing to show to a network."

    def __init__(
        self,
        settings: NetworkCueSettings | None = None,
        calibration: CueCalibration | None = None,
        networks: ShippedNetworks | None = None,
    ) -> None:
        super().__init__(calibration)
        self.settings = settings or NetworkCueSettings()
        self.networks = networks or shipped_networks()

    @abstractmethod
    def answers(self, run: Sequence[NetworkNote]) -> Moment:
        """What the network answers to the consecutive frames of ``run``, at least ``least_frames`` of them."""

    def reason_to_abstain(self, clip: Clip, track: Track) -> str | None:
        if clip.kind == "picture" and not self.works_on_pictures:
            return f"A single picture does not show {self.looks_at}."
        usable = self._usable(track)
        if not usable:
            settings = self.settings
            return (
                f"No frame shows the face at least {settings.narrowest_px:.0f} px wide and turned less than "
                f"{settings.largest_yaw:.0f}°, as the network has learnt faces."
            )
        if not self._runs(track):
            return f"No {self.least_frames} frames that follow each other show the face."
        return None

    def wants(self, clip: Clip, track: Track) -> list[Face]:
        faces = {face.frame: face for run in self._runs(track) for face in run}
        return [faces[number] for number in sorted(faces)]

    def note(self, sighting: Sighting) -> NetworkNote:
        return NetworkNote(
            sighting.face.frame, sighting.face.time_s, sighting.crop(CROP, COVERAGE), *self.seen(sighting)
        )

    def seen(self, sighting: Sighting) -> tuple[np.ndarray | None, np.ndarray | None]:
        """What the frame network makes of a sighting, for cues that need it."""
        return None, None

    def measure(self, clip: Clip, track: Track, notes: Sequence[NetworkNote]) -> Measurement | str:
        noted = {note.frame: note for note in notes}
        runs_seen = [
            [noted[face.frame] for face in run]
            for run in self._runs(track)
            if all(
                face.frame in noted for face in run
            )  # a run with a hole would show two frames that are no neighbours
        ]
        moments = [self.answers(run) for run in runs_seen]
        if not moments:
            return "Too few frames of the face could be decoded to be shown to the network."
        logits = np.array([moment.logit for moment in moments])
        name = "logit_still" if clip.kind == "picture" else "logit"
        high = self.calibration.frame_high(name)
        return Measurement(
            {name: float(logits.mean())},
            spans=[(run[0].time_s, run[-1].time_s) for run, logit in zip(runs_seen, logits, strict=True)
                   if high is not None and logit >= high],
            figure=_figure(moments, self.looks_at, high) if len(moments) > 1 else None,
            pictures=self._pictures(moments),
            details={"moments": len(moments), "in": self._strongest(moments)},
        )  # fmt: skip

    def sentence(self, measured: Measurement) -> str:
        name, value = next(iter(measured.values.items()))
        text = (
            f"A network that looks at {self.looks_at} answers {value:+.2f} "
            f"(as much or more: {self.calibration.rarity(name, value)})"
        )
        place = measured.details.get("in")
        return f"{text}, most of it because of {place}." if place and value > 0 else f"{text}."

    def _usable(self, track: Track) -> list[Face]:
        return faces_within(track, self.settings.narrowest_px, self.settings.largest_yaw)

    def _runs(self, track: Track) -> list[list[Face]]:
        found = runs(self._usable(track), self.settings.bursts, SEQUENCE)
        return [run for run in found if len(run) >= self.least_frames]

    def _pictures(self, moments: Sequence[Moment]) -> list[Picture]:
        ranked = sorted((m for m in moments if m.where is not None), key=lambda m: m.logit, reverse=True)
        return [
            heat_map(
                moment.crop, moment.where, f"{moment.time_s:.1f} s, and the places that speak most for “synthetic”"
            )
            for moment in ranked[: self.settings.shown]
            if moment.where is not None
        ]

    @staticmethod
    def _strongest(moments: Sequence[Moment]) -> str | None:
        maps = [moment.where for moment in moments if moment.where is not None]
        return strongest_region(np.mean(maps, axis=0)) if maps else None


@cache
def shipped_networks() -> ShippedNetworks:
    """The networks of the package, loaded once."""
    return ShippedNetworks()


def _figure(moments: Sequence[Moment], looks_at: str, high: float | None) -> Figure:
    levels = {"undecided": 0.0} | ({"1 in 20 genuine moments above": round(high, 3)} if high is not None else {})
    return Figure(
        title=f"What the network answers to {looks_at}",
        y_label="log odds of its training",
        times_s=[round(moment.time_s, 3) for moment in moments],
        values=[round(moment.logit, 3) for moment in moments],
        levels=levels,
    )
