"""Where the layers contradict one another: findings of their own, because each layer alone may look in order.

A valid "camera" claim over a watermark of synthetic media is the case that gave this its weight; nobody who reads the
layers one by one would see it. Pure: evidence in, sentences out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from likeness.prove.fingerprint import MATCH_BITS, PictureFingerprint
from likeness.prove.manifest import SYNTHETIC_SOURCE_TYPES, Credentials, Ingredient
from likeness.prove.recognise import Recognition
from likeness.prove.seconds_layer import Compared
from likeness.prove.store import Work
from likeness.prove.words import (
    declared,
    has_footage,
    is_composite,
    is_synthetic,
    recorded,
    says_camera,
    signed_by,
    stretches,
)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What all layers gave. ``own`` are the credentials inside the file; ``recorded_claims`` those that the store keeps
    of each work that the file was recognised as; ``seconds`` how it fares against the hash list."""

    own: Credentials
    seen: Recognition
    recorded_claims: Sequence[tuple[Work, Credentials]] = ()
    seconds: Compared | None = None


def contradictions(evidence: Evidence) -> list[str]:
    """Everything that does not fit together, one plain sentence or two each, the gravest first."""
    rules = (_origin, _copied_mark, _other_mark, _claimed_ids, _signed_anew, _parents, _altered, _seconds)
    return [text for rule in rules for text in rule(evidence)]


def _origin(evidence: Evidence) -> Iterator[str]:
    """The declared origin against what the store knows of the work."""
    own, seen = evidence.own, evidence.seen
    kinds = own.digital_source_types
    work = seen.work
    if work is None:
        return
    camera, synthetic = says_camera(kinds), bool(SYNTHETIC_SOURCE_TYPES.intersection(kinds))
    if camera and is_synthetic(work):
        claim = f"The credentials{_by(own)} say “{declared(kinds)}”, but {_how_known(seen, work)} {recorded(work)}."
        if seen.identical or seen.marked is work:
            yield f"{claim} A synthetic work was given the credentials of a camera."
        elif is_composite(work):
            yield (
                f"{claim} Either that work was given the credentials of a camera, or this is the footage it was made "
                "from: a fingerprint cannot tell them apart."
            )
        else:
            yield claim
    elif synthetic and says_camera([work.source_type or ""]):
        yield (
            f"The credentials{_by(own)} say “{declared(kinds)}”, but {_how_known(seen, work)} {recorded(work)}. "
            "Either it was altered since, or one of the two declares what it is not."
        )


def _copied_mark(evidence: Evidence) -> Iterator[str]:
    """A watermark over a picture that it was not made for."""
    seen = evidence.seen
    if seen.marked is None or seen.agreement != "differs":
        return
    text = (
        f"The watermark belongs to {recorded(seen.marked)}, but this does not look like that work. The mark was copied "
        "from it onto something else, or the picture was heavily changed."
    )
    other = next((match.work for match in seen.matches), None)
    yield f"{text} It looks like {recorded(other)} instead." if other else text


def _other_mark(evidence: Evidence) -> Iterator[str]:
    """More than one watermark, or one that the work looked alike was not given."""
    mark, seen = evidence.seen.mark, evidence.seen
    beneath = {work.mark_id for work in seen.beneath}
    if foreign := [mark_id for mark_id in mark.also if mark_id not in beneath]:
        yield (
            f"It carries different watermarks: {mark.mark_id} and {', '.join(foreign)}. It was put together from "
            "several works, or marked more than once, as when something is made out of marked footage."
        )
    if mark.mark_id and seen.marked is None and not seen.store_problem:
        match = next((match for match in seen.matches if match.work.mark_id not in (None, mark.mark_id)), None)
        if match is not None and match.work.mark_id not in mark.also:
            yield (
                f"This looks like {recorded(match.work)}, which was given the watermark {match.work.mark_id}, but it "
                f"carries {mark.mark_id}, which the store does not know. It was marked again elsewhere, or it is "
                "another version of the same footage."
            )


def _claimed_ids(evidence: Evidence) -> Iterator[str]:
    """The watermark and fingerprint that intact credentials name, against those of the file."""
    own, mark, moments = evidence.own, evidence.seen.mark, evidence.seen.moments
    if own.mark_id and mark.mark_id and own.mark_id not in (mark.mark_id, *mark.also):
        yield (
            f"The credentials name the watermark {own.mark_id}, but the one in the picture is {mark.mark_id}. They "
            "were taken from another work, or the picture was marked again after signing."
        )
    if own.mark_id and mark.state == "absent" and mark.frames_read and own.state in ("trusted", "unknown_signer"):
        yield (
            f"The credentials hold and name the watermark {own.mark_id}, but none can be read. It was removed before "
            "signing, or the picture is too small or too even to carry one."
        )
    claimed = _fingerprint(own)
    if claimed is None or len(moments) != 1 or evidence.seen.looked_s:
        return
    bits = min((claimed.distance(made) for made in moments[0].views.values() if made.usable), default=0)
    if bits > MATCH_BITS:
        yield (
            f"The credentials name the fingerprint of another picture: {bits} of 256 bits differ, and up to "
            f"{MATCH_BITS} would show the same."
        )


