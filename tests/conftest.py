"""Settings of every test: a quiet TensorFlow, the backend that enas_tf needs, and no graph optimizer, as in a run."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"


def pytest_configure(config):
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
