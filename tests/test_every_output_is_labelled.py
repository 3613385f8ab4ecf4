"""No verb writes footage unlabelled: each one is run, and every picture and clip that it leaves is looked at.

``VERBS`` names every verb of the command line. Whoever adds one has to say here how it is run and what the pictures it
writes are, or this fails. Footage that was made of a face must verify as ours; everything else has a reason.
"""

import ast
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
import typer
from PIL import Image, ImageDraw, ImageFont

from likeness.actors.face_model import find_face_model
from likeness.cli import app, main
from likeness.errors import BadMediaError, MissingDataError
from likeness.faces.faceset import SHEET, TABLE, FaceSet
from likeness.files import sha256_of
from likeness.footage import footage
from likeness.make import consent
from likeness.make.consent_person import person_in
from likeness.make.label import labelled
from likeness.make.model import WEIGHTS, ModelConfig, SideRecord, write_config, write_tensors
from likeness.make.model_seal import seal
from likeness.make.portraits.model import shipped_weights
from likeness.make.recipes import recipe_for
from likeness.media.clip import open_clip
from likeness.media.frame import Frame
from likeness.media.writer import write_clip
from likeness.prove.credentials import read
from likeness.prove.identity import local_identity
from likeness.prove.ledger import Ledger
from likeness.prove.store import Store
from likeness.prove.verify import verify

PACKAGE = Path(__file__).parents[1] / "src" / "likeness"
FRAMES, RATE = 6, Fraction(25)
SYNTHETIC = {"compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia"}
STAMP = "AI-generated"


# What a written picture or clip may be, each with the test that it is just that.


def is_ours(path: Path, scene: "Scene") -> None:
    """Synthetic footage: visible label, watermark, credentials of ours, fingerprint and a line in the ledger."""
    found = verify(path)
    assert found.credentials.state == "trusted"
    assert not found.credentials.recovered, "in the file itself"
    assert set(found.credentials.declared) & SYNTHETIC
    assert (found.watermark.state, found.watermark.known) == ("found", True)
    assert found.fingerprint.id == found.watermark.id
    assert not found.contradictions
    work = Store().get(found.watermark.id or "")
    assert work is not None
    assert (work.label, work.signer) == ("AI", local_identity().name)
    assert read(path).provenance["consent_sha256"], "whose consent stands behind it"
    assert work.sha256 in {line.entry.output_sha256 for line in Ledger().lines()}
    for frame in open_clip(path).frames():
        assert shows_the_label(frame.image), f"frame {frame.index}"


def is_published(path: Path, scene: "Scene") -> None:
    """Somebody's own footage, marked and signed for them: nothing was made, so there is no visible label."""
    found = verify(path)
    assert found.credentials.state == "trusted"
    assert found.watermark.state == "found"
    assert not set(found.credentials.declared) & SYNTHETIC


def is_signed_as_it_is(path: Path, scene: "Scene") -> None:
    """The very picture that was given, with a signature."""
    assert read(path).state == "trusted"
    given, written = (next(open_clip(one).frames()).image for one in (scene.picture, path))
    assert np.array_equal(given, written)


def is_cut_out(path: Path, scene: "Scene") -> None:
    """An unaltered cutting of the user's own footage in a face set, or the sheet of them; nothing is made."""
    assert (path.parent / TABLE).exists()
    assert path.name == SHEET or path.name in FaceSet.load(path.parent).rows.column("file").to_pylist()


def is_stamped(path: Path, scene: "Scene") -> None:
    """A small sheet for whoever trains, which says over the faces what they are."""
    sheet = cv2.cvtColor(np.asarray(Image.open(path).convert("RGB")), cv2.COLOR_RGB2GRAY)
    best = 0.0
    for size in (14, 15, 16):
        font = ImageFont.load_default(size)
        x0, y0, x1, y1 = map(int, font.getbbox(STAMP))
        text = Image.new("L", (x1 - x0, y1 - y0), 255)
        ImageDraw.Draw(text).text((-x0, -y0), STAMP, fill=0, font=font)
        best = max(best, float(cv2.matchTemplate(sheet, np.asarray(text), cv2.TM_CCOEFF_NORMED).max()))
    assert best > 0.9


