"""Still and animated pictures."""

import numpy as np
import pytest
from made_media import number_in, numbered
from PIL import Image

from likeness.errors import BadMediaError
from likeness.media.clip import Limits, open_clip

SUFFIXES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "avif": "AVIF", "gif": "GIF"}


@pytest.mark.parametrize("container", SUFFIXES)
def test_stills_of_every_format_under_a_wrong_name(tmp_path, container):
    path = tmp_path / "picture.mp4"
    Image.fromarray(numbered(77)).save(path, SUFFIXES[container])
    clip = open_clip(path)
    assert (clip.kind, clip.container, clip.width, clip.height) == ("picture", container, 128, 96)
    assert (clip.frame_count, clip.duration_s, clip.has_sound) == (1, 0.0, False)
    [frame] = clip.frames()
    assert number_in(frame.image) == 77
    assert (frame.time_s, frame.index, frame.image.dtype) == (0.0, 0, np.uint8)
    assert list(clip.samples()) == []


@pytest.mark.parametrize("container", ["gif", "webp", "png", "avif"])
def test_animations_keep_their_times(tmp_path, container):
    path = tmp_path / "animation"
    shown_ms = [100, 40, 500, 60]
    pictures = [Image.fromarray(numbered(index)) for index in range(4)]
    pictures[0].save(path, SUFFIXES[container], save_all=True, append_images=pictures[1:], duration=shown_ms, loop=0)
    clip = open_clip(path)
    assert (clip.kind, clip.frame_count) == ("video", 4)
    assert clip.duration_s == pytest.approx(0.7)
    frames = list(clip.frames())
    assert [number_in(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.14, 0.64])
    assert [frame.index for frame in clip.frames(0.1, 0.2)] == [1, 2]
    with pytest.raises(BadMediaError, match="min"):
        open_clip(path, Limits(max_duration_s=0.5))


@pytest.mark.parametrize(("tag", "degrees"), [(1, 0), (3, 180), (6, 90), (8, 270)])
@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_exif_orientation(tmp_path, container, tag, degrees):
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / "phone"
    Image.fromarray(np.rot90(numbered(5), degrees // 90)).save(path, container, exif=exif)
    clip = open_clip(path)
    assert (clip.width, clip.height) == (128, 96)
    [frame] = clip.frames()
    assert number_in(frame.image) == 5
    if container != "AVIF":  # whose plugin turns the picture by itself
        assert clip.rotation == degrees


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = Image.fromarray(numbered(9)).convert("L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        picture = (grey if mode in ("1", "I", "F", "LA") else Image.fromarray(numbered(9))).convert(mode)
    path = tmp_path / "picture"
    picture.save(path, "TIFF" if mode in ("CMYK", "I", "F") else "PNG")
    [frame] = open_clip(path).frames()
    assert frame.image.shape == (96, 128, 3)
    assert number_in(frame.image) == 9


def test_transparent_parts_are_laid_on_white(tmp_path):
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    [frame] = open_clip(tmp_path / "clear.png").frames()
    assert (frame.image == 255).all()


def test_pages_of_a_tiff_are_no_animation(tmp_path):
    pages = [Image.fromarray(numbered(index)) for index in range(3)]
    pages[0].save(tmp_path / "scan.tiff", save_all=True, append_images=pages[1:])
    clip = open_clip(tmp_path / "scan.tiff")
    assert (clip.kind, clip.frame_count) == ("picture", 1)


@pytest.mark.parametrize("container", ["jpg", "png", "webp", "avif"])
def test_cut_off_pictures_are_refused_in_one_line(tmp_path, container):
    path = tmp_path / "picture"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(path, SUFFIXES[container])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadMediaError, match="cut off") as refusal:
        open_clip(path)
    assert "\n" not in str(refusal.value)


def test_broken_exif_does_not_hide_the_picture(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.fromarray(numbered(3)).save(path, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    [frame] = open_clip(path).frames()
    assert number_in(frame.image) == 3


def test_pixel_limit(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(numbered(3)).save(path)
    with pytest.raises(BadMediaError, match="Mpixel"):
        open_clip(path, Limits(max_pixels=100))
