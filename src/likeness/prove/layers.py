"""Each layer of a verification as a record with one plain sentence."""

from dataclasses import dataclass

from likeness.media.clip import Clip
from likeness.prove.manifest import Credentials
from likeness.prove.recognise import Recognition
from likeness.prove.store import Work
from likeness.prove.verification import (
    CredentialsLayer,
    FingerprintLayer,
    TamperLayer,
    Through,
    WatermarkLayer,
)
from likeness.prove.words import (
    broken,
    declared,
    has_footage,
    is_synthetic,
    recorded,
    signed_by,
    standing,
    stretches,
)


@dataclass(frozen=True)
class Recovered:
    """Credentials that the file itself lacks, from the store: whose, and through which layers they were found."""

    work: Work
    claim: Credentials
    through: Through


def credentials_layer(own: Credentials, recovered: Recovered | None) -> CredentialsLayer:
    """The file's own credentials, or those that were recovered where it has none."""
    found = recovered.claim if recovered else own
    if recovered:
        sure = {
            "watermark and fingerprint": "found by its watermark, and it looks like that work",
            "watermark": "found by its watermark alone, as the picture is too even to be compared",
            "fingerprint": "found by what it looks like alone, which is weaker",
        }[recovered.through]
        text = f"The file carries none. The store keeps those of {recorded(recovered.work)}, {sure}. {_claim(found)}"
        if recovered.through == "fingerprint" and has_footage(recovered.work):
            text += " The footage that work was made from looks the same, so they may not belong to this file."
    elif own.state == "absent":
        text = f"None: {own.reason or 'the file carries none'}. That says nothing, as most platforms strip them."
    else:
        text = _claim(own)
    return CredentialsLayer(
        text=text,
        state=found.state,
        signer=found.signer,
        problems=found.problems,
        ingredients=found.ingredients,
        recovered=recovered is not None,
        through=recovered.through if recovered else None,
        declared=found.digital_source_types,
        known_by=found.known_by,
        title=found.title,
        notices=found.notices,
    )


def _claim(found: Credentials) -> str:
    """What intact or broken credentials say, in words."""
    name = signed_by(found.signer, found.issuer)
    if found.state == "invalid":
        why = broken(found.problems) or "they cannot be read"
        whose = f"They name {name} as the signer; what" if found.signer else "What"
        text = f"Broken: {why}. {whose} they declare does not count."
        return " ".join(filter(None, [text, found.reason, *found.notices]))
    kinds = found.digital_source_types
    says = f"who declares: {declared(kinds)}" if kinds else "who declares no origin"
    parts = [
        f"Signed by {name}, {standing(found.state)}, {says}. The signature tells who signed, not whether that is true."
    ]
    if found.broken_ingredients():
        parts.append("Something it was made from has broken credentials.")
    return " ".join([*parts, *found.notices])


def watermark_layer(seen: Recognition, clip: Clip) -> WatermarkLayer:
    """The mark that was read, and the work it was given to."""
    mark = seen.mark
    known = None if seen.store_problem or mark.mark_id is None else seen.marked is not None
    return WatermarkLayer(
        text=_watermark_text(seen, clip),
        state=mark.state,
        id=mark.mark_id,
        also=list(mark.also),
        known=known,
        mirrored=bool(mark.mirrored),
        score=round(float(mark.score), 1),
        frames_read=mark.frames_read,
    )


def _watermark_text(seen: Recognition, clip: Clip) -> str:
    mark = seen.mark
    if clip.kind == "sound":
        return "Sound carries none."
    if mark.state == "absent":
        if not mark.frames_read:
            return "The picture is too small to carry one."
        return "None of ours was found. That says nothing: most pictures never had one, and it can be removed."
    if mark.mark_id is None:
        return f"One of version {mark.version} was found, which this program cannot read. Install a newer one."
    turned = " The picture is mirrored." if mark.mirrored else ""
    if seen.store_problem:
        return f"{mark.mark_id} was found, but the store could not be asked what it stands for.{turned}"
    if seen.marked is None:
        return (
            f"{mark.mark_id} was found, which this store does not know: it was made by this program on another "
            f"computer or account. Synthetic and camera footage alike carry such marks.{turned}"
        )
    says = {
        "match": "and this looks like that work",
        "differs": "but this does not look like that work",
        "cannot_tell": "and the picture is too even to compare it with that work",
    }[seen.agreement]
    return f"{mark.mark_id} was found. It was given to {recorded(seen.marked)}, {says}.{turned}"


def tamper_layer(seen: Recognition, clip: Clip) -> TamperLayer:
    """What the fine pattern under the mark shows of alterations."""
    looks = [look for look in seen.looks if look.reading.state != "unmarked"]
    altered = seen.altered
    if not looks:
        return TamperLayer(text=_unmarked_text(seen, clip), state="unmarked")
    if not altered and any(look.reading.state == "altered" for look in looks) and seen.marked is not None:
        if seen.identical is not None or seen.unchanged:
            text = "The fine watermark is in doubt at some places, but the bits are those that were published."
        else:
            text = (
                "The fine watermark is worn away at single moments, as compression does; nothing lasts that stands out."
            )
        return TamperLayer(text=text, state="intact")
    if not altered:
        text = "The fine watermark is there all over: nothing stands out as altered after marking."
        if len(looks) < len(seen.looks):
            text += f" It could be read at {len(looks)} of {len(seen.looks)} moments."
        return TamperLayer(text=f"{text} Small changes and changes of meaning by cutting do not show.", state="intact")
    regions = list(dict.fromkeys(_rounded(region) for look in altered for region in look.reading.regions))
    times = [round(look.time_s, 2) for look in altered]
    when = "" if clip.kind == "picture" else f" around {', '.join(f'{time:g}' for time in times)} s"
    places = "; ".join(f"x {x0:g}–{x1:g}, y {y0:g}–{y1:g}" for x0, y0, x1, y1 in regions[:3])
    text = (
        f"The fine watermark is gone from part of the picture{when}: pixels {places}. That part was altered after "
        "marking, unless the whole was strongly blurred, denoised or made small, which can look the same."
    )
    return TamperLayer(text=text, state="altered", regions=regions, at_s=[] if clip.kind == "picture" else times)


