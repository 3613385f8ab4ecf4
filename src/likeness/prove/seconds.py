"""Hash lists: which seconds of a clip are still bit for bit what was published.

The coded packets of pictures and of sound are hashed apart, one SHA-256 for each second. The
container is left out, so that stripping metadata or moving the streams from mp4 to mkv and back changes nothing, while
any new encoding changes its second. A second is found again by its packets and not by its time: a trimmed or rearranged
copy still shows which of its seconds are ours. The list is signed like the credentials, over its canonical JSON.
"""

import datetime as dt
import hashlib
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from likeness.errors import CredentialError
from likeness.media.clip import Clip
from likeness.media.packets import Track, coded_packets, coding
from likeness.prove.identity import Identity, signing_identity
from likeness.prove.signature import sign_bytes, signature_holds

SignatureState = Literal["trusted", "unknown_signer", "invalid", "unsigned"]
StretchState = Literal["unchanged", "moved", "changed", "missing", "added"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_DOMAIN = b"likeness seconds 1\n"  # keeps a signature over a list from being valid for anything else
_FIRST_DIGITS = 16  # of the first packet's hash, by which a second is looked for
_CLOCK_S = 0.1  # two copies of one clip may differ by this much in where time 0 is
_MOST_PLACES = 64  # where a second is looked for if its first packet repeats, as in silence


class SecondHash(BaseModel):
    """One second of a track: how many packets begin in it, the start of the first one's SHA-256, and that of them all.

    ``sha256`` is taken over the packets' own SHA-256 digests (32 bytes each) in the order of presentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    packets: int = Field(ge=1, le=1_000_000)
    first: str = Field(pattern=r"^[0-9a-f]{16}$")
    sha256: Sha256


class HashList(BaseModel):
    """The seconds of a clip, from 0 on; None where no packet begins in that second (a gap, a slow frame rate).

    ``pictures_coding`` and ``sound_coding`` are SHA-256 over what the decoders are set up with; None without the track.
    ``mark_id`` binds the list to a work. ``signature`` is over all the rest, in hex digits
    (``likeness.prove.signature``), ``certificates`` the signer's chain as PEM, leaf first; both are empty while it is
    unsigned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    mark_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{10}$")
    pictures_coding: Sha256 | None = None
    pictures: tuple[SecondHash | None, ...] = ()
    sound_coding: Sha256 | None = None
    sound: tuple[SecondHash | None, ...] = ()
    signed_at: AwareDatetime | None = None
    certificates: str = Field(default="", max_length=100_000)
    signature: str = Field(default="", pattern=r"^([0-9a-f]{2}){0,1024}$")

    @field_validator("signed_at")
    @classmethod
    def _in_utc(cls, time: dt.datetime | None) -> dt.datetime | None:
        return None if time is None else time.astimezone(dt.UTC).replace(microsecond=0)

    def digest(self) -> str:
        """SHA-256 of the whole list, as 64 hex digits: what a short claim can carry in its place."""
        return hashlib.sha256(_canonical(self.model_dump(mode="json"))).hexdigest()


@dataclass(frozen=True)
class Stretch:
    """Consecutive seconds of one track that fared alike.

    ``clip_s`` is where it lies in the clip that was looked at and ``work_s`` where in the listed work, both in seconds;
    None where it has no place there. Unchanged: bit for bit, at its own time. Moved: bit for bit, at another time.
    Changed: other packets in its place. Missing: nothing in its place. Added: packets that no listed second has.
    """

    state: StretchState
    clip_s: tuple[float, float] | None
    work_s: tuple[float, float] | None


@dataclass(frozen=True)
class Located:
    """How a clip fares against a hash list, track by track, in the order of the clip.

    ``pictures_setup`` and ``sound_setup`` say whether the decoders are set up as listed: if not, the same packets may
    show something else.
    """

    pictures: tuple[Stretch, ...]
    sound: tuple[Stretch, ...]
    pictures_setup: bool
    sound_setup: bool

    @property
    def intact(self) -> bool:
        """Whether every packet of both tracks is as it was listed, and in its place."""
        states = {stretch.state for stretch in (*self.pictures, *self.sound)}
        return states <= {"unchanged"} and self.pictures_setup and self.sound_setup

    def seconds(self, track: Track, state: StretchState) -> float:
        """How many seconds of ``track`` are in ``state``: of the clip for added ones, else of the work."""
        stretches = self.pictures if track == "pictures" else self.sound
        spans = (
            stretch.clip_s if state == "added" else stretch.work_s for stretch in stretches if stretch.state == state
        )
        return sum(span[1] - span[0] for span in spans if span is not None)


def hash_list(clip: Clip, mark_id: str | None = None) -> HashList:
    """Hash every second of ``clip``; unsigned. Raises BadMediaError where the file is a picture or cannot be read."""
    return HashList(
        mark_id=mark_id,
        pictures_coding=coding(clip, "pictures"),
        pictures=_seconds(_track(clip, "pictures")),
        sound_coding=coding(clip, "sound"),
        sound=_seconds(_track(clip, "sound")),
    )


def sign(unsigned: HashList, identity: Identity | None = None, now: dt.datetime | None = None) -> HashList:
    """The list signed by ``identity`` (the local one by default); an earlier signature is replaced.

    Raises CredentialError where the identity cannot sign.
    """
    identity = identity or signing_identity()
    named = unsigned.model_copy(
        update={
            "signed_at": (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).replace(microsecond=0),
            "certificates": identity.certificates_pem,
            "signature": "",
        }
    )
    return named.model_copy(update={"signature": sign_bytes(identity, _signed_bytes(named)).hex()})


def check_signature(signed: HashList, anchors_pem: str) -> SignatureState:
    """Whether the list is as it was signed, and whether its signer is known: whose chain meets ``anchors_pem``.

    Anchors are PEM certificates one after another, such as ``likeness.prove.trust`` lists. A certificate has to be in
    force at the time of signing, which the list itself states. Raises CredentialError where the anchors are unreadable.
    """
    if not signed.signature:
        return "unsigned"
    try:
        chain = x509.load_pem_x509_certificates(signed.certificates.encode())
        key = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "invalid"
    if not signature_holds(key, bytes.fromhex(signed.signature), _signed_bytes(signed)):
        return "invalid"
    try:
        anchors = x509.load_pem_x509_certificates(anchors_pem.encode()) if anchors_pem.strip() else []
    except ValueError as error:
        raise CredentialError("The list of known signers cannot be read. Put PEM certificates in it.") from error
    return "trusted" if _leads_to(chain, anchors, signed.signed_at) else "unknown_signer"


def signer_name(signed: HashList) -> str | None:
    """The common name in the signer's certificate; None where there is none. Says nothing about its truth."""
    try:
        leaf = x509.load_pem_x509_certificates(signed.certificates.encode())[0]
    except ValueError:
        return None
    names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else None


def locate(clip: Clip, listed: HashList) -> Located:
    """Find the listed seconds in ``clip``. Raises BadMediaError where it is a picture or cannot be read.

    Says nothing of the signature: see ``check_signature``. A clip that was encoded again is changed all over.
    """
    return Located(
        pictures=_located(_track(clip, "pictures"), listed.pictures),
        sound=_located(_track(clip, "sound"), listed.sound),
        pictures_setup=coding(clip, "pictures") == listed.pictures_coding,
        sound_setup=coding(clip, "sound") == listed.sound_coding,
    )


@dataclass(frozen=True)
class _Packets:
    """A track's packets in the order of presentation: times in seconds and SHA-256 digests of 32 bytes."""

    times_s: list[float]
    digests: list[bytes]

    def end_s(self, position: int) -> float:
        """When packet ``position`` gives way to the next; the last one stays as long as the one before it."""
        if position + 1 < len(self.times_s):
            return self.times_s[position + 1]
        step_s = self.times_s[-1] - self.times_s[-2] if len(self.times_s) > 1 else 0.0
        return self.times_s[-1] + step_s

    def span_s(self, start: int, end: int) -> tuple[float, float]:
        """From when to when packets ``start`` to ``end`` (exclusive) are presented."""
        return (round(max(self.times_s[start], 0.0), 3), round(max(self.end_s(end - 1), 0.0), 3))


def _track(clip: Clip, track: Track) -> _Packets:
    """The packets in order. A track that starts about at 0 s starts there: muxers shift it by the priming of AAC."""
    read = [(packet.time_s, hashlib.sha256(packet.content).digest()) for packet in coded_packets(clip, track)]
    read.sort(key=lambda packet: packet[0])  # stable: packets of one time stay in stored order
    start_s = read[0][0] if read and abs(read[0][0]) < _CLOCK_S else 0.0
    return _Packets([time_s - start_s for time_s, _ in read], [digest for _, digest in read])


def _seconds(track: _Packets) -> tuple[SecondHash | None, ...]:
    """The packets by the second in which they begin; what begins before 0 s counts to the first."""
    groups: dict[int, list[bytes]] = defaultdict(list)
    for time_s, digest in zip(track.times_s, track.digests, strict=True):
        groups[max(int(round(time_s, 3)), 0)].append(digest)  # mkv rounds to milliseconds, so all do
    return tuple(_second(groups[number]) if number in groups else None for number in range(max(groups, default=-1) + 1))


def _second(digests: Sequence[bytes]) -> SecondHash:
    whole = hashlib.sha256(b"".join(digests)).hexdigest()
    return SecondHash(packets=len(digests), first=digests[0].hex()[:_FIRST_DIGITS], sha256=whole)


def _located(track: _Packets, listed: Sequence[SecondHash | None]) -> tuple[Stretch, ...]:
    places = _places(track, listed)
    found = sorted((start, number) for number, start in places.items())
    missing = [number for number, second in enumerate(listed) if second is not None and number not in places]
    stretches: list[Stretch] = []
    position, before = 0, -1
    for start, number in [*found, (len(track.digests), len(listed))]:
        gone = [lost for lost in missing if before < lost < number]
        missing = [lost for lost in missing if lost not in gone]
        stretches += _between(track, position, start, gone)
        if number < len(listed) and (second := listed[number]) is not None:
            clip_s = track.span_s(start, start + second.packets)
            in_place = abs(max(track.times_s[start], 0.0) - number - 0.5) <= 0.5 + _CLOCK_S
            stretches.append(Stretch("unchanged" if in_place else "moved", clip_s, (float(number), number + 1.0)))
            position = start + second.packets
        before = number
    stretches += [Stretch("missing", None, (float(lost), lost + 1.0)) for lost in missing]
    return tuple(_joined(stretches))


def _places(track: _Packets, listed: Sequence[SecondHash | None]) -> dict[int, int]:
    """Where each listed second begins among the packets: right after the one before it if it can, else nearby."""
    firsts: dict[str, list[int]] = defaultdict(list)
    for position, digest in enumerate(track.digests):
        firsts[digest.hex()[:_FIRST_DIGITS]].append(position)
    used = bytearray(len(track.digests))
    places: dict[int, int] = {}
    expected = 0
    for number, second in enumerate(listed):
        if second is None:
            continue
        starts = firsts.get(second.first, [])
        near = bisect_left(starts, expected)
        candidates = [*starts[near : near + _MOST_PLACES], *reversed(starts[max(near - _MOST_PLACES, 0) : near])]
        for start in candidates:
            end = start + second.packets
            if end <= len(used) and not any(used[start:end]) and _second(track.digests[start:end]) == second:
                used[start:end] = b"\1" * second.packets
                places[number] = start
                expected = end
                break
    return places


def _between(track: _Packets, start: int, end: int, gone: Sequence[int]) -> list[Stretch]:
    """What lies between two seconds that were found: packets from ``start`` to ``end``, where ``gone`` are listed."""
    clip_s = track.span_s(start, end) if end > start else None
    if not gone:
        return [Stretch("added", clip_s, None)] if clip_s else []
    work_s = (float(gone[0]), gone[-1] + 1.0)
    return [Stretch("changed" if clip_s else "missing", clip_s, work_s)]


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours that fared alike and run on in both clips as one."""
    joined: list[Stretch] = []
    for stretch in stretches:
        last = joined[-1] if joined else None
        if (
            last
            and last.state == stretch.state
            and _runs_on(last.work_s, stretch.work_s, 0.0)
            and _runs_on(last.clip_s, stretch.clip_s, _CLOCK_S)
        ):
            joined[-1] = Stretch(last.state, _over(last.clip_s, stretch.clip_s), _over(last.work_s, stretch.work_s))
        else:
            joined.append(stretch)
    return joined


def _runs_on(one: tuple[float, float] | None, other: tuple[float, float] | None, gap_s: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(other[0] - one[1]) <= gap_s


def _over(one: tuple[float, float] | None, other: tuple[float, float] | None) -> tuple[float, float] | None:
    return (one[0], other[1]) if one and other else None


def _leads_to(chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], time: dt.datetime | None) -> bool:
    """Whether the chain (leaf first), in force at ``time`` and unbroken, comes to an anchor or to what one issued."""
    if time is None:
        return False
    for number, certificate in enumerate(chain):
        if not certificate.not_valid_before_utc <= time < certificate.not_valid_after_utc:
            return False
        if number and not _issued(chain[number - 1], certificate):
            return False
        if any(certificate == anchor or _issued(certificate, anchor) for anchor in anchors):
            return True
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return constraints.ca


def _signed_bytes(signed: HashList) -> bytes:
    return _DOMAIN + _canonical(signed.model_dump(mode="json", exclude={"signature"}))


def _canonical(content: dict[str, Any]) -> bytes:
    """One byte string for one content: keys sorted, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
