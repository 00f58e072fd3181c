"""Heads of image files: orientation and depth, as Pillow writes them."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from enas_tf.data.headers import Header, read_header, turn_upright

PIXELS = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
TAG = 0x0112


def write(path, orientation=None, exif=None, pixels=PIXELS, **options):
    data = Image.Exif() if exif is None else exif
    if orientation is not None:
        data[TAG] = orientation
    Image.fromarray(pixels).save(path, exif=data.tobytes(), **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_pillow_turns_them(tmp_path, suffix, orientation):
    path = write(tmp_path / f"image{suffix}", orientation)
    assert read_header(path) == Header(orientation=orientation)
    with Image.open(path) as image:
        turned = turn_upright(np.asarray(image), orientation)
        np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))


def test_upright_images_are_not_copied():
    assert turn_upright(PIXELS, 1) is PIXELS


def test_the_orientation_is_found_among_other_tags(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", "Model", "2024:01:01 00:00:00"
    for suffix in (".png", ".jpg"):
        assert read_header(write(tmp_path / f"image{suffix}", 6, exif)).orientation == 6


def test_motorola_order(tmp_path):
    content = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
    path = tmp_path / "image.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0\0\x04ab\xff\xe1" + (len(content) + 8).to_bytes(2) + b"Exif\0\0" + content)
    assert read_header(path).orientation == 8


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    content = write(tmp_path / "image.png", 3).read_bytes()
    start, data = content.index(b"eXIf") - 4, content.index(b"IDAT") - 4
    end = content.index(b"IEND") - 4
    (tmp_path / "image.png").write_bytes(content[:start] + content[data:end] + content[start:data] + content[end:])
    assert read_header(tmp_path / "image.png").orientation == 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_what_may_be_transparent_is_told(tmp_path, mode):
    path = tmp_path / "image.png"
    options = {"transparency": 0} if mode == "P" else {}
    Image.fromarray(PIXELS).convert(mode).save(path, **options)
    assert read_header(path).has_alpha == (mode in ("RGBA", "LA", "P"))


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_numbers_that_mean_nothing_are_upright(tmp_path, orientation):
    assert read_header(write(tmp_path / "image.jpg", orientation)).orientation == 1


@pytest.mark.parametrize(("dtype", "is_wide"), [(np.uint8, False), (np.uint16, True)])
def test_depth(tmp_path, dtype, is_wide):
    Image.fromarray(np.zeros((4, 4), dtype)).save(tmp_path / "image.png")
    assert read_header(tmp_path / "image.png") == Header(is_wide)


@pytest.mark.parametrize("suffix", [".gif", ".bmp"])
def test_other_files_have_no_more_to_say(tmp_path, suffix):
    Image.fromarray(PIXELS).save(tmp_path / f"image{suffix}")
    assert read_header(tmp_path / f"image{suffix}") == Header()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_damaged_heads_are_the_decoders_business(tmp_path, suffix):
    content = write(tmp_path / f"image{suffix}", 6).read_bytes()
    path, random = tmp_path / "damaged", np.random.default_rng(0)
    for end in range(min(len(content), 300)):
        path.write_bytes(content[:end])
        read_header(path)
        path.write_bytes(content[:end] + random.bytes(4) + content[end + 4 :])
        read_header(path)


def test_missing_files_are_the_decoders_business(tmp_path):
    assert read_header(tmp_path / "none.png") == Header()
