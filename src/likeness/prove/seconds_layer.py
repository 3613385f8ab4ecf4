"""The hash list of a clip's seconds: which list is known, how a file fares against it, and that in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from likeness.errors import LikenessError
from likeness.media.clip import Clip
from likeness.prove.identity import own_leaves, own_roots
from likeness.prove.manifest import Credentials
from likeness.prove.recognise import Recognition
from likeness.prove.seconds import HashList, Located, SignatureState, check_signature, locate
from likeness.prove.store import Work
from likeness.prove.trust import official_list, trust_list
from likeness.prove.verification import SecondsLayer, Span
from likeness.prove.words import recorded, stretches

_SIGNED = {
    "trusted": "signed by somebody whom this computer knows",
    "unknown_signer": "signed by somebody whom this computer does not know",
    "invalid": "whose signature is broken",
    "unsigned": "without a signature",
}


@dataclass(frozen=True)
class Compared:
    """A clip against a hash list: where the list came from, its signature, and how each second fares; ``work`` is the
    one that a list from the store belongs to."""

    source: Literal["credentials", "store"]
    signature: SignatureState | None
    located: Located
    work: Work | None = None

    @property
    def by_our_store(self) -> bool:
        """Whether the list is the store's own and signed by somebody known here: nobody else can have made it."""
        return self.source == "store" and self.signature == "trusted"

    @property
    def kept(self) -> bool:
        """Whether any second of the list is still there, bit for bit."""
        both = (*self.located.pictures, *self.located.sound)
        return any(stretch.state in ("unchanged", "moved") for stretch in both)

    @property
    def kept_pictures(self) -> bool:
        """Whether any second of the pictures is: sound may be copied along with pictures that were encoded anew."""
        return any(stretch.state in ("unchanged", "moved") for stretch in self.located.pictures)

    @property
    def changed(self) -> list[Span]:
        """Stretches of the listed clip, in seconds, that are missing or encoded otherwise."""
        both = (*self.located.pictures, *self.located.sound)
        return _merged(stretch.work_s for stretch in both if stretch.state in ("changed", "missing"))

    @property
    def added(self) -> list[Span]:
        """Stretches of this file, in seconds, that the listed clip does not have."""
        both = (*self.located.pictures, *self.located.sound)
        return _merged(stretch.clip_s for stretch in both if stretch.state == "added")

    @property
    def moved(self) -> list[Span]:
        """Stretches of this file, in seconds, that stand elsewhere in the listed clip."""
        both = (*self.located.pictures, *self.located.sound)
        return _merged(stretch.clip_s for stretch in both if stretch.state == "moved")


def compare_seconds(clip: Clip, own: Credentials, seen: Recognition) -> Compared | None:
    """``clip`` against the list in credentials that hold, else against the store's; None where no list is known."""
    if clip.kind == "picture":
        return None
    listed, work = _claimed(own), None
    if listed is None and seen.work is not None:
        listed, work = seen.work.hash_list, seen.work
    if listed is None:
        return None
    source: Literal["credentials", "store"] = "credentials" if work is None else "store"
    try:
        return Compared(source, _signature(listed), locate(clip, listed), work)
    except LikenessError:
        return None  # an animated picture has no coded packets


def seconds_layer(compared: Compared | None) -> SecondsLayer:
    """The comparison in words."""
    if compared is None:
        return SecondsLayer(text="No list of this file's seconds is known.", state="unknown")
    source, signature, located = compared.source, compared.signature, compared.located
    whence = ""
    if compared.work is not None:
        signed = f", {_SIGNED[signature]}" if signature else ""
        whence = f" (by the store's list for {recorded(compared.work)}{signed})"
    if located.intact:
        text = f"Every second is bit for bit as it was published{whence}."
        return SecondsLayer(text=text, state="unchanged", source=source, signature=signature)
    if not compared.kept:
        text = f"No second is bit for bit as it was published{whence}: it was encoded anew, or all of it was changed."
        return SecondsLayer(text=text, state="encoded_anew", source=source, signature=signature)
    parts = []
    if compared.changed:
        parts.append(f"{stretches(compared.changed)} of what was published are changed or missing here")
    if compared.added:
        parts.append(f"{stretches(compared.added)} of this file are not in it")
    if compared.moved:
        parts.append(f"{stretches(compared.moved)} of this file stood at another time")
    if not (located.pictures_setup and located.sound_setup):
        parts.append("the decoder is set up otherwise, so that the same bits may show something else")
    return SecondsLayer(
        text=f"Second by second{whence}: {'; '.join(parts)}. The rest is bit for bit the same.",
        state="changed",
        source=source,
        signature=signature,
        changed=compared.changed,
        added=compared.added,
        moved=compared.moved,
    )


def _claimed(own: Credentials) -> HashList | None:
    if own.seconds is None or own.state not in ("trusted", "unknown_signer"):
        return None
    try:
        return HashList.model_validate(own.seconds)
    except ValidationError:
        return None  # somebody else's list, or only its digest


def _signature(listed: HashList) -> SignatureState | None:
    """None where the lists of known signers cannot be read."""
    try:
        lists = [path.read_text() for path in (trust_list(), official_list()) if path.exists()]
        return check_signature(listed, "".join([*own_roots(), *own_leaves(), *lists]))
    except (LikenessError, OSError):
        return None


def _merged(spans: Iterable[Span | None]) -> list[Span]:
    """Spans in order, those that touch as one."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span is not None):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
