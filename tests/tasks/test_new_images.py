"""New image files are read as the images of a run are: the child sees the same pixels."""

import keras
import numpy as np
import pytest
from PIL import Image

from enas_tf.data.sources import DataConfig, load_images
from enas_tf.data.values import ValueRange
from enas_tf.errors import InputError
from enas_tf.tasks.image_values import inputs_for, take_values
from enas_tf.tasks.new_images import load_image


def make_model(shape, values):
    inputs = keras.Input(shape, dtype="uint8")
    model = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Rescaling(1.0)(inputs)))
    return take_values(model, values)


def write_folder(place, images, **options):
    """Write each image several times, as a class of its own; return the paths."""
    for number, image in enumerate(images):
        (place / str(number)).mkdir(parents=True)
        for copy in "abcdefghij":
            Image.fromarray(image).save(place / str(number) / f"{copy}.png", **options)
    return [place / str(number) / "a.png" for number in range(len(images))]


@pytest.mark.parametrize("kind", ["photos", "gray", "wide"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_new_image_is_read_as_those_of_the_run(tmp_path, kind, orientation):
    random = np.random.default_rng(0)
    shape = (8, 6, 3) if kind == "photos" else (8, 6)
    most, dtype = (4096, np.uint16) if kind == "wide" else (256, np.uint8)
    images = [random.integers(0, most, shape).astype(dtype) for _ in range(2)]
    images[0].flat[0] = most - 1
    exif = Image.Exif()
    exif[0x0112] = orientation
    paths = write_folder(tmp_path, images, exif=exif.tobytes())
    data = load_images(DataConfig(f"folder:{tmp_path}", image_size=4))
    assert data.values == (ValueRange(0, 4095, "uint16") if kind == "wide" else ValueRange())
    model = make_model(data.image_shape, data.values)
    for label, path in enumerate(paths):
        mine = data.train.images[data.train.labels == label][:1]
        found = load_image(path, model)
        assert found.dtype == data.values.dtype
        np.testing.assert_array_equal(found, inputs_for(model, mine))
        np.testing.assert_array_equal(model(found), mine.reshape(1, -1))


def test_what_cannot_be_read_is_said(tmp_path):
    model = make_model((4, 4, 3), ValueRange(0, 1, "float32"))
    (tmp_path / "text.png").write_text("no image")
    for name in ("text.png", "nothing.png"):
        with pytest.raises(InputError, match=rf"{name} cannot be read as an image"):
            load_image(tmp_path / name, model)
    with pytest.raises(InputError, match="expected one of images with 1 or 3 channels"):
        load_image(tmp_path / "text.png", keras.Sequential([keras.Input((7,)), keras.layers.Dense(1)]))