def is_a_plot(path: Path, scene: "Scene") -> None:
    """Curves on white."""
    assert (np.asarray(Image.open(path).convert("RGB")).min(axis=2) > 240).mean() > 0.5


def is_a_rendered_actor(path: Path, scene: "Scene") -> None:
    """Computer graphics of nobody, by a program and no trained model: it stands in for camera footage in training, and
    a label in the picture would be learnt. The file says what it is."""
    with av.open(str(path)) as container:
        assert "computer graphics of a person who does not exist" in container.metadata["comment"]


def is_of_rendered_actors(path: Path, scene: "Scene") -> None:
    """Frames of rendered clips as they are, side by side below a caption."""
    shown = np.asarray(Image.open(path).convert("RGB"))
    frames = [frame.image for clip in (path.parents[1] / "clips").glob("*.mp4") for frame in open_clip(clip).frames()]
    height, width = frames[0].shape[:2]
    for left in range(0, shown.shape[1], width):
        tile = shown[-height:, left : left + width]
        assert any(np.array_equal(tile, frame) for frame in frames)


def shows_the_label(image: np.ndarray) -> bool:
    """Whether the label's place looks like the label: white letters on a dark plate that shines through a little."""
    alone = labelled(np.full_like(image, 90))
    place = (labelled(np.zeros_like(image)) > 0).any(axis=2) | (labelled(np.full_like(image, 255)) < 255).any(axis=2)
    return bool(np.corrcoef(alone[place].mean(axis=1), image[place].mean(axis=1))[0, 1] > 0.9)


@dataclass
class Scene:
    """What the verbs are run on: footage of two actors, a model that knows nothing yet, and a record that allows it."""

    folder: Path
    home: Path
    clip: Path
    picture: Path
    model: Path
    record: Path
    key: Path
    made: dict[str, Path] = field(default_factory=dict)

    def faces(self, side: str) -> Path:
        """A face set of one of the actors."""
        if side not in self.made:
            likeness("extract", self.folder / f"{side}.mp4", "-o", self.folder / f"faces_{side}")
            self.made[side] = self.folder / f"faces_{side}"
        return self.made[side]


@dataclass(frozen=True)
class Verb:
    """How a verb is run into a folder, and what the pictures and clips are that it leaves there, by pattern."""

    run: Callable[[Scene, Path], None]
    writes: dict[str, Callable[[Path, Scene], None]] = field(default_factory=dict)
    slow: bool = False
    least: int = 1  # pictures and clips it must leave, where it leaves any


