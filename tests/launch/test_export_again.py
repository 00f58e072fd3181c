"""An export that is repeated, as after a kill, leaves what an unbroken run does."""

import json
import random
import shutil

import numpy as np
import tensorflow as tf


def arrays(directory):
    """The arrays of a SavedModel in an order of their own: Keras lists the variables of a model as a set does."""
    reader = tf.train.load_checkpoint(str(directory / "variables/variables"))
    found = [reader.get_tensor(key) for key in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in key]
    return sorted((str(array.dtype), array.shape, array.tobytes()) for array in map(np.asarray, found))


def test_a_repeated_export_has_the_same_arrays(run_directory, launch):
    """The seeds of dropout too: Keras draws them when it reads the child, from what the process has drawn before."""
    child = run_directory / "child"
    before = arrays(child / "saved_model")
    assert any(kind == "int64" for kind, *_ in before), "seeds are among them"
    shutil.rmtree(child / "saved_model")
    metrics = json.loads((child / "metrics.json").read_text())
    (child / "metrics.json").write_text(json.dumps(metrics | {"export_max_difference": None}))
    (child / ".saved_model.new").mkdir()
    random.seed(7)
    assert launch("export", "--workdir=run").code == 0
    assert arrays(child / "saved_model") == before
    assert json.loads((child / "metrics.json").read_text()) == metrics