def _unmarked_text(seen: Recognition, clip: Clip) -> str:
    if clip.kind == "sound":
        return "Sound carries no watermark, so nothing would show an alteration."
    if seen.mark.state == "absent":
        reason = "no mark was found, so nothing would show an alteration"
    elif seen.mark.mark_id is None:
        reason = "the mark is of a version that this program cannot read"
    else:
        reasons = (look.reading.reason for look in seen.looks if look.reading.reason)
        reason = next(reasons, "a mark was found, but no frame could be looked at")
    return f"Nothing can be said: {reason}."


def _rounded(region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(value), 1) for value in region)
    return (x0, y0, x1, y1)


def fingerprint_layer(seen: Recognition, clip: Clip) -> FingerprintLayer:
    """Which work in the store the pictures look like."""
    agrees = {"match": True, "differs": False, "cannot_tell": None}[seen.agreement]
    if clip.kind == "sound":
        same = f" This very file is in the store: {recorded(seen.identical)}." if seen.identical else ""
        return FingerprintLayer(text=f"Sound has none.{same}", state="none", id=None)
    if seen.marked is not None and seen.alike is not None and seen.agreement == "match":
        text = f"{seen.alike:.0%} of it looks like {recorded(seen.marked)}, enough to bear its watermark out."
        if seen.identical is not None and seen.identical.sha256 == seen.marked.sha256:
            text = f"It is {recorded(seen.marked)}, that very file, byte for byte."
        elif seen.matches:
            text += f" More of it looks like {recorded(seen.matches[0].work)}."
        return FingerprintLayer(
            text=text,
            state="match",
            id=seen.marked.mark_id,
            title=seen.marked.title,
            others=len(seen.matches),
            agrees_with_watermark=True,
        )
    if not seen.matches:
        text = "It looks like nothing in the store."
        if seen.store_problem:
            text = f"The store could not be asked: {seen.store_problem}"
        elif not any(made.usable for moment in seen.moments for made in moment.views.values()):
            text = "The picture is too even for a fingerprint to mean anything."
        if seen.identical is not None:
            text += f" This very file is in the store: {recorded(seen.identical)}."
        return FingerprintLayer(text=text, state="none", id=None, agrees_with_watermark=agrees)
    match, others = seen.matches[0], len(seen.matches) - 1
    if seen.identical is not None and seen.identical.sha256 == match.work.sha256:
        text = f"It is {recorded(match.work)}, that very file, byte for byte."
    else:
        text = f"It looks like {recorded(match.work)}: {match.distance} of 256 bits differ."
    if match.alignment and match.alignment.asked_unmatched_s:
        text += f" Of {stretches(match.alignment.asked_unmatched_s)} that work has nothing."
    if match.mirrored:
        text += " It is mirrored."
    if others:
        text += f" {others} more {'works look' if others > 1 else 'work looks'} the same."
    if seen.identical is None and has_footage(match.work) and agrees is None:
        text += " The footage that work was made from has nearly the same fingerprint."
    return FingerprintLayer(
        text=text,
        state="match",
        id=match.work.mark_id,
        title=match.work.title,
        distance=match.distance,
        others=others,
        mirrored=match.mirrored,
        agrees_with_watermark=agrees,
    )


def not_known(clip: Clip, own: Credentials, seen: Recognition) -> list[str]:
    """What cannot be said of the file, whatever the layers show."""
    texts = ["Whether what is shown took place: no layer can tell that, only who signed, who marked and what was kept."]
    if seen.store_problem:
        texts.append(f"What the store knows of it: {seen.store_problem}")
    for work in seen.beneath:
        texts.append(
            f"What exactly it was made from: it also carries the mark of {recorded(work)}, probably the footage used."
        )
    if own.state == "absent" and seen.mark.state == "absent" and not seen.matches and seen.identical is None:
        texts.append("Where it comes from: it carries nothing of ours, as most footage, synthetic or not, does not.")
    if seen.mark.mark_id and seen.marked is None and not seen.store_problem:
        texts.append(f"What was marked as {seen.mark.mark_id}: only the store of whoever marked it can say.")
    made = next((match.work for match in seen.matches if is_synthetic(match.work)), None)
    kept = next((match.work for match in seen.matches if not is_synthetic(match.work)), None)
    if made is not None and kept is not None and seen.identical is None:
        texts.append(
            f"Whether this is {recorded(kept)} or {recorded(made)}: they look the same, and where one was made from "
            "the other, its older watermark may have stayed."
        )
    if clip.kind == "video" and seen.looked_s < clip.duration_s:
        texts.append(f"What the pictures after {seen.looked_s:g} s look like: only the first part was compared.")
    if clip.kind != "picture" and clip.has_sound:
        texts.append("Whether the sound belongs to the pictures: it carries no watermark and has no fingerprint.")
    return texts
