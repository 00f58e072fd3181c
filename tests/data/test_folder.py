"""Folders of image files, written by the test and read back."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from enas_tf.data import paths
from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.values import BYTES, ValueRange
from enas_tf.errors import InputError

ENCODERS = {".png": tf.io.encode_png, ".jpg": lambda image: tf.io.encode_jpeg(image, quality=100)}


def write(path, value, size=(6, 6), channels=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ENCODERS[path.suffix](np.full((*size, channels), value, np.uint8)).numpy())


def write_classes(directory, names=("cat", "dog"), count=10, **options):
    """Write `count` images per class, with the colour 10 * class + number."""
    for label, name in enumerate(names):
        for number in range(count):
            write(directory / name / f"{number}.png", 10 * label + number, **options)


def load(directory, **options):
    return load_images(DataConfig(f"folder:{directory}", **options))


def test_one_directory_per_class(tmp_path):
    write_classes(tmp_path)
    data = load(tmp_path, valid_fraction=0.25)
    assert (data.class_names, data.image_shape) == (("cat", "dog"), (6, 6, 3))
    assert [len(data.train), len(data.valid), len(data.test)] == [14, 4, 2]
    splits = (data.train, data.valid, data.test)
    colours, labels = (
        np.concatenate(parts)
        for parts in zip(*((split.images[:, 0, 0, 0], split.labels) for split in splits), strict=True)
    )
    np.testing.assert_array_equal(np.sort(colours), np.arange(20))
    np.testing.assert_array_equal(labels, colours // 10)


def test_parts_of_their_own(tmp_path):
    for part, count in (("train", 5), ("valid", 3), ("test", 2)):
        write_classes(tmp_path / part, count=count)
    data = load(tmp_path)
    assert [len(data.train), len(data.valid), len(data.test)] == [10, 6, 4]
    assert data.valid.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert data.valid.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_grayscale_stays_unless_mixed_with_colour(tmp_path):
    write_classes(tmp_path, channels=1)
    assert load(tmp_path).image_shape == (6, 6, 1)
    write(tmp_path / "cat" / "colour.jpg", 77)
    assert load(tmp_path).image_shape == (6, 6, 3)


def test_transparency_is_dropped(tmp_path):
    write_classes(tmp_path, channels=4)
    assert load(tmp_path).image_shape == (6, 6, 3)


def test_other_files_are_ignored(tmp_path):
    write_classes(tmp_path)
    for path in (tmp_path / "cat" / "notes.txt", tmp_path / "cat" / "._0.png", tmp_path / "README"):
        path.write_text("no image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "empty").mkdir()
    assert load(tmp_path).class_names == ("cat", "dog")


def test_images_of_different_sizes_need_image_size(tmp_path):
    write_classes(tmp_path)
    write(tmp_path / "dog" / "wide.png", 7, size=(6, 9))
    with pytest.raises(InputError, match=r"cat.0\.png is 6x6 and .*wide\.png is 6x9 pixels.*image_size=32"):
        load(tmp_path)
    assert load(tmp_path, image_size=5).image_shape == (5, 5, 3)


def test_an_unreadable_image_is_named(tmp_path):
    write_classes(tmp_path)
    (tmp_path / "dog" / "4.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"dog.4\.png cannot be read as an image: expected a PNG, JPEG"):
        load(tmp_path)


def test_the_first_ten_unreadable_images_are_named(tmp_path):
    write_classes(tmp_path, count=30)
    for number in range(10, 22):
        path = tmp_path / "dog" / f"{number}.png"
        path.write_bytes(path.read_bytes()[:40])
    (tmp_path / "cat" / "7.png").write_bytes(b"")
    message = (
        r"^13 of 60 files in .* cannot be read as images: .*: cat/7\.png, dog/10\.png, .* dog/18\.png and 3 more\.$"
    )
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path)
    assert str(caught.value).count(".png") == 10


def test_a_directory_is_needed(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such directory"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(("names", "message"), [((), "images of 0 classes"), (("cat",), r"images of 1 class \(cat\)")])
def test_two_classes_are_needed(tmp_path, names, message):
    write_classes(tmp_path, names, count=1)
    with pytest.raises(InputError, match=f"{message}: expected at least 2 directories"):
        load(tmp_path)


def test_parts_have_the_same_classes(tmp_path):
    write_classes(tmp_path / "train")
    write_classes(tmp_path / "test", ("cat", "fox"), count=1)
    with pytest.raises(InputError, match=r"test and .*train hold different classes: .* dog, fox"):
        load(tmp_path)


# Which images are read, as they are


def write_wide(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(pixels.astype(np.uint16)).numpy())


def images_of(data):
    """Return all images, sorted by their bytes."""
    images = np.concatenate([split.images for split in data.parts().values()])
    return np.stack(sorted(images, key=lambda image: image.tobytes()))


@pytest.mark.parametrize("image_size", [None, 4])
def test_8_bit_images_are_what_tensorflow_decodes(tmp_path, image_size):
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
            suffix = ("png", "jpg", "bmp", "gif")[number % 4]
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.{suffix}")
    expected = []
    for path in tmp_path.glob("*/*"):
        image = tf.io.decode_image(path.read_bytes(), expand_animations=False)
        if image_size:
            image = tf.cast(tf.round(tf.image.resize(image, [4, 4], antialias=True)), tf.uint8)
        expected.append(image.numpy())
    data = load(tmp_path, image_size=image_size)
    np.testing.assert_array_equal(images_of(data), np.stack(sorted(expected, key=lambda image: image.tobytes())))
    assert (data.values, data.notes, data.num_skipped) == (BYTES, (), 0)


@pytest.mark.parametrize("image_size", [None, 4])
def test_photos_are_turned_upright(tmp_path, image_size):
    write_classes(tmp_path, size=(8, 6))
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:, :4] = 200  # bright on the left as stored, on top when it is turned
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "dog" / "phone.png"
    Image.fromarray(pixels).save(path, exif=exif)
    data = load(tmp_path, image_size=image_size)
    assert data.image_shape == ((8, 6, 3) if image_size is None else (4, 4, 3))
    brightest = max(images_of(data), key=lambda image: image.max())
    assert brightest[0].min() > 150
    assert brightest[-1].max() < 50
    assert data.notes == ("1 image was turned upright by its Exif orientation.",)
    if image_size is None:
        with Image.open(path) as image:
            np.testing.assert_array_equal(brightest, np.asarray(ImageOps.exif_transpose(image)))


def test_transparency_is_not_left_out_in_silence(tmp_path):
    write_classes(tmp_path)
    Image.new("RGBA", (6, 6), (0, 0, 0, 100)).save(tmp_path / "dog" / "icon.png")
    (note,) = load(tmp_path).notes
    assert note.startswith("1 image of 21 can be transparent, which is left out")


@pytest.mark.parametrize(("largest", "high"), [(4095, 4095), (3000, 4095), (65535, 65535), (255, 255)])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_images_are_scaled_by_their_true_range(tmp_path, largest, high, channels):
    random = np.random.default_rng(0)
    pixels = random.integers(0, largest + 1, (20, 6, 6, channels), np.uint16)
    pixels[0, 0, 0] = largest
    for number, image in enumerate(pixels):
        write_wide(tmp_path / ("cat", "dog")[number % 2] / f"{number}.png", image)
    data = load(tmp_path)
    expected = np.round(pixels * (255 / high)).astype(np.uint8)
    np.testing.assert_array_equal(images_of(data), np.stack(sorted(expected, key=lambda image: image.tobytes())))
    assert data.values == ValueRange(0, high, "uint16")
    assert data.notes == (f"20 of 20 images had 16 bits per channel and were scaled from 0..{high} to 0..255.",)


def test_16_bit_images_among_others(tmp_path):
    write_classes(tmp_path)
    write_wide(tmp_path / "cat" / "wide.png", np.full((6, 6, 4), [4000, 4000, 4000, 65535]))
    data = load(tmp_path, image_size=3)
    assert images_of(data).max() == round(4000 * 255 / 4095)  # transparency does not count
    assert data.values == BYTES
    wide, clear = data.notes
    assert wide == "1 of 21 images had 16 bits per channel and were scaled from 0..4095 to 0..255."
    assert clear.startswith("1 image of 21 can be transparent")


def test_a_damaged_16_bit_image_is_named(tmp_path):
    write_classes(tmp_path)
    write_wide(tmp_path / "cat" / "wide.png", np.zeros((6, 6, 3)))
    path = tmp_path / "cat" / "wide.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"cat/wide\.png cannot be read as an image"):
        load(tmp_path)


def test_images_larger_than_the_memory_are_refused(tmp_path, monkeypatch):
    write_classes(tmp_path)
    with pytest.raises(InputError, match=r"20 images of 10000000x10000000 pixels would take .* PB .*image_size=32"):
        load(tmp_path, image_size=10_000_000)
    monkeypatch.setattr(paths.os, "sysconf", lambda name: 40)
    with pytest.raises(InputError, match=r"20 images of 6x6 pixels would take 2\.2 kB"):
        load(tmp_path)


# Which directories are parts


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "valid", "TEST"),
    ],
)
def test_usual_names_of_parts(tmp_path, names):
    for name, count in zip(names, (5, 3, 2), strict=True):
        write_classes(tmp_path / name, count=count)
    data = load(tmp_path)
    assert [len(data.train), len(data.valid), len(data.test)] == [10, 6, 4]
    assert not data.notes


def test_a_class_may_be_called_train(tmp_path):
    write_classes(tmp_path, ("train", "plane", "test"))
    assert load(tmp_path).class_names == ("plane", "test", "train")


def test_directories_without_images_do_not_make_parts_classes(tmp_path):
    write_classes(tmp_path / "train")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "1.xml").touch()
    data = load(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.notes == ("1 directory holds no images and was skipped: annotations.",)


def test_parts_beside_classes_are_refused(tmp_path):
    write_classes(tmp_path / "train")
    write_classes(tmp_path, ("fox",))
    with pytest.raises(InputError, match=r"holds parts \(train\) beside directories that are none \(fox\)"):
        load(tmp_path)


def test_a_part_has_one_directory(tmp_path):
    for name in ("train", "val", "validation"):
        write_classes(tmp_path / name)
    with pytest.raises(InputError, match="the directories val and validation, which are the same part"):
        load(tmp_path)


def test_a_training_part_is_needed(tmp_path):
    write_classes(tmp_path / "val")
    write_classes(tmp_path / "test")
    with pytest.raises(InputError, match=r"holds the parts test, val, but no train"):
        load(tmp_path)


def test_an_empty_part_is_not_replaced(tmp_path):
    write_classes(tmp_path / "train")
    (tmp_path / "val" / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match="val holds images of 0 classes"):
        load(tmp_path)


# What is left out is counted and named


def test_other_files_are_counted_by_their_extensions(tmp_path):
    write_classes(tmp_path)
    for number in range(3):
        (tmp_path / "cat" / f"{number}.webp").touch()
    (tmp_path / "dog" / "1.TIF").touch()
    (tmp_path / "dog" / "LICENSE").touch()
    data = load(tmp_path)
    assert data.num_skipped == 5
    assert data.notes == (
        "1 file without an extension was skipped.",
        "1 file with the extension .tif was skipped.",
        "3 files with the extension .webp were skipped.",
    )


def test_a_folder_of_other_files_says_so(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(60):
            (tmp_path / name / f"{number}.webp").touch()
    with pytest.raises(InputError, match=r"images of 0 classes: .* 120 files with the extension \.webp were skipped"):
        load(tmp_path)


def test_images_elsewhere_are_counted(tmp_path):
    write_classes(tmp_path)
    write_classes(tmp_path / "cat", ("2023", "2024"), count=2)
    write(tmp_path / "loose.png", 1)
    (tmp_path / "fox" / "deep").mkdir(parents=True)
    (tmp_path / "cat" / "2023" / "loop").symlink_to(tmp_path)
    data = load(tmp_path)
    assert (len(images_of(data)), data.num_skipped) == (20, 5)
    assert data.notes == (
        "4 images in directories within a class were skipped, for example cat/2023/0.png.",
        "1 image outside of the directories of classes was skipped, for example loose.png.",
        "1 directory holds no images and was skipped: fox.",
    )


def test_special_files_are_counted(tmp_path):
    write_classes(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "dog" / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "dog" / "loop.png").symlink_to(tmp_path / "dog" / "loop.png")
    assert load(tmp_path).notes == (
        "3 entries of another kind (pipes, devices, dangling links) were skipped, for example cat/pipe.png.",
    )


def test_a_directory_too_many_is_named(tmp_path):
    write_classes(tmp_path / "photos")
    with pytest.raises(InputError, match=r"in directories within a class .* Did you mean dataset=folder:.*/photos\?$"):
        load(tmp_path)


def test_the_directory_of_one_class_is_named(tmp_path, monkeypatch):
    write_classes(tmp_path / "photos")
    monkeypatch.chdir(tmp_path / "photos/cat")
    for place in (tmp_path / "photos/cat", "."):
        with pytest.raises(InputError, match=rf"of 0 classes.* Did you mean dataset=folder:{tmp_path}/photos\?$"):
            load(place)
    write(tmp_path / "loose/0.png", 0)
    with pytest.raises(InputError, match=r"of 0 classes: .*for example 0\.png\.$"):
        load(tmp_path / "loose")


# Names and places that cannot be


def test_images_may_have_names_that_are_not_utf_8(tmp_path):
    write_classes(tmp_path)
    os.rename(os.fsencode(tmp_path / "cat" / "3.png"), os.fsencode(tmp_path / "cat") + b"/caf\xe9.png")
    assert len(images_of(load(tmp_path))) == 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"caf\xe9", r"whose name is 'caf\\xe9': expected names in UTF-8\. Rename"),
        (b"a\nb", r"whose name is 'a\\nb': expected names of one line each"),
    ],
)
def test_classes_need_names_that_a_file_can_hold(tmp_path, name, message):
    write_classes(tmp_path)
    os.rename(os.fsencode(tmp_path / "dog"), os.fsencode(tmp_path) + b"/" + name)
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path)
    str(caught.value).encode("ascii")


def test_what_is_no_directory_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for place, message in (
        (tmp_path / "pipe", r"pipe is a named pipe\. Expected one with a directory per class"),
        (tmp_path / "file", r"file is a file\. Expected"),
        ("/dev/zero", r"/dev/zero is a device\. Expected"),
        ("a\0b", r"a\\x00b is not the name of a file \(it holds a NUL character\)"),
        ("x" * 10_000_000, r"x\.\.\.x+ is not accessible"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            load(place)
        assert len(str(caught.value)) < 600