def _signed_anew(evidence: Evidence) -> Iterator[str]:
    """Credentials other than those that the work was published with, unless either was made from the other."""
    own = evidence.own
    known = [claim for _, claim in evidence.recorded_claims]
    if own.state == "absent" or not known or any(claim.manifest == own.manifest for claim in known):
        return
    if any(_leads_to(part, claim) for part in own.all_ingredients() for claim in known):
        return
    if own.state != "invalid" and any(_leads_to(part, own) for claim in known for part in claim.all_ingredients()):
        return  # what the work was made from, as the work's own credentials say
    work, claim = evidence.recorded_claims[0]
    signer = signed_by(claim.signer, claim.issuer)
    other = f"other credentials{_by(own)}, which do not mention that work"
    if _firm(evidence.seen, work):
        yield (
            f"This is recognised as {recorded(work)}, which was signed by {signer}, but it carries {other}. It was "
            "signed anew by somebody."
        )
    elif (own.state, own.signer, own.issuer, own.known_by) != ("trusted", claim.signer, claim.issuer, claim.known_by):
        made_from = " or it is the footage it was made from," if has_footage(work) else ""
        yield (
            f"This looks like {recorded(work)}, which was signed by {signer}, but it carries {other}. Either a copy of "
            f"that work was given them,{made_from} or it only looks alike: a fingerprint cannot tell."
        )


def _parents(evidence: Evidence) -> Iterator[str]:
    """Ingredients that do not bear out the claim made over them."""
    own = evidence.own
    if own.state in ("trusted", "unknown_signer"):
        for part in own.broken_ingredients():
            yield f"The credentials hold, but those of “{part.title}”, from which this was made, are broken."
    if says_camera(own.digital_source_types):
        for part in own.all_ingredients():
            if SYNTHETIC_SOURCE_TYPES.intersection(part.digital_source_types):
                yield (
                    f"The credentials say “{declared(own.digital_source_types)}”, but name “{part.title}” as what this "
                    f"was made from, and that is declared as: {declared(part.digital_source_types)}."
                )


def _altered(evidence: Evidence) -> Iterator[str]:
    """A mark that is there, over something that was changed after marking."""
    looks = evidence.seen.altered
    if not looks:
        return
    if evidence.own.state in ("trusted", "unknown_signer"):
        yield (
            "The credentials hold, but the fine watermark is gone from part of the picture: it was altered after it "
            "was marked and before it was signed, or somebody else signed the altered picture."
        )
    else:
        yield (
            "The watermark is there, but its fine pattern is gone from part of the picture: that part was altered "
            "after marking, or strongly blurred or denoised, and the mark does not vouch for it."
        )


def _seconds(evidence: Evidence) -> Iterator[str]:
    """Some seconds changed while the rest is as published, or while the credentials hold."""
    compared = evidence.seconds
    if compared is None or compared.located.intact:
        return
    differing = [
        *([f"{stretches(compared.changed)} of what was published"] if compared.changed else []),
        *([f"{stretches(compared.added)} of this file"] if compared.added else []),
    ]
    where = " and ".join(differing) or "the order of its parts"
    work = evidence.seen.work
    if compared.source == "credentials":
        yield f"The credentials hold, but the list of the published seconds does not fit this file: see {where}."
    elif compared.kept and (compared.kept_pictures or (work is not None and _firm(evidence.seen, work))):
        yield f"Part of this clip is bit for bit as it was published, but it was edited: see {where}."


def _firm(seen: Recognition, work: Work) -> bool:
    """Whether more than its look tells that this is ``work``."""
    return seen.identical is work or (seen.marked is work and seen.agreement != "differs")


def _by(own: Credentials) -> str:
    if own.state == "invalid":
        return " (which are broken)"
    return f" by {signed_by(own.signer, own.issuer)}"


def _how_known(seen: Recognition, work: Work) -> str:
    if seen.identical is work:
        return "this very file is in the store as"
    if seen.marked is work:
        return "the watermark leads to"
    return "this looks like"


def _leads_to(part: Ingredient, claim: Credentials) -> bool:
    """Whether an ingredient that holds carries these very credentials: the manifest's unique name and its signer."""
    holds = part.state in ("trusted", "unknown_signer")
    return holds and part.manifest is not None and (part.manifest, part.signer) == (claim.manifest, claim.signer)


def _fingerprint(own: Credentials) -> PictureFingerprint | None:
    if own.fingerprint is None or own.state not in ("trusted", "unknown_signer"):
        return None
    try:
        made = PictureFingerprint(bytes.fromhex(own.fingerprint), 100)
    except ValueError:
        return None
    return made if len(made.hash) == 32 else None