def likeness(*arguments: object) -> None:
    """The command line, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["likeness", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code in (0, None), arguments


def swap(scene: Scene, out: Path) -> None:
    common = ("--model", scene.model, "--consent", scene.record)
    likeness("swap", scene.clip, *common, "-o", out / "clip.mp4", "--approve", out / "approval.png")
    likeness("swap", scene.clip, *common, "-o", out / "clip.mp4")
    likeness("swap", scene.picture, *common, "-o", out / "picture.png", "--all-faces")
    likeness("swap", scene.picture, *common, "-o", out / "picture.jpg")
    likeness("swap", scene.clip, *common, "-o", out / "sequence", "--sequence", "png", "--to", 0.1)


def train(scene: Scene, out: Path) -> None:
    faces = (scene.faces("a"), scene.faces("b"))
    likeness("train", *faces, "-o", out / "model", "--iterations", 1, "--watch", scene.clip)


def fit(scene: Scene, out: Path) -> None:
    data = scene.folder / "to_learn"
    for kind in ("genuine", "synthetic"):
        for person in range(4):
            (data / kind / f"p{person}").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(scene.picture, data / kind / f"p{person}" / f"p{person}-{kind}{scene.picture.suffix}")
    likeness("fit", "frames", data, "-o", out / "model", "--minutes", 0.02)


def demo(scene: Scene, out: Path) -> None:
    likeness("demo", "-o", out, "--minutes", 0.05)


def with_actors(run: Callable[[Scene, Path], None]) -> Callable[[Scene, Path], None]:
    """``run`` where actors can be filmed."""

    def run_or_skip(scene: Scene, out: Path) -> None:
        try:
            find_face_model()
        except MissingDataError as error:
            pytest.skip(str(error))
        run(scene, out)

    return run_or_skip


@with_actors
def cast(scene: Scene, out: Path) -> None:
    likeness("cast", "-o", out, "--actors", 1, "--seconds", 0.2, "--size", 128, "--silent")


def portrait_fit(scene: Scene, out: Path) -> None:
    """It wants a hundred faces at least; the shipped record allows those of the actor."""
    if "many" not in scene.made:
        scene.made["many"] = scene.folder / "many"
        likeness("extract", footage().actor_b.path, "-o", scene.made["many"], "--every", 2)
    arguments = ("--consent", footage().consent_b, "--iterations", 1)
    likeness("portrait", "fit", scene.made["many"], "-o", out / "model", *arguments)


def portrait_sample(scene: Scene, out: Path) -> None:
    """By the shipped model: what one makes that has learnt nothing is too flat to hold a watermark."""
    if not shipped_weights().exists():
        pytest.skip("no portrait model is shipped")
    likeness("portrait", "sample", 1, 2, "-o", out)
    likeness("portrait", "sample", 1, 2, "-o", out, "--grid", "--interpolate", 0.2)


@with_actors
def bench_swaps(scene: Scene, out: Path) -> None:
    tiny = ("--pairs", 1, "--minutes", 0.02, "--arch", "light", "--start", "noise", "--seconds", 1.5, "--size", 128)
    likeness("bench", "swaps", "-o", out, *tiny)


@with_actors
def bench_time(scene: Scene, out: Path) -> None:
    tiny = ("--minutes", 0.02, "--start", "noise", "--seconds", 1.5, "--size", 128)
    likeness("bench", "time", "-o", out, *tiny)


def consent_new(scene: Scene, out: Path) -> None:
    purpose = ("--person", "Ada", "--purpose", "a test")
    likeness("consent", "new", scene.picture, *purpose, "-o", out / "ada.json")


def consent_revoke(scene: Scene, out: Path) -> None:
    """Of a copy that is a record of its own, so that the scene's stays in force."""
    copy = consent.load(scene.record).model_copy(update={"person": "Ada"})
    consent.save(consent.sign(copy, consent.load_key(scene.key)), out / "ada.json")
    likeness("consent", "revoke", out / "ada.json", "--key", scene.key)
    likeness("consent", "import-revocation", out / "ada.revoked.json")


def identity(scene: Scene, out: Path) -> None:
    if not (scene.home / "identities" / "Ada").exists():
        likeness("identity", "new", "Ada")
    likeness("identity", "list")
    likeness("identity", "show", "Ada")
    likeness("identity", "use", "local")
    likeness("identity", "export", "Ada", "-o", out / "ada.pem")
    likeness("identity", "trust", "add", out / "ada.pem")
    likeness("identity", "trust", "list")


def not_run(reason: str) -> Verb:
    """A verb that cannot write pictures, and whose run needs what is not here."""

    def run(scene: Scene, out: Path) -> None:
        pytest.skip(reason)

    return Verb(run)


