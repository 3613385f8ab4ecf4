"""What a detector is trained on: labelled clips, pictures and face sets, who is in them, and parts that never leak.

A reader a layout: FaceForensics++, Celeb-DF, DFDC, folders named genuine/ and synthetic/, and a table. Each takes the
data as their makers hand them out. Where they have become face sets (`likeness extract` into a folder named like the
clip), these are taken as well.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from likeness.errors import MissingDataError, SettingsError
from likeness.faces.faceset import TABLE as FACE_SET_TABLE
from likeness.files import write_text

Part = Literal["train", "validate", "test"]

TABLE = "samples.csv"

_COLUMNS = ("path", "synthetic", "people", "source", "manipulation", "part")
_TRUTHS = {"1": True, "true": True, "fake": True, "synthetic": True}
_TRUTHS |= {"0": False, "false": False, "real": False, "genuine": False}
_MEDIA = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v", ".ts"}
_MEDIA |= {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".gif"}
_COMPRESSIONS = ("c23", "c40", "raw")  # of FaceForensics++: the first that is there is read
_FF_PARTS: dict[str, Part] = {"train": "train", "val": "validate", "test": "test"}
_STRICTEST: tuple[Part, ...] = ("test", "validate", "train")


@dataclass(frozen=True)
class Sample:
    """A clip, a picture or a face set (``path``, then a folder) with its label.

    ``people`` are all whose face or motion went into it. ``source`` is the original it comes from, the same for a
    genuine clip and all that was made from it. ``manipulation`` names the method, "" where genuine. ``part`` is what
    the data set's makers say, None where they say nothing.
    """

    path: Path
    synthetic: bool
    people: tuple[str, ...]
    source: str
    manipulation: str
    part: Part | None = None


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the samples, the rest is for training. ``seed`` gives another split.

    A group of people that swaps connect is kept together as long as it has at most ``largest_group`` of the samples.
    Beyond, it is divided by person, and samples that show people of two parts are left out: in Celeb-DF, everybody is
    swapped with everybody. ``official``: keep to the parts that a data set's makers publish.
    """

    validate: float = 0.15
    test: float = 0.15
    largest_group: float = 0.4
    official: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.validate, self.test) < 0 or self.validate + self.test >= 1:
            raise SettingsError("The shares for validation and test must be 0 or more, and together less than 1.")


@dataclass(frozen=True)
class Split:
    """Samples by part. Nobody, and no source, is in two of them; ``left_out`` are those that would be."""

    train: tuple[Sample, ...]
    validate: tuple[Sample, ...]
    test: tuple[Sample, ...]
    left_out: tuple[Sample, ...]


def read_samples(folders: Iterable[Path]) -> list[Sample]:
    """All samples of ``folders``, each in a layout of READERS, in order of their paths.

    Raises MissingDataError where a folder is missing, has no known layout or holds nothing, SettingsError where a
    table or list in it cannot be read.
    """
    samples = [sample for folder in folders for sample in _read_folder(Path(folder))]
    if len({sample.synthetic for sample in samples}) < 2:
        raise MissingDataError(
            "A detector is trained on genuine and on synthetic samples, and there is only one kind. Name more folders."
        )
    return samples


def split(samples: Sequence[Sample], settings: SplitSettings | None = None) -> Split:
    """Divide ``samples`` so that no person and no source is in two parts.

    People and sources that share a sample form a group (a connected component). Groups are put in the order of a hash
    of their names and dealt out to validation, test and training, genuine-only, synthetic-only and mixed groups each
    for themselves; so the same samples always give the same parts. Of three groups each part gets one.
    """
    settings = settings or SplitSettings()
    part_of = {node: part for part, units in _dealt(samples, settings).items() for unit in units for node in unit}
    chosen: dict[Part | None, list[Sample]] = defaultdict(list)
    for sample in samples:
        parts = {part_of[node] for node in _nodes(sample)}
        chosen[parts.pop() if len(parts) == 1 else None].append(sample)
    return Split(tuple(chosen["train"]), tuple(chosen["validate"]), tuple(chosen["test"]), tuple(chosen[None]))


def groups(samples: Sequence[Sample], settings: SplitSettings | None = None) -> list[int]:
    """The number of the group of each sample, for cross-validation: as in `split`, and where a large group is divided,
    a sample belongs to whom it was filmed of."""
    touching = _touching(samples)
    units = _units(samples, touching, settings or SplitSettings())
    group_of = {node: number for number, unit in enumerate(units) for node in unit}
    return [group_of["source", sample.source] for sample in samples]


