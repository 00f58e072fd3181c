"""The face of the product for Python. It runs the same stages as the launchers, and knows neither flags nor exits."""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"enas_tf trains with tf.function, and Keras runs on {keras.backend.backend()} here: expected the TensorFlow "
        "backend. Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
    )