IDENTITY = ("new", "list", "show", "use", "export", "trust add", "trust list")
BENCH = {
    "clips/*.mp4": is_a_rendered_actor,
    "faces/*": is_cut_out,
    "strips/*-unchanged.png": is_of_rendered_actors,
    "strips/*-itself.png": is_of_rendered_actors,
    "strips/*": is_stamped,
    "sheet.png": is_stamped,
    "time_to_quality*.png": is_a_plot,
}
VERBS = {
    "swap": Verb(swap, {"*": is_ours}, least=7),
    "train": Verb(train, {"model/preview.png": is_stamped, "model/*.png": is_a_plot}, slow=True),
    "demo": Verb(
        demo,
        {"swapped.mp4": is_ours, "faces_?/*": is_cut_out, "model/losses.png": is_a_plot, "*preview.png": is_stamped},
        slow=True,
    ),
    "cast": Verb(cast, {"*.mp4": is_a_rendered_actor}, slow=True),
    "extract": Verb(lambda scene, out: likeness("extract", scene.picture, "-o", out / "faces"), {"*": is_cut_out}),
    "portrait fit": Verb(portrait_fit, {"*preview.png": is_stamped, "*.png": is_a_plot}, slow=True),
    "portrait sample": Verb(portrait_sample, {"*": is_ours}, slow=True),
    "bench swaps": Verb(bench_swaps, BENCH, slow=True),
    "bench time": Verb(bench_time, BENCH, slow=True),
    "mark": Verb(lambda scene, out: likeness("mark", scene.picture, "-o", out / "p.png"), {"*": is_published}),
    "sign": Verb(lambda scene, out: likeness("sign", scene.picture, "-o", out / "p.png"), {"*": is_signed_as_it_is}),
    "check": Verb(lambda scene, out: likeness("check", scene.picture, "-o", out / "r.html", "--json", out / "r.json")),
    "fit": Verb(fit, {"model/*.png": is_a_plot}, slow=True),
    "verify": Verb(lambda scene, out: likeness("verify", scene.picture, "--json", out / "v.json")),
    "consent new": Verb(consent_new),
    "consent sign": Verb(lambda scene, out: likeness("consent", "sign", scene.record, "--key", scene.key)),
    "consent show": Verb(lambda scene, out: likeness("consent", "show", scene.record)),
    "consent revoke": Verb(consent_revoke),
    "consent import-revocation": Verb(consent_revoke),
    **{f"identity {verb}": Verb(identity) for verb in IDENTITY},
    "identity import": not_run("needs a certificate from an authority; writes keys alone"),
    "identity trust official": not_run("needs the official list; writes a list alone"),
    "identity trust revoke": not_run("needs an authority's list; writes a list alone"),
}

# Every line of ours that encodes pictures without the writer of footage, and why it may.
WRITES_PICTURES = {
    "media/writer.py": "the writer, which takes a labelling",
    "prove/signer.py": "a blank picture in memory, to try a signature out",
    "faces/extract.py": "cuttings of the user's own footage",
    "faces/faceset.py": "the sheet of those cuttings",
    "check/examine.py": "small views of the examined file, in memory, for its report",
    "make/preview.py": "stamped sheets for whoever trains",
    "demo.py": "a captioned sheet of frames that carry their label",
    **dict.fromkeys(
        (
            "make/history.py",
            "make/portraits/history.py",
            "bench/plots.py",
            "bench/detector_scores.py",
            "detect/networks/training.py",
        ),
        "plots",
    ),
    "detect/heat_map.py": "small views of the examined face, in memory, for its report",
    "detect/networks/examples.py": "compressed in memory, to learn from",
}