def write_samples(path: Path, split_into: Split) -> None:
    """Write all samples with their parts as a table that `read_samples` reads; paths become absolute."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for part in (*get_args(Part), "left_out"):
        for sample in getattr(split_into, part):
            where, people = str(sample.path.absolute()), ";".join(sample.people)
            named = "" if part == "left_out" else part
            writer.writerow([where, int(sample.synthetic), people, sample.source, sample.manipulation, named])
    write_text(path, table.getvalue())


def _read_folder(folder: Path) -> list[Sample]:
    if folder.is_file() and folder.suffix == ".csv":
        return _read_table(folder)
    if not folder.is_dir():
        raise MissingDataError(f"There is no folder {folder}. Check the name.")
    for reads in READERS:
        samples = reads(folder)
        if samples is not None:
            break
    else:
        raise MissingDataError(
            f"{folder} has no layout that is known. Put its files under genuine/ and synthetic/, or list them "
            f"in {TABLE}."
        )
    if not samples:
        raise MissingDataError(f"{folder} holds no clip, picture or face set. Check that it was unpacked whole.")
    return sorted(samples, key=lambda sample: str(sample.path))


def _table(folder: Path) -> list[Sample] | None:
    """samples.csv: path (from the table's folder), synthetic (0 or 1), people (with ; between), source, manipulation,
    part (train, validate, test or nothing); only the first two columns are needed."""
    return _read_table(folder / TABLE) if (folder / TABLE).is_file() else None


def _faceforensics(folder: Path) -> list[Sample] | None:
    """FaceForensics++ (Rössler et al. 2019): original_sequences/{youtube,actors}/c23/videos/033.mp4 and
    manipulated_sequences/METHOD/c23/videos/033_097.mp4, 033 being the target; with the official splits/*.json.

    A YouTube video counts as a person of its own. The actors' clips are named 01__scene and 01_02__scene__key.
    """
    originals, manipulated = folder / "original_sequences", folder / "manipulated_sequences"
    if not (originals.is_dir() or manipulated.is_dir()):
        return None
    compression = next((c for c in _COMPRESSIONS if [*originals.glob(f"*/{c}"), *manipulated.glob(f"*/{c}")]), "c23")
    parts = _faceforensics_parts(folder)
    samples = []
    for root in (originals, manipulated):
        for videos in sorted(root.glob(f"*/{compression}/videos")):
            for path, name in _items(videos):
                people, _, rest = name.partition("__")
                ids = tuple(people.split("_"))
                scene = f"{ids[0]}__{rest.rpartition('__')[0] if len(ids) > 1 else rest}" if rest else ids[0]
                kind = "actor" if rest else "youtube"
                samples.append(
                    Sample(
                        path=path,
                        synthetic=root is manipulated,
                        people=tuple(f"ff++ {kind} {person}" for person in ids),
                        source=f"ff++ {scene}",
                        manipulation=videos.parent.parent.name if root is manipulated else "",
                        part=None if rest else parts.get(ids[0]),
                    )
                )
    return samples


def _faceforensics_parts(folder: Path) -> dict[str, Part]:
    """The official part of each video: splits/{train,val,test}.json list pairs of them."""
    parts = {}
    for name, part in _FF_PARTS.items():
        file = next((f for f in (folder / "splits" / f"{name}.json", folder / f"{name}.json") if f.is_file()), None)
        pairs = [] if file is None else _json(file)
        if file is not None and not (isinstance(pairs, list) and all(isinstance(pair, list) for pair in pairs)):
            raise SettingsError(f"{file} is no list of pairs of videos. Take the one of FaceForensics++.")
        parts.update({str(video): part for pair in pairs for video in pair})
    return parts


def _celeb_df(folder: Path) -> list[Sample] | None:
    """Celeb-DF v2 (Li et al. 2020): Celeb-real/id0_0000.mp4, Celeb-synthesis/id0_id1_0000.mp4 (id0's clip with the face
    of id1), YouTube-real/00000.mp4, and List_of_testing_videos.txt."""
    if not (folder / "Celeb-synthesis").is_dir():
        return None
    tested = _celeb_df_tests(folder / "List_of_testing_videos.txt")
    samples = []
    for place in ("Celeb-real", "Celeb-synthesis", "YouTube-real"):
        for path, name in _items(folder / place):
            *ids, number = name.split("_")
            people = tuple(f"celeb-df {person}" for person in ids) or (f"celeb-df youtube {name}",)
            samples.append(
                Sample(
                    path=path,
                    synthetic=place == "Celeb-synthesis",
                    people=people,
                    source=f"{people[0]}_{number}",
                    manipulation="Celeb-DF" if place == "Celeb-synthesis" else "",
                    part="test" if f"{place}/{name}" in tested else None,
                )
            )
    return samples


def _celeb_df_tests(file: Path) -> set[str]:
    """The official test clips as FOLDER/NAME; each line is a label and a path."""
    if not file.is_file():
        return set()
    lines = _text(file).splitlines()
    return {line.split()[-1].removesuffix(".mp4") for line in lines if line.strip()}


def _dfdc(folder: Path) -> list[Sample] | None:
    """DFDC (Dolhansky et al. 2020): metadata.json beside the clips, here or in folders dfdc_train_part_NN.

    It does not say who is in a clip, so the clips of such a folder count as of one person; a single folder is divided
    by source only.
    """
    tables = sorted([*folder.glob("metadata.json"), *folder.glob("*/metadata.json")])
    if not tables:
        return None
    samples = []
    for table in tables:
        rows, here = _json(table), table.parent
        people = () if here == folder else (f"dfdc {here.name}",)
        found = {name: path for path, name in _items(here)}
        if not (isinstance(rows, dict) and all(isinstance(row, dict) and "label" in row for row in rows.values())):
            raise SettingsError(f"{table} does not give a label for each clip. Take the one of DFDC.")
        for file, row in rows.items():
            path = found.get(Path(file).stem)
            if path is not None:  # whoever has a part of the clips only may train on these
                fake = row["label"] == "FAKE"
                source = f"dfdc {Path(row.get('original') or file).stem}"
                samples.append(Sample(path, fake, people, source, "DFDC" if fake else ""))
    return samples


def _plain(folder: Path) -> list[Sample] | None:
    """genuine/PERSON/… and synthetic/PERSON/OTHER/…: folders are people, the first the one who was filmed; the file's
    name before the first "-" or "__" is its source, and where there is no folder, the person."""
    places = [(folder / "genuine", False), (folder / "synthetic", True)]
    if not any(place.is_dir() for place, _ in places):
        return None
    samples = []
    for place, synthetic in places:
        for path, name in _items(place, deep=True):
            original = re.split(r"-|__", name, maxsplit=1)[0] or name
            people = path.relative_to(place).parts[:-1] or (original,)
            source = f"{people[0]}/{original}"
            samples.append(Sample(path, synthetic, people, source, "synthetic" if synthetic else ""))
    return samples


READERS: tuple[Callable[[Path], list[Sample] | None], ...] = (_table, _faceforensics, _celeb_df, _dfdc, _plain)
"""Readers by layout; each gives None where a folder is not laid out so."""


def _read_table(file: Path) -> list[Sample]:
    rows = csv.DictReader(io.StringIO(_text(file), newline=""))
    if not {"path", "synthetic"} <= set(rows.fieldnames or ()):
        raise SettingsError(f"{file} has no columns path and synthetic. Its first line must be {','.join(_COLUMNS)}.")
    return [_row(file, rows.line_num, row) for row in rows]


def _row(file: Path, line: int, row: dict[str, str]) -> Sample:
    values = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    path = file.parent / values["path"]
    truth = _TRUTHS.get(values["synthetic"].lower())
    part = values["part"] or None
    if truth is None or (part is not None and part not in get_args(Part)):
        raise SettingsError(f"{file}, line {line}: synthetic must be 0 or 1, part train, validate, test or nothing.")
    if not values["path"] or not (path.is_file() or (path / FACE_SET_TABLE).is_file()):
        raise MissingDataError(f"{file}, line {line}: there is no clip, picture or face set {path}. Correct the line.")
    source = values["source"] or path.stem
    people = tuple(person.strip() for person in values["people"].split(";") if person.strip())
    manipulation = values["manipulation"] or ("synthetic" if truth else "")
    return Sample(path, truth, people, source, manipulation if truth else "", part)  # type: ignore[arg-type]


def _items(folder: Path, deep: bool = False) -> Iterator[tuple[Path, str]]:
    """The media files and face sets of ``folder`` with their names, a face set's being the folder's."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if (path / FACE_SET_TABLE).is_file():
                yield path, path.name
            elif deep:
                yield from _items(path, deep)
        elif path.suffix.lower() in _MEDIA:
            yield path, path.stem


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read as text. Correct it or take it away.") from error


def _json(file: Path) -> Any:
    try:
        return json.loads(_text(file))
    except ValueError as error:
        raise SettingsError(f"{file} is no JSON. Take the one that came with the data.") from error


Node = tuple[str, str]  # ("person" or "source", name)


def _nodes(sample: Sample) -> list[Node]:
    return [("source", sample.source), *(("person", person) for person in sample.people)]


def _components(samples: Sequence[Sample]) -> list[list[Node]]:
    """People and sources that share a sample, directly or through others."""
    above: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        above.setdefault(node, node)
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    for sample in samples:
        first, *others = _nodes(sample)
        for other in others:
            above[root(other)] = root(first)
        root(first)
    members: dict[Node, list[Node]] = defaultdict(list)
    for node in above:
        members[root(node)].append(node)
    return list(members.values())


def _touching(samples: Sequence[Sample]) -> dict[Node, list[Sample]]:
    """The samples of each person and each source."""
    touching: dict[Node, list[Sample]] = defaultdict(list)
    for sample in samples:
        for node in _nodes(sample):
            touching[node].append(sample)
    return touching


def _dealt(samples: Sequence[Sample], settings: SplitSettings) -> dict[Part, list[list[Node]]]:
    """Units of people and sources that stay together, by part."""
    touching = _touching(samples)
    dealt: dict[Part, list[list[Node]]] = {part: [] for part in get_args(Part)}
    free: dict[Hashable, list[tuple[list[Node], int]]] = defaultdict(list)
    for unit in _units(samples, touching, settings):
        shown = {sample for node in unit for sample in touching[node]}
        said = {sample.part for sample in shown} if settings.official else set()
        official = next((part for part in _STRICTEST if part in said), None)
        if official is not None:
            dealt[official].append(unit)
        else:
            free[frozenset(sample.synthetic for sample in shown)].append((unit, len(shown)))
    for units in free.values():
        ordered = sorted(units, key=lambda weighed: _hash(min(weighed[0]), settings.seed))
        for part, chosen in _filled(ordered, settings).items():
            dealt[part].extend(chosen)
    return dealt


def _units(
    samples: Sequence[Sample], touching: dict[Node, list[Sample]], settings: SplitSettings
) -> Iterator[list[Node]]:
    """Whole groups; large ones, and those of which the makers have tested a part, by person with their sources."""
    for group in _components(samples):
        shown = {sample for node in group for sample in touching[node]}
        parts = {sample.part for sample in shown} if settings.official else {None}
        if len(parts) == 1 and len(shown) <= settings.largest_group * len(samples):
            yield group
            continue
        units: dict[Node, list[Node]] = defaultdict(list)
        for node in group:
            # A source belongs to whom most of its samples show: the one who was filmed.
            shows = Counter(("person", person) for sample in touching[node] for person in sample.people)
            most = max(shows.values(), default=0)
            owner = min((person for person, count in shows.items() if count == most), default=node)
            units[node if node[0] == "person" else owner].append(node)
        yield from units.values()


def _filled(ordered: list[tuple[list[Node], int]], settings: SplitSettings) -> dict[Part, list[list[Node]]]:
    """Deal weighed units in their order: validation first, then test, all others for training.

    What would overfill a small part by itself is passed over as long as there is anything else."""
    total = sum(weight for _, weight in ordered)
    filled: dict[Part, list[list[Node]]] = {part: [] for part in get_args(Part)}
    rest = list(ordered)
    shares: tuple[tuple[Part, float], ...] = (("validate", settings.validate), ("test", settings.test))
    for part, share in shares:
        weight = 0
        while share > 0 and len(rest) > 1:
            place = next((i for i, (_, own) in enumerate(rest) if own <= 2 * share * total), 0)
            if filled[part] and weight + rest[place][1] / 2 > share * total:
                break
            unit, own = rest.pop(place)
            filled[part].append(unit)
            weight += own
    filled["train"] = [unit for unit, _ in rest]
    return filled


def _hash(node: Node, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{node[0]}/{node[1]}".encode()).hexdigest()
