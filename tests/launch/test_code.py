"""`describe --code`: the network of a run as a program of Keras alone."""

import keras
import numpy as np


def test_the_program_of_a_run_computes_what_its_child_does(run_directory, launch):
    """The images as the user has them, and their mean and variance, are those of the run."""
    outcome = launch("describe", "--workdir=run", "--code")
    assert outcome.code == 0, outcome.err
    assert "enas_tf" not in outcome.out
    assert "not known" not in outcome.out
    namespace = {}
    exec(outcome.out, namespace)
    built, child = namespace["build_model"](), keras.models.load_model(run_directory / "child/child.keras")
    assert [layer.name for layer in built.layers] == [layer.name for layer in child.layers]
    built.set_weights(child.get_weights())
    images = np.random.default_rng(0).integers(0, 17, (5, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(built(images), child(images), rtol=1e-6, atol=1e-6)


def test_without_a_run_the_program_says_that_its_images_are_not_known(launch):
    flags = ["--channels=4", "--image_shape=16,8,1", "--num_classes=3"]
    outcome = launch("describe", "--architecture=0 3 0 2 1 0", "--code", *flags)
    assert outcome.code == 0, outcome.err
    assert "The mean and the variance of the images are not known: set those of normalization." in " ".join(
        outcome.out.split()
    )
    namespace = {}
    exec(outcome.out, namespace)
    model = namespace["build_model"]()
    assert (model.input_shape, model.output_shape) == ((None, 16, 8, 1), (None, 3))


def test_one_form_is_printed(refuse):
    refuse("describe", ["--architecture=0 3 0 2 1 0", "--code", "--json"], ["--code and --json"])