def commands(typers: typer.Typer, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of all verbs, such as "consent new"."""
    for command in typers.registered_commands:
        assert command.callback is not None
        yield " ".join((*path, command.name or command.callback.__name__.replace("_", "-")))
    for group in typers.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, (*path, str(group.name)))


def test_every_verb_is_accounted_for() -> None:
    assert set(commands(app)) == set(VERBS)


def test_pictures_are_written_where_we_know() -> None:
    """A new place that encodes pictures has to say here why they need no label."""
    places = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _encodes(node):
                places.add(str(file.relative_to(PACKAGE)))
    assert places == set(WRITES_PICTURES)


def _encodes(call: ast.Call) -> bool:
    """Whether ``call`` looks like Pillow's save, matplotlib's savefig or OpenCV's writing."""
    assert isinstance(call.func, ast.Attribute)
    named = {keyword.arg for keyword in call.keywords}
    to_file = [arg for arg in call.args if isinstance(arg, ast.Name) and arg.id in ("temporary", "encoded", "picture")]
    saves = call.func.attr == "save" and bool(to_file or named & {"format", "quality"})
    return saves or call.func.attr in {"savefig", "imwrite", "imencode", "imsave", "tofile"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder / "home"))
        for side, actor in (("a", footage().heldout), ("b", footage().actor_b)):
            frames = [frame for frame, _ in zip(open_clip(actor.path).frames(2.0), range(30), strict=False)]
            whole = [Frame(frame.image, index / 25, index) for index, frame in enumerate(frames)]
            write_clip(folder / f"{side}.mp4", whole, frame_rate=RATE, sound=None, labelling=_Camera())
            if side == "a":
                write_clip(folder / "clip.mp4", whole[:FRAMES], frame_rate=RATE, sound=None, labelling=_Camera())
                Image.fromarray(whole[0].image).save(folder / "picture.png")
        key = consent.make_key(folder / "b.pem")
        Image.fromarray(frames[0].image).save(folder / "b.png")
        uses: tuple[consent.Use, ...] = ("swap", "portrait")
        face = person_in([folder / "b.png"])
        record = consent.new_consent("B", [folder / "b.mp4"], purpose="a test", face=face, uses=uses)
        consent.save(consent.sign(record, key), folder / "b.json")
        _write_model(folder / "model", folder / "b.mp4", face.vector, face.recogniser)
        yield Scene(
            folder, folder / "home", folder / "clip.mp4", folder / "picture.png", folder / "model", folder / "b.json",
            folder / "b.pem",
        )  # fmt: skip


class _Camera:
    """Footage as a camera leaves it."""

    def draw(self, image: np.ndarray, time_s: float) -> np.ndarray:
        return image

    def metadata(self) -> dict[str, str]:
        return {}

    def seal(self, path: Path, destination: Path) -> None:
        """Nothing to seal."""


def _write_model(folder: Path, footage_of_b: Path, face: np.ndarray, recogniser: str) -> None:
    """A model that has learnt nothing yet of the face in ``footage_of_b``."""
    recipe = recipe_for("light")
    torch.manual_seed(0)
    write_tensors(folder / WEIGHTS, recipe.build().state_dict())
    b = SideRecord(
        sources={"b.mp4": sha256_of(footage_of_b)}, faces=1, digest="", face=face.tolist(), recogniser=recogniser
    )
    config = ModelConfig(
        arch="light", size=recipe.size, coverage=recipe.coverage, iterations=0, heldout_error=None,
        sides={"a": SideRecord(sources={"a.mp4": "0" * 64}, faces=1, digest=""), "b": b}, versions={},
    )  # fmt: skip
    write_config(folder, config)
    seal(folder)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if v.slow else ()) for n, v in VERBS.items()])
def test_what_a_verb_leaves_is_labelled(
    name: str, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(scene.home))
    monkeypatch.chdir(tmp_path)  # what a verb writes without being told where is found, too
    before = _pictures(scene.folder)
    verb = VERBS[name]
    verb.run(scene, tmp_path)
    left = _pictures(tmp_path)
    assert len(left) >= (verb.least if verb.writes else 0)
    for path in sorted(left):
        relative = path.relative_to(tmp_path).as_posix()
        kinds = [kind for pattern, kind in verb.writes.items() if fnmatch(relative, pattern)]
        assert kinds, f"{name} writes {relative}, of which nothing is said here"
        kinds[0](path, scene)
    assert _pictures(scene.folder) >= before, "nothing that was given is lost"


def _pictures(folder: Path) -> set[Path]:
    """Everything in ``folder`` that opens as a picture or a clip, hidden or not."""
    found = set()
    for path in folder.rglob("*"):
        try:
            if path.is_file() and open_clip(path).kind != "sound":
                found.add(path)
        except BadMediaError:
            continue
    return found


def test_the_tests_can_tell(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Footage without a label is none of what they pass."""
    monkeypatch.setenv("LIKENESS_HOME", str(scene.home))
    for kind in (is_ours, is_published, is_signed_as_it_is, is_cut_out, is_stamped, is_a_plot):
        with pytest.raises(AssertionError):
            kind(scene.picture, scene)
    image = next(open_clip(scene.picture).frames()).image
    assert not shows_the_label(image)
    assert shows_the_label(labelled(image))
