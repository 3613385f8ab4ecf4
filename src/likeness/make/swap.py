"""Put the other face into a clip: follow, crop, decode with the other decoder, composite, write with the label."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from likeness import __version__
from likeness.errors import BadMediaError, SettingsError
from likeness.faces.identity import recogniser
from likeness.files import check_output, sha256_of
from likeness.make import choose
from likeness.make import consent as consent_records
from likeness.make.composite import CompositeSettings, Made, SteadySettings
from likeness.make.consent import Consent
from likeness.make.follow import FacePath, Span, follow_everyone
from likeness.make.label import SyntheticLabel
from likeness.make.model import WEIGHTS, SwapModel
from likeness.make.model_seal import check_seal
from likeness.make.networks.autoencoder import Side
from likeness.make.resume import Workspace, key_of
from likeness.make.sequence_label import SequenceLabel
from likeness.make.swapper import Swapper, SwapSettings, fitted
from likeness.media.clip import Clip, open_clip
from likeness.media.sequence import PictureSequence, check_folder, open_sequence, write_sequence
from likeness.media.writer import write_clip, write_picture
from likeness.progress import tracked
from likeness.prove.identity import local_identity

__all__ = [
    "CompositeSettings",
    "Made",
    "Prepared",
    "SteadySettings",
    "SwapResult",
    "SwapSettings",
    "Swapper",
    "fitted",
    "prepare",
    "swap_clip",
]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_FALLBACK_RATE = Fraction(25)  # frames a second, where a file does not say


@dataclass(frozen=True)
class SwapResult:
    """``frames`` written to ``path``, ``swapped`` of them with a face put in, and the ``seconds`` that it took."""

    path: Path
    frames: int
    swapped: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Prepared:
    """A swap that is allowed and whose faces are found: what is left is to make and to write them."""

    footage: Clip
    model: SwapModel
    consent: Consent
    paths: list[FacePath]
    workspace: Workspace


def swap_clip(clip: Path, model: Path, consent: Path, out: Path, settings: SwapSettings | None = None) -> SwapResult:
    """Write ``clip`` with the other face of ``model`` to ``out``: .mp4 for a clip, .png, .jpg or .webp for a picture,
    a new folder where ``settings.sequence`` asks for pictures.

    ``clip`` may be a folder of numbered pictures. Nothing is done before the model is found to be as training left it,
    and ``consent`` to be for the face that is put in and to cover every source of it. Frames without a face pass
    unchanged, sound is kept. Interrupted, it goes on where it stopped when it is called again alike. Raises
    ConsentError, ModelError, BadMediaError, NoFaceError, SettingsError, StorageError; ``out`` is then as it was.
    """
    started = time.monotonic()
    settings, out = settings or SwapSettings(), Path(out)
    ready = prepare(clip, model, consent, out, settings)
    footage = ready.footage
    swapper = Swapper(ready.model, ready.paths, settings, ready.workspace)
    frames = tracked(swapper.frames(footage.frames()), "Swapping the face", total=footage.frame_count)
    source, name, rate = source_file(footage), Path(model).name, footage.frame_rate or _FALLBACK_RATE
    if settings.sequence:
        pictures = SequenceLabel("swap", source=source, model=name, consent=ready.consent)
        write_sequence(out, frames, kind=settings.sequence, frame_rate=rate, labelling=pictures)
    else:
        label = SyntheticLabel("swap", source=source, model=name, consent=ready.consent)
        if footage.kind == "picture":
            write_picture(out, next(frames).image, labelling=label)
        else:
            write_clip(out, frames, frame_rate=rate, sound=footage, labelling=label)
    ready.workspace.remove()
    return SwapResult(out, swapper.seen, swapper.swapped, time.monotonic() - started)


def prepare(clip: Path, model: Path, consent: Path, out: Path, settings: SwapSettings) -> Prepared:
    """Check the consent, the clip and the output, and find the faces. Raises as `swap_clip` does."""
    clip, model, out = Path(clip), Path(model), Path(out)
    swap_model = SwapModel.load(model)
    check_seal(model)
    side: Side = "b" if settings.direction == "a2b" else "a"
    learnt = swap_model.config.sides[side]
    face = swap_model.face(side)
    record = consent_records.admit(
        consent, learnt.sources, "swap", face=face, recogniser=learnt.recogniser, revocations=settings.revocations
    )
    whole = open_sequence(clip, settings.frame_rate) if clip.is_dir() else open_clip(clip)
    _check_output(whole, out, settings)
    footage = whole.cut(settings.start_s, settings.end_s)
    chosen = _chooser(settings)
    content = footage.digest() if isinstance(footage, PictureSequence) else sha256_of(footage.path)
    followed_key = key_of([__version__, content, footage.frame_rate, footage.part, settings.only])
    spans = _within(settings.only, footage)
    parts = (sha256_of(model / WEIGHTS), settings.direction, settings.faces, settings.track, settings.smooth)
    like = sha256_of(settings.like) if settings.like else None
    made_key = key_of([followed_key, *parts, like, settings.batch, settings.occlusion])
    workspace = Workspace(out, followed_key, made_key)
    followed = workspace.followed(lambda: follow_everyone(footage, spans))
    paths = followed.paths(chosen(followed.sightings), settings.smooth)
    return Prepared(footage, swap_model, record, fitted(paths, swap_model, settings.direction), workspace)


def _within(spans: Sequence[Span], footage: Clip) -> list[Span]:
    """``spans``, in seconds of the whole clip, on the clock of the part of it that is written."""
    begin_s = footage.part[0] if footage.part else 0.0
    inside = [(max(start_s - begin_s, 0.0), min(end_s - begin_s, footage.duration_s)) for start_s, end_s in spans]
    for (start_s, end_s), (asked_s, until_s) in zip(inside, spans, strict=True):
        if start_s >= end_s:
            raise SettingsError(
                f"The seconds {asked_s:g} to {until_s:g} do not lie in what is written. Leave them out."
            )
    return inside


def _chooser(settings: SwapSettings) -> choose.Chooser:
    """How the faces are chosen; a reference picture is looked at now, before the long work."""
    if settings.track is not None:
        return choose.numbered(settings.track)
    if settings.like is not None:
        return choose.alike(settings.like, recogniser())
    return choose.every_face if settings.faces == "all" else choose.main_face


def _check_output(footage: Clip, out: Path, settings: SwapSettings) -> None:
    """Refuse before the work what could not be written after it."""
    if footage.kind == "sound":
        raise BadMediaError(f"{footage.path} has sound but no pictures. Choose footage in which a face is seen.")
    local_identity()  # made on first use: a home that cannot hold it is found now
    if settings.sequence:
        if footage.kind == "picture":
            raise SettingsError(f"{footage.path} is a single picture. Name a picture for the output.")
        check_folder(out)
        check_output(out / "000000", [])
        return
    allowed = PICTURE_SUFFIXES if footage.kind == "picture" else (".mp4",)
    if out.suffix.lower() not in allowed:
        raise SettingsError(f"A {footage.kind} is written as {' or '.join(allowed)}, so give {out} such a name.")
    check_output(out, [footage.path])


def source_file(footage: Clip) -> Path:
    """The file that the credentials name as what this was made from: of a sequence the first picture."""
    return footage.files[0] if isinstance(footage, PictureSequence) else footage.path
